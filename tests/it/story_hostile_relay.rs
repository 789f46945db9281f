//! A relay that turned against a family: the phone sees it, says so in red, keeps what it has to
//! say, and says none of it.

use std::time::Duration;

use jiashu_proto::entry::{Content, LinkFact, WrapsFact};
use jiashu_proto::frame::RelayFrame;
use jiashu_proto::id::DeviceId;
use jiashu_roster::{Author, Op, Recipient, Wraps, token_hash};
use jiashu_seal::KeyPairs;
use jiashu_tests::Cli;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::scene::{forge, forge_wraps};
use crate::story::{Office, ask, ask_all, failure, texts};
use crate::story_meddler::Meddler;

/// The frames that seal something, or speak for the family.
const SAYING: [&str; 5] = ["Post", "Hold", "Plan", "Report", "Turn"];

/// A phone that hears nonsense does not ask for ever.
const GIVES_UP: Duration = Duration::from_secs(20);

fn rows(case: &str) -> String {
    format!(
        "{case},1,parent,Mama,Europe/Rome,it,Mama,,2026-11-01,\n\
         {case},2,caregiver,Nonna,Asia/Shanghai,zh,Home,,2026-11-01,\n\
         {case},3,child,Kid,Asia/Shanghai,zh,Home,,2026-11-01,2026-11-01\n"
    )
}

/// A family whose mother reaches the relay through a meddler, and whose home has just joined: the
/// next that the mother reads is its link and its wraps.
struct Divided {
    meddler: Meddler,
    mother: Cli,
    home: Cli,
}

impl Divided {
    async fn of(office: &Office, case: &str) -> Self {
        let cards = office.cards();
        let meddler = Meddler::before(office.relay.raw()).await;
        let link = meddler.link(&cards.link(case, "Mama"));
        let mother = office.join(&format!("{case}-mother"), &link).await;
        ask_all(&mother, &["inbox"]).await;
        let home = office.join(&format!("{case}-home"), &cards.link(case, "Kid")).await;
        Self { meddler, mother, home }
    }
}

/// Changes what the entries of an answer say.
fn change_entries(
    mut change: impl FnMut(Content) -> Option<Content>,
) -> impl FnMut(RelayFrame) -> RelayFrame {
    move |frame| {
        let RelayFrame::Entries(mut entries) = frame else { return frame };
        entries.entries.retain_mut(|entry| {
            let changed = change(Content::from_bytes(&entry.content).unwrap());
            changed.is_some_and(|content| {
                entry.content = content.to_bytes();
                true
            })
        });
        RelayFrame::Entries(entries)
    }
}

/// Changes the links of an answer.
fn change_links(
    mut change: impl FnMut(Vec<u8>) -> Vec<u8>,
) -> impl FnMut(RelayFrame) -> RelayFrame {
    change_entries(move |content| {
        Some(match content {
            Content::Link(fact) => Content::Link(LinkFact { link: change(fact.link) }),
            other => other,
        })
    })
}

/// The wraps of two recipients, exchanged.
fn exchange(wraps: &[u8]) -> Wraps {
    let mut list: Vec<_> = Wraps::parse(wraps).unwrap().iter().cloned().collect();
    let first = list[0].sealed;
    list[0].sealed = list[1].sealed;
    list[1].sealed = first;
    Wraps::new(list).unwrap()
}

fn ghost_join(ghost: &KeyPairs) -> Op {
    Op::Join {
        device: DeviceId(2),
        sign_pub: ghost.sign.public(),
        hpke_pub: ghost.hpke.public(),
        token_hash: token_hash(&[7; 16]),
    }
}

type Lie = Box<dyn FnMut(RelayFrame) -> RelayFrame + Send>;

/// What a relay might try, each by itself.
fn lies() -> Vec<(&'static str, Lie)> {
    let ghost = KeyPairs::generate();
    let (stranger, founder, twister) = (ghost.clone(), ghost.clone(), ghost.clone());
    vec![
        (
            "wraps exchanged",
            Box::new(change_entries(|content| {
                Some(match content {
                    Content::Wraps(fact) => {
                        let wraps = exchange(&fact.wraps).to_bytes();
                        Content::Wraps(WrapsFact { wraps, ..fact })
                    }
                    other => other,
                })
            })),
        ),
        (
            "wraps for nobody here, under a link that names them",
            Box::new(change_links(move |link| {
                forge_wraps(&link, &twister.sign, &Wraps::default())
            })),
        ),
        (
            "a changed link under the old signature",
            Box::new(change_links(|mut link| {
                let middle = link.len() / 2;
                link[middle] ^= 1;
                link
            })),
        ),
        (
            "a link signed by a stranger",
            Box::new(change_links(move |link| forge(&link, &stranger.sign, |_| {}))),
        ),
        (
            "a ghost let in by a new founder",
            Box::new(change_links(move |link| {
                forge(&link, &founder.sign, |body| {
                    body.author = Author::Founder(founder.sign.public());
                    body.ops = vec![ghost_join(&founder)];
                })
            })),
        ),
        (
            "a ghost in the place of who joined",
            Box::new(change_links(move |link| {
                forge(&link, &ghost.sign, |body| body.ops = vec![ghost_join(&ghost)])
            })),
        ),
        (
            "a link kept back",
            Box::new(change_entries(|content| match content {
                Content::Link(_) => None,
                other => Some(other),
            })),
        ),
    ]
}

#[tokio::test]
async fn a_phone_shown_a_false_roster_stops_sealing_and_keeps_its_outbox() {
    let office = Office::open().await;
    let lies = lies();
    let cases: Vec<_> = (1..=lies.len()).map(|number| format!("H-{number}")).collect();
    office.enrol(&cases.iter().map(|case| rows(case)).collect::<String>()).await;

    for ((lie, tell), case) in lies.into_iter().zip(&cases) {
        let Divided { meddler, mother, home } = Divided::of(&office, case).await;
        meddler.lie(tell);

        let read = mother.run(&["inbox", "--json"]).await;
        meddler.take_heard();
        let sent = mother.run(&["send", "--json", "not for a ghost"]).await;
        let planned = mother
            .run(&[
                "schedule",
                "add",
                "--every",
                "day",
                "--at",
                "19:30",
                "--tz",
                "Asia/Shanghai",
                "nor this",
            ])
            .await;
        let status = mother.run(&["status", "--json"]).await;
        let heard = meddler.take_heard();
        meddler.be_honest();
        let recovered = ask(&mother, &["status"]).await;
        let came = ask_all(&home, &["inbox"]).await;

        assert!(failure(&read, 7).contains("nothing is sent from here"), "{lie}");
        failure(&sent, 7);
        failure(&planned, 7);
        assert_eq!(sent.json_lines()[0]["queued"], true, "{lie}: it is kept");
        failure(&status, 7);
        assert_eq!(status.json_lines()[0]["roster"], "broken", "{lie}");
        assert!(
            !heard.is_empty() && !heard.iter().any(|frame| SAYING.contains(frame)),
            "{lie}: {heard:?}"
        );
        assert_eq!(recovered["roster"], "ok", "{lie}: the truth is taken");
        assert_eq!(recovered["waiting"], 0, "{lie}: what waited has left");
        assert_eq!(texts(&came), ["not for a ghost"], "{lie}: once");
    }
}

#[tokio::test]
async fn entries_that_do_not_join_on_are_not_taken() {
    let office = Office::open().await;
    office.enrol(&rows("G-1")).await;
    let Divided { meddler, mother, home } = Divided::of(&office, "G-1").await;
    ask_all(&mother, &["inbox"]).await;
    ask(&home, &["send", "--as", "Kid", "one"]).await;
    let before = ask(&mother, &["status"]).await["cursor"].clone();

    // Behind a gap, and from a place that was read long ago.
    for step in [1_i64, -1] {
        ask(&home, &["send", "--as", "Kid", "another"]).await;
        meddler.lie(move |frame| match frame {
            RelayFrame::Entries(mut entries) => {
                entries.after = entries.after.checked_add_signed(step).unwrap();
                let after = entries.after;
                entries.entries.retain(|entry| entry.seq > after);
                RelayFrame::Entries(entries)
            }
            other => other,
        });
        let lied_to = ask(&mother, &["status"]).await;

        assert_eq!(lied_to["cursor"], before, "the phone stands where it stood");
        assert_eq!(lied_to["roster"], "ok");
    }
    meddler.be_honest();

    let came = ask_all(&mother, &["inbox"]).await;
    assert_eq!(texts(&came), ["one", "another", "another"], "all, in order, once");
}

#[tokio::test]
async fn a_card_is_not_used_where_the_relay_shows_another_family() {
    let office = Office::open().await;
    let cards = office.enrol(&rows("J-1")).await;
    office.join("mother", &cards.link("J-1", "Mama")).await;
    let meddler = Meddler::before(office.relay.raw()).await;
    let link = meddler.link(&cards.link("J-1", "Kid"));
    let ghost = KeyPairs::generate();
    let home = office.phone("home");

    meddler.lie(move |frame| match frame {
        RelayFrame::Invited(mut invited) => {
            let last = invited.links.last_mut().unwrap();
            *last = forge(last, &ghost.sign, |body| body.ops = vec![ghost_join(&ghost)]).into();
            RelayFrame::Invited(invited)
        }
        other => other,
    });
    let refused = home.run(&["join", &link, "--yes"]).await;
    let heard = meddler.take_heard();
    meddler.be_honest();
    let joined = home.run(&["join", &link, "--yes"]).await.success();

    assert!(failure(&refused, 7).starts_with("do not join"), "{refused:?}");
    assert_eq!(heard, ["Look"], "the card was not used up");
    assert!(joined.stdout.contains("Welcome, Nonna, Kid"), "{joined:?}");
}

/// Makes no answer of an answer.
type Garble = fn(Vec<u8>) -> Vec<u8>;

#[tokio::test]
async fn an_answer_that_is_no_answer_leaves_the_phone_as_it_was() {
    let office = Office::open().await;
    office.enrol(&rows("N-1")).await;
    let Divided { meddler, mother, home } = Divided::of(&office, "N-1").await;
    let lies: [(&str, Garble); 4] = [
        ("nothing", |_| Vec::new()),
        ("noise", |_| vec![0xff; 300]),
        ("half of it", |truth| truth[..truth.len() / 2].to_vec()),
        ("a number beyond all", |_| [&[0x82, 0x11, 0x9b][..], &[0xff; 8]].concat()),
    ];

    for (what, lie) in lies {
        meddler.answer_with(move |frames| {
            lie(frames.iter().flat_map(|frame| frame.to_bytes(0)).collect())
        });
        let args = ["send", "--json", what];
        let sent = timeout(GIVES_UP, mother.run(&args)).await.expect("it gives up by itself");

        assert_eq!(sent.json_lines()[0]["queued"], json!(true), "{what}: {sent:?}");
        assert!(sent.stderr.lines().count() <= 1, "{what}: {sent:?}");
    }
    meddler.be_honest();

    let status = ask(&mother, &["status"]).await;
    assert_eq!((&status["waiting"], &status["refused"]), (&json!(0), &json!([])));
    let came = ask_all(&home, &["inbox"]).await;
    assert_eq!(texts(&came), lies.map(|(what, _)| what), "each arrives once, in order");
    assert_eq!(ask_all(&home, &["inbox"]).await, Vec::<Value>::new());
}

#[test]
fn exchanged_wraps_are_others() {
    let wraps = Wraps::new(
        [1_u32, 2]
            .map(|device| jiashu_roster::Wrap {
                recipient: Recipient::Device(DeviceId(device)),
                sealed: [u8::try_from(device).unwrap(); 113],
            })
            .to_vec(),
    )
    .unwrap();

    assert_ne!(exchange(&wraps.to_bytes()), wraps);
}

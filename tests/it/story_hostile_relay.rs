//! A relay that turned against a family: the phone sees it, says so in red, keeps what it has to
//! say, and says none of it.

use std::time::Duration;

use jiashu_proto::entry::{Content, LinkFact, WrapsFact};
use jiashu_proto::frame::{ClientFrame, Entries, Post, RelayFrame, Welcome, WireEntry};
use jiashu_proto::id::{DeviceId, InviteId, LinkHash, MemberId, Role};
use jiashu_roster::{Author, Link, Op, Recipient, Wrap, Wraps, token_hash};
use jiashu_seal::{KeyPairs, wrap_key};
use jiashu_tests::{Cli, DEADLINE};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::scene::{forge, forge_wraps};
use crate::story::{Office, ask, ask_all, failure, texts};
use crate::story_meddler::{Ghost, Meddler};

/// The frames that seal something, or speak for the family.
pub(crate) const SAYING: [&str; 5] = ["Post", "Hold", "Plan", "Report", "Turn"];

/// A phone that hears nonsense does not ask for ever.
const GIVES_UP: Duration = Duration::from_secs(20);

pub(crate) fn rows(case: &str) -> String {
    format!(
        "{case},1,parent,Mama,Europe/Rome,it,Mama,,2026-11-01,\n\
         {case},2,caregiver,Nonna,Asia/Shanghai,zh,Home,,2026-11-01,\n\
         {case},3,child,Kid,Asia/Shanghai,zh,Home,,2026-11-01,2026-11-01\n"
    )
}

/// A family whose mother reaches the relay through a meddler, and whose home has just joined: the
/// next that the mother reads is its link and its wraps.
pub(crate) struct Divided {
    pub(crate) meddler: Meddler,
    pub(crate) mother: Cli,
    pub(crate) home: Cli,
}

impl Divided {
    pub(crate) async fn of(office: &Office, case: &str) -> Self {
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

/// An op 2 that would let the ghost in.
fn ghost_invite(ghost: &KeyPairs) -> Op {
    Op::AddInvite {
        invite: InviteId(3),
        sign_pub: ghost.sign.public(),
        hpke_pub: ghost.hpke.public(),
        members: vec![MemberId(1)],
        expires_at: i64::MAX,
    }
}

/// The wraps with one more, to the ghost, of a key that the relay made: it knows all public keys.
fn with_ghost(link: &[u8], ghost: &Ghost) -> Wraps {
    let prev = Link::parse(link).unwrap().read().unwrap().prev;
    let sealed = wrap_key(&ghost.key, &ghost.keys.hpke.public(), prev).unwrap();
    let recipients = [Recipient::Device(DeviceId(1)), Recipient::Device(DeviceId(2))];
    Wraps::new(recipients.map(|recipient| Wrap { recipient, sealed }).to_vec()).unwrap()
}

/// Changes the order of what came.
fn change_order(
    mut change: impl FnMut(&mut Vec<Vec<u8>>) + Send,
) -> impl FnMut(RelayFrame) -> RelayFrame {
    move |frame| {
        let RelayFrame::Entries(mut entries) = frame else { return frame };
        let mut contents: Vec<_> =
            entries.entries.iter().map(|entry| entry.content.clone()).collect();
        change(&mut contents);
        for (entry, content) in entries.entries.iter_mut().zip(contents) {
            entry.content = content;
        }
        RelayFrame::Entries(entries)
    }
}

/// What a relay might try, each by itself.
fn lies(spirit: &Ghost) -> Vec<(&'static str, Lie)> {
    let ghost = spirit.keys.clone();
    let (stranger, founder, twister) = (ghost.clone(), ghost.clone(), ghost.clone());
    let (inviter, adder, whole) = (ghost.clone(), ghost.clone(), spirit.clone());
    vec![
        (
            "a card for a ghost in a member's name",
            Box::new(change_links(move |link| {
                forge(&link, &inviter.sign, |body| {
                    body.author = Author::Device(DeviceId(1));
                    body.ops = vec![ghost_invite(&inviter)];
                })
            })),
        ),
        (
            "a member whom nobody knows",
            Box::new(change_links(move |link| {
                forge(&link, &adder.sign, |body| {
                    body.author = Author::Device(DeviceId(1));
                    body.ops = vec![Op::AddMember { member: MemberId(4), role: Role::Parent }];
                })
            })),
        ),
        (
            "a ghost with wraps and a key of the relay's own",
            Box::new(change_links(move |link| {
                let wraps = with_ghost(&link, &whole);
                let link = forge_wraps(&link, &whole.keys.sign, &wraps);
                forge(&link, &whole.keys.sign, |body| body.ops = vec![ghost_join(&whole.keys)])
            })),
        ),
        ("wraps before their link", Box::new(change_order(|contents| contents.reverse()))),
        (
            "a link twice",
            Box::new(change_order(|contents| {
                if let [.., before, last] = contents.as_mut_slice() {
                    last.clone_from(before);
                }
            })),
        ),
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
    let ghost = Ghost::new();
    let lies = lies(&ghost);
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
        let said = meddler.take_frames();
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
        assert!(said.iter().any(|frame| SAYING.contains(&frame.name())), "{lie}: then it speaks");
        ghost.opens_nothing_of(&said, &links_shown(&meddler.take_told()));
        assert_eq!(recovered["roster"], "ok", "{lie}: the truth is taken");
        assert_eq!(recovered["waiting"], 0, "{lie}: what waited has left");
        assert_eq!(texts(&came), ["not for a ghost"], "{lie}: once");
    }
}

/// Hashes of the links in these answers.
fn links_shown(told: &[RelayFrame]) -> Vec<LinkHash> {
    let entries = told.iter().filter_map(|frame| match frame {
        RelayFrame::Entries(entries) => Some(&entries.entries),
        _ => None,
    });
    let links = entries.flatten().filter_map(|entry| match Content::from_bytes(&entry.content) {
        Ok(Content::Link(fact)) => Some(Link::parse(&fact.link).unwrap().hash()),
        _ => None,
    });
    links.collect()
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

#[tokio::test]
async fn a_letter_that_was_changed_on_its_way_is_not_shown() {
    let office = Office::open().await;
    office.enrol(&rows("T-1")).await;
    let Divided { meddler, mother, home } = Divided::of(&office, "T-1").await;
    meddler.twist(|frame| match frame {
        ClientFrame::Post(post) => ClientFrame::Post(Post { to: vec![MemberId(3)], ..post }),
        other => other,
    });

    ask(&mother, &["send", "--to", "Nonna", "for you alone"]).await;
    let changed = home.run(&["--json", "inbox"]).await.success();
    meddler.be_honest();
    ask(&mother, &["send", "for all"]).await;
    let came = ask_all(&home, &["inbox"]).await;

    assert_eq!(changed.stdout, "");
    assert!(changed.stderr.contains("is not shown"), "{changed:?}");
    assert_eq!(texts(&came), ["for all"]);
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

#[tokio::test]
async fn a_log_without_end_does_not_hold_a_verb_for_ever() {
    const PAGE: u64 = 64;
    let office = Office::open().await;
    office.enrol(&rows("E-1")).await;
    let Divided { meddler, mother, .. } = Divided::of(&office, "E-1").await;
    let mut reached = None;

    meddler.take_heard();
    meddler.answer_with(move |frames| {
        let after = frames.iter().find_map(|frame| match frame {
            RelayFrame::Entries(entries) => Some(entries.after),
            _ => None,
        });
        let after = *reached.get_or_insert(after.expect("something waits for her"));
        reached = Some(after + PAGE);
        let newer = |step| WireEntry { seq: after + step, at: 0, content: vec![0x18, 0x63, 0x80] };
        let entries = (1..=PAGE).map(newer).collect();
        let entries = Entries { after, upto: after + PAGE, tag: 1, floor: 0, entries };
        let welcome = frames.into_iter().find_map(|frame| match frame {
            RelayFrame::Welcome(welcome) => Some(Welcome { restart: None, ..welcome }),
            _ => None,
        });
        let welcome = RelayFrame::Welcome(welcome.expect("a hello is answered"));
        [welcome.to_bytes(0), RelayFrame::Entries(entries).to_bytes(0)].concat()
    });
    let read = timeout(2 * DEADLINE, mother.run(&["inbox"])).await.expect("it ends by itself");

    assert!(read.success().stderr.contains("run the same again"));
    assert!((200..300).contains(&meddler.take_heard().len()), "it has asked long enough");
}

#[test]
fn exchanged_wraps_are_others() {
    let wraps = Wraps::new(
        [1_u32, 2]
            .map(|device| Wrap {
                recipient: Recipient::Device(DeviceId(device)),
                sealed: [u8::try_from(device).unwrap(); 113],
            })
            .to_vec(),
    )
    .unwrap();

    assert_ne!(exchange(&wraps.to_bytes()), wraps);
}

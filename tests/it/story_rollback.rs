//! A relay that shows an older family than the phone knows, or asks it to shut out whom it must not:
//! it is handed what it says it lost, and gets no letter while it keeps it back.

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, HandedIn, Refused, RelayFrame, ToClose, Welcome};
use jiashu_proto::id::{DeviceId, InviteId};
use jiashu_roster::{Asked, Link, Op, Recipient, Wraps};
use serde_json::json;

use crate::story::{Office, ask, ask_all, phones, texts};
use crate::story_hostile_relay::{Divided, SAYING, rows};
use crate::story_meddler::{Ghost, Meddler};

/// A mother who reaches the relay through a meddler, her home, and what the relay's log was before
/// the home had joined.
struct Remembered {
    meddler: Meddler,
    mother: jiashu_tests::Cli,
    home: jiashu_tests::Cli,
    older: Vec<RelayFrame>,
}

async fn remembered(office: &Office, case: &str) -> Remembered {
    let cards = office.cards();
    let meddler = Meddler::before(office.relay.raw()).await;
    let link = meddler.link(&cards.link(case, "Mama"));
    let mother = office.join(&format!("{case}-mother"), &link).await;
    let told = meddler.take_told();
    let older = told.into_iter().filter(|frame| matches!(frame, RelayFrame::Entries(_))).collect();
    let home = office.join(&format!("{case}-home"), &cards.link(case, "Kid")).await;
    ask_all(&mother, &["inbox"]).await;
    meddler.take_frames();
    Remembered { meddler, mother, home, older }
}

fn refused(code: ErrorCode) -> RelayFrame {
    let text = "no".to_owned();
    let (n, retry_after_ms, last_n, to_close) = (None, None, None, None);
    RelayFrame::Refused(Refused { code, text, n, retry_after_ms, last_n, to_close })
}

/// The older log in the place of the true one, and this in the place of what a hand-in is answered.
fn roll_back(
    older: Vec<RelayFrame>,
    answer: RelayFrame,
) -> impl FnMut(Vec<RelayFrame>) -> Vec<u8> + Send + 'static {
    move |frames| {
        let hand_in = |frame: &&RelayFrame| matches!(frame, RelayFrame::HandedIn(_));
        let shown: Vec<_> = match frames.iter().find(hand_in) {
            Some(_) => vec![answer.clone()],
            None => {
                let welcome = frames.iter().filter_map(|frame| match frame {
                    RelayFrame::Welcome(welcome) => Some(RelayFrame::Welcome(Welcome {
                        generation: welcome.generation + 1,
                        restart: Some(true),
                        ..*welcome
                    })),
                    _ => None,
                });
                welcome.chain(older.clone()).collect()
            }
        };
        shown.iter().flat_map(|frame| frame.to_bytes(0)).collect()
    }
}

#[tokio::test]
async fn a_chain_that_was_rolled_back_is_handed_in_and_gets_no_letter_until_it_is_whole() {
    let office = Office::open().await;
    let answers = [
        ("refused", refused(ErrorCode::Stale)),
        ("called bad", refused(ErrorCode::BadLink)),
        ("swallowed", RelayFrame::HandedIn(HandedIn { epoch: 3 })),
    ];
    let cases: Vec<_> = (1..=answers.len()).map(|number| format!("R-{number}")).collect();
    office.enrol(&cases.iter().map(|case| rows(case)).collect::<String>()).await;
    let ghost = Ghost::new();

    for ((what, answer), case) in answers.into_iter().zip(&cases) {
        let Remembered { meddler, mother, home, older } = remembered(&office, case).await;
        meddler.answer_with(roll_back(older, answer));

        let read = mother.run(&["status"]).await;
        let first = meddler.take_frames();
        let sent = mother.run(&["--json", "send", "not for an older family"]).await;
        let heard = meddler.take_heard();
        meddler.be_honest();
        let recovered = ask(&mother, &["status"]).await;
        let said = meddler.take_frames();
        let came = ask_all(&home, &["inbox"]).await;

        assert!(read.stderr.contains("does not take what came later"), "{what}: {read:?}");
        assert_eq!((read.code, sent.code), (7, 7), "{what}");
        assert!(first.iter().any(|frame| matches!(frame, ClientFrame::HandIn(_))), "{what}");
        ghost.opens_nothing_of(&first, &[]);
        assert!(!heard.iter().any(|frame| SAYING.contains(frame)), "{what}: {heard:?}");
        assert_eq!((&recovered["roster"], &recovered["waiting"]), (&json!("ok"), &json!(0)));
        assert!(said.iter().any(|frame| matches!(frame, ClientFrame::Post(_))), "{what}");
        assert_eq!(texts(&came), ["not for an older family"], "{what}: once");
    }
}

/// Answers every letter by asking for this to be closed, though it was taken.
fn ask_to_close(to_close: ToClose) -> impl FnMut(RelayFrame) -> RelayFrame + Send + 'static {
    move |frame| match frame {
        RelayFrame::Posted(posted) => RelayFrame::Refused(Refused {
            code: ErrorCode::TurnFirst,
            text: "close that".to_owned(),
            n: Some(posted.n),
            retry_after_ms: None,
            last_n: None,
            to_close: Some(to_close.clone()),
        }),
        other => other,
    }
}

#[tokio::test]
async fn asked_to_close_what_is_not_open_or_itself_a_phone_writes_no_link() {
    let office = Office::open().await;
    office.enrol(&rows("C-1")).await;
    let Divided { meddler, mother, home } = Divided::of(&office, "C-1").await;
    ask_all(&mother, &["inbox"]).await;
    meddler.take_frames();
    let (devices, invites) = (vec![DeviceId(1), DeviceId(9)], vec![InviteId(1), InviteId(7)]);
    meddler.lie(ask_to_close(ToClose { devices, invites }));

    let sent = mother.run(&["send", "waits"]).await.success();
    let heard = meddler.take_heard();
    meddler.be_honest();
    ask(&home, &["invite", "--for", "Kid"]).await;
    ask(&mother, &["status"]).await;
    let came = ask_all(&home, &["inbox"]).await;

    assert!(sent.stdout.contains("must first close"), "{sent:?}");
    assert!(!heard.contains(&"Turn"), "{heard:?}");
    assert_eq!(texts(&came), ["waits"], "once");
    assert_eq!(phones(&ask(&mother, &["family"]).await), [1, 2]);
}

#[tokio::test]
async fn on_the_word_of_a_relay_a_phone_leaves_out_and_lets_nobody_in() {
    let office = Office::open().await;
    office.enrol(&rows("C-2")).await;
    let Divided { meddler, mother, home } = Divided::of(&office, "C-2").await;
    ask_all(&mother, &["inbox"]).await;
    meddler.take_frames();
    let ghost = Ghost::new();
    meddler.lie(ask_to_close(ToClose { devices: vec![DeviceId(2)], invites: vec![] }));

    mother.run(&["send", "to nobody else"]).await;
    let said = meddler.take_frames();
    meddler.be_honest();
    let family = ask(&mother, &["family"]).await;

    let turns: Vec<_> = said
        .iter()
        .filter_map(|frame| match frame {
            ClientFrame::Turn(turn) => Some(turn),
            _ => None,
        })
        .collect();
    let body = Link::parse(&turns[0].link).unwrap().read().unwrap();
    assert_eq!(body.ops, [Op::RemoveDevice { device: DeviceId(2), asked: Asked::ByRelay }]);
    let wraps = Wraps::parse(&turns[0].wraps).unwrap();
    let recipients: Vec<_> = wraps.iter().map(|wrap| wrap.recipient).collect();
    assert_eq!(recipients, [Recipient::Device(DeviceId(1))]);
    ghost.opens_nothing_of(&said, &[]);
    let changes = family["changes"].as_array().unwrap();
    let last = changes.last().unwrap()["what"].as_str().unwrap();
    assert!(last.ends_with("was removed, as the relay asked"), "it is shown: {last}");
    assert!(home.run(&["status"]).await.stderr.contains("removed"));
}

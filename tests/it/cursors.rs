//! Reading on from a cursor: pages join, a place that is not in the log begins anew, and nothing
//! reaches whom it is not for.

use jiashu_proto::entry::{Content, Cursor, Rung};
use jiashu_proto::frame::{Ack, ClientFrame, Entries, Hello, RelayFrame};
use jiashu_tests::log::Taken;
use jiashu_tests::{RawDevice, RawSocket};

use crate::scene::Scene;

/// More than two pages.
const LETTERS: u64 = 150;

fn hello_at(phone: &RawDevice, cursor: Cursor) -> ClientFrame {
    let token = phone.token.clone();
    ClientFrame::Hello(Hello { token, cursor: Some(cursor), cursors_at: None })
}

/// All that a phone reads which begins at the start.
async fn read_anew(phone: &RawDevice) -> Vec<Taken> {
    let mut anew = RawDevice { log: phone.log.from_start(), ..phone.clone() };
    anew.sync().await;
    anew.log.entries
}

async fn next_entries(socket: &mut RawSocket) -> Entries {
    socket
        .wait_for(|_, frame| match frame {
            RelayFrame::Entries(entries) => Some(entries.clone()),
            _ => None,
        })
        .await
}

/// Waits for a welcome; whether it says to begin anew.
async fn next_restart(socket: &mut RawSocket) -> bool {
    socket
        .wait_for(|_, frame| match frame {
            RelayFrame::Welcome(welcome) => Some(welcome.restart == Some(true)),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_week_of_letters_is_read_page_by_page_each_letter_once() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    let expected: Vec<_> = (1..=LETTERS).map(|number| format!("letter {number}")).collect();

    mother.post_many(LETTERS).await;
    let pages = home.sync().await;

    assert!(pages.len() >= 3, "{} pages", pages.len());
    assert!(pages.iter().all(|page| page.entries.len() <= 64), "a page is at most 64 entries");
    assert!(pages.is_sorted_by(|one, next| one.upto == next.after), "each page joins the last");
    assert_eq!(home.log.texts(), expected);
    assert!(home.sync().await.is_empty(), "what was read does not come again");
}

#[tokio::test]
async fn a_phone_that_does_not_read_is_sent_64_entries_and_the_rest_after_its_ack() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    mother.post_many(LETTERS).await;
    let mut socket = scene.relay.open().await;

    socket.send(home.hello()).await;
    let first = next_entries(&mut socket).await;
    socket.send(ClientFrame::Beat(jiashu_proto::frame::Beat {})).await;
    let unacked = socket.next().await.1;
    assert!(home.log.take(&first));
    socket.send(ClientFrame::Ack(home.log.ack())).await;
    let second = next_entries(&mut socket).await;

    assert_eq!(first.entries.len(), 64);
    let hints_only = matches!(unacked, RelayFrame::Beaten(_) | RelayFrame::Cursors(_));
    assert!(hints_only, "{unacked:?}");
    assert_eq!(second.after, first.upto);
}

#[tokio::test]
async fn a_cursor_that_is_not_of_this_log_begins_anew_and_gets_everything_once() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    mother.post_many(LETTERS).await;
    home.sync().await;
    let good = home.log.cursor;
    let cases: [(&str, Cursor); 5] = [
        ("ahead", Cursor { seq: good.seq + 1, ..good }),
        ("far ahead", Cursor { seq: u64::MAX, ..good }),
        ("of another generation", Cursor { generation: good.generation ^ 1, ..good }),
        ("with a wrong tag", Cursor { tag: good.tag ^ 1, ..good }),
        ("with the tag of another place", Cursor { seq: good.seq - 1, ..good }),
    ];

    for (what, cursor) in cases {
        let answers = scene.relay.raw().ask(vec![hello_at(home, cursor)]).await;

        let [RelayFrame::Welcome(welcome), RelayFrame::Entries(first), ..] = &answers[..] else {
            panic!("{what}: {answers:?}")
        };
        assert_eq!(welcome.restart, Some(true), "{what}");
        assert_eq!(welcome.generation, good.generation, "{what}");
        assert_eq!(first.after, 0, "{what}");
    }
    assert_eq!(read_anew(home).await, read_anew(home).await);
    let mut letters = home.log.from_start();
    std::mem::swap(&mut letters, &mut home.log);
    home.sync().await;
    assert_eq!(home.log.texts(), letters.texts());
}

#[tokio::test]
async fn an_ack_of_an_earlier_place_reads_on_from_there() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    mother.post_many(LETTERS).await;
    let pages = home.sync().await;
    let mut socket = scene.relay.open().await;
    socket.send(home.hello()).await;
    assert!(!next_restart(&mut socket).await);

    let earlier = &pages[0];
    socket.send(ClientFrame::Ack(Ack { seq: earlier.upto, tag: earlier.tag })).await;
    let again = next_entries(&mut socket).await;

    assert_eq!(again.after, earlier.upto);
    assert_eq!(again.entries, pages[1].entries);
}

#[tokio::test]
async fn an_ack_with_a_tag_that_nobody_gave_begins_anew() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    mother.post_many(3).await;
    home.sync().await;
    let mut socket = scene.relay.open().await;
    socket.send(home.hello()).await;
    assert!(!next_restart(&mut socket).await);

    let ack = home.log.ack();
    socket.send(ClientFrame::Ack(Ack { tag: ack.tag ^ 1, ..ack })).await;

    assert!(next_restart(&mut socket).await);
    assert_eq!(next_entries(&mut socket).await.after, 0);
}

#[tokio::test]
async fn a_letter_to_the_grandmother_does_not_reach_the_child() {
    let mut scene = Scene::li_with_three_phones().await;
    let [mother, grandmother, child] = &mut scene.phones;
    let private = mother.letter("他又发烧了吗", &[2]);
    mother.command(ClientFrame::Post(private)).await.unwrap();
    mother.post("吃饭了吗").await;

    for phone in [&mut *mother, &mut *grandmother, &mut *child] {
        phone.sync().await;
    }

    assert_eq!(mother.log.texts(), ["他又发烧了吗", "吃饭了吗"]);
    assert_eq!(grandmother.log.texts(), ["他又发烧了吗", "吃饭了吗"]);
    assert_eq!(child.log.texts(), ["吃饭了吗"]);
    assert_eq!(child.log.cursor, mother.log.cursor, "what is not for it leaves no doubt");
}

#[tokio::test]
async fn a_receipt_reaches_the_author_and_not_the_sister() {
    let mut scene = Scene::li_with_three_phones().await;
    let [mother, grandmother, child] = &mut scene.phones;
    let of = mother.post("吃饭了吗").await.entry_ref;
    let report = grandmother.report(of, 1, Rung::Opened);

    grandmother.command(ClientFrame::Report(report)).await.unwrap();
    mother.sync().await;
    child.sync().await;

    let receipts = |phone: &RawDevice| -> Vec<_> {
        let receipt = |taken: &Taken| match &taken.content {
            Content::Receipt(receipt) => Some((receipt.of, receipt.from.0, receipt.rung)),
            _ => None,
        };
        phone.log.entries.iter().filter_map(receipt).collect()
    };
    assert_eq!(receipts(mother), [(of, 2, Rung::Opened)]);
    assert_eq!(receipts(child), []);
}

#[tokio::test]
async fn a_higher_rung_supersedes_and_a_lower_one_changes_nothing() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    let of = mother.post("吃饭了吗").await.entry_ref;
    let mut places = Vec::new();

    for rung in [Rung::Opened, Rung::Shown, Rung::Opened] {
        let report = home.report(of, 1, rung);
        places.push(home.command(ClientFrame::Report(report)).await.unwrap().seq);
    }

    let rungs: Vec<_> = read_anew(mother)
        .await
        .iter()
        .filter_map(|taken| match &taken.content {
            Content::Receipt(receipt) => Some((taken.seq, receipt.rung)),
            _ => None,
        })
        .collect();
    assert_eq!(rungs, [(places[1], Rung::Shown)]);
    assert_eq!(places[2], places[1], "the answer is the place of the one that stands");
}

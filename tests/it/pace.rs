//! How fast: what passes, what is told to wait, and that the time it is told is true.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use jiashu_proto::error::{ErrorCode, close};
use jiashu_proto::frame::{Ack, Beat, ClientFrame, Look, Post, Refused, RelayFrame};
use jiashu_proto::id::Ref;
use jiashu_roster::Op;
use jiashu_seal::random;
use jiashu_tests::{FamilySpec, RawDevice, TestRelay};

use crate::scene::{Scene, code};

async fn scene(settings: &[(&str, &str)]) -> Scene<2> {
    Scene::of(TestRelay::limited(settings).await, FamilySpec::li()).await
}

/// So many letters in one round: how many were posted, and what the others were told.
async fn empty_outbox(phone: &mut RawDevice, count: u64) -> (usize, Vec<Refused>) {
    let letter = phone.letter("吃饭了吗", &[]);
    let letters = (0..count).map(|more| {
        let (n, entry_ref) = (phone.n + 1 + more, Ref(random()));
        ClientFrame::Post(Post { n, entry_ref, ..letter.clone() })
    });
    let answers = phone.ask(letters.collect()).await;
    let posted = answers.iter().filter(|answer| matches!(answer, RelayFrame::Posted(_))).count();
    phone.n += posted as u64;
    let refused = answers.into_iter().filter_map(|answer| match answer {
        RelayFrame::Refused(refused) => Some(refused),
        _ => None,
    });
    (posted, refused.collect())
}

#[tokio::test]
async fn an_outbox_of_300_letters_passes_at_once_and_the_next_waits() {
    // One a minute, lest some grow back meanwhile.
    let mut scene = scene(&[("JIASHU_POSTS_PER_MINUTE", "1")]).await;
    let [mother, home] = &mut scene.phones;

    let (posted, refused) = empty_outbox(mother, 301).await;
    let (others, _) = empty_outbox(home, 1).await;

    assert_eq!((posted, refused.len(), others), (300, 1, 1));
    let refused = &refused[0];
    assert_eq!((refused.code, refused.n), (ErrorCode::SlowDown, Some(301)));
    assert!((1..=60_000).contains(&refused.retry_after_ms.unwrap()), "{refused:?}");
}

#[tokio::test]
async fn after_the_time_that_it_names_the_same_letter_passes() {
    let settings = [("JIASHU_POSTS_PER_MINUTE", "100"), ("JIASHU_POSTS_BURST", "1")];
    let mut scene = scene(&settings).await;
    let mother = &mut scene.phones[0];
    mother.post("first").await;
    let letter = mother.letter("second", &[]);

    let refused = mother.command(ClientFrame::Post(letter.clone())).await.unwrap_err();
    let wait = refused.retry_after_ms.unwrap();
    tokio::time::sleep(Duration::from_millis(wait.into())).await;
    let posted = mother.command(ClientFrame::Post(letter)).await;

    assert_eq!(refused.code, ErrorCode::SlowDown);
    assert!((1..=600).contains(&wait), "{wait}: a hundred a minute is one in 600 ms");
    assert_eq!(posted.map(|posted| posted.n), Ok(2), "its counter was not used up");
}

#[tokio::test]
async fn a_family_has_its_own_limit_and_can_remove_a_phone_all_the_same() {
    let mut scene = scene(&[("JIASHU_FAMILY_POSTS_PER_MINUTE", "3")]).await;
    let [mother, home] = &mut scene.phones;

    let (first, _) = empty_outbox(home, 2).await;
    let (second, _) = empty_outbox(mother, 1).await;
    let (third, refused) = empty_outbox(home, 1).await;
    mother.sync().await;
    let turned = mother.link(Vec::<Op>::new()).unwrap();
    let turn = mother.turn(&turned, Vec::new());
    let turned = mother.command(ClientFrame::Turn(turn)).await;

    assert_eq!((first, second, third), (2, 1, 0));
    assert_eq!(refused[0].code, ErrorCode::SlowDown);
    assert!(turned.is_ok(), "{turned:?}");
}

#[tokio::test]
async fn who_knocks_too_often_waits_and_others_do_not() {
    let relay = TestRelay::limited(&[("JIASHU_KNOCKS_PER_MINUTE", "4")]).await;
    // The coordinator's setup and a join for each phone, of which there are two: five knocks.
    let scene: Scene<2> = Scene::of(relay, FamilySpec::li()).await;
    let raw = scene.relay.raw();
    let look = || ClientFrame::Look(Look { scope: scene.family.scope(), code: [7; 16] });
    let elsewhere = raw.from(Ipv4Addr::new(127, 0, 1, 1));

    let mut mine = Vec::new();
    for _ in 0..8 {
        mine.push(raw.one(look()).await);
    }
    let mut others = Vec::new();
    for _ in 0..9 {
        others.push(elsewhere.one(look()).await);
    }

    let slow = |answer: &RelayFrame| match answer {
        RelayFrame::Refused(refused) => refused.code == ErrorCode::SlowDown,
        _ => false,
    };
    assert!(mine.iter().any(slow), "{mine:?}");
    assert!(!others[..8].iter().any(slow), "eight at once: {others:?}");
    assert!(slow(&others[8]), "{others:?}");
    assert!(scene.phones[0].welcome().await.is_ok(), "who has a token is not concerned");
}

#[tokio::test]
async fn who_sends_frames_without_a_pause_is_read_more_slowly() {
    let relay = TestRelay::limited(&[("JIASHU_FRAMES_PER_SECOND", "4")]).await;
    let mut socket = relay.open().await;
    let begun = Instant::now();

    for _ in 0..86 {
        socket.send(ClientFrame::Beat(Beat {})).await;
    }
    for _ in 0..86 {
        assert!(matches!(socket.next().await, (0, RelayFrame::Beaten(_))));
    }

    // Eighty at once, and four a second: none is lost, the six take more than a second.
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_acknowledges_nothing_is_closed_in_time_and_who_does_is_not() {
    let mut scene = scene(&[("JIASHU_NO_PROGRESS_MS", "800")]).await;
    let mut silent = scene.relay.open().await;
    let mut other = scene.relay.open().await;
    silent.send(scene.phones[1].hello()).await;
    other.send(scene.phones[1].hello()).await;
    let begun = Instant::now();
    scene.phones[0].post("吃饭了吗").await;
    let delivered = other
        .wait_for(|_, frame| match frame {
            RelayFrame::Entries(entries) => Some(Ack { seq: entries.upto, tag: entries.tag }),
            _ => None,
        })
        .await;
    other.send(ClientFrame::Ack(delivered)).await;

    let (closed, _) = silent.closed().await;
    other.send(ClientFrame::Beat(Beat {})).await;

    assert_eq!(closed, close::NO_PROGRESS);
    assert!(begun.elapsed() >= Duration::from_millis(800), "not before its time");
    other.wait_for(|_, frame| matches!(frame, RelayFrame::Beaten(_)).then_some(())).await;
}

#[tokio::test]
async fn a_smaller_letter_may_be_all_that_the_operator_allows() {
    let mut scene = scene(&[("JIASHU_SEALED_BYTES", "1024")]).await;
    let mother = &mut scene.phones[0];
    let letter = mother.letter("吃饭了吗", &[]);
    let of = |length: usize| ClientFrame::Post(Post { sealed: vec![7; length], ..letter.clone() });

    let over = mother.command(of(1025)).await;
    let largest = mother.command(of(1024)).await;

    assert_eq!(code(over), ErrorCode::TooLarge);
    assert!(largest.is_ok());
}

#[tokio::test]
async fn the_lanes_of_a_connection_share_what_may_be_unread() {
    let mut scene = scene(&[("JIASHU_UNREAD_ENTRIES", "2")]).await;
    let wangs = scene.programme.enrol("PRATO-002", &FamilySpec::li()).await;
    let [mut wang, wang_home] = wangs.join_all().await;
    let mut school = scene.relay.open().await;
    school.send_on(0, &scene.phones[1].hello()).await;
    school.send_on(3, &wang_home.hello()).await;
    school.wait_for(|lane, _| (lane == 3).then_some(())).await;
    let page = |lane, frame: &RelayFrame| match frame {
        RelayFrame::Entries(entries) => Some((lane, Ack { seq: entries.upto, tag: entries.tag })),
        _ => None,
    };

    for _ in 0..2 {
        scene.phones[0].post("吃饭了吗").await;
    }
    let mut last = school.wait_for(page).await;
    while last.1.seq < scene.phones[1].log.cursor.seq + 2 {
        last = school.wait_for(page).await;
    }
    wang.post("王家的信").await;
    // Looked at, and left for want of room: the answer to a beat comes after that look.
    school.send_on(3, &ClientFrame::Beat(Beat {})).await;
    let next = school
        .wait_for(|lane, frame| match frame {
            RelayFrame::Beaten(_) => Some(None),
            frame => page(lane, frame).map(Some),
        })
        .await;
    school.send_on(0, &ClientFrame::Ack(last.1)).await;
    let freed = school.wait_for(page).await;

    assert_eq!((last.0, next, freed.0), (0, None, 3));
}

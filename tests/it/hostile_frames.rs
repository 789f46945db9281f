//! Bytes that no client of ours would send: each is answered or ends its own connection, no more.

use jiashu_proto::bounds::{MAX_ANSWER, MAX_FRAME, MAX_ROUND, MAX_SEALED};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Beat, ClientFrame, Look, RelayFrame};
use jiashu_tests::dice::Dice;
use jiashu_tests::raw::read_all;
use jiashu_tests::{RawSocket, TestRelay};
use tokio_tungstenite::tungstenite::Message;

use crate::scene::{Scene, bytes};

/// A frame of a kind that no version has.
const UNKNOWN: [u8; 6] = [0x82, 0x19, 0x03, 0xe7, 0x81, 0x01];

fn beat() -> Vec<u8> {
    bytes(&[ClientFrame::Beat(Beat {})])
}

/// A beat with a field that a newer version might add, so long that the frame has this length.
fn beat_of(length: usize) -> Vec<u8> {
    let padding = u32::try_from(length - 9).expect("a frame is small");
    let mut frame = vec![0x84, 0x0a, 0x80, 0x00, 0x5a];
    frame.extend(padding.to_be_bytes());
    frame.resize(length, 0x2a);
    frame
}

/// What the answers are: `ok` for a beat's, else the refusal's code.
fn words(answers: impl IntoIterator<Item = RelayFrame>) -> Vec<&'static str> {
    let word = |answer| match answer {
        RelayFrame::Beaten(_) => "ok",
        RelayFrame::Refused(refused) => refused.code.name(),
        other => panic!("unexpected: {other:?}"),
    };
    answers.into_iter().map(word).collect()
}

async fn over_http(relay: &TestRelay, body: &[u8]) -> Vec<&'static str> {
    let response = relay.raw().post(body).await;
    assert_eq!(response.status, 200);
    words(read_all(&response.body).into_iter().map(|(_, frame)| frame))
}

/// The answers to one message, up to that of the beat sent behind it.
async fn over_socket(socket: &mut RawSocket, message: Vec<u8>) -> Vec<&'static str> {
    socket.send_bytes(message).await;
    socket.send_bytes(beat()).await;
    let mut answers = Vec::new();
    loop {
        match words([socket.next().await.1])[..] {
            ["ok"] => return answers,
            ref word => answers.extend(word),
        }
    }
}

async fn is_alive(relay: &TestRelay) -> bool {
    relay.raw().get("/healthz").await.body == b"ok\n"
}

#[tokio::test]
async fn a_frame_cut_at_any_length_is_refused_and_the_next_is_heard() {
    let scene = Scene::li().await;
    let post = bytes(&[ClientFrame::Post(scene.phones[0].letter("吃饭了吗", &[2, 3]))]);
    let mut socket = scene.relay.open().await;

    for length in 1..post.len() {
        let cut = &post[..length];

        assert_eq!(over_http(&scene.relay, cut).await, ["malformed"], "cut to {length}");
        assert_eq!(over_socket(&mut socket, cut.to_vec()).await, ["malformed"], "cut to {length}");
    }
    assert!(over_http(&scene.relay, &[]).await.is_empty());
}

#[tokio::test]
async fn a_websocket_message_of_64_kib_passes_and_one_byte_more_closes() {
    let relay = TestRelay::start().await;
    let mut socket = relay.open().await;

    socket.send_bytes(beat_of(MAX_FRAME)).await;
    let largest = socket.next().await;
    socket.send_bytes(beat_of(MAX_FRAME + 1)).await;
    let (close, _) = socket.closed().await;

    assert!(matches!(largest, (0, RelayFrame::Beaten(_))));
    assert_eq!(close, 1009);
    assert!(is_alive(&relay).await);
}

#[tokio::test]
async fn a_round_of_512_kib_passes_and_one_byte_more_is_refused() {
    let relay = TestRelay::start().await;
    let frames = MAX_ROUND / MAX_FRAME;
    let largest = beat_of(MAX_FRAME).repeat(frames);
    let larger = [&largest[..], &[0]].concat();

    assert_eq!(over_http(&relay, &largest).await, vec!["ok"; frames]);
    assert_eq!(relay.raw().post(&larger).await.status, 413);
    assert!(is_alive(&relay).await);
}

#[tokio::test]
async fn a_frame_of_more_than_64_kib_ends_its_round() {
    let relay = TestRelay::start().await;
    let body = [beat_of(MAX_FRAME), beat_of(MAX_FRAME + 1), beat()].concat();

    let answers = over_http(&relay, &body).await;

    assert_eq!(answers, ["ok", ErrorCode::TooLarge.name()]);
}

#[tokio::test]
async fn bytes_behind_a_frame_are_refused() {
    let relay = TestRelay::start().await;
    let mut socket = relay.open().await;
    let trailing = [beat(), vec![0xff]].concat();
    let two = beat().repeat(2);

    assert_eq!(over_http(&relay, &trailing).await, ["ok", "malformed"]);
    assert_eq!(over_http(&relay, &two).await, ["ok", "ok"], "a round carries many");
    assert_eq!(over_socket(&mut socket, trailing).await, ["malformed"]);
    assert_eq!(over_socket(&mut socket, two).await, ["malformed"], "a message carries one");
}

#[tokio::test]
async fn a_frame_of_an_unknown_kind_is_answered_and_the_next_is_heard() {
    let relay = TestRelay::start().await;
    let mut socket = relay.open().await;
    let body = [UNKNOWN.to_vec(), beat()].concat();

    assert_eq!(over_http(&relay, &body).await, ["unknown_kind", "ok"]);
    assert_eq!(over_socket(&mut socket, UNKNOWN.to_vec()).await, ["unknown_kind"]);
}

#[tokio::test]
async fn deep_nesting_and_huge_lengths_do_no_harm() {
    let relay = TestRelay::start().await;
    let mut socket = relay.open().await;
    let deep_but_whole = [&[0x82, 0x0a][..], &[0x81; 60_000], &[0x80]].concat();
    let cases: &[(&str, Vec<u8>)] = &[
        ("a body nested deep", [&[0x82, 0x0a][..], &[0x81; 60_000]].concat()),
        ("nested deep behind the body", [&[0x84, 0x0a, 0x80, 0x00][..], &[0x81; 60_000]].concat()),
        ("tags nested deep", [&[0x82, 0x0a][..], &[0xc1; 60_000]].concat()),
        ("an endless array", [&[0x82, 0x0a][..], &[0x9f; 60_000]].concat()),
        ("a huge array", vec![0x82, 0x02, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        (
            "huge bytes",
            vec![0x82, 0x02, 0x81, 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        ("a huge frame", vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0a, 0x80]),
    ];

    for (what, body) in cases {
        assert_eq!(over_http(&relay, body).await, ["malformed"], "{what}");
        assert_eq!(over_socket(&mut socket, body.clone()).await, ["malformed"], "{what}");
    }
    assert_eq!(over_http(&relay, &deep_but_whole).await, ["ok"], "a field of a newer version");
    assert!(is_alive(&relay).await);
}

#[tokio::test]
async fn five_hundred_frames_of_garbage_leave_the_relay_as_it_was() {
    let mut scene = Scene::li().await;
    let post = bytes(&[ClientFrame::Post(scene.phones[0].letter("吃饭了吗", &[2]))]);
    let head = scene.phones[1].log.cursor;
    let mut dice = Dice::new(2);
    let mut socket = scene.relay.open().await;

    for _ in 0..250 {
        let length = usize::try_from(dice.below(300)).unwrap();
        let mut damaged = post.clone();
        let place = usize::try_from(dice.below(post.len() as u64)).unwrap();
        damaged[place] = dice.bytes(1)[0];
        for garbage in [dice.bytes(length), damaged] {
            assert_eq!(scene.relay.raw().post(&garbage).await.status, 200);
            over_socket(&mut socket, garbage).await;
        }
    }

    assert!(scene.phones[1].sync().await.is_empty(), "nothing came into the log");
    assert_eq!(scene.phones[1].log.cursor, head);
    assert!(is_alive(&scene.relay).await);
}

#[tokio::test]
async fn an_answer_stays_within_4_mib_whatever_was_asked() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    let longest = "好".repeat((MAX_SEALED - 64) / "好".len());
    for _ in 0..20 {
        mother.post(&longest).await;
    }
    let in_an_hour = scene.relay.raw().now().await + 3_600_000;
    let card = mother.invite(&[2], in_an_hour).await;
    let look = Look { scope: card.scope, code: card.secret.code() };
    let lanes: Vec<u8> = (0..64).flat_map(|lane| home.hello().to_bytes(lane)).collect();
    let looks = bytes(&[ClientFrame::Look(look)]).repeat(10_000);

    for (what, body) in [("64 lanes", lanes), ("10,000 looks", looks)] {
        let answer = scene.relay.raw().post(&body).await.body;

        assert!(answer.len() <= MAX_ANSWER, "{what} are answered by {} bytes", answer.len());
        assert!(!read_all(&answer).is_empty(), "in whole frames");
    }
}

#[tokio::test]
async fn a_text_message_closes_the_socket() {
    let relay = TestRelay::start().await;
    let mut socket = relay.open().await;

    socket.send_message(Message::text("{\"hello\":true}")).await;

    assert_eq!(socket.closed().await.0, 1003);
    assert!(is_alive(&relay).await);
}

//! Places at the door: the last one is given, the next who comes is told when to come again.

use std::net::Ipv4Addr;

use jiashu_proto::error::close;
use jiashu_proto::frame::{Beat, ClientFrame, RelayFrame};
use jiashu_tests::http::{self, Response};
use jiashu_tests::{DEADLINE, FamilySpec, Raw, RawDevice, RawSocket, TestRelay, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::scene::{Scene, bytes};

/// Another subscriber, as far as the relay can see.
fn elsewhere(raw: Raw, last: u8) -> Raw {
    raw.from(Ipv4Addr::new(127, 0, 1, last))
}

/// A connection that has said nothing.
async fn knock(raw: Raw) -> TcpStream {
    raw.connect().await.expect("the relay listens")
}

/// Takes places until there is none, and how it is told so. A place that was given up a moment ago
/// may still be counted, so it is found out by asking.
async fn fill(raw: Raw) -> (Vec<TcpStream>, Response) {
    let mut guests = Vec::new();
    let told = until("there is no place left", async || {
        let answer = round(raw).await;
        if answer.status == 200 {
            guests.push(knock(raw).await);
            return None;
        }
        Some(answer)
    })
    .await;
    (guests, told)
}

/// A round of one beat.
async fn round(raw: Raw) -> Response {
    raw.post(&bytes(&[ClientFrame::Beat(Beat {})])).await
}

fn retry_after(response: &Response) -> Option<u32> {
    let lines = response.head.lines();
    lines.filter_map(|line| line.strip_prefix("retry-after: ")).next()?.parse().ok()
}

/// What the relay has counted by this limit.
async fn limited(relay: &TestRelay, limit: &str) -> Option<u32> {
    let figures = elsewhere(relay.raw(), 99).get("/metrics").await.body;
    let figures = String::from_utf8(figures).unwrap();
    let begin = format!("jiashu_limited_total{{limit=\"{limit}\"}} ");
    figures.lines().find_map(|line| line.strip_prefix(&begin)?.parse().ok())
}

/// A socket on which the phone has been welcomed.
async fn come_in(relay: &TestRelay, phone: &RawDevice) -> RawSocket {
    let mut socket = relay.open().await;
    socket.send(phone.hello()).await;
    assert!(matches!(socket.next().await, (0, RelayFrame::Welcome(_))));
    socket
}

#[tokio::test]
async fn ten_strangers_of_one_address_have_places_and_the_eleventh_has_none() {
    let relay = TestRelay::limited(&[]).await;
    let raw = elsewhere(relay.raw(), 1);
    let nine: Vec<_> = futures_util::future::join_all((0..9).map(|_| knock(raw))).await;

    let tenth = round(raw).await;
    let (more, eleventh) = fill(raw).await;
    let other = round(elsewhere(relay.raw(), 2)).await;

    assert_eq!((tenth.status, eleventh.status, other.status), (200, 429, 200));
    assert!((1..=5).contains(&retry_after(&eleventh).unwrap()), "{}", eleventh.head);
    assert!(limited(&relay, "strangers_per_address").await >= Some(1));
    assert!(relay.log().contains("limits refused: strangers_per_address 1"), "{}", relay.log());
    drop((nine, more));
    until("there are places again", async || (round(raw).await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn of_strangers_there_are_only_so_many_whatever_their_address() {
    let relay = TestRelay::limited(&[("JIASHU_STRANGERS", "3")]).await;

    let (strangers, fourth) = fill(elsewhere(relay.raw(), 1)).await;
    let of_another = round(elsewhere(relay.raw(), 4)).await;

    assert!(strangers.len() >= 3);
    assert_eq!(of_another.status, 503);
    assert_eq!(fourth.status, 503);
    assert!((5..=15).contains(&retry_after(&fourth).unwrap()), "{}", fourth.head);
    drop(strangers);
    until("there are places again", async || {
        (round(elsewhere(relay.raw(), 4)).await.status == 200).then_some(())
    })
    .await;
    assert!(limited(&relay, "strangers").await >= Some(2));
}

#[tokio::test]
async fn an_address_has_so_many_connections_though_each_is_a_phones() {
    let relay = TestRelay::limited(&[("JIASHU_CONNECTIONS_PER_ADDRESS", "5")]).await;
    let spec = FamilySpec::li().with_phones(&[&[1], &[2], &[3]]);
    let scene: Scene<3> = Scene::of(relay, spec).await;
    let mut sockets = Vec::new();
    for phone in [0, 0, 1, 1, 2] {
        sockets.push(come_in(&scene.relay, &scene.phones[phone]).await);
    }

    let sixth = round(scene.relay.raw()).await;

    assert_eq!(sixth.status, 429);
    assert!((15..=60).contains(&retry_after(&sixth).unwrap()), "{}", sixth.head);
    assert_eq!(limited(&scene.relay, "connections_per_address").await, Some(1));
    assert_eq!(round(elsewhere(scene.relay.raw(), 1)).await.status, 200);
    sockets.pop();
    until("there is a place again", async || {
        (round(scene.relay.raw()).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_full_relay_says_so_and_takes_whoever_comes_when_one_has_left() {
    let relay = TestRelay::limited(&[("JIASHU_CONNECTIONS", "3")]).await;

    let (guests, fourth) = fill(elsewhere(relay.raw(), 1)).await;
    let health = relay.raw().get("/healthz").await;

    assert_eq!(fourth.status, 503);
    assert!((15..=60).contains(&retry_after(&fourth).unwrap()), "{}", fourth.head);
    assert_eq!(health.status, 503);
    assert_eq!(health.body, b"full: 3 connections, no more are let in\n");
    assert!(relay.log().contains("limits refused: connections"), "{}", relay.log());
    drop(guests);
    until("there is a place again", async || {
        (round(elsewhere(relay.raw(), 4)).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(relay.raw().get("/healthz").await.status, 200);
}

#[tokio::test]
async fn who_speaks_and_never_says_who_he_is_does_not_stay() {
    let mut scene = Scene::<2>::of(
        TestRelay::limited(&[("JIASHU_STRANGER_MS", "500")]).await,
        FamilySpec::li(),
    )
    .await;
    let mut known = come_in(&scene.relay, &scene.phones[0]).await;
    let mut stranger = scene.relay.open().await;
    stranger.send(ClientFrame::Beat(Beat {})).await;
    assert!(matches!(stranger.next().await, (0, RelayFrame::Beaten(_))));

    let (closed, _) = stranger.closed().await;
    known.send(ClientFrame::Beat(Beat {})).await;

    assert_eq!(closed, close::TOO_SLOW_TO_START);
    known.wait_for(|_, frame| matches!(frame, RelayFrame::Beaten(_)).then_some(())).await;
    scene.phones[0].sync().await;
}

/// Reads until the relay hangs up.
async fn hung_up(mut stream: TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let ended = timeout(DEADLINE, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the relay hangs up");
    answer
}

#[tokio::test]
async fn who_keeps_a_connection_for_later_keeps_it_not_for_long() {
    let relay = TestRelay::limited(&[("JIASHU_HANDSHAKE_MS", "300")]).await;
    let body = bytes(&[ClientFrame::Beat(Beat {})]);
    let request = http::request("POST", "/1", &[], &body);
    let request = String::from_utf8_lossy(&request).replace("connection: close\r\n", "");
    let mut idle = knock(relay.raw()).await;

    idle.write_all(request.as_bytes()).await.unwrap();

    assert!(hung_up(idle).await.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn half_a_body_is_waited_for_only_so_long() {
    let relay = TestRelay::limited(&[("JIASHU_HANDSHAKE_MS", "300")]).await;
    let mut slow = knock(relay.raw()).await;

    let half = b"POST /1 HTTP/1.1\r\nhost: relay\r\ncontent-length: 9\r\n\r\nhalf";
    slow.write_all(half).await.unwrap();

    assert!(hung_up(slow).await.starts_with(b"HTTP/1.1 408"));
}

#[tokio::test]
async fn a_relay_that_stops_is_not_there_for_who_comes() {
    let mut scene = Scene::li().await;
    let _stays = come_in(&scene.relay, &scene.phones[0]).await;

    let stopped = scene.relay.term().await;

    assert!(stopped.success());
    assert!(scene.relay.raw().connect().await.is_err(), "nobody listens");
}

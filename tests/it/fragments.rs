//! A WebSocket message in pieces: how many, and over how long a time.

use std::time::Duration;

use jiashu_proto::frame::{Beat, ClientFrame, RelayFrame};
use jiashu_tests::{RawSocket, TestRelay};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// Sends one piece of a message.
async fn piece(socket: &mut RawSocket, bytes: &[u8], first: bool, last: bool) {
    let opcode = OpCode::Data(if first { Data::Binary } else { Data::Continue });
    let frame = Frame::message(bytes.to_vec(), opcode, last);
    socket.send_message(Message::Frame(frame)).await;
}

/// A beat in so many pieces, of which all but the first few are empty.
async fn beat_in(socket: &mut RawSocket, pieces: usize) {
    let beat = ClientFrame::Beat(Beat {}).to_bytes(0);
    for place in 1..=pieces {
        let bytes = beat.get(place - 1..place).unwrap_or_default();
        piece(socket, bytes, place == 1, place == pieces).await;
    }
}

#[tokio::test]
async fn a_message_in_64_fragments_passes_and_in_65_closes() {
    let relay = TestRelay::start().await;
    let (mut patient, mut flood) = (relay.open().await, relay.open().await);

    for _ in 0..2 {
        beat_in(&mut patient, 64).await;
        assert!(matches!(patient.next().await, (0, RelayFrame::Beaten(_))));
    }
    beat_in(&mut flood, 65).await;

    let (code, reason) = flood.closed().await;
    let figures = String::from_utf8(relay.raw().get("/metrics").await.body).unwrap();
    assert_eq!((code, &*reason), (1008, "a message came in too many fragments"));
    assert!(figures.contains("jiashu_limited_total{limit=\"fragments\"} 1"), "{figures}");
}

#[tokio::test]
async fn half_a_message_is_waited_for_only_so_long() {
    let relay = TestRelay::with(&[("JIASHU_MESSAGE_MS", "300")]).await;
    let beat = ClientFrame::Beat(Beat {}).to_bytes(0);
    let (mut slow, mut quiet) = (relay.open().await, relay.open().await);
    quiet.send(ClientFrame::Beat(Beat {})).await;
    assert!(matches!(quiet.next().await, (0, RelayFrame::Beaten(_))));

    slow.send(ClientFrame::Beat(Beat {})).await;
    assert!(matches!(slow.next().await, (0, RelayFrame::Beaten(_))));
    piece(&mut slow, &beat[..1], true, false).await;
    let (code, reason) = slow.closed().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    quiet.send(ClientFrame::Beat(Beat {})).await;

    assert_eq!((code, &*reason), (1008, "a message took too long to come"));
    assert!(matches!(quiet.next().await, (0, RelayFrame::Beaten(_))), "who is quiet may stay");
}

#[tokio::test]
async fn a_flood_of_fragments_without_end_is_told_so_too() {
    let relay = TestRelay::start().await;
    let mut flood = relay.open().await;

    piece(&mut flood, b"", true, false).await;
    for _ in 0..2_000 {
        piece(&mut flood, b"", false, false).await;
    }

    assert_eq!(flood.closed().await.0, 1008, "though more was on its way");
}

//! How connections end: taken over by a newer one, or told when to come back.

use jiashu_proto::error::close;
use jiashu_proto::frame::{Beat, ClientFrame, RelayFrame};
use jiashu_tests::{RawSocket, TestRelay};

use crate::scene::Scene;

async fn answers(socket: &mut RawSocket) -> bool {
    socket.send(ClientFrame::Beat(Beat {})).await;
    socket.wait_for(|_, frame| matches!(frame, RelayFrame::Beaten(_)).then_some(true)).await
}

#[tokio::test]
async fn a_third_connection_of_a_phone_takes_over_its_oldest() {
    let scene = Scene::li().await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        let mut socket = scene.relay.open().await;
        socket.send(scene.phones[0].hello()).await;
        assert!(matches!(socket.next().await, (0, RelayFrame::Welcome(_))));
        sockets.push(socket);
    }
    let mut others = scene.relay.open().await;
    others.send(scene.phones[1].hello()).await;

    let (closed, _) = sockets[0].closed().await;

    assert_eq!(closed, close::REPLACED);
    assert!(answers(&mut sockets[1]).await);
    assert!(answers(&mut sockets[2]).await);
    assert!(answers(&mut others).await, "another phone is not concerned");
}

#[tokio::test]
async fn a_relay_that_stops_tells_its_sockets_when_to_come_back() {
    let mut scene = Scene::li().await;
    let mut speaking = scene.relay.open().await;
    speaking.send(scene.phones[0].hello()).await;
    assert!(answers(&mut speaking).await);

    let status = scene.relay.term().await;
    let (closed, reason) = speaking.closed().await;

    assert!(status.success(), "{status}");
    assert_eq!(closed, close::RESTART);
    let after_ms: u32 = reason.parse().expect("the reason is a number of ms");
    assert!(after_ms <= 30_000, "{after_ms}");
}

#[tokio::test]
async fn a_socket_that_has_not_spoken_yet_is_told_too() {
    let mut relay = TestRelay::start().await;
    let mut silent = relay.open().await;

    let status = relay.term().await;
    let (closed, _) = silent.closed().await;

    assert!(status.success(), "{status}");
    assert_eq!(closed, close::RESTART);
}

#[tokio::test]
async fn what_was_posted_before_a_stop_is_there_after_it() {
    let mut scene = Scene::li().await;
    scene.phones[0].post("吃饭了吗").await;

    scene.relay.term().await;
    scene.relay.restart().await;
    scene.phones[1].sync().await;

    assert_eq!(scene.phones[1].log.texts(), ["吃饭了吗"]);
}

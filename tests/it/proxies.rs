//! Behind a proxy: whose word on addresses is taken, and that nobody else's is.

use std::net::Ipv4Addr;

use jiashu_proto::frame::{Beat, ClientFrame};
use jiashu_tests::{Raw, RawSocket, TestRelay};
use tokio::io::AsyncWriteExt;

use crate::scene::bytes;

/// Strangers of one address, and the first for whom there is no place.
const STRANGERS: usize = 10;

/// How many sockets are let in as asked for by `header`, of one more than there are places for.
async fn let_in(raw: Raw, header: &str) -> (Vec<RawSocket>, Option<u16>) {
    let mut inside = Vec::new();
    while inside.len() <= STRANGERS {
        let stream = raw.connect().await.unwrap();
        match RawSocket::over(stream, &[("x-forwarded-for", header)]).await {
            Ok(socket) => inside.push(socket),
            Err(status) => return (inside, Some(status)),
        }
    }
    (inside, None)
}

#[tokio::test]
async fn a_trusted_proxy_says_for_whom_it_asks() {
    let relay = TestRelay::limited(&[("JIASHU_TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8")]).await;
    let raw = relay.raw();

    let (first, status) = let_in(raw, "203.0.113.9").await;
    let (forged, forged_status) = let_in(raw, "198.51.100.1, 203.0.113.9").await;
    let (far, far_status) = let_in(raw, "198.51.100.1, 10.1.2.3").await;
    let (line, line_status) = let_in(raw, "2001:db8:0:1::1").await;
    let (same_line, _) = let_in(raw, "2001:db8:0:1:ffff::9").await;
    let (other_line, _) = let_in(raw, "2001:db8:0:2::1").await;

    assert_eq!((first.len(), status), (STRANGERS, Some(429)));
    assert_eq!((forged.len(), forged_status), (0, Some(429)), "its own word is not taken");
    assert_eq!((far.len(), far_status), (STRANGERS, Some(429)), "by way of two proxies");
    assert_eq!((line.len(), line_status), (STRANGERS, Some(429)));
    assert_eq!((same_line.len(), other_line.len()), (0, STRANGERS), "a line has 64 bits");
    for address in ["203.0.113", "198.51.100", "2001:db8", "127.0.0.1:"] {
        assert!(!relay.log().contains(address), "{address} stands in the log:\n{}", relay.log());
    }
}

#[tokio::test]
async fn nobody_elses_word_is_taken() {
    let relay = TestRelay::limited(&[("JIASHU_TRUSTED_PROXIES", "10.0.0.0/8")]).await;
    let raw = relay.raw().from(Ipv4Addr::new(127, 0, 1, 1));

    let (inside, status) = let_in(raw, "203.0.113.9").await;
    let (more, more_status) = let_in(raw, "203.0.113.10").await;

    assert_eq!((inside.len(), status), (STRANGERS, Some(429)));
    assert_eq!((more.len(), more_status), (0, Some(429)), "they are all one address");
}

/// A socket behind this header of the PROXY protocol; `Err` with a status, 0 if hung up on.
async fn behind(raw: Raw, header: &[u8]) -> Result<RawSocket, u16> {
    let mut stream = raw.connect().await.unwrap();
    stream.write_all(header).await.unwrap();
    RawSocket::over(stream, &[]).await
}

fn version_2(source: [u8; 4]) -> Vec<u8> {
    let begin = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";
    [&begin[..], &source, &[10, 0, 0, 1], &[0x12, 0x67, 1, 0xbb]].concat()
}

#[tokio::test]
async fn a_trusted_proxy_that_speaks_the_proxy_protocol_says_for_whom_it_asks() {
    let settings = [("JIASHU_TRUSTED_PROXIES", "127.0.0.1"), ("JIASHU_PROXY_PROTOCOL", "true")];
    let relay = TestRelay::limited(&settings).await;
    let first = b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n";
    let mut inside = Vec::new();

    for _ in 0..STRANGERS / 2 {
        inside.push(behind(relay.raw(), first).await.unwrap());
        inside.push(behind(relay.raw(), &version_2([203, 0, 113, 9])).await.unwrap());
    }

    assert_eq!(behind(relay.raw(), first).await.err(), Some(429));
    assert_eq!(behind(relay.raw(), &version_2([203, 0, 113, 9])).await.err(), Some(429));
    assert!(behind(relay.raw(), &version_2([203, 0, 113, 10])).await.is_ok());
    let round = bytes(&[ClientFrame::Beat(Beat {})]);
    let bare = jiashu_tests::http::request("POST", "/1", &[], &round);
    assert_eq!(relay.raw().exchange(&bare).await, None, "without a header it is hung up on");
    let direct = relay.raw().from(Ipv4Addr::new(127, 0, 1, 1));
    assert_eq!(direct.post(&round).await.status, 200, "who is no proxy speaks as ever");
    assert!(!relay.log().contains("203.0.113"), "{}", relay.log());
}

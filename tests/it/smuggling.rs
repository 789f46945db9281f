//! HTTP/1.1 requests of two minds: what a proxy before the relay may read one way and the relay
//! another (RFC 9112, 6.3 and 11.2). Each is refused, or read in the one way that the RFC leaves,
//! and nothing in its body is ever taken for a request of its own that a proxy did not see.

use jiashu_proto::bounds::MAX_ROUND;
use jiashu_proto::frame::{Beat, ClientFrame};
use jiashu_tests::TestRelay;
use jiashu_tests::wire::Wire;

use crate::scene::bytes;

/// What a smuggler hides in a body: if it is answered, the status lines are two.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n";

/// How many answers there were, and the first one's status.
async fn answers(relay: &TestRelay, request: &[u8]) -> (usize, Option<u16>) {
    let mut wire = Wire::connect(relay.address()).await;
    wire.send(request).await;
    wire.half_close().await;
    let answer = String::from_utf8_lossy(&wire.rest().await).into_owned();
    let count = answer.matches("HTTP/1.1 ").count();
    let first = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (count, first)
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    [b"POST /1 HTTP/1.1\r\nhost: relay\r\n", headers.as_bytes(), b"\r\n", body].concat()
}

fn beat() -> Vec<u8> {
    bytes(&[ClientFrame::Beat(Beat {})])
}

/// A beat as one chunk, and the end.
fn chunked(size: &str) -> Vec<u8> {
    [size.as_bytes(), b"\r\n", &beat(), b"\r\n0\r\n\r\n"].concat()
}

#[tokio::test]
async fn a_request_of_two_minds_is_refused() {
    let relay = TestRelay::start().await;
    let hidden = HIDDEN.as_bytes();
    let long = format!("content-length: {}\r\n", HIDDEN.len());
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("two lengths that differ", post("content-length: 3\r\ncontent-length: 5\r\n", hidden)),
        ("a list of lengths", post("content-length: 3, 5\r\n", hidden)),
        ("a signed length", post("content-length: +3\r\n", hidden)),
        ("a negative length", post("content-length: -1\r\n", hidden)),
        ("a length that is no number", post("content-length: 0x3\r\n", hidden)),
        ("a length beyond 64 bits", post("content-length: 18446744073709551617\r\n", hidden)),
        ("another coding than chunked", post("transfer-encoding: gzip\r\n", hidden)),
        ("chunked, and then another", post("transfer-encoding: chunked, identity\r\n", hidden)),
        ("almost chunked", post("transfer-encoding: xchunked\r\n", hidden)),
        (
            "almost chunked, with a length",
            post(&format!("{long}transfer-encoding: chunke\r\n"), hidden),
        ),
        ("a blank before the colon", post("content-length : 3\r\n", hidden)),
        ("a folded header", post("x: y\r\n content-length: 3\r\n", hidden)),
        ("a header without a name", post(": 3\r\n", hidden)),
        ("a zero byte in a header", post("x: a\0b\r\n", hidden)),
        ("a return inside a header", post("x: a\rcontent-length: 3\r\n", hidden)),
        ("a chunk's size that is no number", post("transfer-encoding: chunked\r\n", &chunked("g"))),
        ("a negative chunk", post("transfer-encoding: chunked\r\n", &chunked("-3"))),
        ("a chunk of 0x3", post("transfer-encoding: chunked\r\n", &chunked("0x3"))),
        (
            "a chunk beyond 64 bits",
            post("transfer-encoding: chunked\r\n", &chunked("10000000000000003")),
        ),
        (
            "a chunk without its end",
            post(
                "transfer-encoding: chunked\r\n",
                &[b"3\r\n", &beat()[..], b"xx0\r\n\r\n"].concat(),
            ),
        ),
        (
            "a request line with a blank too many",
            [b"POST  /1 HTTP/1.1\r\nhost: relay\r\n\r\n", hidden].concat(),
        ),
    ];

    for (what, request) in cases {
        let (count, status) = answers(&relay, &request).await;

        assert!(count <= 1, "{what}: what was hidden in it was answered");
        assert!(matches!(status, None | Some(400 | 413 | 415 | 431 | 501)), "{what}: {status:?}");
        assert_eq!(answers(&relay, HIDDEN.as_bytes()).await, (1, Some(200)), "{what}");
    }
}

#[tokio::test]
async fn chunks_are_read_as_one_body() {
    let relay = TestRelay::start().await;
    let close = "connection: close\r\ntransfer-encoding: chunked\r\n";
    let pieces: Vec<u8> =
        beat().iter().flat_map(|byte| [b"1\r\n", &[*byte][..], b"\r\n"].concat()).collect();
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("one chunk", chunked("3"), 200),
        ("zeros before its size", chunked("0000003"), 200),
        ("an extension", chunked("3;name=value"), 200),
        ("a byte a chunk", [&pieces[..], b"0\r\n\r\n"].concat(), 200),
        ("trailers", [b"3\r\n", &beat()[..], b"\r\n0\r\nx: y\r\n\r\n"].concat(), 200),
        ("none", b"0\r\n\r\n".to_vec(), 200),
        (
            "one byte more than a round",
            [
                format!("{:x}\r\n", MAX_ROUND + 1).as_bytes(),
                &vec![0; MAX_ROUND + 1],
                b"\r\n0\r\n\r\n",
            ]
            .concat(),
            413,
        ),
    ];

    for (what, body, status) in cases {
        assert_eq!(answers(&relay, &post(close, &body)).await, (1, Some(status)), "{what}");
    }
}

#[tokio::test]
async fn a_length_beside_chunks_does_not_hide_a_request() {
    let relay = TestRelay::start().await;
    // A proxy that goes by the length takes what follows the end of the chunks for the body.
    let body = [&chunked("3")[..], HIDDEN.as_bytes()].concat();
    let both = format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", body.len());

    let (count, status) = answers(&relay, &post(&both, &body)).await;

    assert!(count <= 1, "RFC 9112, 6.3: the connection ends after such a request");
    assert!(matches!(status, None | Some(200 | 400)));
}

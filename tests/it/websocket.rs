//! RFC 6455 against the real listener, byte for byte: what each fault is answered by, and that the
//! next client is served as if nothing had been.
//!
//! Where the library takes what the RFC forbids, the case says so ("deviation") and what harm it is.

use jiashu_proto::bounds::MAX_FRAME;
use jiashu_proto::frame::{Beat, ClientFrame, RelayFrame};
use jiashu_tests::wire::{
    ACCEPT, Heard, Length, UPGRADE, Wire, close, frame, frame_with, request, unmasked,
};
use jiashu_tests::{TestRelay, until};

use crate::scene::bytes;

const PROTOCOL: u16 = 1002;
const UNSUPPORTED: u16 = 1003;
const NOT_UTF8: u16 = 1007;
const TOO_LARGE: u16 = 1009;

fn beat() -> Vec<u8> {
    bytes(&[ClientFrame::Beat(Beat {})])
}

/// What must come of a case.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// The beat in it is answered, and the connection stands.
    Beaten,
    /// A close with this code, and the end.
    Closes(u16),
    /// A close without a code, and the end.
    ClosesBare,
    /// A pong with these bytes, then the answer to the beat.
    Pong(&'static [u8]),
}

/// A section of the RFC, what is sent, and what must come.
type Case = (&'static str, &'static str, Vec<u8>, Then);

async fn is_served(relay: &TestRelay) -> bool {
    let mut socket = relay.open().await;
    socket.send(ClientFrame::Beat(Beat {})).await;
    matches!(socket.next().await, (0, RelayFrame::Beaten(_)))
}

async fn check(cases: Vec<Case>) {
    let relay = TestRelay::start().await;
    for (section, what, sent, then) in cases {
        let mut wire = Wire::upgraded(relay.address()).await;

        wire.send(&sent).await;

        let label = format!("{section}: {what}");
        match then {
            Then::Beaten => is_beaten(&mut wire, &label).await,
            Then::Pong(carried) => {
                assert_eq!(wire.hear().await, Heard::Control(0xa, carried.to_vec()), "{label}");
                is_beaten(&mut wire, &label).await;
            }
            Then::Closes(code) => ends(&mut wire, Some(code), &label).await,
            Then::ClosesBare => ends(&mut wire, None, &label).await,
        }
        assert!(is_served(&relay).await, "{label}");
    }
    all_are_gone(&relay).await;
}

async fn is_beaten(wire: &mut Wire, label: &str) {
    let heard = wire.hear().await;
    let Heard::Binary(answer) = heard else { panic!("{label}: {heard:?}") };
    let answer = RelayFrame::from_bytes(&answer);
    assert!(matches!(answer, Ok((0, RelayFrame::Beaten(_)))), "{label}: {answer:?}");
    // And so is the next: the connection stands.
    wire.send(&frame(0x82, &beat())).await;
    assert!(matches!(wire.hear().await, Heard::Binary(_)), "{label}");
}

async fn ends(wire: &mut Wire, code: Option<u16>, label: &str) {
    assert_eq!(wire.hear().await, Heard::Close(code), "{label}");
    // The relay reads on for a moment, lest its last word be lost; who has heard it need not wait.
    wire.half_close().await;
    assert_eq!(wire.hear().await, Heard::End, "{label}: who was closed is hung up on (7.1.1)");
}

/// No connection of a case is left at the relay.
async fn all_are_gone(relay: &TestRelay) {
    until("the relay lets go of every socket", async || {
        let figures = relay.raw().get("/metrics").await.body;
        String::from_utf8(figures).unwrap().contains("jiashu_connections 0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_frame_of_a_message_is_as_the_rfc_has_it() {
    let whole = |first| frame(first, &beat());
    let mut cases: Vec<Case> = vec![
        ("5.2", "a good frame", whole(0x82), Then::Beaten),
        ("5.2", "RSV1 without an extension", whole(0xc2), Then::Closes(PROTOCOL)),
        ("5.2", "RSV2", whole(0xa2), Then::Closes(PROTOCOL)),
        ("5.2", "RSV3", whole(0x92), Then::Closes(PROTOCOL)),
        ("5.2", "all reserved bits", whole(0xf2), Then::Closes(PROTOCOL)),
        ("5.1", "a client that does not mask", unmasked(0x82, &beat()), Then::Closes(PROTOCOL)),
        ("5.1", "a ping without a mask", unmasked(0x89, b""), Then::Closes(PROTOCOL)),
        (
            "5.2",
            "16 bits for a short length (deviation: the shortest MUST be used; harm: none, the \
             bytes are the sender's own and the same limits hold)",
            frame_with(0x82, &beat(), Length::Of16),
            Then::Beaten,
        ),
        (
            "5.2",
            "64 bits for a short length (the same)",
            frame_with(0x82, &beat(), Length::Of64),
            Then::Beaten,
        ),
        ("5.2", "a length of 2^63 (the first bit MUST be 0)", huge(0x80), Then::Closes(TOO_LARGE)),
        ("5.2", "a length of 2^63 - 1", huge(0x7f), Then::Closes(TOO_LARGE)),
        (
            "10.4",
            "one byte too many, of which none is sent",
            vec![0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0],
            Then::Closes(TOO_LARGE),
        ),
        ("5.6", "a text", frame(0x81, b"{}"), Then::Closes(UNSUPPORTED)),
        ("8.1", "a text that is not UTF-8", frame(0x81, b"\xc0\xaf"), Then::Closes(NOT_UTF8)),
        ("8.1", "a text with half a pair", frame(0x81, b"\xed\xa0\x80"), Then::Closes(NOT_UTF8)),
    ];
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        cases.push(("5.2", "a reserved opcode", frame(0x80 | opcode, b""), Then::Closes(PROTOCOL)));
    }

    check(cases).await;
}

/// The head of a frame of that length, and nothing of it.
fn huge(first: u8) -> Vec<u8> {
    let last = if first == 0x80 { 0 } else { 0xff };
    [&[0x82, 0xff, first], &[last; 7][..], &[0; 4]].concat()
}

#[tokio::test]
async fn fragments_are_as_the_rfc_has_them() {
    let (beat, parts) = (beat(), |parts: &[(u8, &[u8])]| {
        parts.iter().flat_map(|(first, payload)| frame(*first, payload)).collect::<Vec<u8>>()
    });
    let (head, tail) = beat.split_at(1);
    let too_large = vec![0; MAX_FRAME];
    let cases: Vec<Case> = vec![
        ("5.4", "two fragments", parts(&[(0x02, head), (0x80, tail)]), Then::Beaten),
        (
            "5.4",
            "empty fragments",
            parts(&[(0x02, b""), (0x00, b""), (0x00, &beat), (0x80, b"")]),
            Then::Beaten,
        ),
        (
            "5.4",
            "a ping between fragments",
            parts(&[(0x02, head), (0x89, b"are you there"), (0x80, tail)]),
            Then::Pong(b"are you there"),
        ),
        (
            "5.4",
            "a pong between fragments",
            parts(&[(0x02, head), (0x8a, b""), (0x80, tail)]),
            Then::Beaten,
        ),
        ("5.4", "a continuation of nothing", parts(&[(0x80, &beat)]), Then::Closes(PROTOCOL)),
        ("5.4", "an open continuation of nothing", parts(&[(0x00, &beat)]), Then::Closes(PROTOCOL)),
        (
            "5.4",
            "a new message inside a fragmented one",
            parts(&[(0x02, head), (0x82, &beat)]),
            Then::Closes(PROTOCOL),
        ),
        (
            "5.4",
            "a new fragmented one inside it",
            parts(&[(0x02, head), (0x02, head)]),
            Then::Closes(PROTOCOL),
        ),
        (
            "5.4",
            "a text inside a fragmented one",
            parts(&[(0x02, head), (0x81, b"x")]),
            Then::Closes(PROTOCOL),
        ),
        (
            "5.4",
            "a close between fragments",
            parts(&[(0x02, head), (0x88, &[3, 0xe8])]),
            Then::Closes(1000),
        ),
        (
            "10.4",
            "fragments that are too large together",
            parts(&[(0x02, &too_large), (0x80, b"x")]),
            Then::Closes(TOO_LARGE),
        ),
        (
            "8.1",
            "a text cut inside a letter",
            parts(&[(0x01, b"\xe5\xa5"), (0x80, b"\xbd")]),
            Then::Closes(UNSUPPORTED),
        ),
        (
            "8.1",
            "a text that ends inside a letter",
            parts(&[(0x01, b"\xe5\xa5"), (0x80, b"")]),
            Then::Closes(NOT_UTF8),
        ),
    ];

    check(cases).await;
}

#[tokio::test]
async fn control_frames_are_as_the_rfc_has_them() {
    const LONGEST: &[u8] = &[0x55; 125];
    let then_beat = |control: Vec<u8>| [control, frame(0x82, &beat())].concat();
    let cases: Vec<Case> = vec![
        ("5.5.2", "a ping", then_beat(frame(0x89, b"hello")), Then::Pong(b"hello")),
        ("5.5.2", "an empty ping", then_beat(frame(0x89, b"")), Then::Pong(b"")),
        ("5.5.2", "the longest ping", then_beat(frame(0x89, LONGEST)), Then::Pong(LONGEST)),
        ("5.5.3", "a pong that nobody asked for", then_beat(frame(0x8a, b"x")), Then::Beaten),
        ("5.5", "a ping of 126 bytes", frame(0x89, &[0; 126]), Then::Closes(PROTOCOL)),
        ("5.5", "a pong of 126 bytes", frame(0x8a, &[0; 126]), Then::Closes(PROTOCOL)),
        ("5.5", "a close of 126 bytes", close(1000, &[b'x'; 124]), Then::Closes(PROTOCOL)),
        ("5.5", "a fragmented ping", frame(0x09, b""), Then::Closes(PROTOCOL)),
        ("5.5", "a fragmented pong", frame(0x0a, b""), Then::Closes(PROTOCOL)),
        ("5.5", "a fragmented close", frame(0x08, &[3, 0xe8]), Then::Closes(PROTOCOL)),
    ];

    check(cases).await;
}

#[tokio::test]
async fn a_close_is_answered_as_the_rfc_has_it() {
    let mut cases: Vec<Case> = vec![
        ("5.5.1", "a close without a code", frame(0x88, b""), Then::ClosesBare),
        ("5.5.1", "a close of one byte", frame(0x88, &[3]), Then::Closes(PROTOCOL)),
        ("5.5.1", "a close with a reason", close(1000, "再见".as_bytes()), Then::Closes(1000)),
        ("5.5.1", "the longest reason", close(1000, &[b'x'; 123]), Then::Closes(1000)),
        ("8.1", "a reason that is not UTF-8", close(1000, b"\xff\xfe"), Then::Closes(NOT_UTF8)),
        (
            "5.5.1",
            "what follows a close is not heard",
            [close(1000, b""), frame(0x82, &beat())].concat(),
            Then::Closes(1000),
        ),
    ];
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        cases.push(("7.4", "a code that may be sent", close(code, b""), Then::Closes(code)));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        cases.push((
            "7.4.1",
            "a code that may not be sent",
            close(code, b""),
            Then::Closes(PROTOCOL),
        ));
    }

    check(cases).await;
}

/// The good upgrade, with one line in another's place, or none.
fn spoilt(name: &str, instead: &[&str]) -> String {
    let lines = UPGRADE.iter().flat_map(|line| {
        if line.to_ascii_lowercase().starts_with(&name.to_ascii_lowercase()) {
            instead.to_vec()
        } else {
            vec![*line]
        }
    });
    request(&lines.collect::<Vec<_>>())
}

#[tokio::test]
async fn an_upgrade_is_taken_as_the_rfc_has_it() {
    let relay = TestRelay::start().await;
    let key = UPGRADE[4];
    let cases: Vec<(&str, &str, String, u16)> = vec![
        ("4.2.1", "a good one", request(&UPGRADE), 101),
        ("4.2.1", "in any case of letters", spoilt("upgrade", &["uPgRaDe: WebSocket"]), 101),
        (
            "4.2.1",
            "beside keep-alive",
            spoilt("connection", &["Connection: keep-alive, Upgrade"]),
            101,
        ),
        (
            "4.2.1",
            "an extension that we do not speak",
            spoilt("host", &["Host: relay", "Sec-WebSocket-Extensions: permessage-deflate"]),
            101,
        ),
        ("4.2.1", "no upgrade", spoilt("upgrade", &[]), 426),
        ("4.2.1", "to something else", spoilt("upgrade", &["Upgrade: h2c"]), 426),
        ("4.2.1", "no connection", spoilt("connection", &[]), 426),
        ("4.2.1", "another connection", spoilt("connection", &["Connection: close"]), 426),
        ("4.2.1", "no key", spoilt("sec-websocket-key", &[]), 400),
        ("4.2.1", "two keys", spoilt("sec-websocket-key", &[key, key]), 400),
        (
            "4.2.1",
            "a key that is no base64",
            spoilt("sec-websocket-key", &["Sec-WebSocket-Key: ?"]),
            400,
        ),
        (
            "4.2.1",
            "a key of 15 bytes",
            spoilt("sec-websocket-key", &["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"]),
            400,
        ),
        ("4.2.1", "a websocket among others", spoilt("upgrade", &["Upgrade: h2c, websocket"]), 101),
        ("4.2.1", "no version", spoilt("sec-websocket-version", &[]), 426),
        (
            "4.4",
            "an older version",
            spoilt("sec-websocket-version", &["Sec-WebSocket-Version: 8"]),
            426,
        ),
        (
            "4.4",
            "a newer version",
            spoilt("sec-websocket-version", &["Sec-WebSocket-Version: 14"]),
            426,
        ),
        ("4.1", "another method", spoilt("get", &["PUT /1 HTTP/1.1"]), 405),
        ("4.1", "HTTP/1.0", spoilt("get", &["GET /1 HTTP/1.0"]), 426),
        ("4.1", "HTTP/2.0 in the line", spoilt("get", &["GET /1 HTTP/2.0"]), 400),
        ("4.1", "another path", spoilt("get", &["GET /2 HTTP/1.1"]), 404),
    ];

    for (section, what, request, status) in cases {
        let mut wire = Wire::connect(relay.address()).await;
        wire.send(request.as_bytes()).await;
        let head = wire.head().await;

        let found = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        assert_eq!(found, status, "{section}: {what}\n{head}");
        let extensions = head.to_ascii_lowercase().contains("sec-websocket-extensions");
        assert!(!extensions, "{section}: nothing that was not agreed on is promised");
        if status == 101 {
            assert!(head.contains(ACCEPT), "{section}: {what}");
        }
        assert!(is_served(&relay).await, "{section}: {what}");
    }
}

#[tokio::test]
async fn who_hangs_up_at_any_moment_leaves_nothing_behind() {
    let relay = TestRelay::start().await;
    let beat = beat();
    let upgrade = request(&UPGRADE);
    let post = b"POST /1 HTTP/1.1\r\nhost: relay\r\ncontent-length: 1000\r\n\r\n\x82\x0a".to_vec();
    let half_frame = [frame(0x82, &beat), vec![0x82, 0xfe]].concat();
    let fragment = [frame(0x82, &beat), frame(0x02, &beat[..1])].concat();
    let stages: [(&str, Vec<u8>); 8] = [
        ("before a word", Vec::new()),
        ("inside the head", b"GET /1 HT".to_vec()),
        ("inside a round", post),
        ("after the upgrade", upgrade.clone().into()),
        ("after a frame", [upgrade.as_bytes(), &frame(0x82, &beat)].concat()),
        ("inside a frame", [upgrade.as_bytes(), &half_frame].concat()),
        ("inside a message", [upgrade.as_bytes(), &fragment].concat()),
        ("after a close", [upgrade.as_bytes(), &close(1000, b"")].concat()),
    ];

    for (stage, sent) in &stages {
        let mut resets = Wire::connect(relay.address()).await;
        resets.send(sent).await;
        resets.reset();
        let mut halves = Wire::connect(relay.address()).await;
        halves.send(sent).await;
        halves.half_close().await;
        halves.rest().await;

        assert!(is_served(&relay).await, "{stage}");
    }
    all_are_gone(&relay).await;
}

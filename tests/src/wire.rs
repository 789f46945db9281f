//! A WebSocket by hand, byte for byte (RFC 6455): what a library would never send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::until::DEADLINE;

/// The key of RFC 6455, 1.3, whose answer is [`ACCEPT`].
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// What a relay makes of [`KEY`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The lines of a good upgrade, to be sent as they are or spoilt.
pub const UPGRADE: [&str; 6] = [
    "GET /1 HTTP/1.1",
    "Host: relay",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// Masks what a client sends. Any will do.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// How a length is written (RFC 6455, 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// As short as it goes.
    Shortest,
    /// In 16 bits, whatever it is.
    Of16,
    /// In 64 bits, whatever it is.
    Of64,
}

/// A frame of a client: the first byte as given (FIN, RSV, opcode), masked.
#[must_use]
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frame_with(first, payload, Length::Shortest)
}

/// As [`frame`], with this form of the length.
#[must_use]
pub fn frame_with(first: u8, payload: &[u8], length: Length) -> Vec<u8> {
    let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [&[first], &length_of(payload.len(), length, 0x80)[..], &MASK]
        .concat()
        .into_iter()
        .chain(masked)
        .collect()
}

/// A frame without a mask, as only a server may send it.
#[must_use]
pub fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first], &length_of(payload.len(), Length::Shortest, 0)[..], payload].concat()
}

fn length_of(length: usize, form: Length, mask_bit: u8) -> Vec<u8> {
    let length = u64::try_from(length).unwrap();
    match (u16::try_from(length), form) {
        (Ok(length @ ..=125), Length::Shortest) => vec![mask_bit | u8::try_from(length).unwrap()],
        (Ok(length), Length::Shortest | Length::Of16) => {
            [&[mask_bit | 126][..], &length.to_be_bytes()].concat()
        }
        _ => [&[mask_bit | 127][..], &length.to_be_bytes()].concat(),
    }
}

/// A close frame with this code and reason.
#[must_use]
pub fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason].concat())
}

/// What the relay sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping or a pong: its opcode and what it carries.
    Control(u8, Vec<u8>),
    /// A close: its code, if it has one.
    Close(Option<u16>),
    /// The end of the connection.
    End,
}

/// A TCP connection to the relay, and what is done on it by hand.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
}

impl Wire {
    /// Connects, and says nothing.
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.expect("the relay listens") }
    }

    /// Connects and upgrades.
    pub async fn upgraded(address: SocketAddr) -> Self {
        let mut wire = Self::connect(address).await;
        wire.send(request(&UPGRADE).as_bytes()).await;
        let head = wire.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains(ACCEPT), "{head}");
        wire
    }

    /// Sends bytes; that the relay has hung up shows at the next read.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = timeout(DEADLINE, self.stream.write_all(bytes)).await.expect("the relay reads");
    }

    /// Says that nothing more will be sent, and goes on reading.
    pub async fn half_close(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Hangs up with a TCP reset.
    pub fn reset(self) {
        self.stream.set_zero_linger().expect("a socket may linger or not");
    }

    /// Status line and headers of an answer; what came of it, if the relay hung up.
    pub async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match timeout(DEADLINE, self.stream.read_u8()).await.expect("an answer comes") {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        String::from_utf8_lossy(&head).into_owned()
    }

    /// All that comes until the relay hangs up.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = timeout(DEADLINE, self.stream.read_to_end(&mut rest)).await;
        // A reset is an end, too.
        let _ = read.expect("the relay hangs up");
        rest
    }

    /// The next frame of the relay.
    pub async fn hear(&mut self) -> Heard {
        let heard = timeout(DEADLINE, self.read_frame()).await;
        heard.expect("a frame or the end comes").unwrap_or(Heard::End)
    }

    async fn read_frame(&mut self) -> std::io::Result<Heard> {
        let [first, length] = [self.stream.read_u8().await?, self.stream.read_u8().await?];
        assert_eq!(length & 0x80, 0, "a relay does not mask (5.1)");
        assert_eq!(first & 0xf0, 0x80, "whole frames, no reserved bit");
        let length = match length {
            126 => u64::from(self.stream.read_u16().await?),
            127 => self.stream.read_u64().await?,
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await?;
        Ok(match first & 0x0f {
            2 => Heard::Binary(payload),
            8 => Heard::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            opcode => Heard::Control(opcode, payload),
        })
    }
}

/// A request of these lines, without a body.
#[must_use]
pub fn request(lines: &[&str]) -> String {
    format!("{}\r\n\r\n", lines.join("\r\n"))
}

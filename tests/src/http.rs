//! HTTP/1.1 by hand, one request a connection: what a test needs of it, and may get wrong on purpose.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::until::DEADLINE;

/// Anything that bytes travel on, plain or by TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// As 200.
    pub status: u16,
    /// Status line and headers, as received.
    pub head: String,
    /// The rest.
    pub body: Vec<u8>,
}

/// A request with these header lines; `host`, `content-length` and `connection` are added.
#[must_use]
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    [head.as_bytes(), body].concat()
}

/// Sends these bytes and reads until the other end closes. `None` if no answer came, or half of one:
/// the relay is gone, or turned the connection away.
pub async fn exchange(stream: impl Stream, request: &[u8]) -> Option<Response> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut answer = Vec::new();
    // An answer may come before all was written, and is read all the same.
    let write = async {
        let _ = writer.write_all(request).await;
        let _ = writer.flush().await;
    };
    let both = async { tokio::join!(write, reader.read_to_end(&mut answer)) };
    let ended = timeout(DEADLINE, both).await;
    assert!(ended.is_ok(), "no end of the answer within the deadline");
    parse(&answer, request.starts_with(b"HEAD "))
}

/// The answer to a HEAD says how long a body would be, and has none.
fn parse(answer: &[u8], to_head: bool) -> Option<Response> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let body = answer[end + 4..].to_vec();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.filter(|_| !to_head).unwrap_or(0);
    (length == body.len()).then_some(Response { status, head, body })
}

//! From an HTTP request to a WebSocket (RFC 6455, 4.2).
//!
//! Done here rather than by axum's extractor, which gives no way to watch the stream beneath.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use jiashu_proto::bounds;
use tokio::io::AsyncReadExt;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::watch::{Patience, Watched};
use crate::session::live::Wire;

/// Bytes read from a WebSocket at once: a letter of two lines. Every connection has such a buffer; the
/// library's default costs 128 KiB each.
const READ_BUFFER: usize = 256;

/// Answers that are ready together leave in one write, up to so many bytes.
const WRITE_TOGETHER: usize = 4096;

/// Bytes that may wait to be written to one WebSocket: the largest answer, and room.
const MAX_WRITE_BUFFER: usize = bounds::MAX_ANSWER + 64 * 1024;

/// The version of the WebSocket protocol.
const VERSION: &str = "13";

/// Bytes of a key behind its base64.
const KEY_LEN: usize = 16;

/// One WebSocket.
pub type Socket = WebSocketStream<Watched<TokioIo<Upgraded>>>;

/// Bytes that a peer may send behind our goodbye before the socket closes over them.
const MAX_IGNORED: usize = 256 * 1024;

impl Wire for Socket {
    /// A socket that closes over unread bytes takes back what it has just said.
    async fn linger(&mut self) {
        let stream = self.get_mut();
        stream.end();
        let mut ignored = [0; 1024];
        for _ in 0..MAX_IGNORED / ignored.len() {
            if stream.read(&mut ignored).await.map_or(0, |read| read) == 0 {
                return;
            }
        }
    }
}

/// How one WebSocket is held to its limits.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// A message, in bytes.
    pub message: usize,
    /// What its peer may take its time for.
    pub patience: Patience,
}

/// Why a request does not become a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoUpgrade {
    /// It does not ask for one, or in HTTP/1.0, which has none.
    NotAsked,
    /// It asks for another version of the protocol.
    OtherVersion,
    /// Its key is missing, is no 16 bytes in base64, or there are several.
    BadKey,
}

impl IntoResponse for NoUpgrade {
    fn into_response(self) -> Response {
        let required = StatusCode::UPGRADE_REQUIRED;
        match self {
            Self::NotAsked => (required, [(header::UPGRADE, "websocket")]).into_response(),
            Self::OtherVersion => {
                (required, [(header::SEC_WEBSOCKET_VERSION, VERSION)]).into_response()
            }
            Self::BadKey => StatusCode::BAD_REQUEST.into_response(),
        }
    }
}

/// The answer that agrees, and the socket once that is sent.
///
/// # Errors
///
/// [`NoUpgrade`].
pub fn accept(
    mut request: Request,
    terms: Terms,
) -> Result<(Response, impl Future<Output = Option<Socket>>), NoUpgrade> {
    if request.version() < Version::HTTP_11 {
        return Err(NoUpgrade::NotAsked);
    }
    let key = check(request.headers())?;
    let upgraded = hyper::upgrade::on(&mut request);
    let agreed = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, key),
    ];
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_TOGETHER)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(Some(terms.message))
        .max_frame_size(Some(terms.message));
    let socket = async move {
        let stream = Watched::new(TokioIo::new(upgraded.await.ok()?), terms.patience);
        Some(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await)
    };
    Ok(((StatusCode::SWITCHING_PROTOCOLS, agreed).into_response(), socket))
}

/// What answers the request's key.
fn check(headers: &HeaderMap) -> Result<HeaderValue, NoUpgrade> {
    if !has_token(headers, &header::CONNECTION, "upgrade")
        || !has_token(headers, &header::UPGRADE, "websocket")
    {
        return Err(NoUpgrade::NotAsked);
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        return Err(NoUpgrade::OtherVersion);
    }
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else { return Err(NoUpgrade::BadKey) };
    if STANDARD.decode(key).map_or(0, |nonce| nonce.len()) != KEY_LEN {
        return Err(NoUpgrade::BadKey);
    }
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| NoUpgrade::BadKey)
}

/// Whether a comma-separated header has this item, in whatever case.
fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (header::HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    const GOOD: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    #[test]
    fn the_example_of_the_rfc_is_answered_as_there() {
        let answer = check(&headers(&GOOD)).unwrap();

        assert_eq!(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_no_upgrade_is_told_what_would_be_one() {
        let cases = [
            ("connection", "keep-alive", NoUpgrade::NotAsked),
            ("upgrade", "h2c", NoUpgrade::NotAsked),
            ("sec-websocket-version", "8", NoUpgrade::OtherVersion),
        ];
        for (name, value, why) in cases {
            let changed = GOOD.map(|pair| if pair.0 == name { (name, value) } else { pair });

            assert_eq!(check(&headers(&changed)), Err(why), "{name}");
        }
        assert_eq!(check(&headers(&GOOD[..3])), Err(NoUpgrade::BadKey));
    }
}

//! Stored bytes as they are handed out: all of them, or the range that is asked for (RFC 9110, 14).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{Stream, StreamExt, stream};
use jiashu_proto::entry::BlobFact;

use super::blob::{AT_ONCE, REPR_DIGEST};
use super::problem::No;
use crate::blobs::{BlobError, BlobName};
use crate::relay::Relay;

/// Bytes that all who fetch may have the relay hold for them together.
const HANDED_OUT: usize = 32 * 1024 * 1024;

/// What is handed out of stored bytes.
pub(super) struct Part {
    status: StatusCode,
    from: u64,
    upto: u64,
}

impl Part {
    /// How many bytes it is.
    pub(super) fn length(&self) -> u64 {
        self.upto.saturating_sub(self.from)
    }

    pub(super) fn of(headers: &HeaderMap, size: u64) -> Result<Self, No> {
        match range(headers, size) {
            Ok(None) => Ok(Self { status: StatusCode::OK, from: 0, upto: size }),
            Ok(Some((from, upto))) => Ok(Self { status: StatusCode::PARTIAL_CONTENT, from, upto }),
            Err(()) => {
                let headers = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
                Err(No::answer((StatusCode::RANGE_NOT_SATISFIABLE, headers)))
            }
        }
    }
}

pub(super) async fn hand_out(
    relay: Arc<Relay>,
    name: BlobName,
    fact: &BlobFact,
    part: Part,
) -> Result<Response, No> {
    let length = part.length();
    let Part { status, from, upto } = part;
    let fetching = Fetching::begin(relay);
    // Before anything is promised: a place that does not have them is said to be in trouble.
    let first = fetching.piece(name, from, upto).await?;
    let hash: String = fact.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut headers = vec![
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, "attachment".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, format!("\"{hash}\"")),
        (REPR_DIGEST, format!("sha-256=:{}:", STANDARD.encode(fact.hash))),
    ];
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {from}-{}/{}", upto.saturating_sub(1), fact.size);
        headers.push((header::CONTENT_RANGE, range));
    }
    let next = from.saturating_add(first.len() as u64);
    let rest = pieces(fetching, name, next, upto);
    let all = stream::once(std::future::ready(Ok(Bytes::from(first)))).chain(rest);
    let mut response = (status, Body::from_stream(all)).into_response();
    for (name, value) in headers {
        let value = HeaderValue::try_from(value).expect("digits, hex and base64 make a header");
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// The one range that is asked for, up to and without its end; several, and what is none, ask for all of it.
fn range(headers: &HeaderMap, size: u64) -> Result<Option<(u64, u64)>, ()> {
    let text = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let Some(text) = text.and_then(|text| text.strip_prefix("bytes=")) else { return Ok(None) };
    let Some((first, last)) = text.split_once('-') else { return Ok(None) };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1).min(size)),
        (Ok(first), Err(_)) if last.is_empty() => (first, size),
        (Err(_), Ok(count)) if first.is_empty() => (size.saturating_sub(count), size),
        _ => return Ok(None),
    };
    if range.0 < range.1 { Ok(Some(range)) } else { Err(()) }
}

/// Somebody who fetches, as long as it takes.
struct Fetching(Arc<Relay>);

impl Fetching {
    fn begin(relay: Arc<Relay>) -> Self {
        relay.fetching.fetch_add(1, Ordering::Relaxed);
        Self(relay)
    }

    /// The next of these bytes, at least one.
    async fn piece(&self, name: BlobName, from: u64, upto: u64) -> Result<Vec<u8>, BlobError> {
        let share = HANDED_OUT / self.0.fetching.load(Ordering::Relaxed).max(1);
        let share = share.clamp(*AT_ONCE.start(), *AT_ONCE.end());
        let most = usize::try_from(upto.saturating_sub(from)).unwrap_or(share).min(share);
        let piece = self.0.blobs.read(name, from, most).await?;
        self.0.metrics.voice_handed_out.inc_by(piece.len() as u64);
        if piece.is_empty() {
            return Err(BlobError::Unavailable("there are fewer bytes than were noted".into()));
        }
        Ok(piece)
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.0.fetching.fetch_sub(1, Ordering::Relaxed);
    }
}

fn pieces(
    fetching: Fetching,
    name: BlobName,
    from: u64,
    upto: u64,
) -> impl Stream<Item = Result<Bytes, BlobError>> {
    stream::try_unfold((fetching, from), move |(fetching, from)| async move {
        if from >= upto {
            return Ok(None);
        }
        // Where they end too soon the connection breaks, rather than that an end is told.
        let piece = fetching.piece(name, from, upto).await?;
        let next = from.saturating_add(piece.len() as u64);
        Ok(Some((Bytes::from(piece), (fetching, next))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read_and_what_is_none_is_all() {
        let cases = [
            ("bytes=0-", Ok(Some((0, 10)))),
            ("bytes=4-7", Ok(Some((4, 8)))),
            ("bytes=4-4", Ok(Some((4, 5)))),
            ("bytes=4-99", Ok(Some((4, 10)))),
            ("bytes=-3", Ok(Some((7, 10)))),
            ("bytes=-99", Ok(Some((0, 10)))),
            ("bytes=10-", Err(())),
            ("bytes=-0", Err(())),
            ("bytes=7-4", Ok(None)),
            ("bytes=0-1,4-5", Ok(None)),
            ("bytes=", Ok(None)),
            ("lines=1-2", Ok(None)),
            ("bytes=99999999999999999999-", Ok(None)),
        ];

        for (text, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, text.parse().unwrap());
            assert_eq!(range(&headers, 10), expected, "{text}");
        }
    }
}

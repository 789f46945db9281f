//! Files for browsers, as `jiashu-web` has them packed: sent once, in the fewest bytes that the browser can read.

use axum::http::{HeaderMap, header};
#[cfg(feature = "web")]
use axum::http::{HeaderValue, StatusCode};
#[cfg(feature = "web")]
use axum::response::{IntoResponse, Response};
#[cfg(feature = "web")]
use jiashu_web::Asset;

/// Of what changes its name with its content.
#[cfg(feature = "web")]
pub(super) const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// A file, or that the browser has it already.
#[cfg(feature = "web")]
pub(super) fn send(asset: &Asset, asked: &HeaderMap, keep: &'static str) -> Response {
    let etag = format!("\"{}\"", asset.name);
    let (encoding, bytes) = if takes(asked, "br") {
        (Some("br"), asset.brotli)
    } else if takes(asked, "gzip") {
        (Some("gzip"), asset.gzip)
    } else {
        (None, asset.plain)
    };
    let is_kept = holds(asked, &etag);
    let mut answer = match is_kept {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, asset.media_type)], bytes.to_vec()).into_response(),
    };
    let headers = answer.headers_mut();
    let etag = HeaderValue::from_str(&etag).expect("names of files are ASCII");
    headers.insert(header::ETAG, etag);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding.filter(|_| !is_kept) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    answer
}

/// Whether the browser says that it has what has this tag. A proxy that packs anew makes a tag weak.
#[cfg(feature = "web")]
fn holds(asked: &HeaderMap, etag: &str) -> bool {
    let kept = asked.get(header::IF_NONE_MATCH).and_then(|kept| kept.to_str().ok());
    let mut kept = kept.unwrap_or_default().split(',').map(str::trim);
    kept.any(|kept| kept.strip_prefix("W/").unwrap_or(kept) == etag)
}

/// Whether a browser takes what is packed so.
pub(super) fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|one| one.to_str().ok());
    accepted.unwrap_or_default().split(',').any(|one| {
        let (name, q) = one.split_once(';').unwrap_or((one, ""));
        name.trim().eq_ignore_ascii_case(encoding) && q.trim() != "q=0"
    })
}

#[cfg(all(test, feature = "web"))]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    fn asked(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("ASCII"))])
    }

    #[tokio::test]
    async fn a_script_is_sent_packed_as_the_browser_takes_it() {
        let asset = jiashu_web::file("enrol.js").unwrap();
        let cases = [
            ("gzip, deflate, br", Some("br"), asset.brotli),
            ("gzip;q=1.0, br;q=0", Some("gzip"), asset.gzip),
            ("identity", None, asset.plain),
        ];

        for (takes, encoding, bytes) in cases {
            let answer = send(asset, &asked(header::ACCEPT_ENCODING, takes), FOR_GOOD);

            let said = answer.headers().get(header::CONTENT_ENCODING).cloned();
            assert_eq!(said.as_ref().map(|said| said.to_str().unwrap()), encoding, "{takes}");
            assert_eq!(answer.headers()[header::CACHE_CONTROL], FOR_GOOD);
            assert_eq!(to_bytes(answer.into_body(), usize::MAX).await.unwrap(), bytes);
        }
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let asset = jiashu_web::file("enrol.js").unwrap();
        let name = asset.name;

        for (kept, status) in [
            (format!("\"{name}\""), StatusCode::NOT_MODIFIED),
            (format!("\"other\", W/\"{name}\""), StatusCode::NOT_MODIFIED),
            ("\"enrol.js\"".to_owned(), StatusCode::OK),
        ] {
            let answer = send(asset, &asked(header::IF_NONE_MATCH, &kept), FOR_GOOD);

            assert_eq!(answer.status(), status, "{kept}");
            assert_eq!(answer.headers()[header::ETAG], format!("\"{name}\""));
        }
    }
}

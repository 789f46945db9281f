//! Scripts of pages, as `jiashu-web` has them. Their names change with their content, so browsers keep them for good. A relay
//! that was built without them has none.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::place;
use crate::listener::routes::Door;

/// The address of a page's script.
pub(super) fn of_page(page: &str) -> Option<String> {
    #[cfg(feature = "web")]
    return jiashu_web::of_page(page).map(|asset| format!("/staff/assets/{}", asset.name));
    #[cfg(not(feature = "web"))]
    {
        let _ = page;
        None
    }
}

/// A script; it is the same for everybody, so nobody need be signed in.
pub(super) async fn send(
    State(door): State<Door>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    if let Err(no) = place(&door.relay, &request) {
        return no.into_response();
    }
    found(&name, request.headers()).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

#[cfg(not(feature = "web"))]
fn found(_: &str, _: &axum::http::HeaderMap) -> Option<Response> {
    None
}

#[cfg(feature = "web")]
fn found(name: &str, asked: &axum::http::HeaderMap) -> Option<Response> {
    use axum::http::{HeaderValue, header};

    use super::answer::takes;

    let asset = jiashu_web::by_name(name)?;
    let etag = format!("\"{}\"", asset.name);
    let is_kept =
        asked.get(header::IF_NONE_MATCH).is_some_and(|kept| kept.as_bytes() == etag.as_bytes());
    let (encoding, bytes) = if takes(asked, "br") {
        (Some("br"), asset.brotli)
    } else if takes(asked, "gzip") {
        (Some("gzip"), asset.gzip)
    } else {
        (None, asset.plain)
    };
    let mut answer = match is_kept {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, asset.media_type)], bytes).into_response(),
    };
    let headers = answer.headers_mut();
    headers.insert(header::ETAG, HeaderValue::from_str(&etag).ok()?);
    let for_good = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, for_good);
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding.filter(|_| !is_kept) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Some(answer)
}

#[cfg(all(test, feature = "web"))]
mod tests {
    use axum::body::to_bytes;
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::*;

    fn asked(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[tokio::test]
    async fn a_script_is_sent_packed_as_the_browser_takes_it_and_once() {
        let asset = jiashu_web::of_page("enrol").unwrap();
        let cases = [
            ("gzip, deflate, br", Some("br"), asset.brotli),
            ("gzip;q=1.0, br;q=0", Some("gzip"), asset.gzip),
            ("identity", None, asset.plain),
        ];

        for (takes, encoding, bytes) in cases {
            let answer = found(asset.name, &asked(header::ACCEPT_ENCODING, takes)).unwrap();
            let said = answer.headers().get(header::CONTENT_ENCODING).cloned();
            assert_eq!(said.as_ref().map(|said| said.to_str().unwrap()), encoding, "{takes}");
            assert!(
                answer.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable")
            );
            assert_eq!(to_bytes(answer.into_body(), usize::MAX).await.unwrap(), bytes);
        }
        let etag = format!("\"{}\"", asset.name);
        let kept = HeaderMap::from_iter([(header::IF_NONE_MATCH, etag.parse().unwrap())]);
        let again = found(asset.name, &kept).unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert!(found("enrol.js", &HeaderMap::new()).is_none());
        assert_eq!(of_page("enrol"), Some(format!("/staff/assets/{}", asset.name)));
    }
}

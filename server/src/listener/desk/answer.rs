//! What goes back to a browser: pages, files, and what is said of every one of them.

use std::io::Write as _;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiashu_proto::frame::Refused;

use crate::dashboard::frame::{CONTENT_POLICY, Frame};
use crate::dashboard::sign_in;
use crate::dashboard::table::Table;
use crate::execute::Failure;
use crate::listener::assets::takes;
use crate::listener::problem;
use crate::listener::routes::Door;

/// Pages smaller than this are sent as they are, in bytes.
const SMALL: usize = 600;

/// More than any page has, in bytes.
const MOST: usize = 64 * 1024 * 1024;

/// Why there is no page, for whoever knows in which words to say so.
#[derive(Clone, Debug)]
pub(super) struct NoPage(Refused);

impl<F: Into<Failure>> From<F> for NoPage {
    fn from(failure: F) -> Self {
        Self(failure.into().answer(None))
    }
}

impl IntoResponse for NoPage {
    fn into_response(self) -> Response {
        let mut answer = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        answer.extensions_mut().insert(self);
        answer
    }
}

impl NoPage {
    /// For a reason as the protocol has it.
    pub(super) fn of(reason: Refused) -> Self {
        Self(reason)
    }

    /// As a page.
    pub(super) fn shown(self, frame: Frame) -> Response {
        let Self(told) = self;
        let mut answer = problem::told(&told);
        let page = sign_in::refused(frame, told.code.name(), &told.text);
        *answer.body_mut() = Body::from(page);
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        answer.headers_mut().insert(header::CONTENT_TYPE, html);
        answer
    }
}

/// A page.
pub(super) fn html(page: String) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

/// A table as a file of that name.
pub(super) fn csv(name: &str, table: &Table) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")),
    ];
    (headers, table.to_csv()).into_response()
}

/// Says why not, in the words of whoever asked.
pub(super) fn refused(frame: Frame, failure: Failure) -> Response {
    NoPage::from(failure).shown(frame)
}

/// What every answer says of itself: that nobody keeps it, and what a browser may do with it. Small over a slow line.
pub(super) async fn dressed(State(door): State<Door>, request: Request, next: Next) -> Response {
    let takes_gzip = takes(request.headers(), "gzip");
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    let says: [(HeaderName, HeaderValue); 6] = [
        (header::CONTENT_SECURITY_POLICY, policy(&CONTENT_POLICY)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // A form that is sent says where it comes from, and no other host hears of an address.
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (header::VARY, HeaderValue::from_static("accept-encoding, accept-language, cookie")),
    ];
    for (name, value) in says {
        headers.entry(name).or_insert(value);
    }
    if door.relay.origin.starts_with("https:") {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    if takes_gzip && is_html(headers) { smaller(answer).await } else { answer }
}

/// What a browser may do with a page.
pub(super) fn policy(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("words of ours and a digest are ASCII")
}

/// Files may be large, and are packed by whoever sends them on.
fn is_html(headers: &HeaderMap) -> bool {
    let content = headers.get(header::CONTENT_TYPE).and_then(|one| one.to_str().ok());
    content.is_some_and(|content| content.starts_with("text/html"))
}

async fn smaller(answer: Response) -> Response {
    if answer.headers().contains_key(header::CONTENT_ENCODING) {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let Ok(body) = to_bytes(body, MOST).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if body.len() < SMALL {
        return Response::from_parts(parts, body.into());
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let written = gzip.write_all(&body).and_then(|()| gzip.finish());
    let Ok(written) = written else { return Response::from_parts(parts, body.into()) };
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, written.into())
}

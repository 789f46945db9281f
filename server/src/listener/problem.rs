//! What somebody is told who asked for what cannot be: status, and JSON with a line for a person (RFC 9457).

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::Refused;
use jiashu_proto::id::Token;
use serde_json::json;

use crate::execute::Failure;
use crate::family::Refusal;
use crate::limits::pace::TooFast;
use crate::relay::Relay;

/// How far an upload has come.
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");

/// What RFC 9457 calls a body that says what is wrong.
pub(super) const PROBLEM: &str = "application/problem+json";

/// The draft's name for an offset that is not the upload's.
const WRONG_OFFSET: &str =
    "https://iana.org/assignments/http-problem-types#mismatching-upload-offset";

/// Why not.
pub(super) enum No {
    /// It says so already.
    Answer(Box<Response>),
    /// A rule or the store.
    Failure(Failure),
    /// The upload has come so far, and not as far as was said.
    Offset { expected: u64, provided: u64 },
}

impl<F: Into<Failure>> From<F> for No {
    fn from(failure: F) -> Self {
        Self::Failure(failure.into())
    }
}

impl No {
    pub(super) fn answer(response: impl IntoResponse) -> Self {
        Self::Answer(Box::new(response.into_response()))
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        match self {
            Self::Answer(response) => *response,
            Self::Failure(failure) => problem(failure),
            Self::Offset { expected, provided } => {
                let body = json!({
                    "type": WRONG_OFFSET,
                    "title": "the upload has come to another offset",
                    "expected-offset": expected,
                    "provided-offset": provided,
                });
                let headers = [(UPLOAD_OFFSET, expected.to_string())];
                let content = [(header::CONTENT_TYPE, PROBLEM)];
                (StatusCode::CONFLICT, headers, content, body.to_string()).into_response()
            }
        }
    }
}

/// The same words as in the protocol's refusals.
pub(super) fn problem(failure: Failure) -> Response {
    told(&failure.answer(None))
}

/// The same of a refusal as the protocol has it.
pub(super) fn told(refused: &Refused) -> Response {
    let status = match refused.code {
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::Full => StatusCode::INSUFFICIENT_STORAGE,
        ErrorCode::SlowDown => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Exists | ErrorCode::Stale => StatusCode::CONFLICT,
        ErrorCode::Unknown => StatusCode::NOT_FOUND,
        ErrorCode::NotActive | ErrorCode::NotAllowed => StatusCode::FORBIDDEN,
        ErrorCode::Unauthorised | ErrorCode::NewChain | ErrorCode::Erased => {
            StatusCode::UNAUTHORIZED
        }
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let body = json!({ "title": refused.text, "code": refused.code.name() }).to_string();
    let mut response = (status, [(header::CONTENT_TYPE, PROBLEM)], body).into_response();
    if let Some(retry_ms) = refused.retry_after_ms {
        let after = HeaderValue::from(retry_ms.div_ceil(1_000));
        response.headers_mut().insert(header::RETRY_AFTER, after);
    }
    response
}

/// Too much at once, of a device or from an address: when the next would pass.
pub(super) fn slow_down(relay: &Relay, too_fast: TooFast) -> No {
    No::answer(told(&too_much(relay, too_fast)))
}

/// The same as the protocol has it, which is counted.
pub(super) fn too_much(relay: &Relay, too_fast: TooFast) -> Refused {
    relay.limits.refuse(too_fast.limit, &relay.metrics);
    let text = "too much at once: try again a little later".to_owned();
    let (code, retry_after_ms) = (ErrorCode::SlowDown, Some(too_fast.retry_after_ms));
    Refused { code, text, n: None, retry_after_ms, last_n: None, to_close: None }
}

pub(super) fn malformed(text: &str) -> No {
    Refusal::new(ErrorCode::Malformed, text).into()
}

/// RFC 6750, 2.1.
pub(super) fn bearer(headers: &HeaderMap) -> Option<Token> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    Token::from_bytes(&URL_SAFE_NO_PAD.decode(text).ok()?)
}

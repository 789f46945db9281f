//! What staff ask of the relay as JSON, and what its refusals mean.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::{Method, Request, StatusCode, header};
use jiashu_api::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::staff::Staff;
use crate::args::Globals;
use crate::error::{CliError, ExitCode, Result};
use crate::http::{self, HttpError};
use crate::say::one_line;

/// Asks for something.
pub(super) async fn get<T: DeserializeOwned>(
    staff: &Staff,
    globals: &Globals,
    path: &str,
) -> Result<T> {
    from_json(&ask(staff, globals, Method::GET, path, Vec::new()).await?)
}

/// Asks that something be done.
pub(super) async fn post(
    staff: &Staff,
    globals: &Globals,
    path: &str,
    wish: &impl Serialize,
) -> Result<()> {
    ask(staff, globals, Method::POST, path, to_json(wish)?).await.map(|_| ())
}

/// Asks that something be so.
pub(super) async fn put(
    staff: &Staff,
    globals: &Globals,
    path: &str,
    wish: &impl Serialize,
) -> Result<()> {
    ask(staff, globals, Method::PUT, path, to_json(wish)?).await.map(|_| ())
}

/// Asks that something be done, of which there is an answer.
pub(super) async fn ask_for<T: DeserializeOwned>(
    staff: &Staff,
    globals: &Globals,
    path: &str,
    wish: &impl Serialize,
) -> Result<T> {
    from_json(&ask(staff, globals, Method::POST, path, to_json(wish)?).await?)
}

fn to_json(wish: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(wish).map_err(|error| CliError::new(ExitCode::General, error))
}

fn from_json<T: DeserializeOwned>(answer: &[u8]) -> Result<T> {
    serde_json::from_slice(answer).map_err(|_| {
        let text =
            "the relay answered something else than it was asked: is it of the same version?";
        CliError::new(ExitCode::General, text)
    })
}

/// Asks that something end.
pub(super) async fn delete(staff: &Staff, globals: &Globals, path: &str) -> Result<()> {
    ask(staff, globals, Method::DELETE, path, Vec::new()).await.map(|_| ())
}

/// The address of what belongs to a family.
pub(super) fn of_family(case_code: &str, what: &str) -> String {
    // What a case code may hold beside letters and digits stands in a path as it is, but for the slash.
    format!("/api/v1/families/{}/{what}", case_code.replace('/', "%2F"))
}

async fn ask(
    staff: &Staff,
    globals: &Globals,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<Vec<u8>> {
    let bearer = format!("Bearer {}", URL_SAFE_NO_PAD.encode(staff.token.to_bytes()));
    let mut request =
        Request::builder().method(method).uri(path).header(header::AUTHORIZATION, bearer);
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let (status, answer) = http::ask(&staff.origin, globals.ca.as_deref(), request, body).await?;
    if status.is_success() {
        return Ok(answer);
    }
    let problem: Problem = serde_json::from_slice(&answer).unwrap_or_default();
    if problem.title.is_empty() {
        return Err(HttpError::Status { origin: staff.origin.clone(), status }.into());
    }
    let code = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => ExitCode::Offline,
        _ => ExitCode::Refused,
    };
    Err(CliError::new(code, format!("the relay refused: {}", one_line(&problem.title))))
}

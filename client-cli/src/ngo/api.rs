//! What staff ask of the relay as JSON, and what its refusals mean.

use std::io::Write;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::http::request;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use jiashu_api::Problem;
use jiashu_proto::bounds;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio::time::timeout;

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

/// The address of a family.
pub(super) fn family(case_code: &str) -> String {
    // What a case code may hold beside letters and digits stands in a path as it is, but for the slash.
    format!("/api/v1/families/{}", case_code.replace('/', "%2F"))
}

/// The address of what belongs to a family.
pub(super) fn of_family(case_code: &str, what: &str) -> String {
    format!("{}/{what}", family(case_code))
}

async fn ask(
    staff: &Staff,
    globals: &Globals,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<Vec<u8>> {
    let mut request = request(staff, method, path);
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let (status, answer) = http::ask(&staff.origin, globals.ca.as_deref(), request, body).await?;
    if status.is_success() { Ok(answer) } else { Err(refused(staff, status, &answer)) }
}

fn request(staff: &Staff, method: Method, path: &str) -> request::Builder {
    let bearer = format!("Bearer {}", URL_SAFE_NO_PAD.encode(staff.token.to_bytes()));
    Request::builder().method(method).uri(path).header(header::AUTHORIZATION, bearer)
}

fn refused(staff: &Staff, status: StatusCode, answer: &[u8]) -> CliError {
    let problem: Problem = serde_json::from_slice(answer).unwrap_or_default();
    if problem.title.is_empty() {
        return HttpError::Status { origin: staff.origin.clone(), status }.into();
    }
    let code = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => ExitCode::Offline,
        _ => ExitCode::Refused,
    };
    CliError::new(code, format!("the relay refused: {}", one_line(&problem.title)))
}

/// A relay that makes a file says nothing for so long at most.
const SILENCE_MAX: Duration = Duration::from_secs(300);

/// Asks for a file of any length, and writes it as it comes. If this fails, what was written is not all of it.
pub(super) async fn save(
    staff: &Staff,
    globals: &Globals,
    path: &str,
    file: &mut impl Write,
) -> Result<()> {
    let (origin, broken) = (&staff.origin, |source| {
        CliError::from(HttpError::BrokenOff { origin: staff.origin.clone(), source })
    });
    let silent = |_| {
        let text = format!("{origin} has said nothing for five minutes: try again");
        CliError::new(ExitCode::Offline, text)
    };
    let stream = http::connect_stream(origin, globals.ca.as_deref()).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = request(staff, Method::GET, path).header(header::HOST, origin.authority());
    let request = request.body(Empty::<Bytes>::new()).expect("a checked host makes a header");
    let asked = timeout(SILENCE_MAX, sender.send_request(request)).await;
    let response = asked.map_err(silent)?.map_err(broken)?;
    let (status, mut body) = (response.status(), response.into_body());
    let mut problem = Vec::new();
    while let Some(frame) = timeout(SILENCE_MAX, body.frame()).await.map_err(silent)? {
        let Ok(piece) = frame.map_err(broken)?.into_data() else { continue };
        if status.is_success() {
            file.write_all(&piece)?;
        } else if problem.len() < bounds::MAX_ANSWER {
            problem.extend_from_slice(&piece);
        }
    }
    if status.is_success() { Ok(()) } else { Err(refused(staff, status, &problem)) }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::{DeviceId, Scope, Token};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::ngo::disk::Unfinished;

    /// A relay that gives one answer.
    async fn relay_once(answer: &'static [u8]) -> Staff {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer).await.unwrap();
        });
        Staff { origin, token: Token { scope: Scope(1), device: DeviceId(1), secret: [1; 16] } }
    }

    #[tokio::test]
    async fn a_file_that_breaks_off_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("family_week.csv");
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\na\r\n\r\n";
        let staff = relay_once(head).await;
        let mut file = Unfinished::beside(&path).unwrap();

        let error = save(&staff, &Globals::default(), "/x", &mut file).await.unwrap_err();
        drop(file);

        assert!(error.message.contains("broke off"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_whole_file_is_there_and_a_refusal_is_none() {
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\na\r\n\r\n0\r\n\r\n";
        let mut file = Vec::new();
        save(&relay_once(head).await, &Globals::default(), "/x", &mut file).await.unwrap();
        assert_eq!(file, b"a\r\n");

        let head = b"HTTP/1.1 403 No\r\ncontent-length: 16\r\n\r\n{\"title\":\"no\\n\"}";
        let mut file = Vec::new();
        let error = save(&relay_once(head).await, &Globals::default(), "/x", &mut file).await;
        let error = error.unwrap_err();
        assert_eq!((error.code, file), (ExitCode::Refused, Vec::new()));
        assert_eq!(error.message, "the relay refused: no\u{fffd}");
    }
}

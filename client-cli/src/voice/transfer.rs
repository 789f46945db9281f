//! Sealed files to the relay and back, over lines that break: up by offset, as the IETF's resumable uploads have it
//! (draft-ietf-httpbis-resumable-upload-12), down by range (RFC 9110, 14). What has arrived is not sent again.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Limited, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{self, HeaderName};
use hyper::{Method, StatusCode};
use jiashu_proto::id::Ref;
use tokio::time::{sleep, timeout};

use super::progress::Progress;
use super::way::{Answer, Body, MAX_WORDS, SILENCE_MAX, Stopped, Way, empty};
use crate::http::HttpError;
use crate::state::upload::Upload;

/// Tries one after the other that bring nothing: then it is left for later.
const TRIES_IN_VAIN: u32 = 4;

/// The wait after the first of them; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// A relay that asks for a longer pause is left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Bytes that are handed to the system at once.
const PIECE: usize = 4 * 1024;

const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// What one try came to.
enum Step {
    /// All is there.
    Whole,
    /// So much is there by now.
    Upto(u64),
    /// It broke off, or the relay asks for a pause.
    Broke(Option<HttpError>, Option<Duration>),
}

/// How often it was tried in vain.
#[derive(Default)]
struct Patience {
    /// As far as it came.
    reached: u64,
    in_vain: u32,
    /// Whether the relay has answered at all: where it does not, that is known at once.
    answered: bool,
}

impl Patience {
    /// After a try that came so far: whether it pays to try again, once it was waited.
    async fn goes_on(
        &mut self,
        reached: u64,
        error: Option<&HttpError>,
        pause: Option<Duration>,
    ) -> bool {
        if reached > self.reached {
            self.in_vain = 0;
        }
        let unreachable = matches!(error, Some(HttpError::Unreachable { .. }));
        self.answered |= !unreachable;
        if unreachable && !self.answered {
            return false;
        }
        self.reached = self.reached.max(reached);
        self.in_vain = self.in_vain.saturating_add(1);
        if self.in_vain > TRIES_IN_VAIN || pause.is_some_and(|pause| pause > LONGEST_PAUSE) {
            return false;
        }
        let doubled = FIRST_WAIT.saturating_mul(1 << self.in_vain.saturating_sub(1));
        sleep(pause.unwrap_or(doubled)).await;
        true
    }
}

/// Sends a sealed file, of which the relay may have a part. Returns once the relay has all of it.
///
/// # Errors
///
/// [`Stopped`].
pub async fn upload(way: Way<'_>, upload: &Upload, file: &Path) -> Result<(), Stopped> {
    let bytes = Bytes::from(std::fs::read(file)?);
    let progress = Arc::new(Progress::new("sending", upload.length));
    let path = blob_path(upload.blob);
    let mut patience = Patience::default();
    // Where the relay may know of it, it tells how far it is: that is less than sending it again.
    let mut at = if upload.begun { None } else { Some(0) };
    loop {
        let step = match at {
            None => ask_progress(way, &path).await?,
            Some(offset) => send(way, &path, upload, &bytes, offset, &progress).await?,
        };
        match step {
            Step::Whole => return Ok(()),
            Step::Upto(offset) if offset <= upload.length && at != Some(offset) => {
                progress.goes_on_at(offset);
                patience.reached = patience.reached.max(offset);
                at = Some(offset);
            }
            Step::Upto(_) => {
                at = None;
                if !patience.goes_on(0, None, None).await {
                    return Err(Stopped::Later(None));
                }
            }
            Step::Broke(error, pause) => {
                // What the relay has by now it will say; more than before, if the line brought anything.
                let before = patience.reached;
                let asked = if at.is_some() { ask_progress(way, &path).await.ok() } else { None };
                at = None;
                match asked {
                    Some(Step::Whole) => return Ok(()),
                    Some(Step::Upto(offset)) if offset > before => {
                        progress.goes_on_at(offset);
                        (at, patience.reached, patience.in_vain) = (Some(offset), offset, 0);
                        continue;
                    }
                    Some(Step::Upto(_) | Step::Broke(..)) | None => {}
                }
                if !patience.goes_on(before, error.as_ref(), pause).await {
                    return Err(Stopped::Later(error));
                }
            }
        }
    }
}

/// The address of stored bytes.
fn blob_path(blob: Ref) -> String {
    format!("/1/blob/{blob}")
}

async fn ask_progress(way: Way<'_>, path: &str) -> Result<Step, Stopped> {
    let asked = way.ask(Method::HEAD, path, &[], empty()).await;
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => return Ok(Step::Broke(Some(error), None)),
    };
    match answer.response.status() {
        StatusCode::NO_CONTENT => Ok(progress_of(&answer)),
        StatusCode::NOT_FOUND => Ok(Step::Upto(0)),
        _ => refusal(answer).await,
    }
}

fn progress_of(answer: &Answer) -> Step {
    if answer.header(&UPLOAD_COMPLETE) == Some("?1") {
        return Step::Whole;
    }
    match answer.number(&UPLOAD_OFFSET) {
        Some(offset) => Step::Upto(offset),
        None => Step::Broke(None, None),
    }
}

/// Sends what is missing from there on.
async fn send(
    way: Way<'_>,
    path: &str,
    upload: &Upload,
    bytes: &Bytes,
    offset: u64,
    progress: &Arc<Progress>,
) -> Result<Step, Stopped> {
    let rest = bytes.slice(usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len())..);
    let length = (header::CONTENT_LENGTH, rest.len().to_string());
    let complete = (UPLOAD_COMPLETE, "?1".to_owned());
    let asked = if offset == 0 {
        let digest = format!("sha-256=:{}:", STANDARD.encode(upload.hash));
        let upload_length = (UPLOAD_LENGTH, upload.length.to_string());
        let headers = [length, complete, upload_length, (REPR_DIGEST, digest)];
        way.ask(Method::PUT, path, &headers, in_pieces(rest, progress)).await
    } else {
        let content = (header::CONTENT_TYPE, "application/partial-upload".to_owned());
        let headers = [length, complete, content, (UPLOAD_OFFSET, offset.to_string())];
        way.ask(Method::PATCH, path, &headers, in_pieces(rest, progress)).await
    };
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => return Ok(Step::Broke(Some(error), None)),
    };
    match answer.response.status() {
        StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(progress_of(&answer)),
        StatusCode::CONFLICT if answer.number(&UPLOAD_OFFSET).is_some() => Ok(progress_of(&answer)),
        // It waited there too long for what names it, and is just being removed: from the start again, later.
        StatusCode::NOT_FOUND => Ok(Step::Broke(None, Some(Duration::MAX))),
        _ => refusal(answer).await,
    }
}

fn in_pieces(bytes: Bytes, progress: &Arc<Progress>) -> Body {
    let progress = Arc::clone(progress);
    let pieces = stream::unfold(bytes, move |mut rest| {
        let piece = rest.split_to(PIECE.min(rest.len()));
        progress.advance(piece.len());
        let next = (!piece.is_empty()).then_some((Ok(Frame::data(piece)), rest));
        std::future::ready(next)
    });
    BoxBody::new(StreamBody::new(pieces))
}

/// What a status means that is no success.
async fn refusal(answer: Answer) -> Result<Step, Stopped> {
    let status = answer.response.status();
    let pause = answer.number(&header::RETRY_AFTER).map(Duration::from_secs);
    match status {
        StatusCode::UNAUTHORIZED => Err(Stopped::Unauthorised),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(Stopped::Gone),
        // A busy relay, a family that has not consented yet, somebody who adds to it, bytes that came damaged.
        StatusCode::TOO_MANY_REQUESTS if pause.is_none() => {
            Ok(Step::Broke(None, Some(Duration::MAX)))
        }
        StatusCode::FORBIDDEN => Ok(Step::Broke(None, Some(Duration::MAX))),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::BAD_REQUEST => {
            Ok(Step::Broke(None, pause))
        }
        status if status.is_server_error() && status != StatusCode::INSUFFICIENT_STORAGE => {
            Ok(Step::Broke(None, pause))
        }
        _ => {
            let (code, title) = answer.words().await;
            let code = if code.is_empty() { status.as_u16().to_string() } else { code };
            Err(Stopped::Refused(code, title))
        }
    }
}

/// Fetches stored bytes, `length` of them, into the file `part`, of which a part may be there. Returns the file, not
/// yet safe from a power failure, once it has all of them; whether they are the right ones is the caller's to see.
///
/// # Errors
///
/// [`Stopped`].
pub async fn download(way: Way<'_>, path: &str, length: u64, part: &Path) -> Result<File, Stopped> {
    let mut file = OpenOptions::new();
    file.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    let mut file = file.open(part)?;
    let progress = Progress::new("fetching", length);
    let mut patience = Patience::default();
    loop {
        let mut have = file.metadata()?.len();
        if have > length {
            file.set_len(0)?;
            have = 0;
        }
        if have == length {
            return Ok(file);
        }
        progress.goes_on_at(have);
        let (error, pause) = match fetch(way, path, have, length, &mut file, &progress).await? {
            Step::Broke(error, pause) => (error, pause),
            Step::Whole | Step::Upto(_) => (None, None),
        };
        let reached = file.metadata()?.len();
        if reached < length && !patience.goes_on(reached, error.as_ref(), pause).await {
            return Err(Stopped::Later(error));
        }
    }
}

/// The address of a family's stored bytes, for its members.
#[must_use]
pub fn member_path(blob: Ref) -> String {
    blob_path(blob)
}

async fn fetch(
    way: Way<'_>,
    path: &str,
    have: u64,
    length: u64,
    file: &mut File,
    progress: &Progress,
) -> Result<Step, Stopped> {
    let range = [(header::RANGE, format!("bytes={have}-"))];
    let range = if have > 0 { &range[..] } else { &[] };
    let answer = match way.ask(Method::GET, path, range, empty()).await {
        Ok(answer) => answer,
        Err(error) => return Ok(Step::Broke(Some(error), None)),
    };
    let mut left = length.saturating_sub(have);
    match answer.response.status() {
        StatusCode::OK => {
            // All of it, from its start, whatever was asked for.
            file.set_len(0)?;
            left = length;
        }
        StatusCode::PARTIAL_CONTENT => {
            let range = answer.header(&header::CONTENT_RANGE).unwrap_or_default();
            if !range.starts_with(&format!("bytes {have}-")) {
                return Ok(Step::Broke(None, None));
            }
        }
        _ => return refusal(answer).await,
    }
    let Answer { response, _connection } = answer;
    let mut body = response.into_body();
    while left > 0 {
        let frame = match timeout(SILENCE_MAX, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(source))) => {
                let origin = way.origin.clone();
                return Ok(Step::Broke(Some(HttpError::BrokenOff { origin, source }), None));
            }
            Ok(None) | Err(_) => return Ok(Step::Broke(None, None)),
        };
        let Ok(data) = frame.into_data() else { continue };
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
        let data = data.slice(..most);
        file.write_all(&data)?;
        progress.advance(data.len());
        left = left.saturating_sub(data.len() as u64);
    }
    Ok(Step::Whole)
}

/// Asks the relay for a link to stored bytes, for so many seconds.
///
/// # Errors
///
/// [`Stopped`].
pub async fn ask_link(way: Way<'_>, blob: Ref, seconds: u64) -> Result<Lent, Stopped> {
    let body = Bytes::from(serde_json::json!({ "seconds": seconds }).to_string());
    let length = [
        (header::CONTENT_LENGTH, body.len().to_string()),
        (header::CONTENT_TYPE, "application/json".to_owned()),
    ];
    let body = BoxBody::new(http_body_util::Full::new(body));
    let path = format!("{}/link", blob_path(blob));
    let answer = match way.ask(Method::POST, &path, &length, body).await {
        Ok(answer) => answer,
        Err(error) => return Err(Stopped::Later(Some(error))),
    };
    if answer.response.status() != StatusCode::CREATED {
        return match refusal(answer).await? {
            Step::Broke(error, _) => Err(Stopped::Later(error)),
            Step::Whole | Step::Upto(_) => Err(Stopped::Later(None)),
        };
    }
    let read = Limited::new(answer.response.into_body(), MAX_WORDS).collect();
    let read = timeout(SILENCE_MAX, read).await.ok().and_then(Result::ok);
    let read = read.ok_or(Stopped::Later(None))?.to_bytes();
    serde_json::from_slice(&read).map_err(|_| Stopped::Later(None))
}

/// A link as the relay makes it.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Lent {
    /// What stands in the address: opaque.
    pub token: String,
    /// Until when it holds, in ms.
    pub expires_at: i64,
    /// How often the note was fetched by links so far.
    pub fetched: f64,
}

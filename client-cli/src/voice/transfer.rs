//! Sealed files to the relay and back, over lines that break: up by offset, as the IETF's resumable uploads have it
//! (draft-ietf-httpbis-resumable-upload-12), down by range (RFC 9110, 14). What has arrived is not sent again.

use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{self, HeaderName};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiashu_proto::id::{Ref, Token};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::progress::Progress;
use crate::error::{CliError, ExitCode};
use crate::http::{self, HttpError, Origin};
use crate::state::upload::Upload;

/// A line on which nothing moves for so long is dead, or nobody is at its end.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// How often to look whether they move.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Tries one after the other that bring nothing: then it is left for later.
const TRIES_IN_VAIN: u32 = 4;

/// The wait after the first of them; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// A relay that asks for a longer pause is left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Bytes that are handed to the system at once.
const PIECE: usize = 4 * 1024;

/// Bytes that the system may have under way: a second or so of a slow line. When it breaks, they were paid for in vain.
const UNDER_WAY: http::UnderWay = http::UnderWay { up: 4 * 1024, down: 8 * 1024 };

/// An answer that is no file, in bytes.
const MAX_WORDS: usize = 4 * 1024;

const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Which relay, and as whom.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// The relay.
    pub origin: &'a Origin,
    /// Whom to trust besides the public authorities.
    pub ca: Option<&'a Path>,
    /// Who asks; nobody by a link.
    pub token: Option<&'a Token>,
}

/// Why a transfer did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The line, or the relay for now: what has arrived stays, and it goes on from there later.
    #[error("the line broke off: it goes on from there the next time")]
    Later(#[source] Option<HttpError>),
    /// The relay does not have it, or no more.
    #[error("the relay does not keep it any more: ask for it to be sent again")]
    Gone,
    /// The relay will never take it, or give it: the word of the code, and why.
    #[error("the relay refused it: {1}")]
    Refused(String, String),
    /// This phone is not let in.
    #[error("the relay does not let this phone in")]
    Unauthorised,
    /// This machine does not let us.
    #[error("cannot use the file: {0}")]
    Disk(#[from] std::io::Error),
}

impl From<Stopped> for CliError {
    fn from(stopped: Stopped) -> Self {
        let code = match &stopped {
            Stopped::Later(_) => ExitCode::Offline,
            Stopped::Gone | Stopped::Refused(..) | Stopped::Unauthorised => ExitCode::Refused,
            Stopped::Disk(_) => ExitCode::General,
        };
        Self::new(code, stopped)
    }
}

type Body = BoxBody<Bytes, Infallible>;

/// One request and the head of its answer; the connection lives as long as the answer is read.
struct Answer {
    response: Response<Incoming>,
    _connection: JoinSet<hyper::Result<()>>,
}

impl Answer {
    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    fn number(&self, name: &HeaderName) -> Option<u64> {
        self.header(name)?.parse().ok()
    }

    /// The words of a refusal: its code, and the line for a person.
    async fn words(self) -> (String, String) {
        let read = Limited::new(self.response.into_body(), MAX_WORDS).collect();
        let body = match timeout(SILENCE_MAX, read).await {
            Ok(Ok(body)) => body.to_bytes(),
            _ => Bytes::new(),
        };
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let word = |name: &str| json.get(name).and_then(|word| word.as_str()).unwrap_or_default();
        (word("code").to_owned(), crate::say::one_line(word("title")))
    }
}

impl Way<'_> {
    /// Sends one request, and waits for the head of its answer as long as there is hope for one.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, String)],
        body: Body,
    ) -> Result<Answer, HttpError> {
        let late = || HttpError::TooSlow { origin: self.origin.clone() };
        let broken = |source| HttpError::BrokenOff { origin: self.origin.clone(), source };
        let stream = http::connect_limited(self.origin, self.ca, Some(UNDER_WAY)).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.origin.authority());
        if let Some(token) = self.token {
            let bearer = format!("Bearer {}", URL_SAFE_NO_PAD.encode(token.to_bytes()));
            request = request.header(header::AUTHORIZATION, bearer);
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let taken = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&taken);
        let body = body.map_frame(move |frame| {
            counting.fetch_add(1, Ordering::Relaxed);
            frame
        });
        let request = request.body(body).expect("the headers are made here");
        let answering = while_it_moves(sender.send_request(request), &taken);
        let response = answering.await.ok_or_else(late)?.map_err(broken)?;
        Ok(Answer { response, _connection: driver })
    }
}

/// Waits for an answer as long as the line takes pieces of what is asked, and a while longer. `None` if it was in vain.
async fn while_it_moves<T>(answer: impl Future<Output = T>, taken: &AtomicU64) -> Option<T> {
    let mut answer = std::pin::pin!(answer);
    let (mut before, mut moved) = (0, Instant::now());
    loop {
        if let Ok(answer) = timeout(LOOK_EVERY, &mut answer).await {
            return Some(answer);
        }
        let now = taken.load(Ordering::Relaxed);
        if now > before {
            (before, moved) = (now, Instant::now());
        }
        if moved.elapsed() > SILENCE_MAX {
            return None;
        }
    }
}

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

fn empty() -> Body {
    BoxBody::new(Empty::new())
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

//! One request about stored bytes, over a line that may die meanwhile.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use jiashu_proto::id::Token;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::error::{CliError, ExitCode};
use crate::http::{self, HttpError, Origin};

/// A line on which nothing moves for so long is dead, or nobody is at its end.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(20);

/// How often to look whether they move.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Bytes that the system may have under way: a second or so of a slow line. When it breaks, they were paid for in vain.
const UNDER_WAY: http::UnderWay = http::UnderWay { up: 4 * 1024, down: 8 * 1024 };

/// An answer that is no file, in bytes.
pub(super) const MAX_WORDS: usize = 4 * 1024;

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

pub(super) type Body = BoxBody<Bytes, Infallible>;

/// One request and the head of its answer; the connection lives as long as the answer is read.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    pub(super) _connection: JoinSet<hyper::Result<()>>,
}

impl Answer {
    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    pub(super) fn number(&self, name: &HeaderName) -> Option<u64> {
        self.header(name)?.parse().ok()
    }

    /// The words of a refusal: its code, and the line for a person.
    pub(super) async fn words(self) -> (String, String) {
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
    pub(super) async fn ask(
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

pub(super) fn empty() -> Body {
    BoxBody::new(Empty::new())
}

//! The way to a relay: its address, a stream to it, and one `POST /1`.
//!
//! What the bytes say is left to the caller, and so is trying again. A WebSocket is spoken over the
//! same stream (`connect_stream`), so there is one place that decides whom to trust.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use jiashu_proto::bounds;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::error::{CliError, ExitCode};

/// A relay that does not take a connection within this time counts as not reached.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A whole round, connecting included: a full one passes at 17 kB/s.
pub const ROUND_TIMEOUT: Duration = Duration::from_secs(30);

/// Scheme, host and port of a relay: `https://host[:port]`, or `http://…` on one's own network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Whether the stream is TLS.
    pub tls: bool,
    /// A name, or an address; an IPv6 address without its brackets.
    pub host: String,
    /// The scheme's own where the text names none.
    pub port: u16,
}

/// The text is not the address of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a relay's address looks like https://relay.example.org")]
pub struct OriginError;

impl Origin {
    /// Host and port as in the `host` header: the scheme's own port is left out.
    #[must_use]
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.tls) { host } else { format!("{host}:{}", self.port) }
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (tls, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err(OriginError),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(OriginError)?;
                host.parse::<Ipv6Addr>().map_err(|_| OriginError)?;
                (host, port)
            }
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => parse_port(digits)?,
            None if port.is_empty() => default_port(tls),
            None => return Err(OriginError),
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        if host.is_empty() || !(host.contains(':') || host.bytes().all(is_host)) {
            return Err(OriginError);
        }
        Ok(Self { tls, host: host.to_ascii_lowercase(), port })
    }
}

fn parse_port(digits: &str) -> Result<u16, OriginError> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|&port| is_number && port != 0).ok_or(OriginError)
}

/// Why a round, or a stream, did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// No connection, or none in time: what was to be sent may be sent again.
    #[error("cannot reach {origin}: is the relay running and the address right? ({source})")]
    Unreachable {
        /// Where to.
        origin: Origin,
        /// What the system said.
        source: std::io::Error,
    },
    /// It cannot prove to be the relay, or does not speak TLS.
    #[error("cannot trust {origin}: {source}; a private authority is named with --ca FILE")]
    Untrusted {
        /// Where to.
        origin: Origin,
        /// What the proof lacks.
        source: std::io::Error,
    },
    /// The file of `--ca` does not help.
    #[error("cannot use {path} for --ca: {reason}", path = path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The connection ended before the answer did: the relay may have done what it was asked.
    #[error("the connection to {origin} broke off: try again")]
    BrokenOff {
        /// Where to.
        origin: Origin,
        /// What the connection met.
        source: hyper::Error,
    },
    /// No whole answer in time: the relay may have done what it was asked.
    #[error("{origin} did not answer within {} seconds: try again", ROUND_TIMEOUT.as_secs())]
    TooSlow {
        /// Where to.
        origin: Origin,
    },
    /// Something else than an answer of the protocol.
    #[error("{origin} answered {status}: {}", hint(*status))]
    Status {
        /// Where to.
        origin: Origin,
        /// Of the answer.
        status: StatusCode,
    },
    /// Beyond [`bounds::MAX_ANSWER`].
    #[error("{origin} answered more than {} bytes: is it a Jiashu relay?", bounds::MAX_ANSWER)]
    TooLarge {
        /// Where to.
        origin: Origin,
    },
}

fn hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        404 | 405 => "is it a Jiashu relay?",
        413 => "too much at once",
        429 | 500..=599 => "try again in a minute",
        _ => "is the address right?",
    }
}

impl From<HttpError> for CliError {
    fn from(error: HttpError) -> Self {
        let code = match error {
            HttpError::Ca { .. } => ExitCode::BadInput,
            // Too many at once from here: like a relay that cannot be reached, it passes.
            HttpError::Status { status, .. } if status == StatusCode::TOO_MANY_REQUESTS => {
                ExitCode::Offline
            }
            HttpError::Status { status, .. } if status.is_client_error() => ExitCode::Refused,
            _ => ExitCode::Offline,
        };
        Self::new(code, error)
    }
}

/// What a round or a WebSocket is spoken over.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A stream, with or without TLS.
pub type BoxedStream = Box<dyn Stream>;

/// Sends `frames` in one `POST /1` and gives the frames of the answer.
///
/// A repeat is the caller's to decide: after an error the relay may have done what it was asked.
///
/// # Errors
///
/// [`HttpError`], within [`ROUND_TIMEOUT`].
pub async fn round(
    origin: &Origin,
    ca: Option<&Path>,
    frames: &[u8],
) -> Result<Vec<u8>, HttpError> {
    let (status, answer) = ask(origin, ca, Request::post("/1"), frames.to_vec()).await?;
    if status != StatusCode::OK {
        return Err(HttpError::Status { origin: origin.clone(), status });
    }
    Ok(answer)
}

/// Sends one request, whole, and gives the status and the body of its answer.
///
/// # Errors
///
/// [`HttpError`], within [`ROUND_TIMEOUT`].
pub async fn ask(
    origin: &Origin,
    ca: Option<&Path>,
    request: hyper::http::request::Builder,
    body: Vec<u8>,
) -> Result<(StatusCode, Vec<u8>), HttpError> {
    ask_within(ROUND_TIMEOUT, origin, ca, request, body).await
}

/// As [`ask`], of somebody who takes longer by nature.
///
/// # Errors
///
/// [`HttpError`], within `limit`.
pub async fn ask_within(
    limit: Duration,
    origin: &Origin,
    ca: Option<&Path>,
    request: hyper::http::request::Builder,
    body: Vec<u8>,
) -> Result<(StatusCode, Vec<u8>), HttpError> {
    let exchange = async {
        let stream = connect_stream(origin, ca).await?;
        exchange(origin, stream, request, body).await
    };
    match timeout(limit, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(HttpError::TooSlow { origin: origin.clone() }),
    }
}

/// A stream to the relay, trusted by the public authorities and by those in the file `ca` (PEM).
///
/// # Errors
///
/// [`HttpError::Unreachable`], [`HttpError::Untrusted`] or [`HttpError::Ca`].
pub async fn connect_stream(origin: &Origin, ca: Option<&Path>) -> Result<BoxedStream, HttpError> {
    connect_limited(origin, ca, None).await
}

/// How many bytes the system is to have under way, about, each way: of what it has swallowed, and of what it lets
/// come, no more is lost when the line breaks.
#[derive(Clone, Copy, Debug)]
pub struct UnderWay {
    /// Sent, as far as we know.
    pub up: u32,
    /// Sent to us.
    pub down: u32,
}

/// As [`connect_stream`], with limits to what is under way.
///
/// # Errors
///
/// As of [`connect_stream`].
pub async fn connect_limited(
    origin: &Origin,
    ca: Option<&Path>,
    under_way: Option<UnderWay>,
) -> Result<BoxedStream, HttpError> {
    let unreachable = |source| HttpError::Unreachable { origin: origin.clone(), source };
    let late = || std::io::Error::from(std::io::ErrorKind::TimedOut);
    let tls = if origin.tls { Some(connector(ca)?) } else { None };

    let connected = timeout(CONNECT_TIMEOUT, connect_tcp(origin, under_way));
    let tcp = connected.await.map_err(|_| unreachable(late()))?.map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    let Some(tls) = tls else { return Ok(Box::new(tcp)) };

    let name = ServerName::try_from(origin.host.clone())
        .map_err(|error| unreachable(std::io::Error::other(error)))?;
    let shaken = timeout(CONNECT_TIMEOUT, tls.connect(name, tcp));
    match shaken.await.map_err(|_| unreachable(late()))? {
        Ok(stream) => Ok(Box::new(stream)),
        Err(source) => Err(HttpError::Untrusted { origin: origin.clone(), source }),
    }
}

/// Tries one address of the name after the other.
async fn connect_tcp(origin: &Origin, under_way: Option<UnderWay>) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
    for address in lookup_host((&*origin.host, origin.port)).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(UnderWay { up, down }) = under_way {
            socket.set_send_buffer_size(up)?;
            socket.set_recv_buffer_size(down)?;
        }
        match socket.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn connector(ca: Option<&Path>) -> Result<TlsConnector, HttpError> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca {
        let failed = |reason: &dyn fmt::Display| HttpError::Ca {
            path: path.into(),
            reason: reason.to_string(),
        };
        let before = roots.len();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))? {
            let certificate = certificate.map_err(|error| failed(&error))?;
            roots.add(certificate).map_err(|error| failed(&error))?;
        }
        if roots.len() == before {
            return Err(failed(&"no certificate stands in it"));
        }
    }
    // Named, because the process-wide default is unset where nobody set one.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn exchange(
    origin: &Origin,
    stream: BoxedStream,
    request: hyper::http::request::Builder,
    body: Vec<u8>,
) -> Result<(StatusCode, Vec<u8>), HttpError> {
    let broken = |source| HttpError::BrokenOff { origin: origin.clone(), source };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Lives until the answer is read: a relay drops a request whose client has hung up.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = request
        .header(header::HOST, origin.authority())
        .body(Full::new(Bytes::from(body)))
        .expect("a checked host makes a header");
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    match Limited::new(response.into_body(), bounds::MAX_ANSWER).collect().await {
        Ok(body) => Ok((status, body.to_bytes().into())),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(HttpError::TooLarge { origin: origin.clone() })
        }
        Err(error) => match error.downcast::<hyper::Error>() {
            Ok(source) => Err(broken(*source)),
            Err(_) => Err(HttpError::TooSlow { origin: origin.clone() }),
        },
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn an_origin_reads_and_shows_itself_alike() {
        let cases = [
            ("https://relay.example.org", true, "relay.example.org", 443),
            ("http://127.0.0.1:8080", false, "127.0.0.1", 8080),
            ("http://localhost", false, "localhost", 80),
            ("https://[2001:db8::1]:8443", true, "2001:db8::1", 8443),
            ("https://[::1]", true, "::1", 443),
        ];

        for (text, tls, host, port) in cases {
            let origin: Origin = text.parse().unwrap();

            assert_eq!(origin, Origin { tls, host: host.into(), port }, "{text}");
            assert_eq!(origin.to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_no_origin() {
        let cases = [
            "",
            "relay.example.org",
            "ftp://relay",
            "https://",
            "https://relay/",
            "https://relay/join",
            "https://me@relay",
            "https://relay:",
            "https://relay:0",
            "https://relay:+80",
            "https://relay:65536",
            "https://[::1",
            "https://[::1]x",
            "https://::1",
            "https://re lay",
            "https://relay\r\nx: y",
        ];

        for text in cases {
            assert_eq!(text.parse::<Origin>(), Err(OriginError), "{text}");
        }
    }

    /// A relay that gives one answer and hands out what it was asked.
    async fn relay_once(answer: &'static [u8]) -> (Origin, tokio::task::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 1024];
            let mut len = 0;
            while !asked[..len].ends_with(b"frames") {
                len += stream.read(&mut asked[len..]).await.unwrap();
            }
            stream.write_all(answer).await.unwrap();
            asked.truncate(len);
            asked
        });
        (origin, asked)
    }

    #[tokio::test]
    async fn a_round_sends_no_header_that_does_nothing() {
        let (origin, asked) =
            relay_once(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nanswer").await;

        let answer = round(&origin, None, b"frames").await.unwrap();

        assert_eq!(answer, b"answer");
        let asked = String::from_utf8(asked.await.unwrap()).unwrap();
        let expected = format!(
            "POST /1 HTTP/1.1\r\nhost: {}\r\ncontent-length: 6\r\n\r\nframes",
            origin.authority()
        );
        assert_eq!(asked, expected);
    }

    #[tokio::test]
    async fn another_status_is_named_with_what_to_do() {
        let (origin, _asked) = relay_once(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n").await;

        let error = round(&origin, None, b"frames").await.unwrap_err();

        assert!(error.to_string().contains("answered 503"), "{error}");
        assert_eq!(CliError::from(error).code, ExitCode::Offline);
    }

    #[tokio::test]
    async fn a_door_that_is_too_busy_is_no_refusal() {
        let (origin, _asked) = relay_once(b"HTTP/1.1 429 Busy\r\ncontent-length: 0\r\n\r\n").await;

        let error = round(&origin, None, b"frames").await.unwrap_err();

        assert!(error.to_string().contains("try again in a minute"), "{error}");
        assert_eq!(CliError::from(error).code, ExitCode::Offline);
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_no_answer() {
        let (origin, _asked) =
            relay_once(b"HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\nanswer").await;

        let error = round(&origin, None, b"frames").await.unwrap_err();

        assert!(matches!(error, HttpError::BrokenOff { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_relay_that_is_not_there_is_said_to_be() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin: Origin = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        drop(listener);

        let error = round(&origin, None, b"frames").await.unwrap_err();

        let asks = "is the relay running and the address right?";
        assert!(error.to_string().contains(asks), "{error}");
    }

    #[tokio::test]
    async fn a_file_without_certificates_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let origin: Origin = "https://127.0.0.1:1".parse().unwrap();

        let error = connect_stream(&origin, Some(file.path())).await.err().unwrap();

        assert!(error.to_string().contains("no certificate stands in it"), "{error}");
    }
}

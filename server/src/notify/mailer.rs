//! How an e-mail leaves: to a mail server, into a folder, or into memory for tests of the relay's own.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiashu_proto::id::Ref;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};
use tokio::time::timeout;

use super::outbox::Written;
use crate::config::Config;

/// The port of a server that takes mail from programs (RFC 6409), and over TLS from the first byte (RFC 8314).
const PORTS: (u16, u16) = (587, 465);

/// Ready to leave.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its name; its Message-ID is made of it.
    pub id: Ref,
    /// Where to.
    pub to: Address,
    /// Its date.
    pub asked_at: std::time::SystemTime,
    /// What it says.
    pub written: Written,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server has taken it over.
    Taken,
    /// It has not, and said why; for good or for now.
    Refused {
        /// Of SMTP.
        code: u16,
        /// Another try would be refused as well.
        for_good: bool,
    },
    /// It was not told of the message at all.
    NotReached(&'static str),
    /// It was given the message and never said what became of it.
    Unknown(&'static str),
}

impl Outcome {
    /// Whether another try would change nothing.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Taken | Self::Refused { for_good: true, .. })
    }
}

/// A mail server.
#[derive(Clone)]
pub struct Smtp {
    host: String,
    port: u16,
    /// Whether all of it is in TLS, or only from STARTTLS on; absent: a server on this machine, in clear.
    tls: Option<(Tls, TlsParameters)>,
    credentials: Option<Credentials>,
    /// All of one e-mail takes no longer; a server that is silent for so long has hung.
    within: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    Whole,
    Start,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Smtp({}:{})", self.host, self.port)
    }
}

/// How.
#[derive(Clone, Debug)]
enum Way {
    Smtp(Box<Smtp>),
    Folder(PathBuf),
    Memory(Arc<Mutex<Vec<Letter>>>),
}

/// Whoever takes e-mail from the relay.
#[derive(Clone, Debug)]
pub struct Mailer {
    way: Way,
    from: Mailbox,
}

/// Why an address of a mail server, or what belongs to it, is none.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct MailError {
    /// Of the configuration.
    pub key: &'static str,
    /// What it should be.
    pub reason: &'static str,
}

const NONE: &str = "none";

impl Mailer {
    /// As the operator says; `None` where no e-mail is to be sent.
    ///
    /// # Errors
    ///
    /// [`MailError`], which repeats nothing: a password may stand in it.
    pub fn open(config: &Config) -> Result<Option<Self>, MailError> {
        let Config { mail, mail_from: from, mail_ca, .. } = config;
        let no = |key, reason| MailError { key, reason };
        if mail == NONE {
            return Ok(None);
        }
        let from: Mailbox =
            from.parse().map_err(|_| no("mail_from", "is NAME <ADDRESS> or ADDRESS"))?;
        let way = match mail.split_once(':') {
            Some(("folder", path)) if !path.is_empty() => Way::Folder(PathBuf::from(path)),
            Some(("smtp" | "smtps", _)) => {
                let smtp = Smtp::of(mail, mail_ca.as_deref(), config.mail_timeout())?;
                Way::Smtp(Box::new(smtp))
            }
            _ => {
                let reason = "is none, smtp://HOST:PORT, smtps://HOST:PORT or folder:PATH";
                return Err(no("mail", reason));
            }
        };
        Ok(Some(Self { way, from }))
    }

    /// Into memory, and where it can be looked at.
    #[must_use]
    pub fn memory() -> (Self, Arc<Mutex<Vec<Letter>>>) {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let address = Address::new("jiashu", "relay.example").expect("it is one");
        (Self { way: Way::Memory(kept.clone()), from: Mailbox::new(None, address) }, kept)
    }

    /// Hands it over; says what came of it within the time that it is set.
    pub async fn send(&self, letter: &Letter) -> Outcome {
        let Ok(message) = self.message(letter) else {
            return Outcome::Refused { code: 553, for_good: true };
        };
        match &self.way {
            Way::Memory(kept) => {
                if let Ok(mut kept) = kept.lock() {
                    kept.push(letter.clone());
                }
                Outcome::Taken
            }
            Way::Folder(folder) => {
                let (folder, name) = (folder.clone(), format!("{}.eml", letter.id));
                let bytes = message.formatted();
                let put = tokio::task::spawn_blocking(move || put(&folder, &name, &bytes)).await;
                match put {
                    Ok(Ok(())) => Outcome::Taken,
                    _ => Outcome::NotReached("the folder cannot be written"),
                }
            }
            Way::Smtp(smtp) => smtp.send(self.from.email.clone(), letter, &message).await,
        }
    }

    fn message(&self, letter: &Letter) -> Result<Message, lettre::error::Error> {
        let Letter { id, to, asked_at, written } = letter;
        let domain = self.from.email.domain();
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .date(*asked_at)
            .message_id(Some(format!("<{id}@{domain}>")))
            .header(Automatic)
            .subject(written.subject.clone())
            .multipart(MultiPart::alternative_plain_html(
                written.text.clone(),
                written.html.clone(),
            ))
    }
}

/// That nobody wrote it, and no machine should answer (RFC 3834, 5).
#[derive(Clone)]
struct Automatic;

impl Header for Automatic {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Whole or not at all; the same again is the same file.
fn put(folder: &std::path::Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let (new, place) = (folder.join(format!(".{name}.new")), folder.join(name));
    let mut file = std::fs::File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, &place)?;
    std::fs::File::open(folder)?.sync_all()
}

/// Where it broke off.
enum Failed {
    Smtp(lettre::transport::smtp::Error),
    Late,
}

impl From<lettre::transport::smtp::Error> for Failed {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        Self::Smtp(error)
    }
}

impl Smtp {
    /// `smtp://USER:PASSWORD@HOST:PORT`, by STARTTLS but on this machine; `smtps`, in TLS from the first byte.
    fn of(url: &str, ca: Option<&std::path::Path>, within: Duration) -> Result<Self, MailError> {
        let no = |key, reason| MailError { key, reason };
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        let is_whole = scheme == "smtps";
        let usual = if is_whole { PORTS.1 } else { PORTS.0 };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (place, Some(usual)),
        };
        let port = port.filter(|_| !host.is_empty() && !host.contains(['/', '?', '#', ' ']));
        let port =
            port.ok_or_else(|| no("mail", "is smtp://USER:PASSWORD@HOST:PORT, with a host"))?;
        let credentials = match login {
            None => None,
            Some(login) => {
                let (user, password) = login
                    .split_once(':')
                    .ok_or_else(|| no("mail", "a user has a password: USER:PASSWORD@"))?;
                let plain = |text: &str| percent_decoded(text);
                let both = plain(user).zip(plain(password));
                let (user, password) =
                    both.ok_or_else(|| no("mail", "what follows a % is two hexadecimal digits"))?;
                Some(Credentials::new(user, password))
            }
        };
        let is_here = ["localhost", "127.0.0.1", "::1"].contains(&host);
        let tls = if is_whole || ca.is_some() || !is_here {
            let tls = if is_whole { Tls::Whole } else { Tls::Start };
            Some((tls, parameters(host, ca)?))
        } else {
            None
        };
        Ok(Self { host: host.to_owned(), port, tls, credentials, within })
    }

    async fn send(&self, from: Address, letter: &Letter, message: &Message) -> Outcome {
        let began = tokio::time::Instant::now();
        let until_data = timeout(self.within, self.up_to_data(from, letter)).await;
        let mut connection = match until_data.unwrap_or(Err(Failed::Late)) {
            Ok(connection) => connection,
            Err(failed) => return before_data(&failed),
        };
        let rest = self.within.saturating_sub(began.elapsed());
        let bytes = message.formatted();
        let said = timeout(rest, connection.message(&bytes)).await;
        match said {
            Ok(Ok(_)) => {
                // It has it, whatever becomes of the farewell.
                let _ = timeout(Duration::from_secs(1), connection.quit()).await;
                Outcome::Taken
            }
            Ok(Err(error)) => match answered(&error) {
                Some(refused) => refused,
                None => Outcome::Unknown("the server hung up after the message"),
            },
            Err(_) => Outcome::Unknown("the server was silent after the message"),
        }
    }

    /// Says who writes to whom, until the server waits for the message.
    async fn up_to_data(
        &self,
        from: Address,
        letter: &Letter,
    ) -> Result<AsyncSmtpConnection, Failed> {
        let whole = self.tls.as_ref().filter(|(tls, _)| *tls == Tls::Whole);
        let (hello, whole) = (ClientId::default(), whole.map(|(_, parameters)| parameters.clone()));
        let place = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(place, Some(self.within), &hello, whole, None)
                .await?;
        if let Some((Tls::Start, parameters)) = &self.tls {
            connection.starttls(parameters.clone(), &hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            let _ = connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await?;
        }
        let _ = positive(connection.command(Mail::new(Some(from), Vec::new())).await)?;
        let _ = positive(connection.command(Rcpt::new(letter.to.clone(), Vec::new())).await)?;
        let _ = positive(connection.command(Data).await)?;
        Ok(connection)
    }
}

fn positive<T>(answer: Result<T, lettre::transport::smtp::Error>) -> Result<T, Failed> {
    Ok(answer?)
}

fn before_data(failed: &Failed) -> Outcome {
    match failed {
        Failed::Late => Outcome::NotReached("the server was silent"),
        Failed::Smtp(error) => {
            let why = if error.is_tls() || is_handshake(error) {
                "no TLS with a certificate that is trusted"
            } else if error.is_client() {
                "the server offers no way to do it"
            } else {
                "the server cannot be reached"
            };
            answered(error).unwrap_or(Outcome::NotReached(why))
        }
    }
}

/// Whether TLS broke off, which the library counts among connections.
fn is_handshake(error: &lettre::transport::smtp::Error) -> bool {
    let first: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    let mut sources = std::iter::successors(first, |error| error.source());
    sources.any(|source| {
        let io = source.downcast_ref().and_then(std::io::Error::get_ref);
        io.is_some_and(|inner| inner.is::<rustls::Error>())
    })
}

/// What the server said, if it said anything.
fn answered(error: &lettre::transport::smtp::Error) -> Option<Outcome> {
    let code = u16::from(error.status()?);
    Some(Outcome::Refused { code, for_good: error.is_permanent() })
}

fn parameters(host: &str, ca: Option<&std::path::Path>) -> Result<TlsParameters, MailError> {
    let no = |reason| MailError { key: "mail_ca", reason };
    let mut builder: TlsParametersBuilder = TlsParameters::builder(host.to_owned());
    if let Some(ca) = ca {
        let pem = std::fs::read(ca).map_err(|_| no("the file cannot be read"))?;
        let ca = Certificate::from_pem(&pem).map_err(|_| no("is a certificate in PEM"))?;
        builder = builder.add_root_certificate(ca);
    }
    builder.build().map_err(|_| MailError { key: "mail", reason: "has no host that TLS can name" })
}

/// `%40` is `@` (RFC 3986, 2.1).
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let value = digit(rest.next())? * 16 + digit(rest.next())?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "Jiashu <jiashu@relay.example>";

    fn letter() -> Letter {
        Letter {
            id: Ref([7; 12]),
            to: "ana@ngo.example".parse().unwrap(),
            asked_at: std::time::SystemTime::UNIX_EPOCH,
            written: Written {
                subject: "家书\r\nBcc: x@y.org".into(),
                text: "一行".into(),
                html: "<p>一行</p>".into(),
            },
        }
    }

    fn open(mail: &str, from: &str) -> Result<Option<Mailer>, MailError> {
        let (mail, mail_from) = (mail.to_owned(), from.to_owned());
        Mailer::open(&Config { mail, mail_from, ..Config::defaults() })
    }

    #[test]
    fn an_operator_says_where_mail_goes_and_is_told_what_is_wrong() {
        assert!(open("none", "").unwrap().is_none());
        for good in [
            "smtp://localhost:2525",
            "smtp://mail.example",
            "smtps://me%40x.org:p%3Aw@mail.example:465/",
            "folder:/tmp/mail",
        ] {
            assert!(open(good, FROM).unwrap().is_some(), "{good}");
        }
        let bad = [
            ("", FROM, "mail"),
            ("mail.example", FROM, "mail"),
            ("folder:", FROM, "mail"),
            ("smtp://", FROM, "mail"),
            ("smtp://host:port", FROM, "mail"),
            ("smtp://secret@host", FROM, "mail"),
            ("smtp://a:%zz@host", FROM, "mail"),
            ("smtp://host", "nobody", "mail_from"),
        ];
        for (mail, from, key) in bad {
            let error = open(mail, from).unwrap_err();
            assert_eq!(error.key, key, "{mail} {from}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let smtp = Smtp::of("smtps://me%40x.org:p%3Aw@mail.example", None, Duration::ZERO).unwrap();
        assert_eq!((smtp.host.as_str(), smtp.port), ("mail.example", 465));
        let login = Credentials::new("me@x.org".into(), "p:w".into());
        assert_eq!(smtp.credentials, Some(login));
        assert!(!format!("{smtp:?}").contains("p:w"));
    }

    #[tokio::test]
    async fn in_a_folder_it_is_one_file_however_often_it_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let mail = format!("folder:{}", folder.path().join("out").display());
        let mailer = open(&mail, FROM).unwrap().unwrap();

        assert_eq!(mailer.send(&letter()).await, Outcome::Taken);
        assert_eq!(mailer.send(&letter()).await, Outcome::Taken);

        let files: Vec<_> = std::fs::read_dir(folder.path().join("out")).unwrap().collect();
        assert_eq!(files.len(), 1);
        let file = std::fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
        let headers = file.split("\r\n\r\n").next().unwrap();
        assert!(headers.contains("Message-ID: <07070707"), "{headers}");
        assert!(headers.contains("Auto-Submitted: auto-generated"), "{headers}");
        assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
    }

    #[tokio::test]
    async fn where_nobody_listens_the_server_was_not_reached() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mail = format!("smtp://{}", socket.local_addr().unwrap());
        drop(socket);

        let mailer = open(&mail, FROM).unwrap().unwrap();

        let outcome = mailer.send(&letter()).await;
        assert_eq!(outcome, Outcome::NotReached("the server cannot be reached"));
    }
}

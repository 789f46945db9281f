//! A real mail server (aiosmtpd), as a process of its own, that at one step of its first conversations may do otherwise
//! than it should.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::MessageParser;
use serde_json::Value;

use crate::until::until;

/// What it has taken.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Whom it is for.
    pub to: String,
    /// What makes two of them the same.
    pub id: String,
    /// Headers and parts, as they are read.
    pub text: String,
    /// Whether it came over TLS, from somebody who had said who it is.
    pub safely: (bool, bool),
}

/// A mail server.
#[derive(Debug)]
pub struct TestMailServer {
    server: Child,
    /// It ends with this.
    _stdin: ChildStdin,
    port: u16,
    said: Arc<Mutex<Vec<Value>>>,
}

impl TestMailServer {
    /// One that does as it should.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// One with these arguments, see `tests/tools/smtpd.py`.
    ///
    /// # Panics
    ///
    /// If aiosmtpd is not there: `tests/run` fetches it by `tests/smtpd`.
    pub async fn with(args: &[&str]) -> Self {
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let python = root.join("target/aiosmtpd-1.4.6/bin/python");
        let mut server = Command::new(&python)
            .arg(root.join("tests/tools/smtpd.py"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}: run tests/smtpd", python.display()));
        let said = Arc::new(Mutex::new(Vec::new()));
        let (lines, kept) = (BufReader::new(server.stdout.take().unwrap()), said.clone());
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        let port = until("the mail server listens", async || {
            said.lock().unwrap().first().map(|line: &Value| line["port"].as_u64().unwrap())
        })
        .await;
        let stdin = server.stdin.take().unwrap();
        Self { server, _stdin: stdin, port: u16::try_from(port).unwrap(), said }
    }

    /// What a relay is told.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until it has been at that step so often.
    pub async fn at(&self, step: &str, times: usize) {
        until("the mail server to be at that step", async || {
            let said = self.said.lock().unwrap();
            (said.iter().filter(|line| line["step"] == step).count() >= times).then_some(())
        })
        .await;
    }

    /// What it has taken until now.
    ///
    /// # Panics
    ///
    /// If that is no e-mail.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        let said = self.said.lock().unwrap();
        said.iter().filter(|line| line["message"].is_string()).map(read).collect()
    }

    /// The same, once there are so many.
    pub async fn after(&self, count: usize) -> Vec<Mail> {
        until("e-mails to arrive", async || {
            let mails = self.mails();
            (mails.len() >= count).then_some(mails)
        })
        .await
    }
}

impl Drop for TestMailServer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// An e-mail as somebody reads it: its headers, its text, and its HTML, of which nothing is coded.
///
/// # Panics
///
/// If it is no e-mail.
#[must_use]
pub fn decoded(mail: &[u8]) -> String {
    let mail = MessageParser::new().parse(mail).unwrap();
    let headers = mail.headers_raw().map(|(name, value)| format!("{name}:{value}"));
    let headers: String = headers.collect();
    let texts = (0..mail.text_body_count()).map(|place| mail.body_text(place).unwrap());
    let pages = (0..mail.html_body_count()).map(|place| mail.body_html(place).unwrap());
    let subject = mail.subject().unwrap();
    let parts: Vec<_> = texts.chain(pages).collect();
    format!("{headers}{subject}\n\n{}", parts.join("\n")).replace("\r\n", "\n")
}

fn read(line: &Value) -> Mail {
    let bytes = STANDARD.decode(line["message"].as_str().unwrap()).unwrap();
    let text = decoded(&bytes);
    let id = text.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap().to_owned();
    let is = |what: &str| line[what] == true;
    Mail {
        to: line["to"][0].as_str().unwrap().to_owned(),
        id,
        text,
        safely: (is("tls"), is("login")),
    }
}

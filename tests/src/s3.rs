//! A bucket at a real server of S3 (moto), as a process of its own, behind a door that can be shut or made slow.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::raw::Raw;
use crate::until::until;
use crate::{http, port};

const BUCKET: &str = "notes";

/// Signed by somebody, whom moto does not look at.
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=test/20261127/us-east-1/s3/aws4_request, \
                      SignedHeaders=host, Signature=0";

/// How the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Well,
    /// With 503, whatever it is asked.
    Failing,
    /// Not within any patience.
    Silent,
}

/// A bucket of its own.
#[derive(Debug)]
pub struct TestBucket {
    server: Child,
    raw: Raw,
    front: std::net::SocketAddr,
    mood: Arc<watch::Sender<Mood>>,
}

impl TestBucket {
    /// A new and empty one.
    ///
    /// # Panics
    ///
    /// If moto is not there: `tests/run` fetches it by `tests/moto`.
    pub async fn start() -> Self {
        let (port, program) = (port::free_port(), moto());
        let mut server = Command::new(&program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}: run tests/moto", program.display()));
        let back = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let raw = Raw::new(back);
        let bucket = http::request("PUT", &format!("/{BUCKET}"), &[], &[]);
        until("moto listens", async || {
            assert_eq!(server.try_wait().unwrap(), None, "moto has ended");
            raw.exchange(&bucket).await.filter(|made| made.status == 200)
        })
        .await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let front = listener.local_addr().unwrap();
        let mood = Arc::new(watch::Sender::new(Mood::Well));
        tokio::spawn(keep_door(listener, back, Arc::clone(&mood)));
        Self { server, raw, front, mood }
    }

    /// What a relay is told, to keep voice notes there.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://{}", self.front);
        let settings = [
            ("JIASHU_BLOBS", "s3://notes/of/families"),
            ("AWS_ENDPOINT", &endpoint),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ];
        settings.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
    }

    /// From now on it answers so; what is under way is cut.
    pub fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// The keys of all objects.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub async fn keys(&self) -> Vec<String> {
        let request = http::request("GET", &format!("/{BUCKET}?list-type=2"), &[], &[]);
        let answer = self.raw.exchange(&request).await.expect("moto answers");
        let text = String::from_utf8(answer.body).unwrap();
        let keys = text.split("<Key>").skip(1);
        keys.map(|rest| rest.split("</Key>").next().unwrap_or_default().to_owned()).collect()
    }

    /// The bytes of an object.
    ///
    /// # Panics
    ///
    /// If there is none of that key.
    pub async fn object(&self, key: &str) -> Vec<u8> {
        let path = format!("/{BUCKET}/{key}");
        let request = http::request("GET", &path, &[("authorization", SIGNED)], &[]);
        let answer = self.raw.exchange(&request).await.expect("moto answers");
        assert_eq!(answer.status, 200, "{key}");
        answer.body
    }

    /// Loses an object.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub async fn lose(&self, key: &str) {
        let path = format!("/{BUCKET}/{key}");
        let request = http::request("DELETE", &path, &[("authorization", SIGNED)], &[]);
        let answer = self.raw.exchange(&request).await.expect("moto answers");
        assert_eq!(answer.status, 204, "{answer:?}");
    }
}

impl Drop for TestBucket {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Where `tests/moto` puts it.
fn moto() -> PathBuf {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let script = std::fs::read_to_string(workspace.join("tests/moto")).expect("it stands there");
    let version = script.lines().find_map(|line| line.strip_prefix("version="));
    let version = version.expect("the script names its version");
    workspace.join(format!("target/moto-{version}/bin/moto_server"))
}

async fn keep_door(
    listener: TcpListener,
    back: std::net::SocketAddr,
    mood: Arc<watch::Sender<Mood>>,
) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { return };
        let mut mood = mood.subscribe();
        tokio::spawn(async move {
            let now = *mood.borrow_and_update();
            let serve = async {
                match now {
                    Mood::Well => {
                        if let Ok(mut moto) = TcpStream::connect(back).await {
                            let _ = copy_bidirectional(&mut stream, &mut moto).await;
                        }
                    }
                    Mood::Failing => {
                        let mut asked = [0; 4096];
                        let _ = stream.read(&mut asked).await;
                        let no = "HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                        let _ = stream.write_all(no.as_bytes()).await;
                        let _ = stream.shutdown().await;
                        // What was sent is read, lest the answer be lost with it.
                        let mut rest = tokio::io::sink();
                        let gone = tokio::io::copy(&mut stream, &mut rest);
                        let _ = tokio::time::timeout(Duration::from_secs(1), gone).await;
                    }
                    Mood::Silent => std::future::pending().await,
                }
            };
            tokio::select! {
                () = serve => {}
                _ = mood.changed() => {}
            }
        });
    }
}

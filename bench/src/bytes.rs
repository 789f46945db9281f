//! (d) Bytes on the TCP stream, both directions, heads included: what somebody pays for.
//!
//! Between the phone and the relay stands a line that counts. What is spoken is the command line's:
//! its stream, its `POST /1`; its WebSocket with the same library and settings.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use jiashu_cli::http::{BoxedStream, Origin, connect_stream, round};
use jiashu_cli::state::upload::Upload;
use jiashu_cli::voice::transfer;
use jiashu_cli::voice::way::Way;
use jiashu_proto::entry::Content;
use jiashu_proto::frame::{Ack, Beat, ClientFrame, Hello, Post, RelayFrame};
use jiashu_proto::id::{MemberId, Ref};
use jiashu_seal::seal_blob;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::relay::Relay;
use crate::report::Report;
use crate::seed::{EPOCH, Family, seed};
use crate::wire::body;

/// How long the last bytes of an exchange may be on their way.
const SETTLES: Duration = Duration::from_millis(100);

/// A minute of speech at 12 kbit/s, as ffmpeg makes it (constant rate, frames of 60 ms), in bytes.
const MINUTE: usize = 91_390;

/// The heartbeat of the relay that is asked for one, in ms.
const HEARTBEAT_MS: &str = "2000";

/// A relay with one family, and the line to it.
struct Scene {
    relay: Relay,
    family: Family,
    line: Line,
    ca: Option<PathBuf>,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// `settings` beside those for TLS.
    async fn start(
        binary: &Path,
        waiting: u64,
        tls: bool,
        settings: &[(&str, &Path)],
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let seeded = {
            let data = data.clone();
            tokio::task::spawn_blocking(move || seed(&data, 1, waiting, false)).await??
        };
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let mut settings = settings.to_vec();
        if tls {
            let CertifiedKey { cert: made, signing_key } =
                generate_simple_self_signed(["127.0.0.1".to_owned()])?;
            std::fs::write(&cert, made.pem())?;
            std::fs::write(&key, signing_key.serialize_pem())?;
            settings.extend([("JIASHU_TLS_CERT", &*cert), ("JIASHU_TLS_KEY", &*key)]);
        }
        let relay = Relay::start(binary, &data, &settings)?;
        let line = Line::open(relay.address).await?;
        let family = seeded.into_iter().next().context("one family")?;
        Ok(Self { relay, family, line, ca: tls.then_some(cert), _folder: folder })
    }

    fn origin(&self, address: SocketAddr) -> Origin {
        Origin { tls: self.ca.is_some(), host: address.ip().to_string(), port: address.port() }
    }

    /// As the command line's second phone says it; it knows of all cursors.
    fn hello(&self, device: u32) -> ClientFrame {
        ClientFrame::Hello(Hello {
            token: self.family.token(device),
            cursor: Some(self.family.cursor),
            cursors_at: Some(i64::MAX),
        })
    }

    async fn post(&self, frame: &ClientFrame) -> Result<u64> {
        let origin = self.origin(self.line.address);
        round(&origin, self.ca.as_deref(), &frame.to_bytes(0)).await?;
        Ok(self.line.take().await)
    }

    async fn socket(&self, address: SocketAddr) -> Result<WebSocketStream<BoxedStream>> {
        let origin = self.origin(address);
        let stream = connect_stream(&origin, self.ca.as_deref()).await?;
        let scheme = if origin.tls { "wss" } else { "ws" };
        let request = format!("{scheme}://{}/1", origin.authority()).into_client_request()?;
        let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
        Ok(client_async_with_config(request, stream, Some(config)).await?.0)
    }

    /// Connects, says hello, takes and acks what waits, closes: all that is on the line.
    async fn check(&self, waiting: usize) -> Result<u64> {
        let mut socket = self.socket(self.line.address).await?;
        greet(&mut socket, self.hello(2)).await?;
        if waiting > 0 {
            take(&mut socket, waiting).await?;
        }
        socket.close(None).await?;
        while socket.next().await.is_some_and(|message| message.is_ok()) {}
        drop(socket);
        Ok(self.line.take().await)
    }

    /// What one more message costs a phone that is connected.
    async fn one_more(&self) -> Result<u64> {
        let mut socket = self.socket(self.line.address).await?;
        greet(&mut socket, self.hello(2)).await?;
        let mut other = self.socket(self.relay.address).await?;
        greet(&mut other, self.hello(1)).await?;
        let _ = self.line.take().await;
        other.send(Message::binary(ClientFrame::Post(post(1)).to_bytes(0))).await?;
        take(&mut socket, 1).await?;
        Ok(self.line.take().await)
    }

    /// What a minute of speech costs on its way up, with the message that names it, and on its way down.
    async fn voice(&self) -> Result<(u64, u64)> {
        let folder = tempfile::tempdir()?;
        let (token, origin) = (self.family.token(1), self.origin(self.line.address));
        let way = Way { origin: &origin, ca: self.ca.as_deref(), token: Some(&token) };
        let sealed = seal_blob(&vec![7; MINUTE])?;
        let (file, part) = (folder.path().join("sealed"), folder.path().join("part"));
        std::fs::write(&file, &sealed.stored)?;
        let (blob, length) = (Ref([8; 12]), sealed.stored.len() as u64);
        let upload = Upload { blob, hash: sealed.hash, length, begun: false };
        let _ = self.line.take().await;
        transfer::upload(way, &upload, &file).await?;
        let mut post = post(1);
        (post.kind, post.blob) = (2, Some(blob));
        let mut frames = self.hello(1).to_bytes(0);
        ClientFrame::Post(post).write_to(0, &mut frames);
        let answer = round(&origin, self.ca.as_deref(), &frames).await?;
        let answered = jiashu_proto::frame::RelayFrame::read_from(&mut &answer[..]);
        answered.context("the message is answered")?;
        let up = self.line.take().await;
        transfer::download(way, &transfer::member_path(blob), length, &part).await?;
        anyhow::ensure!(std::fs::read(&part)? == sealed.stored, "what came is what went");
        Ok((up, self.line.take().await))
    }

    /// What a ping and its answer cost.
    async fn heartbeat(&self) -> Result<u64> {
        let mut socket = self.socket(self.line.address).await?;
        greet(&mut socket, self.hello(2)).await?;
        let _ = self.line.take().await;
        while !matches!(socket.next().await.context("it was closed")??, Message::Ping(_)) {}
        socket.flush().await?;
        Ok(self.line.take().await)
    }
}

/// A letter to all.
fn post(n: u64) -> Post {
    Post {
        n,
        entry_ref: Ref([9; 12]),
        epoch: EPOCH,
        from: MemberId(1),
        to: Vec::new(),
        kind: 1,
        sealed: body(0).to_vec(),
        key: None,
        until: None,
        blob: None,
    }
}

async fn greet(socket: &mut WebSocketStream<BoxedStream>, hello: ClientFrame) -> Result<()> {
    socket.send(Message::binary(hello.to_bytes(0))).await?;
    match next(socket).await? {
        RelayFrame::Welcome(welcome) if welcome.restart.is_none() => Ok(()),
        other => bail!("a hello is answered, not {other:?}"),
    }
}

/// Takes and acks frames until so many messages came.
async fn take(socket: &mut WebSocketStream<BoxedStream>, messages: usize) -> Result<()> {
    let mut taken = 0;
    while taken < messages {
        let RelayFrame::Entries(entries) = next(socket).await? else { continue };
        for entry in &entries.entries {
            let content = Content::from_bytes(&entry.content)?;
            taken += usize::from(matches!(content, Content::Message(..)));
        }
        let ack = ClientFrame::Ack(Ack { seq: entries.upto, tag: entries.tag });
        socket.send(Message::binary(ack.to_bytes(0))).await?;
    }
    Ok(())
}

async fn next(socket: &mut WebSocketStream<BoxedStream>) -> Result<RelayFrame> {
    loop {
        if let Message::Binary(bytes) = socket.next().await.context("it was closed")?? {
            return Ok(RelayFrame::from_bytes(&bytes)?.1);
        }
    }
}

/// A telephone line that counts what passes in both directions.
struct Line {
    address: SocketAddr,
    passed: Arc<AtomicU64>,
}

impl Line {
    async fn open(relay: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let line = Self { address: listener.local_addr()?, passed: Arc::default() };
        let passed = line.passed.clone();
        tokio::spawn(async move {
            while let Ok((phone, _)) = listener.accept().await {
                let Ok(relay) = TcpStream::connect(relay).await else { continue };
                let ((up, to_phone), (down, to_relay)) = (phone.into_split(), relay.into_split());
                tokio::spawn(pass(up, to_relay, passed.clone()));
                tokio::spawn(pass(down, to_phone, passed.clone()));
            }
        });
        Ok(line)
    }

    /// What has passed since the last question, once all is through.
    async fn take(&self) -> u64 {
        tokio::time::sleep(SETTLES).await;
        self.passed.swap(0, Ordering::Relaxed)
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    passed: Arc<AtomicU64>,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        passed.fetch_add(read as u64, Ordering::Relaxed);
        if to.write_all(buffer.get(..read).unwrap_or_default()).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

/// Counts all.
pub(crate) fn bytes(binary: &Path, report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for tls in [false, true] {
        runtime.block_on(counted(binary, tls, report))?;
    }
    Ok(())
}

async fn counted(binary: &Path, tls: bool, report: &mut Report) -> Result<()> {
    let over = if tls { ", TLS 1.3" } else { "" };
    let none = Scene::start(binary, 0, tls, &[]).await?;
    let one = Scene::start(binary, 1, tls, &[]).await?;
    let ten = Scene::start(binary, 10, tls, &[]).await?;
    let beats =
        Scene::start(binary, 0, tls, &[("JIASHU_HEARTBEAT_MS", Path::new(HEARTBEAT_MS))]).await?;
    let bar = |must, aim| if tls { None } else { Some((must, aim)) };

    // Its own scenes come before those of the POST: nothing of them is written by it.
    let socket = [none.check(0).await?, one.check(1).await?, ten.check(10).await?];
    let post = [
        none.post(&none.hello(2)).await?,
        one.post(&one.hello(2)).await?,
        ten.post(&ten.hello(2)).await?,
    ];
    let further = |of: [u64; 3]| crate::machine::share(of[2] - of[1], 9);
    let number = |bytes: u64| crate::machine::share(bytes, 1);

    let mut add = |figure: &str, bytes, bar| {
        report.add(format!("{figure}{over}"), "bytes", [vec![bytes], Vec::new()], bar);
    };
    add("WebSocket, whole check, nothing new", number(socket[0]), bar(400.0, 370.0));
    add("WebSocket, whole check, one message", number(socket[1]), bar(600.0, 550.0));
    add("WebSocket, each further in a batch of 10", further(socket), bar(200.0, 195.0));
    add("WebSocket, each further alone", number(none.one_more().await?), None);
    add("WebSocket, a heartbeat", number(beats.heartbeat().await?), None);
    add("POST /1, whole check, nothing new", number(post[0]), bar(300.0, 225.0));
    add("POST /1, whole check, one message", number(post[1]), bar(500.0, 440.0));
    add("POST /1, each further in a batch of 10", further(post), None);
    let (up, down) = none.voice().await?;
    // Of a line with TLS, as the phones in the field have it.
    let bar = if tls { Some((100_000.0, 100_000.0)) } else { None };
    add("a minute of speech at 12 kbit/s, up, with its message", number(up), bar);
    add("the same, down", number(down), bar);
    let beat = none.post(&ClientFrame::Beat(Beat {})).await?;
    add("POST /1, a heartbeat", number(beat), None);
    Ok(())
}

//! A line between a phone and its relay: as slow as it is told to be, and cut whenever a test likes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes that are passed on at once.
const PIECE: usize = 512;

/// Bytes that the system may hold back for us: what a line has swallowed has not arrived.
const BUFFER: u32 = 4 * 1024;

/// A line of its own. It ends when it is dropped, its connections with it.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    shared: Arc<Shared>,
    cuts: watch::Sender<u64>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    /// Bytes a second each way; 0 is as many as come.
    rate: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

impl Line {
    /// To the relay that listens there.
    ///
    /// # Panics
    ///
    /// If this machine has no free port.
    pub async fn to(to: SocketAddr) -> Self {
        // What is held back for a connection stands fast before it is accepted.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(BUFFER).unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let (rate, up, down) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let shared = Arc::new(Shared { to, rate, up, down });
        let cuts = watch::Sender::new(0);
        let task = tokio::spawn(serve(listener, Arc::clone(&shared), cuts.clone()));
        Self { address, shared, cuts, task }
    }

    /// A link as it reads at this end of the line.
    #[must_use]
    pub fn instead(&self, link: &str) -> String {
        link.replace(&self.shared.to.to_string(), &self.address.to_string())
    }

    /// So many bytes a second from now on, each way; 0 is as many as come.
    pub fn set_rate(&self, rate: u64) {
        self.shared.rate.store(rate, Ordering::Relaxed);
    }

    /// Ends all connections without a word.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Bytes that have passed so far: to the relay, and from it.
    #[must_use]
    pub fn passed(&self) -> (u64, u64) {
        (self.shared.up.load(Ordering::Relaxed), self.shared.down.load(Ordering::Relaxed))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, cuts: watch::Sender<u64>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((phone, _)) = listener.accept().await {
        let (shared, mut cuts) = (Arc::clone(&shared), cuts.subscribe());
        connections.spawn(async move {
            let _ = phone.set_zero_linger();
            let Ok(relay) = TcpStream::connect(shared.to).await else { return };
            let _ = relay.set_zero_linger();
            let ((from_phone, to_phone), (from_relay, to_relay)) =
                (phone.into_split(), relay.into_split());
            let both = async {
                tokio::join!(
                    pass(from_phone, to_relay, &shared, &shared.up),
                    pass(from_relay, to_phone, &shared, &shared.down),
                )
            };
            tokio::select! {
                _ = both => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    passed: &AtomicU64,
) -> Option<()> {
    let mut piece = [0; PIECE];
    loop {
        let read = from.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        if let Some(ms) = (read as u64 * 1_000).checked_div(shared.rate.load(Ordering::Relaxed)) {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        to.write_all(&piece[..read]).await.ok()?;
        passed.fetch_add(read as u64, Ordering::Relaxed);
    }
}

//! A telephone line: a phone reaches the relay through it, and its bytes are counted.
//!
//! It passes TCP on untouched, so a count is what the phone's owner would pay for, HTTP and
//! WebSocket heads included; TCP's and IP's own heads are not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// One phone's line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    address: SocketAddr,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
}

impl Line {
    /// Opens a line to the relay, which may come and go.
    pub(crate) async fn open(relay: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let line =
            Self { address: listener.local_addr()?, up: Arc::default(), down: Arc::default() };
        let (up, down) = (line.up.clone(), line.down.clone());
        tokio::spawn(async move {
            while let Ok((phone, _)) = listener.accept().await {
                // No relay there: the phone's connection ends, as it would without the line.
                if let Ok(relay) = TcpStream::connect(relay).await {
                    let ((from_phone, to_phone), (from_relay, to_relay)) =
                        (phone.into_split(), relay.into_split());
                    tokio::spawn(pass(from_phone, to_relay, up.clone()));
                    tokio::spawn(pass(from_relay, to_phone, down.clone()));
                }
            }
        });
        Ok(line)
    }

    /// Where the phone finds the relay.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Bytes up and down since the last question.
    pub(crate) fn take_bytes(&self) -> (u64, u64) {
        (self.up.swap(0, Ordering::Relaxed), self.down.swap(0, Ordering::Relaxed))
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: Arc<AtomicU64>) {
    let mut buffer = vec![0; 4096];
    while let Ok(read) = from.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        count.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
    // The other half may still have an answer to bring; only this direction ends.
    let _ = to.shutdown().await;
}

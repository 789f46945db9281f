//! What an operator puts before several relays: each connection goes to the next that takes it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A balancer by turns, on a free port. It ends when it is dropped, its connections with it.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddr,
    relays: Arc<Mutex<Vec<SocketAddr>>>,
    task: JoinHandle<()>,
}

impl Balancer {
    /// One that has nobody behind it yet.
    ///
    /// # Panics
    ///
    /// If this machine has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let relays = Arc::new(Mutex::default());
        let task = tokio::spawn(balance(listener, Arc::clone(&relays)));
        Self { address, relays, task }
    }

    /// From now on connections go to these.
    pub fn set(&self, relays: Vec<SocketAddr>) {
        *self.relays.lock().unwrap_or_else(PoisonError::into_inner) = relays;
    }

    /// Where a relay behind it is to be found, as that is told.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        vec![("JIASHU_PUBLIC_URL".to_owned(), format!("http://{}", self.address))]
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn balance(listener: TcpListener, relays: Arc<Mutex<Vec<SocketAddr>>>) {
    let turn = AtomicUsize::new(0);
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let mut behind = relays.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let first = turn.fetch_add(1, Ordering::Relaxed).checked_rem(behind.len()).unwrap_or(0);
        behind.rotate_left(first);
        connections.spawn(async move {
            for relay in behind {
                if let Ok(mut relay) = TcpStream::connect(relay).await {
                    let _either_has_gone = copy_bidirectional(&mut client, &mut relay).await;
                    return;
                }
            }
        });
    }
}

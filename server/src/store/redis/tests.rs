//! The promises of every store, kept by a real redis-server.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{Options, RedisStore};
use crate::store::conformance::{FAMILY, Home, PHONE, founding, message, store_conformance};
use crate::store::{Store, StoreError};

/// A redis-server of its own, on a socket in a folder that goes with it; as durable as a relay asks for.
pub(super) struct Server {
    folder: tempfile::TempDir,
    process: Child,
}

impl Server {
    fn start(appendfsync: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Self::run(folder.path(), appendfsync);
        Self { folder, process }
    }

    fn run(folder: &Path, appendfsync: &str) -> Child {
        let socket = folder.join("socket");
        let process = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket"])
            .arg(&socket)
            .args(["--appendonly", "yes", "--appendfsync", appendfsync, "--save", "", "--dir"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("tests/run installs redis-server");
        let began = Instant::now();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "redis-server listens");
            std::thread::sleep(Duration::from_millis(2));
        }
        process
    }

    pub(super) fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("socket")
    }

    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(super) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[async_trait]
impl Home for Server {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(RedisStore::open(&self.url(), Options::default()).await.unwrap())
    }
}

pub(super) fn a_server() -> Server {
    Server::start("always")
}

store_conformance!(a_server);

#[tokio::test]
async fn a_redis_that_would_lose_letters_is_refused_unless_that_is_accepted() {
    let server = Server::start("everysec");

    let refused = RedisStore::open(&server.url(), Options::default()).await.unwrap_err();
    let accepted = Options { accept_loss: true, ..Options::default() };
    let accepted = RedisStore::open(&server.url(), accepted).await;

    assert!(refused.to_string().contains("appendfsync is everysec, not always"), "{refused}");
    accepted.unwrap().close().await;
}

#[tokio::test]
async fn a_commit_in_doubt_is_answered_as_such_and_its_repeat_finds_out() {
    let mut server = a_server();
    let store = server.open().await;
    store.commit(FAMILY, founding([PHONE])).await.unwrap();
    let mut told = Vec::new();
    for n in 1..=5 {
        server.kill();
        let in_doubt = store.commit(FAMILY, message(PHONE, n, b"x")).await;
        assert!(matches!(in_doubt, Err(StoreError::Unavailable { .. })), "{in_doubt:?}");
        server.process = Server::run(server.folder.path(), "always");
        let repeated = loop {
            match store.commit(FAMILY, message(PHONE, n, b"x")).await {
                Err(StoreError::Unavailable { .. }) => {}
                answered => break answered.unwrap(),
            }
        };
        told.push(repeated.first);
    }
    store.close().await;

    assert_eq!(told, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn two_relays_share_what_is_due_and_one_that_is_left_looks_at_all() {
    let server = a_server();
    let open = async || RedisStore::open(&server.url(), Options::default()).await.unwrap();
    let (first, second) = (open().await, open().await);
    let count = |store: &RedisStore| store.share.own().iter().filter(|own| **own).count();

    until(|| count(&first) + count(&second) == 256 && count(&first) > 0).await;
    second.close().await;
    until(|| count(&first) == 256).await;
    first.close().await;
}

/// Waits for it, but not for ever.
async fn until(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited in vain");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_was_handed_in_is_answered_also_where_the_store_is_closed_meanwhile() {
    let server = a_server();
    let waits = Options { replicas: 1, ..Options::default() };
    let store = Arc::new(RedisStore::open(&server.url(), waits).await.unwrap());
    let commit = |batch| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.commit(FAMILY, batch).await })
    };
    // There is no replica: it is written, and waits for one. The next is a group of its own.
    let first = commit(founding([PHONE]));
    let began = Instant::now();
    while store.state(FAMILY).await.unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited in vain");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let second = commit(message(PHONE, 1, b"x"));
    until(|| store.queue.waiting_count() == 1).await;

    tokio::time::timeout(Duration::from_secs(60), store.close()).await.expect("it closes");

    for commit in [first, second] {
        assert!(commit.await.unwrap().is_err(), "no replica has it");
    }
}

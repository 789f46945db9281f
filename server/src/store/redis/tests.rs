//! The promises of every store, kept by a real redis-server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiashu_tests::cluster::TestCluster;
use jiashu_tests::redis::TestRedis;
use jiashu_tests::sentinel::TestSentinel;
use jiashu_tests::until;

use super::{Options, RedisStore};
use crate::store::conformance::{FAMILY, Home, PHONE, founding, message, store_conformance};
use crate::store::{Store, StoreError};

#[async_trait]
impl Home for TestRedis {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(RedisStore::open(&self.url(), Options::default()).await.unwrap())
    }
}

/// Servers for many cases, since they take a moment to come about.
struct ForAll {
    url: String,
    options: Options,
    opened: Mutex<Vec<Arc<dyn Store>>>,
}

impl ForAll {
    fn at(url: String, options: Options) -> Self {
        Self { url, options, opened: Mutex::default() }
    }

    /// A store that was not closed would say that it lives, in what is to be empty.
    async fn close(&self) {
        let opened = std::mem::take(&mut *self.opened.lock().unwrap());
        for store in opened {
            store.close().await;
        }
    }
}

#[async_trait]
impl Home for ForAll {
    async fn open(&self) -> Arc<dyn Store> {
        let store = RedisStore::open(&self.url, self.options.clone()).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        self.opened.lock().unwrap().push(store.clone());
        store
    }
}

store_conformance!(TestRedis::start);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_keeps_the_same_promises() {
    let cluster = TestCluster::start(0).await;
    let home = ForAll::at(cluster.url(), Options::default());
    store_conformance!(in turn on &home, then {
        home.close().await;
        cluster.empty();
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_whose_replica_is_waited_for_keeps_the_same_promises() {
    let sentinel = TestSentinel::start().await;
    let waits = Options { replicas: 1, ..Options::default() };
    let home = ForAll::at(sentinel.url(), waits);
    store_conformance!(in turn on &home, then {
        home.close().await;
        sentinel.empty();
    });
}

#[tokio::test]
async fn where_a_bucket_has_gone_to_another_server_its_replicas_are_waited_for() {
    let cluster = TestCluster::start(1).await;
    let waits = Options { replicas: 1, ..Options::default() };
    let store = RedisStore::open(&cluster.url(), waits).await.unwrap();
    store.commit(FAMILY, founding([PHONE])).await.unwrap();

    cluster.hand_over(cluster.master_of(FAMILY.0)).await;
    let written = until("it is acknowledged there", async || {
        store.commit(FAMILY, message(PHONE, 1, b"x")).await.ok()
    })
    .await;

    assert_eq!(written.first, 1);
    store.close().await;
}

#[tokio::test]
async fn a_redis_that_would_lose_letters_is_refused_unless_that_is_accepted() {
    let server = TestRedis::syncing("everysec").await;

    let refused = RedisStore::open(&server.url(), Options::default()).await.unwrap_err();
    let accepted = Options { accept_loss: true, ..Options::default() };
    let accepted = RedisStore::open(&server.url(), accepted).await;

    assert!(refused.to_string().contains("appendfsync is everysec, not always"), "{refused}");
    accepted.unwrap().close().await;
}

#[tokio::test]
async fn a_commit_in_doubt_is_answered_as_such_and_its_repeat_finds_out() {
    let mut server = TestRedis::start().await;
    let store = server.open().await;
    store.commit(FAMILY, founding([PHONE])).await.unwrap();
    let mut told = Vec::new();
    for n in 1..=5 {
        server.kill9();
        let in_doubt = store.commit(FAMILY, message(PHONE, n, b"x")).await;
        assert!(matches!(in_doubt, Err(StoreError::Unavailable { .. })), "{in_doubt:?}");
        server.restart().await;
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
    let server = TestRedis::start().await;
    let open = async || RedisStore::open(&server.url(), Options::default()).await.unwrap();
    let (first, second) = (open().await, open().await);
    let count = |store: &RedisStore| store.share.own().iter().filter(|own| **own).count();

    until("each has its share", async || {
        (count(&first) + count(&second) == 256 && count(&first) > 0).then_some(())
    })
    .await;
    second.close().await;
    until("one has all", async || (count(&first) == 256).then_some(())).await;
    first.close().await;
}

#[tokio::test]
async fn what_was_handed_in_is_answered_also_where_the_store_is_closed_meanwhile() {
    let server = TestRedis::start().await;
    let waits = Options { replicas: 1, ..Options::default() };
    let store = Arc::new(RedisStore::open(&server.url(), waits).await.unwrap());
    let commit = |batch| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.commit(FAMILY, batch).await })
    };
    // There is no replica: it is written, and waits for one. The next is a group of its own.
    let first = commit(founding([PHONE]));
    until("it is written", async || store.state(FAMILY).await.unwrap()).await;
    let second = commit(message(PHONE, 1, b"x"));
    until("the second waits", async || (store.queue.waiting_count() == 1).then_some(())).await;

    tokio::time::timeout(Duration::from_secs(60), store.close()).await.expect("it closes");

    for commit in [first, second] {
        assert!(commit.await.unwrap().is_err(), "no replica has it");
    }
}

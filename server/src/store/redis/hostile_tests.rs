//! A Redis, or something in its place, that answers wrongly: nothing panics, and nothing is acknowledged that is
//! not there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiashu_tests::redis::TestRedis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::{Options, RedisStore};
use crate::store::conformance::{FAMILY, NOW, PHONE, founding, message, whole_log};
use crate::store::{Store, StoreError};

/// What stands in the place of each answer.
const LIES: [&[u8]; 14] = [
    b"$-1\r\n",
    b"*-1\r\n",
    b":7\r\n",
    b":-1\r\n",
    b"+OK\r\n",
    b"*0\r\n",
    b"*2\r\n$1\r\nx\r\n*1\r\n$-1\r\n",
    b"$3\r\nabc\r\n",
    b"-LOADING Redis is loading the dataset in memory\r\n",
    b"-READONLY You can't write against a read only replica.\r\n",
    b"-BUSY Redis is busy running a script.\r\n",
    b"-MOVED 3999 127.0.0.1:1\r\n",
    b"*99999999\r\n",
    b"what is this\r\n",
];

/// Answers that break off: the connection is closed behind them.
const TORN: [&[u8]; 3] = [b"", b"$100\r\nab", b"*3\r\n$1\r\nx\r\n"];

/// Stands before a Redis; once it lies, each answer is this.
struct Liar {
    lies: Arc<AtomicBool>,
    socket: PathBuf,
}

impl Liar {
    fn before(redis: &Path, folder: &Path, lie: &'static [u8], closes: bool) -> Self {
        let socket = folder.join("liar");
        let listener = UnixListener::bind(&socket).unwrap();
        let (lies, redis) = (Arc::new(AtomicBool::new(false)), redis.to_owned());
        let at_will = Arc::clone(&lies);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&redis).await.unwrap();
                tokio::spawn(pass_on(client, server, Arc::clone(&at_will), lie, closes));
            }
        });
        Self { lies, socket }
    }
}

async fn pass_on(
    client: UnixStream,
    server: UnixStream,
    lies: Arc<AtomicBool>,
    lie: &'static [u8],
    closes: bool,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    });
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
        let is_lie = lies.load(Ordering::SeqCst);
        let answer = if is_lie { lie } else { &bytes[..count] };
        if to_client.write_all(answer).await.is_err() || (is_lie && closes) {
            return;
        }
    }
}

/// Commits, reads and looks while each answer is that; what was acknowledged must be there afterwards.
async fn lied_to(lie: &'static [u8], closes: bool) {
    const WITHIN: Duration = Duration::from_secs(2);
    let (server, folder) = (TestRedis::start().await, tempfile::tempdir().unwrap());
    let liar = Liar::before(&server.socket(), folder.path(), lie, closes);
    let url = format!("redis+unix://{}", liar.socket.display());
    let store = RedisStore::open(&url, Options::default()).await.unwrap();
    store.commit(FAMILY, founding([PHONE])).await.unwrap();
    store.commit(FAMILY, message(PHONE, 1, b"before")).await.unwrap();

    liar.lies.store(true, Ordering::SeqCst);
    let mut acknowledged = 1;
    for n in 2..5 {
        let commit = timeout(WITHIN, store.commit(FAMILY, message(PHONE, n, b"x"))).await;
        acknowledged += u64::from(matches!(commit, Ok(Ok(_))));
    }
    let _ = timeout(WITHIN, store.state(FAMILY)).await;
    let _ = timeout(WITHIN, store.due(NOW, 10)).await;
    let _ = timeout(WITHIN, store.next_due()).await;
    let _ = timeout(WITHIN, store.facts(FAMILY, "")).await;
    let _ = timeout(WITHIN, store.cursors(FAMILY)).await;
    liar.lies.store(false, Ordering::SeqCst);

    let honest = RedisStore::open(&server.url(), Options::default()).await.unwrap();
    let there = whole_log(&honest).await.head;
    assert!(there >= acknowledged, "{}: {acknowledged} of {there}", lie.escape_ascii());
    // And it is of use again, once it is told the truth.
    let again = format!("of use again after {}", lie.escape_ascii());
    jiashu_tests::until(&again, async || {
        let state = store.state(FAMILY).await;
        (!matches!(state, Err(StoreError::Unavailable { .. }))).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_answers_are_no_acknowledgements_and_no_panics() {
    let wrong = LIES.into_iter().map(|lie| (lie, false));
    let torn = TORN.into_iter().map(|lie| (lie, true));
    let all = wrong.chain(torn).map(|(lie, closes)| lied_to(lie, closes));
    futures_util::future::join_all(all).await;
}

#[tokio::test]
async fn many_who_wait_for_a_redis_that_does_not_answer_are_told_together() {
    let mut server = TestRedis::start().await;
    let store = RedisStore::open(&server.url(), Options::default()).await.unwrap();
    server.kill9();
    std::fs::remove_file(server.socket()).unwrap();
    let _mute = UnixListener::bind(server.socket()).unwrap();

    // The old connection is found to be gone; from then on each needs a new one.
    store.state(FAMILY).await.unwrap_err();
    // One after the other, each would take the time of a connection.
    let asked = futures_util::future::join_all((0..100).map(|_| store.state(FAMILY)));
    let told = timeout(Duration::from_secs(60), asked).await.expect("they are told");

    assert!(told.iter().all(Result::is_err));
}

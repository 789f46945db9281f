//! The way to Redis: few connections that many share, and what may go wrong on it.
//!
//! Every answer is read strictly: one that is not of the kind asked for is an error of the store, never a value.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, PushInfo, PushKind, Script, Value};
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use super::address::Source;
use super::answer::{array, bytes, number};
use super::connection::{Connection, Each};
use super::durability::Condition;
use super::fence::Written;
use super::layout::{BUCKETS, Damaged, WAKES, bucket_wakes, fence_key};
use crate::store::StoreError;

/// Where what servers push comes from.
pub(super) type Pushed = UnboundedSender<PushInfo>;

/// An fsync under load, a rewritten log: an answer may take so long. The library's default is half a second.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The same of a cluster, whose client may wait for a server that is gone: who asks again gets a new one.
pub(super) const CLUSTER_ANSWERS_WITHIN: Duration = Duration::from_secs(4);

/// How long a connection may take.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// How long after it could not be reached it is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How long replicas may take to have what was written.
const REPLICAS_WITHIN: Duration = Duration::from_secs(2);

/// Why something could not be had of Redis.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It is not reached, does not answer, or refuses.
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// What stands there does not read.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// Others changed the scope each time before it was written.
    #[error("too many write to this scope at once")]
    Crowded,
    /// It does not keep what it acknowledges any more.
    #[error("this Redis would lose letters: {0}")]
    Weak(String),
    /// Too few replicas have it.
    #[error("{0} replicas have it, of {1}")]
    TooFew(u64, usize),
    /// The server that is asked does not have it, or has what came after: another one may be the master now.
    #[error("another server may be the master now, and may not have it")]
    InDoubt,
    /// It could not be reached a moment ago.
    #[error("it could not be reached a moment ago")]
    Away,
    /// It began to write its log anew and did not come through.
    #[error("Redis could not write its log anew; its own log says why")]
    NotRewritten,
    /// It is not ready yet.
    #[error("it still reads what it kept")]
    Loading,
    /// Nobody answered in time.
    #[error("no answer in time")]
    Silent,
    /// The address is none.
    #[error("{0}")]
    Address(&'static str),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable { backend: "redis", source: Box::new(failure) }
    }
}

/// Connections, until one of them breaks.
#[derive(Clone)]
struct Current {
    /// Another one with each that is made.
    id: u64,
    /// When it was made.
    at: Instant,
    shared: Connection,
    /// For what keeps a connection waiting.
    fence: Connection,
    /// Whether replicas can be waited for until it is on their disks: Redis 7.2, Valkey.
    has_waitaof: bool,
}

#[derive(Default)]
struct Connections {
    made: u64,
    current: Option<Current>,
    /// When it could not be reached last: those who waited for that need not each try again.
    failed_at: Option<Instant>,
}

/// The shared connections; cheap to clone.
#[derive(Clone)]
pub(super) struct Link {
    source: Arc<Source>,
    connections: Arc<Mutex<Connections>>,
    condition: Arc<Condition>,
}

impl Link {
    /// Connects.
    pub(super) async fn open(
        url: &str,
        ca: Option<&[u8]>,
        condition: Arc<Condition>,
    ) -> Result<Self, Failure> {
        let source = Source::parse(url, ca)?;
        let link = Self { source: Arc::new(source), connections: Arc::default(), condition };
        link.current().await?;
        Ok(link)
    }

    /// Whether several servers share the buckets.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(*self.source, Source::Cluster(_))
    }

    /// What it leads to.
    pub(super) fn kind(&self) -> &'static str {
        match &*self.source {
            Source::Direct(_) => "Redis",
            Source::Sentinel(_) => "Redis behind Sentinel",
            Source::Cluster(_) => "Redis Cluster",
        }
    }

    /// Whether replicas can be waited for until it is on their disks.
    pub(super) async fn has_waitaof(&self) -> Result<bool, Failure> {
        Ok(self.current().await?.has_waitaof)
    }

    /// The one server that is written to.
    async fn client(&self) -> Result<Client, Failure> {
        match &*self.source {
            Source::Direct(client) => Ok(Client::clone(client)),
            Source::Sentinel(sentinel) => {
                let mut sentinel = sentinel.lock().await;
                let client = timeout(CONNECT_WITHIN, sentinel.async_get_client()).await;
                Ok(client.map_err(|_| Failure::Silent)??)
            }
            Source::Cluster(_) => Err(Failure::Address("a cluster is more than one server")),
        }
    }

    /// The connections; new ones where there are none.
    async fn current(&self) -> Result<Current, Failure> {
        let current = self.connect().await;
        match &current {
            // Why has been told.
            Ok(_) | Err(Failure::Away) => {}
            Err(failure) => self.condition.failed(&failure.to_string()),
        }
        current
    }

    async fn connect(&self) -> Result<Current, Failure> {
        let mut connections = self.connections.lock().await;
        if let Some(current) = &connections.current {
            return Ok(current.clone());
        }
        if connections.failed_at.is_some_and(|at| at.elapsed() < TRY_AGAIN_AFTER) {
            return Err(Failure::Away);
        }
        let made = self.make(connections.made.wrapping_add(1)).await;
        match &made {
            Ok(current) => {
                *connections = Connections {
                    made: current.id,
                    current: Some(current.clone()),
                    failed_at: None,
                };
            }
            Err(_) => connections.failed_at = Some(Instant::now()),
        }
        made
    }

    async fn make(&self, id: u64) -> Result<Current, Failure> {
        let (shared, mut fence) = match &*self.source {
            Source::Cluster(cluster) => {
                let client = cluster.client()?;
                let connect = async || {
                    let connection = timeout(ANSWER_WITHIN, client.get_async_connection()).await;
                    Ok::<_, Failure>(Connection::Cluster(connection.map_err(|_| Failure::Silent)??))
                };
                (connect().await?, connect().await?)
            }
            _ => {
                let client = self.client().await?;
                let config = AsyncConnectionConfig::new()
                    .set_response_timeout(Some(ANSWER_WITHIN))
                    .set_connection_timeout(Some(CONNECT_WITHIN));
                let connect = async || {
                    let connection = client.get_multiplexed_async_connection_with_config(&config);
                    Ok::<_, Failure>(Connection::One(connection.await?))
                };
                (connect().await?, connect().await?)
            }
        };
        let mut known = redis::cmd("COMMAND");
        known.arg("INFO").arg("WAITAOF");
        let known = array(known.query_async(&mut fence).await?)?;
        let has_waitaof = matches!(known.first(), Some(Value::Array(_)));
        Ok(Current { id, at: Instant::now(), shared, fence, has_waitaof })
    }

    /// What came; a connection that broke, or that leads to a server which is no master any more, is not used
    /// again, unless it is new. That of a cluster, too, though it should mend itself: a new one knows at once where the slots
    /// are now, and the old may wait for a server that is gone.
    async fn came<T>(&self, id: u64, answer: Result<T, impl Into<Failure>>) -> Result<T, Failure> {
        let answer = answer.map_err(Into::into);
        match &answer {
            Ok(_) => self.condition.worked(),
            Err(Failure::Redis(error))
                if error.is_unrecoverable_error() || error.is_timeout() || is_elsewhere(error) =>
            {
                self.condition.failed(&error.to_string());
                let mut connections = self.connections.lock().await;
                connections
                    .current
                    .take_if(|current| current.id == id && current.at.elapsed() > TRY_AGAIN_AFTER);
            }
            Err(_) => {}
        }
        answer
    }

    /// What relays tell each other, from now on, over a connection of its own.
    pub(super) async fn listen(&self) -> Result<BoxStream<'static, Vec<u8>>, Failure> {
        let Source::Cluster(cluster) = &*self.source else {
            let client = self.client().await?;
            let listening = timeout(CONNECT_WITHIN, client.get_async_pubsub()).await;
            let mut listening = listening.map_err(|_| Failure::Silent)??;
            listening.subscribe(WAKES).await?;
            let heard = listening.into_on_message();
            return Ok(heard.map(|message| message.get_payload_bytes().to_vec()).boxed());
        };
        let (to, mut from) = tokio::sync::mpsc::unbounded_channel();
        let client = cluster.listening_client(to)?;
        let connection = timeout(ANSWER_WITHIN, client.get_async_connection()).await;
        let mut connection = connection.map_err(|_| Failure::Silent)??;
        for bucket in 0..BUCKETS {
            connection.ssubscribe(bucket_wakes(bucket)).await?;
        }
        let heard = futures_util::stream::poll_fn(move |task| {
            // It listens as long as it stands here, and subscribes again where a server changes.
            let _ = &connection;
            from.poll_recv(task)
        });
        let payload = |pushed: PushInfo| async move {
            let PushInfo { kind: PushKind::SMessage, mut data } = pushed else { return None };
            data.pop().and_then(|payload| bytes(payload).ok().flatten())
        };
        Ok(heard.filter_map(payload).boxed())
    }

    /// The answers to commands, as many as were asked. The first argument of each is a key.
    pub(super) async fn ask(&self, pipe: &Pipeline) -> Result<Vec<Value>, Failure> {
        if pipe.is_empty() {
            return Ok(Vec::new());
        }
        let mut current = self.current().await?;
        let answers = current.shared.ask(pipe).await;
        let answers = self.came(current.id, answers).await?;
        if answers.len() == pipe.len() { Ok(answers) } else { Err(Damaged("an answer").into()) }
    }

    /// What each server answers that may be written to.
    pub(super) async fn ask_each(&self, cmd: &Cmd) -> Result<Vec<Each>, Failure> {
        let mut current = self.current().await?;
        let answers = current.shared.ask_each(cmd).await;
        self.came(current.id, answers).await
    }

    /// All keys of that pattern, some perhaps twice.
    pub(super) async fn scan(&self, pattern: &str) -> Result<Vec<Vec<u8>>, Failure> {
        let mut current = self.current().await?;
        let keys = current.shared.scan(pattern).await;
        self.came(current.id, keys).await
    }

    /// The answers to so many commands about one scope, all as of one moment.
    pub(super) async fn ask_atomic(
        &self,
        pipe: &Pipeline,
        asked: usize,
    ) -> Result<Vec<Value>, Failure> {
        let mut current = self.current().await?;
        let answers = pipe.query_async::<Vec<Value>>(&mut current.shared).await;
        let answers = self.came(current.id, answers).await?;
        if answers.len() == asked { Ok(answers) } else { Err(Damaged("an answer").into()) }
    }

    /// What a script answers.
    pub(super) async fn script(
        &self,
        script: &Script,
        keys: &[&str],
        args: &[Vec<u8>],
    ) -> Result<Value, Failure> {
        let mut invocation = script.prepare_invoke();
        for key in keys {
            invocation.key(*key);
        }
        for arg in args {
            invocation.arg(arg);
        }
        let mut current = self.current().await?;
        let answer = invocation.invoke_async(&mut current.shared).await;
        self.came(current.id, answer).await
    }

    /// Of each bucket the number of the server that has it now.
    pub(super) async fn servers(&self) -> Result<BTreeMap<u64, usize>, Failure> {
        let mut current = self.current().await?;
        let servers = current.fence.servers().await;
        self.came(current.id, servers).await
    }

    /// Of each of these scopes, of buckets that one server has, whether that has this version of it; and how many
    /// replicas have, on disk where they say so, all that it has.
    pub(super) async fn replicas_with(
        &self,
        writes: &[&Written],
        wanted: usize,
    ) -> Result<(Vec<bool>, u64), Failure> {
        let mut current = self.current().await?;
        let bucket = writes.first().map_or(0, |written| written.bucket);
        let mut pipe = redis::pipe();
        for written in writes {
            pipe.cmd("HGET").arg(&written.scope_key).arg("v");
        }
        pipe.cmd("INCR").arg(fence_key(bucket));
        let within = REPLICAS_WITHIN.as_millis().to_string();
        pipe.cmd("WAIT").arg(wanted).arg(&within);
        if current.has_waitaof {
            // After WAIT: a replica tells of its disk when it is asked, and had not synced yet when WAIT
            // asked. Alone it would be told by the next of its own reports, once a second.
            pipe.cmd("WAITAOF").arg(0).arg(wanted).arg(within);
        }
        let answers = current.fence.ask_server_of(bucket, &pipe).await;
        let mut answers = self.came(current.id, answers).await?.into_iter();
        let mut stands = Vec::with_capacity(writes.len());
        for written in writes {
            let version = bytes(answers.next().unwrap_or_default())?;
            stands.push(version.as_ref() == Some(&written.version));
        }
        match answers.as_slice() {
            [_, _, Value::Array(counts)] => {
                Ok((stands, number(counts.get(1).unwrap_or(&Value::Nil))?))
            }
            [_, count] => Ok((stands, number(count)?)),
            _ => Err(Damaged("an answer").into()),
        }
    }
}

/// A server that was the master, or will be. Where slots went the library does not follow in a transaction, nor to
/// a server that was named.
fn is_elsewhere(error: &redis::RedisError) -> bool {
    let elsewhere = ["READONLY", "MASTERDOWN", "LOADING", "EXECABORT", "MOVED"];
    error.code().is_some_and(|code| elsewhere.contains(&code))
}

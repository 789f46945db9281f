//! The way to Redis: few connections that many share, and what may go wrong on it.
//!
//! Every answer is read strictly: one that is not of the kind asked for is an error of the store, never a value.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, Pipeline, RedisResult, Script, TlsCertificates,
    TlsMode, Value,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::durability::Condition;
use super::layout::{Damaged, FENCE};
use crate::store::StoreError;

/// An fsync under load, a rewritten log: an answer may take so long. The library's default is half a second.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

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
    /// It was written to a server that is not the master any more, or may not be.
    #[error("another server is the master now, and may not have it")]
    InDoubt,
    /// It could not be reached a moment ago.
    #[error("it could not be reached a moment ago")]
    Away,
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

/// Where the master is.
enum Source {
    /// At an address that stays.
    Direct(Box<Client>),
    /// Where the sentinels say.
    Sentinel(Box<Mutex<SentinelClient>>),
}

/// Connections to one server, until one of them breaks.
#[derive(Clone)]
struct Current {
    /// Another one with each connection that is made.
    id: u64,
    client: Client,
    shared: MultiplexedConnection,
    /// For what keeps a connection waiting.
    fence: MultiplexedConnection,
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
        let certificates =
            ca.map(|ca| TlsCertificates { client_tls: None, root_cert: Some(ca.to_vec()) });
        let source = match (url.split_once("+sentinel://"), certificates) {
            (Some((scheme, rest)), certificates) => {
                let sentinel = sentinel(scheme == "rediss", rest, certificates)?;
                Source::Sentinel(Box::new(Mutex::new(sentinel)))
            }
            (None, Some(certificates)) => {
                Source::Direct(Box::new(Client::build_with_tls(url, certificates)?))
            }
            (None, None) => Source::Direct(Box::new(Client::open(url)?)),
        };
        let link = Self { source: Arc::new(source), connections: Arc::default(), condition };
        link.current().await?;
        Ok(link)
    }

    async fn client(&self) -> Result<Client, Failure> {
        match &*self.source {
            Source::Direct(client) => Ok(Client::clone(client)),
            Source::Sentinel(sentinel) => {
                let mut sentinel = sentinel.lock().await;
                let client = timeout(CONNECT_WITHIN, sentinel.async_get_client()).await;
                Ok(client.map_err(|_| Failure::Silent)??)
            }
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
        let client = self.client().await?;
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(ANSWER_WITHIN))
            .set_connection_timeout(Some(CONNECT_WITHIN));
        let shared = client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut fence = client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut known = redis::cmd("COMMAND");
        known.arg("INFO").arg("WAITAOF");
        let known = array(known.query_async(&mut fence).await?)?;
        let has_waitaof = matches!(known.first(), Some(Value::Array(_)));
        Ok(Current { id, client, shared, fence, has_waitaof })
    }

    /// What came; a connection that broke, or that leads to a server which is no master any more, is not used
    /// again.
    async fn came<T>(&self, id: u64, answer: RedisResult<T>) -> Result<T, Failure> {
        match &answer {
            Ok(_) => self.condition.worked(),
            Err(error)
                if error.is_unrecoverable_error() || error.is_timeout() || is_elsewhere(error) =>
            {
                self.condition.failed(&error.to_string());
                let mut connections = self.connections.lock().await;
                connections.current.take_if(|current| current.id == id);
            }
            Err(_) => {}
        }
        Ok(answer?)
    }

    /// A connection of its own, for what is pushed.
    pub(super) async fn listen(&self) -> Result<redis::aio::PubSub, Failure> {
        let client = self.current().await?.client;
        let listening = timeout(CONNECT_WITHIN, client.get_async_pubsub()).await;
        Ok(listening.map_err(|_| Failure::Silent)??)
    }

    /// The answers to commands, as many as were asked.
    pub(super) async fn ask(&self, pipe: &Pipeline) -> Result<Vec<Value>, Failure> {
        if pipe.is_empty() {
            return Ok(Vec::new());
        }
        self.ask_atomic(pipe, pipe.len()).await
    }

    /// The answers to so many commands, all as of one moment if the pipeline is atomic.
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
        self.script_over(script, keys, args).await.map(|(answer, _)| answer)
    }

    /// What a script answers, and over which connection.
    pub(super) async fn script_over(
        &self,
        script: &Script,
        keys: &[&str],
        args: &[Vec<u8>],
    ) -> Result<(Value, u64), Failure> {
        let mut invocation = script.prepare_invoke();
        for key in keys {
            invocation.key(*key);
        }
        for arg in args {
            invocation.arg(arg);
        }
        let mut current = self.current().await?;
        let answer = invocation.invoke_async(&mut current.shared).await;
        Ok((self.came(current.id, answer).await?, current.id))
    }

    /// The connection in use.
    pub(super) async fn id(&self) -> Result<u64, Failure> {
        Ok(self.current().await?.id)
    }

    /// How many replicas have, on disk where they say so, what was written over that connection. Another
    /// server may be the master by now, and its replicas know nothing of it: then it is in doubt.
    pub(super) async fn replicas_with(&self, id: u64, wanted: usize) -> Result<u64, Failure> {
        let mut current = self.current().await?;
        if current.id != id {
            return Err(Failure::InDoubt);
        }
        let mut pipe = redis::pipe();
        pipe.cmd("INCR").arg(FENCE);
        let within = REPLICAS_WITHIN.as_millis().to_string();
        pipe.cmd("WAIT").arg(wanted).arg(&within);
        if current.has_waitaof {
            // After WAIT: a replica tells of its disk when it is asked, and had not synced yet when WAIT
            // asked. Alone it would be told by the next of its own reports, once a second.
            pipe.cmd("WAITAOF").arg(0).arg(wanted).arg(within);
        }
        let answers = pipe.query_async::<Vec<Value>>(&mut current.fence).await;
        match self.came(id, answers).await?.as_slice() {
            [_, _, Value::Array(counts)] => Ok(number(counts.get(1).unwrap_or(&Value::Nil))?),
            [_, count] => Ok(number(count)?),
            _ => Err(Damaged("an answer").into()),
        }
    }
}

/// A server that was the master, or will be.
fn is_elsewhere(error: &redis::RedisError) -> bool {
    matches!(error.code(), Some("READONLY" | "MASTERDOWN" | "LOADING"))
}

/// The sentinels of `HOST:PORT,HOST:PORT/NAME`, perhaps with the master's `USER:PASSWORD@` before.
fn sentinel(
    secure: bool,
    rest: &str,
    certificates: Option<TlsCertificates>,
) -> Result<SentinelClient, Failure> {
    let wrong =
        || Failure::Address("sentinels are written redis+sentinel://HOST:PORT,HOST:PORT/NAME");
    let (place, name) =
        rest.rsplit_once('/').filter(|(_, name)| !name.is_empty()).ok_or_else(wrong)?;
    let (secret, hosts) = match place.rsplit_once('@') {
        Some((secret, hosts)) => (Some(secret), hosts),
        None => (None, place),
    };
    let address = |text: &str| {
        let (host, port) = text.rsplit_once(':')?;
        Some(ConnectionAddr::Tcp(host.to_owned(), port.parse().ok()?))
    };
    let sentinels: Option<Vec<_>> = hosts.split(',').map(address).collect();
    let sentinels = sentinels.ok_or_else(wrong)?;
    let mut builder = SentinelClientBuilder::new(sentinels, name, SentinelServerType::Master)?;
    if secure {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        builder = builder.set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder.set_client_to_redis_certificates(certificates.clone());
        builder = builder.set_client_to_sentinel_certificates(certificates);
    }
    if let Some(secret) = secret {
        let (user, password) = secret.split_once(':').unwrap_or(("", secret));
        builder = builder.set_client_to_redis_password(password);
        if !user.is_empty() {
            builder = builder.set_client_to_redis_username(user);
        }
    }
    Ok(builder.build()?)
}

/// Bytes, or nothing.
pub(super) fn bytes(value: Value) -> Result<Option<Vec<u8>>, Damaged> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        _ => Err(Damaged("an answer that is no bytes")),
    }
}

/// Several.
pub(super) fn array(value: Value) -> Result<Vec<Value>, Damaged> {
    match value {
        Value::Array(values) | Value::Set(values) => Ok(values),
        _ => Err(Damaged("an answer that is no list")),
    }
}

/// Several, each bytes.
pub(super) fn all_bytes(value: Value) -> Result<Vec<Vec<u8>>, Damaged> {
    let each = array(value)?.into_iter().map(bytes);
    each.map(|one| one?.ok_or(Damaged("an answer with a hole"))).collect()
}

/// A field and its value, or a member and its score.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// Pairs: of a hash its fields, of a sorted set its members with their scores.
pub(super) fn pairs(value: Value) -> Result<Vec<Pair>, Damaged> {
    let flat = all_bytes(value)?;
    let (pairs, rest) = flat.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Damaged("an answer that is no pairs"));
    }
    Ok(pairs.iter().map(|[one, other]| (one.clone(), other.clone())).collect())
}

/// A number.
pub(super) fn number(value: &Value) -> Result<u64, Damaged> {
    match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| Damaged("a number")),
        _ => Err(Damaged("an answer that is no number")),
    }
}

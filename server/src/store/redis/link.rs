//! The way to Redis: few connections that many share, and what may go wrong on it.
//!
//! Every answer is read strictly: one that is not of the kind asked for is an error of the store, never a value.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Pipeline, Script, Value};

use super::layout::Damaged;
use crate::store::StoreError;

/// An fsync under load, a rewritten log: an answer may take so long. The library's default is half a second.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// How often a command that finds no connection tries to make one before it fails; the next tries again.
const RETRIES: usize = 2;

/// How long it waits at most before it tries again to connect.
const RETRY_WITHIN: Duration = Duration::from_millis(250);

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
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable { backend: "redis", source: Box::new(failure) }
    }
}

/// The shared connection; cheap to clone.
#[derive(Clone)]
pub(super) struct Link {
    client: Client,
    shared: ConnectionManager,
}

impl Link {
    /// Connects.
    pub(super) async fn open(url: &str) -> Result<Self, Failure> {
        let client = Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(ANSWER_WITHIN))
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_number_of_retries(RETRIES)
            .set_max_delay(RETRY_WITHIN);
        let shared = client.get_connection_manager_with_config(config).await?;
        Ok(Self { client, shared })
    }

    /// A connection of its own, for what is pushed.
    pub(super) async fn listen(&self) -> Result<redis::aio::PubSub, Failure> {
        Ok(self.client.get_async_pubsub().await?)
    }

    /// The answers to commands, as many as were asked.
    pub(super) async fn ask(&self, pipe: &Pipeline) -> Result<Vec<Value>, Failure> {
        let asked = pipe.len();
        if asked == 0 {
            return Ok(Vec::new());
        }
        let answers: Vec<Value> = pipe.query_async(&mut self.shared.clone()).await?;
        if answers.len() == asked { Ok(answers) } else { Err(Damaged("an answer").into()) }
    }

    /// The answers to so many commands, all as of one moment.
    pub(super) async fn ask_atomic(
        &self,
        pipe: &Pipeline,
        asked: usize,
    ) -> Result<Vec<Value>, Failure> {
        let answers: Vec<Value> = pipe.query_async(&mut self.shared.clone()).await?;
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
        Ok(invocation.invoke_async(&mut self.shared.clone()).await?)
    }
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

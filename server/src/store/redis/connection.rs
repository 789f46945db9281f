//! A connection to one server, or to all of a cluster, behind one face.
//!
//! A cluster takes what touches one bucket as one server would; what touches several is taken apart here, and told
//! to each server by itself.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::try_join_all;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{
    MultipleNodeRoutingInfo, Route, RoutingInfo, SingleNodeRoutingInfo, Slot, SlotAddr,
};
use redis::{Arg, Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value};

use super::answer::{array, bytes, number};
use super::layout::{BUCKETS, Damaged, fence_key};
use super::link::Failure;

/// Names that one answer to SCAN may hold, about.
const SCANNED_AT_ONCE: usize = 1_000;

/// Shared by many; cheap to clone.
#[derive(Clone)]
pub(super) enum Connection {
    /// To one server.
    One(MultiplexedConnection),
    /// To those of a cluster.
    Cluster(ClusterConnection),
}

/// What one server answers: its name, empty if it is the only one, and that, or its error.
pub(super) type Each = (String, Result<Value, RedisError>);

impl Connection {
    /// Commands whose first argument is a key, of any buckets; the answers in their order.
    pub(super) async fn ask(&mut self, pipe: &Pipeline) -> RedisResult<Vec<Value>> {
        let Self::Cluster(cluster) = self else { return pipe.query_async(self).await };
        let mut by_slot: HashMap<Slot, (Pipeline, Vec<usize>)> = HashMap::new();
        for (place, cmd) in pipe.cmd_iter().enumerate() {
            let (pipe, places) = by_slot.entry(slot_of(cmd)).or_default();
            pipe.add_command(cmd.clone());
            places.push(place);
        }
        let asked = by_slot.into_values().map(|(pipe, places)| {
            let mut cluster = cluster.clone();
            async move {
                let answers: Vec<Value> = pipe.query_async(&mut cluster).await?;
                Ok::<_, RedisError>(places.into_iter().zip(answers))
            }
        });
        let answers: BTreeMap<_, _> = try_join_all(asked).await?.into_iter().flatten().collect();
        Ok(answers.into_values().collect())
    }

    /// What each server answers that may be written to.
    pub(super) async fn ask_each(&mut self, cmd: &Cmd) -> RedisResult<Vec<Each>> {
        let cluster = match self {
            Self::Cluster(cluster) => cluster,
            Self::One(connection) => {
                return match cmd.query_async(connection).await {
                    Err(error) if error.code().is_none() => Err(error),
                    answer => Ok(vec![(String::new(), answer)]),
                };
            }
        };
        let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let Value::Map(answers) = cluster.route_command(cmd.clone(), all).await? else {
            return Ok(Vec::new());
        };
        let each = answers.into_iter().map(|(name, answer)| {
            let name = bytes(name).ok().flatten().unwrap_or_default();
            let answer = match answer {
                Value::ServerError(error) => Err(error.into()),
                answer => Ok(answer),
            };
            (String::from_utf8_lossy(&name).into_owned(), answer)
        });
        Ok(each.collect())
    }

    /// All keys of that pattern, some perhaps twice.
    pub(super) async fn scan(&mut self, pattern: &str) -> Result<Vec<Vec<u8>>, Failure> {
        let mut keys = Vec::new();
        for (server, _) in self.ask_each(&redis::cmd("PING")).await? {
            let mut cursor = b"0".to_vec();
            loop {
                let mut scan = redis::cmd("SCAN");
                scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(SCANNED_AT_ONCE);
                let mut answer = array(self.ask_server(&server, scan).await?)?.into_iter();
                let mut next = || answer.next().ok_or(Damaged("an answer"));
                cursor = bytes(next()?)?.ok_or(Damaged("an answer"))?;
                for key in array(next()?)? {
                    keys.extend(bytes(key)?);
                }
                if cursor == b"0" {
                    break;
                }
            }
        }
        Ok(keys)
    }

    async fn ask_server(&mut self, server: &str, cmd: Cmd) -> Result<Value, Failure> {
        match self {
            Self::One(connection) => Ok(cmd.query_async(connection).await?),
            Self::Cluster(cluster) => {
                let (host, port) = server.rsplit_once(':').ok_or(Damaged("a server's name"))?;
                let port = port.parse().map_err(|_| Damaged("a server's name"))?;
                let host = host.to_owned();
                let there = SingleNodeRoutingInfo::ByAddress { host, port };
                Ok(cluster.route_command(cmd, RoutingInfo::SingleNode(there)).await?)
            }
        }
    }

    /// Commands about buckets of one server, the first of which is given, whatever they are.
    pub(super) async fn ask_server_of(
        &mut self,
        bucket: u64,
        pipe: &Pipeline,
    ) -> RedisResult<Vec<Value>> {
        match self {
            Self::One(connection) => pipe.query_async(connection).await,
            Self::Cluster(cluster) => {
                let route = Route::with_key(fence_key(bucket), SlotAddr::Master);
                let there = SingleNodeRoutingInfo::SpecificNode(route);
                let answers = cluster.route_pipeline(pipe.clone(), 0, pipe.len(), there).await?;
                // Raw, as they came: a bucket that has gone elsewhere is an error of all.
                answers.into_iter().map(Value::extract_error).collect()
            }
        }
    }

    /// Of each bucket the number of the server that has it now.
    pub(super) async fn servers(&mut self) -> Result<BTreeMap<u64, usize>, Failure> {
        let Self::Cluster(cluster) = self else {
            return Ok((0..BUCKETS).map(|bucket| (bucket, 0)).collect());
        };
        let buckets: HashMap<_, _> =
            (0..BUCKETS).map(|bucket| (Slot::for_key(fence_key(bucket)), bucket)).collect();
        let mut slots = redis::cmd("CLUSTER");
        slots.arg("SLOTS");
        let mut servers = BTreeMap::new();
        for (server, range) in array(slots.query_async(cluster).await?)?.into_iter().enumerate() {
            let range = array(range)?;
            let [first, last, ..] = range.as_slice() else {
                return Err(Damaged("the slots of a cluster").into());
            };
            let slots = number(first)?..=number(last)?;
            let slots = slots.filter_map(|slot| Slot::new(u16::try_from(slot).ok()?));
            let here = slots.filter_map(|slot| buckets.get(&slot));
            servers.extend(here.map(|bucket| (*bucket, server)));
        }
        Ok(servers)
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(cmd),
            Self::Cluster(cluster) => cluster.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(connection) => connection.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}

/// Where the key of a command belongs.
fn slot_of(cmd: &Cmd) -> Slot {
    match cmd.args_iter().nth(1) {
        Some(Arg::Simple(key)) => Slot::for_key(key),
        _ => Slot::for_key(""),
    }
}

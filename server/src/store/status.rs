//! What an operator is told about a store: what it is, what it promises as it is set now, what could go wrong.

use serde::Serialize;

/// A store as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreStatus {
    /// Which: `embedded`, `Redis`, `Redis behind Sentinel`, `Redis Cluster`.
    pub kind: &'static str,
    /// What makes what it acknowledges durable, as found just now.
    pub durability: Vec<Setting>,
    /// What could be lost, in one sentence.
    pub could_lose: String,
    /// The servers that are written to; one, or those of a cluster.
    pub servers: Vec<ServerStatus>,
    /// So many replicas must have a letter before it is acknowledged.
    pub replicas_waited_for: usize,
    /// Of several relays at one store, how what is due is shared.
    pub share: Option<ShareStatus>,
}

/// A setting that durability rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Of which server; empty if there is only one.
    pub server: String,
    /// Its name.
    pub name: &'static str,
    /// As it is; `None` if that is hidden.
    pub is: Option<String>,
    /// As it should be.
    pub wanted: &'static str,
    /// What comes of it where it is not.
    pub why: &'static str,
}

impl Setting {
    /// Whether it is as it should be.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.is.as_deref() == Some(self.wanted)
    }

    /// What is wrong, if it is not.
    #[must_use]
    pub fn weakness(&self) -> Option<String> {
        let Self { server, name, wanted, why, .. } = self;
        let of = if server.is_empty() { String::new() } else { format!("{server}: ") };
        match &self.is {
            Some(is) if is == wanted => None,
            Some(is) => Some(format!("{of}{name} is {is}, not {wanted}: {why}")),
            None => Some(format!("{of}whether {name} is {wanted} cannot be seen")),
        }
    }
}

/// A server that is written to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServerStatus {
    /// Where; empty if there is only one.
    pub name: String,
    /// What it is, with its version.
    pub version: String,
    /// What it holds, in bytes: of Redis in memory, of the embedded store its file and log.
    pub used_bytes: Option<u64>,
    /// How much it may hold, in bytes; `None` if only the machine says.
    pub most_bytes: Option<u64>,
    /// Who has what it has.
    pub replicas: Vec<ReplicaStatus>,
}

/// A replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplicaStatus {
    /// Where.
    pub name: String,
    /// `online` where it follows.
    pub state: String,
    /// So many bytes are not there yet.
    pub lag_bytes: u64,
}

/// How what is due is shared by relays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ShareStatus {
    /// Relays that live.
    pub relays: usize,
    /// Buckets that this one looks after.
    pub own_buckets: usize,
    /// All buckets.
    pub buckets: usize,
}

//! Whether this Redis keeps what it acknowledges: looked at before the first commit, and again and again, as an
//! operator may set it otherwise.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::link::{Failure, Link, bytes, pairs};
use crate::store::Health;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How often while something is wrong.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What it is to be set to, and why.
const SETTINGS: [(&str, &str, &str); 3] = [
    (
        "appendfsync",
        "always",
        "what was acknowledged in the last second is gone after a power failure",
    ),
    ("no-appendfsync-on-rewrite", "no", "nothing is synced while the log is rewritten"),
    ("maxmemory-policy", "noeviction", "letters are thrown away where memory is short"),
];

/// How it was found last.
#[derive(Debug, Default)]
pub(super) struct Condition(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    /// Why nothing is committed.
    weak: Option<String>,
    /// Why nothing can be.
    unreachable: Option<String>,
}

impl Condition {
    /// Why nothing may be committed, if so.
    pub(super) fn refuses(&self) -> Option<String> {
        super::lock(&self.0).weak.clone()
    }

    pub(super) fn health(&self) -> Health {
        let found = super::lock(&self.0);
        let why = found.weak.as_ref().or(found.unreachable.as_ref());
        why.map_or(Health::Ok, |why| Health::Degraded(format!("redis: {why}")))
    }

    fn set(&self, looked: Result<Vec<String>, Failure>, accept_loss: bool) -> bool {
        let found = match looked {
            Ok(weak) if weak.is_empty() || accept_loss => Found::default(),
            Ok(weak) => Found { weak: Some(weak.join("; ")), unreachable: None },
            // What it was found to be before still counts.
            Err(failure) => {
                let weak = super::lock(&self.0).weak.take();
                Found { weak, unreachable: Some(failure.to_string()) }
            }
        };
        let is_well = found.weak.is_none() && found.unreachable.is_none();
        *super::lock(&self.0) = found;
        is_well
    }
}

/// Looks at it until `stop`.
pub(super) async fn watch(
    link: Link,
    condition: Arc<Condition>,
    accept_loss: bool,
    stop: CancellationToken,
) {
    let mut pause = LOOK_EVERY;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let is_well = condition.set(weaknesses(&link).await, accept_loss);
        if !is_well {
            tracing::error!(health = ?condition.health(), "the store is not as it should be");
        }
        pause = if is_well { LOOK_EVERY } else { LOOK_AGAIN };
    }
}

/// Why it would lose what it has acknowledged, a line each.
pub(super) async fn weaknesses(link: &Link) -> Result<Vec<String>, Failure> {
    let mut weak = Vec::new();
    let mut info = redis::pipe();
    info.cmd("INFO").arg("persistence");
    let info = bytes(link.ask(&info).await?.pop().unwrap_or_default())?.unwrap_or_default();
    let info = String::from_utf8_lossy(&info).into_owned();
    let says = |line: &str| info.lines().any(|one| one.trim_end() == line);
    if !says("aof_enabled:1") {
        weak.push("appendonly is no: what was acknowledged is gone when it ends".to_owned());
    } else if !says("aof_last_write_status:ok") {
        weak.push("it cannot write its log".to_owned());
    }
    for (name, wanted, why) in SETTINGS {
        let mut config = redis::pipe();
        config.cmd("CONFIG").arg("GET").arg(name);
        let set = match link.ask(&config).await {
            Ok(mut answers) => pairs(answers.pop().unwrap_or_default())?,
            // An operator who hides it must say what it is.
            Err(Failure::Redis(error)) if error.code().is_some() => Vec::new(),
            Err(failure) => return Err(failure),
        };
        let set: BTreeMap<_, _> = set.into_iter().collect();
        match set.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value)) {
            Some(value) if value == wanted => {}
            Some(value) => weak.push(format!("{name} is {value}, not {wanted}: {why}")),
            None => weak.push(format!("whether {name} is {wanted} cannot be seen")),
        }
    }
    Ok(weak)
}

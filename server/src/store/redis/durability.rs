//! Whether this Redis keeps what it acknowledges: looked at before the first commit, and again and again, as an
//! operator may set it otherwise.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::link::{Failure, Link, bytes, pairs};
use crate::store::Health;

/// How often it is looked at while something is wrong.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// While all is well it is looked at once a minute: each 30th time.
const LOOKS: u32 = 30;

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
pub(super) struct Condition {
    found: Mutex<Found>,
    /// Looked at with every answer, so without the lock.
    is_unreachable: AtomicBool,
}

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
        super::lock(&self.found).weak.clone()
    }

    pub(super) fn health(&self) -> Health {
        let found = super::lock(&self.found);
        let why = found.weak.as_ref().or(found.unreachable.as_ref());
        why.map_or(Health::Ok, |why| Health::Degraded(format!("redis: {why}")))
    }

    /// It did not answer, or with an error: told once.
    pub(super) fn failed(&self, why: &str) {
        let before = super::lock(&self.found).unreachable.replace(why.to_owned());
        self.is_unreachable.store(true, Ordering::Relaxed);
        if before.is_none() {
            tracing::error!(why, "the store cannot be used for now");
        }
    }

    /// It answered.
    pub(super) fn worked(&self) {
        if self.is_unreachable.swap(false, Ordering::Relaxed) {
            super::lock(&self.found).unreachable = None;
            tracing::info!("the store can be used again");
        }
    }

    fn found_weak(&self, weaknesses: &[String]) {
        let weak = (!weaknesses.is_empty()).then(|| weaknesses.join("; "));
        let before = std::mem::replace(&mut super::lock(&self.found).weak, weak.clone());
        if let Some(why) = weak.filter(|_| before.is_none()) {
            tracing::error!(why, "acknowledged letters could be lost: none is taken");
        }
    }
}

/// Looks at it until `stop`.
pub(super) async fn watch(
    link: Link,
    condition: Arc<Condition>,
    accept_loss: bool,
    stop: CancellationToken,
) {
    let mut looks = 0_u32;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        looks = looks.wrapping_add(1);
        if condition.health() == Health::Ok && !looks.is_multiple_of(LOOKS) {
            continue;
        }
        // Whether it answers the link has noted.
        if let Ok(weaknesses) = weaknesses(&link).await
            && !accept_loss
        {
            condition.found_weak(&weaknesses);
        }
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

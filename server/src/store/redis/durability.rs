//! Whether this Redis keeps what it acknowledges: looked at before the first commit, and again and again, as an
//! operator may set it otherwise.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::answer::{bytes, pairs};
use super::link::{Failure, Link};
use crate::store::Health;
use crate::store::status::Setting;

/// How often it is looked at while something is wrong.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// While all is well it is looked at once a minute: each 30th time.
const LOOKS: u32 = 30;

/// So long after something failed it counts as that: where one of several servers fails, others answer.
const FAILED_FOR: Duration = Duration::from_secs(1);

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
    /// Why nothing can be, and when that was last so.
    unreachable: Option<(String, Instant)>,
}

impl Condition {
    /// Why nothing may be committed, if so.
    pub(super) fn refuses(&self) -> Option<String> {
        super::lock(&self.found).weak.clone()
    }

    pub(super) fn health(&self) -> Health {
        let found = super::lock(&self.found);
        let unreachable = found.unreachable.as_ref().map(|(why, _)| why);
        let why = found.weak.as_ref().or(unreachable);
        why.map_or(Health::Ok, |why| Health::Degraded(format!("redis: {why}")))
    }

    /// It did not answer, or with an error: told once.
    pub(super) fn failed(&self, why: &str) {
        let now = (why.to_owned(), Instant::now());
        let before = super::lock(&self.found).unreachable.replace(now);
        self.is_unreachable.store(true, Ordering::Relaxed);
        if before.is_none() {
            tracing::error!(why, "the store cannot be used for now");
        }
    }

    /// It answered; of a cluster perhaps another server than the one that does not.
    pub(super) fn worked(&self) {
        if !self.is_unreachable.load(Ordering::Relaxed) {
            return;
        }
        let lasts = |(_, at): &mut (String, Instant)| at.elapsed() > FAILED_FOR;
        if super::lock(&self.found).unreachable.take_if(lasts).is_some() {
            self.is_unreachable.store(false, Ordering::Relaxed);
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
    Ok(settings(link).await?.iter().filter_map(Setting::weakness).collect())
}

/// What its durability rests on, of each server.
pub(super) async fn settings(link: &Link) -> Result<Vec<Setting>, Failure> {
    let mut settings = Vec::new();
    let mut info = redis::cmd("INFO");
    info.arg("persistence");
    for (server, info) in link.ask_each(&info).await? {
        let info = bytes(info?)?.unwrap_or_default();
        let info = String::from_utf8_lossy(&info).into_owned();
        let says = |line: &str| info.lines().any(|one| one.trim_end() == line);
        // Until it has read its log, some say that they keep none.
        if says("loading:1") {
            return Err(Failure::Loading);
        }
        let yes = |holds| Some(if holds { "yes" } else { "no" }.to_owned());
        settings.push(Setting {
            server: server.clone(),
            name: "appendonly",
            is: yes(says("aof_enabled:1")),
            wanted: "yes",
            why: "what was acknowledged is gone when it ends",
        });
        settings.push(Setting {
            server,
            name: "writes its log",
            is: yes(!says("aof_enabled:1") || says("aof_last_write_status:ok")),
            wanted: "yes",
            why: "its disk is full or fails",
        });
    }
    for (name, wanted, why) in SETTINGS {
        let mut config = redis::cmd("CONFIG");
        config.arg("GET").arg(name);
        for (server, set) in link.ask_each(&config).await? {
            // An operator who hides it must say what it is.
            let set = set.map_or(Ok(Vec::new()), pairs)?;
            let set: BTreeMap<_, _> = set.into_iter().collect();
            let is = set.get(name.as_bytes()).map(|is| String::from_utf8_lossy(is).into_owned());
            settings.push(Setting { server, name, is, wanted, why });
        }
    }
    Ok(settings)
}

//! What an operator really has: for people as a page, for programs as JSON. It names no family.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Mutex;

use crate::cleaning::{self, Unclean};
use crate::relay::Relay;
use crate::store::status::StoreStatus;
use crate::store::{Health, StoreError};

mod page;

/// A relay as it is now.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Of this program.
    pub version: &'static str,
    /// Of the rules of time zones that are compiled in.
    pub zones: &'static str,
    /// Since when this process runs, in s.
    pub up_s: u64,
    /// `ok`, or why not.
    pub health: String,
    /// WebSockets that are open here.
    pub connections: i64,
    /// What is due.
    pub due: DueStatus,
    /// Since when what was deleted cannot be cleaned from the store's files, and why; `None` where it can.
    pub unclean: Option<Unclean>,
    /// What keeps the letters; `None` if it cannot be asked.
    pub store: Option<StoreStatus>,
}

/// How far what is due has come.
#[derive(Debug, Default, Serialize)]
pub struct DueStatus {
    /// Items whose time has come and that are not done.
    pub overdue: u64,
    /// All items that wait.
    pub pending: u64,
    /// How long the first of them has waited beyond its time, in ms.
    pub lag_ms: i64,
    /// Fired since this process began.
    pub fired: u64,
    /// Of those, more than a minute late.
    pub fired_late: u64,
}

/// The status as it was a moment ago: whoever may ask, and however often, the store is asked once a second.
#[derive(Debug, Default)]
pub struct Latest(Mutex<Option<(Instant, Arc<Status>)>>);

/// How old it may be.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// The status, looked up if it is not fresh.
pub async fn of(relay: &Relay) -> Arc<Status> {
    let mut latest = relay.status.0.lock().await;
    match &*latest {
        Some((at, status)) if at.elapsed() < FRESH_FOR => Arc::clone(status),
        _ => {
            let status = Arc::new(look_up(relay).await);
            *latest = Some((Instant::now(), Arc::clone(&status)));
            status
        }
    }
}

async fn look_up(relay: &Relay) -> Status {
    let health = match relay.store.health() {
        Health::Ok => "ok".to_owned(),
        Health::Degraded(why) => format!("degraded: {why}"),
    };
    Status {
        version: env!("CARGO_PKG_VERSION"),
        zones: jiashu_recurrence::ZONES,
        up_s: relay.began.elapsed().as_secs(),
        health,
        connections: relay.metrics.connections.get(),
        due: due(relay).await.unwrap_or_default(),
        unclean: cleaning::unclean(&*relay.store).await.ok().flatten(),
        store: relay.store.status().await.ok(),
    }
}

async fn due(relay: &Relay) -> Result<DueStatus, StoreError> {
    let now = relay.clock.now();
    let count = relay.store.due_count(now).await?;
    let next = relay.store.next_due().await?;
    Ok(DueStatus {
        overdue: count.overdue,
        pending: count.pending,
        lag_ms: next.map_or(0, |next| now.saturating_sub(next).max(0)),
        fired: relay.metrics.fired.get(),
        fired_late: relay.metrics.fired_late.get(),
    })
}

impl Status {
    /// For a program.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("writing to memory cannot fail")
    }

    /// For people.
    #[must_use]
    pub fn to_html(&self) -> String {
        page::page(self)
    }
}

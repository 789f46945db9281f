//! Who may come, and how much each may ask: what keeps one peer from hurting the others.
//!
//! Places at the door are counted (`guests`) by whose they are (`address`); what costs the relay
//! work is paced (`pace`). All of it is counters in memory: no address is logged or written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub mod address;

pub mod guests;

pub mod pace;

use crate::config::Limits as Config;
use crate::metrics::Metrics;
use address::Networks;
use guests::Guests;
use pace::Pace;

/// What was refused is logged at most so often, as counts.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// The limits of one relay, and how far they are used up.
#[derive(Debug)]
pub struct Limits {
    /// Places at the door.
    pub guests: Arc<Guests>,
    /// How fast.
    pub pace: Pace,
    /// Whose word on addresses is taken.
    pub proxies: Networks,
    /// Who is told how the relay does.
    pub operators: Networks,
    refused: Mutex<Refused>,
}

/// What was refused since the log was told.
#[derive(Debug, Default)]
struct Refused {
    told_at: Option<Instant>,
    counts: BTreeMap<&'static str, u64>,
}

impl Limits {
    /// Nobody is here yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            guests: Arc::new(Guests::new(config.places())),
            pace: Pace::new(config),
            proxies: config.proxies(),
            operators: config.operators(),
            refused: Mutex::default(),
        }
    }

    /// Counts that this limit refused something. The log hears of the first at once.
    pub fn refuse(&self, limit: &'static str, metrics: &Metrics) {
        metrics.limit(limit);
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.counts.entry(limit).or_default() += 1;
        refused.tell();
    }

    /// Forgets what has no more effect, and tells the log what it has not heard. To be called
    /// every minute.
    pub fn sweep(&self) {
        self.guests.sweep(Instant::now());
        self.pace.sweep();
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).tell();
    }
}

impl Refused {
    fn tell(&mut self) {
        let due = self.told_at.is_none_or(|at| at.elapsed() >= LOG_EVERY);
        if !due || self.counts.is_empty() {
            return;
        }
        self.told_at = Some(Instant::now());
        let counts = std::mem::take(&mut self.counts);
        let counts: Vec<_> =
            counts.iter().map(|(limit, count)| format!("{limit} {count}")).collect();
        tracing::warn!("limits refused: {}", counts.join(", "));
    }
}

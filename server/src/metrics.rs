//! What an operator can count. No label names a family, a person or an address.

use std::sync::atomic::AtomicI64;

use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::Millis;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::notify::mailer::Outcome;
use crate::notify::outbox::About;
use crate::store::DueCount;

/// An occurrence fired later than this after its time counts as late, in ms.
const LATE_MS: Millis = 60_000;

/// A second, a minute, an outage of a few hours, of days.
const LATENESS_S: [f64; 8] = [0.1, 1.0, 10.0, 60.0, 600.0, 3_600.0, 86_400.0, 604_800.0];

/// Why something was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Code {
    code: &'static str,
}

/// Which limit was met.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Limit {
    limit: &'static str,
}

/// What an e-mail was about, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MailOutcome {
    about: &'static str,
    outcome: &'static str,
}

/// The figures of one relay process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// WebSockets that are open.
    pub connections: Gauge<i64, AtomicI64>,
    /// Rounds over `POST /1`.
    pub rounds: Counter,
    /// Commands done, repeats included.
    pub commands: Counter,
    /// Commands refused.
    pub refused: Family<Code, Counter>,
    /// Connections and commands refused, and sockets closed, by a limit.
    pub limited: Family<Limit, Counter>,
    /// Entries handed to devices.
    pub delivered: Counter,
    /// Occurrences of schedules that released a letter.
    pub fired: Counter,
    /// Of those, fired more than a minute after their time.
    pub fired_late: Counter,
    /// How long after their time they fired, in seconds.
    pub lateness: Histogram,
    /// Occurrences for which there was no letter.
    pub missed: Counter,
    /// Letters that were worth nothing any more before they came to all.
    pub expired: Counter,
    /// Bytes of voice notes that were stored.
    pub voice_stored: Counter,
    /// Bytes of voice notes that were handed out, to members and by links.
    pub voice_handed_out: Counter,
    /// E-mails handed to whoever takes mail, by what came of it.
    pub mails: Family<MailOutcome, Counter>,
    /// E-mails of which it is not noted yet what came of this try.
    pub mails_under_way: Gauge<i64, AtomicI64>,
    /// Whether the store takes what it is given, 1 or 0, at the last look.
    pub store_writes: Gauge<i64, AtomicI64>,
    /// Whether what was deleted cannot be cleaned from the store's files, 1 or 0, at the last look.
    pub store_unclean: Gauge<i64, AtomicI64>,
    /// Items whose time has come and that are not done, at the last look.
    pub due: Gauge<i64, AtomicI64>,
    /// All items that wait for their time, at the last look.
    pub pending: Gauge<i64, AtomicI64>,
}

/// One that is under way.
#[derive(Debug)]
pub struct UnderWay(Gauge<i64, AtomicI64>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("jiashu");
        let connections = Gauge::default();
        let (rounds, commands, delivered) =
            (Counter::default(), Counter::default(), Counter::default());
        let (fired, fired_late) = (Counter::default(), Counter::default());
        let (missed, expired) = (Counter::default(), Counter::default());
        let (due, pending) = (Gauge::default(), Gauge::default());
        let (voice_stored, voice_handed_out) = (Counter::default(), Counter::default());
        let (store_writes, store_unclean) = (Gauge::default(), Gauge::default());
        let lateness = Histogram::new(LATENESS_S);
        let (refused, limited) = (Family::default(), Family::default());
        let (mails, mails_under_way) = (Family::default(), Gauge::default());
        registry.register("connections", "WebSockets that are open", connections.clone());
        registry.register("rounds", "Rounds over POST /1", rounds.clone());
        registry.register("commands", "Commands done, repeats included", commands.clone());
        registry.register("refused", "Commands refused", refused.clone());
        registry.register("limited", "Refused or closed by a limit", limited.clone());
        registry.register("delivered", "Entries handed to devices", delivered.clone());
        registry.register("fired", "Occurrences of schedules fired", fired.clone());
        registry.register(
            "fired_late",
            "Occurrences fired more than a minute after their time",
            fired_late.clone(),
        );
        let help = "How long after its time an occurrence fired";
        registry.register_with_unit("lateness", help, Unit::Seconds, lateness.clone());
        registry.register("missed", "Occurrences without a letter that might move", missed.clone());
        let help = "Letters worth nothing any more before they came to all";
        registry.register("expired", help, expired.clone());
        let help = "Of voice notes that were stored";
        registry.register_with_unit("voice_stored", help, Unit::Bytes, voice_stored.clone());
        let help = "Of voice notes that were handed out";
        let handed_out = voice_handed_out.clone();
        registry.register_with_unit("voice_handed_out", help, Unit::Bytes, handed_out);
        registry.register("mails", "E-mails handed over, by what came of it", mails.clone());
        let help = "E-mails that are being handed over";
        registry.register("mails_under_way", help, mails_under_way.clone());
        let help = "Whether the store takes what it is given";
        registry.register("store_writes", help, store_writes.clone());
        let help = "Whether what was deleted cannot be cleaned from the store's files";
        registry.register("store_unclean", help, store_unclean.clone());
        registry.register("due", "Items whose time has come", due.clone());
        registry.register("pending", "Items that wait for their time, or are due", pending.clone());
        Self {
            registry,
            connections,
            rounds,
            commands,
            refused,
            limited,
            delivered,
            fired,
            fired_late,
            lateness,
            missed,
            expired,
            voice_stored,
            voice_handed_out,
            mails,
            mails_under_way,
            store_writes,
            store_unclean,
            due,
            pending,
        }
    }

    /// Counts an e-mail as under way for as long as this is kept.
    #[must_use]
    pub fn under_way(&self) -> UnderWay {
        self.mails_under_way.inc();
        UnderWay(self.mails_under_way.clone())
    }

    /// Counts an occurrence that released its letter so long after its time.
    pub fn fire(&self, late_ms: Millis) {
        self.fired.inc();
        if late_ms > LATE_MS {
            self.fired_late.inc();
        }
        let late_ms = u32::try_from(late_ms.max(0)).unwrap_or(u32::MAX);
        self.lateness.observe(f64::from(late_ms) / 1_000.0);
    }

    /// Notes how much is due.
    pub fn note_due(&self, count: DueCount) {
        let shown = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.due.set(shown(count.overdue));
        self.pending.set(shown(count.pending));
    }

    /// Counts a refusal.
    pub fn refuse(&self, code: ErrorCode) {
        self.refused.get_or_create(&Code { code: code.name() }).inc();
    }

    /// Counts an e-mail, and what came of it.
    pub fn mailed(&self, about: &About, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Taken => "taken",
            Outcome::Refused { for_good: true, .. } => "refused",
            Outcome::Refused { .. } | Outcome::NotReached(_) => "put_off",
            Outcome::Unknown(_) => "unknown",
        };
        self.mails.get_or_create(&MailOutcome { about: about.name(), outcome }).inc();
    }

    /// Counts what a limit refused.
    pub fn limit(&self, limit: &'static str) {
        self.limited.get_or_create(&Limit { limit }).inc();
    }

    /// The figures in the OpenMetrics text format.
    #[must_use]
    pub fn as_text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to memory cannot fail");
        text
    }
}

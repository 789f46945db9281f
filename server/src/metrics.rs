//! What an operator can count. No label names a family, a person or an address.

use std::sync::atomic::AtomicI64;

use jiashu_proto::error::ErrorCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

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
    /// Occurrences of schedules fired.
    pub fired: Counter,
    /// Of those, fired more than a minute after their time.
    pub fired_late: Counter,
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
        let (refused, limited) = (Family::default(), Family::default());
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
        }
    }

    /// Counts a refusal.
    pub fn refuse(&self, code: ErrorCode) {
        self.refused.get_or_create(&Code { code: code.name() }).inc();
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

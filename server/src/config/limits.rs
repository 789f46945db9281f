//! The limits that an operator may set: key, unit, default and range of each.

use std::num::NonZeroU32;
use std::time::Duration;

use jiashu_proto::bounds;
use jiashu_proto::id::Millis;

use super::ConfigError;
use crate::family::blob::Quota;
use crate::family::invites::InviteTerms;
use crate::limits::address::Networks;
use crate::limits::guests::Places;
use crate::limits::pace::Rate;
use crate::listener::upgrade::Terms;
use crate::listener::watch::Patience;

/// How much and how long. What the defaults are for stands in docs/PROTOCOL.md, section 12.
#[derive(Clone, Debug, confique::Config)]
pub struct Limits {
    /// How long the TLS handshake, the head of an HTTP request and again its body may take, in ms.
    #[config(env = "JIASHU_HANDSHAKE_MS", default = 15_000)]
    pub handshake_ms: u64,

    /// How long a WebSocket may take until its first frame, in ms; then it is closed with 4008.
    #[config(env = "JIASHU_FIRST_FRAME_MS", default = 10_000)]
    pub first_frame_ms: u64,

    /// How long a connection may take nothing of what was sent to it, or acknowledge nothing, in
    /// ms; then it is closed with 4009.
    #[config(env = "JIASHU_NO_PROGRESS_MS", default = 120_000)]
    pub no_progress_ms: u64,

    /// How long the relay waits for its connections when it stops, in ms.
    #[config(env = "JIASHU_DRAIN_MS", default = 10_000)]
    pub drain_ms: u64,

    /// Request line and headers of an HTTP request, in bytes; more is answered 431, or cut off.
    #[config(env = "JIASHU_HEAD_BYTES", default = 8192)]
    pub head_bytes: usize,

    /// Headers of an HTTP request; more is answered 431.
    #[config(env = "JIASHU_HEADERS", default = 32)]
    pub headers: usize,

    /// A WebSocket message to the relay, in bytes; a longer one closes with 1009.
    #[config(env = "JIASHU_MESSAGE_BYTES", default = 65_536)]
    pub message_bytes: usize,

    /// Fragments of one WebSocket message; more close with 1008.
    #[config(env = "JIASHU_FRAGMENTS", default = 64)]
    pub fragments: u32,

    /// How long one WebSocket message may take from its first byte to its last, in ms; then the
    /// connection is closed with 1008.
    #[config(env = "JIASHU_MESSAGE_MS", default = 30_000)]
    pub message_ms: u64,

    /// Frames that are read from one WebSocket in a second, in the long run; twenty times as many at
    /// once. Who sends more is read more slowly.
    #[config(env = "JIASHU_FRAMES_PER_SECOND", default = 20)]
    pub frames_per_second: u32,

    /// How long a WebSocket may be open before somebody says a hello on it that holds, in ms; then
    /// it is closed with 4008.
    #[config(env = "JIASHU_STRANGER_MS", default = 300_000)]
    pub stranger_ms: u64,

    /// Entries sent to one connection and not yet acknowledged; the rest stays in the log.
    #[config(env = "JIASHU_UNREAD_ENTRIES", default = 64)]
    pub unread_entries: usize,

    /// The same in bytes; one entry is always sent.
    #[config(env = "JIASHU_UNREAD_BYTES", default = 262_144)]
    pub unread_bytes: usize,

    /// The sealed body of one message, in bytes; a longer one is answered `too_large`.
    #[config(env = "JIASHU_SEALED_BYTES", default = 16_384)]
    pub sealed_bytes: usize,

    /// Commands of one device in a minute, in the long run; more are answered `slow_down`.
    #[config(env = "JIASHU_POSTS_PER_MINUTE", default = 100)]
    pub posts_per_minute: u32,

    /// Commands of one device at once, after a rest: an outbox after weeks offline.
    #[config(env = "JIASHU_POSTS_BURST", default = 300)]
    pub posts_burst: u32,

    /// Commands of one family in a minute, and at once; more are answered `slow_down`.
    #[config(env = "JIASHU_FAMILY_POSTS_PER_MINUTE", default = 600)]
    pub family_posts_per_minute: u32,

    /// What costs the relay work and needs no hello (look, join, setup, request, hand in), in a
    /// minute from one address, and twice as many at once; more is answered `slow_down`.
    #[config(env = "JIASHU_KNOCKS_PER_MINUTE", default = 120)]
    pub knocks_per_minute: u32,

    /// Connections in all; more are answered 503. Each takes a file: see `ulimit -n`.
    #[config(env = "JIASHU_CONNECTIONS", default = 10_000)]
    pub connections: usize,

    /// Connections of one address, as of a school or a carrier's network; more are answered 429. Of
    /// an IPv6 address the first 64 bits count.
    #[config(env = "JIASHU_CONNECTIONS_PER_ADDRESS", default = 200)]
    pub connections_per_address: usize,

    /// Connections of one device; the newest wins, and the oldest is closed with 4001.
    #[config(env = "JIASHU_CONNECTIONS_PER_DEVICE", default = 2)]
    pub connections_per_device: usize,

    /// Connections that have not yet shown a token that holds, in all; more are answered 503.
    #[config(env = "JIASHU_STRANGERS", default = 500)]
    pub strangers: usize,

    /// The same of one address, and one more for each hello that held there within the last 10
    /// minutes; more are answered 429.
    #[config(env = "JIASHU_STRANGERS_PER_ADDRESS", default = 10)]
    pub strangers_per_address: usize,

    /// Invites of a family that are open at once; more are answered `full`.
    #[config(env = "JIASHU_OPEN_INVITES", default = 12)]
    pub open_invites: usize,

    /// How many days an invite may hold from when the relay is told of it; longer ones are answered
    /// `too_large`. Clients make them for 3 days as a link and 30 as a printed card; a day more is
    /// for clocks that differ.
    #[config(env = "JIASHU_INVITE_DAYS", default = 31)]
    pub invite_days: u32,

    /// One voice note, sealed, in bytes; a longer one is answered 413.
    #[config(env = "JIASHU_BLOB_BYTES", default = 1_100_000)]
    pub blob_bytes: u64,

    /// All voice notes of a family, in bytes; more are answered 507.
    #[config(env = "JIASHU_FAMILY_BLOB_BYTES", default = 524_288_000)]
    pub family_blob_bytes: u64,

    /// The same within a day; more are answered 429.
    #[config(env = "JIASHU_FAMILY_BLOB_BYTES_PER_DAY", default = 52_428_800)]
    pub family_blob_bytes_per_day: u64,

    /// How often a voice note may be fetched by the links to it, in all; more is answered 507. 0: by none.
    #[config(env = "JIASHU_LINK_FETCHES", default = 50)]
    pub link_fetches: u32,

    /// Proxies whose word on addresses is taken, as `10.0.0.0/8` or `::1`: from them, and from
    /// nobody else, `X-Forwarded-For` is believed, read from its end. Default: none.
    #[config(
        env = "JIASHU_TRUSTED_PROXIES",
        default = [],
        parse_env = confique::env::parse::list_by_comma
    )]
    pub trusted_proxies: Vec<String>,

    /// Networks from which `/status` and `/metrics` are answered, as `10.0.0.0/8` or `::1`; for all
    /// others they are not there, and for whom a proxy asks that is not trusted. Default: this machine,
    /// and private networks.
    #[config(
        env = "JIASHU_OPERATOR_NETWORKS",
        default = [
            "127.0.0.0/8",
            "::1",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "fc00::/7"
        ],
        parse_env = confique::env::parse::list_by_comma
    )]
    pub operator_networks: Vec<String>,

    /// Whether each connection of a trusted proxy begins with a header of the PROXY protocol,
    /// version 1 or 2, which says for whom it is.
    #[config(env = "JIASHU_PROXY_PROTOCOL", default = false)]
    pub proxy_protocol: bool,
}

/// The highest rate that may be set: as good as none.
const MOST: u32 = 1_000_000_000;

impl Limits {
    /// Refuses what cannot work, by key.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let ms = "is 100 ms to a day";
        let times = [
            ("handshake_ms", self.handshake_ms),
            ("first_frame_ms", self.first_frame_ms),
            ("no_progress_ms", self.no_progress_ms),
            ("message_ms", self.message_ms),
            ("stranger_ms", self.stranger_ms),
        ];
        for (key, value) in times {
            within(key, value, 100, 86_400_000, ms)?;
        }
        within("drain_ms", self.drain_ms, 0, 600_000, "is 0 to 600000 ms")?;
        within("head_bytes", self.head_bytes, 8192, 65_536, "is 8192 to 65536")?;
        within("headers", self.headers, 16, 256, "is 16 to 256")?;
        let largest = bounds::MAX_FRAME;
        within("message_bytes", self.message_bytes, 32_768, largest, "is 32768 to 65536")?;
        within("fragments", self.fragments, 1, 1024, "is 1 to 1024")?;
        let sealed = bounds::MAX_SEALED;
        within("sealed_bytes", self.sealed_bytes, 1024, sealed, "is 1024 to 16384")?;
        within("unread_entries", self.unread_entries, 1, bounds::MAX_ENTRIES, "is 1 to 64")?;
        within("unread_bytes", self.unread_bytes, 1024, 1_048_576, "is 1024 to 1048576")?;
        let blob = "is 1024 to 1099511627776";
        let blobs = [
            ("blob_bytes", self.blob_bytes),
            ("family_blob_bytes", self.family_blob_bytes),
            ("family_blob_bytes_per_day", self.family_blob_bytes_per_day),
        ];
        for (key, value) in blobs {
            within(key, value, 1024, 1 << 40, blob)?;
        }
        within("open_invites", self.open_invites, 1, bounds::MAX_INVITES, "is 1 to 12")?;
        within("invite_days", self.invite_days, 1, 366, "is 1 to 366")?;
        self.check_rates()?;
        self.check_places()?;
        let networks = [
            ("trusted_proxies", &self.trusted_proxies),
            ("operator_networks", &self.operator_networks),
        ];
        let wrong = networks.into_iter().find(|(_, networks)| Networks::parse(networks).is_none());
        let reason = "are addresses, or networks as 10.0.0.0/8";
        wrong.map_or(Ok(()), |(key, _)| Err(ConfigError::Wrong { key, reason }))
    }

    fn check_rates(&self) -> Result<(), ConfigError> {
        let rates = [
            ("frames_per_second", self.frames_per_second),
            ("posts_per_minute", self.posts_per_minute),
            ("posts_burst", self.posts_burst),
            ("family_posts_per_minute", self.family_posts_per_minute),
            ("knocks_per_minute", self.knocks_per_minute),
        ];
        rates
            .into_iter()
            .try_for_each(|(key, rate)| within(key, rate, 1, MOST, "is 1 to 1000000000"))
    }

    fn check_places(&self) -> Result<(), ConfigError> {
        let places = [
            ("connections", self.connections),
            ("connections_per_address", self.connections_per_address),
            ("connections_per_device", self.connections_per_device),
            ("strangers", self.strangers),
            ("strangers_per_address", self.strangers_per_address),
        ];
        places
            .into_iter()
            .try_for_each(|(key, places)| within(key, places, 1, 1_000_000, "is 1 to 1000000"))
    }

    pub(crate) fn posts(&self) -> Rate {
        rate(self.posts_per_minute, self.posts_burst)
    }

    pub(crate) fn family_posts(&self) -> Rate {
        rate(self.family_posts_per_minute, self.family_posts_per_minute)
    }

    pub(crate) fn knocks(&self) -> Rate {
        rate(self.knocks_per_minute, self.knocks_per_minute.saturating_mul(2))
    }

    pub(crate) fn places(&self) -> Places {
        Places {
            all: self.connections,
            of_address: self.connections_per_address,
            strangers: self.strangers,
            strangers_of_address: self.strangers_per_address,
        }
    }

    pub(crate) fn invites(&self) -> InviteTerms {
        let lasts_ms = Millis::from(self.invite_days) * 24 * 60 * 60 * 1000;
        InviteTerms { open: self.open_invites, lasts_ms }
    }

    pub(crate) fn stranger(&self) -> Duration {
        Duration::from_millis(self.stranger_ms)
    }

    /// Nobody, if they do not read: the check has said so before.
    pub(crate) fn proxies(&self) -> Networks {
        Networks::parse(&self.trusted_proxies).unwrap_or_default()
    }

    /// The same.
    pub(crate) fn operators(&self) -> Networks {
        Networks::parse(&self.operator_networks).unwrap_or_default()
    }

    pub(crate) fn quota(&self) -> Quota {
        Quota {
            one: self.blob_bytes,
            family: self.family_blob_bytes,
            day: self.family_blob_bytes_per_day,
        }
    }

    pub(crate) fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_ms)
    }

    pub(crate) fn first_frame(&self) -> Duration {
        Duration::from_millis(self.first_frame_ms)
    }

    pub(crate) fn no_progress(&self) -> Duration {
        Duration::from_millis(self.no_progress_ms)
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }

    pub(crate) fn terms(&self) -> Terms {
        Terms {
            message: self.message_bytes,
            patience: Patience {
                fragments: self.fragments,
                message: Duration::from_millis(self.message_ms),
            },
        }
    }
}

fn rate(per_minute: u32, burst: u32) -> Rate {
    let least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Rate { per_minute: least_one(per_minute), burst: least_one(burst) }
}

fn within<T: PartialOrd>(
    key: &'static str,
    value: T,
    least: T,
    most: T,
    reason: &'static str,
) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(ConfigError::Wrong { key, reason }) }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn limits() -> Limits {
        Config::defaults().limits
    }

    /// A key, and how it is set.
    type Set = (&'static str, fn(&mut Limits, usize));

    #[test]
    fn the_ends_of_each_range_pass_and_one_more_is_named_by_its_key() {
        let cases: [(Set, usize, usize); 22] = [
            (("open_invites", |l, v| l.open_invites = v), 1, 12),
            (("invite_days", |l, v| l.invite_days = number(v)), 1, 366),
            (("unread_entries", |l, v| l.unread_entries = v), 1, 64),
            (("unread_bytes", |l, v| l.unread_bytes = v), 1024, 1_048_576),
            (("handshake_ms", |l, v| l.handshake_ms = v as u64), 100, 86_400_000),
            (("first_frame_ms", |l, v| l.first_frame_ms = v as u64), 100, 86_400_000),
            (("no_progress_ms", |l, v| l.no_progress_ms = v as u64), 100, 86_400_000),
            (("message_ms", |l, v| l.message_ms = v as u64), 100, 86_400_000),
            (("stranger_ms", |l, v| l.stranger_ms = v as u64), 100, 86_400_000),
            (("drain_ms", |l, v| l.drain_ms = v as u64), 0, 600_000),
            (("head_bytes", |l, v| l.head_bytes = v), 8192, 65_536),
            (("headers", |l, v| l.headers = v), 16, 256),
            (("message_bytes", |l, v| l.message_bytes = v), 32_768, 65_536),
            (("fragments", |l, v| l.fragments = number(v)), 1, 1024),
            (("sealed_bytes", |l, v| l.sealed_bytes = v), 1024, 16_384),
            (("posts_per_minute", |l, v| l.posts_per_minute = number(v)), 1, 1_000_000_000),
            (("posts_burst", |l, v| l.posts_burst = number(v)), 1, 1_000_000_000),
            (("knocks_per_minute", |l, v| l.knocks_per_minute = number(v)), 1, 1_000_000_000),
            (("connections", |l, v| l.connections = v), 1, 1_000_000),
            (("connections_per_address", |l, v| l.connections_per_address = v), 1, 1_000_000),
            (("strangers", |l, v| l.strangers = v), 1, 1_000_000),
            (("strangers_per_address", |l, v| l.strangers_per_address = v), 1, 1_000_000),
        ];

        for ((key, set), least, most) in cases {
            let checked = |value| {
                let mut limits = limits();
                set(&mut limits, value);
                limits.check().map_err(|error| error.to_string())
            };
            assert_eq!((checked(least), checked(most)), (Ok(()), Ok(())), "{key}");
            for beyond in [least.checked_sub(1), Some(most + 1)].into_iter().flatten() {
                let error = checked(beyond).unwrap_err();
                assert!(error.starts_with(key), "{error}");
            }
        }
    }

    fn number(value: usize) -> u32 {
        u32::try_from(value).unwrap()
    }

    #[test]
    fn a_proxy_that_is_no_address_is_named_by_its_key() {
        let limits = Limits { trusted_proxies: vec!["proxy.example".into()], ..limits() };

        assert!(limits.check().unwrap_err().to_string().starts_with("trusted_proxies"));
    }
}

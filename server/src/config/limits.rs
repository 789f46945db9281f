//! The limits that an operator may set: key, unit, default and range of each.

use std::time::Duration;

use jiashu_proto::bounds;

use super::ConfigError;
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
}

impl Limits {
    /// Refuses what cannot work, by key.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let ms = "is 100 ms to a day";
        let times = [
            ("handshake_ms", self.handshake_ms),
            ("first_frame_ms", self.first_frame_ms),
            ("no_progress_ms", self.no_progress_ms),
            ("message_ms", self.message_ms),
        ];
        for (key, value) in times {
            within(key, value, 100, 86_400_000, ms)?;
        }
        within("drain_ms", self.drain_ms, 0, 600_000, "is 0 to 600000 ms")?;
        within("head_bytes", self.head_bytes, 8192, 65_536, "is 8192 to 65536")?;
        within("headers", self.headers, 16, 256, "is 16 to 256")?;
        let largest = bounds::MAX_FRAME;
        within("message_bytes", self.message_bytes, 32_768, largest, "is 32768 to 65536")?;
        within("fragments", self.fragments, 1, 1024, "is 1 to 1024")
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
                no_progress: self.no_progress(),
            },
        }
    }
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

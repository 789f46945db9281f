//! The only place that asks what time it is. Rules take `now` as an argument.

use std::sync::atomic::{AtomicI64, Ordering};

use jiashu_proto::id::Millis;
use jiff::{SignedDuration, Timestamp};

/// How far this process is ahead of the machine's clock, in ms.
static AHEAD_MS: AtomicI64 = AtomicI64::new(0);

/// Now, as people and rules reckon.
#[must_use]
pub fn now() -> Timestamp {
    let ahead = SignedDuration::from_millis(AHEAD_MS.load(Ordering::Relaxed));
    machine().checked_add(ahead).unwrap_or(Timestamp::MAX)
}

/// From here on this process lives at that time: for a program that tells a story of weeks.
pub fn live_at(now: Timestamp) {
    AHEAD_MS
        .store(now.as_millisecond().saturating_sub(machine().as_millisecond()), Ordering::Relaxed);
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn machine() -> Timestamp {
    Timestamp::now()
}

/// Now, as it stands on the wire.
#[must_use]
pub fn now_ms() -> Millis {
    now().as_millisecond()
}

/// An instant of the wire; beyond the calendar its nearest end.
#[must_use]
pub fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

//! The only place that asks what time it is. Rules take `now` as an argument.

use jiashu_proto::id::Millis;
use jiff::Timestamp;

/// Now, as people and rules reckon.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Timestamp {
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

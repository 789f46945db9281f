//! Days on the clock of a place, of which those in a pause do not count.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::plan::Pause;

/// The day that it is there.
pub(crate) fn day(at: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(at).date()
}

/// The first instant of a day there, also where its midnight does not exist.
pub(crate) fn first_instant(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let midnight = zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0));
    midnight.compatible().ok()
}

pub(crate) fn is_paused(day: Date, pauses: &[Pause]) -> bool {
    pauses.iter().any(|pause| pause.first <= day && day <= pause.last)
}

/// How many days ago that was at `now`, on the clock of a place: those of a pause do not count.
#[must_use]
pub fn days_since(at: Timestamp, now: Timestamp, pauses: &[Pause], zone: &TimeZone) -> u32 {
    counted(day(at, zone), day(now, zone), pauses)
}

/// Days after `since` up to `day`, without those of a pause.
pub(crate) fn counted(since: Date, day: Date, pauses: &[Pause]) -> u32 {
    let days = since.series(1.day()).skip(1).take_while(|next| *next <= day);
    let counted = days.filter(|next| !is_paused(*next, pauses)).count();
    u32::try_from(counted).unwrap_or(u32::MAX)
}

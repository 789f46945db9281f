//! What a family intends: rules, how late is still kept, and pauses. It belongs to the family, not to a phone.

use jiashu_recurrence::{Rule, occurrences};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::days::{day, is_paused};

/// How long before its hour a contact keeps an occurrence.
pub const EARLY: SignedDuration = SignedDuration::from_hours(24);

/// How late is still kept, of a plan of every day.
pub const DAILY_TOLERANCE: SignedDuration = SignedDuration::from_hours(12);

/// How late is still kept, of any other.
pub const WEEKLY_TOLERANCE: SignedDuration = SignedDuration::from_hours(48);

/// Days on which nothing is expected, as the site's clock has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The first of them.
    pub first: Date,
    /// The last.
    pub last: Date,
}

/// A rule of a plan.
#[derive(Clone, Debug)]
pub struct Intended {
    /// When contact is expected.
    pub rule: Rule,
    /// How late is still kept.
    pub tolerance: SignedDuration,
}

/// A contact plan.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// All of them are expected.
    pub rules: Vec<Intended>,
    /// In any order; they may overlap.
    pub pauses: Vec<Pause>,
}

/// One contact that is intended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expected {
    /// Its hour.
    pub at: Timestamp,
    /// A contact up to this instant keeps it.
    pub until: Timestamp,
}

impl Expected {
    /// A contact from this instant on keeps it.
    #[must_use]
    pub fn from(&self) -> Timestamp {
        self.at.saturating_sub(EARLY).unwrap_or(Timestamp::MIN)
    }
}

impl Plan {
    /// What is expected after `after`, in order, outside of pauses. Without end where a rule has none.
    pub fn expected<'a>(
        &'a self,
        after: Timestamp,
        zone: &'a TimeZone,
    ) -> impl Iterator<Item = Expected> + 'a {
        let mut next: Vec<_> =
            self.rules.iter().map(|one| occurrences(&one.rule, after).peekable()).collect();
        std::iter::from_fn(move || {
            let hours = next.iter_mut().map(|rule| rule.peek().map(|occurrence| occurrence.at));
            let first = hours.enumerate().filter_map(|(place, at)| Some((at?, place))).min();
            let (at, place) = first?;
            next.get_mut(place)?.next();
            let tolerance = self.rules.get(place)?.tolerance;
            Some(Expected { at, until: at.saturating_add(tolerance).unwrap_or(Timestamp::MAX) })
        })
        .filter(|expected| !is_paused(day(expected.at, zone), &self.pauses))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, evenings, sundays, zone};

    #[test]
    fn all_rules_are_expected_in_order_and_nothing_in_a_pause() {
        let mut plan = sundays();
        plan.rules.extend(evenings().rules);
        let pause = |first: &str, last: &str| Pause {
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
        };
        plan.pauses = vec![pause("2026-11-03", "2026-11-04"), pause("2026-11-06", "2026-11-07")];

        let zone = zone();
        let expected: Vec<_> = plan.expected(at("2026-11-01T19:29"), &zone).take(6).collect();

        let civil = ["01", "01", "02", "05", "08", "08"];
        let hours = civil.map(|day| at(&format!("2026-11-{day}T19:30")));
        assert_eq!(expected.iter().map(|one| one.at).collect::<Vec<_>>(), hours);
        assert_eq!(expected[2].from(), at("2026-11-01T19:30"));
        assert_eq!(expected[2].until, at("2026-11-03T07:30"));
    }
}

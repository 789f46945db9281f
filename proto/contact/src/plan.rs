//! What a family intends: rules, how late is still kept, and pauses. It belongs to the family, not to a phone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiashu_proto::entry::{IntendedRule, Pause as PauseFact};
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

impl Pause {
    /// Of a pause as it stands in a family's log; `None` of one that was taken back, or does not read.
    #[must_use]
    pub fn of(pause: &PauseFact) -> Option<Self> {
        let (first, last) = (pause.first.parse().ok()?, pause.last.parse().ok()?);
        (!pause.withdrawn).then_some(Self { first, last })
    }
}

/// A rule of a plan.
#[derive(Clone, Debug)]
pub struct Intended {
    /// When contact is expected.
    pub rule: Rule,
    /// How late is still kept.
    pub tolerance: SignedDuration,
    /// Since when it holds.
    pub from: Timestamp,
    /// From this instant on it does not any more.
    pub until: Timestamp,
}

impl Intended {
    /// Of a rule as it stands in a family's log, and as long as it held; `None` if it does not read.
    #[must_use]
    pub fn of(intended: &IntendedRule, from: Timestamp, until: Timestamp) -> Option<Self> {
        let IntendedRule { rule, tolerance_min } = intended;
        let rule = Rule::of(rule).ok()?;
        let tolerance = match tolerance_min {
            Some(minutes) => SignedDuration::from_mins(i64::from(*minutes)),
            None => usual_tolerance(&rule),
        };
        Some(Self { rule, tolerance, from, until })
    }

    /// One that always holds.
    #[must_use]
    pub fn always(rule: Rule, tolerance: SignedDuration) -> Self {
        Self { rule, tolerance, from: Timestamp::MIN, until: Timestamp::MAX }
    }
}

/// How late is still kept where nobody said: half a day where the next is less than two days away, else two days.
#[must_use]
pub fn usual_tolerance(rule: &Rule) -> SignedDuration {
    let first: Vec<_> = occurrences(rule, Timestamp::MIN).take(LOOKED_AT).collect();
    let is_close = first.windows(2).any(|pair| match pair {
        [one, next] => next.at.duration_since(one.at) < WEEKLY_TOLERANCE,
        _ => false,
    });
    if is_close { DAILY_TOLERANCE } else { WEEKLY_TOLERANCE }
}

/// Occurrences by which a rule shows how close they lie: of a rule of every day a week and a day.
const LOOKED_AT: usize = 8;

impl Intended {
    /// Whether it came about at all while it held.
    #[must_use]
    pub fn came_about(&self) -> bool {
        self.hours(Timestamp::MIN).next().is_some()
    }

    /// Its hours after `after`, while it holds.
    fn hours(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let before = self.from.saturating_sub(SignedDuration::from_nanos(1));
        let after = before.map_or(after, |before| before.max(after));
        let hours = occurrences(&self.rule, after).map(|occurrence| occurrence.at);
        hours.take_while(|at| *at < self.until)
    }
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
        // What held and is over says nothing any more; of a family that plans often that is nearly all.
        let holds = self.rules.iter().filter(move |one| after < one.until);
        let mut rules: Vec<_> = holds.map(|one| (one.tolerance, one.hours(after))).collect();
        let first = rules.iter_mut().map(|(_, hours)| hours.next()).enumerate();
        let mut next: BinaryHeap<_> =
            first.filter_map(|(place, at)| Some(Reverse((at?, place)))).collect();
        std::iter::from_fn(move || {
            let Reverse((at, place)) = next.pop()?;
            let (tolerance, hours) = rules.get_mut(place)?;
            next.extend(hours.next().map(|later| Reverse((later, place))));
            Some(Expected { at, until: at.saturating_add(*tolerance).unwrap_or(Timestamp::MAX) })
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

    #[test]
    fn a_plan_that_was_written_anew_holds_from_then_on() {
        let mut plan = sundays();
        plan.rules[0].until = at("2026-11-08T19:30");
        let evenings = evenings().rules.remove(0);
        plan.rules.push(Intended { from: at("2026-11-08T19:30"), ..evenings });

        let zone = zone();
        let expected = plan.expected(at("2026-11-01T00:00"), &zone).take(3);
        let civil = ["2026-11-01T19:30", "2026-11-08T19:30", "2026-11-09T19:30"];
        assert_eq!(expected.map(|one| one.at).collect::<Vec<_>>(), civil.map(at));
    }

    #[test]
    fn a_plan_that_held_between_two_evenings_came_about_on_none() {
        let held = |from: &str, until: &str| {
            let evenings = evenings().rules.remove(0);
            Intended { from: at(from), until: at(until), ..evenings }.came_about()
        };

        assert!(!held("2026-11-02T19:31", "2026-11-03T19:30"));
        assert!(held("2026-11-02T19:30", "2026-11-02T19:31"));
        assert!(held("2026-11-02T19:31", "2026-11-03T19:31"));
    }

    #[test]
    fn what_comes_on_the_next_day_may_be_half_a_day_late() {
        let usual = |rrule: &str| {
            usual_tolerance(
                &Rule::parse("2026-11-02T19:30:00", "Asia/Shanghai", Some(rrule)).unwrap(),
            )
        };

        assert_eq!(usual("FREQ=DAILY"), DAILY_TOLERANCE);
        assert_eq!(usual("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"), DAILY_TOLERANCE);
        assert_eq!(usual("FREQ=WEEKLY;BYDAY=SA,SU"), DAILY_TOLERANCE);
        assert_eq!(usual("FREQ=WEEKLY;BYDAY=SU,WE"), WEEKLY_TOLERANCE);
        assert_eq!(usual("FREQ=WEEKLY"), WEEKLY_TOLERANCE);
        assert_eq!(usual("FREQ=DAILY;COUNT=1"), WEEKLY_TOLERANCE);
    }
}

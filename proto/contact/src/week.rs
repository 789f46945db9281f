//! Weeks as ISO 8601 counts them (Monday to Sunday, the year that its Thursday is in), on the clock of a place, and what
//! of a week a child's figures say.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::days::{day, first_instant};
use crate::figures::{Tally, longest_gap};
use crate::ledger::{Contact, Way};
use crate::plan::Plan;

/// How long after its end a week closes, in days: what is heard of it later counts when it comes.
pub const CLOSES_AFTER: i64 = 7;

/// A week: 2026W53 is from 28 December 2026 to 3 January 2027. Ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Week(Date);

/// The text is no week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a week is written 2026W48")]
pub struct NoWeek;

impl Week {
    /// The week of that day.
    #[must_use]
    pub fn of(day: Date) -> Self {
        let since_monday = i64::from(day.weekday().to_monday_zero_offset());
        Self(day.saturating_sub(since_monday.days()))
    }

    /// The week that it is there.
    #[must_use]
    pub fn at(instant: Timestamp, zone: &TimeZone) -> Self {
        Self::of(day(instant, zone))
    }

    /// Its Monday.
    #[must_use]
    pub fn first(self) -> Date {
        self.0
    }

    /// Its Sunday.
    #[must_use]
    pub fn last(self) -> Date {
        self.0.saturating_add(6.days())
    }

    /// Its Thursday, which decides in which month and year it counts.
    #[must_use]
    pub fn thursday(self) -> Date {
        self.0.saturating_add(3.days())
    }

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(7.days()))
    }

    /// The one before.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.saturating_sub(7.days()))
    }

    /// When it begins there.
    #[must_use]
    pub fn begins(self, zone: &TimeZone) -> Timestamp {
        first_instant(self.0, zone).unwrap_or(Timestamp::MIN)
    }

    /// When it has closed there.
    #[must_use]
    pub fn closes(self, zone: &TimeZone) -> Timestamp {
        let day = self.next().0.saturating_add(CLOSES_AFTER.days());
        first_instant(day, zone).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Display for Week {
    /// As DHIS2 writes a weekly period: without a zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let iso = self.0.iso_week_date();
        write!(f, "{}W{}", iso.year(), iso.week())
    }
}

impl FromStr for Week {
    type Err = NoWeek;

    fn from_str(text: &str) -> Result<Self, NoWeek> {
        let (year, week) = text.split_once('W').ok_or(NoWeek)?;
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if year.len() != 4 || week.len() > 2 || !is_number(year) || !is_number(week) {
            return Err(NoWeek);
        }
        let (year, week) = (year.parse().map_err(|_| NoWeek)?, week.parse().map_err(|_| NoWeek)?);
        let monday = ISOWeekDate::new(year, week, Weekday::Monday).map_err(|_| NoWeek)?;
        Ok(Self(monday.date()))
    }
}

/// What a child's figures say of one week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weekly {
    /// What was expected in it, and what of that was kept.
    pub tally: Tally,
    /// How often a parent was heard at home.
    pub home: u32,
    /// How often the child was heard by a parent.
    pub away: u32,
    /// On how many of its days.
    pub days: u32,
    /// The longest time without any contact in it.
    pub longest_gap: SignedDuration,
    /// From its beginning, or since the child is counted, to the first contact; without any, to its end.
    pub first_gap: SignedDuration,
    /// From the last contact to its end, or to now; without any, from its beginning.
    pub last_gap: SignedDuration,
}

/// So many weeks before it are looked at to find what keeps what.
const WEEKS_BEFORE: i64 = 8;

impl Weekly {
    /// Of one child's contacts in order, who is counted since then. What is not decided yet is not counted.
    #[must_use]
    pub fn of(
        week: Week,
        plan: &Plan,
        contacts: &[Contact],
        since: Timestamp,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Self {
        let edges = (week.begins(zone), week.next().begins(zone));
        Self::between(edges, plan, contacts, since, now, zone)
    }

    /// As [`Weekly::of`], of a week that begins on one clock and ends on another, as of a family that moved. `zone` is
    /// the clock at its end.
    #[must_use]
    pub fn between(
        (begins, ends): (Timestamp, Timestamp),
        plan: &Plan,
        contacts: &[Contact],
        since: Timestamp,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Self {
        let before = SignedDuration::from_hours(24 * 7 * WEEKS_BEFORE);
        let since = since.max(begins.saturating_sub(before).unwrap_or(begins));
        let within = |contact: &&Contact| {
            begins <= contact.heard_at && contact.heard_at < ends && contact.heard_at <= now
        };
        let heard: Vec<_> = contacts.iter().filter(within).copied().collect();
        let of_way = |way| heard.iter().filter(|contact| contact.way == way).count();
        let mut days: Vec<_> = heard.iter().map(|contact| day(contact.heard_at, zone)).collect();
        days.sort_unstable();
        days.dedup();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (from, to) = (begins.max(since), ends.min(now));
        // What is heard before a child is counted ends no gap of it.
        let mut within = heard.iter().map(|contact| contact.heard_at).filter(|at| from < *at);
        let first = within.next().unwrap_or(to);
        let last = within.next_back().unwrap_or(if first < to { first } else { from });
        Self {
            tally: Tally::within(plan, contacts, since, (begins, ends), now, zone),
            home: count(of_way(Way::Home)),
            away: count(of_way(Way::Away)),
            days: count(days.len()),
            longest_gap: longest_gap(&heard, from, to),
            first_gap: first.duration_since(from).max(SignedDuration::ZERO),
            last_gap: to.duration_since(last).max(SignedDuration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, by_turns, evenings, heard, zone};

    fn week(text: &str) -> Week {
        text.parse().unwrap()
    }

    #[test]
    fn a_week_is_of_the_year_that_its_thursday_is_in() {
        let cases = [
            ("2026-12-28", "2026W53"),
            ("2026-12-31", "2026W53"),
            ("2027-01-03", "2026W53"),
            ("2027-01-04", "2027W1"),
            ("2024-12-30", "2025W1"),
            ("2026-11-29", "2026W48"),
        ];
        for (day, name) in cases {
            let of_day = Week::of(day.parse().unwrap());
            assert_eq!((of_day.to_string(), name.parse()), (name.to_owned(), Ok(of_day)), "{day}");
        }
        for bad in
            ["", "2026", "2026W54", "2025W53", "2026W0", "26W1", "2026W+1", "2026w48", "2026W048"]
        {
            assert_eq!(bad.parse::<Week>(), Err(NoWeek), "{bad}");
        }
        assert_eq!(week("2026W53").next(), week("2027W1"));
        assert_eq!(week("2027W1").before(), week("2026W53"));
    }

    #[test]
    fn a_week_begins_where_its_midnight_does_not_exist_and_is_an_hour_longer_or_shorter() {
        let zone = |name| jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap();
        // Lebanon's clocks jump over midnight of the last Sunday of March; Beirut, 2026-03-29.
        let beirut = zone("Asia/Beirut");
        let hours = |week: Week, zone: &TimeZone| {
            week.next().begins(zone).duration_since(week.begins(zone)).as_hours()
        };
        assert_eq!(hours(week("2026W13"), &beirut), 167);
        assert_eq!(hours(week("2026W43"), &zone("Europe/Rome")), 169);
        assert_eq!(hours(week("2026W43"), &zone("Asia/Shanghai")), 168);
        // Cuba's jump over a Sunday's midnight; of Paraguay's old rules one over a Sunday, too: a Monday's first
        // instant is always there.
        assert!(week("2026W10").begins(&zone("America/Havana")) > Timestamp::MIN);
    }

    #[test]
    fn a_week_says_what_was_expected_and_heard_in_it_alone() {
        let contacts = by_turns(&[
            "2026-11-01T19:30",
            "2026-11-02T19:30",
            "2026-11-02T20:00",
            "2026-11-04T19:30",
            "2026-11-09T19:30",
        ]);
        let of = |now: &str| {
            Weekly::of(
                week("2026W45"),
                &evenings(),
                &contacts,
                at("2026-11-01T00:00"),
                at(now),
                &zone(),
            )
        };

        let (open, closed) = (of("2026-11-03T12:00"), of("2026-11-20T00:00"));
        assert_eq!((open.tally.expected, open.tally.kept), (1, 1), "Tuesday's has still time");
        assert_eq!((closed.tally.expected, closed.tally.kept, closed.tally.missed()), (7, 3, 4));
        assert_eq!((closed.home, closed.away, closed.days), (1, 2, 2));
        assert_eq!(closed.longest_gap, SignedDuration::from_mins(4 * 24 * 60 + 270));
        assert_eq!(closed.first_gap, SignedDuration::from_mins(19 * 60 + 30));
        assert_eq!(closed.last_gap, closed.longest_gap);
        assert_eq!(open.last_gap, SignedDuration::from_hours(16));
        let before = &contacts[..1];
        let quiet = Weekly::of(
            week("2026W45"),
            &evenings(),
            before,
            at("2026-11-01T00:00"),
            at("2026-11-20T00:00"),
            &zone(),
        );
        let whole = SignedDuration::from_hours(7 * 24);
        assert_eq!((quiet.first_gap, quiet.last_gap, quiet.longest_gap), (whole, whole, whole));
    }

    #[test]
    fn the_weeks_of_a_stretch_add_up_to_the_stretch() {
        let contacts: Vec<_> = (1..=28)
            .filter(|day| day % 3 != 0)
            .map(|day| {
                heard(
                    if day % 2 == 0 { Way::Home } else { Way::Away },
                    &format!("2026-11-{day:02}T21:00"),
                )
            })
            .collect();
        let (since, now) = (at("2026-11-02T00:00"), at("2026-12-20T00:00"));
        let weeks = ["2026W45", "2026W46", "2026W47", "2026W48", "2026W49", "2026W50"].map(week);
        let weeks = weeks.map(|week| Weekly::of(week, &evenings(), &contacts, since, now, &zone()));

        let sum = weeks.iter().fold(Tally::default(), |sum, week| sum.and(week.tally));
        let whole = Tally::of(&evenings(), &contacts, since, at("2026-12-13T23:59"), &zone());
        assert_eq!((sum.kept, sum.expected), (whole.kept, 42));
        let heard: u32 = weeks.iter().map(|week| week.home + week.away).sum();
        assert_eq!(heard, 18, "the first was on the day before");
    }
}

//! What reports sum up of a child.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::days::day;
use crate::keeping::{Outcome, kept};
use crate::ledger::{Contact, Way};
use crate::plan::Plan;

/// Fewer expected than this say nothing in percent.
pub const FEWEST: u32 = 4;

/// How often there was contact, over the last 28 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    /// On six days of seven.
    Daily,
    /// On two days of seven.
    SeveralAWeek,
    /// On one day of seven.
    Weekly,
    /// On fewer.
    Less,
    /// On none.
    None,
}

/// Days that a [`Band`] looks back.
pub const BAND_DAYS: i64 = 28;

impl Band {
    /// All of them, in order.
    pub const ALL: [Self; 5] =
        [Self::Daily, Self::SeveralAWeek, Self::Weekly, Self::Less, Self::None];

    /// Of the days up to today, this one included, on which something was heard either way.
    #[must_use]
    pub fn of(contacts: &[Contact], today: Date, zone: &TimeZone) -> Self {
        let first = today.saturating_sub(BAND_DAYS.days());
        let mut days: Vec<_> = contacts.iter().map(|contact| day(contact.heard_at, zone)).collect();
        days.retain(|day| first < *day && *day <= today);
        days.sort_unstable();
        days.dedup();
        match days.len() {
            24.. => Self::Daily,
            8.. => Self::SeveralAWeek,
            4.. => Self::Weekly,
            1.. => Self::Less,
            0 => Self::None,
        }
    }

    /// The word in `--json` and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::SeveralAWeek => "several_a_week",
            Self::Weekly => "weekly",
            Self::Less => "less",
            Self::None => "none",
        }
    }
}

/// How much of what was expected was kept. Parts add up to the figures of a site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Whose time is over, or that were kept before.
    pub expected: u32,
    /// Of these, those by a contact.
    pub kept: u32,
    /// Of these, those that each way kept.
    pub both_ways: u32,
}

impl Tally {
    /// Of what was expected after `since` and up to `now`, of one child's contacts in order. What is not decided yet is not
    /// counted. For both ways each way keeps by itself, or one evening's answer would do for two.
    #[must_use]
    pub fn of(
        plan: &Plan,
        contacts: &[Contact],
        since: Timestamp,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Self {
        Self::within(plan, contacts, since, (Timestamp::MIN, Timestamp::MAX), now, zone)
    }

    /// The same of what was expected within a stretch of time alone, the first instant included, the second not.
    #[must_use]
    pub fn within(
        plan: &Plan,
        contacts: &[Contact],
        since: Timestamp,
        (from, to): (Timestamp, Timestamp),
        now: Timestamp,
        zone: &TimeZone,
    ) -> Self {
        let of = |contacts: &[Contact]| kept(plan, contacts, since, now, zone);
        let [home, away] = [Way::Home, Way::Away].map(|way| {
            let of_way = contacts.iter().copied().filter(|contact| contact.way == way);
            of(&of_way.collect::<Vec<_>>())
        });
        let is_kept = |outcome: Outcome| matches!(outcome, Outcome::Kept(_));
        let mut tally = Self::default();
        let all = of(contacts).into_iter().zip(home).zip(away);
        for (((expected, either), (_, home)), (_, away)) in all {
            if either != Outcome::Open && from <= expected.at && expected.at < to {
                tally.expected += 1;
                tally.kept += u32::from(is_kept(either));
                tally.both_ways += u32::from(is_kept(either) && is_kept(home) && is_kept(away));
            }
        }
        tally
    }

    /// Those that were not kept.
    #[must_use]
    pub fn missed(self) -> u32 {
        self.expected - self.kept
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            expected: self.expected + other.expected,
            kept: self.kept + other.kept,
            both_ways: self.both_ways + other.both_ways,
        }
    }

    /// Kept in percent of expected; none where fewer than [`FEWEST`] were.
    #[must_use]
    pub fn adherence(self) -> Option<f64> {
        percent(self.kept, self.expected)
    }

    /// Between what the share of kept lies with 95 % confidence; none where fewer than [`FEWEST`] were expected.
    #[must_use]
    pub fn interval(self) -> Option<Interval> {
        (self.expected >= FEWEST).then(|| Interval::of(self.kept, self.expected)).flatten()
    }

    /// Both ways in percent of expected; none where fewer than [`FEWEST`] were.
    #[must_use]
    pub fn two_way_adherence(self) -> Option<f64> {
        percent(self.both_ways, self.expected)
    }
}

/// Between what a share lies, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Not below 0.
    pub low: f64,
    /// Not above 100.
    pub high: f64,
}

/// The quantile of the normal distribution that leaves 2.5 % beyond it.
const Z: f64 = 1.959_963_984_540_054;

impl Interval {
    /// With 95 % confidence, of a share of which `part` of `whole` were seen; none of nothing, or where the part is more.
    ///
    /// Takes each one as seen by itself. Evenings of one child resemble each other, so of few children it is too narrow.
    /// Wilson's score interval, as it keeps within 0 and 100 and holds for few and for all alike. Source: Wilson 1927,
    /// J. Am. Stat. Assoc. 22, 209; method 3 of Newcombe 1998, Stat. Med. 17, 857.
    #[must_use]
    pub fn of(part: u32, whole: u32) -> Option<Self> {
        if whole == 0 || part > whole {
            return None;
        }
        let (n, share) = (f64::from(whole), f64::from(part) / f64::from(whole));
        let middle = share + Z * Z / (2.0 * n);
        let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let all = 1.0 + Z * Z / n;
        let percent = |bound: f64| (bound / all * 100.0).clamp(0.0, 100.0);
        Some(Self { low: percent(middle - half), high: percent(middle + half) })
    }
}

fn percent(part: u32, whole: u32) -> Option<f64> {
    (whole >= FEWEST).then(|| f64::from(part) * 100.0 / f64::from(whole))
}

/// The longest time without any contact from `since` to `now`; contacts in order.
#[must_use]
pub fn longest_gap(contacts: &[Contact], since: Timestamp, now: Timestamp) -> SignedDuration {
    let heard = contacts.iter().map(|contact| contact.heard_at);
    let mut edges = vec![since];
    edges.extend(heard.filter(|at| since < *at && *at < now));
    edges.push(now);
    let gaps = edges.windows(2).filter_map(|pair| match pair {
        [one, next] => Some(next.duration_since(*one)),
        _ => None,
    });
    gaps.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::of_child;
    use crate::plan::Pause;
    use crate::standing::{Child, Thresholds};
    use crate::testing::{LILI, at, by_turns, evenings, fridays, heard, zone};

    #[test]
    fn a_band_counts_days_and_not_calls() {
        let on = |days: &[i8]| {
            let contacts: Vec<_> = days
                .iter()
                .flat_map(|day| {
                    [19, 20].map(|hour| heard(Way::Home, &format!("2026-11-{day:02}T{hour}:00")))
                })
                .collect();
            Band::of(&contacts, "2026-11-28".parse().unwrap(), &zone())
        };
        let first = |count: i8| (1..=count).collect::<Vec<_>>();

        assert_eq!(on(&first(24)), Band::Daily);
        assert_eq!(on(&first(23)), Band::SeveralAWeek);
        assert_eq!(on(&first(8)), Band::SeveralAWeek);
        assert_eq!(on(&first(7)), Band::Weekly);
        assert_eq!(on(&first(4)), Band::Weekly);
        assert_eq!(on(&first(3)), Band::Less);
        assert_eq!(on(&[]), Band::None);
        assert_eq!(on(&[29]), Band::None, "tomorrow does not count");
    }

    #[test]
    fn what_is_decided_is_counted_and_few_say_nothing_in_percent() {
        let contacts = by_turns(&["2026-11-01T19:30", "2026-11-01T20:00", "2026-11-03T19:30"]);
        let tally =
            |now: &str| Tally::of(&evenings(), &contacts, at("2026-11-01T00:00"), at(now), &zone());

        let (three, four) = (tally("2026-11-04T07:00"), tally("2026-11-05T08:00"));

        // Of two on one evening the second keeps the next one early.
        assert_eq!(three, Tally { expected: 3, kept: 3, both_ways: 1 });
        assert_eq!((three.adherence(), four.adherence()), (None, Some(75.0)));
        assert_eq!(four.missed(), 1);
        assert_eq!(three.and(four).expected, 7);
    }

    /// Those of Newcombe 1998, table I.
    #[test]
    fn an_interval_is_as_published() {
        let table = [
            (81, 263, 25.53, 36.62),
            (15, 148, 6.24, 16.05),
            (0, 20, 0.0, 16.11),
            (1, 29, 0.61, 17.18),
        ];
        for (part, whole, low, high) in table {
            let interval = Interval::of(part, whole).unwrap();
            let mirrored = Interval::of(whole - part, whole).unwrap();

            assert!((interval.low - low).abs() < 0.005, "{part} of {whole}: {interval:?}");
            assert!((interval.high - high).abs() < 0.005, "{part} of {whole}: {interval:?}");
            assert!((mirrored.low + interval.high - 100.0).abs() < 1e-9, "{part} of {whole}");
        }
    }

    #[test]
    fn an_interval_is_never_beyond_what_a_share_can_be() {
        for (part, whole) in [(0, 1), (1, 1), (u32::MAX, u32::MAX), (0, u32::MAX), (3, 4)] {
            let Interval { low, high } = Interval::of(part, whole).unwrap();
            let share = f64::from(part) * 100.0 / f64::from(whole);

            assert!(
                0.0 <= low && low <= share && share <= high && high <= 100.0,
                "{part} of {whole}"
            );
        }
        assert_eq!((Interval::of(0, 0), Interval::of(2, 1)), (None, None));
        let tally = |kept, expected| Tally { expected, kept, both_ways: 0 }.interval();
        assert_eq!((tally(3, 3), tally(3, 4)), (None, Interval::of(3, 4)));
    }

    #[test]
    fn the_longest_gap_begins_before_the_first_and_ends_after_the_last() {
        let contacts = by_turns(&["2026-11-05T00:00", "2026-11-06T00:00"]);
        let gap = |since: &str, now: &str| longest_gap(&contacts, at(since), at(now)).as_hours();

        assert_eq!(gap("2026-11-01T00:00", "2026-11-07T00:00"), 4 * 24);
        assert_eq!(gap("2026-11-04T00:00", "2026-11-20T00:00"), 14 * 24);
        assert_eq!(longest_gap(&[], at("2026-11-01T00:00"), at("2026-11-02T00:00")).as_hours(), 24);
    }

    /// What stands in `fixtures/twelve-families.md`, which was reckoned by hand.
    #[test]
    fn twelve_families_are_as_they_were_reckoned_by_hand() {
        let (zone, thresholds) = (zone(), Thresholds::default());
        let (first, now) = ("2026-11-02".parse::<Date>().unwrap(), at("2026-12-28T12:00"));
        let table = include_str!("../fixtures/twelve-families.md");
        let rows = table.lines().filter(|line| line.starts_with("| ")).skip(2);
        let mut families = 0;
        for row in rows {
            families += 1;
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            let mut plan = if cells[1] == "evenings" { evenings() } else { fridays() };
            plan.pauses = cells[3]
                .split_once(" to ")
                .map(|(first, last)| Pause {
                    first: first.parse().unwrap(),
                    last: last.parse().unwrap(),
                })
                .into_iter()
                .collect();
            let ledger: Vec<_> = (0..8)
                .flat_map(|week| {
                    let monday = first + (week * 7).days();
                    let words = cells[4 + usize::try_from(week).unwrap()].split(' ');
                    words.flat_map(move |word| heard_in(monday, word))
                })
                .collect();
            let ledger = of_child(&ledger, LILI);
            let since = at(&format!("{}T00:00", cells[2]));
            let tally = Tally::of(&plan, &ledger, since, now, &zone);
            let child = Child {
                member: LILI,
                since: Some(since),
                plan: &plan,
                ledger: &ledger,
                thresholds: &thresholds,
                zone: &zone,
            };
            let band = Band::of(&ledger, "2026-12-28".parse().unwrap(), &zone);

            let counts = [tally.expected, tally.kept, tally.missed(), tally.both_ways];
            let mut found: Vec<_> = counts.iter().map(u32::to_string).collect();
            found.extend([child.standing(now).name().to_owned(), band.name().to_owned()]);
            assert_eq!(found, &cells[12..18], "{}", cells[0]);
        }
        assert_eq!(families, 12);
    }

    /// `FrH1900` of the week that begins on that Monday; `*` is every day, `–` none.
    fn heard_in(monday: Date, word: &str) -> Vec<Contact> {
        const DAYS: [&str; 7] = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"];
        let Some(split) = word.find(['H', 'A']) else { return Vec::new() };
        let (days, rest) = word.split_at(split);
        let (way, time) = rest.split_at(1);
        let (hour, minute) = time.split_at(2);
        let way = if way == "H" { Way::Home } else { Way::Away };
        let days =
            (0..7_i64).filter(|day| days == "*" || DAYS[usize::try_from(*day).unwrap()] == days);
        days.map(|day| heard(way, &format!("{}T{hour}:{minute}", monday + day.days()))).collect()
    }
}

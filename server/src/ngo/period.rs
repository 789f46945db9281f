//! Of which weeks figures are asked for, and by what families are put together.

use jiashu_contact::week::Week;
use jiashu_proto::id::Millis;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

use crate::clock::timestamp;
use crate::contact::rows::WeekRow;

/// The most weeks that are asked for at once: five years.
const MOST_WEEKS: usize = 265;

/// Milliseconds of a day: somewhere it may be tomorrow.
const DAY_MS: Millis = 24 * 60 * 60 * 1000;

/// After this time no relay that was off is still about to close a week, in ms.
const LONG_MS: Millis = 14 * DAY_MS;

/// The texts are no periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPeriod {
    /// One of them is none.
    #[error("a week is written 2026W48, a month 202611")]
    Unknown,
    /// One is a week and the other a month.
    #[error("from and until are both weeks or both months")]
    Mixed,
    /// The last is before the first.
    #[error("until is before from")]
    Backwards,
    /// Beyond `MOST_WEEKS`.
    #[error("that is more than five years: ask for less at once")]
    TooLong,
}

/// A stretch of whole weeks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// As DHIS2 names it.
    pub name: String,
    /// In order; never empty.
    pub weeks: Vec<Week>,
}

impl Period {
    /// One week.
    #[must_use]
    pub fn week(week: Week) -> Self {
        Self { name: week.to_string(), weeks: vec![week] }
    }

    /// The last week that has closed everywhere, then.
    #[must_use]
    pub fn last_closed(now: Millis) -> Self {
        // Midnight comes last to the west, twelve hours after Greenwich's.
        let west = TimeZone::fixed(Offset::constant(-12));
        let now = timestamp(now);
        Self::week(Week::at(now, &west).before().before())
    }

    /// The weeks whose Thursday is in a month, `2026-11` or `202611`.
    #[must_use]
    pub fn month(text: &str) -> Option<Self> {
        first_of_month(text).map(Self::of_month)
    }

    fn of_month(first: Date) -> Self {
        let weeks = from(Week::of(first));
        let of_month = |week: &Week| {
            let thursday = week.thursday();
            (thursday.year(), thursday.month()) == (first.year(), first.month())
        };
        let weeks = weeks.skip_while(|week| !of_month(week)).take_while(of_month).collect();
        Self { name: first.strftime("%Y%m").to_string(), weeks }
    }

    /// One after the other, from a week or month to another, both of them too.
    ///
    /// # Errors
    ///
    /// [`NoPeriod`].
    pub fn span(first: &str, last: &str) -> Result<Vec<Self>, NoPeriod> {
        let periods: Vec<_> = match (kind_of(first)?, kind_of(last)?) {
            (Kind::Week(first), Kind::Week(last)) => from(first)
                .take_while(|week| *week <= last)
                .take(MOST_WEEKS + 1)
                .map(Self::week)
                .collect(),
            (Kind::Month(first), Kind::Month(last)) => {
                std::iter::successors(Some(first), |month| month.checked_add(1.month()).ok())
                    .take_while(|month| *month <= last)
                    .take(MOST_WEEKS)
                    .map(Self::of_month)
                    .collect()
            }
            _ => return Err(NoPeriod::Mixed),
        };
        match periods.iter().map(|period| period.weeks.len()).sum() {
            0 => Err(NoPeriod::Backwards),
            1..=MOST_WEEKS => Ok(periods),
            _ => Err(NoPeriod::TooLong),
        }
    }

    /// Whether it has begun somewhere.
    #[must_use]
    pub fn has_begun(&self, now: Millis) -> bool {
        let first = self.weeks.first();
        first.is_none_or(|week| week.begins(&TimeZone::UTC).as_millisecond() <= now + DAY_MS)
    }

    /// Whether all of its weeks have closed, where its rows say so, or one of them does not. What should have closed long
    /// ago has: nobody comes back to a row that still says otherwise.
    #[must_use]
    pub fn has_closed(&self, rows_have: bool, now: Millis) -> bool {
        let at_latest = now.saturating_sub(if rows_have { 0 } else { LONG_MS });
        self.weeks.iter().all(|week| week.closes(&TimeZone::UTC).as_millisecond() < at_latest)
    }
}

/// A week and those after it, up to the last of the calendar.
fn from(first: Week) -> impl Iterator<Item = Week> {
    std::iter::successors(Some(first), |week| Some(week.next()).filter(|next| next > week))
}

enum Kind {
    Week(Week),
    Month(Date),
}

fn kind_of(text: &str) -> Result<Kind, NoPeriod> {
    let week = text.parse().ok().map(Kind::Week);
    week.or_else(|| first_of_month(text).map(Kind::Month)).ok_or(NoPeriod::Unknown)
}

fn first_of_month(text: &str) -> Option<Date> {
    let (year, month) = text.split_at_checked(4)?;
    let month = month.strip_prefix('-').unwrap_or(month);
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if month.len() != 2 || !are_digits(year) || !are_digits(month) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()
}

/// By what families are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// All of them.
    Programme,
    /// Where they live.
    Site,
    /// From where to where they hear each other.
    Corridor,
}

impl By {
    /// The word in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Programme => "programme",
            Self::Site => "site",
            Self::Corridor => "corridor",
        }
    }

    /// What that word means.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Programme, Self::Site, Self::Corridor].into_iter().find(|by| by.name() == name)
    }

    /// In which group a row is; `None` where that is not known, or there is one group.
    #[must_use]
    pub fn group(self, row: &WeekRow) -> Option<String> {
        match self {
            Self::Programme => None,
            Self::Site => row.site.clone(),
            Self::Corridor => corridor(row.away_zone.as_deref(), row.home_zone.as_deref()),
        }
    }
}

/// From where to where a family hears each other; `None` where one of the clocks is not known.
#[must_use]
pub fn corridor(away_zone: Option<&str>, home_zone: Option<&str>) -> Option<String> {
    Some(format!("{}>{}", away_zone?, home_zone?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_the_weeks_whose_thursday_is_in_it() {
        let november = Period::month("2026-11").unwrap();
        let weeks: Vec<_> = november.weeks.iter().map(Week::to_string).collect();
        assert_eq!(
            (november.name.as_str(), weeks),
            ("202611", ["2026W45", "2026W46", "2026W47", "2026W48"].map(String::from).to_vec())
        );
        let december = Period::month("202612").unwrap();
        assert_eq!(december.weeks.last().unwrap().to_string(), "2026W53");
        assert_eq!(Period::month("2027-01").unwrap().weeks[0].to_string(), "2027W1");
        assert!(Period::month("9999-12").unwrap().weeks.len() < 7, "the calendar ends");
        assert!(
            ["2026-13", "2026", "20261", "2026-1a", "2-02611", "2026--11", ""]
                .iter()
                .all(|bad| Period::month(bad).is_none())
        );
    }

    #[test]
    fn what_should_have_closed_long_ago_has() {
        // It ends on 15 November, closes on the 23rd, and has on 7 December whatever a row says.
        let week = Period::week("2026W46".parse().unwrap());
        let has = |rows_have, day: &str| {
            let now = format!("{day}T01:00:00Z").parse::<jiff::Timestamp>().unwrap();
            week.has_closed(rows_have, now.as_millisecond())
        };

        assert_eq!([has(true, "2026-11-22"), has(false, "2026-11-22")], [false, false]);
        assert_eq!([has(true, "2026-11-23"), has(false, "2026-12-06")], [true, false]);
        assert!(has(false, "2026-12-07"));
    }

    #[test]
    fn a_span_is_of_weeks_or_of_months_over_the_edge_of_a_year() {
        let names = |first, last| {
            let periods = Period::span(first, last)?;
            Ok(periods.into_iter().map(|period| period.name).collect::<Vec<_>>().join(" "))
        };

        assert_eq!(names("2026W52", "2027W1"), Ok("2026W52 2026W53 2027W1".into()));
        assert_eq!(names("2026-12", "202702"), Ok("202612 202701 202702".into()));
        assert_eq!(names("2026W48", "2026W48"), Ok("2026W48".into()));
        assert_eq!(names("2026W48", "2026W47"), Err(NoPeriod::Backwards));
        assert_eq!(names("2026W48", "2026-12"), Err(NoPeriod::Mixed));
        assert_eq!(names("2025W53", "2026W1"), Err(NoPeriod::Unknown));
        assert_eq!(names("0001W1", "9998W50"), Err(NoPeriod::TooLong));
        assert_eq!(names("000101", "999811"), Err(NoPeriod::TooLong));
        assert!(names("2022W1", "2026W52").is_ok());
    }
}

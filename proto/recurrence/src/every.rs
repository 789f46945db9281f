//! The short form for the command line: "every sun,wed at 19:30" becomes a start and an RRULE. The
//! zone, and which day is today, are left to the caller.

use jiff::civil::{Date, Weekday};

use crate::RuleError;
use crate::civil_text;
use crate::dates;
use crate::error::shown;
use crate::recur::{ByDay, End, Freq, Recur, WEEK, from_monday};

/// A start and an RRULE value, both as [`crate::Rule::parse`] reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Every {
    /// `YYYY-MM-DDThh:mm:ss`, on the first day that is one of the days.
    pub start: String,
    /// Such as `FREQ=WEEKLY;BYDAY=WE,SU`.
    pub rrule: String,
}

/// Reads days (see [`parse_days`]) and a time of day `hh:mm`; it starts at the first such day at or
/// after `first`.
///
/// # Errors
///
/// [`RuleError::Days`] or [`RuleError::Time`]; [`RuleError::Empty`] at the end of the calendar.
pub fn parse_every(days: &str, time: &str, first: Date) -> Result<Every, RuleError> {
    let days = parse_days(days)?;
    let on_a_day = format!("2000-01-01T{time}");
    let time = civil_text::read(&on_a_day, civil_text::TO_THE_MINUTE)
        .ok_or_else(|| RuleError::Time(shown(time)))?
        .time();
    let recur = weekly(&days);
    let day = dates::first_from(&recur, first, first, Date::MAX).ok_or(RuleError::Empty)?;
    Ok(Every { start: civil_text::write(day.to_datetime(time)), rrule: recur.to_string() })
}

/// Reads `sun,wed`, `mon-fri` (also over the week's end: `sat-mon`), full names, or `day` and
/// `daily` for all; in any case of letters. Gives the days from Monday on, each once.
///
/// # Errors
///
/// [`RuleError::Days`] if an item is no day; there must be one at least.
pub fn parse_days(text: &str) -> Result<Vec<Weekday>, RuleError> {
    let wrong = || RuleError::Days(shown(text));
    let mut days = Vec::new();
    for item in text.to_ascii_lowercase().split(',').map(str::trim) {
        match item.split_once('-') {
            _ if matches!(item, "day" | "daily") => days.extend(WEEK),
            Some((from, to)) => {
                let (from, to) = day(from).zip(day(to)).ok_or_else(wrong)?;
                let until = to.next();
                days.push(from);
                days.extend(from.next().cycle_forward().take_while(|day| *day != until).take(6));
            }
            None => days.push(day(item).ok_or_else(wrong)?),
        }
    }
    Ok(from_monday(days))
}

/// The RRULE value for these days of every week: `FREQ=DAILY` for all seven, and `FREQ=WEEKLY`,
/// the start's own day, for none.
#[must_use]
pub fn weekly_rrule(days: &[Weekday]) -> String {
    weekly(days).to_string()
}

fn weekly(days: &[Weekday]) -> Recur {
    let by_day = from_monday(days.to_vec());
    let (freq, by_day) =
        if by_day == WEEK { (Freq::Daily, Vec::new()) } else { (Freq::Weekly, by_day) };
    let by_day = by_day.into_iter().map(|weekday| ByDay { ordinal: 0, weekday }).collect();
    let (by_month_day, by_month) = (Vec::new(), 0);
    Recur { freq, interval: 1, by_day, by_month_day, by_month, end: End::Never }
}

/// The day of that name, in full or its first three letters, both in small letters.
fn day(name: &str) -> Option<Weekday> {
    WEEK.into_iter().find(|day| {
        let full = match day {
            Weekday::Monday => "monday",
            Weekday::Tuesday => "tuesday",
            Weekday::Wednesday => "wednesday",
            Weekday::Thursday => "thursday",
            Weekday::Friday => "friday",
            Weekday::Saturday => "saturday",
            Weekday::Sunday => "sunday",
        };
        name == full || full.get(..3) == Some(name)
    })
}

//! Times and days as people of a language write them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use super::words::Words;
use crate::wording::filled;

/// A local time with its offset, as the API writes it: the day and the hour on that clock.
#[must_use]
pub fn day_time(words: &Words, local: &str) -> String {
    let civil = local.get(..19).and_then(|civil| civil.parse::<DateTime>().ok());
    civil.map_or_else(|| local.to_owned(), |civil| of_civil(words, civil))
}

fn of_civil(words: &Words, civil: DateTime) -> String {
    let time = format!("{:02}:{:02}", civil.hour(), civil.minute());
    filled_date(words, &words.day_time, civil.date(), &time)
}

/// The hour alone of such a time.
#[must_use]
pub fn time(local: &str) -> &str {
    local.get(11..16).unwrap_or(local)
}

/// A day, `YYYY-MM-DD`, or the day of a time.
#[must_use]
pub fn day(words: &Words, text: &str) -> String {
    let date = text.get(..10).and_then(|date| date.parse::<Date>().ok());
    date.map_or_else(|| text.to_owned(), |date| filled_date(words, &words.date, date, ""))
}

/// Where a clock is, by the name of its zone: `Europe/Rome` is Rome.
#[must_use]
pub fn place(zone: &str) -> String {
    zone.rsplit('/').next().unwrap_or(zone).replace('_', " ")
}

/// A week, `2026W48`, as people write it: `48/2026`.
#[must_use]
pub fn week(week: &str) -> String {
    week.split_once('W').map_or_else(|| week.to_owned(), |(year, week)| format!("{week}/{year}"))
}

/// An instant as the API writes it, on Greenwich's clock: for `as of`.
#[must_use]
pub fn instant(words: &Words, text: &str) -> String {
    let civil = text.parse::<Timestamp>().ok().map(|at| jiff::tz::TimeZone::UTC.to_datetime(at));
    civil.map_or_else(|| text.to_owned(), |civil| format!("{} UTC", of_civil(words, civil)))
}

fn filled_date(words: &Words, pattern: &str, date: Date, time: &str) -> String {
    let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or_default();
    let month = usize::try_from(date.month() - 1).unwrap_or_default();
    let word = |list: &[String], place: usize| list.get(place).cloned().unwrap_or_default();
    let names = [
        ("weekday", &*word(&words.weekdays, weekday)),
        ("day", &date.day().to_string()),
        ("month", &word(&words.months, month)),
        ("number", &date.month().to_string()),
        ("year", &date.year().to_string()),
        ("time", time),
    ];
    filled(pattern, &names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::words;

    #[test]
    fn a_time_reads_as_people_write_it() {
        let english = words::of("en");
        let local = "2026-11-29T19:30:00+08:00";

        assert_eq!(day_time(english, local), "Sun 29 Nov, 19:30");
        assert_eq!((time(local), &*day(english, local)), ("19:30", "29 Nov 2026"));
        assert_eq!(instant(english, "2026-11-29T19:30:00Z"), "Sun 29 Nov, 19:30 UTC");
        for broken in ["", "天水", "2026-11-29T", "天水天水天水天水天水天水"] {
            assert_eq!(
                (day_time(english, broken), time(broken)),
                (broken.to_owned(), broken.get(11..16).unwrap_or(broken))
            );
        }
    }
}

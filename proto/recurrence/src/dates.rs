//! The dates of a rule, a month at a time: the days of one month are the bits of a number, so that
//! what expands them and what limits them (RFC 5545, 3.3.10) is a union or an intersection, and the
//! work of any rule is bounded by the months between its first year and its last.
//!
//! Times of day, ends and zones are left to `rule` and `zone`.

use jiff::SignedDuration;
use jiff::civil::{Date, Weekday};

use crate::recur::{ByDay, Freq, Recur};

/// The days of one month: bit 0 is the first.
type Days = u32;

/// The first day of each of five weeks.
const EVERY_SEVENTH: Days = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28;

const EPOCH: Date = Date::constant(1970, 1, 1);

/// The first of the rule's dates from `from` up to and with `last`. Dates before `start` are none.
pub(crate) fn first_from(recur: &Recur, start: Date, from: Date, last: Date) -> Option<Date> {
    let from = from.max(start);
    let first = months_from(from, last).find_map(|month| {
        let days = month.dates(recur, start) & month.days_from(from);
        (days != 0).then(|| month.date(days.trailing_zeros()))
    })?;
    first.filter(|date| *date <= last)
}

/// The `n`th of the rule's dates from the start on, from 1; `None` if there is none up to `last`.
pub(crate) fn nth(recur: &Recur, start: Date, n: u32, last: Date) -> Option<Date> {
    let mut left = n.checked_sub(1)?;
    for month in months_from(start, last) {
        let mut days = month.dates(recur, start) & month.days_from(start);
        if days.count_ones() <= left {
            left -= days.count_ones();
            continue;
        }
        for _ in 0..left {
            // The lowest bit goes.
            days &= days - 1;
        }
        return month.date(days.trailing_zeros()).filter(|date| *date <= last);
    }
    None
}

/// The months of `from`, of `last`, and all between.
fn months_from(from: Date, last: Date) -> impl Iterator<Item = Month> {
    std::iter::successors(Some(Month::of(from)), |month| Some(month.next()))
        .take_while(move |month| (month.year, month.number) <= (last.year(), last.month()))
}

/// One month and the first day of its year, in days since 1970.
#[derive(Clone, Copy, Debug)]
struct Month {
    year: i16,
    /// From 1.
    number: i8,
    first: i64,
    len: i64,
    year_first: i64,
}

impl Month {
    fn of(date: Date) -> Self {
        let year_first = days_between(EPOCH, date.first_of_year());
        let first = days_between(EPOCH, date.first_of_month());
        let len = i64::from(date.days_in_month());
        Self { year: date.year(), number: date.month(), first, len, year_first }
    }

    fn next(self) -> Self {
        let (year, number) =
            if self.number == 12 { (self.year + 1, 1) } else { (self.year, self.number + 1) };
        let first = self.first + self.len;
        let year_first = if number == 1 { first } else { self.year_first };
        Self { year, number, first, len: len_of(year, number), year_first }
    }

    /// The day of that bit; `None` past what a calendar can say.
    fn date(self, bit: u32) -> Option<Date> {
        Date::new(self.year, self.number, i8::try_from(bit + 1).ok()?).ok()
    }

    fn all(self) -> Days {
        Days::MAX >> (32 - self.len)
    }

    /// The days of this month at or after `from`, which is not after it.
    fn days_from(self, from: Date) -> Days {
        let is_here = (self.year, self.number) == (from.year(), from.month());
        if is_here { Days::MAX << (from.day() - 1) } else { Days::MAX }
    }

    /// The rule's dates in this month, those before the start among them.
    fn dates(self, recur: &Recur, start: Date) -> Days {
        if recur.by_month != 0 && recur.by_month & (1 << self.number) == 0 {
            return 0;
        }
        let days = match recur.freq {
            Freq::Daily => self.every_nth_day(recur, start) & self.limits(recur),
            Freq::Weekly => {
                self.every_nth_week(recur, start) & self.weekdays(recur, start.weekday())
            }
            Freq::Monthly => {
                let steps = months(self.year, self.number) - months(start.year(), start.month());
                if steps % i64::from(recur.interval) == 0 { self.expand(recur, start) } else { 0 }
            }
            Freq::Yearly => {
                let steps = i64::from(self.year) - i64::from(start.year());
                if steps % i64::from(recur.interval) == 0 { self.of_year(recur, start) } else { 0 }
            }
        };
        days & self.all()
    }

    fn every_nth_day(self, recur: &Recur, start: Date) -> Days {
        let interval = i64::from(recur.interval);
        if interval == 1 {
            return Days::MAX;
        }
        let mut day = (days_between(EPOCH, start) - self.first).rem_euclid(interval);
        let mut days = 0;
        while day < self.len {
            days |= 1 << day;
            day += interval;
        }
        days
    }

    /// Weeks begin on Monday.
    fn every_nth_week(self, recur: &Recur, start: Date) -> Days {
        let interval = i64::from(recur.interval);
        if interval == 1 {
            return Days::MAX;
        }
        // 1 January 1970 was a Thursday.
        let week = |day: i64| (day + 3).div_euclid(7);
        let start_week = week(days_between(EPOCH, start));
        let of_week = |day: &i64| (week(self.first + day) - start_week) % interval == 0;
        (0..self.len).filter(of_week).fold(0, |days, day| days | 1 << day)
    }

    /// BYDAY of a weekly rule, else the start's own day.
    fn weekdays(self, recur: &Recur, own: Weekday) -> Days {
        if recur.by_day.is_empty() { self.weekday(own) } else { self.by_day(recur) }
    }

    /// BYMONTHDAY and BYDAY where they limit.
    fn limits(self, recur: &Recur) -> Days {
        let by_month_day =
            if recur.by_month_day.is_empty() { Days::MAX } else { self.by_month_day(recur) };
        let by_day = if recur.by_day.is_empty() { Days::MAX } else { self.by_day(recur) };
        by_month_day & by_day
    }

    /// What BYMONTHDAY and BYDAY make of this month; without both, the start's day of the month.
    fn expand(self, recur: &Recur, start: Date) -> Days {
        if recur.by_month_day.is_empty() && recur.by_day.is_empty() {
            return 1 << (start.day() - 1);
        }
        self.limits(recur)
    }

    /// As [`Month::expand`], but without BYMONTH the start's own day is one of the start's own month.
    fn of_year(self, recur: &Recur, start: Date) -> Days {
        let is_plain = recur.by_month_day.is_empty() && recur.by_day.is_empty();
        if is_plain && recur.by_month == 0 && self.number != start.month() {
            return 0;
        }
        self.expand(recur, start)
    }

    fn by_month_day(self, recur: &Recur) -> Days {
        recur.by_month_day.iter().fold(0, |days, day| {
            let day = i64::from(*day);
            let bit = if day > 0 { day - 1 } else { self.len + day };
            if (0..self.len).contains(&bit) { days | 1 << bit } else { days }
        })
    }

    fn by_day(self, recur: &Recur) -> Days {
        let in_year = recur.freq == Freq::Yearly && recur.by_month == 0;
        recur.by_day.iter().fold(0, |days, ByDay { ordinal, weekday }| {
            days | match ordinal {
                0 => self.weekday(*weekday),
                ordinal if in_year => self.nth_of_year(i64::from(*ordinal), *weekday),
                ordinal => self.only(nth_of(self.first, self.len, i64::from(*ordinal), *weekday)),
            }
        })
    }

    /// All days of this name.
    fn weekday(self, weekday: Weekday) -> Days {
        EVERY_SEVENTH << days_to(self.first, weekday)
    }

    fn nth_of_year(self, ordinal: i64, weekday: Weekday) -> Days {
        let len = if is_leap(self.year) { 366 } else { 365 };
        let day = nth_of(self.year_first, len, ordinal, weekday);
        self.only(day.map(|day| day - (self.first - self.year_first)))
    }

    /// That day, counted from 0, if it is one of this month.
    fn only(self, day: Option<i64>) -> Days {
        day.filter(|day| (0..self.len).contains(day)).map_or(0, |day| 1 << day)
    }
}

/// Months since the year 0.
fn months(year: i16, month: i8) -> i64 {
    i64::from(year) * 12 + i64::from(month)
}

/// The `ordinal`th day of that name (from the end, if negative) in a span of `len` days from `first`
/// on: its distance from there.
fn nth_of(first: i64, len: i64, ordinal: i64, weekday: Weekday) -> Option<i64> {
    let to_first = days_to(first, weekday);
    let day = if ordinal > 0 {
        to_first + 7 * (ordinal - 1)
    } else {
        let to_last = to_first + 7 * ((len - 1 - to_first) / 7);
        to_last + 7 * (ordinal + 1)
    };
    (0..len).contains(&day).then_some(day)
}

/// How many days after day `first` (since 1970) the first day of that name is; 0 to 6.
fn days_to(first: i64, weekday: Weekday) -> i64 {
    (i64::from(weekday.to_monday_zero_offset()) - (first + 3)).rem_euclid(7)
}

fn len_of(year: i16, month: i8) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: i16) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

/// `None` past what a calendar can say.
pub(crate) fn add_days(date: Date, days: i64) -> Option<Date> {
    let hours = days.checked_mul(24).filter(|hours| hours.abs() < i64::MAX / 3_600)?;
    date.checked_add(SignedDuration::from_hours(hours)).ok()
}

//! The dates of a rule, by arithmetic: a pattern of days that repeats, so that the next date after
//! a far day, or the ten-thousandth, costs no walk from the start. Ends and zones are left to
//! `rule` and `zone`.
//!
//! MONTHLY and YEARLY do not repeat in a fixed number of days. They need the same two answers,
//! [`Cycle::first_from`] and [`Cycle::nth`]; nothing else asks how the dates are made.

use jiff::SignedDuration;
use jiff::civil::{Date, Weekday};

use crate::RuleError;
use crate::recur::{Freq, Recur};

/// Days at fixed distances from an anchor, again after every period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cycle {
    anchor: Date,
    /// In days.
    period: i64,
    /// Distances from the anchor in days: ascending, from 0 and below `period`, at least one.
    offsets: Vec<i64>,
    /// The offsets that lie before the start, in the week of a weekly rule that begins within it.
    before_start: u32,
}

impl Cycle {
    /// The one day.
    pub(crate) fn once(start: Date) -> Self {
        Self { anchor: start, period: 1, offsets: vec![0], before_start: 0 }
    }

    /// The days that FREQ, INTERVAL and BYDAY give from `start` on.
    ///
    /// # Errors
    ///
    /// [`RuleError::Empty`] if there is none, as of every seventh day from a Monday that shall be
    /// a Sunday.
    pub(crate) fn new(recur: &Recur, start: Date) -> Result<Self, RuleError> {
        let interval = i64::from(recur.interval);
        let (anchor, offsets) = match recur.freq {
            Freq::Daily => (start, daily_offsets(recur, start)),
            Freq::Weekly => (monday_of(start), weekly_offsets(recur, start)),
        };
        if offsets.is_empty() {
            return Err(RuleError::Empty);
        }
        let into_week = days_between(anchor, start);
        let before_start =
            (0u32..).zip(&offsets).filter(|(_, offset)| **offset < into_week).count();
        let before_start = u32::try_from(before_start).expect("a week has seven days");
        Ok(Self { anchor, period: 7 * interval, offsets, before_start })
    }

    /// The first of the dates at or after `from`, which is not before the start.
    pub(crate) fn first_from(&self, from: Date) -> Option<Date> {
        let days = days_between(self.anchor, from);
        let (periods, into) = (days.div_euclid(self.period), days.rem_euclid(self.period));
        match self.offsets.iter().find(|offset| **offset >= into) {
            Some(offset) => self.date(periods, *offset),
            None => self.date(periods + 1, *self.offsets.first()?),
        }
    }

    /// The `n`th of the dates from the start on, from 0. `None` past what a calendar can say.
    pub(crate) fn nth(&self, n: u32) -> Option<Date> {
        let place = usize::try_from(self.before_start.checked_add(n)?).ok()?;
        let periods = i64::try_from(place / self.offsets.len()).ok()?;
        self.date(periods, *self.offsets.get(place % self.offsets.len())?)
    }

    fn date(&self, periods: i64, offset: i64) -> Option<Date> {
        let days = periods.checked_mul(self.period)?.checked_add(offset)?;
        add_days(self.anchor, days)
    }
}

/// Every INTERVAL days, of which BYDAY lets some through: the weekdays repeat after seven steps.
fn daily_offsets(recur: &Recur, start: Date) -> Vec<i64> {
    let steps = (0..7).map(|step| step * i64::from(recur.interval));
    let passes = |day: Weekday| recur.by_day.is_empty() || recur.by_day.contains(&day);
    steps.filter(|days| passes(start.weekday().wrapping_add(*days))).collect()
}

/// BYDAY, or the start's own day, in one week of every INTERVAL.
fn weekly_offsets(recur: &Recur, start: Date) -> Vec<i64> {
    let own = [start.weekday()];
    let days = if recur.by_day.is_empty() { &own[..] } else { &recur.by_day };
    days.iter().map(|day| i64::from(day.to_monday_zero_offset())).collect()
}

fn monday_of(date: Date) -> Date {
    let days = i64::from(date.weekday().to_monday_zero_offset());
    add_days(date, -days).expect("a start is centuries from the calendar's end")
}

fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

/// `None` past what a calendar can say.
pub(crate) fn add_days(date: Date, days: i64) -> Option<Date> {
    let hours = days.checked_mul(24).filter(|hours| hours.abs() < i64::MAX / 3_600)?;
    date.checked_add(SignedDuration::from_hours(hours)).ok()
}

//! The text of an RRULE and its parts (RFC 5545, 3.3.10): read strictly, written in one canonical
//! form. Knows neither start nor zone; whether the parts give any date is left to `cycle`.

use std::fmt;

use jiff::civil::{DateTime, Weekday};

use crate::RuleError;
use crate::civil_text;

/// The longest RRULE text that is read, in bytes: every part once is far shorter.
pub const MAX_RRULE_BYTES: usize = 512;
/// The largest COUNT: 27 years of days. Longer is UNTIL, or no end.
pub const MAX_COUNT: u32 = 10_000;
/// The largest INTERVAL, in days, weeks, months or years: longer than any childhood.
pub const MAX_INTERVAL: u32 = 1_000;

/// How often a rule steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freq {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// A day of BYDAY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByDay {
    /// The first, second … of its month or year, from its end if negative; 0 is every one.
    pub(crate) ordinal: i8,
    pub(crate) weekday: Weekday,
}

/// Where a rule ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Never,
    Count(u32),
    /// The whole of that civil day; its time is 00:00.
    UntilDay(DateTime),
    UntilCivil(DateTime),
    /// The civil time in UTC, kept as written.
    UntilUtc(DateTime),
}

/// The parts of an RRULE, all checked one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recur {
    pub(crate) freq: Freq,
    pub(crate) interval: u32,
    /// By ordinal, then from Monday on, each once; empty if there was no BYDAY.
    pub(crate) by_day: Vec<ByDay>,
    /// Ascending, each once, from -31 to 31; empty if there was no BYMONTHDAY.
    pub(crate) by_month_day: Vec<i8>,
    /// Bit n is month n; 0 if there was no BYMONTH.
    pub(crate) by_month: u16,
    pub(crate) end: End,
}

impl Recur {
    /// Reads a value such as `FREQ=WEEKLY;BYDAY=SU`, in any case of letters and order of parts.
    pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
        if text.len() > MAX_RRULE_BYTES {
            return Err(RuleError::TooLong);
        }
        let text = text.to_ascii_uppercase();
        let (mut freq, mut interval, mut end) = (None, 1, End::Never);
        let (mut by_day, mut by_month_day, mut by_month) = (Vec::new(), Vec::new(), 0);
        let mut seen = Vec::new();
        for part in text.split(';') {
            if part.is_empty() {
                return Err(RuleError::part("RRULE", "has an empty part"));
            }
            let (key, value) =
                part.split_once('=').ok_or_else(|| RuleError::part(part, "has no value"))?;
            if seen.contains(&key) {
                return Err(RuleError::part(key, "is there twice"));
            }
            seen.push(key);
            match key {
                "FREQ" => freq = Some(parse_freq(value)?),
                "INTERVAL" => interval = parse_interval(value)?,
                "BYDAY" => by_day = parse_by_day(value)?,
                "BYMONTHDAY" => by_month_day = parse_by_month_day(value)?,
                "BYMONTH" => by_month = parse_by_month(value)?,
                "COUNT" | "UNTIL" if end != End::Never => {
                    return Err(RuleError::part(key, "is there with COUNT or UNTIL: give one"));
                }
                "COUNT" => end = parse_count(value)?,
                "UNTIL" => end = parse_until(value)?,
                // Weeks begin on Monday, as RFC 5545 has it where nothing is said.
                "WKST" if value == "MO" => {}
                "WKST" => return Err(RuleError::unsupported(part)),
                _ => return Err(RuleError::unsupported(key)),
            }
        }
        let freq = freq.ok_or_else(|| RuleError::part("FREQ", "is missing"))?;
        let recur = Self { freq, interval, by_day, by_month_day, by_month, end };
        recur.check_together()?;
        Ok(recur)
    }

    /// Parts that RFC 5545 does not let stand together.
    fn check_together(&self) -> Result<(), RuleError> {
        let has_ordinal = self.by_day.iter().any(|day| day.ordinal != 0);
        match self.freq {
            Freq::Daily | Freq::Weekly if has_ordinal => {
                Err(RuleError::part("BYDAY", "takes numbers with FREQ=MONTHLY and YEARLY alone"))
            }
            Freq::Weekly if !self.by_month_day.is_empty() => {
                Err(RuleError::part("BYMONTHDAY", "does not go with FREQ=WEEKLY"))
            }
            Freq::Monthly if self.by_day.iter().any(|day| day.ordinal.abs() > 5) => {
                Err(RuleError::part("BYDAY", "a month has no more than five of a day"))
            }
            _ => Ok(()),
        }
    }
}

fn parse_freq(value: &str) -> Result<Freq, RuleError> {
    match value {
        "DAILY" => Ok(Freq::Daily),
        "WEEKLY" => Ok(Freq::Weekly),
        "MONTHLY" => Ok(Freq::Monthly),
        "YEARLY" => Ok(Freq::Yearly),
        _ => Err(RuleError::unsupported(&format!("FREQ={value}"))),
    }
}

fn parse_interval(value: &str) -> Result<u32, RuleError> {
    number(value, MAX_INTERVAL)
        .ok_or_else(|| RuleError::part("INTERVAL", "must be a number from 1 to 1000"))
}

fn parse_count(value: &str) -> Result<End, RuleError> {
    number(value, MAX_COUNT)
        .map(End::Count)
        .ok_or_else(|| RuleError::part("COUNT", "must be a number from 1 to 10000"))
}

/// Digits alone (`parse` would take a sign), from 1 to `max`.
fn number(value: &str, max: u32) -> Option<u32> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|number| digits && (1..=max).contains(number))
}

fn parse_until(value: &str) -> Result<End, RuleError> {
    let utc = civil_text::read(value, "YYYYMMDDThhmmssZ").map(End::UntilUtc);
    let civil = || civil_text::read(value, "YYYYMMDDThhmmss").map(End::UntilCivil);
    let day = || civil_text::read(value, "YYYYMMDD").map(End::UntilDay);
    utc.or_else(civil).or_else(day).ok_or_else(|| {
        RuleError::part(
            "UNTIL",
            "must be a time such as 20270328T113000Z or a day such as 20270328",
        )
    })
}

fn parse_by_day(value: &str) -> Result<Vec<ByDay>, RuleError> {
    let days: Result<Vec<_>, _> = value.split(',').map(parse_by_day_item).collect();
    days.map(in_order)
}

fn parse_by_day_item(item: &str) -> Result<ByDay, RuleError> {
    let wrong = || RuleError::part("BYDAY", "must be days such as SU,WE or 1SU,-1FR");
    let name = item.get(item.len().saturating_sub(2)..).ok_or_else(wrong)?;
    let weekday = WEEK.into_iter().find(|day| code(*day) == name).ok_or_else(wrong)?;
    let number = item.strip_suffix(name).unwrap_or_default();
    if number.is_empty() {
        return Ok(ByDay { ordinal: 0, weekday });
    }
    let ordinal = signed(number, MAX_ORDINAL).ok_or_else(wrong)?;
    Ok(ByDay { ordinal, weekday })
}

fn parse_by_month_day(value: &str) -> Result<Vec<i8>, RuleError> {
    let wrong = || RuleError::part("BYMONTHDAY", "must be days from 1 to 31, or -1 for the last");
    let days = value.split(',').map(|day| signed(day, 31).ok_or_else(wrong));
    let mut days = days.collect::<Result<Vec<_>, _>>()?;
    days.sort_unstable();
    days.dedup();
    Ok(days)
}

fn parse_by_month(value: &str) -> Result<u16, RuleError> {
    let wrong = || RuleError::part("BYMONTH", "must be months from 1 to 12");
    value.split(',').try_fold(0, |months, month| {
        let month = number(month, 12).ok_or_else(wrong)?;
        Ok(months | 1 << month)
    })
}

/// From 1 to `max`, or from -1 to `-max`.
fn signed(text: &str, max: u32) -> Option<i8> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    Some(sign * i8::try_from(number(digits, max)?).ok()?)
}

/// The largest number of a day of BYDAY: a year has no more weeks.
const MAX_ORDINAL: u32 = 53;

/// The days of a week, from Monday on.
pub(crate) const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

fn in_order(mut days: Vec<ByDay>) -> Vec<ByDay> {
    days.sort_by_key(|day| (day.ordinal, day.weekday.to_monday_zero_offset()));
    days.dedup();
    days
}

/// The same days from Monday on, each once.
pub(crate) fn from_monday(mut days: Vec<Weekday>) -> Vec<Weekday> {
    days.sort_by_key(|day| day.to_monday_zero_offset());
    days.dedup();
    days
}

fn code(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "MO",
        Weekday::Tuesday => "TU",
        Weekday::Wednesday => "WE",
        Weekday::Thursday => "TH",
        Weekday::Friday => "FR",
        Weekday::Saturday => "SA",
        Weekday::Sunday => "SU",
    }
}

impl fmt::Display for Recur {
    /// The canonical form: parts in one order, what is the default left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.freq {
            Freq::Daily => "FREQ=DAILY",
            Freq::Weekly => "FREQ=WEEKLY",
            Freq::Monthly => "FREQ=MONTHLY",
            Freq::Yearly => "FREQ=YEARLY",
        })?;
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        if self.by_month != 0 {
            let months = (1..=12).filter(|month| self.by_month & (1 << month) != 0);
            write!(f, ";BYMONTH={}", list(months))?;
        }
        if !self.by_month_day.is_empty() {
            write!(f, ";BYMONTHDAY={}", list(&self.by_month_day))?;
        }
        if !self.by_day.is_empty() {
            write!(f, ";BYDAY={}", list(&self.by_day))?;
        }
        match self.end {
            End::Never => Ok(()),
            End::Count(count) => write!(f, ";COUNT={count}"),
            End::UntilDay(until) => write!(f, ";UNTIL={}", digits(until, 8)),
            End::UntilCivil(until) => write!(f, ";UNTIL={}", digits(until, 15)),
            End::UntilUtc(until) => write!(f, ";UNTIL={}Z", digits(until, 15)),
        }
    }
}

impl fmt::Display for ByDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ordinal != 0 {
            write!(f, "{}", self.ordinal)?;
        }
        f.write_str(code(self.weekday))
    }
}

fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(",")
}

/// The first `len` characters of `YYYYMMDDThhmmss`.
fn digits(at: DateTime, len: usize) -> String {
    civil_text::write(at).chars().filter(|c| !matches!(c, '-' | ':')).take(len).collect()
}

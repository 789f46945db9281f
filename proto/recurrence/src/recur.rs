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
/// The largest INTERVAL, in days or weeks: longer than any childhood.
pub const MAX_INTERVAL: u32 = 1_000;

/// How often a rule steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freq {
    Daily,
    Weekly,
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
    /// From Monday on, each once; empty if there was no BYDAY.
    pub(crate) by_day: Vec<Weekday>,
    pub(crate) end: End,
}

impl Recur {
    /// Reads a value such as `FREQ=WEEKLY;BYDAY=SU`, in any case of letters and order of parts.
    pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
        if text.len() > MAX_RRULE_BYTES {
            return Err(RuleError::TooLong);
        }
        let text = text.to_ascii_uppercase();
        let (mut freq, mut interval, mut by_day, mut end) = (None, 1, Vec::new(), End::Never);
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
        Ok(Self { freq, interval, by_day, end })
    }
}

fn parse_freq(value: &str) -> Result<Freq, RuleError> {
    match value {
        "DAILY" => Ok(Freq::Daily),
        "WEEKLY" => Ok(Freq::Weekly),
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

fn parse_by_day(value: &str) -> Result<Vec<Weekday>, RuleError> {
    let days: Result<Vec<_>, _> = value.split(',').map(parse_by_day_item).collect();
    days.map(from_monday)
}

fn parse_by_day_item(item: &str) -> Result<Weekday, RuleError> {
    if let Some(day) = WEEK.into_iter().find(|day| code(*day) == item) {
        return Ok(day);
    }
    // "2MO" and "-1SU": good in MONTHLY and YEARLY alone, so say that, not that it is no day.
    let rest = item.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    if WEEK.into_iter().any(|day| code(day) == rest) {
        return Err(RuleError::unsupported(&format!("BYDAY={item}")));
    }
    Err(RuleError::part("BYDAY", "must be days such as SU,WE"))
}

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
        })?;
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        if !self.by_day.is_empty() {
            let codes: Vec<_> = self.by_day.iter().copied().map(code).collect();
            write!(f, ";BYDAY={}", codes.join(","))?;
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

/// The first `len` characters of `YYYYMMDDThhmmss`.
fn digits(at: DateTime, len: usize) -> String {
    civil_text::write(at).chars().filter(|c| !matches!(c, '-' | ':')).take(len).collect()
}

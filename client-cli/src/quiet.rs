//! Quiet hours of one phone, on its own clock. Pure.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// From an hour to an hour, through midnight where the second is the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    from: Time,
    to: Time,
}

impl Quiet {
    /// When the quiet ends that it is at `now`; `None` outside of it.
    #[must_use]
    pub fn ends(self, now: Timestamp, tz: &TimeZone) -> Option<Timestamp> {
        let local = tz.to_datetime(now);
        let Self { from, to } = self;
        let time = local.time();
        let through_midnight = to <= from;
        let within = match through_midnight {
            true => time >= from || time < to,
            false => time >= from && time < to,
        };
        let tomorrow = through_midnight && time >= from;
        let day = if tomorrow { local.date().checked_add(1.day()).ok()? } else { local.date() };
        let end = tz.to_ambiguous_timestamp(day.to_datetime(to)).later().ok()?;
        within.then_some(end)
    }
}

impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from.strftime("%H:%M"), self.to.strftime("%H:%M"))
    }
}

impl FromStr for Quiet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "quiet hours are written 21:00-07:00, or off".to_owned();
        let time = |text: &str| Time::strptime("%H:%M", text).map_err(|_| wrong());
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let (from, to) = (time(from)?, time(to)?);
        if from == to {
            return Err(
                "from an hour to the same hour is the whole day: say another end".to_owned()
            );
        }
        Ok(Self { from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(quiet: &str, now: &str, zone: &str) -> Option<String> {
        let tz = TimeZone::get(zone).unwrap();
        let quiet: Quiet = quiet.parse().unwrap();
        quiet.ends(now.parse().unwrap(), &tz).map(|end| end.to_string())
    }

    #[test]
    fn it_is_quiet_from_hour_to_hour_on_this_clock() {
        let cases = [
            ("21:00-07:00", "2027-03-01T12:59:59Z", None),
            ("21:00-07:00", "2027-03-01T13:00:00Z", Some("2027-03-01T23:00:00Z")),
            ("21:00-07:00", "2027-03-01T22:59:59Z", Some("2027-03-01T23:00:00Z")),
            ("21:00-07:00", "2027-03-01T23:00:00Z", None),
            ("12:00-14:00", "2027-03-01T05:00:00Z", Some("2027-03-01T06:00:00Z")),
            ("12:00-14:00", "2027-03-01T06:00:00Z", None),
            ("00:00-06:00", "2027-03-01T16:00:00Z", Some("2027-03-01T22:00:00Z")),
        ];
        for (quiet, now, end) in cases {
            assert_eq!(ends(quiet, now, "Asia/Shanghai").as_deref(), end, "{quiet} at {now}");
        }
    }

    #[test]
    fn an_end_that_the_clocks_skip_comes_after_the_gap_and_one_they_have_twice_the_second_time() {
        let spring = ends("21:00-02:30", "2027-03-27T23:00:00Z", "Europe/Rome");
        let autumn = ends("21:00-02:30", "2027-10-30T23:00:00Z", "Europe/Rome");

        assert_eq!(spring.as_deref(), Some("2027-03-28T01:30:00Z"));
        assert_eq!(autumn.as_deref(), Some("2027-10-31T01:30:00Z"));
    }

    #[test]
    fn it_reads_as_it_is_written() {
        for text in ["21:00-07:00", "00:30-23:59"] {
            assert_eq!(text.parse::<Quiet>().unwrap().to_string(), text);
        }
        for text in ["", "21:00", "21:00-", "21:00-21:00", "25:00-07:00", "21-7", "9pm-7am", "a-b"]
        {
            assert!(text.parse::<Quiet>().is_err(), "{text}");
        }
    }
}

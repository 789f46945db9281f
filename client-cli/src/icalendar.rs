//! Schedules as iCalendar (RFC 5545). Pure.
//!
//! Zones stand in it with their changes, as RFC 5545 asks (3.6.5): no program need know them.

use std::collections::BTreeMap;

use jiashu_proto::entry::RuleText;
use jiashu_proto::id::Ref;
use jiashu_recurrence::{Rule, occurrences};
use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

/// Bytes of a line, less its end (3.1).
const LINE: usize = 75;

/// The changes of a zone stand for so many years to come: calendars know them beyond by its name.
const YEARS: i64 = 10;

/// Something planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name.
    pub id: Ref,
    /// When.
    pub rule: RuleText,
    /// The line that is seen.
    pub summary: String,
    /// More, for who opens it.
    pub description: Option<String>,
}

/// A calendar with these, made at `now`. Of a rule that cannot be read there is nothing.
#[must_use]
pub fn write(planned: &[Planned], now: Timestamp) -> String {
    let read = planned.iter().filter_map(|one| Some((one, Rule::of(&one.rule).ok()?)));
    let read: Vec<_> = read.collect();
    let mut out = Calendar::default();
    out.line("BEGIN:VCALENDAR");
    out.line("VERSION:2.0");
    out.line(concat!("PRODID:-//Jiashu//jiashu ", env!("CARGO_PKG_VERSION"), "//EN"));
    let mut zones: BTreeMap<&str, (&TimeZone, Timestamp, Timestamp)> = BTreeMap::new();
    for (_, rule) in &read {
        let begins = first_planned(rule).map_or(now, |first| at(first, rule.tz()));
        let zone = zones.entry(rule.zone()).or_insert((rule.tz(), begins, now));
        (zone.1, zone.2) = (zone.1.min(begins), zone.2.max(begins));
    }
    for (name, (tz, first, last)) in zones {
        out.zone(name, tz, first, last);
    }
    for (one, rule) in &read {
        out.event(one, rule, now);
    }
    out.line("END:VCALENDAR");
    out.0
}

#[derive(Default)]
struct Calendar(String);

impl Calendar {
    /// Folded (3.1), no character torn.
    fn line(&mut self, line: &str) {
        let mut width = 0;
        for c in line.chars() {
            if width + c.len_utf8() > LINE {
                self.0.push_str("\r\n ");
                width = 1;
            }
            self.0.push(c);
            width += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }

    /// VTIMEZONE (3.6.5): what holds a year before `first`, and each change from then until [`YEARS`] after
    /// `last`.
    fn zone(&mut self, name: &str, tz: &TimeZone, first: Timestamp, last: Timestamp) {
        let before = first.saturating_sub((24 * 366).hours()).unwrap_or(first);
        let last = last.saturating_add((YEARS * 24 * 366).hours()).unwrap_or(last);
        self.line("BEGIN:VTIMEZONE");
        self.line(&format!("TZID:{name}"));
        let mut holds = tz.to_offset(before);
        let onset = holds.to_datetime(before);
        self.observance(tz.to_offset_info(before).dst().is_dst(), onset, holds, holds);
        for change in tz.following(before).take_while(|change| change.timestamp() <= last) {
            let onset = holds.to_datetime(change.timestamp());
            self.observance(change.dst().is_dst(), onset, holds, change.offset());
            holds = change.offset();
        }
        self.line("END:VTIMEZONE");
    }

    fn observance(&mut self, is_dst: bool, onset: DateTime, from: Offset, to: Offset) {
        let name = if is_dst { "DAYLIGHT" } else { "STANDARD" };
        self.line(&format!("BEGIN:{name}"));
        self.line(&format!("DTSTART:{}", compact(onset)));
        self.line(&format!("TZOFFSETFROM:{}", offset(from)));
        self.line(&format!("TZOFFSETTO:{}", offset(to)));
        self.line(&format!("END:{name}"));
    }

    /// VEVENT (3.6.1). It starts with the first that is planned, as the RRULE is reckoned from there.
    fn event(&mut self, one: &Planned, rule: &Rule, now: Timestamp) {
        let Some(first) = first_planned(rule) else { return };
        let (zone, text) = (rule.zone(), rule.text());
        self.line("BEGIN:VEVENT");
        self.line(&format!("UID:{}@jiashu", one.id));
        self.line(&format!("DTSTAMP:{}Z", compact(TimeZone::UTC.to_datetime(now))));
        self.line(&format!("DTSTART;TZID={zone}:{}", compact(first)));
        if let Some(rrule) = &text.rrule {
            self.line(&format!("RRULE:{}", with_utc_end(rrule, rule.tz())));
        }
        for (name, times) in [("RDATE", &text.also), ("EXDATE", &text.except)] {
            let times = times.iter().filter_map(|time| time.parse().ok()).map(compact);
            let times: Vec<_> = times.collect();
            if !times.is_empty() {
                self.line(&format!("{name};TZID={zone}:{}", times.join(",")));
            }
        }
        self.line(&format!("SUMMARY:{}", escaped(&one.summary)));
        if let Some(description) = &one.description {
            self.line(&format!("DESCRIPTION:{}", escaped(description)));
        }
        self.line("TRANSP:TRANSPARENT");
        self.line("END:VEVENT");
    }
}

/// The first time that the rule itself plans; of one that plans none, the first single date.
fn first_planned(rule: &Rule) -> Option<DateTime> {
    let text = rule.text();
    let also = text.also.first().and_then(|also| also.parse().ok());
    let alone = Rule::of(&RuleText { also: Vec::new(), except: Vec::new(), ..text }).ok()?;
    let first = occurrences(&alone, Timestamp::MIN).next();
    first.and_then(|first| first.planned_text().parse().ok()).or(also)
}

/// With a DTSTART in a zone an end is in UTC (3.3.10).
fn with_utc_end(rrule: &str, tz: &TimeZone) -> String {
    let part = |part: &str| {
        let until = part.strip_prefix("UNTIL=").filter(|until| !until.ends_with('Z'));
        let end = until.and_then(|until| {
            let day = || Some(Date::strptime("%Y%m%d", until).ok()?.at(23, 59, 59, 0));
            DateTime::strptime("%Y%m%dT%H%M%S", until).ok().or_else(day)
        });
        match end {
            Some(end) => format!("UNTIL={}Z", compact(TimeZone::UTC.to_datetime(at(end, tz)))),
            None => part.to_owned(),
        }
    };
    rrule.split(';').map(part).collect::<Vec<_>>().join(";")
}

fn at(civil: DateTime, tz: &TimeZone) -> Timestamp {
    tz.to_ambiguous_timestamp(civil).compatible().unwrap_or(Timestamp::MIN)
}

fn compact(civil: DateTime) -> String {
    civil.strftime("%Y%m%dT%H%M%S").to_string()
}

/// `+0800`, with seconds where a zone has them (3.3.14).
fn offset(offset: Offset) -> String {
    let all = offset.seconds();
    let sign = if all < 0 { '-' } else { '+' };
    let (hours, minutes, seconds) = (all.abs() / 3_600, all.abs() / 60 % 60, all.abs() % 60);
    match seconds {
        0 => format!("{sign}{hours:02}{minutes:02}"),
        _ => format!("{sign}{hours:02}{minutes:02}{seconds:02}"),
    }
}

/// TEXT (3.3.11). What a terminal or a program could take for a command is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in crate::say::plain(text).chars() {
        match c {
            '\n' => escaped.push_str("\\n"),
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(start: &str, zone: &str, rrule: Option<&str>) -> Planned {
        let (id, rule) = (Ref([3; 12]), RuleText::new(start, zone, rrule));
        Planned { id, rule, summary: "a; b, c\\d\ne".to_owned(), description: None }
    }

    fn lines(planned: &Planned) -> Vec<String> {
        let now = "2027-03-01T00:00:00Z".parse().unwrap();
        let text = write(std::slice::from_ref(planned), now);
        text.replace("\r\n ", "").split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn it_starts_with_the_first_that_is_planned_and_ends_in_utc() {
        let rrule = "FREQ=WEEKLY;BYDAY=SU;UNTIL=20270401";
        let written = lines(&planned("2027-03-01T19:30:00", "Europe/Rome", Some(rrule)));

        assert!(written.contains(&"DTSTART;TZID=Europe/Rome:20270307T193000".to_owned()));
        let end = "RRULE:FREQ=WEEKLY;BYDAY=SU;UNTIL=20270401T215959Z".to_owned();
        assert!(written.contains(&end), "{written:?}");
        assert!(written.contains(&r"SUMMARY:a\; b\, c\\d\ne".to_owned()), "{written:?}");
    }

    #[test]
    fn the_changes_of_its_zone_stand_in_it() {
        let written = lines(&planned("2027-03-28T19:30:00", "Europe/Rome", None));

        let at = written.iter().position(|line| line == "DTSTART:20270328T020000").unwrap();
        assert_eq!(written[at - 1], "BEGIN:DAYLIGHT");
        assert_eq!(written[at + 1..at + 3], ["TZOFFSETFROM:+0100", "TZOFFSETTO:+0200"]);
    }

    #[test]
    fn no_line_is_longer_than_may_be_and_no_character_torn() {
        let long =
            Planned { summary: "好".repeat(100), ..planned("2027-03-28T19:30:00", "UTC", None) };
        let text = write(&[long], Timestamp::UNIX_EPOCH);

        assert!(text.split("\r\n").all(|line| line.len() <= LINE), "{text}");
        assert!(text.replace("\r\n ", "").contains(&"好".repeat(100)));
    }
}

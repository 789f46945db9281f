//! Rules of schedules, and the words that a person types for one.

use jiashu_proto::bounds::MAX_PREVIEW;
use jiashu_proto::entry::RuleText;
use jiashu_recurrence::{
    Rule, RuleError, next_occurrence, occurrence_at, occurrences, parse_days, parse_every, preview,
};
use jiff::Timestamp;
use jiff::civil::date;

/// Occurrences looked at from each instant.
const LOOK: usize = 20;

/// Lines: start, zone, RRULE (empty, or not there: it happens once), times besides and times left
/// out, with blanks between; and the first two as days and time of day.
pub fn any_rule(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default().to_owned();
    let (start, zone, rrule) = (line(), line(), line());
    words(&start, &zone);
    let mut times = || line().split_ascii_whitespace().map(str::to_owned).collect();
    let (also, except) = (times(), times());
    let rrule = Some(rrule).filter(|rrule| !rrule.is_empty());
    match Rule::of(&RuleText { start, zone, rrule, also, except }) {
        Ok(rule) => gives_what_it_says(&rule),
        Err(error) => is_short(&error),
    }
}

fn is_short(error: &RuleError) {
    let said = error.to_string();
    // 40 characters of what was written, each of which may be shown by its number.
    assert!(said.chars().count() < 500, "{said}");
    assert!(!said.contains(|c: char| c.is_control()), "{said:?}");
}

fn words(days: &str, time: &str) {
    match parse_every(days, time, date(2026, 11, 22)) {
        Ok(every) => {
            let rule = Rule::parse(&every.start, "Asia/Shanghai", Some(&every.rrule));
            assert!(rule.is_ok(), "what words say is a rule");
        }
        Err(error) => is_short(&error),
    }
    if let Ok(days) = parse_days(days) {
        assert!((1..=7).contains(&days.len()));
    }
}

fn gives_what_it_says(rule: &Rule) {
    let again = Rule::of(&rule.text()).unwrap();
    assert_eq!(&again, rule, "its canonical form is the same rule");
    for after in [i64::MIN, 0, 1_000_000_000, 1_795_500_000, 7_000_000_000, i64::MAX] {
        let after = Timestamp::from_second(after).unwrap_or(Timestamp::MAX);
        let mut last = after;
        for occurrence in occurrences(rule, after).take(LOOK) {
            assert!(occurrence.at > last, "occurrences ascend");
            let planned = occurrence.planned_text();
            assert_eq!(planned.len(), 19);
            assert_eq!(occurrence_at(rule, &planned).as_ref(), Some(&occurrence));
            last = occurrence.at;
        }
        let first = next_occurrence(rule, after);
        assert_eq!(first, occurrences(rule, after).next());
    }
    let shown = preview(rule, &["Europe/Rome"], Timestamp::UNIX_EPOCH, usize::MAX).unwrap();
    assert!(shown.len() <= MAX_PREVIEW);
}

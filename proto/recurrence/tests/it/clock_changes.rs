//! Real zones on the days when their clocks change, each by a table of what must come out.

use jiashu_recurrence::{Adjust, Rule, next_occurrence, occurrence_at, occurrences, utc_text};
use jiff::Timestamp;

/// A planned time, its instant, and what a clock change did to it.
type Row<'a> = (&'a str, &'a str, Option<Adjust>);

fn rule(start: &str, zone: &str, rrule: &str) -> Rule {
    Rule::parse(start, zone, Some(rrule)).unwrap()
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The first occurrences of the rule must be these rows.
fn assert_begins_with(rule: &Rule, rows: &[Row<'_>]) {
    let found: Vec<_> = occurrences(rule, Timestamp::MIN).take(rows.len()).collect();

    let found: Vec<_> =
        found.iter().map(|o| (o.planned_text(), utc_text(o.at), o.adjust)).collect();
    let wanted: Vec<_> =
        rows.iter().map(|row| (row.0.to_owned(), row.1.to_owned(), row.2)).collect();
    assert_eq!(found, wanted, "{} in {}", rule.rrule_text().unwrap_or_default(), rule.zone());
}

#[test]
fn a_sunday_call_to_shanghai_is_always_at_the_same_instant_of_the_day() {
    let sundays = rule("2027-03-21T19:30", "Asia/Shanghai", "FREQ=WEEKLY;BYDAY=SU");

    assert_begins_with(
        &sundays,
        &[
            ("2027-03-21T19:30:00", "2027-03-21T11:30:00Z", None),
            ("2027-03-28T19:30:00", "2027-03-28T11:30:00Z", None),
            ("2027-04-04T19:30:00", "2027-04-04T11:30:00Z", None),
        ],
    );
}

#[test]
fn bedtime_in_rome_keeps_its_hour_when_summer_begins_and_ends() {
    let spring = rule("2027-03-27T20:00", "Europe/Rome", "FREQ=DAILY");
    let autumn = rule("2027-10-30T20:00", "Europe/Rome", "FREQ=DAILY");

    assert_begins_with(
        &spring,
        &[
            ("2027-03-27T20:00:00", "2027-03-27T19:00:00Z", None),
            ("2027-03-28T20:00:00", "2027-03-28T18:00:00Z", None),
        ],
    );
    assert_begins_with(
        &autumn,
        &[
            ("2027-10-30T20:00:00", "2027-10-30T18:00:00Z", None),
            ("2027-10-31T20:00:00", "2027-10-31T19:00:00Z", None),
        ],
    );
}

#[test]
fn an_hour_that_does_not_exist_in_berlin_is_an_hour_late_and_says_so() {
    let nightly = rule("2027-03-27T02:30", "Europe/Berlin", "FREQ=DAILY");

    assert_begins_with(
        &nightly,
        &[
            ("2027-03-27T02:30:00", "2027-03-27T01:30:00Z", None),
            ("2027-03-28T02:30:00", "2027-03-28T01:30:00Z", Some(Adjust::Gap)),
            ("2027-03-29T02:30:00", "2027-03-29T00:30:00Z", None),
        ],
    );
}

#[test]
fn an_hour_that_exists_twice_in_berlin_happens_once_the_first_time() {
    let nightly = rule("2027-10-30T02:30", "Europe/Berlin", "FREQ=DAILY");

    assert_begins_with(
        &nightly,
        &[
            ("2027-10-30T02:30:00", "2027-10-30T00:30:00Z", None),
            ("2027-10-31T02:30:00", "2027-10-31T00:30:00Z", Some(Adjust::Overlap)),
            ("2027-11-01T02:30:00", "2027-11-01T01:30:00Z", None),
        ],
    );
}

#[test]
fn a_midnight_that_does_not_exist_in_cairo_does_not_lose_its_day() {
    let midnights = rule("2027-04-29T00:00", "Africa/Cairo", "FREQ=DAILY");

    assert_begins_with(
        &midnights,
        &[
            ("2027-04-29T00:00:00", "2027-04-28T22:00:00Z", None),
            ("2027-04-30T00:00:00", "2027-04-29T22:00:00Z", Some(Adjust::Gap)),
            ("2027-05-01T00:00:00", "2027-04-30T21:00:00Z", None),
        ],
    );
}

#[test]
fn the_half_hour_jump_of_lord_howe_shifts_by_half_an_hour() {
    let nightly = rule("2026-10-03T02:15", "Australia/Lord_Howe", "FREQ=DAILY");

    assert_begins_with(
        &nightly,
        &[
            ("2026-10-03T02:15:00", "2026-10-02T15:45:00Z", None),
            ("2026-10-04T02:15:00", "2026-10-03T15:45:00Z", Some(Adjust::Gap)),
            ("2026-10-05T02:15:00", "2026-10-04T15:15:00Z", None),
        ],
    );
}

#[test]
fn kathmandu_is_a_quarter_of_an_hour_off() {
    let daily = rule("2027-01-01T07:00", "Asia/Kathmandu", "FREQ=DAILY");

    assert_begins_with(&daily, &[("2027-01-01T07:00:00", "2027-01-01T01:15:00Z", None)]);
}

#[test]
fn the_day_that_apia_skipped_does_not_make_the_next_day_happen_twice() {
    let daily = rule("2011-12-28T19:30", "Pacific/Apia", "FREQ=DAILY");

    assert_begins_with(
        &daily,
        &[
            ("2011-12-28T19:30:00", "2011-12-29T05:30:00Z", None),
            ("2011-12-29T19:30:00", "2011-12-30T05:30:00Z", None),
            ("2011-12-31T19:30:00", "2011-12-31T05:30:00Z", None),
            ("2012-01-01T19:30:00", "2012-01-01T05:30:00Z", None),
        ],
    );
    assert_eq!(occurrence_at(&daily, "2011-12-30T19:30:00"), None, "it stands under the 31st");
}

#[test]
fn a_weekly_call_on_the_day_that_apia_skipped_happens_a_day_late() {
    let fridays = rule("2011-12-23T19:30", "Pacific/Apia", "FREQ=WEEKLY");

    assert_begins_with(
        &fridays,
        &[
            ("2011-12-23T19:30:00", "2011-12-24T05:30:00Z", None),
            ("2011-12-30T19:30:00", "2011-12-31T05:30:00Z", Some(Adjust::Gap)),
            ("2012-01-06T19:30:00", "2012-01-06T05:30:00Z", None),
        ],
    );
}

#[test]
fn a_rule_that_ends_on_the_skipped_day_still_happens_then() {
    let daily = rule("2011-12-29T19:30", "Pacific/Apia", "FREQ=DAILY;COUNT=2");

    assert_begins_with(
        &daily,
        &[
            ("2011-12-29T19:30:00", "2011-12-30T05:30:00Z", None),
            ("2011-12-30T19:30:00", "2011-12-31T05:30:00Z", Some(Adjust::Gap)),
        ],
    );
}

#[test]
fn the_next_after_a_shifted_instant_is_the_day_after_and_just_before_it_itself() {
    let nightly = rule("2027-03-01T02:30", "Europe/Berlin", "FREQ=DAILY");

    let before = next_occurrence(&nightly, instant("2027-03-28T01:29:59.999Z")).unwrap();
    let at = next_occurrence(&nightly, instant("2027-03-28T01:30:00Z")).unwrap();

    assert_eq!(before.planned_text(), "2027-03-28T02:30:00");
    assert_eq!(at.planned_text(), "2027-03-29T02:30:00");
}

#[test]
fn the_second_passing_of_an_hour_gives_nothing_more_on_that_day() {
    let nightly = rule("2027-10-01T02:30", "Europe/Berlin", "FREQ=DAILY");

    let between = next_occurrence(&nightly, instant("2027-10-31T01:00:00Z")).unwrap();

    assert_eq!(between.planned_text(), "2027-11-01T02:30:00");
}

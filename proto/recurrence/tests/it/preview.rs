//! What both sides are shown before they agree.

use jiashu_proto::bounds::MAX_PREVIEW;
use jiashu_recurrence::{Adjust, Rule, RuleError, preview};
use jiff::Timestamp;

#[test]
fn the_preview_marks_the_sunday_on_which_the_parents_clock_shifts() {
    let sundays = Rule::parse("2027-03-14T19:30", "Asia/Shanghai", Some("FREQ=WEEKLY")).unwrap();

    let entries = preview(&sundays, &["Asia/Shanghai", "Europe/Rome"], Timestamp::MIN, 4).unwrap();

    assert!(entries.iter().all(|entry| !entry.clocks[0].shifts), "the rule's own clock never does");
    let shown: Vec<_> = entries
        .iter()
        .map(|e| (&*e.clocks[0].local, &*e.clocks[1].local, e.clocks[1].shifts))
        .collect();
    assert_eq!(
        shown,
        [
            ("2027-03-14T19:30:00+08:00", "2027-03-14T12:30:00+01:00", false),
            ("2027-03-21T19:30:00+08:00", "2027-03-21T12:30:00+01:00", false),
            ("2027-03-28T19:30:00+08:00", "2027-03-28T13:30:00+02:00", true),
            ("2027-04-04T19:30:00+08:00", "2027-04-04T13:30:00+02:00", false),
        ]
    );
}

#[test]
fn clocks_that_change_on_the_same_night_shift_nobody() {
    let daily = Rule::parse("2027-03-27T20:00", "Europe/Bucharest", Some("FREQ=DAILY")).unwrap();

    let entries = preview(&daily, &["Europe/Rome"], Timestamp::MIN, 3).unwrap();

    assert!(entries.iter().all(|entry| !entry.clocks[0].shifts));
}

#[test]
fn the_preview_says_when_an_hour_does_not_exist_or_exists_twice() {
    let night = |start| Rule::parse(start, "Europe/Rome", Some("FREQ=DAILY")).unwrap();

    let rome = ["Europe/Rome"];
    let spring = preview(&night("2027-03-28T02:30"), &rome, Timestamp::MIN, 1).unwrap();
    let autumn = preview(&night("2027-10-31T02:30"), &rome, Timestamp::MIN, 1).unwrap();

    assert_eq!(spring[0].occurrence.adjust, Some(Adjust::Gap));
    assert_eq!(spring[0].clocks[0].local, "2027-03-28T03:30:00+02:00");
    assert_eq!(autumn[0].occurrence.adjust, Some(Adjust::Overlap));
    assert_eq!(autumn[0].clocks[0].local, "2027-10-31T02:30:00+02:00");
    assert_eq!([Adjust::Gap, Adjust::Overlap].map(Adjust::name), ["gap", "overlap"]);
}

#[test]
fn a_preview_has_a_bound_and_needs_a_real_zone() {
    let daily = Rule::parse("2027-01-01T20:00", "Asia/Shanghai", Some("FREQ=DAILY")).unwrap();

    let all = preview(&daily, &["UTC"], Timestamp::MIN, usize::MAX).unwrap();
    let nowhere = preview(&daily, &["UTC", "Nowhere"], Timestamp::MIN, 1);

    assert_eq!(all.len(), MAX_PREVIEW);
    assert_eq!(nowhere, Err(RuleError::Zone("Nowhere".to_owned())));
}

//! The short form that is typed: days and an hour.

use jiashu_recurrence::{Rule, RuleError, parse_days, parse_every, weekly_rrule};
use jiff::civil::date;

#[test]
fn days_are_read_as_people_write_them() {
    let cases = [
        ("sun,wed", "FREQ=WEEKLY;BYDAY=WE,SU"),
        ("Sunday", "FREQ=WEEKLY;BYDAY=SU"),
        ("mon-fri", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("sat-mon, wed", "FREQ=WEEKLY;BYDAY=MO,WE,SA,SU"),
        ("tue-tue", "FREQ=WEEKLY;BYDAY=TU"),
        ("mon-sun", "FREQ=DAILY"),
        ("day", "FREQ=DAILY"),
        ("DAILY", "FREQ=DAILY"),
    ];

    for (text, rrule) in cases {
        let days = parse_days(text).unwrap();

        assert_eq!(weekly_rrule(&days), rrule, "{text}");
    }
}

#[test]
fn what_is_no_day_is_refused() {
    for text in ["", "su", "sun,", "sun;wed", "mon-", "mon-fri-sun", "every", "星期天"] {
        let refused = parse_days(text);

        assert_eq!(refused, Err(RuleError::Days(text.to_owned())));
    }
}

#[test]
fn no_day_at_all_is_the_day_of_the_start() {
    assert_eq!(weekly_rrule(&[]), "FREQ=WEEKLY");
}

#[test]
fn it_starts_on_the_first_of_its_days() {
    let a_monday = date(2026, 11, 23);

    let every = parse_every("sun,wed", "19:30", a_monday).unwrap();

    assert_eq!(every.start, "2026-11-25T19:30:00");
    assert_eq!(every.rrule, "FREQ=WEEKLY;BYDAY=WE,SU");
    assert!(Rule::parse(&every.start, "Asia/Shanghai", Some(&every.rrule)).is_ok());
}

#[test]
fn what_is_no_hour_is_refused() {
    for time in ["", "7:30", "24:00", "19:60", "19:30:00", "7pm", "+9:30"] {
        let refused = parse_every("sun", time, date(2026, 11, 23));

        assert_eq!(refused, Err(RuleError::Time(time.to_owned())));
    }
}

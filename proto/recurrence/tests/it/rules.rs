//! What makes a rule, what is refused and in which words, and where a rule begins and ends.

use jiashu_proto::entry::RuleText;
use jiashu_recurrence::{
    Rule, RuleError, local_text, next_occurrence, occurrence_at, occurrences, utc_text,
};
use jiff::Timestamp;

const SHANGHAI: &str = "Asia/Shanghai";
/// A Sunday.
const START: &str = "2026-11-22T20:00";

fn rule(rrule: &str) -> Rule {
    Rule::parse(START, SHANGHAI, Some(rrule)).unwrap()
}

fn planned(rule: &Rule) -> Vec<String> {
    occurrences(rule, Timestamp::MIN).take(6).map(|o| o.planned_text()).collect()
}

#[test]
fn without_a_rule_it_happens_once() {
    let once = Rule::parse(START, SHANGHAI, None).unwrap();

    assert_eq!(planned(&once), ["2026-11-22T20:00:00"]);
    assert_eq!(once.rrule_text(), None);
    assert_eq!(once.start_text(), "2026-11-22T20:00:00");
}

#[test]
fn a_refusal_names_what_is_wrong() {
    let cases = [
        ("FREQ=SECONDLY", "FREQ=SECONDLY is not supported"),
        ("FREQ=HOURLY", "FREQ=HOURLY is not supported"),
        ("FREQ=YEARLY;BYWEEKNO=1", "BYWEEKNO is not supported"),
        ("FREQ=YEARLY;BYYEARDAY=1", "BYYEARDAY is not supported"),
        ("FREQ=DAILY;BYSETPOS=1", "BYSETPOS is not supported"),
        ("FREQ=DAILY;BYHOUR=1", "BYHOUR is not supported"),
        ("FREQ=WEEKLY;WKST=SU", "WKST=SU is not supported"),
        ("FREQ=WEEKLY;BYDAY=-1SU", "BYDAY: takes numbers with FREQ=MONTHLY and YEARLY alone"),
        ("FREQ=DAILY;BYDAY=1SU", "BYDAY: takes numbers with FREQ=MONTHLY and YEARLY alone"),
        ("FREQ=MONTHLY;BYDAY=6SU", "BYDAY: a month has no more than five of a day"),
        ("FREQ=YEARLY;BYDAY=54SU", "BYDAY: must be days such as SU,WE or 1SU,-1FR"),
        ("FREQ=YEARLY;BYDAY=0SU", "BYDAY: must be days such as SU,WE or 1SU,-1FR"),
        ("FREQ=YEARLY;BYDAY=--1SU", "BYDAY: must be days such as SU,WE or 1SU,-1FR"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY: does not go with FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY: must be days from 1 to 31, or -1 for the last"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY: must be days from 1 to 31, or -1 for the last"),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-32",
            "BYMONTHDAY: must be days from 1 to 31, or -1 for the last",
        ),
        ("FREQ=MONTHLY;BYMONTH=13", "BYMONTH: must be months from 1 to 12"),
        ("FREQ=MONTHLY;BYMONTH=0", "BYMONTH: must be months from 1 to 12"),
        ("FREQ=MONTHLY;BYMONTH=-1", "BYMONTH: must be months from 1 to 12"),
        ("RRULE:FREQ=DAILY", "RRULE:FREQ is not supported"),
        ("", "RRULE: has an empty part"),
        ("FREQ=DAILY;", "RRULE: has an empty part"),
        ("FREQ=DAILY;COUNT", "COUNT: has no value"),
        ("INTERVAL=2", "FREQ: is missing"),
        ("FREQ=DAILY;FREQ=WEEKLY", "FREQ: is there twice"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL: must be a number from 1 to 1000"),
        ("FREQ=DAILY;INTERVAL=1001", "INTERVAL: must be a number from 1 to 1000"),
        ("FREQ=DAILY;INTERVAL=+2", "INTERVAL: must be a number from 1 to 1000"),
        ("FREQ=DAILY;COUNT=0", "COUNT: must be a number from 1 to 10000"),
        ("FREQ=DAILY;COUNT=1000000000", "COUNT: must be a number from 1 to 10000"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "UNTIL: is there with COUNT or UNTIL: give one"),
        ("FREQ=DAILY;UNTIL=20261121", "UNTIL: lies before the start"),
        ("FREQ=DAILY;UNTIL=20261122T115959Z", "UNTIL: lies before the start"),
        (
            "FREQ=DAILY;UNTIL=20270230",
            "UNTIL: must be a time such as 20270328T113000Z or a day such as 20270328",
        ),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY: must be days such as SU,WE or 1SU,-1FR"),
        ("FREQ=WEEKLY;BYDAY=", "BYDAY: must be days such as SU,WE or 1SU,-1FR"),
        ("FREQ=WEEKLY;BYDAY=日", "BYDAY: must be days such as SU,WE or 1SU,-1FR"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=MO", "the rule gives no occurrence"),
        ("FREQ=WEEKLY;BYDAY=MO;UNTIL=20261122", "the rule gives no occurrence"),
        ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30,31", "the rule gives no occurrence"),
        ("FREQ=YEARLY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=29", "the rule gives no occurrence"),
        ("FREQ=DAILY;INTERVAL=7;BYMONTHDAY=13;BYDAY=FR", "the rule gives no occurrence"),
    ];

    for (rrule, words) in cases {
        let refused = Rule::parse(START, SHANGHAI, Some(rrule)).unwrap_err();

        assert_eq!(refused.to_string(), words, "{rrule}");
    }
}

#[test]
fn a_rule_longer_than_its_bound_is_refused_unread() {
    let long = format!("FREQ=WEEKLY;BYDAY={}SU", "SU,".repeat(200));

    let refused = Rule::parse(START, SHANGHAI, Some(&long));

    assert_eq!(refused, Err(RuleError::TooLong));
}

#[test]
fn a_start_is_a_local_time_of_these_centuries_and_nothing_else() {
    let good = ["1970-01-01T00:00", "2199-12-31T23:59:59", "2024-02-29T12:00:01"];
    let bad = [
        "2026-11-22",
        "2026-11-22 20:00",
        "2026-11-22t20:00",
        "2026-11-22T20:00Z",
        "2026-11-22T20:00+08:00",
        "2026-11-22T20:00:60",
        "2026-11-22T24:00",
        "2026-11-22T20:00:00.5",
        "2026-02-29T20:00",
        "2026-1-22T20:00",
        "+026-11-22T20:00",
        "20261122T200000",
        "",
    ];

    for start in good {
        assert!(Rule::parse(start, SHANGHAI, None).is_ok(), "{start}");
    }
    for start in bad {
        let refused = Rule::parse(start, SHANGHAI, None);
        assert_eq!(refused, Err(RuleError::Start(start.to_owned())));
    }
    let far = [
        ("1969-12-31T23:59", 1969),
        ("1900-01-01T00:00", 1900),
        ("2200-01-01T00:00", 2200),
        ("9999-12-31T23:59", 9999),
    ];
    for (start, year) in far {
        assert_eq!(Rule::parse(start, SHANGHAI, None), Err(RuleError::Year(year)));
    }
}

#[test]
fn a_zone_is_a_name_of_the_iana_database_and_is_kept_as_spelt_there() {
    let names =
        [("asia/shanghai", "Asia/Shanghai"), ("UTC", "UTC"), ("Europe/Rome", "Europe/Rome")];
    let no_names = ["+08:00", "CST-8", "EST5EDT,M3.2.0,M11.1.0", "Etc/Unknown", "Mars/Olympus", ""];

    for (name, kept) in names {
        assert_eq!(Rule::parse(START, name, None).unwrap().zone(), kept);
    }
    for name in no_names {
        let refused = Rule::parse(START, name, None);
        assert_eq!(refused, Err(RuleError::Zone(name.to_owned())));
    }
}

#[test]
fn a_refusal_does_not_repeat_a_long_text() {
    let hostile = "\u{1b}家".repeat(100_000);

    let refused = Rule::parse(START, &hostile, None).unwrap_err();

    assert!(refused.to_string().chars().count() < 100, "{refused}");
    assert!(!refused.to_string().contains('\u{1b}'));
}

#[test]
fn the_text_of_a_rule_has_one_canonical_form() {
    let cases = [
        ("freq=weekly;byday=su,we;wkst=mo", "FREQ=WEEKLY;BYDAY=WE,SU"),
        ("BYDAY=SU,SU;INTERVAL=1;FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=SU"),
        ("COUNT=010;INTERVAL=2;FREQ=DAILY", "FREQ=DAILY;INTERVAL=2;COUNT=10"),
        ("FREQ=DAILY;UNTIL=20270328T113000z", "FREQ=DAILY;UNTIL=20270328T113000Z"),
        ("FREQ=DAILY;UNTIL=20270328T193000", "FREQ=DAILY;UNTIL=20270328T193000"),
        ("FREQ=DAILY;UNTIL=20270328", "FREQ=DAILY;UNTIL=20270328"),
        ("FREQ=DAILY;UNTIL=99991231T235959Z", "FREQ=DAILY;UNTIL=99991231T235959Z"),
        ("FREQ=MONTHLY;BYDAY=+1SU,FR,-1MO", "FREQ=MONTHLY;BYDAY=-1MO,FR,1SU"),
        (
            "BYMONTHDAY=31,-1,1,31;BYMONTH=12,1,2;FREQ=YEARLY",
            "FREQ=YEARLY;BYMONTH=1,2,12;BYMONTHDAY=-1,1,31",
        ),
    ];

    for (written, canonical) in cases {
        let read = rule(written);

        assert_eq!(read.rrule_text().unwrap(), canonical);
        assert_eq!(rule(canonical), read);
    }
}

#[test]
fn a_start_on_another_day_waits_for_the_first_day_that_matches() {
    let wednesdays = rule("FREQ=WEEKLY;BYDAY=WE;COUNT=2");

    assert_eq!(planned(&wednesdays), ["2026-11-25T20:00:00", "2026-12-02T20:00:00"]);
}

#[test]
fn every_other_week_counts_weeks_from_monday() {
    let sundays_and_mondays = rule("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;COUNT=4");

    assert_eq!(
        planned(&sundays_and_mondays),
        [
            "2026-11-22T20:00:00",
            "2026-11-30T20:00:00",
            "2026-12-06T20:00:00",
            "2026-12-14T20:00:00"
        ]
    );
}

#[test]
fn until_is_inclusive_in_each_of_its_forms() {
    let cases = [
        ("20261124T120000Z", 3),
        ("20261124T115959Z", 2),
        ("20261124T200000", 3),
        ("20261124T195959", 2),
        ("20261124", 3),
    ];

    for (until, count) in cases {
        let daily = rule(&format!("FREQ=DAILY;UNTIL={until}"));

        assert_eq!(planned(&daily).len(), count, "{until}");
    }
}

#[test]
fn only_times_that_the_rule_plans_are_its_occurrences() {
    let sundays = rule("FREQ=WEEKLY;COUNT=3");
    let strangers = [
        "2026-11-15T20:00:00",
        "2026-11-23T20:00:00",
        "2026-11-29T20:00:01",
        "2026-12-13T20:00:00",
        "2026-11-29T20:00",
        "2026-11-29t20:00:00",
        "9999-12-31T20:00:00",
        "0000-01-01T20:00:00",
    ];

    let own = occurrence_at(&sundays, "2026-11-29T20:00:00").unwrap();

    assert_eq!(utc_text(own.at), "2026-11-29T12:00:00Z");
    for stranger in strangers {
        assert_eq!(occurrence_at(&sundays, stranger), None, "{stranger}");
    }
}

#[test]
fn a_rule_without_an_end_ends_with_the_last_year_and_the_end_of_time_is_no_harm() {
    let daily = rule("FREQ=DAILY;INTERVAL=1000");
    let shortly_before = "2199-01-01T00:00:00Z".parse().unwrap();

    let rest: Vec<_> = occurrences(&daily, shortly_before).collect();

    assert!(rest.len() <= 1, "{rest:?}");
    assert_eq!(next_occurrence(&daily, Timestamp::MAX), None);
    let first = next_occurrence(&daily, Timestamp::MIN).unwrap();
    assert_eq!(first.planned_text(), "2026-11-22T20:00:00");
}

#[test]
fn the_last_evening_of_the_last_year_still_happens_and_nothing_after() {
    let daily = Rule::parse("2199-12-30T20:00", "Pacific/Honolulu", Some("FREQ=DAILY")).unwrap();

    assert_eq!(planned(&daily), ["2199-12-30T20:00:00", "2199-12-31T20:00:00"]);
}

#[test]
fn an_instant_is_written_with_its_offset_and_without_fractions() {
    let at = "2027-03-28T11:30:00.987Z".parse().unwrap();

    assert_eq!(local_text(at, SHANGHAI).unwrap(), "2027-03-28T19:30:00+08:00");
    assert_eq!(local_text(at, "Asia/Kathmandu").unwrap(), "2027-03-28T17:15:00+05:45");
    assert_eq!(local_text(at, "UTC").unwrap(), "2027-03-28T11:30:00+00:00");
    assert_eq!(utc_text(at), "2027-03-28T11:30:00Z");
    assert!(local_text(at, "+08:00").is_err());
}

#[test]
fn a_name_that_the_database_has_given_another_stays_a_zone() {
    // Renamed in 2022; letters written before still go by the old name.
    let kiev = Rule::parse(START, "Europe/Kiev", None).unwrap();
    let kyiv = Rule::parse(START, "Europe/Kyiv", None).unwrap();

    assert_eq!(kiev.zone(), "Europe/Kiev");
    assert_eq!(
        occurrences(&kiev, Timestamp::MIN).next(),
        occurrences(&kyiv, Timestamp::MIN).next()
    );
}

#[test]
fn the_31st_is_passed_over_in_short_months_and_the_last_day_is_minus_one() {
    let from = |start| move |rrule| planned(&Rule::parse(start, SHANGHAI, Some(rrule)).unwrap());
    let january = from("2027-01-31T20:00");

    assert_eq!(
        january("FREQ=MONTHLY;COUNT=3"),
        ["2027-01-31T20:00:00", "2027-03-31T20:00:00", "2027-05-31T20:00:00"]
    );
    assert_eq!(
        january("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3"),
        ["2027-01-31T20:00:00", "2027-02-28T20:00:00", "2027-03-31T20:00:00"]
    );
    assert_eq!(
        from("2028-02-29T20:00")("FREQ=YEARLY;COUNT=2"),
        ["2028-02-29T20:00:00", "2032-02-29T20:00:00"]
    );
}

fn with(also: &[&str], except: &[&str], rrule: Option<&str>) -> RuleText {
    let owned = |times: &[&str]| times.iter().map(|time| (*time).to_owned()).collect();
    RuleText {
        start: "2026-11-22T20:00:00".into(),
        zone: SHANGHAI.into(),
        rrule: rrule.map(Into::into),
        also: owned(also),
        except: owned(except),
    }
}

#[test]
fn single_times_are_added_and_taken_away() {
    let also = ["2026-11-24T07:30:00", "2026-11-29T20:00:00"];
    let except = ["2026-11-22T20:00:00", "2026-12-06T20:00:00"];
    let text = with(&also, &except, Some("FREQ=WEEKLY;COUNT=4"));

    let rule = Rule::of(&text).unwrap();

    assert_eq!(
        planned(&rule),
        ["2026-11-24T07:30:00", "2026-11-29T20:00:00", "2026-12-13T20:00:00"],
        "COUNT counts what the rule itself plans; a time that is there twice happens once"
    );
    assert_eq!(rule.text(), text);
    assert_eq!(occurrence_at(&rule, "2026-12-06T20:00:00"), None, "it is left out");
    assert!(occurrence_at(&rule, "2026-11-24T07:30:00").is_some());
}

#[test]
fn the_times_of_a_day_are_what_leaving_out_a_day_means() {
    let text = with(&["2026-11-29T07:30:00"], &[], Some("FREQ=WEEKLY"));
    let rule = Rule::of(&text).unwrap();
    let day = |day: &str| rule.planned_on_day(day.parse().unwrap());

    assert_eq!(day("2026-11-29"), ["2026-11-29T07:30:00", "2026-11-29T20:00:00"]);
    assert_eq!(day("2026-11-30"), Vec::<String>::new());
}

#[test]
fn single_times_are_written_to_the_letter_in_order_and_bounded() {
    let minutes: Vec<_> =
        (0..65).map(|n| format!("2027-01-01T{:02}:{:02}:00", n / 60, n % 60)).collect();
    let minutes: Vec<_> = minutes.iter().map(String::as_str).collect();
    let bad: [(&[&str], &[&str]); 8] = [
        (&["2026-11-24T07:30"], &[]),
        (&["2026-11-24"], &[]),
        (&["2026-11-24T07:30:00Z"], &[]),
        (&["2026-02-30T07:30:00"], &[]),
        (&["1969-11-24T07:30:00"], &[]),
        (&["2026-11-25T07:30:00", "2026-11-24T07:30:00"], &[]),
        (&[], &["2026-11-24T07:30:00", "2026-11-24T07:30:00"]),
        (&minutes, &[]),
    ];

    for (also, except) in bad {
        assert!(Rule::of(&with(also, except, None)).is_err(), "{also:?} {except:?}");
    }
    assert!(Rule::of(&with(&minutes[..64], &[], None)).is_ok());
    assert!(Rule::of(&with(&[], &minutes[..64], None)).is_ok());
    let nothing_left = Rule::of(&with(&[], &["2026-11-22T20:00:00"], None));
    assert_eq!(nothing_left, Err(RuleError::Empty));
}

#[test]
fn a_time_that_a_gap_carries_past_another_happens_after_it() {
    // Rome skips 02:00 to 03:00 on 28 March 2027.
    let text = RuleText {
        start: "2027-03-28T02:30:00".into(),
        zone: "Europe/Rome".into(),
        rrule: None,
        also: vec!["2027-03-28T03:10:00".into(), "2027-03-28T03:30:00".into()],
        except: Vec::new(),
    };
    let rule = Rule::of(&text).unwrap();

    let found: Vec<_> = occurrences(&rule, Timestamp::MIN).map(|o| o.planned_text()).collect();

    assert_eq!(found, ["2027-03-28T03:10:00", "2027-03-28T03:30:00"], "two at one instant are one");
    assert_eq!(occurrence_at(&rule, "2027-03-28T02:30:00"), None);
    let alone = Rule::of(&RuleText { also: vec!["2027-03-28T03:10:00".into()], ..text }).unwrap();
    let found: Vec<_> = occurrences(&alone, Timestamp::MIN).map(|o| o.planned_text()).collect();
    assert_eq!(found, ["2027-03-28T03:10:00", "2027-03-28T02:30:00"]);
}

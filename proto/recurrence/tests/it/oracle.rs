//! A second opinion: what python-dateutil gives for the same rules (see `oracle.py`).

use jiashu_proto::entry::RuleText;
use jiashu_recurrence::{Adjust, Rule, next_occurrence, occurrence_at, occurrences};
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

const VECTORS: &str = include_str!("../../../vectors/recurrence.json");

/// A planned time, its instant in seconds, and what a clock change did to it.
type Row = (String, i64, Option<String>);

struct Case {
    name: String,
    rule: Rule,
    rows: Vec<Row>,
}

fn cases() -> (usize, Vec<Case>) {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let shown = usize::try_from(vectors["shown"].as_u64().unwrap()).unwrap();
    (shown, vectors["cases"].as_array().unwrap().iter().map(case).collect())
}

fn case(case: &Value) -> Case {
    let text = |key: &str| case[key].as_str().unwrap().to_owned();
    let texts = |key: &str| match &case[key] {
        Value::Array(texts) => texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    };
    let text = RuleText {
        start: text("start"),
        zone: text("zone"),
        rrule: Some(text("rrule")),
        also: texts("also"),
        except: texts("except"),
    };
    let rule = Rule::of(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    Case { rows: rows(rule.start(), case), name: format!("{text:?}"), rule }
}

/// What `packed` in `oracle.py` has packed.
fn rows(start: DateTime, case: &Value) -> Vec<Row> {
    let (mut planned, mut off) = (start, 0);
    let steps = case["steps"].as_array().unwrap().iter().enumerate();
    let row = |(number, step): (usize, &Value)| {
        let number = number.to_string();
        planned += SignedDuration::from_secs(step.as_i64().unwrap());
        off = case["offsets"][&number].as_i64().unwrap_or(off);
        let as_utc = Offset::UTC.to_timestamp(planned).unwrap().as_second();
        let adjust = case["adjusts"][&number].as_str().map(str::to_owned);
        (planned.strftime("%Y-%m-%dT%H:%M:%S").to_string(), as_utc - off, adjust)
    };
    steps.map(row).collect()
}

#[test]
fn dateutil_gives_the_same_occurrences() {
    let (shown, cases) = cases();
    assert!(cases.len() >= 2_000);

    for case in cases {
        let found: Vec<_> = occurrences(&case.rule, Timestamp::MIN)
            .take(shown)
            .map(|o| {
                (o.planned_text(), o.at.as_second(), o.adjust.map(|a| Adjust::name(a).to_owned()))
            })
            .collect();

        assert_eq!(found, case.rows, "{}", case.name);
    }
}

#[test]
fn each_of_dateutils_occurrences_is_found_from_anywhere_before_it_and_by_its_name() {
    let (_, cases) = cases();

    for case in cases {
        for pair in case.rows.windows(2) {
            let [(_, before, _), (planned, at, _)] = pair else { unreachable!() };

            for after in [*before, i64::midpoint(*before, *at), at - 1] {
                let after = Timestamp::from_second(after).unwrap();
                let next = next_occurrence(&case.rule, after).unwrap();
                assert_eq!(next.planned_text(), *planned, "{} after {after}", case.name);
            }
            let named = occurrence_at(&case.rule, planned).unwrap();
            assert_eq!(named.at.as_second(), *at, "{}", case.name);
        }
    }
}

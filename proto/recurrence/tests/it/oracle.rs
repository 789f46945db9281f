//! A second opinion: what python-dateutil gives for the same rules (see `oracle.py`).

use jiashu_recurrence::{Adjust, Rule, next_occurrence, occurrence_at, occurrences};
use jiff::Timestamp;
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
    let [start, zone, rrule] = ["start", "zone", "rrule"].map(|key| case[key].as_str().unwrap());
    let row = |row: &Value| {
        let adjust = row.get(2).map(|adjust| adjust.as_str().unwrap().to_owned());
        (row[0].as_str().unwrap().to_owned(), row[1].as_i64().unwrap(), adjust)
    };
    Case {
        name: format!("{rrule} from {start} in {zone}"),
        rule: Rule::parse(start, zone, Some(rrule)).unwrap(),
        rows: case["occurrences"].as_array().unwrap().iter().map(row).collect(),
    }
}

#[test]
fn dateutil_gives_the_same_occurrences() {
    let (shown, cases) = cases();
    assert!(cases.len() >= 300);

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

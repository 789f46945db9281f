//! What a dry run says of the lists in `client-web/fixtures`: the browser is checked against the same files, so that it
//! says of a list what the command line says. `JIASHU_WRITE_FIXTURES=1 cargo test -p jiashu-cli` writes them anew.

use serde_json::{Value, json};

use super::*;
use crate::ngo::report;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../client-web/fixtures");

const TODAY: Date = Date::constant(2026, 11, 24);

/// A list, the codes of the programme's sites if they are known, and from which age a child's own word is enough.
type List = (&'static str, Option<&'static [&'static str]>, Option<u8>);

const LISTS: [List; 19] = [
    ("sound.csv", None, None),
    ("excel.csv", None, None),
    ("tabs.csv", None, None),
    ("cells.csv", None, None),
    ("families.csv", None, None),
    ("quotes.csv", None, None),
    ("care.csv", None, None),
    ("columns.csv", None, None),
    ("wide.csv", None, None),
    ("one-column.csv", None, None),
    ("empty.csv", None, None),
    ("blank.csv", None, None),
    ("first-row.csv", None, None),
    ("utf16.csv", None, None),
    ("gbk.csv", None, None),
    ("workbook.csv", None, None),
    ("programme.csv", None, None),
    ("programme.csv", Some(&["gansu-1", "lv.riga_2"]), Some(14)),
    ("programme.csv", Some(&[]), Some(18)),
];

fn said((list, sites, own_word_age): List) -> Value {
    let owned = sites.map(|sites| sites.iter().map(|site| (*site).to_owned()).collect());
    let settled = Settled { sites: owned, own_word_age };
    let checked = check_by(&std::fs::read(format!("{FOLDER}/{list}")).unwrap(), TODAY, &settled);
    let mut out = Vec::new();
    report::dry_run(&checked, true, &mut out).unwrap();
    json!({
        "list": list, "today": TODAY.to_string(), "sites": sites, "own_word_age": own_word_age,
        "faults": checked.faults, "dry_run": serde_json::from_slice::<Value>(&out).unwrap(),
    })
}

#[test]
fn the_browser_is_checked_against_what_a_dry_run_says() {
    let path = format!("{FOLDER}/expected.json");
    let made: Vec<_> = LISTS.into_iter().map(said).collect();
    if std::env::var_os("JIASHU_WRITE_FIXTURES").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }

    let expected: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();

    assert_eq!(made, expected);
}

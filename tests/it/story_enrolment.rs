//! A worker enrols families from a spreadsheet: all or nothing, the same again whatever broke, and
//! every fault named.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use jiashu_tests::ground::Ground;
use jiashu_tests::{Cli, DEADLINE, TestRelay, until};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr};
use tokio::time::timeout;

use crate::operator::store_file;
use crate::story::{Office, ask, mode, text};
use crate::story_contact::{COLUMNS, Staffed};

/// Families of three with two phones, from one number to another.
fn families(numbers: std::ops::Range<u32>) -> String {
    let family = |number: u32| {
        format!(
            "F-{number:03},1,parent,Mama {number},Europe/Rome,it,Mama,,2026-11-01,\n\
             F-{number:03},2,caregiver,Nonna {number},Asia/Shanghai,zh,Home,,2026-11-01,\n\
             F-{number:03},3,child,Kid {number},Asia/Shanghai,zh,Home,,2026-11-01,2026-11-01\n"
        )
    };
    numbers.map(family).collect()
}

/// Every file of a folder with its bytes.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> =
        files.map(|path| (text(&path), std::fs::read(&path).unwrap())).collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_list_is_enrolled_once_however_often_it_is_handed_in() {
    let office = Office::open().await;
    let list = office.list(&families(1..4));

    let first = office.try_enrol(&list, &["--json"]).await.success();
    let printed = files(&office.path("cards"));
    let again = office.try_enrol(&list, &["--json"]).await.success();

    assert_eq!(files(&office.path("cards")), printed, "a re-run changes nothing");
    let (first, again) = (&first.json_lines()[0], &again.json_lines()[0]);
    assert_eq!((&first["families"], &first["already"]), (&3.into(), &0.into()));
    assert_eq!((&again["families"], &again["already"]), (&3.into(), &3.into()));
    assert_eq!(first["printed"], 6);
    for name in ["invites.json", "cards.html", "enrolment.json"] {
        assert_eq!(mode(&office.path("cards").join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&office.path("cards")), 0o700);
    let page = std::fs::read_to_string(office.path("cards/cards.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 6, "a QR code a card");
}

#[tokio::test]
async fn a_list_longer_than_the_relay_takes_at_once_is_enrolled_all_the_same() {
    let pace = [("JIASHU_POSTS_BURST", "2"), ("JIASHU_POSTS_PER_MINUTE", "600")];
    let office = Office::on(TestRelay::limited(&pace).await).await;
    let list = office.list(&families(1..21));

    let enrolled = office.try_enrol(&list, &["--json"]).await.success();

    assert_eq!(enrolled.json_lines()[0]["families"], 20);
}

#[tokio::test]
async fn the_cards_say_whom_they_are_for_and_let_them_in() {
    let office = Office::open().await;
    let cards = office.enrol(&families(1..2)).await;

    let mother = office.phone("mother");
    let joined = ask(&mother, &["join", &cards.link("F-001", "Mama 1")]).await;
    let home = office.join("home", &cards.link("F-001", "Kid 1")).await;

    let home_card = &cards.0[1];
    assert_eq!(home_card["case_code"], "F-001");
    assert_eq!(home_card["device"], "Home");
    assert_eq!(home_card["members"], serde_json::json!(["Nonna 1", "Kid 1"]));
    assert_eq!(joined["members"], serde_json::json!(["Mama 1"]));
    let family = ask(&home, &["family"]).await;
    assert_eq!(family["devices"].as_array().unwrap().len(), 2);
    assert_eq!(family["cards"], serde_json::json!([]), "both cards are used");
}

#[tokio::test]
async fn a_list_as_a_spreadsheet_program_saves_it_is_read_alike() {
    let office = Office::open().await;
    let list = office.list(&families(1..2));
    let plain = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, format!("\u{feff}{plain}").replace(',', ";").replace('\n', "\r\n"))
        .unwrap();

    let enrolled = office.try_enrol(&list, &["--json"]).await.success();

    assert_eq!(enrolled.json_lines()[0]["families"], 1);
    let cards = office.cards();
    office.join("mother", &cards.link("F-001", "Mama 1")).await;
}

/// Forty families of two sites, whose phones at home serve grandmother and child; two of them borrow the school's.
fn forty() -> String {
    let family = |number: u32| {
        let site = if number.is_multiple_of(2) { "tianshui" } else { "soroca" };
        let school = if number <= 2 { "School 1" } else { "" };
        format!(
            "F-{number:03},1,parent,Mama {number},Europe/Rome,it,Mama,,2026-11-01,,,,,{site},\n\
             F-{number:03},2,caregiver,Nonna {number},Asia/Shanghai,zh,Home,{school},2026-11-01,,,,,{site},\n\
             F-{number:03},3,child,Kid {number},Asia/Shanghai,zh,Home,{school},2026-11-01,2026-11-01,\
             2017-03-04,,,{site},\"sun,wed 19:30\"\n"
        )
    };
    format!("{COLUMNS}\n{}", (1..=40).map(family).collect::<String>())
}

/// An afternoon's work: looked at, then done, and once more by mistake.
async fn forty_families_are_enrolled_from_a_spreadsheet(ground: Ground) {
    let Staffed { office, .. } = &Staffed::without_families(&ground).await;
    let list = office.path("forty.csv");
    std::fs::write(&list, forty()).unwrap();
    let list = text(&list);
    let total = async || ask(&office.worker, &["ngo", "worklist"]).await["total"].clone();

    let looked = ask(&office.worker, &["ngo", "enrol", &list, "--dry-run"]).await;
    let said = office.worker.run(&["ngo", "enrol", &list, "--dry-run"]).await.success().stderr;
    let before = total().await;
    let done = office.try_enrol(&list, &["--json"]).await.success().json_lines().remove(0);
    until("staff to see all of them", async || (total().await == 40).then_some(())).await;
    let printed = files(&office.path("cards"));
    let again = office.try_enrol(&list, &["--json"]).await.success().json_lines().remove(0);

    assert_eq!((&looked["families"], &looked["printed"]), (&json!(40), &json!(80)));
    assert_eq!(before, 0, "a look enrols nobody");
    let shared = looked["shared_phones"].as_array().unwrap();
    assert_eq!((shared.len(), &done["shared_phones"]), (39, &looked["shared_phones"]));
    assert_eq!(shared[38]["families"], json!(["F-001", "F-002"]));
    for note in [
        "38 phones serve several of a family: Home of F-003",
        "a phone serves 2 families, 4 people (2 children)",
    ] {
        assert!(said.contains(note), "{note}: {said}");
    }
    assert_eq!((&done["families"], &done["already"]), (&json!(40), &json!(0)));
    assert_eq!((&again["families"], &again["already"]), (&json!(40), &json!(40)));
    assert_eq!(files(&office.path("cards")), printed, "a re-run changes nothing");
    assert_eq!(total().await, 40);
}

#[tokio::test]
async fn forty_families_are_enrolled_from_a_spreadsheet_into_one_file() {
    forty_families_are_enrolled_from_a_spreadsheet(Ground::own()).await;
}

#[tokio::test]
async fn forty_families_are_enrolled_from_a_spreadsheet_into_redis() {
    forty_families_are_enrolled_from_a_spreadsheet(Ground::shared().await).await;
}

#[tokio::test]
async fn the_list_to_start_from_is_sound() {
    let Staffed { office, .. } = &Staffed::without_families(&Ground::own()).await;
    let list = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/families.csv");

    let enrolled = office.try_enrol(list, &["--json"]).await.success().json_lines().remove(0);

    assert_eq!((&enrolled["families"], &enrolled["not_active"]), (&json!(2), &json!([])));
}

#[tokio::test]
async fn a_list_of_a_hundred_thousand_rows_is_looked_at_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("large.csv");
    let last = "F-99999,1,parent,Mama,Europe/Rom,it,Mama,,2026-11-01,,,,,,\n";
    let rows = families(0..33_333).replace('\n', ",,,,,\n");
    std::fs::write(&list, format!("{COLUMNS}\n{rows}{last}")).unwrap();
    let worker = Cli::new(folder.path().join("worker"));

    let looked =
        worker.run(&["ngo", "enrol", &text(&list), "--dry-run", "--skip-bad", "--json"]).await;

    let looked = looked.success();
    let fault: Value = serde_json::from_str(looked.stderr.lines().next().unwrap()).unwrap();
    assert_eq!((&fault["row"], &fault["column"]), (&json!(100_001), &json!("time_zone")));
    let held = &looked.json_lines()[0];
    assert_eq!((&held["families"], &held["members"]), (&json!(33_333), &json!(99_999)));
}

/// What is wrong, in which column of which row of the list, in which words.
const FAULTS: [(&str, &str, u32, &str, &str); 7] = [
    (
        "a formula",
        "B-1,1,parent,=HYPERLINK(1),Europe/Rome,it,P,,2026-11-01,\n\
         B-1,2,child,Kid,Asia/Shanghai,zh,H,,2026-11-01,2026-11-01\n",
        5,
        "name",
        "formula",
    ),
    (
        "two families under one code",
        "F-001,1,parent,Other,Europe/Rome,it,P,,2026-11-01,\n",
        5,
        "member",
        "row 2 already",
    ),
    (
        "one member twice",
        "B-1,1,parent,Mama,Europe/Rome,it,P,,2026-11-01,\n\
         B-1,1,child,Kid,Asia/Shanghai,zh,H,,2026-11-01,2026-11-01\n",
        6,
        "member",
        "member 1 of this case code stands in row 5",
    ),
    (
        "a child without consent",
        "B-1,1,parent,Mama,Europe/Rome,it,P,,2026-11-01,\n\
         B-1,2,child,Kid,Asia/Shanghai,zh,H,,,2026-11-01\n",
        6,
        "consent_on",
        "missing consent",
    ),
    (
        "an unknown zone",
        "B-1,1,parent,Mama,Europe/Rom,it,P,,2026-11-01,\n\
         B-1,2,child,Kid,Asia/Shanghai,zh,H,,2026-11-01,2026-11-01\n",
        5,
        "time_zone",
        "Europe/Rome",
    ),
    (
        "an unknown role",
        "B-1,1,mother,Mama,Europe/Rome,it,P,,2026-11-01,\n\
         B-1,2,child,Kid,Asia/Shanghai,zh,H,,2026-11-01,2026-11-01\n",
        5,
        "role",
        "parent, caregiver or child",
    ),
    (
        "a consent of next year",
        "B-1,1,parent,Mama,Europe/Rome,it,P,,2099-11-01,\n\
         B-1,2,child,Kid,Asia/Shanghai,zh,H,,2026-11-01,2026-11-01\n",
        5,
        "consent_on",
        "future",
    ),
];

#[tokio::test]
async fn a_fault_is_named_by_row_and_column_and_nothing_is_enrolled() {
    let office = Office::open().await;
    let good = families(1..2);

    for (what, rows, row, column, reason) in FAULTS {
        let list = office.list(&format!("{good}{rows}"));
        let refused = office.try_enrol(&list, &["--json"]).await;

        assert_eq!(refused.code, 5, "{what}: {refused:?}");
        let (faults, last) = refused.stderr.trim_end().rsplit_once('\n').unwrap();
        assert!(last.starts_with("jiashu: ") && last.contains("nothing was enrolled"), "{last}");
        let named = faults.lines().any(|fault| {
            let fault: serde_json::Value = serde_json::from_str(fault).unwrap();
            fault["row"] == row
                && fault["column"] == column
                && fault["reason"].as_str().unwrap().contains(reason)
        });
        assert!(named, "{what}: row {row}, {column}, {reason} is not in\n{faults}");
        assert!(!office.path("cards").exists(), "{what}: nothing is written");
    }
    let store = rusqlite::Connection::open(store_file(&office.relay.data_dir())).unwrap();
    let kept: i64 = store.query_row("SELECT count(*) FROM card", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 0, "the relay heard of no family");
}

#[tokio::test]
async fn the_faulty_families_are_left_out_if_the_worker_says_so() {
    let office = Office::open().await;
    let (_, faulty, ..) = FAULTS[3];
    let list = office.list(&format!("{}{faulty}", families(1..3)));

    let table = office.try_enrol(&list, &["--skip-bad"]).await.success();

    assert!(table.stderr.contains("consent_on") && table.stderr.contains("B-1"), "{table:?}");
    assert!(table.stdout.contains("1 left out"), "{table:?}");
    let codes: BTreeSet<_> =
        office.cards().0.iter().map(|card| card["case_code"].to_string()).collect();
    assert_eq!(codes, BTreeSet::from(["\"F-001\"".into(), "\"F-002\"".into()]));
}

/// Starts an enrolment of the list and waits until it says so.
async fn enrol_until(office: &Office, list: &str, said: &str) -> (Child, BufReader<ChildStderr>) {
    let out = text(&office.path("cards"));
    let mut command = office.worker.command(&["ngo", "enrol", list, "--out", &out]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with(said) {
        line.clear();
        let read = timeout(DEADLINE, stderr.read_line(&mut line)).await.unwrap().unwrap();
        assert_ne!(read, 0, "it ends before {said}");
    }
    (child, stderr)
}

#[tokio::test]
async fn an_enrolment_that_was_cut_goes_on_with_the_same_cards() {
    let mut office = Office::open().await;
    let list = office.list(&families(1..31));

    // The relay dies, then the worker's laptop, which was about to try again.
    let (mut enrolling, _stderr) = enrol_until(&office, &list, "8 of 30").await;
    office.relay.kill9();
    let was_at_work = enrolling.try_wait().unwrap().is_none();
    enrolling.kill().await.unwrap();
    let drawn = office.cards();
    office.relay.restart().await;
    let again = office.try_enrol(&list, &["--json"]).await.success();

    assert!(was_at_work, "the kill came in the middle");
    assert_eq!(drawn.0.len(), 60, "all cards were on disk before the first was sent");
    assert_eq!(office.cards(), drawn, "the links are the same");
    let again = &again.json_lines()[0];
    assert_eq!((&again["families"], &again["elsewhere"]), (&30.into(), &serde_json::json!([])));
    let store = rusqlite::Connection::open(store_file(&office.relay.data_dir())).unwrap();
    let counts = "SELECT count(*), count(DISTINCT scope) FROM card";
    let kept: (i64, i64) =
        store.query_row(counts, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(kept, (60, 30), "each family stands at the relay once");
    for number in [1, 8, 9, 30] {
        let (case, kid) = (format!("F-{number:03}"), format!("Kid {number}"));
        office.join(&case, &drawn.link(&case, &kid)).await;
    }
}

#[tokio::test]
async fn an_enrolment_outlives_a_kill_of_the_relay_by_itself() {
    let mut office = Office::open().await;
    let list = office.list(&families(1..31));

    let (mut enrolling, stderr) = enrol_until(&office, &list, "8 of 30").await;
    office.relay.kill9();
    office.relay.restart().await;
    let mut lines = stderr.lines();
    while timeout(DEADLINE, lines.next_line()).await.unwrap().unwrap().is_some() {}
    let status = timeout(DEADLINE, enrolling.wait()).await.unwrap().unwrap();

    assert!(status.success(), "{status}");
    let cards = office.cards();
    office.join("last", &cards.link("F-030", "Mama 30")).await;
}

//! Lists as they come from the field, and what is said about them.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use jiff::civil::date;

use super::*;

const HEADER: &str =
    "case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on\n";

const LI: &str = "\
LI-7,1,parent,王芳,Europe/Rome,it,妈妈的手机,,2026-05-01,
LI-7,2,caregiver,奶奶,Asia/Shanghai,zh-Hans,家里的手机,,2026-05-02,
LI-7,3,child,莉莉,Asia/Shanghai,zh-Hans,家里的手机,,2026-05-03,2026-05-04
";

const ION: &str = "\
ION-1,1,parent,Maria,Europe/Rome,ro,Maria,,2026-05-01,
ION-1,2,child,Ion,Europe/Bucharest,ro,,,2026-05-03,2026-05-04
";

fn checked(rows: &str) -> Checked {
    check(format!("{HEADER}{rows}").as_bytes(), date(2026, 11, 24))
}

fn codes(checked: &Checked) -> Vec<&str> {
    checked.families.iter().map(|family| &*family.case_code).collect()
}

#[test]
fn a_list_without_a_fault_gives_its_families() {
    let checked = checked(&format!("{LI}{ION}"));

    assert_eq!(checked.faults, []);
    assert_eq!(checked.warnings, []);
    assert_eq!(codes(&checked), ["LI-7", "ION-1"]);
    let phones = checked.families[0].phones();
    assert_eq!(phones.len(), 2);
    assert_eq!(phones[1].label, "家里的手机");
    assert_eq!(phones[1].members.len(), 2);
    assert_eq!(checked.families[1].phones().len(), 1, "a child may have no phone");
}

#[test]
fn rows_of_a_family_need_not_stand_together_or_in_order() {
    let mut rows: Vec<_> = LI.lines().chain(ION.lines()).collect();
    rows.reverse();
    rows.swap(1, 3);

    let checked = checked(&rows.join("\n"));

    assert_eq!(checked.faults, []);
    let numbers: Vec<_> = checked.families[1].members.iter().map(|it| it.number.0).collect();
    assert_eq!(checked.families[1].case_code, "LI-7");
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn the_same_list_reads_alike_however_a_spreadsheet_saved_it() {
    let plain = format!("{HEADER}{LI}{ION}");
    let expected = check(plain.as_bytes(), date(2026, 11, 24));
    let cases = [
        ("a mark at the start", format!("\u{feff}{plain}")),
        ("semicolons", plain.replace(',', ";")),
        ("tabs", plain.replace(',', "\t")),
        ("CRLF", plain.replace('\n', "\r\n")),
        ("all three", format!("\u{feff}{plain}").replace(',', ";").replace('\n', "\r\n")),
        ("blanks around cells", plain.replace(',', " , ")),
    ];

    for (label, text) in cases {
        assert_eq!(check(text.as_bytes(), date(2026, 11, 24)), expected, "{label}");
    }
}

#[test]
fn every_fault_names_its_row_and_column() {
    type Case = (&'static str, &'static str, &'static str, usize, &'static str, &'static str);
    // Of the list LI, with one text exchanged for another.
    let cases: &[Case] = &[
        ("empty case code", "LI-7,3", ",3", 4, "case_code", "empty"),
        ("bad case code", "LI-7,3", "LI 7,3", 4, "case_code", "letters"),
        ("member no number", "LI-7,3", "LI-7,c", 4, "member", "not a number"),
        ("member twice", "LI-7,3", "LI-7,2", 4, "member", "row 3 already"),
        ("gap", "LI-7,3", "LI-7,4", 4, "member", "no member 3"),
        ("unknown role", "child", "son", 4, "role", "parent, caregiver or child"),
        ("no child", "child", "caregiver", 2, "role", "no child"),
        ("empty name", "莉莉", "", 4, "name", "empty"),
        ("name of two lines", "莉莉", "\"莉\n莉\"", 4, "name", "line break"),
        ("formula", "莉莉", "=cmd()", 4, "name", "looks like a spreadsheet formula"),
        (
            "formula in any column",
            ",家里的手机,,2026-05-03",
            ",+1 555,,2026-05-03",
            4,
            "device",
            "formula",
        ),
        ("a tab before", "莉莉", "\"\t=1\"", 4, "name", "formula"),
        ("zone with a slip", "Europe/Rome", "Europe/Rom", 2, "time_zone", "is Europe/Rome meant?"),
        (
            "language",
            "zh-Hans,家里的手机,,2026-05-03",
            "Chinese,家里的手机,,2026-05-03",
            4,
            "language",
            "tag",
        ),
        ("missing consent", "2026-05-03", "", 4, "consent_on", "missing consent: the guardian's"),
        ("bad date", "2026-05-03", "3.5.2026", 4, "consent_on", "2026-03-31"),
        ("future date", "2026-05-04", "2027-05-04", 4, "assent_on", "future"),
        ("no cells", "LI-7,3,child,莉莉", "LI-7,3", 4, "case_code", "cells"),
        ("other capitals", "LI-7,3", "li-7,1", 4, "case_code", "capitals"),
    ];

    for (label, from, to, row, column, reason) in cases {
        assert!(LI.contains(from), "{label}: the list has no such text");
        let checked = checked(&format!("{}{ION}", LI.replacen(from, to, 1)));

        let found = checked.faults.iter().any(|fault| {
            fault.row == *row && fault.column == *column && fault.reason.contains(reason)
        });
        assert!(found, "{label}: {:#?}", checked.faults);
        assert!(codes(&checked).contains(&"ION-1"), "{label}: the other family is sound");
        assert!(
            !checked.families.iter().any(|it| it.case_code == "LI-7" && it.members.len() == 3),
            "{label}"
        );
    }
}

#[test]
fn a_family_needs_an_adult_with_a_phone() {
    let cases = [
        (
            "no adult",
            "A,1,child,x,Europe/Rome,it,P,,2026-05-01,\n",
            "role",
            "no parent or caregiver",
        ),
        (
            "no phone",
            "A,1,child,x,Europe/Rome,it,P,,2026-05-01,\nA,2,parent,y,Europe/Rome,it,,,,\n",
            "device",
            "no parent or caregiver of the family has a phone",
        ),
    ];

    for (label, rows, column, reason) in cases {
        let checked = checked(rows);

        assert_eq!(checked.faults.len(), 1, "{label}: {:?}", checked.faults);
        assert_eq!(checked.faults[0].column, column, "{label}");
        assert!(checked.faults[0].reason.contains(reason), "{label}");
        assert_eq!(checked.faults[0].case_code.as_deref(), Some("A"), "{label}");
    }
}

#[test]
fn two_families_with_one_code_are_told_apart_as_a_fault() {
    let other = ION.replace("ION-1", "LI-7");

    let checked = checked(&format!("{LI}{other}"));

    let faults: Vec<_> = checked.faults.iter().map(|it| (it.row, &*it.column)).collect();
    assert_eq!(faults, [(5, "member"), (6, "member")]);
    assert!(checked.faults[0].reason.contains("two families need two codes"));
    assert!(checked.families.is_empty());
}

#[test]
fn rows_after_a_cell_of_several_lines_keep_their_numbers() {
    let rows = LI.replace("王芳", "\"王\r\n芳\"").replace("2026-05-03", "soon");

    let checked = checked(&rows);

    let faults: Vec<_> = checked.faults.iter().map(|it| (it.row, &*it.column)).collect();
    assert_eq!(faults, [(2, "name"), (5, "consent_on")]);
}

#[test]
fn what_does_not_stop_an_enrolment_is_a_warning() {
    let cases = [
        ("no assent", "2026-05-04", "", 4, "assent_on", "`jiashu ngo consent`"),
        ("adult without consent", "2026-05-02", "", 3, "consent_on", "no consent of this adult"),
        (
            "adult with assent",
            "2026-05-02,",
            "2026-05-02,2026-05-02",
            3,
            "assent_on",
            "passed over",
        ),
    ];

    for (label, from, to, row, column, reason) in cases {
        let checked = checked(&LI.replacen(from, to, 1));

        assert_eq!(checked.faults, [], "{label}");
        assert_eq!(codes(&checked), ["LI-7"], "{label}");
        let [warning] = &*checked.warnings else { panic!("{label}: {:?}", checked.warnings) };
        assert_eq!((warning.row, &*warning.column), (row, column), "{label}");
        assert!(warning.reason.contains(reason), "{label}: {}", warning.reason);
    }
}

#[test]
fn bounds_hold_at_their_last_value_and_fail_one_beyond() {
    let child = "A,1,child,x,Europe/Rome,it,,,2026-05-01,2026-05-01\n";
    let family = |members: usize, phones: usize| {
        let mut rows = child.to_owned();
        for number in 2..=members {
            let phone = number.min(phones + 1);
            writeln!(rows, "A,{number},parent,y,Europe/Rome,it,P{phone},,2026-05-01,").unwrap();
        }
        checked(&rows)
    };

    assert_eq!(family(bounds::MAX_MEMBERS, 3).faults, []);
    assert_eq!(family(20, bounds::MAX_INVITES).faults, []);
    let (members, phones) =
        (family(bounds::MAX_MEMBERS + 1, 3), family(20, bounds::MAX_INVITES + 1));
    assert!(members.faults[0].reason.contains("more than 32 members"), "{:?}", members.faults);
    assert!(phones.faults[0].reason.contains("more than 12 phones"), "{:?}", phones.faults);
}

#[test]
fn names_that_no_card_could_hold_are_a_fault() {
    let long = "莉".repeat(64);
    let mut rows = String::from("A,1,child,x,Europe/Rome,it,,,2026-05-01,2026-05-01\n");
    for number in 2..=32 {
        writeln!(rows, "A,{number},parent,{long},Europe/Rome,it,P,,2026-05-01,").unwrap();
    }

    let checked = checked(&rows);

    assert_eq!(checked.faults.len(), 1, "{:?}", checked.faults);
    assert!(checked.faults[0].reason.contains("too long together"));
}

#[test]
fn faulty_families_are_counted_and_the_others_stand() {
    let rows = format!("{LI}{ION}A,1,child,x,Europe/Rome,it,P,,,\n,,parent,y,,,,,,\n");

    let checked = checked(&rows);

    assert_eq!(codes(&checked), ["LI-7", "ION-1"]);
    assert_eq!(checked.faulty, 2);
}

#[test]
fn forty_families_are_checked_at_once() {
    let rows: String = (1..=40).map(|number| LI.replace("LI-7", &format!("LI-{number}"))).collect();
    let started = Instant::now();

    let checked = checked(&rows);

    assert_eq!(checked.families.len(), 40);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn a_formula_behind_blanks_is_one_all_the_same() {
    for blank in [" ", "  ", "\u{a0}", "\u{3000}"] {
        let rows = LI.replace("王芳", &format!("{blank}=HYPERLINK(1)"));

        let checked = checked(&rows);

        let faults: Vec<_> =
            checked.faults.iter().map(|fault| (fault.row, &*fault.column)).collect();
        assert_eq!(faults, [(2, "name")], "{blank:?}");
        assert!(checked.families.is_empty());
    }
}

#[test]
fn a_column_that_speaks_to_the_terminal_is_named_without_what_it_says() {
    let list = format!("{HEADER}{LI}").replace("language", "lang\u{1b}[2J\u{202e}");

    let checked = check(list.as_bytes(), date(2026, 11, 24));

    assert_eq!(checked.faults[0].column, "lang\u{fffd}[2j\u{fffd}");
}

#[test]
fn a_list_made_to_take_for_ever_does_not() {
    let one_family: String =
        (1..=40_000).map(|n| format!("A,{n},parent,a,UTC,it,p{n},,,\n")).collect();
    let wide = format!("{}{}\n", "x,".repeat(500_000), "name,".repeat(500_000));
    let begun = Instant::now();

    let family = checked(&one_family);
    let header = check(wide.as_bytes(), date(2026, 11, 24));

    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!((family.faults.len(), header.faults.len()), (1, 1));
}

#[test]
fn a_child_whose_own_word_is_enough_needs_no_guardian_and_tells_its_month_of_birth() {
    const COLUMNS: &str = "case_code,member,role,name,time_zone,language,device,shared_device,\
                           consent_on,assent_on,born_on\n";
    const PARENT: &str = "PO-2,1,parent,Rosa,Europe/Zurich,it,mamma,,,,1985-01-01\n";
    let alone = |born_on: &str, assent_on: &str, own_word_age| {
        let child = format!("PO-2,2,child,Marco,Europe/Rome,it,,,,{assent_on},{born_on}\n");
        let list = format!("{COLUMNS}{PARENT}{child}");
        let settled = Settled { own_word_age, ..Settled::default() };
        let checked = check_by(list.as_bytes(), date(2026, 11, 24), &settled);
        assert!(checked.asks_what_is_settled());
        let born_in = |family: &Family| {
            family.members.iter().map(|member| member.born_in.clone()).collect::<Vec<_>>()
        };
        checked.families.first().map(born_in)
    };

    let told = Some(vec![None, Some("2012-10".to_owned())]);
    assert_eq!(alone("2012-10-31", "2026-11-02", Some(14)), told, "of a child alone");
    assert_eq!(alone("2012-11-01", "2026-11-02", Some(14)), None, "a month too young");
    assert_eq!(alone("2012-10-31", "", Some(14)), None, "nobody agreed");
    assert_eq!(alone("", "2026-11-02", Some(14)), None, "of unknown age");
    assert_eq!(alone("2012-10-31", "2026-11-02", None), None, "without a jurisdiction");
}

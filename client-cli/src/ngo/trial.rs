//! What must hold of any file given as the families' list: for the fuzzer and its corpus alone.

use std::collections::BTreeSet;

use jiashu_proto::bounds;
use jiff::civil::date;

use super::check::{Checked, Family, check};
use crate::say::{as_html, is_hidden};

/// Checks these bytes as a list, and what came of it.
///
/// # Panics
///
/// Where something got through that may harm the worker or a family.
pub fn any_list(bytes: &[u8]) {
    let Checked { families, faults, warnings, .. } = check(bytes, date(2026, 11, 25));

    families.iter().for_each(sound);
    let codes: BTreeSet<_> =
        families.iter().map(|family| family.case_code.to_ascii_lowercase()).collect();
    assert_eq!(codes.len(), families.len(), "a case code is one family's");
    let most = 16 * (bytes.len() + 16);
    assert!(faults.len() + warnings.len() <= most, "there is an end to what is said");
    for finding in faults.iter().chain(&warnings) {
        let said =
            [&*finding.column, &*finding.reason].into_iter().chain(finding.case_code.as_deref());
        for text in said {
            assert!(!text.contains(is_hidden), "a terminal obeys {text:?}");
            assert!(text.len() <= 512, "{} bytes are said of a cell", text.len());
        }
    }
}

fn sound(family: &Family) {
    assert!((1..=bounds::MAX_MEMBERS).contains(&family.members.len()));
    assert!((1..=bounds::MAX_INVITES).contains(&family.phones().len()));
    for (member, number) in family.members.iter().zip(1..) {
        assert_eq!(member.number.0, number, "members count from 1");
        let texts = [&family.case_code, &member.name, &member.zone, &member.language];
        let texts = texts.into_iter().chain(&member.device).chain(&member.shared_device);
        for cell in texts {
            let first = cell.chars().next().expect("a cell that is kept says something");
            assert!(!"=+@＝＋＠".contains(first), "a spreadsheet runs {cell:?}");
            assert!(!cell.contains(is_hidden), "a terminal obeys {cell:?}");
            let shown = as_html(cell);
            assert!(!shown.contains(['<', '>', '"', '\'']), "a browser obeys {shown:?}");
        }
    }
}

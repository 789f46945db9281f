//! Whether two families of the list are one, or two children of it.

use std::collections::HashMap;

use jiashu_proto::id::Role;
use jiff::civil::Date;

use super::{Group, Member, Reading};
use crate::ngo::sheet::{Column, Finding};

/// Two codes that differ in the case of letters alone are one code, mistyped.
pub(super) fn case_codes(groups: &[Group], faults: &mut Vec<Finding>) {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for first in groups.iter().filter_map(|group| group.first()) {
        let Some(code) = &first.case_code else { continue };
        if let Some(earlier) = seen.insert(code.to_ascii_lowercase(), code) {
            let reason = format!("{earlier} and {code} differ only in capitals: write them alike");
            faults.push(first.finding(Column::CaseCode, reason));
        }
    }
}

/// A child of one name and one day of birth stands in one family only.
pub(super) fn children(groups: &[Group], faults: &mut Vec<Finding>) {
    let mut seen: HashMap<(String, Date), &Reading> = HashMap::new();
    for reading in groups.iter().flatten() {
        let Some(Member { role: Role::Child, name, born_on: Some(born_on), .. }) = &reading.member
        else {
            continue;
        };
        let child = (name.to_lowercase(), *born_on);
        if let Some(earlier) = seen.get(&child) {
            let code = earlier.case_code.as_deref().unwrap_or_default();
            let reason = format!(
                "duplicate child: a child of this name and day of birth stands in row {} ({code}) already",
                earlier.line
            );
            faults.push(reading.finding(Column::BornOn, reason));
        } else {
            seen.insert(child, reading);
        }
    }
}

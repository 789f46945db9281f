//! Who looked: the audit log, the newest entry first.

use askama::Template;
use jiashu_api::audit::{Entry, Log};
use jiashu_api::staff::Member;

use super::case::called;
use super::frame::Frame;
use super::table::Table;
use super::words::{self, Words};
use super::{moment, rendered};
use crate::ngo::audit::SHOWN;
use crate::wording::filled;

#[derive(Template)]
#[template(path = "staff/audit.html")]
struct Page {
    frame: Frame,
    words: &'static words::Audit,
    hash: String,
    /// How many of how many.
    shown: String,
    /// What stands behind the question mark of these, and of those before them.
    here: String,
    older: Option<String>,
    table: Table,
}

/// The page; `staff` names who is known by name.
#[must_use]
pub fn page(frame: Frame, log: &Log, staff: &[Member]) -> String {
    let all = frame.words;
    let hash = filled(&all.audit.hash, &[("hash", &log.hash)]);
    let (count, total) = (log.entries.len().to_string(), log.length.to_string());
    let shown = filled(&all.audit.shown, &[("count", &count), ("total", &total)]);
    // Numbers begin with 1, and none is missing.
    let passed = log.entries.first().map_or(0, |first| first.number.saturating_sub(1));
    let older = (passed > 0).then(|| format!("?after={}", passed.saturating_sub(SHOWN)));
    let here = format!("?after={passed}");
    let table = table(all, log, staff);
    rendered(&Page { words: &all.audit, hash, shown, here, older, table, frame })
}

/// The same as a table.
#[must_use]
pub fn table(all: &Words, log: &Log, staff: &[Member]) -> Table {
    let words = &all.audit;
    let who = |number: u32| {
        let known = staff.iter().find(|one| one.number == number);
        known.map_or_else(|| number.to_string(), |one| called(all, one))
    };
    let line = |entry: &Entry| {
        let allowed = if entry.allowed { &all.frame.yes } else { &words.refused };
        vec![
            moment::instant(all, &entry.at),
            who(entry.staff),
            words::name(&all.codes.action, &entry.action).to_owned(),
            entry.subject.clone().unwrap_or_default(),
            entry.detail.clone().unwrap_or_default(),
            allowed.clone(),
        ]
    };
    let columns = [&words.when, &words.who, &words.what, &words.of, &words.detail, &words.allowed];
    Table {
        caption: words.title.clone(),
        columns: columns.map(String::clone).to_vec(),
        rows: log.entries.iter().rev().map(line).collect(),
    }
}

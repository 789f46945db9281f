//! `jiashu ngo report`: what came of contact, summed up.

use std::io::Write;

use jiashu_api::report::{Group, Report};

use super::staff::Staff;
use super::{ReportArgs, api};
use crate::args::Globals;
use crate::error::Result;
use crate::say::{json_line, table};

/// Shows it, a group a line and all of them last.
pub(super) async fn run(args: &ReportArgs, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let staff = Staff::load(globals)?;
    let mut asked = Vec::new();
    asked.extend(args.week.as_ref().map(|week| format!("week={week}")));
    asked.extend(args.month.as_ref().map(|month| format!("month={month}")));
    asked.extend(args.by.map(|by| format!("by={}", by.word())));
    let query = if asked.is_empty() { String::new() } else { format!("?{}", asked.join("&")) };
    let report: Report = api::get(&staff, globals, &format!("/api/v1/report{query}")).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json_line(&report)?)?);
    }
    let state = if report.closed { "closed" } else { "provisional: it may still change" };
    writeln!(out, "{} ({state}), as of {}", report.period, report.as_of)?;
    let heads = [
        "",
        "families",
        "children",
        "kept",
        "both ways",
        "on track",
        "at risk",
        "silent",
        "idle phones",
    ];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(report.groups.iter().map(|group| cells(group, "(no name)")));
    rows.push(cells(&report.total, "all"));
    for line in table(&rows) {
        writeln!(out, "{line}")?;
    }
    if let Some(least) = report.suppressed_below {
        writeln!(out, "– is left out: counts below {least} would single out a child.")?;
    }
    Ok(())
}

fn cells(group: &Group, nameless: &str) -> [String; 9] {
    [
        group.name.clone().unwrap_or_else(|| nameless.to_owned()),
        count(group.families),
        count(group.children),
        share(group.kept, group.expected, group.adherence),
        share(group.both_ways, group.expected, group.two_way_adherence),
        count(standing(group, &["on_track"])),
        count(standing(group, &["at_risk"])),
        count(standing(group, &["silent", "dormant"])),
        share(group.idle_phones, group.shared_phones, None),
    ]
}

/// A count, or that it is left out.
pub(super) fn count(count: Option<u32>) -> String {
    count.map_or("–".to_owned(), |count| count.to_string())
}

/// So many of so many, and what that is in percent.
pub(super) fn share(part: Option<u32>, whole: Option<u32>, percent: Option<f64>) -> String {
    match (part, whole) {
        (Some(part), Some(whole)) => {
            let percent = percent.map(|percent| format!(" {percent:.1} %")).unwrap_or_default();
            format!("{part}/{whole}{percent}")
        }
        _ => "–".to_owned(),
    }
}

/// Children who stand so or so; nothing where one of the counts is left out.
pub(super) fn standing(group: &Group, names: &[&str]) -> Option<u32> {
    let of = |name: &&str| group.standing.iter().find(|count| count.name == **name)?.count;
    names.iter().map(of).sum()
}

//! `jiashu ngo worklist`: which family to ring first.

use std::io::Write;

use jiashu_api::worklist::{Counting, Family, Phone, Use, Worklist};
use jiff::Timestamp;
use jiff::civil::Date;

use super::api;
use super::staff::Staff;
use crate::args::Globals;
use crate::error::Result;
use crate::say::{self, json_line, note, table};

/// So many days before an agreement ends it is said.
const RENEW_DAYS: i32 = 30;

/// Shows it, the most pressing first.
pub(super) async fn run(limit: Option<u32>, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let staff = Staff::load(globals)?;
    let query = limit.map(|limit| format!("?limit={limit}")).unwrap_or_default();
    let worklist: Worklist = api::get(&staff, globals, &format!("/api/v1/worklist{query}")).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json_line(&worklist)?)?);
    }
    if worklist.families.is_empty() {
        writeln!(
            out,
            "No family yet. One that was just enrolled stands here within seconds; else jiashu ngo enrol FAMILIES.CSV --out cards/"
        )?;
        return Ok(());
    }
    show(&worklist.families, out)?;
    let left = worklist.total.saturating_sub(worklist.families.len());
    if left > 0 {
        note(&format!("({left} more: jiashu ngo worklist --limit {})", worklist.total));
    }
    Ok(())
}

/// A line each.
pub(super) fn show(families: &[Family], out: &mut dyn Write) -> Result<()> {
    let heads =
        ["case", "stands", "both heard", "missed", "often", "next at home", "phones", "to do"];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(families.iter().map(cells));
    for line in table(&rows) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn cells(family: &Family) -> [String; 8] {
    let bands: Vec<_> = family.children.iter().map(|child| words(&child.band)).collect();
    let counted = family.counting == Counting::Counted;
    let when = |text: String| if counted { text } else { String::new() };
    [
        family.case_code.clone(),
        match family.counting {
            Counting::Counted => words(&family.standing),
            Counting::NotCounted => "not counted".to_owned(),
            Counting::NotActive => "not active".to_owned(),
        },
        when(family.days_since_two_way.map_or("never".to_owned(), days_ago)),
        when(family.missed_in_a_row.to_string()),
        when(bands.join(", ")),
        next(family),
        phones(&family.phones),
        to_do(family),
    ]
}

fn to_do(family: &Family) -> String {
    let is = |kind: &str| family.tasks.iter().any(|task| task.kind == kind);
    match (is("help"), leaves_on(family), is("missed")) {
        (true, ..) => "HELP: ring today".to_owned(),
        (false, Some(day), _) => format!("ring first: leaves {day}"),
        (false, None, true) => "ring them".to_owned(),
        (false, None, false) => renewal(family, super::today()).unwrap_or_default(),
    }
}

/// The day on which it is deleted, if nobody takes that back.
pub(super) fn leaves_on(family: &Family) -> Option<String> {
    let at: Timestamp = family.leaves_at.as_deref()?.parse().ok()?;
    Some(say::day(at.as_millisecond()))
}

/// What is agreed to ends soon: somebody asks both again.
fn renewal(family: &Family, today: Date) -> Option<String> {
    let until: Date = family.agreed_until.as_deref()?.parse().ok()?;
    let days = today.until(until).ok()?.get_days();
    (days <= RENEW_DAYS).then(|| match days {
        ..=1 => "consent ends tomorrow".to_owned(),
        days => format!("consent ends in {days} days"),
    })
}

/// "Sun 29 Nov 19:30 (12:30 there)".
fn next(family: &Family) -> String {
    let Some(next) = &family.next else { return "nothing planned".to_owned() };
    let local = |text: &Option<String>| {
        let civil = text.as_deref().and_then(|text| text.get(..19));
        civil.and_then(|civil| civil.parse::<jiff::civil::DateTime>().ok())
    };
    match (local(&next.home), local(&next.away)) {
        (Some(home), Some(away)) if home.date() == away.date() => {
            format!("{} ({} there)", home.strftime("%a %-d %b %H:%M"), away.strftime("%H:%M"))
        }
        (Some(home), Some(away)) => {
            format!("{} ({} there)", home.strftime("%a %-d %b %H:%M"), away.strftime("%a %H:%M"))
        }
        (Some(home), None) => home.strftime("%a %-d %b %H:%M").to_string(),
        _ => next.at.clone(),
    }
}

/// Of each phone whether it is used: "parent used; shared idle 45 days".
fn phones(phones: &[Phone]) -> String {
    let one = |phone: &Phone| {
        let whose = if phone.shared { "shared".to_owned() } else { phone.serves.join("+") };
        let days = phone.days_unused.map(|days| format!(" {days} days")).unwrap_or_default();
        match phone.in_use {
            Use::Used => format!("{whose} used"),
            Use::Quiet => format!("{whose} quiet{days}"),
            Use::Idle => format!("{whose} idle{days}"),
            Use::Never => format!("{whose} never used"),
            Use::NotCounted => whose,
        }
    };
    if phones.is_empty() {
        return "none joined".to_owned();
    }
    phones.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn days_ago(days: i64) -> String {
    match days {
        0 => "today".to_owned(),
        1 => "1 day ago".to_owned(),
        days => format!("{days} days ago"),
    }
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

//! `jiashu ngo programme`: how families do over some weeks.

use std::io::Write;

use jiashu_api::programme::{Filters, Programme};
use jiashu_api::report::Group;

use super::figures::{count, share, standing};
use super::staff::Staff;
use super::{ProgrammeArgs, api};
use crate::args::Globals;
use crate::error::Result;
use crate::say::{json_line, one_line, table};

/// Shows it: a week a line, a site a line, and how long nothing was heard.
pub(super) async fn run(
    args: &ProgrammeArgs,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let staff = Staff::load(globals)?;
    let programme: Programme = api::get(&staff, globals, &path(args)).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json_line(&programme)?)?);
    }
    let last = programme.weeks.last().map_or("", |week| &week.week);
    let weeks = programme.weeks.len();
    let filters = filters(&programme.filters);
    writeln!(out, "{weeks} weeks up to {last}{filters}, as of {}", programme.as_of)?;
    let heads = ["", "children", "on track", "at risk", "silent", "kept", "between", "idle phones"];
    let heads = heads.map(str::to_owned);
    let mut rows = vec![heads.clone()];
    for week in &programme.weeks {
        let state = if week.closed { "" } else { " (provisional)" };
        rows.push(cells(&week.figures, format!("{}{state}", week.week)));
    }
    show(&rows, out)?;
    writeln!(out)?;
    let mut rows = vec![heads];
    for site in &programme.sites {
        let name = site.name.as_deref().map_or("(no name)".to_owned(), one_line);
        rows.push(cells(site, name));
    }
    rows.push(cells(&programme.total, "all".to_owned()));
    show(&rows, out)?;
    let gaps = programme.gaps.iter();
    let gaps: Vec<_> = gaps.map(|gap| format!("{} days: {}", gap.name, count(gap.count))).collect();
    writeln!(out, "\nlongest silence of a child: {}", gaps.join(", "))?;
    if let Some(hours) = &programme.hours {
        let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let days: Vec<_> =
            days.into_iter().zip(hours).map(|(day, hours)| used(day, hours)).collect();
        writeln!(out, "shared phones were used: {}", days.join(", "))?;
    }
    if let Some(least) = programme.suppressed_below {
        writeln!(out, "– is left out: counts below {least} would single out a child.")?;
    }
    Ok(())
}

/// How often on a day; what is left out of it stands behind what is told.
fn used(day: &str, hours: &[Option<u32>]) -> String {
    let told: u32 = hours.iter().flatten().sum();
    let left_out = if hours.contains(&None) { " and –" } else { "" };
    format!("{day} {told}{left_out}")
}

fn path(args: &ProgrammeArgs) -> String {
    let asked = [
        ("weeks", args.weeks.map(|weeks| weeks.to_string())),
        ("until", args.until.clone()),
        ("site", args.site.clone()),
        ("worker", args.worker.map(|worker| worker.to_string())),
        ("corridor", args.corridor.clone()),
        ("age", args.age.clone()),
        ("care", args.care.clone()),
        ("standing", args.standing.clone()),
    ];
    let asked = asked.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let asked: Vec<_> = asked.map(|(key, value)| format!("{key}={}", encoded(&value))).collect();
    format!("/api/v1/programme?{}", asked.join("&"))
}

/// As a value stands in an address.
fn encoded(value: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    value.bytes().map(byte).collect()
}

fn filters(filters: &Filters) -> String {
    let Filters { site, worker, corridor, age, care, standing } = filters;
    let worker = worker.map(|worker| worker.to_string());
    let set = [
        ("site", site),
        ("worker", &worker),
        ("corridor", corridor),
        ("age", age),
        ("care", care),
        ("standing", standing),
    ];
    let set = set.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    set.map(|(name, value)| format!(", {name} {}", one_line(value))).collect()
}

fn show(rows: &[[String; 8]], out: &mut dyn Write) -> Result<()> {
    for line in table(rows) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn cells(group: &Group, name: String) -> [String; 8] {
    let between = group.interval.map_or("–".to_owned(), |interval| {
        format!("{:.1} to {:.1} %", interval.low, interval.high)
    });
    [
        name,
        count(group.children),
        count(standing(group, &["on_track"])),
        count(standing(group, &["at_risk"])),
        count(standing(group, &["silent", "dormant"])),
        share(group.kept, group.expected, group.adherence),
        between,
        share(group.idle_phones, group.shared_phones, None),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_that_are_left_out_stand_behind_what_is_told() {
        assert_eq!(used("Mon", &[Some(3), Some(0), Some(2)]), "Mon 5");
        assert_eq!(used("Tue", &[Some(3), None]), "Tue 3 and –");
    }

    #[test]
    fn what_is_asked_for_stands_in_the_address() {
        let args = ProgrammeArgs {
            weeks: Some(4),
            until: None,
            site: None,
            worker: Some(2),
            corridor: Some("Europe/Rome>Etc/GMT+3".into()),
            age: None,
            care: None,
            standing: None,
        };
        assert_eq!(
            path(&args),
            "/api/v1/programme?weeks=4&worker=2&corridor=Europe%2FRome%3EEtc%2FGMT%2B3"
        );
    }
}

//! `jiashu ngo family CASE`: all that staff see of one family, its weeks as a strip.

use std::io::Write;

use jiashu_api::family::{Case, ChildWeek, Funnel, Member, Rule, Steps, Visited, Week};

use jiff::tz::TimeZone;

use super::pause::case_code;
use super::staff::Staff;
use super::{api, worklist};
use crate::args::Globals;
use crate::clock;
use crate::error::Result;
use crate::say::{json_line, rule_in_words};

/// Shows it.
pub(super) async fn run(case: &str, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let case_code = case_code(case)?;
    let staff = Staff::load(globals)?;
    let case: Case = api::get(&staff, globals, &api::family(&case_code)).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json_line(&case)?)?);
    }
    worklist::show(std::slice::from_ref(&case.stands), out)?;
    let site = case.stands.site.as_deref();
    let whose = match (case.worker, site) {
        (Some(number), _) => format!("staff number {number}"),
        (None, Some(_)) => "its site's caseworkers".to_owned(),
        (None, None) => "coordinators alone".to_owned(),
    };
    let site = site.unwrap_or("no site");
    writeln!(out, "\n{site}, in the hands of {whose}")?;
    if let Some(day) = worklist::leaves_on(&case.stands) {
        writeln!(out, "LEAVES: all of it is deleted on {day}, if nobody takes that back before")?;
    }
    for member in &case.members {
        writeln!(out, "{}", line_of(member))?;
    }
    writeln!(out, "\nplan: {}", rules(&case.plan))?;
    if let Some(proposed) = &case.proposed {
        writeln!(out, "proposed, not answered yet: {}", rules(proposed))?;
    }
    for pause in case.pauses.iter().filter(|pause| !pause.withdrawn) {
        writeln!(out, "paused {} to {}: {}", pause.first, pause.last, pause.reason)?;
    }
    for Visited { on, how, staff } in &case.visits {
        writeln!(out, "{how} {on} by staff number {staff}")?;
    }
    if let Some(Funnel { home, away }) = &case.funnel {
        writeln!(out, "\nletters of twelve weeks")?;
        writeln!(out, "home  {}", came(home))?;
        writeln!(out, "away  {}", came(away))?;
    }
    strip(&case.weeks, out)
}

fn line_of(member: &Member) -> String {
    let Member { member: number, role, zone, suspended, .. } = member;
    let today = TimeZone::UTC.to_datetime(clock::now()).date().to_string();
    let zone = zone.as_ref().map(|zone| format!(", {zone}")).unwrap_or_default();
    let agreed = |what: &str, by: &[&Option<String>], back: Option<&String>| match back {
        Some(day) => format!(", {what} taken back {day}"),
        None if by.iter().all(|day| day.is_some()) => format!(", {what}"),
        None => String::new(),
    };
    let is_child = role == "child";
    let is_own_word = member.own_word_from.as_ref().is_some_and(|from| *from <= today);
    let of = |guardian, child| match (is_child, is_own_word) {
        (true, true) => vec![child],
        (true, false) => vec![guardian, child],
        (false, _) => vec![guardian],
    };
    let back = |own: &'_ Option<String>, guardian: &'_ Option<String>| {
        own.clone().max(guardian.clone().filter(|_| !is_own_word))
    };
    let part = of(&member.consent_on, &member.assent_on);
    let taken_back = back(&member.withdrawn_on, &member.guardian_withdrawn_on);
    let part = agreed("takes part", &part, taken_back.as_ref());
    let counting = of(&member.counting_on, &member.counting_assent_on);
    let taken_back = back(&member.counting_withdrawn_on, &member.counting_guardian_withdrawn_on);
    let counting = agreed("counted", &counting, taken_back.as_ref());
    let own_word = match &member.own_word_from {
        Some(_) if is_own_word => ", its own word is enough".to_owned(),
        Some(from) => format!(", its own word is enough from {from}"),
        None => String::new(),
    };
    let suspended =
        suspended.as_ref().map(|reason| format!(", SUSPENDED ({reason})")).unwrap_or_default();
    format!("{number}  {role}{zone}{part}{counting}{own_word}{suspended}")
}

fn came(steps: &Steps) -> String {
    let Steps { sent, reached, heard, answered } = steps;
    let answered = answered.map(|answered| format!(", {answered} answered")).unwrap_or_default();
    format!("{sent} sent, {reached} on the phone, {heard} heard{answered}")
}

fn rules(rules: &[Rule]) -> String {
    if rules.is_empty() {
        return "nothing".to_owned();
    }
    let one = |rule: &Rule| {
        let when = rule_in_words(&rule.start, rule.rrule.as_deref());
        format!("{when} ({})", rule.zone.as_deref().unwrap_or_default())
    };
    rules.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// A mark a week and child, so that it reads without colour: how much of the plan was kept; without a plan, on how many
/// days something was heard.
fn strip(weeks: &[Week], out: &mut dyn Write) -> Result<()> {
    let (Some(first), Some(last)) = (weeks.first(), weeks.last()) else { return Ok(()) };
    writeln!(out, "\nweeks {} to {}", first.week, last.week)?;
    let mut children: Vec<u32> =
        weeks.iter().flat_map(|week| &week.children).map(|child| child.member).collect();
    children.sort_unstable();
    children.dedup();
    for member in children {
        let of = |week: &Week| week.children.iter().find(|child| child.member == member).cloned();
        let marks: String =
            weeks.iter().map(|week| of(week).map_or(' ', |one| mark(&one))).collect();
        let known: Vec<_> = weeks.iter().filter_map(of).collect();
        let sum = |count: fn(&ChildWeek) -> u32| known.iter().map(count).sum::<u32>();
        writeln!(
            out,
            "child {member}  [{marks}]  kept {} of {}, heard at home {}, away {}",
            sum(|week| week.kept),
            sum(|week| week.expected),
            sum(|week| week.home),
            sum(|week| week.away),
        )?;
    }
    writeln!(
        out,
        "# all kept, + half or more, - less, . nothing; = heard, though nothing was planned"
    )?;
    Ok(())
}

fn mark(week: &ChildWeek) -> char {
    match (week.expected, week.kept) {
        (0, _) if week.days > 0 => '=',
        (0, _) | (_, 0) => '.',
        (expected, kept) if kept >= expected => '#',
        (expected, kept) if kept * 2 >= expected => '+',
        _ => '-',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_marked_by_what_was_kept() {
        let week = |expected, kept, days| ChildWeek {
            member: 3,
            expected,
            kept,
            home: 0,
            away: 0,
            late: 0,
            days,
            standing: "on_track".into(),
        };
        let marks = [(7, 7, 7), (7, 4, 4), (7, 3, 3), (7, 0, 0), (0, 0, 2), (0, 0, 0), (2, 1, 1)];

        let marks: String = marks
            .iter()
            .map(|(expected, kept, days)| mark(&week(*expected, *kept, *days)))
            .collect();

        assert_eq!(marks, "#+-.=.+");
    }
}

//! `plan`: when the family means to hear each other, and what of this week was kept.

use std::collections::BTreeMap;

use jiashu_contact::keeping::{Outcome, kept};
use jiashu_contact::ledger::of_child;
use jiashu_contact::plan::Plan;
use jiashu_proto::entry::{IntendedRule, Pause, RuleText};
use jiashu_proto::id::{MemberId, Role};
use jiashu_recurrence::{Rule, local_text, parse_every, utc_text};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::Serialize;

use super::{Context, View};
use crate::args::plan::{AsArgs, PlanCommand, RuleArgs};
use crate::clock::{now, now_ms};
use crate::error::{CliError, ExitCode, Result};
use crate::say::{self, People, rule_in_words};
use crate::state::contact::{self, Intentions};
use crate::state::outbox::{self, Fate};
use crate::sync::draft;
use crate::voice::sending;

/// Weeks before this one by which it is found what was kept: what is late for one may be early for the next.
const WEEKS_BEFORE: i64 = 8;

pub(super) async fn run(context: &mut Context<'_>, command: Option<PlanCommand>) -> Result<()> {
    match command {
        None => show(context).await,
        Some(PlanCommand::Week) => week(context).await,
        Some(PlanCommand::Set(args)) => {
            let rule = typed(context, &args)?;
            write(context, &args.by, |_| Ok(vec![rule.clone()])).await
        }
        Some(PlanCommand::Add(args)) => {
            let rule = typed(context, &args)?;
            write(context, &args.by, |known| {
                let mut rules = standing(known);
                rules.push(rule.clone());
                Ok(rules)
            })
            .await
        }
        Some(PlanCommand::Clear(args)) => write(context, &args, |_| Ok(Vec::new())).await,
        Some(PlanCommand::Confirm(args)) => {
            // What staff proposed just now, too.
            context.exchange_or_go_on().await?;
            write(context, &args, |known| Ok(proposed(known)?.to_vec())).await
        }
        Some(PlanCommand::Decline(args)) => {
            context.exchange_or_go_on().await?;
            write(context, &args, |known| {
                proposed(known)?;
                Ok(standing(known))
            })
            .await
        }
    }
}

fn standing(known: &Intentions) -> Vec<IntendedRule> {
    known.plan.as_ref().map(|(.., plan)| plan.rules.clone()).unwrap_or_default()
}

fn proposed(known: &Intentions) -> Result<&[IntendedRule]> {
    let proposal = known.proposal.as_ref().map(|proposal| proposal.rules.as_slice());
    proposal.ok_or_else(|| CliError::new(ExitCode::BadInput, "nothing is proposed just now"))
}

/// The rule that was typed, on the child's clock.
fn typed(context: &Context<'_>, args: &RuleArgs) -> Result<IntendedRule> {
    let people = View::open(&context.home)?.people;
    let zone = match &args.tz {
        Some(zone) => zone.clone(),
        None => child_zone(&people)?,
    };
    let today = say::zone(&zone).to_datetime(now()).date();
    let bad = |error| CliError::new(ExitCode::BadInput, error);
    let every = parse_every(&args.every, &args.at, today).map_err(bad)?;
    let rule = Rule::parse(&every.start, &zone, Some(&every.rrule)).map_err(bad)?;
    let tolerance_min = args.tolerance.map(|hours| hours.saturating_mul(60));
    Ok(IntendedRule { rule: rule.text(), tolerance_min })
}

/// The clock of the first child.
fn child_zone(people: &People) -> Result<String> {
    let child = people.roles().iter().find(|(_, role)| **role == Role::Child);
    let zone = child.and_then(|(child, _)| people.zone(*child));
    zone.map(ToOwned::to_owned).ok_or_else(|| {
        CliError::new(ExitCode::BadInput, "the child's clock is not known yet: say --tz ZONE")
    })
}

/// Writes a plan, and shows it.
async fn write(
    context: &mut Context<'_>,
    by: &AsArgs,
    rules: impl Fn(&Intentions) -> Result<Vec<IntendedRule>>,
) -> Result<()> {
    let mut view = View::open_to_write(&context.home)?;
    let from = adult(&view.people, by.speaker.as_deref())?;
    let tx = view.state.begin()?;
    let known = contact::intentions(&tx)?;
    let seen = known.plan.as_ref().map(|(seq, ..)| *seq);
    let written = draft::intend(&tx, from, rules(&known)?, seen, now_ms())?;
    tx.commit()?;
    let exchanged = sending::deliver(&context.home, context.ca(), &[written]).await;
    match outbox::fate(view.state.db(), written)? {
        Some(Fate::Refused(code)) if code == "stale" => {
            let text = "somebody has written another plan meanwhile: look at it with jiashu plan";
            return Err(CliError::new(ExitCode::Refused, text));
        }
        Some(Fate::Refused(code)) => {
            return Err(CliError::new(ExitCode::Refused, format!("the relay refused it ({code})")));
        }
        Some(Fate::Waits) => say::note("It waits on this phone until the relay can be reached."),
        _ => {}
    }
    match exchanged {
        Err(error) if error.code != ExitCode::Offline => Err(error),
        _ => show(context).await,
    }
}

/// Who of those whom this phone serves may plan.
fn adult(people: &People, named: Option<&str>) -> Result<MemberId> {
    if named.is_some() {
        return people.speaker(named);
    }
    let adult = people.served().iter().copied().find(|member| people.is_adult(*member));
    adult.ok_or_else(|| {
        CliError::new(ExitCode::Refused, "a plan is written on a parent's or caregiver's phone")
    })
}

#[derive(Serialize)]
pub(super) struct PlanJson {
    rules: Vec<RuleJson>,
    proposed: Option<Vec<RuleJson>>,
    pauses: Vec<PauseJson>,
    next: Option<String>,
}

#[derive(Serialize)]
struct RuleJson {
    start: String,
    zone: String,
    rrule: Option<String>,
    tolerance_min: Option<u32>,
}

#[derive(Serialize)]
struct PauseJson {
    first: String,
    last: String,
    reason: &'static str,
}

fn rules_json(rules: &[IntendedRule]) -> Vec<RuleJson> {
    let json = |rule: &IntendedRule| RuleJson {
        start: rule.rule.start.clone(),
        zone: rule.rule.zone.clone(),
        rrule: rule.rule.rrule.clone(),
        tolerance_min: rule.tolerance_min,
    };
    rules.iter().map(json).collect()
}

/// What is intended, proposed and paused.
pub(super) fn described(view: &View) -> Result<PlanJson> {
    let known = contact::intentions(view.state.db())?;
    let pause = |pause: &Pause| PauseJson {
        first: pause.first.clone(),
        last: pause.last.clone(),
        reason: pause.reason.name(),
    };
    Ok(PlanJson {
        rules: rules_json(&standing(&known)),
        proposed: known.proposal.as_ref().map(|proposal| rules_json(&proposal.rules)),
        pauses: known.pauses.iter().map(pause).collect(),
        next: next(view, &known).map(utc_text),
    })
}

fn next(view: &View, known: &Intentions) -> Option<Timestamp> {
    let next = known.reckoned().expected(now(), &home(&view.people)).next();
    next.map(|next| next.at)
}

async fn show(context: &mut Context<'_>) -> Result<()> {
    context.exchange_or_go_on().await?;
    let view = View::open(&context.home)?;
    if context.globals.json {
        return context.json(&described(&view)?);
    }
    let known = contact::intentions(view.state.db())?;
    let (next, zone) = (next(&view, &known), home(&view.people));
    let rules = standing(&known);
    if rules.is_empty() {
        writeln!(
            context.out,
            "Nothing is planned. To plan: jiashu plan set --every sun --at 19:30"
        )?;
    }
    for rule in &rules {
        writeln!(context.out, "You mean to hear each other {}.", in_words(rule))?;
    }
    if let Some(next) = next {
        let away = view.people.clock(next.as_millisecond());
        let home = zone.to_datetime(next).strftime("%a %-d %b %H:%M");
        writeln!(context.out, "The next time: {home}, on your clock {away}.")?;
    }
    let today = zone.to_datetime(now()).date();
    for pause in known.pauses.iter().filter(|pause| ends_from(pause, today)) {
        let reason = pause.reason.name().replace('-', " ");
        writeln!(context.out, "Paused from {} to {}: {reason}.", pause.first, pause.last)?;
    }
    if let Some(proposal) = &known.proposal {
        writeln!(context.out, "The programme's staff propose:")?;
        for rule in &proposal.rules {
            writeln!(context.out, "  {}", in_words(rule))?;
        }
        writeln!(context.out, "To take it: jiashu plan confirm. Else: jiashu plan decline")?;
    }
    Ok(())
}

fn ends_from(pause: &Pause, day: Date) -> bool {
    pause.last.parse::<Date>().is_ok_and(|last| last >= day)
}

/// "on Wednesday and Sunday at 19:30 (Asia/Shanghai)".
fn in_words(intended: &IntendedRule) -> String {
    let RuleText { start, zone, rrule, .. } = &intended.rule;
    format!("{} ({zone})", rule_in_words(start, rrule.as_deref()))
}

/// One time of a week as `--json` has it.
#[derive(Serialize)]
struct WeekJson {
    child: String,
    at: String,
    local: String,
    outcome: &'static str,
    kept_at: Option<String>,
}

async fn week(context: &mut Context<'_>) -> Result<()> {
    context.exchange_or_go_on().await?;
    let view = View::open(&context.home)?;
    let (known, people) = (contact::intentions(view.state.db())?, &view.people);
    let zone = home(people);
    let (first, last) = this_week(&zone);
    let contacts = contact::contacts(view.state.db(), |member| people.role(member))?;
    let plan = known.reckoned();
    let children = people.roles().iter().filter(|(_, role)| **role == Role::Child);
    let mut by_child: BTreeMap<MemberId, Vec<_>> = BTreeMap::new();
    for (child, _) in children {
        let since = zone.to_ambiguous_timestamp((first - (7 * WEEKS_BEFORE).days()).at(0, 0, 0, 0));
        let since = since.compatible().unwrap_or(Timestamp::MIN);
        let all = outcomes(&plan, &of_child(&contacts, *child), since, &zone);
        let of_week = all.into_iter().filter(|(at, _)| {
            let day = zone.to_datetime(*at).date();
            first <= day && day <= last
        });
        by_child.insert(*child, of_week.collect());
    }
    if context.globals.json {
        for (child, times) in &by_child {
            for (at, outcome) in times {
                context.json(&json(people.name(*child), *at, *outcome, &zone))?;
            }
        }
        return Ok(());
    }
    let (begins, ends) = (first.strftime("%-d %b"), last.strftime("%-d %b"));
    writeln!(context.out, "This week, {begins} to {ends}, on the clocks of {}", zone_name(&zone))?;
    for (child, times) in &by_child {
        writeln!(context.out, "{}", people.name(*child))?;
        if times.is_empty() {
            writeln!(context.out, "  nothing planned")?;
        }
        for (at, outcome) in times {
            let hour = zone.to_datetime(*at).strftime("%a %-d %b %H:%M");
            writeln!(context.out, "  {hour}  {}", outcome_in_words(*at, *outcome, &zone))?;
        }
    }
    let is_parent = |member: &MemberId| people.role(*member) == Some(Role::Parent);
    let others = people.roles().keys().filter(|member| !people.served().contains(member));
    if people.served().iter().any(is_parent) && others.clone().any(is_parent) {
        say::note(
            "(what another parent and the child heard of each other, this phone does not know)",
        );
    }
    Ok(())
}

/// What was expected since then and is to come this week, and what became of it.
fn outcomes(
    plan: &Plan,
    contacts: &[jiashu_contact::ledger::Contact],
    since: Timestamp,
    zone: &TimeZone,
) -> Vec<(Timestamp, Outcome)> {
    let past = kept(plan, contacts, since, now(), zone).into_iter();
    let past = past.map(|(expected, outcome)| (expected.at, outcome));
    let ahead = plan.expected(now(), zone).map(|expected| (expected.at, Outcome::Open));
    let end = now() + jiff::SignedDuration::from_hours(8 * 24);
    past.chain(ahead.take_while(|(at, _)| *at < end)).collect()
}

fn json(child: String, at: Timestamp, outcome: Outcome, zone: &TimeZone) -> WeekJson {
    let (word, kept_at) = match outcome {
        Outcome::Kept(at) => ("kept", Some(utc_text(at))),
        Outcome::Missed => ("missed", None),
        Outcome::Open => ("open", None),
    };
    let local = local_text(at, zone_name(zone)).unwrap_or_default();
    WeekJson { child, at: utc_text(at), local, outcome: word, kept_at }
}

/// Nobody is blamed: what was missed was missed, and may be made up for.
fn outcome_in_words(at: Timestamp, outcome: Outcome, zone: &TimeZone) -> String {
    match outcome {
        Outcome::Kept(heard) => {
            format!("you heard each other, {}", zone.to_datetime(heard).strftime("%a %H:%M"))
        }
        Outcome::Missed => "it did not come about".to_owned(),
        Outcome::Open if at <= now() => "there is still time".to_owned(),
        Outcome::Open => "to come".to_owned(),
    }
}

/// From Monday to Sunday.
fn this_week(zone: &TimeZone) -> (Date, Date) {
    let today = zone.to_datetime(now()).date();
    let first = today - i64::from(today.weekday().to_monday_zero_offset()).days();
    (first, first + 6.days())
}

fn home(people: &People) -> TimeZone {
    child_zone(people).map_or(TimeZone::UTC, |zone| say::zone(&zone))
}

fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

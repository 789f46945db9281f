//! `schedule`: letters that arrive at their hour, shown on both clocks.

use jiashu_proto::entry::{RuleText, Schedule, ScheduleState};
use jiashu_proto::frame::ClientFrame;
use jiashu_proto::id::{MemberId, Ref, Role};
use jiashu_proto::text::Text;
use jiashu_recurrence::{
    PreviewEntry, Rule, RuleError, next_occurrence, parse_every, preview, utc_text,
};
use serde::Serialize;

use super::{Context, View};
use crate::args::schedule::{AddArgs, ScheduleCommand};
use crate::clock::{now, now_ms};
use crate::error::{CliError, ExitCode, Result};
use crate::round;
use crate::say::{self, People, one_line};
use crate::state::fact;
use crate::state::outbox::{self, Fate};
use crate::sync::draft::{self, Parties};

/// How many occurrences are shown.
const PREVIEW: usize = 8;

/// What `schedule add --json` says.
#[derive(Serialize)]
struct Added {
    id: String,
    next: Option<String>,
    preview: Vec<PreviewJson>,
}

#[derive(Serialize)]
struct PreviewJson {
    at: String,
    recipient_local: String,
    sender_local: String,
    adjust: Option<&'static str>,
}

/// One line of `schedule list --json`.
#[derive(Serialize)]
pub(super) struct Listed {
    id: String,
    from: String,
    to: Vec<String>,
    state: &'static str,
    start: String,
    zone: String,
    rrule: Option<String>,
    next: Option<String>,
    text: Option<String>,
}

pub(super) async fn run(context: &mut Context<'_>, command: ScheduleCommand) -> Result<()> {
    match command {
        ScheduleCommand::Add(args) => add(context, &args).await,
        ScheduleCommand::List => list(context).await,
        ScheduleCommand::Fill { id, letters } => fill(context, &id, &letters).await,
        ScheduleCommand::Pause { id } => change(context, &id, Wanted::Pause).await,
        ScheduleCommand::Resume { id } => change(context, &id, Wanted::Resume).await,
        ScheduleCommand::Skip { id } => change(context, &id, Wanted::Skip).await,
        ScheduleCommand::Cancel { id } => change(context, &id, Wanted::Cancel).await,
    }
}

async fn add(context: &mut Context<'_>, args: &AddArgs) -> Result<()> {
    let mut view = View::open_to_write(&context.home)?;
    let people = &view.people;
    let from = people.speaker(args.speaker.as_deref())?;
    let to = people.addressees(&args.to)?;
    let zone = match &args.tz {
        Some(zone) => zone.clone(),
        None => recipient_zone(people, from, &to)?,
    };
    let rule = rule(args, &zone)?;
    if next_occurrence(&rule, now()).is_none() {
        return Err(CliError::new(
            ExitCode::BadInput,
            format!("this is past already, on the clocks of {zone}"),
        ));
    }
    let sender_zone = people.zone(from).unwrap_or(rule.zone());
    let entries = preview(&rule, &[rule.zone(), sender_zone], now(), PREVIEW).map_err(bad_rule)?;
    let texts = if args.bank { args.text.clone() } else { vec![args.text.join(" ")] };
    let ahead = draft::Ahead { texts: &texts, bank: args.bank, valid_for: args.valid_for };
    let tx = view.state.begin()?;
    let id = draft::schedule(&tx, Parties { from, to }, rule.text(), &ahead, now_ms())?;
    tx.commit()?;
    let exchanged = round::exchange(&context.home, context.ca(), &[id]).await;
    let fate = outbox::fate(view.state.db(), id)?;
    if let Some(Fate::Refused(code)) = &fate {
        return Err(CliError::new(ExitCode::Refused, format!("the relay refused it ({code})")));
    }
    if context.globals.json {
        context.json(&added(id, &entries))?;
    } else {
        print_preview(context, &entries)?;
        let waits = if fate == Some(Fate::Waits) {
            " It waits on this phone until the relay can be reached."
        } else {
            ""
        };
        writeln!(context.out, "Planned.{waits} To end it: jiashu schedule cancel {}", short(id))?;
    }
    match exchanged {
        Err(error) if error.code != ExitCode::Offline => Err(error),
        _ => Ok(()),
    }
}

fn rule(args: &AddArgs, zone: &str) -> Result<Rule> {
    let today = say::zone(zone).to_datetime(now()).date();
    let first = args.start.unwrap_or(today);
    let (start, rrule) = match (&args.on, &args.every, &args.rrule, &args.at) {
        (Some(on), ..) => (typed(on), None),
        (None, Some(days), _, Some(at)) => {
            let every = parse_every(days, at, first).map_err(bad_rule)?;
            (every.start, Some(every.rrule))
        }
        (None, None, Some(rrule), Some(at)) => (format!("{first}T{at}"), Some(rrule.clone())),
        _ => {
            let text = "say when: --on, --every with --at, or --rrule with --at";
            return Err(CliError::new(ExitCode::Usage, text));
        }
    };
    let until = args.until.map(|until| format!(";UNTIL={}", until.strftime("%Y%m%d")));
    let count = args.count.map(|count| format!(";COUNT={count}"));
    let end = until.or(count).unwrap_or_default();
    let rrule = rrule.map(|rrule| rrule + &end);
    let plain = Rule::parse(&start, zone, rrule.as_deref()).map_err(bad_rule)?;
    let also = args.also.iter().map(|also| {
        let also = Rule::parse(&typed(also), zone, None).map_err(bad_rule)?;
        Ok(also.start_text())
    });
    let mut also = also.collect::<Result<Vec<_>>>()?;
    also.sort_unstable();
    also.dedup();
    let with = Rule::of(&RuleText { also, ..plain.text() }).map_err(bad_rule)?;
    let mut except = Vec::new();
    for day in &args.except {
        let times = with.planned_on_day(*day);
        if times.is_empty() {
            let text = format!("nothing is planned on {day}, so it cannot be left out");
            return Err(CliError::new(ExitCode::BadInput, text));
        }
        except.extend(times);
    }
    except.sort_unstable();
    except.dedup();
    Rule::of(&RuleText { except, ..with.text() }).map_err(bad_rule)
}

/// A local time as people type it, with a blank for the `T`.
fn typed(local: &str) -> String {
    local.trim().replacen(' ', "T", 1)
}

fn bad_rule(error: RuleError) -> CliError {
    CliError::new(ExitCode::BadInput, error)
}

/// Bedtime is the child's: the zone of whom it is for, of all the first child's.
fn recipient_zone(people: &People, from: MemberId, to: &[MemberId]) -> Result<String> {
    let others = || people.roles().iter().filter(|(member, _)| **member != from);
    let child = others().find(|(_, role)| **role == Role::Child);
    let recipient = to.first().or(child.map(|(member, _)| member));
    let recipient = recipient.or_else(|| others().next().map(|(member, _)| member));
    let zone = recipient.and_then(|member| people.zone(*member));
    zone.map(ToOwned::to_owned).ok_or_else(|| {
        CliError::new(ExitCode::BadInput, "whose clock counts is not known yet: say --tz ZONE")
    })
}

fn added(id: Ref, entries: &[PreviewEntry]) -> Added {
    let preview: Vec<_> = entries
        .iter()
        .map(|entry| PreviewJson {
            at: utc_text(entry.occurrence.at),
            recipient_local: clock(entry, 0),
            sender_local: clock(entry, 1),
            adjust: entry.occurrence.adjust.map(jiashu_recurrence::Adjust::name),
        })
        .collect();
    let next = preview.first().map(|entry| entry.at.clone());
    Added { id: id.to_string(), next, preview }
}

/// The instant on the recipient's clock, 0, or the sender's, 1.
fn clock(entry: &PreviewEntry, number: usize) -> String {
    entry.clocks.get(number).map(|clock| clock.local.clone()).unwrap_or_default()
}

fn print_preview(context: &mut Context<'_>, entries: &[PreviewEntry]) -> Result<()> {
    writeln!(context.out, "{:<18}  {:<18}", "their clock", "your clock")?;
    for entry in entries {
        let gap = match entry.occurrence.adjust {
            Some(jiashu_recurrence::Adjust::Gap) => "  the clocks jump over this hour: later",
            Some(jiashu_recurrence::Adjust::Overlap) => "  this hour comes twice: the first",
            None => "",
        };
        let shifts = entry.clocks.last().is_some_and(|clock| clock.shifts);
        let shift = if shifts { "  another hour for you from here on" } else { "" };
        let (theirs, yours) = (local(&clock(entry, 0)), local(&clock(entry, 1)));
        writeln!(context.out, "{theirs:<18}  {yours:<18}{gap}{shift}")?;
    }
    Ok(())
}

/// "Sun 28 Mar 19:30" of `2027-03-28T19:30:00+08:00`.
fn local(text: &str) -> String {
    let civil = text.get(..19).and_then(|civil| civil.parse::<jiff::civil::DateTime>().ok());
    civil.map_or_else(|| text.to_owned(), |civil| civil.strftime("%a %-d %b %H:%M").to_string())
}

async fn list(context: &mut Context<'_>) -> Result<()> {
    context.exchange_or_go_on().await?;
    let view = View::open(&context.home)?;
    for schedule in fact::schedules(view.state.db())? {
        let listed = listed(&view, &schedule)?;
        if context.globals.json {
            context.json(&listed)?;
        } else if is_running(&schedule) {
            let to =
                if listed.to.is_empty() { "everybody".to_owned() } else { listed.to.join(", ") };
            let next = next_of(&schedule).map(|at| format!("next {}", view.people.clock(at)));
            let next = next.unwrap_or_else(|| schedule.state.name().to_owned());
            let (id, from) = (short(schedule.id), &listed.from);
            let bank = if schedule.bank { ", a letter bank" } else { "" };
            let text = listed.text.as_deref().map(one_line).unwrap_or_default();
            writeln!(context.out, "{id}  {next}  {from} to {to}{bank}  {text}")?;
        }
    }
    Ok(())
}

/// A schedule as `--json` has it; its text, if it was written here.
pub(super) fn listed(view: &View, schedule: &Schedule) -> Result<Listed> {
    let held = outbox::about(view.state.db(), schedule.id)?.into_iter();
    let text = held.rev().find_map(|command| match command.frame {
        ClientFrame::Hold(hold) => Text::from_bytes(hold.kind, &hold.sealed).ok(),
        _ => None,
    });
    let RuleText { start, zone, rrule, .. } = schedule.rule.clone();
    Ok(Listed {
        id: schedule.id.to_string(),
        from: view.people.name(schedule.from),
        to: schedule.to.iter().map(|member| view.people.name(*member)).collect(),
        state: schedule.state.name(),
        start,
        zone,
        rrule,
        next: next_of(schedule).map(super::letter::utc),
        text: text.map(|text| text.content),
    })
}

fn next_of(schedule: &Schedule) -> Option<i64> {
    let active = schedule.state == ScheduleState::Active;
    let rule = Rule::of(&schedule.rule).ok().filter(|_| active)?;
    next_occurrence(&rule, now()).map(|occurrence| occurrence.at.as_millisecond())
}

/// Whether it may fire still.
fn is_running(schedule: &Schedule) -> bool {
    matches!(schedule.state, ScheduleState::Active | ScheduleState::Paused)
}

/// The running schedule whose id begins so, of a member whom this phone serves.
fn own(view: &View, id: &str) -> Result<Schedule> {
    let running = fact::schedules(view.state.db())?.into_iter();
    let mut running =
        running.filter(|schedule| is_running(schedule) && schedule.id.to_string().starts_with(id));
    let schedule = match (running.next(), running.next()) {
        (Some(schedule), None) if !id.is_empty() => schedule,
        (None, _) => {
            let text = "nothing planned has that id: see jiashu schedule list";
            return Err(CliError::new(ExitCode::BadInput, text));
        }
        _ => {
            let text = "several begin so: give more of the id";
            return Err(CliError::new(ExitCode::BadInput, text));
        }
    };
    if view.people.served().contains(&schedule.from) {
        return Ok(schedule);
    }
    let text = format!("only {} can change or end it", view.people.name(schedule.from));
    Err(CliError::new(ExitCode::Refused, text))
}

async fn fill(context: &mut Context<'_>, id: &str, letters: &[String]) -> Result<()> {
    context.exchange_or_go_on().await?;
    let mut view = View::open_to_write(&context.home)?;
    let schedule = own(&view, id)?;
    if !schedule.bank {
        let text = "this is no letter bank: it says the same each time";
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    let valid_for = held_for(&view, schedule.id)?;
    let tx = view.state.begin()?;
    let mut refs = Vec::new();
    for letter in letters {
        let parties = Parties { from: schedule.from, to: schedule.to.clone() };
        refs.push(draft::hold(&tx, parties, schedule.id, letter, valid_for, now_ms())?);
    }
    tx.commit()?;
    let said = format!("{} more in the letter bank.", refs.len());
    settle(context, &view, schedule.id, &refs, &said).await
}

/// How long the letters of a bank are worth something that were written here before.
fn held_for(view: &View, id: Ref) -> Result<Option<i64>> {
    let held = outbox::about(view.state.db(), id)?.into_iter().rev();
    let mut lengths = held.filter_map(|command| match command.frame {
        ClientFrame::Hold(hold) => Some(hold.valid_for),
        _ => None,
    });
    Ok(lengths.next().flatten())
}

/// What shall become of a schedule.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Pause,
    Resume,
    Skip,
    Cancel,
}

async fn change(context: &mut Context<'_>, id: &str, wanted: Wanted) -> Result<()> {
    context.exchange_or_go_on().await?;
    let mut view = View::open_to_write(&context.home)?;
    let schedule = own(&view, id)?;
    let mut rule = schedule.rule.clone();
    let (state, said) = match wanted {
        Wanted::Pause => (ScheduleState::Paused, "Paused. What waits is kept.".to_owned()),
        Wanted::Resume => (ScheduleState::Active, "It goes on.".to_owned()),
        Wanted::Cancel => (ScheduleState::Cancelled, "Ended.".to_owned()),
        Wanted::Skip => {
            let (left_out, at) = without_next(&rule)?;
            rule = left_out;
            (schedule.state, format!("Left out: {}.", view.people.clock(at)))
        }
    };
    let id = schedule.id;
    let tx = view.state.begin()?;
    let entry_ref = draft::change(&tx, schedule, rule, state, now_ms())?;
    tx.commit()?;
    settle(context, &view, id, &[entry_ref], &said).await
}

/// The rule without its next occurrence, and when that would have been. What lies behind and was left
/// out needs not be said any more.
fn without_next(rule: &RuleText) -> Result<(RuleText, i64)> {
    let read = Rule::of(rule).map_err(bad_rule)?;
    let next = next_occurrence(&read, now()).ok_or_else(|| {
        CliError::new(ExitCode::BadInput, "there is no time to come that could be left out")
    })?;
    let here = read.tz().to_datetime(now()).strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let mut except = rule.except.clone();
    except.retain(|time| *time > here);
    except.push(next.planned_text());
    except.sort_unstable();
    Ok((RuleText { except, ..rule.clone() }, next.at.as_millisecond()))
}

/// Lets the relay have these commands about a schedule, and says what became of them.
async fn settle(
    context: &mut Context<'_>,
    view: &View,
    id: Ref,
    refs: &[Ref],
    said: &str,
) -> Result<()> {
    let exchanged = round::exchange(&context.home, context.ca(), refs).await;
    let mut fates = Vec::new();
    for one in refs {
        fates.extend(outbox::fate(view.state.db(), *one)?);
    }
    let refused = fates.iter().find_map(|fate| match fate {
        Fate::Refused(code) => Some(code.clone()),
        _ => None,
    });
    let queued = fates.contains(&Fate::Waits);
    if let Some(code) = refused {
        let text = match code.as_str() {
            "stale" => "it has changed meanwhile, perhaps on another phone: look at it again",
            "unknown" => "it has ended meanwhile",
            _ => "the relay refused it",
        };
        return Err(CliError::new(ExitCode::Refused, format!("{text} ({code})")));
    }
    if context.globals.json {
        context.json(&serde_json::json!({ "id": id.to_string(), "queued": queued }))?;
    } else if queued {
        writeln!(context.out, "{said} It waits on this phone until the relay can be reached.")?;
    } else {
        writeln!(context.out, "{said}")?;
    }
    match exchanged {
        Err(error) if error.code != ExitCode::Offline => Err(error),
        _ => Ok(()),
    }
}

/// The beginning of an id, enough for a person.
fn short(id: Ref) -> String {
    id.to_string().chars().take(8).collect()
}

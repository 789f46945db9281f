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
        ScheduleCommand::Cancel { id } => cancel(context, &id).await,
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
    let (start, rrule) = (rule.start_text(), rule.rrule_text());
    let (also, except) = (Vec::new(), Vec::new());
    let text = RuleText { start, zone: rule.zone().to_owned(), rrule, also, except };
    let tx = view.state.begin()?;
    let id = draft::schedule(&tx, Parties { from, to }, text, &args.text.join(" "), now_ms())?;
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
    let rule = match (&args.on, &args.every, &args.at) {
        (Some(on), ..) => Rule::parse(&on.trim().replacen(' ', "T", 1), zone, None),
        (None, Some(days), Some(at)) => {
            let today = say::zone(zone).to_datetime(now()).date();
            parse_every(days, at, today)
                .and_then(|every| Rule::parse(&every.start, zone, Some(&every.rrule)))
        }
        _ => return Err(CliError::new(ExitCode::Usage, "say when: --on, or --every with --at")),
    };
    rule.map_err(bad_rule)
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
        } else if schedule.state == ScheduleState::Active {
            let to =
                if listed.to.is_empty() { "everybody".to_owned() } else { listed.to.join(", ") };
            let next = next_of(&schedule).map_or("-".to_owned(), |at| view.people.clock(at));
            let (id, from) = (short(schedule.id), &listed.from);
            let text = listed.text.as_deref().map(one_line).unwrap_or_default();
            writeln!(context.out, "{id}  next {next}  {from} to {to}  {text}")?;
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

async fn cancel(context: &mut Context<'_>, id: &str) -> Result<()> {
    context.exchange_or_go_on().await?;
    let mut view = View::open_to_write(&context.home)?;
    let running = fact::schedules(view.state.db())?.into_iter();
    let mut running = running.filter(|schedule| {
        schedule.state == ScheduleState::Active && schedule.id.to_string().starts_with(id)
    });
    let schedule = match (running.next(), running.next()) {
        (Some(schedule), None) if !id.is_empty() => schedule,
        (None, _) => {
            return Err(CliError::new(
                ExitCode::BadInput,
                "nothing planned has that id: see jiashu schedule list",
            ));
        }
        _ => {
            return Err(CliError::new(ExitCode::BadInput, "several begin so: give more of the id"));
        }
    };
    if !view.people.served().contains(&schedule.from) {
        let text = format!("only {} can end it", view.people.name(schedule.from));
        return Err(CliError::new(ExitCode::Refused, text));
    }
    let id = schedule.id;
    let tx = view.state.begin()?;
    let entry_ref = draft::cancel(&tx, schedule, now_ms())?;
    tx.commit()?;
    let exchanged = round::exchange(&context.home, context.ca(), &[entry_ref]).await;
    let fate = outbox::fate(view.state.db(), entry_ref)?;
    if context.globals.json {
        let queued = fate == Some(Fate::Waits);
        context.json(&serde_json::json!({ "id": id.to_string(), "queued": queued }))?;
    } else if fate == Some(Fate::Waits) {
        writeln!(context.out, "It ends as soon as the relay can be reached.")?;
    } else {
        writeln!(context.out, "Ended.")?;
    }
    match (exchanged, fate) {
        (Err(error), _) if error.code != ExitCode::Offline => Err(error),
        (_, Some(Fate::Refused(code))) => {
            Err(CliError::new(ExitCode::Refused, format!("the relay refused it ({code})")))
        }
        _ => Ok(()),
    }
}

/// The beginning of an id, enough for a person.
fn short(id: Ref) -> String {
    id.to_string().chars().take(8).collect()
}

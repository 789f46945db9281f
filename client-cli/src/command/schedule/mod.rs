//! `schedule`: letters that arrive at their hour. What is new is in `add`, what becomes of it in `change`
//! and `edit`, what it looks like in `show`; `when` reads times, `held` knows what waits.

use jiashu_proto::entry::{RuleText, Schedule, ScheduleState};
use jiashu_proto::frame::ClientFrame;
use jiashu_proto::id::Ref;
use jiashu_proto::text::Text;
use jiashu_recurrence::{Rule, RuleError, next_occurrence};
use serde::Serialize;

use self::change::Wanted;
use super::{Context, View};
use crate::args::schedule::ScheduleCommand;
use crate::clock::now;
use crate::error::{CliError, ExitCode, Result};
use crate::say::first_line;
use crate::state::planned::{self, is_running};
use crate::state::{fact, outbox};

pub(super) mod add;

pub(super) mod change;

mod edit;

mod held;

mod show;

mod when;

/// One line of `schedule list --json`.
#[derive(Serialize)]
pub(super) struct Listed {
    id: String,
    from: String,
    to: Vec<String>,
    state: &'static str,
    bank: bool,
    start: String,
    zone: String,
    rrule: Option<String>,
    next: Option<String>,
    /// Of what was written here.
    pub(super) text: Option<String>,
    /// Whether the phone that planned it was removed from the family.
    phone_removed: bool,
}

impl Listed {
    /// "Mama to Lili".
    pub(super) fn parties(&self) -> String {
        let to = if self.to.is_empty() { "everybody".to_owned() } else { self.to.join(", ") };
        format!("{} to {to}", self.from)
    }
}

pub(super) async fn run(context: &mut Context<'_>, command: ScheduleCommand) -> Result<()> {
    match command {
        ScheduleCommand::Add(args) => add::add(context, &args).await,
        ScheduleCommand::List => list(context).await,
        ScheduleCommand::Show { id } => show::show(context, &id).await,
        ScheduleCommand::Bank { id } => show::bank(context, &id).await,
        ScheduleCommand::Fill { id, letters } => change::fill(context, &id, &letters).await,
        ScheduleCommand::Edit(args) => edit::edit(context, &args).await,
        ScheduleCommand::Pause { id } => change::change(context, &id, Wanted::Pause).await,
        ScheduleCommand::Resume { id } => change::change(context, &id, Wanted::Resume).await,
        ScheduleCommand::Skip { id } => change::change(context, &id, Wanted::Skip).await,
        ScheduleCommand::TakeOver { id, speaker } => {
            change::take_over(context, &id, speaker.as_deref()).await
        }
        ScheduleCommand::Cancel { id } => change::change(context, &id, Wanted::Cancel).await,
    }
}

async fn list(context: &mut Context<'_>) -> Result<()> {
    context.exchange_or_go_on().await?;
    let view = View::open(&context.home)?;
    for schedule in fact::schedules(view.state.db())? {
        let listed = listed(&view, &schedule)?;
        if context.globals.json {
            context.json(&listed)?;
        } else if is_running(&schedule) {
            let next = next_of(&schedule).map(|at| format!("next {}", view.people.clock(at)));
            let next = next.unwrap_or_else(|| schedule.state.name().to_owned());
            let (id, parties) = (short(schedule.id), listed.parties());
            let bank = if schedule.bank { ", a letter bank" } else { "" };
            let gone = if listed.phone_removed { PHONE_REMOVED } else { "" };
            let text = listed.text.as_deref().map(first_line).unwrap_or_default();
            writeln!(context.out, "{id}  {next}  {parties}{bank}{gone}  {text}")?;
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
        bank: schedule.bank,
        start,
        zone,
        rrule,
        next: next_of(schedule).map(super::letter::utc),
        text: text.map(|text| super::letter::said(&text)),
        phone_removed: !view.family.roster.devices().contains_key(&schedule.device),
    })
}

/// Said of what a phone planned that was removed: it goes on for the family.
const PHONE_REMOVED: &str = ", planned on a phone that was removed";

fn next_of(schedule: &Schedule) -> Option<i64> {
    let active = schedule.state == ScheduleState::Active;
    let rule = Rule::of(&schedule.rule).ok().filter(|_| active)?;
    next_occurrence(&rule, now()).map(|occurrence| occurrence.at.as_millisecond())
}

/// The beginning of an id, enough for a person.
fn short(id: Ref) -> String {
    id.to_string().chars().take(8).collect()
}

fn bad_rule(error: RuleError) -> CliError {
    CliError::new(ExitCode::BadInput, error)
}

/// The running schedule whose id begins so.
fn find(view: &View, id: &str) -> Result<Schedule> {
    let running = planned::running(view.state.db())?.into_iter();
    let mut running = running.filter(|schedule| schedule.id.to_string().starts_with(id));
    match (running.next(), running.next()) {
        (Some(schedule), None) if !id.is_empty() => Ok(schedule),
        (None, _) => {
            let text = "nothing planned has that id: see jiashu schedule list";
            Err(CliError::new(ExitCode::BadInput, text))
        }
        _ => {
            let text = "several begin so: give more of the id";
            Err(CliError::new(ExitCode::BadInput, text))
        }
    }
}

/// As [`find`], of a member whom this phone serves.
fn own(view: &View, id: &str) -> Result<Schedule> {
    let schedule = find(view, id)?;
    if view.people.served().contains(&schedule.from) {
        return Ok(schedule);
    }
    let name = view.people.name(schedule.from);
    let text = format!(
        "only {name} can change or end it; another parent can go on with it: jiashu schedule take-over"
    );
    Err(CliError::new(ExitCode::Refused, text))
}

/// Texts as they were typed; `@FILE` is what stands in that file, `@@` a text that begins with `@`.
fn typed_texts(typed: &[String]) -> Result<Vec<String>> {
    let read = |text: &String| match text.strip_prefix('@') {
        None => Ok(text.clone()),
        Some(rest) if rest.starts_with('@') => Ok(rest.to_owned()),
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => Ok(text.trim_end().to_owned()),
            Err(error) => {
                let text =
                    format!("cannot read {path}: {error} (for a text that begins so: @{text})");
                Err(CliError::new(ExitCode::BadInput, text))
            }
        },
    };
    typed.iter().map(read).collect()
}

//! `schedule`: letters that arrive at their hour. What is new is in `add`, what becomes of it in `change`.

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
use crate::say::one_line;
use crate::state::planned::is_running;
use crate::state::{fact, outbox};

mod add;

mod change;

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
        ScheduleCommand::Add(args) => add::add(context, &args).await,
        ScheduleCommand::List => list(context).await,
        ScheduleCommand::Fill { id, letters } => change::fill(context, &id, &letters).await,
        ScheduleCommand::Pause { id } => change::change(context, &id, Wanted::Pause).await,
        ScheduleCommand::Resume { id } => change::change(context, &id, Wanted::Resume).await,
        ScheduleCommand::Skip { id } => change::change(context, &id, Wanted::Skip).await,
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

/// The beginning of an id, enough for a person.
fn short(id: Ref) -> String {
    id.to_string().chars().take(8).collect()
}

fn bad_rule(error: RuleError) -> CliError {
    CliError::new(ExitCode::BadInput, error)
}

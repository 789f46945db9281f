//! What becomes of a schedule: more letters, a pause, a day left out, its end.

use jiashu_proto::entry::{RuleText, Schedule, ScheduleState};
use jiashu_proto::frame::ClientFrame;
use jiashu_proto::id::Ref;
use jiashu_recurrence::{Rule, next_occurrence};

use super::super::{Context, View};
use super::bad_rule;
use crate::clock::{now, now_ms};
use crate::error::{CliError, ExitCode, Result};
use crate::round;
use crate::state::outbox::{self, Fate};
use crate::state::planned;
use crate::sync::draft::{self, Parties};

/// The running schedule whose id begins so, of a member whom this phone serves.
fn own(view: &View, id: &str) -> Result<Schedule> {
    let running = planned::running(view.state.db())?.into_iter();
    let mut running = running.filter(|schedule| schedule.id.to_string().starts_with(id));
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

pub(super) async fn fill(context: &mut Context<'_>, id: &str, letters: &[String]) -> Result<()> {
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
pub(super) enum Wanted {
    Pause,
    Resume,
    Skip,
    Cancel,
}

pub(super) async fn change(context: &mut Context<'_>, id: &str, wanted: Wanted) -> Result<()> {
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

//! What becomes of a schedule: more letters, a pause, a day left out, another parent, its end.

use jiashu_proto::entry::{RuleText, Schedule, ScheduleState};
use jiashu_proto::frame::ClientFrame;
use jiashu_proto::id::{Ref, Role};
use jiashu_proto::text::Text;
use jiashu_recurrence::{Rule, next_occurrence};

use super::super::{Context, View};
use super::{bad_rule, find, held, own, typed_texts};
use crate::clock::{now, now_ms};
use crate::error::{CliError, ExitCode, Result};
use crate::state::outbox::{self, Fate};
use crate::sync::draft::{self, Manner, Parties, Said};
use crate::voice::sending;

pub(super) async fn fill(context: &mut Context<'_>, id: &str, typed: &[String]) -> Result<()> {
    let letters: Vec<_> = typed_texts(typed)?.into_iter().map(Said::Words).collect();
    fill_with(context, id, &letters).await
}

/// Puts more letters into a letter bank, behind those that are there.
pub(in crate::command) async fn fill_with(
    context: &mut Context<'_>,
    id: &str,
    letters: &[Said],
) -> Result<()> {
    let fresh = held::ask(context, id).await?;
    let mut view = View::open_to_write(&context.home)?;
    let schedule = own(&view, id)?;
    if !schedule.bank {
        let text = "this is no letter bank: it says the same each time";
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    let manner = as_before(&view, &schedule, fresh)?;
    let tx = view.state.begin()?;
    let mut refs = Vec::new();
    for letter in letters {
        let parties = Parties { from: schedule.from, to: schedule.to.clone() };
        refs.push(draft::hold(&tx, parties, schedule.id, letter, manner, now_ms())?);
    }
    tx.commit()?;
    let said = format!("{} more in the letter bank.", refs.len());
    settle(context, &view, schedule.id, &refs, &said).await
}

/// How the letter goes that stands last in a bank, or that was last put there from here.
fn as_before(view: &View, schedule: &Schedule, fresh: bool) -> Result<Manner> {
    if let Some(last) = held::letters(view, schedule, fresh)?.pop() {
        let ring = last.text.and_then(|text| text.ring);
        return Ok(Manner { valid_for: last.valid_for, ring });
    }
    let written = outbox::about(view.state.db(), schedule.id)?.into_iter().rev();
    let mut before = written.filter_map(|command| match command.frame {
        ClientFrame::Hold(hold) => {
            let ring = Text::from_bytes(hold.kind, &hold.sealed).ok().and_then(|text| text.ring);
            Some(Manner { valid_for: hold.valid_for, ring })
        }
        _ => None,
    });
    Ok(before.next().unwrap_or_default())
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
    let (id, from) = (schedule.id, schedule.from);
    let tx = view.state.begin()?;
    let entry_ref = draft::change(&tx, schedule, from, rule, state, now_ms())?;
    tx.commit()?;
    settle(context, &view, id, &[entry_ref], &said).await
}

/// Goes on with what another parent planned.
pub(super) async fn take_over(
    context: &mut Context<'_>,
    id: &str,
    speaker: Option<&str>,
) -> Result<()> {
    context.exchange_or_go_on().await?;
    let mut view = View::open_to_write(&context.home)?;
    let schedule = find(&view, id)?;
    let from = view.people.speaker(speaker)?;
    if schedule.from == from {
        return Err(CliError::new(ExitCode::BadInput, "this is yours already"));
    }
    if view.people.role(from) != Some(Role::Parent) {
        let text =
            format!("{} is no parent: only a parent can go on with it", view.people.name(from));
        return Err(CliError::new(ExitCode::Refused, text));
    }
    let (id, before) = (schedule.id, view.people.name(schedule.from));
    let said =
        format!("It goes on in your name. Letters that {before} wrote ahead stay as they are.");
    let (rule, state) = (schedule.rule.clone(), schedule.state);
    let tx = view.state.begin()?;
    let entry_ref = draft::change(&tx, schedule, from, rule, state, now_ms())?;
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
pub(super) async fn settle(
    context: &mut Context<'_>,
    view: &View,
    id: Ref,
    refs: &[Ref],
    said: &str,
) -> Result<()> {
    let exchanged = sending::deliver(&context.home, context.ca(), refs).await;
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

//! A new schedule: shown on both clocks, with its letters queued before it.

use jiashu_proto::id::MemberId;
use jiashu_recurrence::{PreviewEntry, Rule, utc_text};
use serde::Serialize;

use super::super::{Context, View};
use super::when::{self, PREVIEW, PreviewJson, clock, dates, local, print_preview};
use super::{short, typed_texts};
use crate::args::schedule::{AddArgs, PartiesArgs, WhenArgs};
use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::say::People;
use crate::state::outbox::{self, Fate};
use crate::sync::draft::{self, Ahead, Manner, Parties, Said};
use crate::voice::sending;

/// What `schedule add --json` says.
#[derive(Serialize)]
struct Added {
    id: String,
    next: Option<String>,
    preview: Vec<PreviewJson>,
}

pub(super) async fn add(context: &mut Context<'_>, args: &AddArgs) -> Result<()> {
    let typed = typed_texts(&args.text)?;
    let texts = if args.bank { typed } else { vec![typed.join(" ")] };
    let letters: Vec<_> = texts.into_iter().map(Said::Words).collect();
    let manner = Manner { valid_for: args.valid_for, ring: None };
    let ahead = Ahead { letters: &letters, bank: args.bank, manner };
    plan(context, &args.when, &args.parties, &ahead).await
}

/// Plans what was typed, and says when it happens.
pub(in crate::command) async fn plan(
    context: &mut Context<'_>,
    when: &WhenArgs,
    parties: &PartiesArgs,
    ahead: &Ahead<'_>,
) -> Result<()> {
    let mut view = View::open_to_write(&context.home)?;
    let people = &view.people;
    let from = people.speaker(parties.speaker.as_deref())?;
    let to = people.addressees(&parties.to)?;
    let rule = rule_to_come(when, people, from, &to)?;
    let entries = dates(&rule, people.zone(from).unwrap_or(rule.zone()), PREVIEW)?;
    let tx = view.state.begin()?;
    let id = draft::schedule(&tx, Parties { from, to }, rule.text(), ahead, now_ms())?;
    tx.commit()?;
    let exchanged = sending::deliver(&context.home, context.ca(), &[id]).await;
    let fate = outbox::fate(view.state.db(), id)?;
    if let Some(Fate::Refused(code)) = &fate {
        return Err(CliError::new(ExitCode::Refused, format!("the relay refused it ({code})")));
    }
    if context.globals.json {
        let preview: Vec<_> = entries.iter().map(PreviewJson::of).collect();
        let next = entries.first().map(|entry| utc_text(entry.occurrence.at));
        context.json(&Added { id: id.to_string(), next, preview })?;
    } else {
        print_preview(context, &entries)?;
        let waits = if fate == Some(Fate::Waits) {
            " It waits on this phone until the relay can be reached."
        } else {
            ""
        };
        if ahead.bank {
            writeln!(context.out, "{}", in_the_bank(ahead.letters.len(), &entries))?;
        }
        writeln!(context.out, "Planned.{waits} To end it: jiashu schedule cancel {}", short(id))?;
    }
    match exchanged {
        Err(error) if error.code != ExitCode::Offline => Err(error),
        _ => Ok(()),
    }
}

/// The rule that was typed, if something of it is to come.
fn rule_to_come(when: &WhenArgs, people: &People, from: MemberId, to: &[MemberId]) -> Result<Rule> {
    let zone = match &when.tz {
        Some(zone) => zone.clone(),
        None => when::recipient_zone(people, from, to)?,
    };
    let rule = when::rule(when, &zone)?;
    when::check_to_come(&rule)?;
    Ok(rule)
}

/// How many letters there are, and when the last of them goes.
fn in_the_bank(letters: usize, entries: &[PreviewEntry]) -> String {
    let last = letters.checked_sub(1).and_then(|last| entries.get(last));
    let last = last.map(|last| format!(", the last goes on {}", local(&clock(last, 0))));
    format!("Letters in the bank: {letters}{}.", last.unwrap_or_default())
}

//! `heard`: a caregiver's tap, or the child's own, that a letter was shown; `done`: that what a reminder
//! asks for was.

use jiashu_proto::entry::Rung;
use jiashu_proto::id::MemberId;
use serde_json::json;

use super::{Context, View};
use crate::args::letters::{DoneArgs, HeardArgs};
use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::round;
use crate::state::message::{self, Stored};
use crate::state::receipt;
use crate::sync::{draft, is_for};

pub(super) async fn run(context: &mut Context<'_>, args: &HeardArgs) -> Result<()> {
    let view = View::open_to_write(&context.home)?;
    let member = view.people.speaker(Some(&args.by))?;
    let mut letters = Vec::new();
    for seq in &args.seqs {
        letters.push((at_place(&view, *seq)?, member));
    }
    report(context, view, &letters, Rung::Shown).await
}

/// `done`: what a reminder asks for is done.
pub(super) async fn done(context: &mut Context<'_>, args: &DoneArgs) -> Result<()> {
    let view = View::open_to_write(&context.home)?;
    let named = args.by.as_deref().map(|by| view.people.speaker(Some(by))).transpose()?;
    let mut reminders = Vec::new();
    for seq in &args.seqs {
        let stored = at_place(&view, *seq)?;
        if stored.text.as_ref().is_none_or(|text| text.ring.is_none()) {
            let text =
                format!("letter {seq} is no reminder: that somebody heard it says jiashu heard");
            return Err(CliError::new(ExitCode::BadInput, text));
        }
        let served = view.people.served().iter().copied();
        let first = served.into_iter().find(|member| is_for(&stored.message, *member));
        let member = named.or(first).unwrap_or(stored.message.from);
        reminders.push((stored, member));
    }
    report(context, view, &reminders, Rung::Done).await
}

/// Lets the writers know how far their letters came, each with that member.
async fn report(
    context: &mut Context<'_>,
    mut view: View,
    letters: &[(Stored, MemberId)],
    rung: Rung,
) -> Result<()> {
    for (stored, member) in letters {
        if !is_for(&stored.message, *member) {
            let text = format!("letter {} is not for {}", stored.seq, view.people.name(*member));
            return Err(CliError::new(ExitCode::BadInput, text));
        }
    }
    let tx = view.state.begin()?;
    let reports = letters
        .iter()
        .map(|(stored, member)| draft::report(&tx, stored, *member, rung, None, now_ms()))
        .collect::<Result<Vec<_>>>()?;
    tx.commit()?;
    match round::exchange(&context.home, context.ca(), &reports).await {
        Err(error) if error.code != ExitCode::Offline => return Err(error),
        _ => {}
    }
    for (stored, member) in letters {
        let (seq, name) = (stored.seq, view.people.name(*member));
        if context.globals.json {
            let entry_ref = stored.message.entry_ref.to_string();
            let rung = rung.name();
            context.json(&json!({ "seq": seq, "ref": entry_ref, "member": name, "rung": rung }))?;
            continue;
        }
        let from = view.people.name(stored.message.from);
        match rung {
            Rung::Done => writeln!(context.out, "{name} has done {seq}. {from} will see it.")?,
            _ => writeln!(context.out, "{name} heard letter {seq}. {from} will see it.")?,
        }
    }
    Ok(())
}

/// The letter that the log shows under that number; of two lives of the log, the later's.
pub(super) fn at_place(view: &View, seq: u64) -> Result<Stored> {
    let db = view.state.db();
    let mut found = Vec::new();
    for entry_ref in receipt::at_place(db, seq)? {
        found.extend(message::find(db, entry_ref)?);
    }
    let generation = view.lane.cursor.map(|cursor| cursor.generation);
    let newest = found.iter().position(|stored| Some(stored.generation) == generation);
    let newest = newest.unwrap_or_default();
    found.into_iter().nth(newest).ok_or_else(|| {
        CliError::new(ExitCode::BadInput, format!("there is no letter {seq}: see jiashu log"))
    })
}

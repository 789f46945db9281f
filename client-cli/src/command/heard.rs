//! `heard`: a caregiver's tap, or the child's own, that a letter was shown.

use jiashu_proto::entry::Rung;

use serde_json::json;

use super::{Context, View};
use crate::args::letters::HeardArgs;
use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::round;
use crate::state::message::{self, Stored};
use crate::state::receipt;
use crate::sync::{draft, is_for};

pub(super) async fn run(context: &mut Context<'_>, args: &HeardArgs) -> Result<()> {
    let mut view = View::open_to_write(&context.home)?;
    let member = view.people.speaker(Some(&args.by))?;
    let name = view.people.name(member);
    let mut letters = Vec::new();
    for seq in &args.seqs {
        let stored = at_place(&view, *seq)?;
        if !is_for(&stored.message, member) {
            let text = format!("letter {seq} is not for {name}");
            return Err(CliError::new(ExitCode::BadInput, text));
        }
        letters.push(stored);
    }
    let tx = view.state.begin()?;
    let reports = letters
        .iter()
        .map(|stored| draft::report(&tx, stored, member, Rung::Shown, now_ms()))
        .collect::<Result<Vec<_>>>()?;
    tx.commit()?;
    match round::exchange(&context.home, context.ca(), &reports).await {
        Err(error) if error.code != ExitCode::Offline => return Err(error),
        _ => {}
    }
    for stored in &letters {
        if context.globals.json {
            let (seq, entry_ref) = (stored.seq, stored.message.entry_ref.to_string());
            let rung = Rung::Shown.name();
            context.json(&json!({ "seq": seq, "ref": entry_ref, "member": name, "rung": rung }))?;
        } else {
            let from = view.people.name(stored.message.from);
            writeln!(context.out, "{name} heard letter {}. {from} will see it.", stored.seq)?;
        }
    }
    Ok(())
}

/// The letter that the log shows under that number; of two lives of the log, the later's.
fn at_place(view: &View, seq: u64) -> Result<Stored> {
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

//! `send`: into the outbox, then to the relay if it can be reached.

use std::io::BufRead as _;
use std::time::Duration;

use jiashu_proto::bounds;
use jiashu_proto::id::Ref;
use jiashu_proto::text::Ring;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Context, View};
use crate::args::letters::SendArgs;
use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::state::State;
use crate::state::lane::Lane;
use crate::state::outbox::{self, Fate};
use crate::sync::draft::{self, Parties, Said};
use crate::voice::sending;

/// A next line that does not come within this time goes with the next batch.
const LINE_GAP: Duration = Duration::from_millis(5);

/// One line of `send --json`.
#[derive(Serialize)]
struct Sent {
    #[serde(rename = "ref")]
    entry_ref: String,
    seq: Option<u64>,
    queued: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

pub(super) async fn run(context: &mut Context<'_>, args: &SendArgs) -> Result<()> {
    let view = View::open_to_write(&context.home)?;
    let from = view.people.speaker(args.speaker.as_deref())?;
    let parties = Parties { from, to: view.people.addressees(&args.to)? };
    let mut state = view.state;
    if let Some(picture) = args.picture {
        return send(context, &mut state, &parties, &[Said::Picture(picture)], None).await;
    }
    if !args.lines {
        let text = args.text.join(" ");
        return send(context, &mut state, &parties, &[Said::Words(text)], None).await;
    }
    let mut lines = lines_of_stdin();
    let mut result = Ok(());
    while let Some(batch) = next_batch(&mut lines).await? {
        let batch: Vec<_> = batch.into_iter().map(Said::Words).collect();
        match send(context, &mut state, &parties, &batch, None).await {
            Err(error) if matches!(error.code, ExitCode::BadInput | ExitCode::Refused) => {
                result = Err(error);
            }
            sent => sent?,
        }
    }
    result
}

/// Queues these, reminders if they ring, lets the relay have them, and says what became of each.
pub(super) async fn send(
    context: &mut Context<'_>,
    state: &mut State,
    parties: &Parties,
    letters: &[Said],
    ring: Option<Ring>,
) -> Result<()> {
    let tx = state.begin()?;
    let (mut refs, mut wrong) = (Vec::new(), None);
    for letter in letters {
        match draft::letter(&tx, parties.clone(), letter, ring, now_ms()) {
            Ok(entry_ref) => refs.push(entry_ref),
            // A faulty line does not hold up its neighbours.
            Err(error) if error.code == ExitCode::BadInput => wrong = Some(error),
            Err(error) => return Err(error),
        }
    }
    tx.commit()?;
    let exchanged = match refs.as_slice() {
        [] => Ok(()),
        refs => sending::deliver(&context.home, context.ca(), refs).await,
    };
    let ended = Lane::joined(state.db())?.ended.is_some();
    for entry_ref in refs {
        if ended && !context.globals.json {
            // It will not leave, and the error says why.
            continue;
        }
        if let Some(code) = tell(context, state, entry_ref)? {
            let text = format!("the relay refused it ({code}): see jiashu status");
            wrong = Some(CliError::new(ExitCode::Refused, text));
        }
    }
    context.out.flush()?;
    match (exchanged, wrong) {
        (Err(error), _) if error.code != ExitCode::Offline => Err(error),
        (_, Some(error)) => Err(error),
        _ => Ok(()),
    }
}

/// Prints what became of one letter. The word of the code, if it was refused.
fn tell(context: &mut Context<'_>, state: &State, entry_ref: Ref) -> Result<Option<String>> {
    let fate = outbox::fate(state.db(), entry_ref)?.unwrap_or(Fate::Waits);
    let refused = if let Fate::Refused(code) = &fate { Some(code.clone()) } else { None };
    if context.globals.json {
        let seq = if let Fate::Posted(seq) = fate { Some(seq) } else { None };
        let queued = fate == Fate::Waits;
        let sent = Sent { entry_ref: entry_ref.to_string(), seq, queued, refused: refused.clone() };
        context.json(&sent)?;
        return Ok(refused);
    }
    match fate {
        Fate::Posted(seq) => {
            writeln!(context.out, "Sent. It is number {seq} in the family's log.")?
        }
        Fate::Waits => {
            let why = Lane::joined(state.db())?.waits;
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            writeln!(context.out, "It waits on this phone and leaves by itself later.{why}")?;
        }
        Fate::Refused(_) => {}
    }
    Ok(refused)
}

/// The lines of standard input, read beside us: somebody may be typing them.
fn lines_of_stdin() -> mpsc::Receiver<std::io::Result<String>> {
    let (sender, receiver) = mpsc::channel(bounds::MAX_UNANSWERED);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The next lines, as many as come together and may go unanswered; `None` at the end.
async fn next_batch(
    lines: &mut mpsc::Receiver<std::io::Result<String>>,
) -> Result<Option<Vec<String>>> {
    let Some(first) = lines.recv().await else { return Ok(None) };
    let mut batch = vec![first?];
    while batch.len() < bounds::MAX_UNANSWERED {
        let Ok(Some(line)) = timeout(LINE_GAP, lines.recv()).await else { break };
        batch.push(line?);
    }
    Ok(Some(batch))
}

//! `status`: how this phone is doing, and what waits on it.

use serde::Serialize;

use super::letter::utc;
use super::{Context, View};
use crate::error::{ExitCode, Result};
use crate::round;
use crate::say;
use crate::state::outbox;
use crate::state::upload;
use crate::sync::broken;
use crate::voice::size_text;

/// What `status --json` says.
#[derive(Serialize)]
struct Status {
    family: String,
    device: u32,
    serves: Vec<String>,
    relay: String,
    connected: bool,
    cursor: Option<CursorJson>,
    waiting: u64,
    waiting_since: Option<String>,
    waits_because: Option<String>,
    /// Voice notes of which the relay does not have all yet, and how long they are.
    voice: VoiceJson,
    refused: Vec<RefusedJson>,
    roster: &'static str,
    broken: Option<String>,
    ended: Option<&'static str>,
    synced_at: Option<String>,
}

#[derive(Serialize)]
struct CursorJson {
    generation: u32,
    seq: u64,
}

#[derive(Serialize)]
struct VoiceJson {
    waiting: usize,
    bytes: u64,
}

#[derive(Serialize)]
struct RefusedJson {
    #[serde(rename = "ref")]
    entry_ref: String,
    at: String,
    what: &'static str,
    reason: String,
}

pub(super) async fn run(context: &mut Context<'_>) -> Result<()> {
    View::open(&context.home)?;
    // Whoever asks how it stands wants to know whether this phone is still out.
    let exchanged = round::exchange_anyway(&context.home, context.ca(), &[]).await;
    let view = View::open(&context.home)?;
    let status = describe(&view, exchanged.is_ok())?;
    if context.globals.json {
        context.json(&status)?
    } else {
        print(context, &view, &status)?
    }
    match (exchanged, view.lane.broken) {
        (_, Some(reason)) => Err(broken(&reason)),
        (Err(error), None) if error.code != ExitCode::Offline => Err(error),
        _ => Ok(()),
    }
}

fn describe(view: &View, connected: bool) -> Result<Status> {
    let View { state, lane, people, .. } = view;
    let (waiting, since) = outbox::waiting_count(state.db())?;
    let uploads = upload::waiting(state.db())?;
    let refused = outbox::refused(state.db())?.into_iter().map(|(command, reason)| RefusedJson {
        entry_ref: command.entry_ref.to_string(),
        at: utc(command.at),
        what: command.frame.name(),
        reason,
    });
    Ok(Status {
        family: lane.scope.to_string(),
        device: lane.me().0,
        serves: people.served().iter().map(|member| people.name(*member)).collect(),
        relay: lane.origin.to_string(),
        connected,
        cursor: lane.cursor.map(|c| CursorJson { generation: c.generation, seq: c.seq }),
        waiting,
        waiting_since: since.map(utc),
        voice: VoiceJson {
            waiting: uploads.len(),
            bytes: uploads.iter().map(|upload| upload.length).sum(),
        },
        waits_because: lane.waits.clone().filter(|_| waiting > 0),
        refused: refused.collect(),
        roster: if lane.broken.is_some() { "broken" } else { "ok" },
        broken: lane.broken.clone(),
        ended: lane.ended.map(|ended| ended.by.word()),
        synced_at: lane.synced_at.map(utc),
    })
}

fn print(context: &mut Context<'_>, view: &View, status: &Status) -> Result<()> {
    let out = &mut *context.out;
    let serves = status.serves.join(", ");
    writeln!(out, "phone {} for {serves}", status.device)?;
    let reached = match (status.connected, view.lane.ended) {
        (_, Some(_)) => "does not let this phone in any more",
        (true, None) => "reached",
        (false, None) => "cannot be reached",
    };
    writeln!(out, "relay {}: {reached}", status.relay)?;
    if let Some(at) = view.lane.synced_at {
        writeln!(out, "last heard from it {}", view.people.clock(at))?;
    }
    match status.waiting {
        0 => writeln!(out, "nothing waits to be sent")?,
        waiting => {
            let because = status.waits_because.as_ref().map(|because| format!(": {because}"));
            writeln!(out, "{waiting} wait to be sent{}", because.unwrap_or_default())?;
        }
    }
    if let VoiceJson { waiting: waiting @ 1.., bytes } = status.voice {
        let size = size_text(bytes);
        writeln!(
            out,
            "of these {waiting} with a voice: {size}, of which the relay may have a part"
        )?;
    }
    for RefusedJson { what, reason, at, .. } in &status.refused {
        writeln!(out, "refused: {what} of {at} ({reason})")?;
    }
    match &view.lane.broken {
        None => writeln!(out, "the family's list of phones checks")?,
        Some(_) => say::warn("the family's list of phones does NOT check: nothing is sent"),
    }
    Ok(())
}

//! Held letters after a removal: who was shut out must not open them when their hour comes, so their
//! author's phone seals them again, under the same name.

use std::collections::BTreeSet;

use jiashu_proto::frame::ClientFrame;
use jiashu_proto::id::{Millis, Ref};
use rusqlite::Connection;

use super::draft;
use crate::error::Result;
use crate::state::chain::Family;
use crate::state::lane::Lane;
use crate::state::outbox::{self, Command};
use crate::state::planned::is_running;
use crate::state::{fact, held};

/// Queues all that the relay holds under a key from before the last removal, each once.
pub(super) fn queue_due(db: &Connection, lane: &Lane, family: &Family, now: Millis) -> Result<()> {
    let due = held::before(db, family.last_closing())?;
    let is_in = family.roster.devices().contains_key(&lane.me());
    if due.is_empty() || !is_in {
        return Ok(());
    }
    let queued = queued(db)?;
    for body_ref in due {
        let command = outbox::find(db, body_ref)?;
        let Some(Command { frame: ClientFrame::Hold(hold), .. }) = command else {
            held::forget(db, body_ref)?;
            continue;
        };
        if !is_planned(db, hold.schedule)? {
            held::forget(db, body_ref)?;
        } else if !queued.contains(&body_ref) {
            draft::again(db, hold, now)?;
        }
    }
    Ok(())
}

/// Bodies that wait to be sent again already: they are sealed when they go.
fn queued(db: &Connection) -> Result<BTreeSet<Ref>> {
    let waiting = outbox::waiting(db, usize::MAX)?.into_iter();
    let bodies = waiting.filter_map(|command| match command.frame {
        ClientFrame::Hold(hold) => hold.again.map(|_| hold.body_ref),
        _ => None,
    });
    Ok(bodies.collect())
}

/// Whether the letter may still fire, as far as we know; its plan may be on its way.
fn is_planned(db: &Connection, schedule: Ref) -> Result<bool> {
    let known = fact::schedule(db, schedule)?;
    Ok(known.is_none_or(|schedule| is_running(&schedule)))
}

/// The relay does not hold it any more: it fired, so there is nothing to seal.
pub(super) fn fired_meanwhile(
    db: &Connection,
    command: Option<&Command>,
    now: Millis,
) -> Result<()> {
    if let Some(Command { id, frame: ClientFrame::Hold(hold), .. }) = command {
        held::forget(db, hold.body_ref)?;
        outbox::posted(db, *id, 0, 0, now)?;
    }
    Ok(())
}

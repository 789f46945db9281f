//! The letters that a schedule holds, as far as this phone may know.

use jiashu_proto::entry::Schedule;
use jiashu_proto::frame::{ClientFrame, Hold};
use jiashu_proto::id::{MemberId, Millis, Ref};
use jiashu_proto::text::Text;

use super::super::{Context, View};
use super::find;
use crate::error::Result;
use crate::state::outbox::{self, Fate};
use crate::state::{given, message};
use crate::sync::giving::{Waiting, waiting};

/// A letter that waits for its hour.
#[derive(Clone, Debug)]
pub(super) struct HeldLetter {
    /// Its name.
    pub(super) body_ref: Ref,
    /// Who wrote it.
    pub(super) from: MemberId,
    /// For whom.
    pub(super) to: Vec<MemberId>,
    /// What it says; `None` while its key is not here.
    pub(super) text: Option<Text>,
    /// How long after its hour it is worth something, in ms.
    pub(super) valid_for: Option<Millis>,
}

/// Asks the relay for what the schedule holds, if that is ours. Whether it could be reached.
pub(super) async fn ask(context: &mut Context<'_>, id: &str) -> Result<bool> {
    if queue_ask(context, id)? {
        return context.exchange_or_go_on().await;
    }
    // Perhaps planned on another phone, and not read yet.
    let reached = context.exchange_or_go_on().await?;
    if reached && queue_ask(context, id)? { context.exchange_or_go_on().await } else { Ok(reached) }
}

fn queue_ask(context: &Context<'_>, id: &str) -> Result<bool> {
    let view = View::open(&context.home)?;
    let found = find(&view, id).ok().filter(|_| view.lane.ended.is_none());
    let Some(schedule) = found else { return Ok(false) };
    given::ask(view.state.db(), schedule.id)?;
    Ok(true)
}

/// What it holds, in the order of release: as the relay gave it back, `fresh` if just now, and what waits
/// here.
pub(super) fn letters(view: &View, schedule: &Schedule, fresh: bool) -> Result<Vec<HeldLetter>> {
    let db = view.state.db();
    let given = waiting(db, &view.family, schedule.id)?.into_iter();
    let mut letters: Vec<_> = given.map(as_letter).collect();
    let mut ours = Vec::new();
    for command in outbox::about(db, schedule.id)? {
        let fate = outbox::fate(db, command.entry_ref)?;
        // Of those that it has, a relay that was just asked has told.
        let counts = fate == Some(Fate::Waits) || (!fresh && matches!(fate, Some(Fate::Posted(_))));
        match command.frame {
            ClientFrame::Hold(hold) if counts => ours.push(hold),
            _ => {}
        }
    }
    for hold in &ours {
        if !ours.iter().any(|later| later.replaces == Some(hold.body_ref)) {
            put(&mut letters, hold);
        }
    }
    let mut held = Vec::with_capacity(letters.len());
    for letter in letters {
        if !schedule.bank || !message::has_fired(db, schedule.id, letter.body_ref)? {
            held.push(letter);
        }
    }
    Ok(held)
}

fn as_letter(Waiting { body_ref, message, text }: Waiting) -> HeldLetter {
    let valid_for = message.fired.and_then(|fired| fired.valid_for);
    HeldLetter { body_ref, from: message.from, to: message.to, text, valid_for }
}

/// In the place of the one that it replaces, else behind all.
fn put(letters: &mut Vec<HeldLetter>, hold: &Hold) {
    let letter = HeldLetter {
        body_ref: hold.body_ref,
        from: hold.from,
        to: hold.to.clone(),
        text: Text::from_bytes(hold.kind, &hold.sealed).ok(),
        valid_for: hold.valid_for,
    };
    if letters.iter().any(|known| known.body_ref == hold.body_ref) {
        return;
    }
    match letters.iter_mut().find(|known| Some(known.body_ref) == hold.replaces) {
        Some(old) => *old = letter,
        None => letters.push(letter),
    }
}

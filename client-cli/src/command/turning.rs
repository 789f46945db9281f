//! Changes of the roster that a person makes: a link is written on what stands, and anew if another
//! came first. Which ops it has is the verbs'.

use jiashu_proto::frame::Card;
use jiashu_proto::id::Ref;
use jiashu_roster::Op;
use jiashu_seal::{NewLink, Signer, write_link};
use rusqlite::Connection;

use super::{Context, View};
use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::round;
use crate::state::outbox::{self, Fate};
use crate::sync::draft;

/// How often another link may come in between.
const ATTEMPTS: u32 = 5;

/// Hands in what `write` queues, until the relay takes it. Its name.
///
/// # Errors
///
/// [`ExitCode::Offline`] if the relay does not answer, when `later` says what becomes of it;
/// [`ExitCode::Refused`] if it does not take it; whatever `write` says.
pub(super) async fn hand_in(
    context: &Context<'_>,
    later: &str,
    mut write: impl FnMut(&mut View) -> Result<Ref>,
) -> Result<Ref> {
    for _ in 0..ATTEMPTS {
        let mut view = View::open_to_write(&context.home)?;
        let entry_ref = write(&mut view)?;
        let exchanged = round::exchange(&context.home, context.ca(), &[entry_ref]).await;
        match outbox::fate(view.state.db(), entry_ref)? {
            Some(Fate::Posted(_)) => return Ok(entry_ref),
            Some(Fate::Refused(code)) if code == "stale" => {}
            Some(Fate::Refused(code)) => {
                let text = format!("the relay refused it ({code}): see jiashu family");
                return Err(CliError::new(ExitCode::Refused, text));
            }
            Some(Fate::Waits) | None => {
                exchanged?;
                return Err(CliError::new(ExitCode::Offline, later));
            }
        }
    }
    Err(CliError::new(ExitCode::Refused, "others keep changing the family: try again in a minute"))
}

/// Refuses a person whose phone may not change the roster; `what` only a grown-up's can.
pub(super) fn check_may_write(view: &View, what: &str) -> Result<()> {
    if view.family.roster.may_write(view.lane.me()) {
        return Ok(());
    }
    let text = format!("only the phone of a parent or caregiver can {what}: ask one of them");
    Err(CliError::new(ExitCode::Refused, text))
}

/// Writes a link with these ops on what this phone knows.
pub(super) fn link(view: &View, ops: Vec<Op>) -> Result<NewLink> {
    let signer = Signer::Device(view.lane.me(), &view.lane.keys.sign);
    let key = view.family.key_in_force().map(|(_, key)| key);
    write_link(&view.family.roster, signer, ops, key).map_err(|error| {
        CliError::new(ExitCode::Unsafe, format!("the family cannot be changed so: {error}"))
    })
}

/// Queues a link with its cards.
pub(super) fn queue(db: &Connection, new: NewLink, cards: Vec<Card>) -> Result<Ref> {
    draft::turn(db, new.link, new.wraps, cards, now_ms())
}

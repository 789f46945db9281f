//! What the relay asks to be closed before letters move: phones and cards that staff voided, cards
//! that expired.
//!
//! On the word of a relay a client leaves out and shows it; it never adds, wraps to more, or lets in.

use jiashu_proto::frame::{ClientFrame, ToClose};
use jiashu_proto::id::Millis;
use jiashu_roster::{Asked, Op};
use jiashu_seal::{NewLink, SealError, Signer, write_link};
use rusqlite::Connection;

use super::draft;
use crate::error::Result;
use crate::state::chain::Family;
use crate::state::lane::Lane;
use crate::state::outbox;

/// Sees to it that a link goes first which closes what is asked. Whether one will.
pub(super) fn queue(
    db: &Connection,
    lane: &Lane,
    family: &Family,
    asked: Option<&ToClose>,
    now: Millis,
) -> Result<bool> {
    let waiting = outbox::waiting(db, usize::MAX)?;
    if waiting.iter().any(|command| matches!(command.frame, ClientFrame::Turn(_))) {
        return Ok(true);
    }
    let ops = asked.map(|asked| ops(lane, family, asked)).unwrap_or_default();
    if ops.is_empty() || !family.roster.may_write(lane.me()) {
        return Ok(false);
    }
    let Ok(new) = link(lane, family, ops) else { return Ok(false) };
    draft::turn(db, new.link, new.wraps, Vec::new(), now)?;
    Ok(true)
}

/// What of it stands open in our own roster, this phone excepted. Cards first: some of them are
/// closed together with the phone that made them.
fn ops(lane: &Lane, family: &Family, asked: &ToClose) -> Vec<Op> {
    let roster = &family.roster;
    let invites = roster.invites().keys().filter(|invite| asked.invites.contains(invite));
    let devices = roster.devices().keys().filter(|device| asked.devices.contains(device));
    let close = |invite: &_| Op::CloseInvite { invite: *invite, asked: Asked::ByRelay };
    let remove = |device: &_| Op::RemoveDevice { device: *device, asked: Asked::ByRelay };
    invites.map(close).chain(devices.filter(|device| **device != lane.me()).map(remove)).collect()
}

fn link(lane: &Lane, family: &Family, ops: Vec<Op>) -> std::result::Result<NewLink, SealError> {
    let signer = Signer::Device(lane.me(), &lane.keys.sign);
    write_link(&family.roster, signer, ops, family.key_in_force().map(|(_, key)| key))
}

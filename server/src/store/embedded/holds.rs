//! Whether a batch's preconditions hold, as the group's transaction sees it.

use jiashu_proto::id::{LinkHash, Scope};
use rusqlite::Connection;

use super::condition::Failure;
use super::{facts, reader};
use crate::store::{InviteState, Precondition, ScopeState};

/// The first that does not hold. `state` is `None` for a scope that is yet to be made.
pub(super) fn first_broken(
    tx: &Connection,
    scope: Scope,
    state: Option<&ScopeState>,
    requires: &[Precondition],
) -> Result<Option<Precondition>, Failure> {
    for precondition in requires {
        if !holds(tx, scope, state, precondition)? {
            return Ok(Some(precondition.clone()));
        }
    }
    Ok(None)
}

fn holds(
    tx: &Connection,
    scope: Scope,
    state: Option<&ScopeState>,
    precondition: &Precondition,
) -> Result<bool, Failure> {
    Ok(match precondition {
        Precondition::Absent => state.is_none(),
        Precondition::Active => state.is_some_and(|state| state.active),
        Precondition::ToCloseWithin(these) => state.is_none_or(|state| {
            let asked = &state.to_close;
            asked.devices.iter().all(|device| these.devices.contains(device))
                && asked.invites.iter().all(|invite| these.invites.contains(invite))
        }),
        Precondition::Tickets(tickets) => {
            state.map_or(&[][..], |state| &state.tickets) == tickets.as_slice()
        }
        Precondition::Epoch(epoch) => state.map_or(0, |state| state.epoch) == *epoch,
        Precondition::RosterHead(head) => {
            state.map_or(LinkHash::NONE, |state| state.roster_head) == *head
        }
        Precondition::InviteOpen(invite) => state
            .and_then(|state| state.invites.get(invite))
            .is_some_and(|invite| invite.state == InviteState::Open),
        Precondition::FactAt(key, seq) => {
            facts::standing(tx, scope, key)?.map(|fact| fact.place.seq) == *seq
        }
        Precondition::DueAt(item, at) => reader::due_at(tx, scope, item)? == Some(*at),
        Precondition::NotDue(item, at) => {
            reader::due_at(tx, scope, item)?.is_none_or(|due_at| due_at > *at)
        }
        Precondition::HeldBelow(count) => {
            let mut held = tx.prepare_cached("SELECT count(*) FROM held WHERE scope = ?1")?;
            let held: i64 = held.query_row([scope.0.cast_signed()], |row| row.get(0))?;
            usize::try_from(held).is_ok_and(|held| held < *count)
        }
        Precondition::Holds(schedule, body_ref) => {
            let mut holds = tx.prepare_cached(
                "SELECT 1 FROM held WHERE scope = ?1 AND schedule = ?2 AND body_ref = ?3",
            )?;
            holds.exists((scope.0.cast_signed(), schedule.0, body_ref.0))?
        }
        Precondition::HeldAre { schedule, first, count } => {
            reader::first_held(tx, scope, *schedule)? == (first.clone(), *count)
        }
    })
}

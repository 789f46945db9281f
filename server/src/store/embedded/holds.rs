//! Whether a batch's preconditions hold, as the group's transaction sees it.

use jiashu_proto::id::Scope;
use rusqlite::Connection;

use super::condition::Failure;
use super::{facts, reader};
use crate::store::{Precondition, ScopeState, step};

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
    if let Some(holds) = step::holds(state, precondition) {
        return Ok(holds);
    }
    Ok(match precondition {
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
        Precondition::Absent
        | Precondition::Active
        | Precondition::ToCloseWithin(_)
        | Precondition::Tickets(_)
        | Precondition::Epoch(_)
        | Precondition::RosterHead(_)
        | Precondition::InviteOpen(_) => unreachable!("the state told"),
    })
}

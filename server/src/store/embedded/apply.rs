//! One batch inside a group's transaction: checked first, then written.
//!
//! Every check stands before the first write, so a refused batch leaves nothing behind. What they ask about is
//! in `holds`, entries and facts in `facts`.

use std::collections::HashMap;

use jiashu_proto::entry::Seq;
use jiashu_proto::id::{InviteId, Millis, Ref, Scope};
use rusqlite::Connection;
use rusqlite::types::ValueRef::{Blob, Integer, Null, Text};

use super::condition::Failure;
use super::facts::{self, Placed, Put};
use super::holds::Rows;
use super::states::{self, States, Written};
use super::sums::{CARD, DUE, HELD, TABLES};
use super::{ledger, reader, schema, sums};
use crate::store::step::{self, Admitted};
use crate::store::{
    Batch, Card, Change, Committed, DueAt, DueItem, FactAt, HeldBody, Place, ScopeState, Snapshot,
    StoreError,
};

/// A scope that a group has looked at.
pub(super) struct Touched {
    /// As it will be once the group is committed.
    pub(super) state: ScopeState,
    /// Whether its log has grown or access to it has changed.
    pub(super) wakes: bool,
    changed: bool,
    /// The entries added, in order.
    written: Vec<Written>,
    superseded: bool,
}

impl Touched {
    fn new(state: ScopeState) -> Self {
        Self { state, wakes: false, changed: false, written: Vec::new(), superseded: false }
    }

    /// What is to be known of it once the group is on disk.
    pub(super) fn committed(self, scope: Scope) -> states::Committed {
        let Self { state, written, superseded, .. } = self;
        states::Committed { scope, state, written, superseded }
    }
}

/// The batches of one transaction.
pub(super) struct Group<'a> {
    tx: &'a Connection,
    states: &'a States,
    touched: HashMap<Scope, Touched>,
}

/// What came of a batch; a [`Failure`] beside it ends the whole group.
type Answer = Result<Committed, StoreError>;

impl<'a> Group<'a> {
    /// A group that has done nothing yet.
    pub(super) fn new(tx: &'a Connection, states: &'a States) -> Self {
        Self { tx, states, touched: HashMap::new() }
    }

    /// Writes the batch, or says why not.
    pub(super) fn commit(&mut self, scope: Scope, batch: &Batch) -> Result<Answer, Failure> {
        let tx = self.tx;
        let touched = match self.touch(scope) {
            Ok(touched) => touched,
            Err(damaged @ Failure::DamagedState { .. }) => return Ok(Err(damaged.into())),
            Err(failure) => return Err(failure),
        };
        let state = touched.as_ref().map(|touched| &touched.state);
        match (step::admit(state, &Rows { tx, scope }, batch)?, touched) {
            (Ok(Admitted::Written), Some(touched)) => apply(tx, scope, batch, touched).map(Ok),
            (Ok(Admitted::Creates(kind)), _) => {
                let mut touched = Touched::new(ScopeState::new(kind, facts::random_u32()?));
                let committed = apply(tx, scope, batch, &mut touched)?;
                self.touched.insert(scope, touched);
                Ok(Ok(committed))
            }
            (Ok(Admitted::Repeats(first)), _) => {
                let at = facts::time_of(tx, scope, first)?.unwrap_or(batch.at);
                Ok(Ok(Committed { first, at, repeat: true }))
            }
            (Ok(Admitted::Written), None) => Ok(Err(StoreError::NoScope)),
            (Err(refused), _) => Ok(Err(refused)),
        }
    }

    /// The scope's state; `None` if there is no such scope.
    fn touch(&mut self, scope: Scope) -> Result<Option<&mut Touched>, Failure> {
        if !self.touched.contains_key(&scope) {
            let known = match self.states.get(scope) {
                Some(state) => Some(ScopeState::clone(&state)),
                None => reader::state(self.tx, scope)?,
            };
            if let Some(state) = known {
                self.touched.insert(scope, Touched::new(state));
            }
        }
        Ok(self.touched.get_mut(&scope))
    }

    /// Writes the states that have changed, and gives them.
    pub(super) fn write_states(self) -> Result<Vec<(Scope, Touched)>, Failure> {
        let changed = self.touched.into_iter().filter(|(_, touched)| touched.changed);
        let changed: Vec<_> = changed.collect();
        let mut write = self.tx.prepare_cached(
            "INSERT INTO scope(id, sum, state) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET sum = excluded.sum, state = excluded.state",
        )?;
        for (scope, touched) in &changed {
            let bytes = schema::to_cbor(&touched.state);
            write.execute((scope.0.cast_signed(), sums::state_sum(*scope, &bytes), bytes))?;
        }
        Ok(changed)
    }
}

/// Writes a batch that was checked.
fn apply(
    tx: &Connection,
    scope: Scope,
    batch: &Batch,
    touched: &mut Touched,
) -> Result<Committed, Failure> {
    let head = touched.state.head;
    let mut first = None;
    for entry in &batch.entries {
        let place = match facts::put_entry(tx, scope, &mut touched.state, batch.at, entry)? {
            Put::Outranked(place) => place,
            Put::Written(written, superseded) => {
                let place = Placed { seq: written.record.seq, at: written.record.at };
                touched.written.push(written);
                touched.superseded |= superseded;
                place
            }
        };
        first.get_or_insert(place);
    }
    let first = first.unwrap_or(Placed { seq: 0, at: batch.at });
    if let Some(author) = batch.author {
        step::count(&mut touched.state, author, first.seq);
    }
    for change in &batch.changes {
        apply_change(tx, scope, &mut touched.state, batch.at, first.seq, change)?;
    }
    let moves = |change: &Change| {
        matches!(
            change,
            Change::Forget { .. } | Change::DropFact(_) | Change::Restore(_) | Change::Erase
        )
    };
    touched.superseded |= batch.changes.iter().any(moves);
    touched.changed = true;
    touched.wakes |= touched.state.head > head || batch.changes.iter().any(step::changes_access);
    Ok(Committed { first: first.seq, at: first.at, repeat: false })
}

fn apply_change(
    tx: &Connection,
    scope: Scope,
    state: &mut ScopeState,
    at: Millis,
    first: Seq,
    change: &Change,
) -> Result<(), Failure> {
    let id = scope.0.cast_signed();
    step::apply(state, at, first, change);
    match change {
        Change::AddInvite { invite, code_hash, blob, .. } => {
            // Nobody can ask for the card of one without a code.
            if code_hash.is_some() {
                put_card(tx, id, *invite, blob)?;
            }
        }
        Change::UseInvite(invite, ..) | Change::CloseInvite(invite) => {
            delete(tx, "DELETE FROM card WHERE scope = ?1 AND invite = ?2", (id, invite.0))?;
        }
        Change::Supersede => supersede(tx, id)?,
        Change::Erase => erase(tx, id)?,
        Change::Forget { before, most } => {
            state.floor = facts::forget_old(tx, scope, state, *before, *most)?;
        }
        Change::DropFact(key) => facts::drop_fact(tx, scope, state, key)?,
        Change::Enter(row) => ledger::enter(tx, scope, row)?,
        Change::Count { row, look } => {
            if state.counted_since.is_some() {
                ledger::enter(tx, scope, row)?;
                if let Some(at) = look {
                    set_due(tx, id, &DueItem::Contact, *at, None)?;
                }
            }
        }
        Change::Strike(book, name) => {
            let sql = "DELETE FROM ledger WHERE scope = ?1 AND book = ?2 AND name = ?3";
            delete(tx, sql, (id, book, name))?;
        }
        Change::StrikeBook(book) => {
            delete(tx, "DELETE FROM ledger WHERE scope = ?1 AND book = ?2", (id, book))?;
        }
        Change::PutHeld(body) => put_held(tx, scope, body)?,
        Change::ReplaceHeld(old, body) => replace_held(tx, scope, *old, body)?,
        Change::DropHeld(schedule, body_ref) => {
            let sql = "DELETE FROM held WHERE scope = ?1 AND schedule = ?2 AND body_ref = ?3";
            delete(tx, sql, (id, schedule.0, body_ref.0))?;
        }
        Change::DropHeldOf(schedule) => {
            delete(tx, "DELETE FROM held WHERE scope = ?1 AND schedule = ?2", (id, schedule.0))?;
        }
        Change::SetDue(item, at) => set_due(tx, id, item, *at, None)?,
        Change::SetOccurrence { schedule, planned, at } => {
            set_due(tx, id, &DueItem::Occurrence(*schedule), *at, Some(planned))?;
        }
        Change::SetExpiry(at) => set_due(tx, id, &DueItem::Expiry(first), *at, None)?,
        Change::ClearDue(item) => {
            delete(
                tx,
                "DELETE FROM due WHERE scope = ?1 AND item = ?2",
                (id, schema::to_cbor(item)),
            )?;
        }
        Change::Restore(snapshot) => restore(tx, scope, snapshot)?,
        // The state is all that they change.
        Change::Create(_)
        | Change::Turn { .. }
        | Change::SetActive(_)
        | Change::Suspend(_)
        | Change::Lift(_)
        | Change::SetCounted(_)
        | Change::AddSeat { .. }
        | Change::RevokeSeat(_)
        | Change::SetMembers(..)
        | Change::AskToClose(_)
        | Change::Closed(_)
        | Change::SetTickets(_) => {}
    }
    Ok(())
}

fn restore(tx: &Connection, scope: Scope, snapshot: &Snapshot) -> Result<(), Failure> {
    let id = scope.0.cast_signed();
    for Place { seq, at, tag, content } in &snapshot.places {
        facts::insert_place(tx, scope, *seq, *at, *tag, content.as_deref())?;
    }
    for FactAt { key, seq, rank } in &snapshot.facts {
        facts::set_fact(tx, scope, key, *seq, *rank)?;
    }
    for body in &snapshot.held {
        put_held(tx, scope, body)?;
    }
    for Card { invite, blob } in &snapshot.cards {
        put_card(tx, id, *invite, blob)?;
    }
    for DueAt { item, at, planned } in &snapshot.due {
        set_due(tx, id, item, *at, planned.as_deref())?;
    }
    Ok(())
}

fn put_card(tx: &Connection, scope: i64, invite: InviteId, blob: &[u8]) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO card(scope, invite, blob, sum) VALUES (?1, ?2, ?3, ?4)";
    let row = [Integer(scope), Integer(invite.0.into()), Blob(blob)];
    tx.prepare_cached(sql)?.execute((scope, invite.0, blob, CARD.sum(row)))?;
    Ok(())
}

fn supersede(tx: &Connection, id: i64) -> rusqlite::Result<()> {
    delete(tx, "DELETE FROM card WHERE scope = ?1", [id])?;
    let mut query = tx.prepare_cached("SELECT item FROM due WHERE scope = ?1")?;
    let items = query.query_map([id], |row| row.get::<_, Vec<u8>>(0))?;
    for item in items.collect::<rusqlite::Result<Vec<_>>>()? {
        if !minicbor::decode::<DueItem>(&item).is_ok_and(|item| item.is_of_age()) {
            delete(tx, "DELETE FROM due WHERE scope = ?1 AND item = ?2", (id, item))?;
        }
    }
    Ok(())
}

/// Of every table but that of the scopes themselves.
fn erase(tx: &Connection, id: i64) -> rusqlite::Result<()> {
    for table in std::iter::once("entry").chain(TABLES.iter().map(|table| table.name)) {
        delete(tx, &format!("DELETE FROM {table} WHERE scope = ?1"), [id])?;
    }
    Ok(())
}

fn set_due(
    tx: &Connection,
    scope: i64,
    item: &DueItem,
    at: Millis,
    planned: Option<&str>,
) -> rusqlite::Result<()> {
    let sql =
        "INSERT OR REPLACE INTO due(scope, item, at, planned, sum) VALUES (?1, ?2, ?3, ?4, ?5)";
    let item = schema::to_cbor(item);
    let planned_value = planned.map_or(Null, |planned| Text(planned.as_bytes()));
    let sum = DUE.sum([Integer(scope), Blob(&item), Integer(at), planned_value]);
    tx.prepare_cached(sql)?.execute((scope, item, at, planned, sum))?;
    Ok(())
}

fn delete(tx: &Connection, sql: &str, of: impl rusqlite::Params) -> rusqlite::Result<usize> {
    tx.prepare_cached(sql)?.execute(of)
}

/// An upsert and no REPLACE, which would give the body a new id and so the last place.
fn put_held(tx: &Connection, scope: Scope, body: &HeldBody) -> rusqlite::Result<()> {
    let mut put = tx.prepare_cached(
        "INSERT INTO held(scope, body_ref, schedule, content, sum) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT(scope, schedule, body_ref)
         DO UPDATE SET content = excluded.content, sum = excluded.sum",
    )?;
    let HeldBody { body_ref, schedule, content } = body;
    let id = scope.0.cast_signed();
    let sum = HELD.sum([Integer(id), Blob(&schedule.0), Blob(&body_ref.0), Blob(content)]);
    put.execute((id, body_ref.0, schedule.0, content, sum))?;
    Ok(())
}

/// The row stays, so the place among the bodies does. A body of the new name that is there already goes:
/// it would fail the whole group.
fn replace_held(tx: &Connection, scope: Scope, old: Ref, body: &HeldBody) -> rusqlite::Result<()> {
    let mut replace = tx.prepare_cached(
        "UPDATE OR REPLACE held SET body_ref = ?4, content = ?5, sum = ?6
         WHERE scope = ?1 AND schedule = ?2 AND body_ref = ?3",
    )?;
    let HeldBody { body_ref, schedule, content } = body;
    let id = scope.0.cast_signed();
    let sum = HELD.sum([Integer(id), Blob(&schedule.0), Blob(&body_ref.0), Blob(content)]);
    replace.execute((id, schedule.0, old.0, body_ref.0, content, sum))?;
    Ok(())
}

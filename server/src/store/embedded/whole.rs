//! Everything of a scope, read in one transaction and checked row by row.

use jiashu_proto::id::{InviteId, Ref, Scope};
use rusqlite::{Connection, Row};

use super::condition::Failure;
use super::sums::{CARD, DUE, FACT, HELD, LEDGER, Table};
use super::{ledger, reader};
use crate::store::{Card, DueAt, FactAt, HeldBody, Place, Snapshot};

/// All scopes, ascending.
pub(super) fn scopes(tx: &Connection) -> Result<Vec<Scope>, Failure> {
    let mut all = tx.prepare_cached("SELECT id FROM scope")?;
    let ids = all.query_map([], |row| row.get::<_, i64>(0))?;
    let scopes: rusqlite::Result<Vec<_>> = ids.map(|id| Ok(Scope(id?.cast_unsigned()))).collect();
    let mut scopes = scopes?;
    scopes.sort_unstable();
    Ok(scopes)
}

/// Everything of one; `None` if there is no such scope.
pub(super) fn snapshot(tx: &Connection, scope: Scope) -> Result<Option<Snapshot>, Failure> {
    let Some(state) = reader::state(tx, scope)? else { return Ok(None) };
    let snapshot = Snapshot {
        state,
        places: places(tx, scope)?,
        facts: rows(tx, scope, &FACT, "key", |row| {
            let seq = row.get::<_, i64>(2)?.cast_unsigned();
            Ok(FactAt { key: row.get(1)?, seq, rank: row.get(3)? })
        })?,
        held: rows(tx, scope, &HELD, "id", |row| {
            let (schedule, body_ref) = (Ref(row.get(1)?), Ref(row.get(2)?));
            Ok(HeldBody { body_ref, schedule, content: row.get(3)? })
        })?,
        cards: rows(tx, scope, &CARD, "invite", |row| {
            Ok(Card { invite: InviteId(row.get(1)?), blob: row.get(2)? })
        })?,
        due: rows(tx, scope, &DUE, "item", |row| {
            let item = minicbor::decode(&row.get::<_, Vec<u8>>(1)?);
            let item = item.map_err(|_| rusqlite::Error::InvalidQuery)?;
            Ok(DueAt { item, at: row.get(2)?, planned: row.get(3)? })
        })?,
        cursors: reader::cursors(tx, scope)?,
        ledger: rows(tx, scope, &LEDGER, "book, name", ledger::read)?,
    };
    Ok(Some(snapshot.in_order()))
}

/// A fact's rows are missed nowhere else: what a log must have is checked by who uses it
/// ([`Snapshot::check`]).
fn places(tx: &Connection, scope: Scope) -> Result<Vec<Place>, Failure> {
    let mut all = tx.prepare_cached(
        "SELECT seq, at, content, sum, tag FROM entry WHERE scope = ?1 ORDER BY seq",
    )?;
    let mut rows = all.query([scope.0.cast_signed()])?;
    let mut places = Vec::new();
    while let Some(row) = rows.next()? {
        let seq = row.get::<_, i64>(0)?.cast_unsigned();
        let record = reader::record(row, 0, scope, seq)?;
        let content = record.map(|record| record.content);
        places.push(Place { seq, at: row.get(1)?, tag: row.get(4)?, content });
    }
    Ok(places)
}

/// The rows of a scope in one of the small tables.
fn rows<T>(
    tx: &Connection,
    scope: Scope,
    table: &'static Table,
    order: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Failure> {
    let damaged = || Failure::DamagedRow { table: table.name, scope };
    let sql = format!(
        "SELECT {}, sum FROM {} WHERE scope = ?1 ORDER BY {order}",
        table.columns(),
        table.name
    );
    let mut all = tx.prepare_cached(&sql)?;
    let mut rows = all.query([scope.0.cast_signed()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if !table.holds(row)? {
            return Err(damaged());
        }
        found.push(read(row).map_err(|_| damaged())?);
    }
    Ok(found)
}

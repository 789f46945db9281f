//! Reading past the writer: a few connections, each read in one transaction of its own.
//!
//! What a query finds damaged it names, and gives nothing for it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use jiashu_proto::entry::{Cursor, Seq};
use jiashu_proto::frame::Reached;
use jiashu_proto::id::{DeviceId, InviteId, Millis, Ref, Scope};
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::condition::Failure;
use super::{Options, lock, schema};
use crate::store::{Due, HeldBody, Page, PageLimit, Record, ScopeState, StoreError};

/// Connections that only read.
pub(super) struct Readers(Arc<Pool>);

struct Pool {
    /// As many permits as there are connections.
    free: Arc<Semaphore>,
    connections: Mutex<Vec<Connection>>,
}

impl Readers {
    /// Opens all of them.
    pub(super) fn open(path: &Path, options: Options) -> rusqlite::Result<Self> {
        let open = |_| schema::open_reader(path, options);
        let connections: Vec<_> =
            (0..options.readers.max(1)).map(open).collect::<rusqlite::Result<_>>()?;
        let free = Arc::new(Semaphore::new(connections.len()));
        Ok(Self(Arc::new(Pool { free, connections: Mutex::new(connections) })))
    }

    /// No read begins any more.
    pub(super) fn close(&self) {
        self.0.free.close();
        lock(&self.0.connections).clear();
    }

    /// Runs a query off the async threads, in a read transaction.
    pub(super) async fn read<T, E>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        E: Into<StoreError>,
    {
        let permit = Arc::clone(&self.0.free).acquire_owned().await;
        let permit = permit.map_err(|_| Failure::Closed)?;
        let pool = Arc::clone(&self.0);
        let read = tokio::task::spawn_blocking(move || {
            let mut connection = Lent::new(pool, permit).ok_or(Failure::Closed)?;
            let tx = connection.transaction().map_err(Failure::from)?;
            query(&tx).map_err(E::into)
        });
        // It ends early only with the runtime, or if the query panicked, which the hook has told.
        read.await.unwrap_or_else(|_| Err(Failure::Closed.into()))
    }
}

/// A connection taken from the pool. Its caller may have gone: it is given back by itself.
struct Lent {
    pool: Arc<Pool>,
    connection: Option<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    fn new(pool: Arc<Pool>, permit: OwnedSemaphorePermit) -> Option<Self> {
        let connection = lock(&pool.connections).pop()?;
        Some(Self { pool, connection: Some(connection), _permit: permit })
    }

    fn transaction(&mut self) -> rusqlite::Result<Transaction<'_>> {
        self.connection.as_mut().expect("it is taken on drop only").transaction()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut connections = lock(&self.pool.connections);
        if !self.pool.free.is_closed() {
            connections.extend(self.connection.take());
        }
    }
}

/// The scope's state.
pub(super) fn state(tx: &Connection, scope: Scope) -> Result<Option<ScopeState>, Failure> {
    let mut state = tx.prepare_cached("SELECT sum, state FROM scope WHERE id = ?1")?;
    let found = state.query_row([scope.0.cast_signed()], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
    });
    let Some((sum, bytes)) = found.optional()? else { return Ok(None) };
    if schema::state_sum(scope, &bytes) != sum {
        return Err(Failure::DamagedState { scope });
    }
    minicbor::decode(&bytes).map(Some).map_err(|_| Failure::DamagedState { scope })
}

/// See [`crate::store::Store::read_after`].
pub(super) fn read_after(
    tx: &Connection,
    scope: Scope,
    cursor: Cursor,
    limit: PageLimit,
) -> Result<Page, StoreError> {
    let state = state(tx, scope)?.ok_or(StoreError::NoScope)?;
    let stands = cursor.seq <= state.floor
        || tag_at(tx, scope, cursor.seq).map_err(Failure::from)? == Some(cursor.tag);
    if cursor.generation != state.generation || cursor.seq > state.head || !stands {
        return Err(StoreError::OtherLog);
    }
    let tag = if cursor.seq == 0 { 0 } else { cursor.tag };
    let (upto, head, floor) = (Cursor { tag, ..cursor }, state.head, state.floor);
    let mut page = Page { upto, head, floor, records: Vec::new() };
    fill_page(tx, scope, limit, &mut page)?;
    Ok(page)
}

fn tag_at(tx: &Connection, scope: Scope, seq: Seq) -> rusqlite::Result<Option<u32>> {
    let mut tag = tx.prepare_cached("SELECT tag FROM entry WHERE scope = ?1 AND seq = ?2")?;
    tag.query_row((scope.0.cast_signed(), seq.cast_signed()), |row| row.get(0)).optional()
}

fn fill_page(
    tx: &Connection,
    scope: Scope,
    limit: PageLimit,
    page: &mut Page,
) -> Result<(), Failure> {
    let mut after = tx.prepare_cached(
        "SELECT seq, at, content, sum, tag FROM entry WHERE scope = ?1 AND seq > ?2
         ORDER BY seq LIMIT ?3",
    )?;
    let entries = i64::try_from(limit.entries.max(1)).unwrap_or(i64::MAX);
    let mut rows = after.query((scope.0.cast_signed(), page.upto.seq.cast_signed(), entries))?;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        if let Some(record) = record(row, scope)? {
            bytes += record.content.len();
            if bytes > limit.bytes && !page.records.is_empty() {
                break;
            }
            page.records.push(record);
        }
        (page.upto.seq, page.upto.tag) = (seq(row, 0)?, row.get(4)?);
    }
    Ok(())
}

fn seq(row: &Row<'_>, column: usize) -> rusqlite::Result<Seq> {
    row.get(column).map(i64::cast_unsigned)
}

/// From the columns seq, at, content, sum, tag; `None` if the entry was superseded.
fn record(row: &Row<'_>, scope: Scope) -> Result<Option<Record>, Failure> {
    let Some(content) = row.get::<_, Option<Vec<u8>>>(2)? else { return Ok(None) };
    let (seq, at) = (seq(row, 0)?, row.get(1)?);
    if schema::entry_sum(scope, seq, at, row.get(4)?, &content) != row.get::<_, i64>(3)? {
        return Err(Failure::DamagedEntry { scope, seq });
    }
    Ok(Some(Record { seq, at, content }))
}

/// The facts whose key begins with `prefix`; keys sort as their bytes.
pub(super) fn facts(
    tx: &Connection,
    scope: Scope,
    prefix: &str,
) -> Result<Vec<(String, Record)>, Failure> {
    let mut from = tx.prepare_cached(
        "SELECT seq, at, content, sum, tag, key FROM fact JOIN entry USING (scope, seq)
         WHERE fact.scope = ?1 AND key >= ?2 ORDER BY key",
    )?;
    let mut rows = from.query((scope.0.cast_signed(), prefix))?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(5)?;
        if !key.starts_with(prefix) {
            break;
        }
        let damaged = Failure::DamagedRow { table: "fact", scope };
        facts.push((key, record(row, scope)?.ok_or(damaged)?));
    }
    Ok(facts)
}

/// The bodies of a schedule, in the order they were first held.
pub(super) fn held(tx: &Connection, scope: Scope, schedule: Ref) -> Result<Vec<HeldBody>, Failure> {
    let mut held = tx.prepare_cached(
        "SELECT body_ref, content FROM held WHERE scope = ?1 AND schedule = ?2 ORDER BY id",
    )?;
    let bodies = held.query_map((scope.0.cast_signed(), schedule.0), |row| {
        Ok(HeldBody { body_ref: Ref(row.get(0)?), schedule, content: row.get(1)? })
    })?;
    Ok(bodies.collect::<rusqlite::Result<_>>()?)
}

/// The blob of an open invite.
pub(super) fn card(
    tx: &Connection,
    scope: Scope,
    invite: InviteId,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut card = tx.prepare_cached("SELECT blob FROM card WHERE scope = ?1 AND invite = ?2")?;
    Ok(card.query_row((scope.0.cast_signed(), invite.0), |row| row.get(0)).optional()?)
}

/// What is due at `now`, the earliest first.
pub(super) fn due(tx: &Connection, now: Millis, limit: usize) -> Result<Vec<Due>, Failure> {
    let mut due = tx.prepare_cached(
        "SELECT at, scope, item FROM due WHERE at <= ?1 ORDER BY at, scope, item LIMIT ?2",
    )?;
    let mut rows = due.query((now, i64::try_from(limit).unwrap_or(i64::MAX)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let scope = Scope(row.get::<_, i64>(1)?.cast_unsigned());
        let item = minicbor::decode(&row.get::<_, Vec<u8>>(2)?)
            .map_err(|_| Failure::DamagedRow { table: "due", scope })?;
        found.push(Due { at: row.get(0)?, scope, item });
    }
    Ok(found)
}

/// When the next thing is due.
pub(super) fn next_due(tx: &Connection) -> Result<Option<Millis>, Failure> {
    let mut next = tx.prepare_cached("SELECT min(at) FROM due")?;
    Ok(next.query_row([], |row| row.get(0))?)
}

/// How far devices have read, as far as it is written.
pub(super) fn cursors(tx: &Connection, scope: Scope) -> Result<Vec<Reached>, Failure> {
    let mut cursors = tx.prepare_cached("SELECT device, seq, at FROM cursor WHERE scope = ?1")?;
    let reached = cursors.query_map([scope.0.cast_signed()], |row| {
        Ok(Reached { device: DeviceId(row.get(0)?), seq: seq(row, 1)?, at: row.get(2)? })
    })?;
    Ok(reached.collect::<rusqlite::Result<_>>()?)
}

//! Reading past the writer: a few connections, each read in one transaction of its own.
//!
//! What a query finds damaged it names, and gives nothing for it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use jiashu_proto::entry::{Cursor, Seq, schedule_key};
use jiashu_proto::frame::Reached;
use jiashu_proto::id::{DeviceId, InviteId, Millis, Ref, Scope};
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::condition::Failure;
use super::look_over::Damaged;
use super::sums::{CARD, CURSOR, DUE, FACT, HELD};
use super::{Options, lock, schema, sums};
use crate::store::{
    Due, DueCount, DueItem, HeldBody, Occurring, Page, PageLimit, Record, ScopeState, StoreError,
};

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
    let Some((sum, bytes)) = found.optional()? else { return no_state(tx, scope) };
    if sums::state_sum(scope, &bytes) != sum {
        return Err(Failure::DamagedState { scope });
    }
    minicbor::decode(&bytes).map(Some).map_err(|_| Failure::DamagedState { scope })
}

/// There is no such scope; if it has entries, its state is lost.
fn no_state(tx: &Connection, scope: Scope) -> Result<Option<ScopeState>, Failure> {
    let mut entry = tx.prepare_cached("SELECT 1 FROM entry WHERE scope = ?1 LIMIT 1")?;
    if entry.exists([scope.0.cast_signed()])? {
        return Err(Failure::DamagedState { scope });
    }
    Ok(None)
}

/// See [`crate::store::Store::read_after`].
pub(super) fn read_after(
    tx: &Connection,
    scope: Scope,
    cursor: Cursor,
    limit: PageLimit,
) -> Result<Page, StoreError> {
    let state = state(tx, scope)?.ok_or(StoreError::NoScope)?;
    let is_here = cursor.generation == state.generation && cursor.seq <= state.head;
    let stands =
        cursor.seq <= state.floor || is_here && tag_at(tx, scope, cursor.seq)? == cursor.tag;
    if !is_here || !stands {
        return Err(StoreError::OtherLog);
    }
    let tag = if cursor.seq == 0 { 0 } else { cursor.tag };
    let (upto, head, floor) = (Cursor { tag, ..cursor }, state.head, state.floor);
    let mut page = Page { upto, head, floor, records: Vec::new(), suspended: state.suspended };
    fill_page(tx, scope, limit, &mut page)?;
    Ok(page)
}

/// What stands at a place; `None` if it was superseded, or there is none.
pub(super) fn record_at(
    tx: &Connection,
    scope: Scope,
    seq: Seq,
) -> Result<Option<Record>, Failure> {
    let mut at = tx.prepare_cached(
        "SELECT seq, at, content, sum, tag FROM entry WHERE scope = ?1 AND seq = ?2",
    )?;
    let mut rows = at.query((scope.0.cast_signed(), seq.cast_signed()))?;
    rows.next()?.map_or(Ok(None), |row| record(row, 0, scope, seq))
}

/// The tag of a place that the log has.
fn tag_at(tx: &Connection, scope: Scope, seq: Seq) -> Result<u32, Failure> {
    let mut at = tx.prepare_cached(
        "SELECT seq, at, content, sum, tag FROM entry WHERE scope = ?1 AND seq = ?2",
    )?;
    let mut rows = at.query((scope.0.cast_signed(), seq.cast_signed()))?;
    let row = rows.next()?.ok_or(Failure::DamagedEntry { scope, seq })?;
    record(row, 0, scope, seq)?;
    Ok(row.get(4)?)
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
    let entries = limit.entries.max(1);
    let places = i64::try_from(entries).unwrap_or(i64::MAX);
    let mut rows = after.query((scope.0.cast_signed(), page.upto.seq.cast_signed(), places))?;
    let (mut bytes, mut looked_at) = (0, 0);
    while page.upto.seq < page.head && looked_at < entries {
        // Every place beyond the floor has its row: none is passed over.
        let next = page.upto.seq.max(page.floor) + 1;
        let row = rows.next()?.ok_or(Failure::DamagedEntry { scope, seq: next })?;
        let seq = row.get::<_, i64>(0)?.cast_unsigned();
        if seq > next {
            return Err(Failure::DamagedEntry { scope, seq: next });
        }
        if let Some(record) = record(row, 0, scope, seq)? {
            bytes += record.content.len();
            if bytes > limit.bytes && !page.records.is_empty() {
                break;
            }
            page.records.push(record);
        }
        (page.upto.seq, page.upto.tag) = (seq, row.get(4)?);
        looked_at += 1;
    }
    Ok(())
}

/// From the columns seq, at, content, sum, tag, the first of which is `from`, of the row that is to be of this place; `None` if the
/// entry was superseded. A row of another kind than it should be is damaged too.
pub(super) fn record(
    row: &Row<'_>,
    from: usize,
    scope: Scope,
    seq: Seq,
) -> Result<Option<Record>, Failure> {
    let read = || -> rusqlite::Result<_> {
        let content: Option<Vec<u8>> = row.get(from + 2)?;
        let (found, at) = (row.get::<_, i64>(from)?.cast_unsigned(), row.get(from + 1)?);
        let sum = sums::entry_sum(scope, found, at, row.get(from + 4)?, content.as_deref());
        Ok((found == seq && sum == row.get::<_, i64>(from + 3)?).then_some((at, content)))
    };
    match read() {
        Ok(Some((at, content))) => Ok(content.map(|content| Record { seq, at, content })),
        Ok(None) | Err(_) => Err(Failure::DamagedEntry { scope, seq }),
    }
}

/// The facts whose key begins with `prefix`; keys sort as their bytes.
pub(super) fn facts(
    tx: &Connection,
    scope: Scope,
    prefix: &str,
) -> Result<Vec<(String, Record)>, Failure> {
    // Outwards, so that a fact whose entry has vanished is missed.
    let mut from = tx.prepare_cached(
        "SELECT fact.scope, key, fact.seq, rank, fact.sum, entry.seq, at, content, entry.sum, tag
         FROM fact LEFT JOIN entry USING (scope, seq)
         WHERE fact.scope = ?1 AND key >= ?2 ORDER BY key",
    )?;
    let mut rows = from.query((scope.0.cast_signed(), prefix))?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next()? {
        let damaged = Failure::DamagedRow { table: FACT.name, scope };
        if !FACT.holds(row)? {
            return Err(damaged);
        }
        let key: String = row.get(1)?;
        if !key.starts_with(prefix) {
            break;
        }
        let seq = row.get::<_, i64>(2)?.cast_unsigned();
        facts.push((key, record(row, 5, scope, seq)?.ok_or(damaged)?));
    }
    Ok(facts)
}

/// The fact of that key.
pub(super) fn fact(tx: &Connection, scope: Scope, key: &str) -> Result<Option<Record>, Failure> {
    let mut one = tx.prepare_cached(
        "SELECT fact.scope, key, fact.seq, rank, fact.sum, entry.seq, at, content, entry.sum, tag
         FROM fact LEFT JOIN entry USING (scope, seq)
         WHERE fact.scope = ?1 AND key = ?2",
    )?;
    let mut rows = one.query((scope.0.cast_signed(), key))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let damaged = Failure::DamagedRow { table: FACT.name, scope };
    if !FACT.holds(row)? {
        return Err(damaged);
    }
    let seq = row.get::<_, i64>(2)?.cast_unsigned();
    record(row, 5, scope, seq)?.ok_or(damaged).map(Some)
}

/// The bodies of a schedule, in the order they were first held.
pub(super) fn held(tx: &Connection, scope: Scope, schedule: Ref) -> Result<Vec<HeldBody>, Failure> {
    let mut held = tx.prepare_cached(
        "SELECT scope, schedule, body_ref, content, sum FROM held
         WHERE scope = ?1 AND schedule = ?2 ORDER BY id",
    )?;
    let mut rows = held.query((scope.0.cast_signed(), schedule.0))?;
    let mut bodies = Vec::new();
    while let Some(row) = rows.next()? {
        if !HELD.holds(row)? {
            return Err(Failure::DamagedRow { table: HELD.name, scope });
        }
        bodies.push(HeldBody { body_ref: Ref(row.get(2)?), schedule, content: row.get(3)? });
    }
    Ok(bodies)
}

/// The body that this schedule will release next, and how many it holds.
pub(super) fn first_held(
    tx: &Connection,
    scope: Scope,
    schedule: Ref,
) -> Result<(Option<HeldBody>, usize), Failure> {
    // Both by the index alone.
    let mut ids =
        tx.prepare_cached("SELECT min(id), count(*) FROM held WHERE scope = ?1 AND schedule = ?2")?;
    let (id, count): (Option<i64>, i64) =
        ids.query_row((scope.0.cast_signed(), schedule.0), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(id) = id else { return Ok((None, 0)) };
    let mut first = tx
        .prepare_cached("SELECT scope, schedule, body_ref, content, sum FROM held WHERE id = ?1")?;
    let mut rows = first.query([id])?;
    match rows.next()? {
        Some(row) if HELD.holds(row)? => {
            let body = HeldBody { body_ref: Ref(row.get(2)?), schedule, content: row.get(3)? };
            Ok((Some(body), usize::try_from(count).unwrap_or(usize::MAX)))
        }
        _ => Err(Failure::DamagedRow { table: HELD.name, scope }),
    }
}

/// The blob of an open invite.
pub(super) fn card(
    tx: &Connection,
    scope: Scope,
    invite: InviteId,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut card = tx.prepare_cached(
        "SELECT scope, invite, blob, sum FROM card WHERE scope = ?1 AND invite = ?2",
    )?;
    let mut rows = card.query((scope.0.cast_signed(), invite.0))?;
    match rows.next()? {
        None => Ok(None),
        Some(row) if CARD.holds(row)? => Ok(Some(row.get(2)?)),
        Some(_) => Err(Failure::DamagedRow { table: CARD.name, scope }),
    }
}

/// When this item is due.
pub(super) fn due_at(
    tx: &Connection,
    scope: Scope,
    item: &DueItem,
) -> Result<Option<Millis>, Failure> {
    let mut due = tx.prepare_cached(
        "SELECT scope, item, at, planned, sum FROM due WHERE scope = ?1 AND item = ?2",
    )?;
    let mut rows = due.query((scope.0.cast_signed(), schema::to_cbor(item)))?;
    match rows.next()? {
        None => Ok(None),
        Some(row) if DUE.holds(row)? => Ok(Some(row.get(2)?)),
        Some(_) => Err(Failure::DamagedRow { table: DUE.name, scope }),
    }
}

/// What is due at `now`, the earliest first. A damaged item is noted and passed over: the others
/// need not wait for it.
pub(super) fn due(
    tx: &Connection,
    now: Millis,
    limit: usize,
    damaged: &Damaged,
) -> Result<Vec<Due>, Failure> {
    let mut due = tx.prepare_cached(
        "SELECT scope, item, at, planned, sum FROM due WHERE at <= ?1 ORDER BY at, scope, item",
    )?;
    let mut rows = due.query([now])?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        found.extend(due_row(row, damaged)?);
    }
    Ok(found)
}

/// One row of what is due. Of a scope that is refused there is nothing: it would stay due, and be
/// tried for ever.
fn due_row(row: &Row<'_>, damaged: &Damaged) -> Result<Option<Due>, Failure> {
    let scope = Scope(row.get::<_, i64>(0)?.cast_unsigned());
    match minicbor::decode(&row.get::<_, Vec<u8>>(1)?) {
        Ok(item) if DUE.holds(row)? => {
            let (at, planned) = (row.get(2)?, row.get(3)?);
            Ok(damaged.check(scope).is_ok().then_some(Due { at, scope, item, planned }))
        }
        _ => {
            damaged.note(scope, DUE.name);
            Ok(None)
        }
    }
}

/// What there is of a schedule; `None` if its fact is gone.
pub(super) fn occurring(
    tx: &Connection,
    scope: Scope,
    schedule: Ref,
) -> Result<Option<Occurring>, Failure> {
    let Some(record) = fact(tx, scope, &schedule_key(schedule))? else { return Ok(None) };
    let (first, held) = first_held(tx, scope, schedule)?;
    Ok(Some(Occurring { schedule: record, first, held }))
}

/// What begins the bytes of an occurrence in the due index.
const OCCURRENCE: &[u8] = &[0x82, 0x01];

/// The occurrences behind `after`, by scope and schedule.
pub(super) fn occurrences(
    tx: &Connection,
    after: Option<(Scope, Ref)>,
    limit: usize,
    damaged: &Damaged,
) -> Result<Vec<Due>, Failure> {
    let mut behind = tx.prepare_cached(
        "SELECT scope, item, at, planned, sum FROM due
         WHERE (scope, item) > (?1, ?2) AND substr(item, 1, 2) = ?3
         ORDER BY scope, item LIMIT ?4",
    )?;
    let (scope, item) = match after {
        Some((scope, schedule)) => {
            (scope.0.cast_signed(), schema::to_cbor(&DueItem::Occurrence(schedule)))
        }
        None => (i64::MIN, Vec::new()),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = behind.query((scope, item, OCCURRENCE, limit))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(due_row(row, damaged)?);
    }
    Ok(found)
}

/// How much is due.
pub(super) fn due_count(tx: &Connection, now: Millis) -> Result<DueCount, Failure> {
    let mut count = tx.prepare_cached(
        "SELECT (SELECT count(*) FROM due WHERE at <= ?1), (SELECT count(*) FROM due)",
    )?;
    Ok(count.query_row([now], |row| {
        let (overdue, pending) = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?);
        Ok(DueCount { overdue: overdue.cast_unsigned(), pending: pending.cast_unsigned() })
    })?)
}

/// How many schedules have an occurrence to come.
pub(super) fn running(tx: &Connection, scope: Scope) -> Result<usize, Failure> {
    let mut due = tx.prepare_cached("SELECT item FROM due WHERE scope = ?1")?;
    let mut rows = due.query([scope.0.cast_signed()])?;
    let mut running = 0;
    while let Some(row) = rows.next()? {
        let item = minicbor::decode(&row.get::<_, Vec<u8>>(0)?);
        running += usize::from(matches!(item, Ok(DueItem::Occurrence(_))));
    }
    Ok(running)
}

/// When the next thing is due.
pub(super) fn next_due(tx: &Connection, damaged: &Damaged) -> Result<Option<Millis>, Failure> {
    let mut next = tx.prepare_cached("SELECT at, scope FROM due ORDER BY at")?;
    let mut rows = next.query([])?;
    while let Some(row) = rows.next()? {
        // What is refused is passed over by `due` too.
        if damaged.check(Scope(row.get::<_, i64>(1)?.cast_unsigned())).is_ok() {
            return Ok(row.get(0)?);
        }
    }
    Ok(None)
}

/// How far devices have read, as far as it is written.
pub(super) fn cursors(tx: &Connection, scope: Scope) -> Result<Vec<Reached>, Failure> {
    let mut cursors =
        tx.prepare_cached("SELECT scope, device, seq, at, sum FROM cursor WHERE scope = ?1")?;
    let mut rows = cursors.query([scope.0.cast_signed()])?;
    let mut reached = Vec::new();
    while let Some(row) = rows.next()? {
        // A damaged one is as one that was not written yet.
        if CURSOR.holds(row)? {
            let seq = row.get::<_, i64>(2)?.cast_unsigned();
            reached.push(Reached { device: DeviceId(row.get(1)?), seq, at: row.get(3)? });
        }
    }
    Ok(reached)
}

//! Entries as they get their places, and the facts that supersede each other.

use jiashu_proto::entry::Seq;
use jiashu_proto::id::{Millis, Scope};
use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};

use super::condition::Failure;
use super::states::Written;
use super::sums::{FACT, entry_sum};
use crate::store::{NewEntry, Record, ScopeState};

/// Where an entry stands, and since when.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    pub(super) seq: Seq,
    pub(super) at: Millis,
}

/// The fact of a key.
pub(super) struct Standing {
    pub(super) place: Placed,
    tag: u32,
    rank: u8,
}

/// The fact that stands under this key.
pub(super) fn standing(
    tx: &Connection,
    scope: Scope,
    key: &str,
) -> Result<Option<Standing>, Failure> {
    let mut standing = tx.prepare_cached(
        "SELECT fact.scope, key, fact.seq, rank, fact.sum, at, tag
         FROM fact LEFT JOIN entry USING (scope, seq) WHERE fact.scope = ?1 AND key = ?2",
    )?;
    let mut rows = standing.query((scope.0.cast_signed(), key))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let damaged = Failure::DamagedRow { table: FACT.name, scope };
    let at: Option<Millis> = row.get(5)?;
    match at.filter(|_| FACT.holds(row).unwrap_or(false)) {
        None => Err(damaged),
        Some(at) => {
            let place = Placed { seq: row.get::<_, i64>(2)?.cast_unsigned(), at };
            Ok(Some(Standing { place, tag: row.get(6)?, rank: row.get(3)? }))
        }
    }
}

/// When the entry at this place was committed.
pub(super) fn time_of(tx: &Connection, scope: Scope, seq: Seq) -> rusqlite::Result<Option<Millis>> {
    let mut time = tx.prepare_cached("SELECT at FROM entry WHERE scope = ?1 AND seq = ?2")?;
    time.query_row((scope.0.cast_signed(), seq.cast_signed()), |row| row.get(0)).optional()
}

/// What came of an entry.
pub(super) enum Put {
    /// It stands, perhaps in the place of an earlier fact, whose content went.
    Written(Written, Superseded),
    /// The fact at this place outranks it.
    Outranked(Placed),
}

/// Whether an earlier entry lost its content.
pub(super) type Superseded = bool;

/// Adds the entry after the head, which moves; or gives the place of the fact that outranks it.
pub(super) fn put_entry(
    tx: &Connection,
    scope: Scope,
    state: &mut ScopeState,
    at: Millis,
    entry: &NewEntry,
) -> Result<Put, Failure> {
    let mut superseded = false;
    let seq = state.head + 1;
    if let Some(key) = &entry.key {
        let before = standing(tx, scope, key)?;
        match before {
            Some(fact) if entry.rank > 0 && entry.rank <= fact.rank => {
                return Ok(Put::Outranked(fact.place));
            }
            Some(fact) => {
                silence(tx, scope, state, key, &fact)?;
                superseded = true;
            }
            None => {}
        }
        set_fact(tx, scope, key, seq, entry.rank)?;
    }
    let tag = random_u32()?;
    insert_place(tx, scope, seq, at, tag, Some(&entry.content))?;
    state.head = seq;
    let record = Record { seq, at, content: entry.content.clone() };
    Ok(Put::Written(Written { record, tag }, superseded))
}

/// What it said goes. Its place goes too, where only facts are left.
fn silence(
    tx: &Connection,
    scope: Scope,
    state: &ScopeState,
    key: &str,
    fact: &Standing,
) -> rusqlite::Result<()> {
    if fact.place.seq <= state.floor {
        forget_places(tx, scope, fact.place.seq - 1, fact.place.seq, Some(key))
    } else {
        forget_content(tx, scope, fact.place, fact.tag)
    }
}

/// See [`crate::store::Change::DropFact`].
pub(super) fn drop_fact(
    tx: &Connection,
    scope: Scope,
    state: &ScopeState,
    key: &str,
) -> Result<(), Failure> {
    if let Some(fact) = standing(tx, scope, key)? {
        silence(tx, scope, state, key, &fact)?;
        let mut drop = tx.prepare_cached("DELETE FROM fact WHERE scope = ?1 AND key = ?2")?;
        drop.execute((scope.0.cast_signed(), key))?;
    }
    Ok(())
}

/// The fact of that key stands there from now on.
pub(super) fn set_fact(
    tx: &Connection,
    scope: Scope,
    key: &str,
    seq: Seq,
    rank: u8,
) -> rusqlite::Result<()> {
    let mut put = tx.prepare_cached(
        "INSERT INTO fact(scope, key, seq, rank, sum) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET seq = excluded.seq, rank = excluded.rank, sum = excluded.sum",
    )?;
    let (id, place) = (scope.0.cast_signed(), seq.cast_signed());
    let sum = FACT.sum([
        ValueRef::Integer(id),
        ValueRef::Text(key.as_bytes()),
        ValueRef::Integer(place),
        ValueRef::Integer(rank.into()),
    ]);
    put.execute((id, key, place, rank, sum))?;
    Ok(())
}

/// A new row of a log.
pub(super) fn insert_place(
    tx: &Connection,
    scope: Scope,
    seq: Seq,
    at: Millis,
    tag: u32,
    content: Option<&[u8]>,
) -> rusqlite::Result<()> {
    let sum = entry_sum(scope, seq, at, tag, content);
    let mut put = tx.prepare_cached(
        "INSERT INTO entry(scope, seq, at, tag, sum, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    put.execute((scope.0.cast_signed(), seq.cast_signed(), at, tag, sum, content))?;
    Ok(())
}

fn forget_content(tx: &Connection, scope: Scope, place: Placed, tag: u32) -> rusqlite::Result<()> {
    let Placed { seq, at } = place;
    let sum = entry_sum(scope, seq, at, tag, None);
    let sql = "UPDATE entry SET content = NULL, sum = ?3 WHERE scope = ?1 AND seq = ?2";
    tx.prepare_cached(sql)?.execute((scope.0.cast_signed(), seq.cast_signed(), sum))?;
    Ok(())
}

/// See [`crate::store::Change::Forget`]. Gives the new floor.
pub(super) fn forget_old(
    tx: &Connection,
    scope: Scope,
    state: &ScopeState,
    before: Millis,
    most: usize,
) -> rusqlite::Result<Seq> {
    let (id, head) = (scope.0.cast_signed(), state.head.cast_signed());
    let mut floor = state.floor;
    let mut oldest = tx.prepare_cached(
        "SELECT seq, at FROM entry WHERE scope = ?1 AND seq > ?2 AND seq < ?3
         ORDER BY seq LIMIT ?4",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = oldest.query((id, floor.cast_signed(), head, most))?;
    while let Some(row) = rows.next()? {
        if row.get::<_, Millis>(1)? >= before {
            break;
        }
        floor = row.get::<_, i64>(0)?.cast_unsigned();
    }
    forget_places(tx, scope, state.floor, floor, None)?;
    if floor.saturating_add(1) == state.head {
        let mut at_head = tx.prepare_cached(
            "SELECT at, tag FROM entry WHERE scope = ?1 AND seq = ?2 AND at < ?3
             AND content IS NOT NULL AND seq NOT IN (SELECT seq FROM fact WHERE scope = ?1)",
        )?;
        let old = at_head.query_row((id, head, before), |row| Ok((row.get(0)?, row.get(1)?)));
        if let Some((at, tag)) = old.optional()? {
            forget_content(tx, scope, Placed { seq: state.head, at }, tag)?;
        }
    }
    Ok(floor)
}

/// The places after `after` up to `upto` go, less those of facts; but those of `key` too.
fn forget_places(
    tx: &Connection,
    scope: Scope,
    after: Seq,
    upto: Seq,
    key: Option<&str>,
) -> rusqlite::Result<()> {
    let sql = "DELETE FROM entry WHERE scope = ?1 AND seq > ?2 AND seq <= ?3
               AND seq NOT IN (SELECT seq FROM fact WHERE scope = ?1 AND key IS NOT ?4)";
    let places = (scope.0.cast_signed(), after.cast_signed(), upto.cast_signed(), key);
    tx.prepare_cached(sql)?.execute(places)?;
    Ok(())
}

/// From 1: 0 is the tag of no entry and the generation of no log.
pub(super) fn random_u32() -> Result<u32, Failure> {
    let mut bytes = [0; 4];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Failure::NoRandom)?;
    Ok(u32::from_ne_bytes(bytes).max(1))
}

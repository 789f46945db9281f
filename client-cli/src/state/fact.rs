//! Clear facts, kept as received, so that what a newer version wrote survives an older one.

use jiashu_proto::entry::{Content, SCHEDULE_KEYS, Schedule, Seq, schedule_key};
use jiashu_proto::id::{Millis, Ref};
use rusqlite::Connection;

use super::damaged;
use crate::error::Result;

/// What the keys of notices begin with; behind it stands the place.
pub const NOTICES: &str = "notice/";

/// What the keys of tombstones begin with; behind it stands the ref of the message.
pub const TOMBSTONES: &str = "tombstone/";

/// A fact as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Its key.
    pub key: String,
    /// Its place.
    pub seq: Seq,
    /// When it was committed.
    pub at: Millis,
    /// What it says.
    pub content: Content,
}

/// Keeps a fact; the one before it under that key is superseded.
///
/// # Errors
///
/// If the state cannot be written.
pub fn put(db: &Connection, key: &str, seq: Seq, at: Millis, content: &[u8]) -> Result<()> {
    let row = (key, seq.cast_signed(), at, content);
    db.prepare_cached("INSERT OR REPLACE INTO fact VALUES (?1, ?2, ?3, ?4)")?.execute(row)?;
    Ok(())
}

/// All facts whose key begins so.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn with_prefix(db: &Connection, prefix: &str) -> Result<Vec<Fact>> {
    select(db, BEGINS_SO, prefix)
}

/// The fact of that key.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn find(db: &Connection, key: &str) -> Result<Option<Fact>> {
    Ok(select(db, "key = ?1", key)?.pop())
}

/// Forgets all whose key begins so: the log brings them again.
///
/// # Errors
///
/// If the state cannot be written.
pub fn forget(db: &Connection, prefix: &str) -> Result<()> {
    db.execute(&format!("DELETE FROM fact WHERE {BEGINS_SO}"), [prefix])?;
    Ok(())
}

const BEGINS_SO: &str = "substr(key, 1, length(?1)) = ?1";

fn select(db: &Connection, wanted: &str, key: &str) -> Result<Vec<Fact>> {
    let sql = format!("SELECT key, seq, at, content FROM fact WHERE {wanted} ORDER BY seq");
    let mut query = db.prepare_cached(&sql)?;
    let rows = query.query_map([key], |row| {
        let content = Content::from_bytes(row.get_ref("content")?.as_blob()?);
        Ok(Fact {
            key: row.get("key")?,
            seq: row.get::<_, i64>("seq")?.cast_unsigned(),
            at: row.get("at")?,
            content: content.map_err(damaged)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// All schedules, the oldest version first.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn schedules(db: &Connection) -> Result<Vec<Schedule>> {
    let facts = with_prefix(db, SCHEDULE_KEYS)?.into_iter();
    Ok(facts.filter_map(|fact| as_schedule(fact.content)).collect())
}

/// The schedule of that id.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn schedule(db: &Connection, id: Ref) -> Result<Option<Schedule>> {
    let found = find(db, &schedule_key(id))?;
    Ok(found.and_then(|fact| as_schedule(fact.content)))
}

fn as_schedule(content: Content) -> Option<Schedule> {
    match content {
        Content::Schedule(schedule) => Some(schedule),
        _ => None,
    }
}

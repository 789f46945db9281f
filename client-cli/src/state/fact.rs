//! Clear facts, kept as received, so that what a newer version wrote survives an older one.

use jiashu_proto::entry::{Content, Schedule, Seq, schedule_key};
use jiashu_proto::id::{Millis, Ref};
use rusqlite::Connection;

use super::damaged;
use crate::error::Result;

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
    let mut query = db.prepare_cached(
        "SELECT key, seq, at, content FROM fact WHERE substr(key, 1, length(?1)) = ?1 ORDER BY seq",
    )?;
    let rows = query.query_map([prefix], |row| {
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
    let facts = with_prefix(db, "schedule/")?.into_iter();
    Ok(facts.filter_map(|fact| as_schedule(fact.content)).collect())
}

/// The schedule of that id.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn schedule(db: &Connection, id: Ref) -> Result<Option<Schedule>> {
    let key = schedule_key(id);
    let found = with_prefix(db, &key)?.into_iter().find(|fact| fact.key == key);
    Ok(found.and_then(|fact| as_schedule(fact.content)))
}

fn as_schedule(content: Content) -> Option<Schedule> {
    match content {
        Content::Schedule(schedule) => Some(schedule),
        _ => None,
    }
}

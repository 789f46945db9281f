//! Held letters that the relay gave back: what it is asked for, and what came.

use jiashu_proto::entry::{Content, Message};
use jiashu_proto::frame::{GiveBack, GivenBack};
use jiashu_proto::id::Ref;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _};

use super::{damaged, fixed};
use crate::error::Result;

/// Asks for what a schedule holds, from the first on.
///
/// # Errors
///
/// If the state cannot be written.
pub fn ask(db: &Connection, schedule: Ref) -> Result<()> {
    db.execute("INSERT OR REPLACE INTO asked VALUES (?1, NULL)", [schedule.0])?;
    Ok(())
}

/// What the relay is asked for and has not given back yet.
///
/// # Errors
///
/// If the state cannot be read.
pub fn asked(db: &Connection) -> Result<Vec<GiveBack>> {
    let mut query = db.prepare_cached("SELECT schedule, after FROM asked")?;
    let rows = query.query_map([], |row| {
        let after = match row.get_ref("after")? {
            ValueRef::Null => None,
            _ => Some(Ref(fixed(row, "after")?)),
        };
        Ok(GiveBack { schedule: Ref(fixed(row, "schedule")?), after })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Keeps what came, in the place of what came before. Whether that is all of it, and was asked for.
///
/// # Errors
///
/// If the state cannot be written.
pub fn put(db: &Connection, given: &GivenBack) -> Result<bool> {
    let GivenBack { schedule, bodies, more } = given;
    let mut query = db.prepare_cached("SELECT after IS NULL FROM asked WHERE schedule = ?1")?;
    let first: Option<bool> = query.query_row([schedule.0], |row| row.get(0)).optional()?;
    let Some(first) = first else { return Ok(false) };
    if first {
        db.execute("DELETE FROM given WHERE schedule = ?1", [schedule.0])?;
    }
    let mut last = None;
    for body in bodies {
        let Ok(Content::Message(_, message)) = Content::from_bytes(body) else { continue };
        last = message.fired.map(|fired| fired.body_ref);
        db.prepare_cached(
            "INSERT INTO given SELECT ?1, coalesce(max(place), 0) + 1, ?2
                 FROM given WHERE schedule = ?1",
        )?
        .execute((schedule.0, body.as_slice()))?;
    }
    // A relay that has more and gives none would be asked for ever.
    match last.filter(|_| *more) {
        Some(last) => {
            db.execute("UPDATE asked SET after = ?2 WHERE schedule = ?1", (schedule.0, last.0))?;
            Ok(false)
        }
        None => {
            db.execute("DELETE FROM asked WHERE schedule = ?1", [schedule.0])?;
            Ok(true)
        }
    }
}

/// What the schedule held when it was given back last, in the order of release: kind and message.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn of(db: &Connection, schedule: Ref) -> Result<Vec<(u32, Message)>> {
    let mut query =
        db.prepare_cached("SELECT content FROM given WHERE schedule = ?1 ORDER BY place")?;
    let rows = query.query_map([schedule.0], |row| {
        match Content::from_bytes(row.get_ref("content")?.as_blob()?).map_err(damaged)? {
            Content::Message(kind, message) => Ok((kind, message)),
            _ => Err(damaged(std::fmt::Error)),
        }
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

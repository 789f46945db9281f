//! Bodies that the relay holds for a schedule, and the key that it has each under.
//!
//! Which of them are sealed again is decided in `sync`.

use jiashu_proto::id::{Epoch, Ref};
use rusqlite::Connection;

use super::fixed;
use crate::error::Result;

/// The relay has the body under that key, now or at last.
///
/// # Errors
///
/// If the state cannot be written.
pub fn note(db: &Connection, body_ref: Ref, epoch: Epoch) -> Result<()> {
    db.execute("INSERT OR REPLACE INTO held VALUES (?1, ?2)", (body_ref.0, epoch))?;
    Ok(())
}

/// The relay does not hold it any more, or never did.
///
/// # Errors
///
/// If the state cannot be written.
pub fn forget(db: &Connection, body_ref: Ref) -> Result<()> {
    db.execute("DELETE FROM held WHERE ref = ?1", [body_ref.0])?;
    Ok(())
}

/// Of those under that key or a later one it is not known any more what they are under.
///
/// # Errors
///
/// If the state cannot be written.
pub fn doubt(db: &Connection, from: Epoch) -> Result<()> {
    db.execute("UPDATE held SET epoch = 0 WHERE epoch >= ?1", [from])?;
    Ok(())
}

/// Those that the relay has under a key before that one.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn before(db: &Connection, epoch: Epoch) -> Result<Vec<Ref>> {
    let mut query = db.prepare_cached("SELECT ref FROM held WHERE epoch < ?1 ORDER BY rowid")?;
    let rows = query.query_map([epoch], |row| fixed(row, "ref").map(Ref))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

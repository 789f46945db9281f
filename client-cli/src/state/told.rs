//! What a person was told once and is not told again.

use jiashu_proto::id::Millis;
use rusqlite::{Connection, OptionalExtension as _};

use crate::error::Result;

/// Up to which link changes of the family were told.
pub const LINK: &str = "link";

/// Up to which place of the log notices and tombstones were told.
pub const NOTICE: &str = "notice";

/// Up to which place of the log nudges were told.
pub const NUDGE: &str = "nudge";

/// Up to which place of the log suspensions were told.
pub const SUSPENSION: &str = "suspension";

/// Up to which place of the log it was told whether the family leaves.
pub const LEAVING: &str = "leaving";

/// Up to which removal the letters of phones that were removed were asked for, to be taken on.
pub const TAKEN_ON: &str = "taken_on";

/// Since when it was told that this phone is out.
pub const ENDED: &str = "ended";

/// Up to where it was told; `None` if it never was.
///
/// # Errors
///
/// If the state cannot be read.
pub fn upto(db: &Connection, what: &str) -> Result<Option<Millis>> {
    let mut query = db.prepare_cached("SELECT upto FROM told WHERE what = ?1")?;
    Ok(query.query_row([what], |row| row.get(0)).optional()?)
}

/// All of it is to be told again.
///
/// # Errors
///
/// If the state cannot be written.
pub fn forget(db: &Connection, what: &str) -> Result<()> {
    db.execute("DELETE FROM told WHERE what = ?1", [what])?;
    Ok(())
}

/// It was told up to there.
///
/// # Errors
///
/// If the state cannot be written.
pub fn put(db: &Connection, what: &str, upto: Millis) -> Result<()> {
    db.execute("INSERT OR REPLACE INTO told VALUES (?1, ?2)", (what, upto))?;
    Ok(())
}

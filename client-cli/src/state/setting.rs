//! What a person set on this phone.

use rusqlite::{Connection, OptionalExtension as _};

use crate::error::Result;

/// The hours in which nothing rings, as typed.
pub const QUIET: &str = "quiet";

/// The value, if one was set.
///
/// # Errors
///
/// If the state cannot be read.
pub fn get(db: &Connection, name: &str) -> Result<Option<String>> {
    let mut query = db.prepare_cached("SELECT value FROM setting WHERE name = ?1")?;
    Ok(query.query_row([name], |row| row.get(0)).optional()?)
}

/// Sets it; `None` sets nothing any more.
///
/// # Errors
///
/// If the state cannot be written.
pub fn put(db: &Connection, name: &str, value: Option<&str>) -> Result<()> {
    match value {
        Some(value) => {
            db.execute("INSERT OR REPLACE INTO setting VALUES (?1, ?2)", (name, value))?
        }
        None => db.execute("DELETE FROM setting WHERE name = ?1", [name])?,
    };
    Ok(())
}

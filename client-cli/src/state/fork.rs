//! Another chain than ours that a relay shows, kept apart: it is to be looked at, not believed.

use jiashu_proto::id::{Epoch, Millis};
use rusqlite::Connection;

use crate::error::Result;

/// A link of that other chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkLink {
    /// Its number.
    pub number: Epoch,
    /// As received.
    pub link: Vec<u8>,
    /// When the relay says that it was committed.
    pub at: Millis,
}

/// Keeps the links that the relay shows from the first that differs, in the place of those before.
///
/// # Errors
///
/// If the state cannot be written.
pub fn put(db: &Connection, links: &[ForkLink]) -> Result<()> {
    clear(db)?;
    for ForkLink { number, link, at } in links {
        db.execute("INSERT INTO fork VALUES (?1, ?2, ?3)", (number, link, at))?;
    }
    Ok(())
}

/// There is no other chain any more.
///
/// # Errors
///
/// If the state cannot be written.
pub fn clear(db: &Connection) -> Result<()> {
    db.execute("DELETE FROM fork", [])?;
    Ok(())
}

/// The links of the other chain, from the first that differs; none if there is no fork.
///
/// # Errors
///
/// If the state cannot be read.
pub fn all(db: &Connection) -> Result<Vec<ForkLink>> {
    let mut query = db.prepare("SELECT number, link, at FROM fork ORDER BY number")?;
    let rows = query.query_map([], |row| {
        Ok(ForkLink { number: row.get(0)?, link: row.get(1)?, at: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

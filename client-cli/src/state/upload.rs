//! Sealed files of this phone's own, on their way to the relay. A command that names one waits for it.

use jiashu_proto::id::{Millis, Ref};
use rusqlite::Connection;

use super::fixed;
use crate::error::Result;

/// A sealed file that the relay is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The name of the stored bytes, and of the file.
    pub blob: Ref,
    /// SHA-256 of it.
    pub hash: [u8; 32],
    /// Bytes.
    pub length: u64,
    /// Whether the relay was told of it, and may have a part.
    pub begun: bool,
}

/// Notes a file that stands on the disk already.
///
/// # Errors
///
/// If the state cannot be written.
pub fn put(db: &Connection, upload: &Upload) -> Result<()> {
    db.execute(
        "INSERT INTO upload (blob, hash, length) VALUES (?1, ?2, ?3)",
        (upload.blob.0, upload.hash, upload.length.cast_signed()),
    )?;
    Ok(())
}

/// Those that the relay does not have yet, and that a command waits for; in the order in which they were made.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn waiting(db: &Connection) -> Result<Vec<Upload>> {
    let mut query = db.prepare_cached(
        "SELECT blob, hash, length, begun FROM upload
         WHERE done IS NULL AND blob IN
             (SELECT blob FROM outbox WHERE posted IS NULL AND refused IS NULL)
         ORDER BY rowid",
    )?;
    let rows = query.query_map([], |row| {
        Ok(Upload {
            blob: Ref(fixed(row, "blob")?),
            hash: fixed(row, "hash")?,
            length: row.get::<_, i64>("length")?.cast_unsigned(),
            begun: row.get("begun")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The relay is about to be told of it.
///
/// # Errors
///
/// If the state cannot be written.
pub fn begun(db: &Connection, blob: Ref) -> Result<()> {
    db.execute("UPDATE upload SET begun = 1 WHERE blob = ?1", [blob.0])?;
    Ok(())
}

/// The relay has all of it.
///
/// # Errors
///
/// If the state cannot be written.
pub fn done(db: &Connection, blob: Ref, now: Millis) -> Result<()> {
    db.execute("UPDATE upload SET done = ?2 WHERE blob = ?1", (blob.0, now))?;
    Ok(())
}

/// The relay does not have it, or no more: it is sent again.
///
/// # Errors
///
/// If the state cannot be written.
pub fn again(db: &Connection, blob: Ref) -> Result<()> {
    db.execute("UPDATE upload SET done = NULL, begun = 1 WHERE blob = ?1", [blob.0])?;
    Ok(())
}

//! What one device knows, in one SQLite file, written in one transaction a step.
//!
//! The rooms: who we are and how far we have read (`lane`), who is in the family (`chain`), what
//! was said (`message`), how far it came (`receipt`), clear facts (`fact`), what we have to say
//! (`outbox`). Rules are left to `sync`: nothing here decides.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior};

use crate::error::{CliError, ExitCode, Result};
use crate::home::Home;

pub mod lane;

pub mod chain;

pub mod message;

pub mod receipt;

pub mod fact;

pub mod outbox;

pub mod card;

/// Version of the tables in `schema.sql`.
const SCHEMA: i64 = 1;

/// How long a process waits for another that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The open database of one device.
#[derive(Debug)]
pub struct State {
    db: Connection,
}

impl State {
    /// Opens the database of a device that joined, or is about to.
    ///
    /// # Errors
    ///
    /// [`ExitCode::NotJoined`] if there is none.
    pub fn open(home: &Home) -> Result<Self> {
        if home.database().exists() { Self::open_file(&home.database()) } else { Err(not_joined()) }
    }

    /// Opens the database, making the home and an empty one if there is none.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written, or a newer version wrote the file.
    pub fn create(home: &Home) -> Result<Self> {
        home.prepare()?;
        Self::open_file(&home.database())
    }

    fn open_file(path: &Path) -> Result<Self> {
        let mut db = Connection::open(path)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // What was said to be kept must be kept when the power goes.
        db.pragma_update(None, "synchronous", "FULL")?;
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match version {
            0 => {
                tx.execute_batch(include_str!("schema.sql"))?;
                tx.pragma_update(None, "user_version", SCHEMA)?;
            }
            SCHEMA => {}
            _ => {
                let text = "a newer jiashu wrote this folder: update jiashu, nothing was changed";
                return Err(CliError::new(ExitCode::General, text));
            }
        }
        tx.commit()?;
        Ok(Self { db })
    }

    /// To read from.
    #[must_use]
    pub fn db(&self) -> &Connection {
        &self.db
    }

    /// Begins one step: all that it writes stands, or nothing.
    ///
    /// # Errors
    ///
    /// If another process writes for too long.
    pub fn begin(&mut self) -> Result<Transaction<'_>> {
        Ok(self.db.transaction_with_behavior(TransactionBehavior::Immediate)?)
    }

    /// A number that changes whenever another process has written.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn version(&self) -> Result<i64> {
        Ok(self.db.pragma_query_value(None, "data_version", |row| row.get(0))?)
    }
}

/// This home has no device.
#[must_use]
pub fn not_joined() -> CliError {
    CliError::new(ExitCode::NotJoined, "this phone has not joined yet: jiashu join LINK")
}

/// Bytes of a fixed length, as they were stored.
fn fixed<const N: usize>(row: &Row<'_>, column: &str) -> rusqlite::Result<[u8; N]> {
    row.get_ref(column)?.as_blob()?.try_into().map_err(damaged)
}

/// What was stored does not read: the file is not as this program left it.
fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_state_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::find(Some(dir.path())).unwrap();
        drop(State::create(&home).unwrap());
        let db = Connection::open(home.database()).unwrap();
        db.pragma_update(None, "user_version", SCHEMA + 1).unwrap();
        drop(db);

        let error = State::open(&home).unwrap_err();

        assert!(error.message.contains("newer"), "{error}");
    }

    #[test]
    fn a_home_without_state_has_not_joined() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::find(Some(dir.path())).unwrap();

        let error = State::open(&home).unwrap_err();

        assert_eq!(error.code, ExitCode::NotJoined);
    }
}

//! What one device knows, in one SQLite file, written in one transaction a step.
//!
//! The rooms: who we are and how far we have read (`lane`), who is in the family (`chain`, and what
//! another chain would make of it, `fork`), what was said (`message`), how far it came (`receipt`),
//! clear facts (`fact`), what we have to say (`outbox`), sealed files that it names (`upload`), what that makes
//! of schedules (`planned`),
//! what the relay holds for us (`held`) and gives back (`given`), new phones that ask (`request`),
//! what a person was told (`told`) and has set (`setting`). Rules are left to `sync`: nothing here
//! decides.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior};

use crate::error::{CliError, ExitCode, Result};
use crate::home::Home;

pub mod lane;

pub mod chain;

pub mod message;

pub mod receipt;

pub mod contact;

pub mod fact;

pub mod outbox;

pub mod planned;

pub mod card;

pub mod held;

pub mod fork;

pub mod request;

pub mod told;

pub mod given;

pub mod setting;

pub mod upload;

/// Version of the tables once all steps are done.
const SCHEMA: u32 = 5;

/// Step n leads from version n to n + 1. Only added to: homes of every version are about.
const MIGRATIONS: [&str; SCHEMA as usize] = [
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
];

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
        let version: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let steps = usize::try_from(version).ok().and_then(|version| MIGRATIONS.get(version..));
        let steps = steps.ok_or_else(|| {
            let text = "a newer jiashu wrote this folder: update jiashu, nothing was changed";
            CliError::new(ExitCode::General, text)
        })?;
        for step in steps {
            tx.execute_batch(step)?;
        }
        if !steps.is_empty() {
            tx.pragma_update(None, "user_version", SCHEMA)?;
        }
        tx.commit()?;
        Ok(Self { db })
    }

    /// Puts the database into a new folder beside, where it can be read on. That folder.
    ///
    /// # Errors
    ///
    /// If another process uses it, or the system does not let us.
    pub fn put_away(self, home: &Home) -> Result<PathBuf> {
        // All of it into the one file that is moved.
        self.db.pragma_update(None, "journal_mode", "DELETE")?;
        self.db.close().map_err(|(_, error)| error)?;
        home.put_away()
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
pub(crate) fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
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
    fn a_home_of_the_first_version_keeps_what_it_knew() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::find(Some(dir.path())).unwrap();
        home.prepare().unwrap();
        let db = Connection::open(home.database()).unwrap();
        db.execute_batch(MIGRATIONS[0]).unwrap();
        db.execute_batch(
            "INSERT INTO link VALUES (1, x'01', 5), (2, x'02', 6);
             INSERT INTO outbox (ref, first, frame, about, at, posted) VALUES
                 (x'aa', 1, x'00', x'bb', 1, 2),
                 (x'bb', 1, x'00', x'bb', 1, 2),
                 (x'cc', 1, x'00', x'dd', 1, NULL);",
        )
        .unwrap();
        db.pragma_update(None, "user_version", 1).unwrap();
        drop(db);

        let state = State::open(&home).unwrap();
        drop(state);
        let state = State::open(&home).unwrap();

        assert_eq!(told::upto(state.db(), told::LINK).unwrap(), Some(2), "old changes are no news");
        let held = "SELECT hex(ref), epoch FROM held";
        let held = state.db().query_row(held, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(held, ("AA".to_owned(), 0), "what is held is sealed again after a removal");
        let version: u32 =
            state.db().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, SCHEMA);
    }

    #[test]
    fn a_home_without_state_has_not_joined() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::find(Some(dir.path())).unwrap();

        let error = State::open(&home).unwrap_err();

        assert_eq!(error.code, ExitCode::NotJoined);
    }
}

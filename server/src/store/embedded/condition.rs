//! Whether the store can write, and what a failure means for that.
//!
//! A failed fsync may have lost what the page cache held, and asking again gets a false yes: after
//! an I/O error or damage nothing is written until the file is opened anew. A full disk is waited
//! out.

use std::io;
use std::sync::{Arc, Mutex};

use jiashu_proto::entry::Seq;
use jiashu_proto::id::Scope;
use rusqlite::{ErrorCode, ffi};

use super::{FILE, lock};
use crate::store::{Health, StoreError};

/// Why the file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{FILE}: {}", told(.0))]
    Sqlite(#[from] rusqlite::Error),
    #[error("{FILE}: entry {seq} of scope {scope} is damaged")]
    DamagedEntry { scope: Scope, seq: Seq },
    #[error("{FILE}: the state of scope {scope} is damaged")]
    DamagedState { scope: Scope },
    #[error("{FILE}: a row of scope {scope} in table {table} is damaged")]
    DamagedRow { table: &'static str, scope: Scope },
    #[error("the system gives no random bytes")]
    NoRandom,
    #[error("too many commits are waiting")]
    Busy,
    #[error("nothing is written any more: {0}")]
    Failed(String),
    #[error("the store is closed")]
    Closed,
}

impl Failure {
    /// Whose row is damaged, and in which table.
    pub(super) fn damaged_row(&self) -> Option<(Scope, &'static str)> {
        match self {
            Self::DamagedRow { table, scope } => Some((*scope, table)),
            _ => None,
        }
    }

    /// Whether only opening the file anew can tell what it holds.
    fn is_final(&self) -> bool {
        match self {
            // The index of the WAL could not grow: a full disk, by another name.
            Self::Sqlite(error) if extended_code(error) == Some(ffi::SQLITE_IOERR_SHMSIZE) => false,
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::SystemIoFailure
                        | ErrorCode::DatabaseCorrupt
                        | ErrorCode::NotADatabase
                        | ErrorCode::ReadOnly
                )
            ),
            // One scope's damage; the others need not suffer for it.
            Self::DamagedEntry { .. } | Self::DamagedState { .. } | Self::DamagedRow { .. } => {
                false
            }
            Self::NoRandom | Self::Busy | Self::Failed(_) | Self::Closed => false,
        }
    }
}

/// With the number that tells a failed sync from a failed write.
fn told(error: &rusqlite::Error) -> String {
    match extended_code(error) {
        Some(code) => format!("{error} (SQLite's code {code})"),
        None => error.to_string(),
    }
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable { backend: "embedded", source: Box::new(failure) }
    }
}

impl From<&Arc<Failure>> for StoreError {
    /// The same for everyone in a group.
    fn from(failure: &Arc<Failure>) -> Self {
        let source = io::Error::other(Arc::clone(failure));
        Self::Unavailable { backend: "embedded", source: Box::new(source) }
    }
}

#[derive(Debug, Default)]
enum Writing {
    #[default]
    Works,
    /// Did not the last time, and may again.
    Waits(String),
    /// Will not again.
    Failed(String),
}

/// Whether the store writes.
#[derive(Debug, Default)]
pub(super) struct Condition(Mutex<Writing>);

impl Condition {
    /// A write has failed.
    pub(super) fn failed(&self, failure: &Failure) {
        let mut writing = lock(&self.0);
        if matches!(*writing, Writing::Failed(_)) {
            return;
        }
        if failure.is_final() {
            tracing::error!("the store stops writing: {failure}");
            *writing = Writing::Failed(failure.to_string());
        } else {
            if matches!(*writing, Writing::Works) {
                tracing::warn!("the store cannot write for now: {failure}");
            }
            *writing = Writing::Waits(failure.to_string());
        }
    }

    /// The writer is gone.
    pub(super) fn writer_panicked(&self) {
        *lock(&self.0) = Writing::Failed("the writer has panicked".to_owned());
    }

    /// A write was durable.
    pub(super) fn worked(&self) {
        let mut writing = lock(&self.0);
        if matches!(*writing, Writing::Waits(_)) {
            tracing::info!("the store writes again");
            *writing = Writing::Works;
        }
    }

    /// Why nothing may be written any more, if so.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match &*lock(&self.0) {
            Writing::Failed(reason) => Err(Failure::Failed(reason.clone())),
            Writing::Works | Writing::Waits(_) => Ok(()),
        }
    }

    /// Whether a write failed that may work again.
    pub(super) fn waits(&self) -> bool {
        matches!(*lock(&self.0), Writing::Waits(_))
    }

    /// For the operator.
    pub(super) fn health(&self) -> Health {
        match &*lock(&self.0) {
            Writing::Works => Health::Ok,
            Writing::Waits(reason) | Writing::Failed(reason) => Health::Degraded(reason.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(code: i32) -> Failure {
        Failure::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }

    #[test]
    fn a_full_disk_is_waited_out() {
        let condition = Condition::default();

        condition.failed(&sqlite(ffi::SQLITE_FULL));
        assert!(matches!(condition.health(), Health::Degraded(_)));
        assert!(condition.check().is_ok());
        condition.worked();

        assert_eq!(condition.health(), Health::Ok);
    }

    #[test]
    fn a_failed_fsync_is_final() {
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_CORRUPT] {
            let condition = Condition::default();

            condition.failed(&sqlite(code));
            condition.worked();
            condition.failed(&sqlite(ffi::SQLITE_FULL));
            condition.worked();

            assert!(matches!(condition.health(), Health::Degraded(_)), "code {code}");
            assert!(matches!(condition.check(), Err(Failure::Failed(_))), "code {code}");
        }
    }
}

//! Moves what is durable in the WAL into the file, beside the writer.
//!
//! A passive checkpoint disturbs nobody and cannot start the WAL anew under steady load: when that
//! has grown too long, the writer is asked to do it between two groups.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Row, ffi};

use super::Shared;
use super::schema::{self, PAGE_BYTES};

/// How often to look.
const EVERY: Duration = Duration::from_millis(500);

/// A WAL longer than this is started anew by the writer.
const MOST_WAL_BYTES: i64 = 64 * 1024 * 1024;

/// How often the WAL is asked for before somebody else is let go first; each time it is waited for.
const TRIES: usize = 20;

/// What the writer and the checkpointer tell each other of the WAL.
#[derive(Debug, Default)]
pub(super) struct WalFill {
    written: AtomicBool,
    too_long: AtomicBool,
}

impl WalFill {
    /// The writer has written.
    pub(super) fn note_write(&self) {
        self.written.store(true, Ordering::Release);
    }

    /// Whether the writer should start the WAL anew; asked once for each time that it should.
    pub(super) fn take_too_long(&self) -> bool {
        self.too_long.load(Ordering::Acquire) && self.too_long.swap(false, Ordering::AcqRel)
    }
}

/// Checkpoints until told to stop.
pub(super) fn run(
    connection: &Connection,
    shared: &Shared,
    fill: &WalFill,
    stopped: &Receiver<()>,
) {
    while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        if !fill.written.swap(false, Ordering::AcqRel) || shared.condition.check().is_err() {
            continue;
        }
        match checkpoint(connection, "PASSIVE") {
            Ok(frames) if frames.saturating_mul(PAGE_BYTES) > MOST_WAL_BYTES => {
                fill.too_long.store(true, Ordering::Release);
            }
            Ok(_) => {}
            Err(error) if is_busy(&error) => fill.note_write(),
            Err(error) => shared.condition.failed(&error.into()),
        }
    }
}

/// Runs a checkpoint of that mode and gives the length of the WAL in frames.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(1))
}

/// Moves all of the WAL into the file and cuts it off, on a connection of its own: what it held of rows that were
/// deleted is gone then. Waits for readers and writers to let go.
pub(super) fn clean(path: &Path) -> rusqlite::Result<()> {
    let connection = schema::open_checkpointer(path)?;
    for _ in 0..TRIES {
        let is_busy = |row: &Row<'_>| row.get::<_, bool>(0);
        match connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], is_busy) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(error) if self::is_busy(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None))
}

/// Whether somebody else is at it; to be tried again later.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

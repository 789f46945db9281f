//! What the file looks like, how it is opened, and what is refused.
//!
//! u64 numbers are stored bit by bit as SQLite's signed ones: a scope's is compared for equality
//! only, and a place never comes near the sign.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, TransactionBehavior};

use super::{OpenError, Options, sums};

/// "Jias" in ASCII: says whose file it is.
const APPLICATION_ID: i64 = 0x4a69_6173;

/// Size of a page, in bytes; SQLite's default, said so that the WAL can be measured.
pub(super) const PAGE_BYTES: i64 = 4096;

/// Statements kept prepared by each connection; more than there are.
const STATEMENTS: usize = 64;

/// How long to wait for a checkpoint or a reader to let go.
const BUSY: Duration = Duration::from_secs(1);

/// Step n leads from version n to n + 1. Only added to: files of every version are about.
const MIGRATIONS: [&str; 4] = [
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
];

/// The last version of a file whose rows have no check.
const UNCHECKED: usize = 1;

/// The last version in which the check of what is due leaves out what was planned.
const UNPLANNED: usize = 2;

/// The connection that writes, with the schema in place.
pub(super) fn open_writer(path: &Path, options: Options) -> Result<Connection, OpenError> {
    let sqlite = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign(path.to_owned()),
        Some(ErrorCode::DatabaseCorrupt) => OpenError::damaged(path, source.to_string()),
        _ => OpenError::Sqlite { path: path.to_owned(), source },
    };
    let mut connection = Connection::open_with_flags(path, write_flags()).map_err(sqlite)?;
    let version = known_version(&connection, path, &sqlite)?;
    if !set_up_writer(&connection, options).map_err(sqlite)? {
        return Err(OpenError::NoWal(path.to_owned()));
    }
    migrate(&mut connection, version).map_err(sqlite)?;
    Ok(connection)
}

/// Whether a file that another process writes can be read as it is.
pub(super) fn check_version(path: &Path) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let connection = open_reader(path, Options::default()).map_err(sqlite)?;
    match known_version(&connection, path, &sqlite)? {
        version if version == MIGRATIONS.len() => Ok(()),
        _ => Err(OpenError::Older(path.to_owned())),
    }
}

/// The file's version; 0 for one that is still empty. Nothing is written before it is known.
fn known_version(
    connection: &Connection,
    path: &Path,
    sqlite: &impl Fn(rusqlite::Error) -> OpenError,
) -> Result<usize, OpenError> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(sqlite);
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let application = number("PRAGMA application_id")?;
    let found = number("PRAGMA user_version")?;

    if (tables, application, found) == (0, 0, 0) {
        return Ok(0);
    }
    if application != APPLICATION_ID {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    match usize::try_from(found) {
        Ok(version) if (1..=MIGRATIONS.len()).contains(&version) => Ok(version),
        _ if found > known => Err(OpenError::Newer { path: path.to_owned(), found, known }),
        _ => Err(OpenError::Foreign(path.to_owned())),
    }
}

/// Whether the file could be given a WAL.
fn set_up_writer(connection: &Connection, options: Options) -> rusqlite::Result<bool> {
    set_up(connection, options.cache_kib)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    let mode = |row: &Row<'_>| row.get::<_, String>(0);
    let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", mode)?;
    // FULL, since NORMAL loses the last commits in WAL mode. What is deleted is overwritten, so
    // that what a family deleted is gone from the disk.
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA secure_delete = ON;",
    )?;
    Ok(mode == "wal")
}

fn migrate(connection: &mut Connection, version: usize) -> rusqlite::Result<()> {
    let steps = MIGRATIONS.get(version..).unwrap_or_default();
    if steps.is_empty() {
        return Ok(());
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in steps {
        tx.execute_batch(step)?;
    }
    match version {
        UNCHECKED => sums::fill_all(&tx)?,
        UNPLANNED => sums::fill_due(&tx)?,
        _ => {}
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    tx.commit()
}

/// A connection that only checkpoints.
pub(super) fn open_checkpointer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, write_flags())?;
    set_up(&connection, 64)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")?;
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path, options: Options) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    set_up(&connection, options.reader_cache_kib)?;
    Ok(connection)
}

fn write_flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Cache and mapping count in the relay's memory, so they are said and not left to a default.
fn set_up(connection: &Connection, cache_kib: u32) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    // Else some statements are compiled anew for each value that is bound to them: a third of the work
    // of a commit.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(&format!(
        "PRAGMA cache_size = -{cache_kib}; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
    ))
}

/// A value as its column holds it.
pub(super) fn to_cbor<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to memory cannot fail")
}

//! A look at the whole file before it is used: what a query would never meet is found here.
//!
//! A row that has vanished from a table is missed by no query, and a store that goes on without it
//! guesses. So SQLite checks how its pages hang together, every small row its own check, and each
//! log its length. A scope with a damaged row is refused from then on, the others go on; where it
//! cannot be told whose the damage is, the file is.

use std::collections::BTreeSet;
use std::sync::Mutex;

use jiashu_proto::id::Scope;
use rusqlite::Connection;

use super::condition::Failure;
use super::sums::{CURSOR, TABLES};
use super::{Look, lock, reader};

/// A file longer than this, in bytes, is looked over only when it is read: 100,000 letters are
/// 40 MB and take some tenths of a second, and whoever waits for a relay to come back should not
/// wait longer.
const LONGEST: i64 = 64 * 1024 * 1024;

/// Scopes with a row that fails its check.
#[derive(Debug, Default)]
pub(super) struct Damaged(Mutex<BTreeSet<(Scope, &'static str)>>);

impl Damaged {
    /// Notes a damaged row, and says so once.
    pub(super) fn note(&self, scope: Scope, table: &'static str) {
        if lock(&self.0).insert((scope, table)) {
            tracing::error!(scope.id = %scope, "{}", Failure::DamagedRow { table, scope });
        }
    }

    /// All that have one.
    pub(super) fn scopes(&self) -> Vec<Scope> {
        let scopes: BTreeSet<_> = lock(&self.0).iter().map(|(scope, _)| *scope).collect();
        scopes.into_iter().collect()
    }

    /// Refuses a scope that has one.
    pub(super) fn check(&self, scope: Scope) -> Result<(), Failure> {
        let of_scope = (scope, "")..=(scope, "~");
        match lock(&self.0).range(of_scope).next() {
            Some((_, table)) => Err(Failure::DamagedRow { table, scope }),
            None => Ok(()),
        }
    }
}

/// Looks at all of a file that is not too long. What is wrong with it as a whole, if something is.
pub(super) fn look_over(
    connection: &Connection,
    look: Look,
    damaged: &Damaged,
) -> rusqlite::Result<Option<String>> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let length = number("PRAGMA page_count")?.saturating_mul(number("PRAGMA page_size")?);
    if look == Look::Quick && length > LONGEST {
        tracing::info!("the store is long: it is checked as it is read");
        return Ok(None);
    }
    let pages: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if pages != "ok" {
        return Ok(Some(pages.replace('\n', " ")));
    }
    if look == Look::Thorough {
        check_entries(connection, damaged)?;
    }
    match check_rows(connection, damaged)? {
        None => check_logs(connection, damaged),
        unknown => Ok(unknown),
    }
}

fn check_entries(connection: &Connection, damaged: &Damaged) -> rusqlite::Result<()> {
    let mut all = connection.prepare("SELECT seq, at, content, sum, tag, scope FROM entry")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let (seq, scope): (i64, i64) = (row.get(0)?, row.get(5)?);
        let scope = Scope(scope.cast_unsigned());
        if let Err(failure) = reader::record(row, 0, scope, seq.cast_unsigned()) {
            tracing::error!("{failure}");
            damaged.note(scope, "entry");
        }
    }
    Ok(())
}

fn check_rows(connection: &Connection, damaged: &Damaged) -> rusqlite::Result<Option<String>> {
    for table in &TABLES {
        let sql = format!("SELECT {}, sum FROM {}", table.columns(), table.name);
        let mut all = connection.prepare(&sql)?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            if table.holds(row)? {
                continue;
            }
            let scope = Scope(row.get::<_, i64>(0)?.cast_unsigned());
            if table.name == CURSOR.name {
                // May be lost, as one that was never written.
                tracing::warn!("{}", Failure::DamagedRow { table: table.name, scope });
            } else if matches!(reader::state(connection, scope), Ok(Some(_))) {
                damaged.note(scope, table.name);
            } else {
                return Ok(Some(format!("a row of table {}, of no known scope", table.name)));
            }
        }
    }
    Ok(None)
}

/// Every place of a log, from its floor to its head, has its row.
fn check_logs(connection: &Connection, damaged: &Damaged) -> rusqlite::Result<Option<String>> {
    let mut places = connection.prepare(
        "SELECT count(*), coalesce(max(seq), ?2) FROM entry WHERE scope = ?1 AND seq > ?2",
    )?;
    let mut all = connection.prepare("SELECT id FROM scope")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let scope = Scope(row.get::<_, i64>(0)?.cast_unsigned());
        let state = match reader::state(connection, scope) {
            Ok(Some(state)) => state,
            Err(Failure::DamagedState { .. }) => {
                damaged.note(scope, "scope");
                continue;
            }
            Ok(None) | Err(_) => return Ok(Some(format!("the state of scope {scope}"))),
        };
        let (floor, head) = (state.floor.cast_signed(), state.head.cast_signed());
        let found = places.query_row((scope.0.cast_signed(), floor), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
        if found != (head - floor, head) {
            return Ok(Some(format!("the log of scope {scope}")));
        }
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM entry WHERE scope NOT IN (SELECT id FROM scope))";
    let unknown: bool = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(unknown.then(|| "entries of no known scope".to_owned()))
}

//! The rows of a scope's ledger.

use jiashu_proto::id::Scope;
use rusqlite::types::ValueRef::{Blob, Integer, Text};
use rusqlite::{Connection, Row};

use super::condition::Failure;
use super::sums::LEDGER;
use crate::store::{Book, BookRow, LedgerRow, LedgerVersion};

/// The rows of a book, ascending by name.
pub(super) fn book(tx: &Connection, scope: Scope, book: &str) -> Result<Book, Failure> {
    let mut of_book = tx.prepare_cached(
        "SELECT scope, book, name, version, value, sum FROM ledger
         WHERE scope = ?1 AND book = ?2 ORDER BY name",
    )?;
    let mut rows = of_book.query((scope.0.cast_signed(), book))?;
    let mut found = Book::default();
    while let Some(row) = rows.next()? {
        if !LEDGER.holds(row)? {
            return Err(Failure::DamagedRow { table: LEDGER.name, scope });
        }
        let (name, value) = (blob(row, 2)?, blob(row, 4)?);
        found.push(BookRow { name, version: version(row)?, value });
    }
    Ok(found)
}

/// One row of it.
pub(super) fn row(
    tx: &Connection,
    scope: Scope,
    book: &str,
    name: &[u8],
) -> Result<Option<LedgerRow>, Failure> {
    let mut one = tx.prepare_cached(
        "SELECT scope, book, name, version, value, sum FROM ledger
         WHERE scope = ?1 AND book = ?2 AND name = ?3",
    )?;
    let mut rows = one.query((scope.0.cast_signed(), book, name))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    if !LEDGER.holds(row)? {
        return Err(Failure::DamagedRow { table: LEDGER.name, scope });
    }
    Ok(Some(read(row)?))
}

/// A row of the table, by its columns as they are checked.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<LedgerRow> {
    let (book, name, value) = (row.get(1)?, row.get(2)?, row.get(4)?);
    Ok(LedgerRow { book, name, version: version(row)?, value })
}

/// Where it stands: of many rows none is copied twice.
fn blob<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    Ok(row.get_ref(column)?.as_blob()?)
}

fn version(row: &Row<'_>) -> rusqlite::Result<LedgerVersion> {
    let bytes: [u8; 16] = row.get(3)?;
    let (high, low) = bytes.split_at(8);
    let [high, low] = [high, low].map(|half| half.try_into().unwrap_or_default());
    Ok((u64::from_be_bytes(high), u64::from_be_bytes(low)))
}

/// How many rows a book has.
pub(super) fn count(tx: &Connection, scope: Scope, book: &str) -> Result<usize, Failure> {
    let sql = "SELECT count(*) FROM ledger WHERE scope = ?1 AND book = ?2";
    let rows = tx.prepare_cached(sql)?.query_row((scope.0.cast_signed(), book), |row| row.get(0));
    let rows: i64 = rows?;
    Ok(usize::try_from(rows).unwrap_or(usize::MAX))
}

/// Writes a row, unless one stands whose version is not below.
pub(super) fn enter(tx: &Connection, scope: Scope, row: &LedgerRow) -> rusqlite::Result<()> {
    let mut enter = tx.prepare_cached(
        "INSERT INTO ledger(scope, book, name, version, value, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT(scope, book, name)
         DO UPDATE SET version = excluded.version, value = excluded.value, sum = excluded.sum
         WHERE excluded.version > version",
    )?;
    let LedgerRow { book, name, version, value } = row;
    let (id, version) = (scope.0.cast_signed(), version_bytes(*version));
    let values = [Integer(id), Text(book.as_bytes()), Blob(name), Blob(&version), Blob(value)];
    enter.execute((id, book, name, version, value, LEDGER.sum(values)))?;
    Ok(())
}

fn version_bytes((high, low): LedgerVersion) -> [u8; 16] {
    ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
}

//! A whole book of a ledger in one piece of memory: one with a row for each of 100,000 families is read for every
//! request of staff, and a row by itself would cost more to allocate than to read.

use super::{LedgerRow, LedgerVersion};

/// The rows of a book, ascending by name.
#[derive(Debug, Default)]
pub struct Book {
    bytes: Vec<u8>,
    rows: Vec<Stands>,
}

/// Where a row's name begins, and how long it and its value are, which follows.
#[derive(Debug)]
struct Stands {
    at: usize,
    name: usize,
    value: usize,
    version: LedgerVersion,
}

/// A row of a book as it stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookRow<'a> {
    /// Its name in the book.
    pub name: &'a [u8],
    /// As of [`LedgerRow::version`].
    pub version: LedgerVersion,
    /// What it says.
    pub value: &'a [u8],
}

impl Book {
    /// Puts a row behind the others.
    pub(crate) fn push(&mut self, row: BookRow<'_>) {
        let BookRow { name, version, value } = row;
        let at = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        self.rows.push(Stands { at, name: name.len(), value: value.len(), version });
    }

    /// Puts them in order, where the store gave them in none.
    pub(super) fn sort(&mut self) {
        let bytes = &self.bytes;
        self.rows.sort_unstable_by(|one, other| one.read(bytes).name.cmp(other.read(bytes).name));
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row at that place, from 0.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<BookRow<'_>> {
        Some(self.rows.get(place)?.read(&self.bytes))
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = BookRow<'_>> {
        self.rows.iter().map(|row| row.read(&self.bytes))
    }

    /// Each by itself.
    pub(super) fn into_rows(self, book: &str) -> Vec<LedgerRow> {
        let row = |row: BookRow<'_>| LedgerRow {
            book: book.to_owned(),
            name: row.name.to_vec(),
            version: row.version,
            value: row.value.to_vec(),
        };
        self.iter().map(row).collect()
    }
}

impl Stands {
    fn read<'a>(&self, bytes: &'a [u8]) -> BookRow<'a> {
        let own = bytes.get(self.at..).unwrap_or_default();
        let (name, rest) = own.split_at_checked(self.name).unwrap_or_default();
        let value = rest.get(..self.value).unwrap_or_default();
        BookRow { name, version: self.version, value }
    }
}

//! What stands on a page as a table, and leaves as CSV with the same numbers.

use crate::ngo::export::sheet::Lines;

/// A table: its columns' names, and as many cells a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows; the first cell of each says what it is of.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// As a file, after RFC 4180; no cell is a formula to a spreadsheet.
    #[must_use]
    pub fn to_csv(&self) -> Vec<u8> {
        let mut lines = Lines::default();
        lines.add(&self.columns);
        self.rows.iter().for_each(|row| lines.add(row));
        lines.into_bytes()
    }
}

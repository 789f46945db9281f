//! A CSV file as a table of its columns: each says what it is called, what it means, and what stands in it.
//!
//! RFC 4180, UTF-8. A cell that a spreadsheet would take for a formula begins with an apostrophe: codes and names of
//! places come from people.

use std::borrow::Cow;

use jiashu_api::export as api;

/// A column of rows `R`.
pub struct Column<R> {
    /// As in the header.
    pub name: &'static str,
    /// What stands in it.
    pub kind: Kind,
    /// Of what, where it counts or measures something.
    pub unit: Option<&'static str>,
    /// For a person.
    pub meaning: &'static str,
    /// The heading in docs/monitoring.md under which it is explained.
    pub formula: &'static str,
    /// What stands in a row; nothing where it is not known, or left out.
    pub cell: fn(&R) -> String,
}

/// What stands in a column.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number, 0 or more.
    Integer,
    /// A number with one decimal.
    Number,
    /// A text.
    Text,
    /// `2026-11-29`.
    Date,
    /// `2026-11-29T11:30:00Z`.
    Time,
    /// `2026W48` or `202611`.
    Period,
    /// `yes` or `no`.
    YesNo,
    /// One of these words.
    OneOf(fn() -> Vec<&'static str>),
}

impl Kind {
    fn name(self) -> String {
        match self {
            Self::Integer => "integer".to_owned(),
            Self::Number => "number".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Date => "date".to_owned(),
            Self::Time => "time".to_owned(),
            Self::Period => "period".to_owned(),
            Self::YesNo => "yes/no".to_owned(),
            Self::OneOf(words) => words().join(" | "),
        }
    }
}

/// What the columns mean, in their order.
#[must_use]
pub fn codebook<R>(columns: &[Column<R>]) -> Vec<api::Column> {
    columns.iter().map(Column::explained).collect()
}

impl<R> Column<R> {
    /// What it means.
    #[must_use]
    pub fn explained(&self) -> api::Column {
        api::Column {
            column: self.name.to_owned(),
            kind: self.kind.name(),
            unit: self.unit.map(str::to_owned),
            meaning: self.meaning.to_owned(),
            formula: format!("docs/monitoring.md, {}", self.formula),
        }
    }
}

/// The header, as the first piece of a file.
#[must_use]
pub fn header<R>(columns: &[Column<R>]) -> Vec<u8> {
    let mut lines = Lines::default();
    lines.add(columns.iter().map(|column| column.name));
    lines.into_bytes()
}

/// Lines of a file.
pub struct Lines(csv::Writer<Vec<u8>>);

impl Default for Lines {
    fn default() -> Self {
        let end = csv::Terminator::CRLF;
        Self(csv::WriterBuilder::new().terminator(end).flexible(false).from_writer(Vec::new()))
    }
}

impl Lines {
    /// Adds a row.
    pub fn row<R>(&mut self, columns: &[Column<R>], row: &R) {
        self.add(columns.iter().map(|column| (column.cell)(row)));
    }

    /// Adds a line of as many cells as the one before.
    pub fn add<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        for cell in cells {
            let written = self.0.write_field(defused(cell.as_ref()).as_bytes());
            written.expect("writing to memory cannot fail");
        }
        self.0.write_record(None::<&[u8]>).expect("each line has as many cells as its table");
    }

    /// All of them.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("writing to memory cannot fail")
    }
}

/// What a spreadsheet takes for text whatever it begins with (OWASP, *CSV Injection*).
#[must_use]
pub fn defused(cell: &str) -> Cow<'_, str> {
    if is_formula(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// Whether a spreadsheet would take a cell for a formula.
#[must_use]
pub fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
}

/// `yes` or `no`.
#[must_use]
pub fn yes_no(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_every_text_reads_back() {
        let cases = [
            ("天水", "天水"),
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-a", "'-a"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\r=1", "'\r=1"),
            ("a=1", "a=1"),
            ("a,\"b\"\r\nc", "a,\"b\"\r\nc"),
            ("", ""),
        ];
        let mut lines = Lines::default();
        for (cell, _) in cases {
            lines.add(["x", cell]);
        }
        let bytes = lines.into_bytes();

        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
        let read: Vec<_> = reader.records().map(|record| record.unwrap()[1].to_owned()).collect();
        assert_eq!(read, cases.map(|(_, read)| read));
        assert!(bytes.starts_with("x,天水\r\n".as_bytes()));
    }
}

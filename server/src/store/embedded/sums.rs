//! A check of every row: SQLite does not check its pages, and a store that guesses is worse than one
//! that refuses.
//!
//! What is done with a row that fails its check is `reader`'s and `look_over`'s.

use jiashu_proto::entry::Seq;
use jiashu_proto::id::{Millis, Scope};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row};

/// A table whose rows have their check in the column `sum`.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// What tells its rows apart, the scope first.
    key: &'static [&'static str],
    rest: &'static [&'static str],
}

pub(super) const FACT: Table =
    Table { name: "fact", key: &["scope", "key"], rest: &["seq", "rank"] };
pub(super) const HELD: Table =
    Table { name: "held", key: &["scope", "schedule", "body_ref"], rest: &["content"] };
pub(super) const CARD: Table = Table { name: "card", key: &["scope", "invite"], rest: &["blob"] };
pub(super) const DUE: Table =
    Table { name: "due", key: &["scope", "item"], rest: &["at", "planned"] };
pub(super) const CURSOR: Table =
    Table { name: "cursor", key: &["scope", "device"], rest: &["seq", "at"] };
pub(super) const LEDGER: Table =
    Table { name: "ledger", key: &["scope", "book", "name"], rest: &["version", "value"] };

/// All of them.
pub(super) const TABLES: [Table; 6] = [FACT, HELD, CARD, DUE, CURSOR, LEDGER];

impl Table {
    /// The columns that are checked, in their order.
    pub(super) fn columns(&self) -> String {
        [self.key, self.rest].concat().join(", ")
    }

    fn width(&self) -> usize {
        self.key.len() + self.rest.len()
    }

    /// The check of a row with these values, in the order of [`Table::columns`].
    pub(super) fn sum<'a>(&self, values: impl IntoIterator<Item = ValueRef<'a>>) -> i64 {
        let mut sum = self.begin();
        values.into_iter().for_each(|value| sum.add_value(value));
        sum.0.cast_signed()
    }

    fn begin(&self) -> Fnv {
        let mut sum = Fnv::default();
        sum.add(self.name.as_bytes());
        sum
    }

    /// Whether a row holds; its first columns are [`Table::columns`], the next is its check.
    pub(super) fn holds(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let sum = self.sum_of(row)?;
        Ok(row.get_ref(self.width())? == ValueRef::Integer(sum))
    }

    fn sum_of(&self, row: &Row<'_>) -> rusqlite::Result<i64> {
        let mut sum = self.begin();
        for column in 0..self.width() {
            sum.add_value(row.get_ref(column)?);
        }
        Ok(sum.0.cast_signed())
    }

    /// Gives every row its check.
    fn fill(&self, tx: &Connection) -> rusqlite::Result<()> {
        let is = |(number, column): (usize, &&str)| format!("{column} = ?{}", number + 2);
        let which: Vec<_> = self.key.iter().enumerate().map(is).collect();
        let sql = format!("UPDATE {} SET sum = ?1 WHERE {}", self.name, which.join(" AND "));
        let mut put = tx.prepare(&sql)?;
        let mut all = tx.prepare(&format!("SELECT {} FROM {}", self.columns(), self.name))?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let key = (0..self.key.len()).map(|column| row.get::<_, Value>(column));
            let sum = Value::from(self.sum_of(row)?);
            let values = std::iter::once(Ok(sum)).chain(key);
            put.execute(rusqlite::params_from_iter(values.collect::<rusqlite::Result<Vec<_>>>()?))?;
        }
        Ok(())
    }
}

/// Fills in what `schema_2.sql` has added.
pub(super) fn fill_all(tx: &Connection) -> rusqlite::Result<()> {
    for table in TABLES {
        table.fill(tx)?;
    }
    // Superseded entries have kept the check of what they once held.
    let mut put = tx.prepare("UPDATE entry SET sum = ?1 WHERE id = ?2")?;
    let mut all = tx.prepare("SELECT id, scope, seq, at, tag FROM entry WHERE content IS NULL")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let place = (row.get::<_, i64>(1)?.cast_unsigned(), row.get::<_, i64>(2)?.cast_unsigned());
        let sum = entry_sum(Scope(place.0), place.1, row.get(3)?, row.get(4)?, None);
        put.execute((sum, row.get::<_, i64>(0)?))?;
    }
    Ok(())
}

/// Fills in what `schema_3.sql` has changed.
pub(super) fn fill_due(tx: &Connection) -> rusqlite::Result<()> {
    DUE.fill(tx)
}

/// A check of an entry's content (`None`: it was superseded) and of where it stands.
pub(super) fn entry_sum(
    scope: Scope,
    seq: Seq,
    at: Millis,
    tag: u32,
    content: Option<&[u8]>,
) -> i64 {
    let place = [scope.0.to_le_bytes(), seq.to_le_bytes(), at.to_le_bytes()];
    let mut sum = Fnv::default();
    place.iter().for_each(|part| sum.add(part));
    sum.add(&tag.to_le_bytes());
    sum.add(content.unwrap_or(b"superseded"));
    sum.0.cast_signed()
}

/// A check of a scope's state.
pub(super) fn state_sum(scope: Scope, state: &[u8]) -> i64 {
    let mut sum = Fnv::default();
    sum.add(&scope.0.to_le_bytes());
    sum.add(state);
    sum.0.cast_signed()
}

/// FNV-1a, 64 bits: cheap, and finds every single changed byte. It is no defence against whoever
/// can write the file. Source: <http://www.isthe.com/chongo/tech/comp/fnv/>.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// With its type and length, so that what is moved from one column to the next shows.
    fn add_value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Integer(number) => {
                self.add(b"i");
                self.add(&number.to_le_bytes());
            }
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                self.add(b"b");
                self.add(&bytes.len().to_le_bytes());
                self.add(bytes);
            }
            // None of the columns holds a real number.
            ValueRef::Null | ValueRef::Real(_) => self.add(b"-"),
        }
    }
}

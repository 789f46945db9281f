//! What a batch's preconditions ask about, as the group's transaction sees it.

use jiashu_proto::entry::Seq;
use jiashu_proto::id::{Millis, Ref, Scope};
use rusqlite::Connection;

use super::condition::Failure;
use super::{facts, ledger, reader};
use crate::store::step::Beside;
use crate::store::{DueItem, HeldBody};

/// The rows of one scope.
pub(super) struct Rows<'a> {
    pub(super) tx: &'a Connection,
    pub(super) scope: Scope,
}

impl Beside for Rows<'_> {
    type Error = Failure;

    fn fact_at(&self, key: &str) -> Result<Option<Seq>, Failure> {
        Ok(facts::standing(self.tx, self.scope, key)?.map(|fact| fact.place.seq))
    }

    fn due_at(&self, item: &DueItem) -> Result<Option<Millis>, Failure> {
        reader::due_at(self.tx, self.scope, item)
    }

    fn held(&self) -> Result<usize, Failure> {
        let mut held = self.tx.prepare_cached("SELECT count(*) FROM held WHERE scope = ?1")?;
        let held: i64 = held.query_row([self.scope.0.cast_signed()], |row| row.get(0))?;
        Ok(usize::try_from(held).unwrap_or(usize::MAX))
    }

    fn rows(&self, book: &str) -> Result<usize, Failure> {
        ledger::count(self.tx, self.scope, book)
    }

    fn is_held(&self, schedule: Ref, body_ref: Ref) -> Result<bool, Failure> {
        let mut holds = self.tx.prepare_cached(
            "SELECT 1 FROM held WHERE scope = ?1 AND schedule = ?2 AND body_ref = ?3",
        )?;
        Ok(holds.exists((self.scope.0.cast_signed(), schedule.0, body_ref.0))?)
    }

    fn held_are(
        &self,
        schedule: Ref,
        first: Option<&HeldBody>,
        count: usize,
    ) -> Result<bool, Failure> {
        let (found, held) = reader::first_held(self.tx, self.scope, schedule)?;
        Ok(found.as_ref() == first && held == count)
    }
}

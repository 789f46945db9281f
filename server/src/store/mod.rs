//! The family log and all that changes together with it.
//!
//! A store is small: commit, read after a cursor, look up who has access, what is due, note how far
//! devices are. What the words mean is decided above, in `family`, which is pure; a store checks
//! preconditions and makes a batch durable, whole or not at all. There are two, and one suite
//! of promises (`conformance`) holds for both. `batch` is what one step changes, `scope` what is known beside
//! the log, `step` what a batch does to that in every store, `snapshot` all of a scope, for a backup.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiashu_proto::entry::{Cursor, Seq};
use jiashu_proto::frame::Reached;
use jiashu_proto::id::{DeviceId, InviteId, Millis, N, Ref, Scope};
use tokio::sync::broadcast;

pub use batch::{
    Author, Batch, Change, Due, DueItem, HeldBody, LedgerRow, LedgerVersion, NEVER, NewEntry,
    Precondition,
};
pub use book::{Book, BookRow};
pub use scope::{Invite, InviteState, ScopeKind, ScopeState, Seat, Suspended, Ticket, short_name};
pub use snapshot::{Card, DueAt, FactAt, Place, Snapshot};

use status::StoreStatus;

mod batch;

mod scope;

mod book;

mod snapshot;

pub mod status;

mod step;

pub mod embedded;

pub mod redis;

mod noted;

#[cfg(test)]
pub(crate) mod conformance;

/// What there is of a schedule that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurring {
    /// The schedule's fact.
    pub schedule: Record,
    /// The body that it will release next.
    pub first: Option<HeldBody>,
    /// How many bodies it holds.
    pub held: usize,
}

/// How much is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DueCount {
    /// Items whose time has come.
    pub overdue: u64,
    /// All items, those among them.
    pub pending: u64,
}

/// What the store did, or had done when it saw the command first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Place of the batch's first entry; 0 if it has none.
    pub first: Seq,
    /// Time of that entry in ms; of a batch without one the time of this answer.
    pub at: Millis,
    /// Whether this is the answer to a repeat, and nothing was written.
    pub repeat: bool,
}

/// An entry as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub seq: Seq,
    /// When it was committed, in ms.
    pub at: Millis,
    /// Kind and body.
    pub content: Vec<u8>,
}

/// What stands after a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where reading goes on.
    pub upto: Cursor,
    /// Last place of the log when it was read; the page ends there if `upto` does.
    pub head: Seq,
    /// Up to this place only facts are left.
    pub floor: Seq,
    /// Ascending, less what was superseded.
    pub records: Vec<Record>,
    /// What is given to whom no more, as of the same moment: no page is older than the suspensions it comes with.
    pub suspended: Vec<Suspended>,
}

/// How much of the log to read at once. At least one record is read, however large.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    /// Places looked at.
    pub entries: usize,
    /// Bytes of content.
    pub bytes: usize,
}

/// Whether a store can do its work, for `/healthz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Reads and writes.
    Ok,
    /// Does not write any more, and why: one line for the operator.
    Degraded(String),
}

/// How far the cleaning of a store's files has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cleaning {
    /// Nothing of what was deleted before it was begun is left.
    Done,
    /// It goes on, or waits for its turn; by this [`Store::clean`] tells what came of it.
    Begun(String),
}

/// A scope's log has grown, or access to it has changed: look. May be lost or doubled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// Which.
    pub scope: Scope,
}

/// Why the store could not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A precondition no longer held and nothing was written: read again, decide again.
    #[error("{precondition} no longer holds")]
    Stale {
        /// The first that did not hold.
        precondition: Precondition,
    },
    /// The author's counter is not the next, and its ref is none of the last.
    #[error("the last counter used is {last_n}")]
    Renumber {
        /// The last that was used.
        last_n: N,
    },
    /// The author is unknown or revoked.
    #[error("the device is not, or no longer, of this scope")]
    NotLive,
    /// The family began anew in another scope.
    #[error("the family began anew in another scope")]
    Superseded,
    /// All of the scope was deleted.
    #[error("all of the scope was deleted")]
    Erased,
    /// There is no such scope.
    #[error("there is no such scope")]
    NoScope,
    /// The cursor does not stand in this log: another generation, another tag, or beyond the head.
    #[error("the cursor does not stand in this log")]
    OtherLog,
    /// Try again later; nothing was written, or it is not known (a repeat finds out).
    #[error("the {backend} store is unavailable")]
    Unavailable {
        /// Which store.
        backend: &'static str,
        /// For the log.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The log of every scope and all that must change together with it.
///
/// Every method is one atomic step: its effects are visible all at once or not at all. A caller
/// never needs two calls to keep a promise.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Writes the whole batch if all its preconditions hold, and answers once that is durable.
    ///
    /// The order of checks: the scope exists and is not erased; the author is live, and the scope not superseded; its ref is among its last (then
    /// the first answer is repeated); its `n` is the next; the preconditions in their order.
    /// A batch that fails undoes nothing of others that were written with it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoScope`], [`StoreError::Erased`], [`StoreError::NotLive`], [`StoreError::Superseded`],
    /// [`StoreError::Renumber`], [`StoreError::Stale`]: nothing was written. [`StoreError::Unavailable`]: repeat it.
    async fn commit(&self, scope: Scope, batch: Batch) -> Result<Committed, StoreError>;

    /// What is known of a scope; `None` if there is no such scope.
    async fn state(&self, scope: Scope) -> Result<Option<Arc<ScopeState>>, StoreError>;

    /// The records after `cursor`, that place excluded, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError::OtherLog`] if the cursor does not stand in this log. A cursor of the log's
    /// generation at place 0, or not beyond the floor, always does.
    async fn read_after(
        &self,
        scope: Scope,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Page, StoreError>;

    /// What stands at one place of the log; `None` if it was superseded, is forgotten or yet to come.
    async fn record_at(&self, scope: Scope, seq: Seq) -> Result<Option<Record>, StoreError>;

    /// The facts whose key begins with `prefix`, ascending by key, with their keys.
    async fn facts(&self, scope: Scope, prefix: &str) -> Result<Vec<(String, Record)>, StoreError>;

    /// The fact of that key.
    async fn fact(&self, scope: Scope, key: &str) -> Result<Option<Record>, StoreError>;

    /// A whole book of the ledger.
    async fn whole_book(&self, scope: Scope, book: &str) -> Result<Book, StoreError>;

    /// The rows of a book of the ledger, ascending by name, each by itself: of a book that is not long.
    async fn book(&self, scope: Scope, book: &str) -> Result<Vec<LedgerRow>, StoreError> {
        Ok(self.whole_book(scope, book).await?.into_rows(book))
    }

    /// One row of a book, by its name, without a look at the others.
    async fn row(
        &self,
        scope: Scope,
        book: &str,
        name: &[u8],
    ) -> Result<Option<LedgerRow>, StoreError>;

    /// The bodies that this schedule will release, in the order they were first held.
    async fn held(&self, scope: Scope, schedule: Ref) -> Result<Vec<HeldBody>, StoreError>;

    /// The blob of an open invite.
    async fn card(&self, scope: Scope, invite: InviteId) -> Result<Option<Vec<u8>>, StoreError>;

    /// What is due at `now` or before, the earliest first, at most `limit`.
    async fn due(&self, now: Millis, limit: usize) -> Result<Vec<Due>, StoreError>;

    /// What there is of each of these schedules, in their order; `None` where the fact is gone. One
    /// look for all of them: thousands may be due in one minute. What is wrong with one is said of it
    /// alone.
    async fn occurring(
        &self,
        of: Vec<(Scope, Ref)>,
    ) -> Result<Vec<Result<Option<Occurring>, StoreError>>, StoreError>;

    /// The occurrences to come of all schedules, whenever they are due, in some order that stays the
    /// same: those behind `after`, at most `limit`.
    async fn occurrences(
        &self,
        after: Option<(Scope, Ref)>,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError>;

    /// How much is due, for the operator. May take a moment where a million are.
    async fn due_count(&self, now: Millis) -> Result<DueCount, StoreError>;

    /// How many schedules of the scope have an occurrence to come, the paused among them. Costs what these cost, however
    /// many have ended.
    async fn running(&self, scope: Scope) -> Result<usize, StoreError>;

    /// When the next thing is due, in ms.
    async fn next_due(&self) -> Result<Option<Millis>, StoreError>;

    /// Notes how far a device has read. Not a commit: coalesced, written within 5 s, may be lost.
    /// Seen by [`Store::cursors`] at once. Never moves back, unless the log is another one.
    fn note_cursor(&self, scope: Scope, device: DeviceId, seq: Seq, now: Millis);

    /// How far the scope's devices have read.
    async fn cursors(&self, scope: Scope) -> Result<Vec<Reached>, StoreError>;

    /// All scopes, ascending. Those that are made meanwhile may be among them.
    async fn scopes(&self) -> Result<Vec<Scope>, StoreError>;

    /// Everything of a scope, as of one moment; `None` if there is no such scope. By
    /// [`Change::Restore`] it is the same elsewhere.
    async fn snapshot(&self, scope: Scope) -> Result<Option<Snapshot>, StoreError>;

    /// Hints that a log has grown. They may be lost or doubled: the log is the truth, and the look
    /// at every heartbeat finds what a lost hint hid.
    fn wakes(&self) -> broadcast::Receiver<Wake>;

    /// Whether it can do its work.
    fn health(&self) -> Health;

    /// What it is and what it promises as it is set now, for the operator. Looked up anew: a moment's work.
    async fn status(&self) -> Result<StoreStatus, StoreError>;

    /// What was deleted goes from the files too, as far as they are the store's to clean: its log of changes is begun
    /// anew. Without `begun` that begins; with it, what came of it is told, and it begins again where a server was
    /// started anew meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where that cannot be done now, failed, or the store may not ask for it.
    async fn clean(&self, begun: Option<&str>) -> Result<Cleaning, StoreError>;

    /// Finishes what was handed in, writes the cursors noted, and stops. Nothing is done after it.
    async fn close(&self);
}

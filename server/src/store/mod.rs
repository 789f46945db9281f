//! The family log and all that changes together with it.
//!
//! A store is small: commit, read after a cursor, look up who has access, what is due, note how far
//! devices are. What the words mean is decided above, in `family`, which is pure; a store checks
//! preconditions and makes a batch durable, whole or not at all. Two stores are foreseen, one suite
//! of promises (`conformance`) holds for both.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiashu_proto::entry::{Content, Cursor, Generation, Seq};
use jiashu_proto::frame::{Reached, ToClose};
use jiashu_proto::id::{
    CodeHash, DeviceId, Epoch, InviteId, LinkHash, MemberId, Millis, N, Ref, Scope, TokenHash,
};
use minicbor::{Decode, Encode};
use tokio::sync::broadcast;

pub mod embedded;

#[cfg(test)]
pub(crate) mod conformance;

/// All that one step changes in one scope, and what must hold for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// When, in ms, by the relay's clock: the time of its entries.
    pub at: Millis,
    /// Whose command it is: its counter moves with the batch. `None` for the relay's own steps.
    pub author: Option<Author>,
    /// What must hold, or nothing is written.
    pub requires: Vec<Precondition>,
    /// Added to the log in this order.
    pub entries: Vec<NewEntry>,
    /// What else changes, in this order, after the entries have their places.
    pub changes: Vec<Change>,
}

impl Batch {
    /// A batch that changes nothing yet.
    #[must_use]
    pub fn new(at: Millis) -> Self {
        Self { at, author: None, requires: Vec::new(), entries: Vec::new(), changes: Vec::new() }
    }
}

/// A device (or a member of staff) and the command by which it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Author {
    /// Whose counter moves. It must be live.
    pub device: DeviceId,
    /// Must be the last + 1.
    pub n: N,
    /// The command's name: a repeat of one of the last
    /// [`MAX_UNANSWERED`](jiashu_proto::bounds::MAX_UNANSWERED) writes nothing and gets the answer
    /// it got then, whatever `n` says and whatever else no longer holds.
    pub entry_ref: Ref,
}

/// An entry that has no place yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// Makes it a fact: the content of the earlier entry with this key goes, its place and tag stay.
    pub key: Option<String>,
    /// Of a fact: with a rank above 0 it is written only if it is above the rank of the fact that
    /// stands; else the entry is left out and the batch answers with the place of the one that
    /// stands.
    pub rank: u8,
    /// Kind and body, see [`jiashu_proto::entry::Content::to_bytes`].
    pub content: Vec<u8>,
}

impl NewEntry {
    /// That content, under its own key if it has one, whatever stood there before.
    #[must_use]
    pub fn of(content: &Content) -> Self {
        Self { key: content.key(), rank: 0, content: content.to_bytes() }
    }
}

/// What must hold when a batch is written; the first that does not is named in
/// [`StoreError::Stale`]. Checked in the order given, after the author's counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The scope does not exist: the batch must create it by [`Change::Create`].
    Absent,
    /// Letters may move.
    Active,
    /// Nothing is to be closed but perhaps these.
    ToCloseWithin(ToClose),
    /// The tickets are just these.
    Tickets(Vec<Ticket>),
    /// This is the key in force.
    Epoch(Epoch),
    /// This is the newest link of the roster.
    RosterHead(LinkHash),
    /// The invite is open.
    InviteOpen(InviteId),
    /// The fact of this key stands at this place; `None`: there is no such fact.
    FactAt(String, Option<Seq>),
    /// The item is due at exactly this time.
    DueAt(DueItem, Millis),
    /// The item is not due at this time or before.
    NotDue(DueItem, Millis),
    /// Fewer bodies than this are held.
    HeldBelow(usize),
    /// The schedule, the first, holds this body.
    Holds(Ref, Ref),
    /// Of this schedule so many bodies are held, and this is the first to be released.
    HeldAre {
        /// The schedule.
        schedule: Ref,
        /// The first, as it is sealed now.
        first: Option<HeldBody>,
        /// All of them.
        count: usize,
    },
}

impl fmt::Display for Precondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("that the scope is new"),
            Self::Active => f.write_str("that the family takes part"),
            Self::ToCloseWithin(_) => f.write_str("that nothing else is to be closed"),
            Self::Tickets(_) => f.write_str("the tickets"),
            Self::Epoch(epoch) => write!(f, "epoch {epoch}"),
            Self::RosterHead(_) => f.write_str("the roster's head"),
            Self::InviteOpen(invite) => write!(f, "that invite {invite} is open"),
            Self::FactAt(key, _) => write!(f, "the version of {key}"),
            Self::DueAt(item, _) => write!(f, "the due time of {item:?}"),
            Self::NotDue(item, _) => write!(f, "that {item:?} is not due"),
            Self::HeldBelow(count) => write!(f, "that fewer than {count} bodies are held"),
            Self::Holds(..) => f.write_str("that the letter is held"),
            Self::HeldAre { .. } => f.write_str("what the schedule holds"),
        }
    }
}

/// What changes beside the log. What names an unknown device or invite changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Makes the scope, of this kind: its log empty, its epoch 0, no letters moving. First of all
    /// changes, with [`Precondition::Absent`].
    Create(ScopeKind),
    /// A new link is the roster's head.
    Turn {
        /// Its number: the epoch from now on.
        epoch: Epoch,
        /// Its hash.
        head: LinkHash,
    },
    /// Whether letters may move.
    SetActive(bool),
    /// Lets a device (or a member of staff) in, with counter 0.
    AddSeat {
        /// Its number.
        device: DeviceId,
        /// Of its token.
        token_hash: TokenHash,
        /// Whom it serves; empty for staff.
        members: Vec<MemberId>,
    },
    /// The token is dead.
    RevokeSeat(DeviceId),
    /// The device serves these from now on.
    SetMembers(DeviceId, Vec<MemberId>),
    /// Opens an invite.
    AddInvite {
        /// Its number.
        invite: InviteId,
        /// Of its code; `None` while that is not known here, and nobody can use it.
        code_hash: Option<CodeHash>,
        /// In ms.
        expires_at: Millis,
        /// Sealed under its secret; given to whoever has the code.
        blob: Vec<u8>,
    },
    /// The invite let this device in, at the first place of the batch; its blob goes.
    UseInvite(InviteId, DeviceId, TokenHash),
    /// The invite is closed; its blob goes.
    CloseInvite(InviteId),
    /// These are dead already and still stand open in the roster: the family is asked to close them.
    AskToClose(ToClose),
    /// These stand open no more; what of them was asked for no longer is.
    Closed(ToClose),
    /// The tickets are these from now on.
    SetTickets(Vec<Ticket>),
    /// The family began anew in another scope: no command is taken here any more, nothing is open,
    /// asked for or due.
    Supersede,
    /// Of the oldest places, at most so many, those go that are older than `before` and hold no fact
    /// that stands; `floor` rises to the last that was looked at. The place at the head keeps its
    /// tag.
    Forget {
        /// In ms; what was committed then or later stays, and so does what stands behind it.
        before: Millis,
        /// Places.
        most: usize,
    },
    /// Keeps a body until its hour, behind the others of its schedule; one with the same `body_ref` is
    /// replaced and keeps its place.
    PutHeld(HeldBody),
    /// This body takes the place of that held one of the same schedule, and of itself, if it is held
    /// already; where that is not held any more, nothing changes.
    ReplaceHeld(Ref, HeldBody),
    /// The body of this schedule, the first, with this `body_ref` is no longer needed.
    DropHeld(Ref, Ref),
    /// None of the schedule's bodies is needed any longer.
    DropHeldOf(Ref),
    /// The item is due then, and at no other time.
    SetDue(DueItem, Millis),
    /// As [`Change::SetDue`], the next occurrence of a schedule.
    SetOccurrence {
        /// The schedule.
        schedule: Ref,
        /// Civil time in the schedule's zone as planned, `YYYY-MM-DDThh:mm:ss`.
        planned: String,
        /// Its instant by the zones in force, in ms.
        at: Millis,
    },
    /// The batch's first entry is worth nothing any more from then on, in ms: [`DueItem::Expiry`] of
    /// its place is due.
    SetExpiry(Millis),
    /// The item is not due any more.
    ClearDue(DueItem),
}

/// What a scope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ScopeKind {
    /// The relay itself.
    #[n(0)]
    Relay,
    /// An NGO's project.
    #[n(1)]
    Programme,
    /// A family.
    #[n(2)]
    Family,
}

/// A sealed body that waits for its hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBody {
    /// Its name.
    pub body_ref: Ref,
    /// The schedule that releases it.
    pub schedule: Ref,
    /// Kind and body of the message as it will stand in the log, less what firing adds.
    pub content: Vec<u8>,
}

/// The time of what is not due before somebody says so; it counts among what is.
pub const NEVER: Millis = Millis::MAX;

/// What may be due in a scope. Its bytes are its identity in the due index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(flat)]
pub enum DueItem {
    /// The next occurrence of this schedule.
    #[n(1)]
    Occurrence(#[n(0)] Ref),
    /// Step two of enrolling the family under this case code.
    #[n(2)]
    Enrolment(#[n(0)] String),
    /// Step two of making this programme.
    #[n(3)]
    Programme(#[n(0)] Scope),
    /// The end of this invite.
    #[n(4)]
    Invite(#[n(0)] InviteId),
    /// A look at what is older than the retention.
    #[n(5)]
    Retention,
    /// The end of what the message at this place is worth.
    #[n(6)]
    Expiry(#[n(0)] Seq),
}

/// Something that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Since when, in ms.
    pub at: Millis,
    /// Where.
    pub scope: Scope,
    /// What.
    pub item: DueItem,
    /// Of an occurrence, for when it was planned; `None` with all else, and where an older relay
    /// wrote it.
    pub planned: Option<String>,
}

impl Due {
    /// Of an occurrence the schedule, and where that is.
    #[must_use]
    pub fn schedule(&self) -> Option<(Scope, Ref)> {
        match self.item {
            DueItem::Occurrence(schedule) => Some((self.scope, schedule)),
            _ => None,
        }
    }
}

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

/// What the store knows of a scope beside its log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ScopeState {
    /// What it is.
    #[n(0)]
    pub kind: ScopeKind,
    /// Life of its log.
    #[n(1)]
    pub generation: Generation,
    /// Last place of its log.
    #[n(2)]
    pub head: Seq,
    /// The key in force; 0 before the first.
    #[n(3)]
    pub epoch: Epoch,
    /// The newest link of its roster.
    #[n(4)]
    pub roster_head: LinkHash,
    /// Whether letters may move.
    #[n(5)]
    pub active: bool,
    /// Devices or staff, the revoked ones too. Boxed, as invites: a map's node has room for eleven, and
    /// most families have two.
    #[n(6)]
    pub seats: BTreeMap<DeviceId, Box<Seat>>,
    /// Invites, the used and closed ones too.
    #[n(7)]
    pub invites: BTreeMap<InviteId, Box<Invite>>,
    /// What is dead here already and still stands open in the roster.
    #[n(8)]
    #[cbor(default)]
    pub to_close: ToClose,
    /// What lets a new phone ask to be let in.
    #[n(9)]
    #[cbor(default)]
    pub tickets: Vec<Ticket>,
    /// Whether the family began anew in another scope.
    #[n(10)]
    #[cbor(default)]
    pub superseded: bool,
    /// Up to this place only facts are left. A cursor that stands there is not checked by its tag.
    #[n(11)]
    #[cbor(default)]
    pub floor: Seq,
}

impl ScopeState {
    /// A scope that was just made.
    #[must_use]
    pub fn new(kind: ScopeKind, generation: Generation) -> Self {
        Self {
            kind,
            generation,
            head: 0,
            epoch: 0,
            roster_head: LinkHash::NONE,
            active: false,
            seats: BTreeMap::new(),
            invites: BTreeMap::new(),
            to_close: ToClose::default(),
            tickets: Vec::new(),
            superseded: false,
            floor: 0,
        }
    }
}

/// Lets one new phone ask a family to be let in; opens nothing by itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Ticket {
    /// Of its code.
    #[n(0)]
    pub code_hash: CodeHash,
    /// Whom the phone will serve.
    #[n(1)]
    pub members: Vec<MemberId>,
    /// In ms; enforced above the store.
    #[n(2)]
    pub expires_at: Millis,
    /// The request that used it, by the hash of its own code.
    #[n(3)]
    pub used: Option<CodeHash>,
}

/// One device or member of staff.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Seat {
    /// Of its token.
    #[n(0)]
    pub token_hash: TokenHash,
    /// Whom it serves.
    #[n(1)]
    pub members: Vec<MemberId>,
    /// Whether its token is dead.
    #[n(2)]
    pub revoked: bool,
    /// The last counter it used.
    #[n(3)]
    pub last_n: N,
    /// The last commands it was answered, the newest last: the first 8 bytes of the ref, and the
    /// place (0 for none). Eight bytes of 12 random ones keep the row small and still tell refs
    /// apart.
    #[n(4)]
    pub recent: Vec<(u64, Seq)>,
}

impl Seat {
    /// The place of a command that is among the last it was answered.
    #[must_use]
    pub fn place_of(&self, entry_ref: Ref) -> Option<Seq> {
        let name = short_name(entry_ref);
        self.recent.iter().find(|(known, _)| *known == name).map(|(_, seq)| *seq)
    }
}

/// The first 8 bytes of a ref, as [`Seat::recent`] keeps it.
#[must_use]
pub fn short_name(entry_ref: Ref) -> u64 {
    entry_ref.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// One invite.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Invite {
    /// Of its code; `None` if the link that made it came back without its card.
    #[n(0)]
    pub code_hash: Option<CodeHash>,
    /// In ms; enforced above the store.
    #[n(1)]
    pub expires_at: Millis,
    /// Whether it can be used.
    #[n(2)]
    pub state: InviteState,
}

/// Whether an invite can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum InviteState {
    /// Yes.
    #[n(0)]
    Open,
    /// By a device with this token, whose link has this place.
    #[n(1)]
    Used(#[n(0)] DeviceId, #[n(1)] TokenHash, #[n(2)] Seq),
    /// No.
    #[n(2)]
    Closed,
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
    /// The order of checks: the scope exists; the author is live, and the scope not superseded; its ref is among its last (then
    /// the first answer is repeated); its `n` is the next; the preconditions in their order.
    /// A batch that fails undoes nothing of others that were written with it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoScope`], [`StoreError::NotLive`], [`StoreError::Superseded`],
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

    /// Hints that a log has grown. They may be lost or doubled: the log is the truth, and the look
    /// at every heartbeat finds what a lost hint hid.
    fn wakes(&self) -> broadcast::Receiver<Wake>;

    /// Whether it can do its work.
    fn health(&self) -> Health;

    /// Finishes what was handed in, writes the cursors noted, and stops. Nothing is done after it.
    async fn close(&self);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_an_older_relay_wrote_still_reads() {
        let seat = (TokenHash([1; 32]), vec![MemberId(1)], false, 7_u64, vec![(9_u64, 3_u64)]);
        let invite = (CodeHash([2; 32]), 5_i64, InviteState::Closed);
        let older = (
            ScopeKind::Family,
            4_u32,
            3_u64,
            2_u32,
            LinkHash([3; 32]),
            true,
            BTreeMap::from([(DeviceId(1), seat)]),
            BTreeMap::from([(InviteId(1), invite)]),
        );

        let state: ScopeState = minicbor::decode(&minicbor::to_vec(older).unwrap()).unwrap();

        assert_eq!((state.epoch, state.seats[&DeviceId(1)].last_n), (2, 7));
        assert_eq!(state.invites[&InviteId(1)].code_hash, Some(CodeHash([2; 32])));
        assert!(state.to_close.is_empty() && state.tickets.is_empty() && !state.superseded);
        let again: ScopeState = minicbor::decode(&minicbor::to_vec(&state).unwrap()).unwrap();
        assert_eq!(again, state);
    }

    #[test]
    fn a_due_item_keeps_its_bytes() {
        let items = [
            (DueItem::Occurrence(Ref([1; 12])), "82014c010101010101010101010101"),
            (DueItem::Enrolment("A".into()), "82026141"),
            (DueItem::Programme(Scope(7)), "820307"),
            (DueItem::Invite(InviteId(7)), "820407"),
            (DueItem::Retention, "8105"),
            (DueItem::Expiry(7), "820607"),
        ];

        for (item, hex) in items {
            let bytes = minicbor::to_vec(&item).unwrap();
            let written: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(written, hex, "{item:?}: what stands in a store must still be found");
        }
    }
}

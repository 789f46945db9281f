//! What one step changes, and what must hold for it: the words in which `family` speaks to a store.

use std::fmt;

use jiashu_proto::entry::{Content, Seq};
use jiashu_proto::frame::ToClose;
use jiashu_proto::id::{
    CodeHash, DeviceId, Epoch, InviteId, LinkHash, MemberId, Millis, N, Ref, Scope, TokenHash,
};
use minicbor::{Decode, Encode};

use super::{ScopeKind, Snapshot, Ticket};

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
/// [`StoreError::Stale`](super::StoreError::Stale). Checked in the order given, after the author's counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The scope does not exist: the batch must create it by [`Change::Create`].
    Absent,
    /// Letters may move.
    Active,
    /// The member is not suspended.
    NotSuspended(MemberId),
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
    /// That book of the ledger has so many rows.
    RowsAre(String, usize),
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
            Self::NotSuspended(member) => write!(f, "that member {member} is not suspended"),
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
            Self::RowsAre(book, _) => write!(f, "what the book {book} holds"),
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
    /// What comes behind the batch's first entry is not given to this member.
    Suspend(MemberId),
    /// What comes behind the batch's first entry is given to this member again.
    Lift(MemberId),
    /// What happens is counted from then on, in ms, or already since before; or not any more.
    SetCounted(Option<Millis>),
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
    /// The family began anew in another scope: no command is taken here any more, nothing is open or
    /// asked for, or due but for [what is of age](DueItem::is_of_age).
    Supersede,
    /// All of the scope is gone: its log, facts, held bodies, cards, ledger, seats, and what is due. What stays says
    /// that there was one and since when it is erased, so that its number is never another's. It takes nothing any more
    /// but this, by which what came about meanwhile (how far a device had read) goes too.
    Erase,
    /// Of the oldest places, at most so many, those go that are older than `before` and hold no fact
    /// that stands; `floor` rises to the last that was looked at. The place at the head keeps its
    /// tag.
    Forget {
        /// In ms; what was committed then or later stays, and so does what stands behind it.
        before: Millis,
        /// Places.
        most: usize,
    },
    /// The fact of this key stands no more: its content goes, its place and tag stay. For what the relay notes
    /// for itself; a device that was given a fact is not told of its end.
    DropFact(String),
    /// A row of the ledger, unless one of this name stands there whose version is not below.
    Enter(LedgerRow),
    /// As [`Change::Enter`], where the scope is counted; and with `look`, in ms, [`DueItem::Contact`] is due then.
    Count {
        /// What happened.
        row: LedgerRow,
        /// When somebody looks what follows.
        look: Option<Millis>,
    },
    /// The row of that book, the first, with this name goes.
    Strike(String, Vec<u8>),
    /// All rows of that book go.
    StrikeBook(String),
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
    /// The scope, made by the same batch, is all that this says, but for how far devices have read and for its
    /// ledger, whose rows may be too many for one step: they are entered.
    Restore(Box<Snapshot>),
}

/// A row of a scope's ledger: what is counted or reckoned and stands beside the log, handed out to no device.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LedgerRow {
    /// The book it stands in. Books are read whole.
    #[n(0)]
    pub book: String,
    /// Its name in the book.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub name: Vec<u8>,
    /// Of two of the same name the one with the higher version stands, whichever was written first.
    #[n(2)]
    pub version: LedgerVersion,
    /// What it says.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub value: Vec<u8>,
}

impl LedgerRow {
    /// Its book and its name in it.
    #[must_use]
    pub fn place(&self) -> (&str, &[u8]) {
        (&self.book, &self.name)
    }
}

/// How far the log had come that a row was reckoned from, and then when that was.
pub type LedgerVersion = (u64, u64);

/// A sealed body that waits for its hour.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct HeldBody {
    /// Its name.
    #[n(0)]
    pub body_ref: Ref,
    /// The schedule that releases it.
    #[n(1)]
    pub schedule: Ref,
    /// Kind and body of the message as it will stand in the log, less what firing adds.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
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
    /// A look at whether stored bytes are still needed.
    #[n(7)]
    Blob(#[n(0)] Ref),
    /// A look at how the family stands.
    #[n(8)]
    Contact,
    /// A try to send this e-mail.
    #[n(9)]
    Mail(#[n(0)] Ref),
    /// The next Monday of a programme on which somebody is sent its digest.
    #[n(10)]
    Digest,
    /// In a family that leaves: its erasure. In its programme: what is left to do for that.
    #[n(11)]
    Erasure(#[n(0)] Scope),
    /// The next step of a family's way to another programme.
    #[n(12)]
    Transfer(#[n(0)] Scope),
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

impl DueItem {
    /// Whether it stays due in a family that began anew elsewhere: what it has still grows old, and what was to be told
    /// is told.
    #[must_use]
    pub fn is_of_age(&self) -> bool {
        matches!(self, Self::Retention | Self::Blob(_) | Self::Mail(_) | Self::Erasure(_))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_item_keeps_its_bytes() {
        let items = [
            (DueItem::Occurrence(Ref([1; 12])), "82014c010101010101010101010101"),
            (DueItem::Enrolment("A".into()), "82026141"),
            (DueItem::Programme(Scope(7)), "820307"),
            (DueItem::Invite(InviteId(7)), "820407"),
            (DueItem::Retention, "8105"),
            (DueItem::Expiry(7), "820607"),
            (DueItem::Blob(Ref([1; 12])), "82074c010101010101010101010101"),
            (DueItem::Contact, "8108"),
            (DueItem::Mail(Ref([1; 12])), "82094c010101010101010101010101"),
            (DueItem::Digest, "810a"),
            (DueItem::Erasure(Scope(7)), "820b07"),
            (DueItem::Transfer(Scope(7)), "820c07"),
        ];

        for (item, hex) in items {
            let bytes = minicbor::to_vec(&item).unwrap();
            let written: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(written, hex, "{item:?}: what stands in a store must still be found");
        }
    }
}

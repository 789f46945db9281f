//! Everything of one scope as of one moment, the same whatever store it is read from: what a backup holds, and
//! what is carried from one store to another.

use std::collections::{BTreeMap, BTreeSet};

use jiashu_proto::entry::Seq;
use jiashu_proto::frame::Reached;
use jiashu_proto::id::{InviteId, Millis};
use minicbor::{Decode, Encode};

use super::{DueItem, HeldBody, LedgerRow, Record, ScopeState};

/// Everything of one scope.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Snapshot {
    /// What is known of it beside the rest.
    #[n(0)]
    pub state: ScopeState,
    /// The places of its log, ascending: of facts alone up to the floor, every one beyond.
    #[n(1)]
    pub places: Vec<Place>,
    /// The facts that stand, ascending by key.
    #[n(2)]
    pub facts: Vec<FactAt>,
    /// Bodies that wait, ascending by schedule, and of one schedule in the order they were first held.
    #[n(3)]
    pub held: Vec<HeldBody>,
    /// The blobs of open invites, ascending.
    #[n(4)]
    pub cards: Vec<Card>,
    /// What is due, ascending by item.
    #[n(5)]
    pub due: Vec<DueAt>,
    /// How far its devices have read, ascending; a hint.
    #[n(6)]
    pub cursors: Vec<Reached>,
    /// The rows of its ledger, ascending by book and name.
    #[n(7)]
    #[cbor(default)]
    pub ledger: Vec<LedgerRow>,
}

/// A place of a log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Place {
    /// Its number.
    #[n(0)]
    pub seq: Seq,
    /// When it was committed, in ms.
    #[n(1)]
    pub at: Millis,
    /// Of cursors that stand there.
    #[n(2)]
    pub tag: u32,
    /// Kind and body; `None` if it was superseded.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub content: Option<Vec<u8>>,
}

/// Where a fact stands.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct FactAt {
    /// What it is of.
    #[n(0)]
    pub key: String,
    /// Its place.
    #[n(1)]
    pub seq: Seq,
    /// See [`NewEntry::rank`](super::NewEntry::rank).
    #[n(2)]
    pub rank: u8,
}

/// The blob of an open invite.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Card {
    /// Whose.
    #[n(0)]
    pub invite: InviteId,
    /// Sealed under its secret.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub blob: Vec<u8>,
}

/// When an item is due.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DueAt {
    /// What.
    #[n(0)]
    pub item: DueItem,
    /// In ms.
    #[n(1)]
    pub at: Millis,
    /// See [`Due::planned`](super::Due::planned).
    #[n(2)]
    pub planned: Option<String>,
}

impl Snapshot {
    /// In the order that it is told in, whatever order it was read in.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.places.sort_by_key(|place| place.seq);
        self.facts.sort_by(|one, other| one.key.cmp(&other.key));
        self.held.sort_by_key(|body| body.schedule);
        self.cards.sort_by_key(|card| card.invite);
        self.due.sort_by(|one, other| one.item.cmp(&other.item));
        self.cursors.sort_by_key(|reached| reached.device);
        self.ledger.sort_by(|one, other| one.place().cmp(&other.place()));
        self
    }

    /// What the place says that has this number; `None` if there is none, or it was superseded.
    #[must_use]
    pub fn record(&self, seq: Seq) -> Option<Record> {
        let place = self.places.binary_search_by_key(&seq, |place| place.seq).ok()?;
        let Place { at, content, .. } = self.places.get(place)?;
        Some(Record { seq, at: *at, content: content.clone()? })
    }

    /// Whether it hangs together. It comes from a file: nothing in it is taken for granted.
    ///
    /// # Errors
    ///
    /// What does not.
    pub fn check(&self) -> Result<(), &'static str> {
        let is_sorted = self.places.is_sorted_by(|one, next| one.seq < next.seq)
            && self.facts.is_sorted_by(|one, next| one.key < next.key)
            && self.held.is_sorted_by_key(|body| body.schedule)
            && self.cards.is_sorted_by(|one, next| one.invite < next.invite)
            && self.due.is_sorted_by(|one, next| one.item < next.item)
            && self.cursors.is_sorted_by(|one, next| one.device < next.device)
            && self.ledger.is_sorted_by(|one, next| one.place() < next.place());
        if !is_sorted {
            return Err("something stands there twice, or not in its order");
        }
        let facts: BTreeMap<_, _> = self.facts.iter().map(|fact| (fact.seq, &fact.key)).collect();
        if facts.len() != self.facts.len() {
            return Err("two facts at one place");
        }
        if facts.keys().any(|seq| self.record(*seq).is_none()) {
            return Err("a fact that says nothing");
        }
        let (floor, head) = (self.state.floor, self.state.head);
        let beyond = self.places.iter().filter(|place| place.seq > floor);
        let is_every = beyond.map(|place| place.seq).eq(floor.saturating_add(1)..=head);
        let mut below = self.places.iter().filter(|place| place.seq <= floor);
        if floor > head || !is_every || below.any(|place| !facts.contains_key(&place.seq)) {
            return Err("a log with a gap");
        }
        let bodies: BTreeSet<_> =
            self.held.iter().map(|body| (body.schedule, body.body_ref)).collect();
        if bodies.len() != self.held.len() {
            return Err("a letter that is held twice");
        }
        Ok(())
    }
}

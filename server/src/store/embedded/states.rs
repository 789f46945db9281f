//! The scopes as last committed, in memory: their states and the ends of their logs.
//!
//! The writer puts them here after its COMMIT, a reader the state that it found while there was none,
//! so what stands here is never older or newer than the file. Who reads on at the end of a log, as every connected phone does when it is woken,
//! is answered from here; what is further back is in the file (`reader`).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use jiashu_proto::entry::Cursor;
use jiashu_proto::id::Scope;

use super::lock;
use crate::store::{Page, PageLimit, Record, ScopeState};

/// Scopes kept, some KiB each. When there are more all are dropped: the file has them.
const MOST: usize = 10_000;

/// Entries kept of one scope: what a connected phone is behind by is less.
const TAIL_ENTRIES: usize = 32;

/// Bytes of content kept of one scope.
const TAIL_BYTES: usize = 8 * 1024;

/// Bytes of content kept of all scopes together. When there are more all are dropped.
const ALL_TAILS_BYTES: usize = 16 * 1024 * 1024;

/// An entry as it was committed, and the tag of its place.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) record: Record,
    pub(super) tag: u32,
}

/// What a group has changed in one scope.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) scope: Scope,
    pub(super) state: ScopeState,
    /// The entries it added, in order.
    pub(super) written: Vec<Written>,
    /// Whether an entry that was there before has lost its content.
    pub(super) superseded: bool,
}

/// Committed states and log ends by scope.
#[derive(Debug, Default)]
pub(super) struct States(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    scopes: HashMap<Scope, Kept>,
    /// Of all tails.
    bytes: usize,
    /// How often all were dropped.
    drops: u64,
}

#[derive(Debug)]
struct Kept {
    state: Arc<ScopeState>,
    tail: Tail,
}

/// The end of a log: every place after `before` up to the head.
#[derive(Debug, Default)]
struct Tail {
    /// Place and tag that the first entry follows on.
    before: Option<(u64, u32)>,
    entries: VecDeque<Written>,
    bytes: usize,
}

impl States {
    /// The state, if it is at hand.
    pub(super) fn get(&self, scope: Scope) -> Option<Arc<ScopeState>> {
        lock(&self.0).scopes.get(&scope).map(|kept| kept.state.clone())
    }

    /// The page after a cursor, if all of it is at hand.
    pub(super) fn read_after(
        &self,
        scope: Scope,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Option<Page> {
        let inner = lock(&self.0);
        let kept = inner.scopes.get(&scope)?;
        if cursor.generation != kept.state.generation {
            return None;
        }
        kept.tail.page(cursor, &kept.state, limit)
    }

    /// To be asked before a state is read that will be kept.
    pub(super) fn drops(&self) -> u64 {
        lock(&self.0).drops
    }

    /// Keeps what a reader found, unless the writer has put one since, or what it put was dropped
    /// since `drops` was asked.
    pub(super) fn keep(&self, scope: Scope, state: &Arc<ScopeState>, drops: u64) {
        let mut inner = lock(&self.0);
        if inner.drops == drops && inner.scopes.len() < MOST {
            let kept = || Kept { state: state.clone(), tail: Tail::default() };
            inner.scopes.entry(scope).or_insert_with(kept);
        }
    }

    /// What a group has committed.
    pub(super) fn put(&self, committed: impl Iterator<Item = Committed>) {
        let mut inner = lock(&self.0);
        for committed in committed {
            inner.put(committed);
        }
    }

    /// Forgets all: whether the last group was written is in doubt.
    pub(super) fn clear(&self) {
        lock(&self.0).drop_all();
    }
}

impl Inner {
    fn drop_all(&mut self) {
        *self = Self { drops: self.drops + 1, ..Self::default() };
    }

    fn put(&mut self, committed: Committed) {
        let Committed { scope, state, written, superseded } = committed;
        let is_new = !self.scopes.contains_key(&scope);
        if (is_new && self.scopes.len() >= MOST) || self.bytes >= ALL_TAILS_BYTES {
            self.drop_all();
        }
        let state = Arc::new(state);
        let kept = match self.scopes.entry(scope) {
            std::collections::hash_map::Entry::Occupied(kept) => {
                let kept = kept.into_mut();
                kept.state = state;
                kept
            }
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(Kept { state, tail: Tail::default() })
            }
        };
        self.bytes -= kept.tail.bytes;
        kept.tail.grow(written, superseded);
        self.bytes += kept.tail.bytes;
    }
}

impl Tail {
    fn grow(&mut self, written: Vec<Written>, superseded: bool) {
        for written in written {
            match self.before {
                // The tag before it is not at hand: what follows on this one is.
                None => self.before = Some((written.record.seq, written.tag)),
                Some(_) => {
                    self.bytes += written.record.content.len();
                    self.entries.push_back(written);
                }
            }
        }
        // Seldom: which entry it was is not looked for.
        while self.entries.len() > TAIL_ENTRIES || self.bytes > TAIL_BYTES || superseded {
            let Some(first) = self.entries.pop_front() else { break };
            self.bytes -= first.record.content.len();
            self.before = Some((first.record.seq, first.tag));
        }
        if self.entries.is_empty() {
            self.entries.shrink_to_fit();
        }
    }

    fn page(&self, cursor: Cursor, state: &ScopeState, limit: PageLimit) -> Option<Page> {
        let (before, tag) = self.before?;
        let passed = usize::try_from(cursor.seq.checked_sub(before)?).ok()?;
        let stands = match passed.checked_sub(1) {
            None => tag,
            Some(place) => self.entries.get(place)?.tag,
        };
        if cursor.tag != stands {
            return None;
        }
        let (head, floor) = (state.head, state.floor);
        let suspended = state.suspended.clone();
        let mut page = Page { upto: cursor, head, floor, records: Vec::new(), suspended };
        let mut bytes = 0;
        for Written { record, tag } in self.entries.range(passed..).take(limit.entries.max(1)) {
            bytes += record.content.len();
            if bytes > limit.bytes && !page.records.is_empty() {
                break;
            }
            page.records.push(record.clone());
            (page.upto.seq, page.upto.tag) = (record.seq, *tag);
        }
        Some(page)
    }
}

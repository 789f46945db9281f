//! A scope as one group of commits finds it, and the steps that it takes: reckoned here, written by one
//! script if nobody else was first. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;

use jiashu_proto::entry::Seq;
use jiashu_proto::id::{Millis, Ref, Scope};

use super::layout::{
    DueRow, Element, FactRow, Keys, Says, WAKES, body_field, bucket_of, bucket_wakes, card_field,
    due_member, order_field, order_value, row_value, rows_field, score, to_cbor, wake_value,
};
use crate::store::step::{self, Admitted, Beside};
use crate::store::{
    Batch, Change, Committed, DueAt, DueItem, HeldBody, LedgerRow, LedgerVersion, NewEntry, Place,
    Precondition, Record, ScopeState, Snapshot, StoreError,
};

/// What a group of batches asks about beside the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) facts: BTreeSet<String>,
    pub(super) items: BTreeSet<Vec<u8>>,
    pub(super) orders: BTreeSet<Ref>,
    pub(super) bodies: BTreeSet<(Ref, Ref)>,
    /// Of these books the rows of these names, and how many rows each has.
    pub(super) books: BTreeMap<String, BTreeSet<Vec<u8>>>,
    /// So many of the oldest places.
    pub(super) oldest: usize,
    /// All that is due.
    pub(super) all_due: bool,
}

impl Needs {
    pub(super) fn of<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> Self {
        let mut needs = Self::default();
        for batch in batches {
            for precondition in &batch.requires {
                needs.add_precondition(precondition);
            }
            needs.facts.extend(batch.entries.iter().filter_map(|entry| entry.key.clone()));
            for change in &batch.changes {
                needs.add_change(change);
            }
        }
        needs
    }

    fn add_precondition(&mut self, precondition: &Precondition) {
        match precondition {
            Precondition::FactAt(key, _) => {
                self.facts.insert(key.clone());
            }
            Precondition::DueAt(item, _) | Precondition::NotDue(item, _) => {
                self.items.insert(to_cbor(item));
            }
            Precondition::Holds(schedule, _) => {
                self.orders.insert(*schedule);
            }
            Precondition::RowsAre(book, _) => {
                self.books.entry(book.clone()).or_default();
            }
            Precondition::HeldAre { schedule, first, .. } => {
                self.orders.insert(*schedule);
                self.bodies.extend(first.iter().map(|first| (*schedule, first.body_ref)));
            }
            _ => {}
        }
    }

    fn add_change(&mut self, change: &Change) {
        match change {
            Change::PutHeld(body) | Change::ReplaceHeld(_, body) => {
                self.orders.insert(body.schedule);
            }
            Change::DropHeld(schedule, _) | Change::DropHeldOf(schedule) => {
                self.orders.insert(*schedule);
            }
            // The head, too, which is looked at by itself.
            Change::Forget { most, .. } => {
                self.oldest = self.oldest.max(most.saturating_add(1));
            }
            Change::DropFact(key) => {
                self.facts.insert(key.clone());
            }
            Change::Enter(LedgerRow { book, name, .. })
            | Change::Count { row: LedgerRow { book, name, .. }, .. }
            | Change::Strike(book, name) => {
                self.books.entry(book.clone()).or_default().insert(name.clone());
            }
            Change::StrikeBook(book) => {
                self.books.entry(book.clone()).or_default();
            }
            Change::Supersede | Change::Erase => self.all_due = true,
            _ => {}
        }
    }
}

/// What stood when it was looked up.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Changes with every commit; empty where there is no such scope.
    pub(super) version: Vec<u8>,
    pub(super) state: Option<ScopeState>,
    /// Bodies of all schedules.
    pub(super) held: usize,
    pub(super) facts: HashMap<String, FactRow>,
    pub(super) due: HashMap<Vec<u8>, DueRow>,
    pub(super) orders: HashMap<Ref, Vec<Ref>>,
    pub(super) bodies: HashMap<(Ref, Ref), Vec<u8>>,
    /// Of the books that were asked for.
    pub(super) books: BTreeMap<String, Book>,
    /// The oldest places, if they were asked for.
    pub(super) oldest: Vec<Element>,
}

/// What stood in a book of the ledger.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    /// How many rows it has.
    pub(super) rows: usize,
    /// The versions of those that were asked for.
    pub(super) versions: HashMap<Vec<u8>, LedgerVersion>,
}

impl Found {
    fn order(&self, schedule: Ref) -> &[Ref] {
        self.orders.get(&schedule).map_or(&[], Vec::as_slice)
    }
}

impl Beside for Found {
    type Error = Infallible;

    fn fact_at(&self, key: &str) -> Result<Option<Seq>, Infallible> {
        Ok(self.facts.get(key).map(|fact| fact.record.seq))
    }

    fn due_at(&self, item: &DueItem) -> Result<Option<Millis>, Infallible> {
        Ok(self.due.get(&to_cbor(item)).map(|row| row.at))
    }

    fn held(&self) -> Result<usize, Infallible> {
        Ok(self.held)
    }

    fn rows(&self, book: &str) -> Result<usize, Infallible> {
        Ok(self.books.get(book).map_or(0, |book| book.rows))
    }

    fn is_held(&self, schedule: Ref, body_ref: Ref) -> Result<bool, Infallible> {
        Ok(self.order(schedule).contains(&body_ref))
    }

    fn held_are(
        &self,
        schedule: Ref,
        first: Option<&HeldBody>,
        count: usize,
    ) -> Result<bool, Infallible> {
        let order = self.order(schedule);
        let is_first = match (order.first(), first) {
            (None, None) => true,
            (Some(name), Some(HeldBody { body_ref, content, .. })) => {
                name == body_ref && self.bodies.get(&(schedule, *name)) == Some(content)
            }
            _ => false,
        };
        Ok(is_first && order.len() == count)
    }
}

/// What came of one batch.
#[derive(Debug)]
pub(super) enum Outcome {
    /// This, once the script has written it.
    Done(Committed),
    /// It was done before, at that place.
    Repeat(Seq),
    /// Nothing.
    Refused(StoreError),
}

/// A scope in work.
#[derive(Debug)]
pub(super) struct Work {
    scope: Scope,
    found: Found,
    /// Of the oldest places all were asked for that there are.
    knows_all_places: bool,
    steps: Vec<Vec<u8>>,
    orders_changed: BTreeSet<Ref>,
    books_changed: BTreeSet<String>,
    pub(super) changed: bool,
    pub(super) wakes: bool,
}

impl Work {
    pub(super) fn new(scope: Scope, found: Found, needs: &Needs) -> Self {
        let knows_all_places = found.oldest.len() < needs.oldest;
        Self {
            scope,
            found,
            knows_all_places,
            steps: Vec::new(),
            orders_changed: BTreeSet::new(),
            books_changed: BTreeSet::new(),
            changed: false,
            wakes: false,
        }
    }

    /// The state as it will be.
    pub(super) fn state(&self) -> Option<&ScopeState> {
        self.found.state.as_ref()
    }

    /// Does one batch, or says why not. `dice` draws from 1 on.
    pub(super) fn commit(&mut self, batch: &Batch, dice: &mut dyn FnMut() -> u32) -> Outcome {
        let Ok(admitted) = step::admit(self.found.state.as_ref(), &self.found, batch);
        match admitted {
            Ok(Admitted::Written) => {}
            Ok(Admitted::Creates(kind)) => {
                self.found.state = Some(ScopeState::new(kind, dice()));
            }
            Ok(Admitted::Repeats(first)) => return Outcome::Repeat(first),
            Err(refused) => return Outcome::Refused(refused),
        }
        self.apply(batch, dice)
    }

    fn order(&self, schedule: Ref) -> &[Ref] {
        self.found.order(schedule)
    }

    /// Does a batch that was checked.
    fn apply(&mut self, batch: &Batch, dice: &mut dyn FnMut() -> u32) -> Outcome {
        let Some(mut state) = self.found.state.take() else {
            return Outcome::Refused(StoreError::NoScope);
        };
        let (head, mut first) = (state.head, None);
        for entry in &batch.entries {
            let place = self.put_entry(&mut state, batch.at, entry, dice());
            first.get_or_insert(place);
        }
        let (first, at) = first.unwrap_or((0, batch.at));
        if let Some(author) = batch.author {
            step::count(&mut state, author, first);
        }
        for change in &batch.changes {
            step::apply(&mut state, batch.at, first, change);
            self.apply_change(&mut state, first, change);
        }
        self.changed = true;
        self.wakes |= state.head > head || batch.changes.iter().any(step::changes_access);
        self.found.state = Some(state);
        Outcome::Done(Committed { first, at, repeat: false })
    }

    /// Its place, and since when.
    fn put_entry(
        &mut self,
        state: &mut ScopeState,
        at: Millis,
        entry: &NewEntry,
        tag: u32,
    ) -> (Seq, Millis) {
        if let Some(key) = &entry.key
            && let Some(stands) = self.found.facts.get(key)
            && entry.rank > 0
            && entry.rank <= stands.rank
        {
            return (stands.record.seq, stands.record.at);
        }
        let seq = state.head.saturating_add(1);
        state.head = seq;
        let says = match &entry.key {
            None => Says::Entry(entry.content.clone()),
            Some(key) => {
                let record = Record { seq, at, content: entry.content.clone() };
                let row = FactRow { rank: entry.rank, tag, record };
                self.step(b"F", [key.as_bytes(), &row.to_bytes()]);
                self.found.facts.insert(key.clone(), row);
                Says::Fact(key.clone())
            }
        };
        let element = Element { at, tag, says };
        self.step(b"P", [&element.to_bytes()[..]]);
        if self.knows_all_places {
            self.found.oldest.push(element);
        }
        (seq, at)
    }

    fn apply_change(&mut self, state: &mut ScopeState, first: Seq, change: &Change) {
        match change {
            Change::AddInvite { invite, code_hash: Some(_), blob, .. } => {
                self.step(b"S", [&card_field(*invite)[..], blob]);
            }
            Change::UseInvite(invite, ..) | Change::CloseInvite(invite) => {
                self.step(b"s", [&card_field(*invite)[..]]);
            }
            Change::Supersede => {
                for invite in state.invites.keys() {
                    self.step(b"s", [&card_field(*invite)[..]]);
                }
                let ends = |item: &&Vec<u8>| {
                    !minicbor::decode::<DueItem>(item).is_ok_and(|item| item.is_of_age())
                };
                let ended: Vec<_> = self.found.due.keys().filter(ends).cloned().collect();
                for item in &ended {
                    self.clear_due(item);
                }
            }
            Change::Erase => self.erase(),
            Change::Forget { before, most } => self.forget(state, *before, *most),
            Change::DropFact(key) => {
                self.step(b"f", [key.as_bytes()]);
                self.found.facts.remove(key);
            }
            Change::Enter(row) => self.enter(row),
            Change::Count { row, look } if state.counted_since.is_some() => {
                self.enter(row);
                if let Some(at) = look {
                    self.set_due(&DueItem::Contact, *at, None);
                }
            }
            Change::Strike(book, name) => self.strike(book, name),
            Change::StrikeBook(book) => {
                let key = self.book_key(book);
                self.step(b"X", [&key[..]]);
                self.found.books.insert(book.clone(), Book::default());
            }
            Change::PutHeld(body) => self.put_held(body),
            Change::ReplaceHeld(old, body) => self.replace_held(*old, body),
            Change::DropHeld(schedule, body_ref) => self.drop_held(*schedule, *body_ref),
            Change::DropHeldOf(schedule) => {
                for body_ref in self.order(*schedule).to_vec() {
                    self.drop_held(*schedule, body_ref);
                }
            }
            Change::SetDue(item, at) => self.set_due(item, *at, None),
            Change::SetOccurrence { schedule, planned, at } => {
                self.set_due(&DueItem::Occurrence(*schedule), *at, Some(planned));
            }
            Change::SetExpiry(at) => self.set_due(&DueItem::Expiry(first), *at, None),
            Change::ClearDue(item) => self.clear_due(&to_cbor(item)),
            Change::Restore(snapshot) => self.restore(snapshot),
            _ => {}
        }
    }

    /// What was reckoned of it before in this group goes too: an erased scope takes nothing else.
    fn erase(&mut self) {
        let due: Vec<_> = self.found.due.keys().cloned().collect();
        for item in &due {
            self.clear_due(item);
        }
        let keys = Keys::of(self.scope);
        self.step(b"E", [keys.cursors.as_bytes(), keys.book("").as_bytes()]);
        self.orders_changed.clear();
        self.books_changed.clear();
        let (version, state) = (std::mem::take(&mut self.found.version), self.found.state.take());
        let books = self.found.books.keys().map(|book| (book.clone(), Book::default())).collect();
        self.found = Found { version, state, books, ..Found::default() };
        self.knows_all_places = true;
    }

    fn restore(&mut self, snapshot: &Snapshot) {
        let keys: BTreeMap<_, _> =
            snapshot.facts.iter().map(|fact| (fact.seq, (&fact.key, fact.rank))).collect();
        for Place { seq, at, tag, content } in &snapshot.places {
            let (seq, at, tag) = (*seq, *at, *tag);
            let says = match (keys.get(&seq), content) {
                (Some((key, rank)), Some(content)) => {
                    let record = Record { seq, at, content: content.clone() };
                    let row = FactRow { rank: *rank, tag, record }.to_bytes();
                    self.step(b"F", [key.as_bytes(), &row]);
                    Says::Fact((*key).clone())
                }
                (None, Some(content)) => Says::Entry(content.clone()),
                (_, None) => Says::Gone,
            };
            if seq > snapshot.state.floor {
                self.step(b"P", [&Element { at, tag, says }.to_bytes()[..]]);
            }
        }
        for body in &snapshot.held {
            self.put_held(body);
        }
        for card in &snapshot.cards {
            self.step(b"S", [&card_field(card.invite)[..], &card.blob]);
        }
        for DueAt { item, at, planned } in &snapshot.due {
            self.set_due(item, *at, planned.as_deref());
        }
    }

    fn enter(&mut self, row: &LedgerRow) {
        let key = self.book_key(&row.book);
        let book = self.found.books.entry(row.book.clone()).or_default();
        match book.versions.get(&row.name) {
            Some(stands) if row.version <= *stands => return,
            Some(_) => {}
            None => book.rows = book.rows.saturating_add(1),
        }
        book.versions.insert(row.name.clone(), row.version);
        self.step(b"G", [&key[..], &row.name, &row_value(row)]);
    }

    fn strike(&mut self, book: &str, name: &[u8]) {
        let key = self.book_key(book);
        let found = self.found.books.entry(book.to_owned()).or_default();
        if found.versions.remove(name).is_some() {
            found.rows = found.rows.saturating_sub(1);
            self.step(b"g", [&key[..], name]);
        }
    }

    /// The number of the book's key in the script; from now on its count is written too.
    fn book_key(&mut self, book: &str) -> Vec<u8> {
        self.books_changed.insert(book.to_owned());
        // All books that were asked for are among the keys, in order, behind the six that always are.
        let place = self.found.books.keys().position(|known| known == book).unwrap_or_default();
        (7 + place).to_string().into_bytes()
    }

    /// The books among the keys.
    pub(super) fn books(&self) -> impl Iterator<Item = &str> {
        self.found.books.keys().map(String::as_str)
    }

    fn set_due(&mut self, item: &DueItem, at: Millis, planned: Option<&str>) {
        let item = to_cbor(item);
        let row = DueRow { at, planned: planned.map(str::to_owned) };
        self.step(b"D", [&item[..], &row.to_bytes()]);
        self.step(b"Z", [score(at).as_bytes(), &due_member(self.scope, &item)]);
        self.found.due.insert(item, row);
    }

    fn clear_due(&mut self, item: &[u8]) {
        self.step(b"d", [item]);
        self.step(b"z", [&due_member(self.scope, item)[..]]);
        self.found.due.remove(item);
    }

    fn put_held(&mut self, body: &HeldBody) {
        let HeldBody { body_ref, schedule, content } = body;
        let order = self.found.orders.entry(*schedule).or_default();
        if !order.contains(body_ref) {
            order.push(*body_ref);
            self.orders_changed.insert(*schedule);
            self.found.held = self.found.held.saturating_add(1);
        }
        self.keep_body(*schedule, *body_ref, content);
    }

    /// A body of the new name that is there already goes: the new one has the old one's place.
    fn replace_held(&mut self, old: Ref, body: &HeldBody) {
        let HeldBody { body_ref, schedule, content } = body;
        if !self.order(*schedule).contains(&old) {
            return;
        }
        if old != *body_ref {
            self.drop_held(*schedule, *body_ref);
            let order = self.found.orders.entry(*schedule).or_default();
            for name in order.iter_mut().filter(|name| **name == old) {
                *name = *body_ref;
            }
            self.orders_changed.insert(*schedule);
            self.step(b"h", [&body_field(*schedule, old)[..]]);
            self.found.bodies.remove(&(*schedule, old));
        }
        self.keep_body(*schedule, *body_ref, content);
    }

    fn keep_body(&mut self, schedule: Ref, body_ref: Ref, content: &[u8]) {
        self.step(b"H", [&body_field(schedule, body_ref)[..], content]);
        self.found.bodies.insert((schedule, body_ref), content.to_vec());
    }

    fn drop_held(&mut self, schedule: Ref, body_ref: Ref) {
        let order = self.found.orders.entry(schedule).or_default();
        let before = order.len();
        order.retain(|name| *name != body_ref);
        if order.len() == before {
            return;
        }
        self.orders_changed.insert(schedule);
        self.found.held = self.found.held.saturating_sub(1);
        self.step(b"h", [&body_field(schedule, body_ref)[..]]);
        self.found.bodies.remove(&(schedule, body_ref));
    }

    /// See [`Change::Forget`]. Facts stand beside the log, so all that is old goes from it.
    fn forget(&mut self, state: &mut ScopeState, before: Millis, most: usize) {
        let is_old = |element: &&Element| element.at < before;
        let below_head = usize::try_from(state.head.saturating_sub(state.floor).saturating_sub(1));
        let most = most.min(below_head.unwrap_or(usize::MAX));
        let old = self.found.oldest.iter().take(most).take_while(is_old).count();
        if old > 0 {
            state.floor = state.floor.saturating_add(old as u64);
            self.found.oldest.drain(..old);
            self.step(b"T", [old.to_string().as_bytes()]);
        }
        // The place at the head keeps its tag, and nothing else.
        if state.floor.saturating_add(1) == state.head
            && let Some(at_head) = self.found.oldest.first_mut()
            && at_head.at < before
            && matches!(at_head.says, Says::Entry(_))
        {
            at_head.says = Says::Gone;
            let gone = at_head.to_bytes();
            self.step(b"L", [b"0", &gone[..]]);
        }
    }

    fn step<const N: usize>(&mut self, name: &[u8], args: [&[u8]; N]) {
        self.steps.push(name.to_vec());
        self.steps.extend(args.map(<[u8]>::to_vec));
    }

    /// The script's arguments, with this as the new version, by that relay; on a cluster, where it tells the bucket
    /// alone of it.
    pub(super) fn into_args(mut self, version: &[u8], me: u64, on_cluster: bool) -> Vec<Vec<u8>> {
        for schedule in std::mem::take(&mut self.orders_changed) {
            let (field, order) = (order_field(schedule), self.order(schedule).to_vec());
            if order.is_empty() {
                self.step(b"s", [&field[..]]);
            } else {
                self.step(b"S", [&field[..], &order_value(&order)]);
            }
        }
        for book in std::mem::take(&mut self.books_changed) {
            let rows = self.found.books.get(&book).map_or(0, |book| book.rows);
            if rows == 0 {
                self.step(b"s", [&rows_field(&book)[..]]);
            } else {
                self.step(b"S", [&rows_field(&book)[..], rows.to_string().as_bytes()]);
            }
        }
        let held = self.found.held.to_string();
        self.step(b"S", [b"n", held.as_bytes()]);
        if self.wakes {
            let value = wake_value(self.scope, me);
            if on_cluster {
                let channel = bucket_wakes(bucket_of(self.scope));
                self.step(b"w", [channel.as_bytes(), &value]);
            } else {
                self.step(b"W", [WAKES.as_bytes(), &value]);
            }
        }
        let floor = self.found.state.as_ref().map_or(0, |state| state.floor).to_string();
        let state = self.found.state.as_ref().map(to_cbor).unwrap_or_default();
        let mut args = vec![self.found.version, version.to_vec(), state, floor.into_bytes()];
        args.append(&mut self.steps);
        args
    }
}

/// Facts by key of those that begin so.
pub(super) fn with_prefix(facts: BTreeMap<String, FactRow>, prefix: &str) -> Vec<(String, Record)> {
    let begin_so = facts.into_iter().filter(|(key, _)| key.starts_with(prefix));
    begin_so.map(|(key, fact)| (key, fact.record)).collect()
}

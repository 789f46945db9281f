//! What a batch asks of a scope's state and does to it: the same in every store. Pure; what stands beside
//! the state (entries, facts, held bodies, cards, what is due) is a store's own.

use jiashu_proto::bounds::MAX_UNANSWERED;
use jiashu_proto::entry::Seq;
use jiashu_proto::frame::ToClose;
use jiashu_proto::id::{LinkHash, Millis, Ref};

use super::{
    Author, Batch, Change, DueItem, HeldBody, Invite, InviteState, Precondition, ScopeKind,
    ScopeState, Seat, StoreError, Suspended, short_name,
};

/// What a store looks up for a precondition, where the state alone does not tell.
pub(super) trait Beside {
    /// Why it could not be looked up.
    type Error;
    /// Where the fact of that key stands.
    fn fact_at(&self, key: &str) -> Result<Option<Seq>, Self::Error>;
    /// When the item is due.
    fn due_at(&self, item: &DueItem) -> Result<Option<Millis>, Self::Error>;
    /// How many bodies are held.
    fn held(&self) -> Result<usize, Self::Error>;
    /// How many rows a book of the ledger has.
    fn rows(&self, book: &str) -> Result<usize, Self::Error>;
    /// Whether the schedule, the first, holds that body.
    fn is_held(&self, schedule: Ref, body_ref: Ref) -> Result<bool, Self::Error>;
    /// Whether that is the body which the schedule releases first, to the byte, of so many.
    fn held_are(
        &self,
        schedule: Ref,
        first: Option<&HeldBody>,
        count: usize,
    ) -> Result<bool, Self::Error>;
}

/// What is to be done with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// It makes the scope, of this kind, and is written there.
    Creates(ScopeKind),
    /// It is written.
    Written,
    /// It was, at that place.
    Repeats(Seq),
}

/// Whether a batch may be written, in the order that [`Store::commit`](super::Store::commit) tells. `state` is
/// `None` for a scope that is yet to be made.
///
/// # Errors
///
/// The store's own, where something cannot be looked up; inside, why it may not.
pub(super) fn admit<B: Beside>(
    state: Option<&ScopeState>,
    beside: &B,
    batch: &Batch,
) -> Result<Result<Admitted, StoreError>, B::Error> {
    let is_erased = state.is_some_and(|state| state.erased_at.is_some());
    if is_erased && batch.changes != [Change::Erase] {
        let precondition = Precondition::Absent;
        return Ok(Err(if batch.requires.contains(&precondition) {
            StoreError::Stale { precondition }
        } else {
            StoreError::Erased
        }));
    }
    let admitted = match state {
        Some(state) => match check_author(state, batch) {
            Ok(None) => Admitted::Written,
            Ok(Some(first)) => return Ok(Ok(Admitted::Repeats(first))),
            Err(refused) => return Ok(Err(refused)),
        },
        None => match batch.changes.first() {
            Some(Change::Create(_)) if batch.author.is_some() => {
                return Ok(Err(StoreError::NotLive));
            }
            Some(Change::Create(kind)) if batch.requires.contains(&Precondition::Absent) => {
                Admitted::Creates(*kind)
            }
            _ => return Ok(Err(StoreError::NoScope)),
        },
    };
    for precondition in &batch.requires {
        if !holds(state, beside, precondition)? {
            return Ok(Err(StoreError::Stale { precondition: precondition.clone() }));
        }
    }
    let creates = batch.changes.iter().any(|change| matches!(change, Change::Create(_)));
    if state.is_some() && creates {
        // A log is never made over another one, even if the batch forgot to ask for that.
        return Ok(Err(StoreError::Stale { precondition: Precondition::Absent }));
    }
    Ok(Ok(admitted))
}

/// Whether the batch's author may write. The place that a command had which is repeated.
fn check_author(state: &ScopeState, batch: &Batch) -> Result<Option<Seq>, StoreError> {
    let Some(author) = batch.author else { return Ok(None) };
    let Some(seat) = state.seats.get(&author.device).filter(|seat| !seat.revoked) else {
        return Err(StoreError::NotLive);
    };
    if state.superseded {
        return Err(StoreError::Superseded);
    }
    if let Some(first) = seat.place_of(author.entry_ref) {
        return Ok(Some(first));
    }
    if seat.last_n.checked_add(1) != Some(author.n) {
        return Err(StoreError::Renumber { last_n: seat.last_n });
    }
    Ok(None)
}

fn holds<B: Beside>(
    state: Option<&ScopeState>,
    beside: &B,
    precondition: &Precondition,
) -> Result<bool, B::Error> {
    Ok(match precondition {
        Precondition::Absent => state.is_none(),
        Precondition::Active => state.is_some_and(|state| state.active),
        Precondition::NotSuspended(member) => {
            state.is_none_or(|state| !state.is_suspended(*member))
        }
        Precondition::ToCloseWithin(these) => state.is_none_or(|state| {
            let asked = &state.to_close;
            asked.devices.iter().all(|device| these.devices.contains(device))
                && asked.invites.iter().all(|invite| these.invites.contains(invite))
        }),
        Precondition::Tickets(tickets) => {
            state.map_or(&[][..], |state| &state.tickets) == tickets.as_slice()
        }
        Precondition::Epoch(epoch) => state.map_or(0, |state| state.epoch) == *epoch,
        Precondition::RosterHead(head) => {
            state.map_or(LinkHash::NONE, |state| state.roster_head) == *head
        }
        Precondition::InviteOpen(invite) => state
            .and_then(|state| state.invites.get(invite))
            .is_some_and(|invite| invite.state == InviteState::Open),
        Precondition::FactAt(key, seq) => beside.fact_at(key)? == *seq,
        Precondition::DueAt(item, at) => beside.due_at(item)? == Some(*at),
        Precondition::NotDue(item, at) => beside.due_at(item)?.is_none_or(|due_at| due_at > *at),
        Precondition::HeldBelow(count) => beside.held()? < *count,
        Precondition::Holds(schedule, body_ref) => beside.is_held(*schedule, *body_ref)?,
        Precondition::RowsAre(book, count) => beside.rows(book)? == *count,
        Precondition::HeldAre { schedule, first, count } => {
            beside.held_are(*schedule, first.as_ref(), *count)?
        }
    })
}

/// The author's command was done, at that place.
pub(super) fn count(state: &mut ScopeState, author: Author, first: Seq) {
    let Some(seat) = state.seats.get_mut(&author.device) else { return };
    seat.last_n = author.n;
    seat.recent.push((short_name(author.entry_ref), first));
    let surplus = seat.recent.len().saturating_sub(MAX_UNANSWERED);
    seat.recent.drain(..surplus);
}

/// Whether somebody may do more or less by it than before: who is connected is looked at again.
pub(super) fn changes_access(change: &Change) -> bool {
    match change {
        Change::Create(_)
        | Change::Turn { .. }
        | Change::SetActive(_)
        | Change::Suspend(_)
        | Change::Lift(_)
        | Change::SetCounted(_)
        | Change::AddSeat { .. }
        | Change::RevokeSeat(_)
        | Change::SetMembers(..)
        | Change::AddInvite { .. }
        | Change::UseInvite(..)
        | Change::CloseInvite(_)
        | Change::Restore(_)
        | Change::Supersede
        | Change::Erase => true,
        Change::AskToClose(_)
        | Change::Closed(_)
        | Change::SetTickets(_)
        | Change::Forget { .. }
        | Change::DropFact(_)
        | Change::Enter(_)
        | Change::Count { .. }
        | Change::Strike(..)
        | Change::StrikeBook(_)
        | Change::PutHeld(_)
        | Change::ReplaceHeld(..)
        | Change::DropHeld(..)
        | Change::DropHeldOf(_)
        | Change::SetDue(..)
        | Change::SetOccurrence { .. }
        | Change::SetExpiry(_)
        | Change::ClearDue(_) => false,
    }
}

/// What a change does to the state itself; `at` is the batch's time, `first` the place of its first entry.
pub(super) fn apply(state: &mut ScopeState, at: Millis, first: Seq, change: &Change) {
    match change {
        Change::Turn { epoch, head } => (state.epoch, state.roster_head) = (*epoch, *head),
        Change::SetActive(active) => state.active = *active,
        Change::Suspend(member) if !state.is_suspended(*member) => {
            state.suspended.push(Suspended { member: *member, after: first, until: None });
        }
        Change::Lift(member) => {
            for one in state.suspended.iter_mut().filter(|one| one.member == *member) {
                one.until.get_or_insert(first);
            }
        }
        Change::SetCounted(since) => {
            state.counted_since = since.map(|since| state.counted_since.unwrap_or(since));
        }
        Change::AddSeat { device, token_hash, members } => {
            let (token_hash, members) = (*token_hash, members.clone());
            let seat = Seat { token_hash, members, revoked: false, last_n: 0, recent: Vec::new() };
            state.seats.insert(*device, Box::new(seat));
        }
        Change::RevokeSeat(device) => {
            state.seats.entry(*device).and_modify(|seat| seat.revoked = true);
        }
        Change::SetMembers(device, members) => {
            state.seats.entry(*device).and_modify(|seat| seat.members.clone_from(members));
        }
        Change::AddInvite { invite, code_hash, expires_at, .. } => {
            let (code_hash, expires_at) = (*code_hash, *expires_at);
            let opened = Invite { code_hash, expires_at, state: InviteState::Open };
            state.invites.insert(*invite, Box::new(opened));
        }
        Change::UseInvite(invite, device, token_hash) => {
            let used = InviteState::Used(*device, *token_hash, first);
            state.invites.entry(*invite).and_modify(|invite| invite.state = used);
        }
        Change::CloseInvite(invite) => {
            state.invites.entry(*invite).and_modify(|invite| invite.state = InviteState::Closed);
        }
        Change::AskToClose(asked) => {
            let all = &mut state.to_close;
            add(&mut all.devices, &asked.devices);
            add(&mut all.invites, &asked.invites);
        }
        Change::Closed(closed) => {
            state.to_close.devices.retain(|device| !closed.devices.contains(device));
            state.to_close.invites.retain(|invite| !closed.invites.contains(invite));
        }
        Change::SetTickets(tickets) => state.tickets.clone_from(tickets),
        Change::Supersede => {
            state.superseded = true;
            state.tickets.clear();
            state.to_close = ToClose::default();
            for invite in state.invites.values_mut() {
                if invite.state == InviteState::Open {
                    invite.state = InviteState::Closed;
                }
            }
        }
        Change::Restore(snapshot) => state.clone_from(&snapshot.state),
        Change::Erase => {
            let erased_at = state.erased_at.or(Some(at));
            *state = ScopeState { erased_at, ..ScopeState::new(state.kind, state.generation) };
        }
        // Done when the state was made; and what stands beside it.
        Change::Create(_)
        | Change::Suspend(_)
        | Change::Forget { .. }
        | Change::DropFact(_)
        | Change::Enter(_)
        | Change::Count { .. }
        | Change::Strike(..)
        | Change::StrikeBook(_)
        | Change::PutHeld(_)
        | Change::ReplaceHeld(..)
        | Change::DropHeld(..)
        | Change::DropHeldOf(_)
        | Change::SetDue(..)
        | Change::SetOccurrence { .. }
        | Change::SetExpiry(_)
        | Change::ClearDue(_) => {}
    }
}

/// Ascending, each once.
fn add<T: Copy + Ord>(to: &mut Vec<T>, more: &[T]) {
    to.extend(more);
    to.sort_unstable();
    to.dedup();
}

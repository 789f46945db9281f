//! Occurrences of schedules, as many as are due: one look at the store for all, decided one by one,
//! handed to the store together, so that they share its writes.
//!
//! In a family they fire in the order of their hours, over a backlog of many schedules too.

use std::collections::HashMap;

use jiashu_proto::entry::Content;
use jiashu_proto::id::{Millis, Scope};

use super::{commit_in_order, settle};
use crate::execute::Failure;
use crate::family::firing::{Fate, Firing, Held, fire};
use crate::family::schedule::{Standing, end_of};
use crate::relay::Relay;
use crate::store::{Batch, Due, Occurring, Precondition, StoreError};

/// One that was decided.
struct Decided {
    due: Due,
    firing: Result<Firing, Failure>,
}

/// Fires these, which are in the order of their hours. Whether at least one of them got done.
///
/// # Errors
///
/// [`StoreError`] if the store cannot be read.
pub(super) async fn fire_all(relay: &Relay, due: Vec<Due>) -> Result<bool, StoreError> {
    let of: Vec<_> = due.iter().filter_map(Due::schedule).collect();
    if of.is_empty() {
        return Ok(false);
    }
    let found = relay.store.occurring(of).await?;
    let (mut batches, mut fates, mut progress) = (Vec::new(), Vec::new(), false);
    for Decided { due, firing } in decide_all(due, found, relay.clock.now()) {
        match firing {
            Ok(Firing { batch, fate, due_at, .. }) => {
                batches.push((due.scope, batch));
                fates.push((due, fate, due_at));
            }
            Err(failure) => progress |= settle(relay, &due, Err(failure)).await,
        }
    }
    let committed = commit_in_order(&*relay.store, batches).await;
    for ((due, fate, due_at), done) in fates.into_iter().zip(committed) {
        if done.is_ok() {
            count(relay, fate, due_at);
        }
        progress |= settle(relay, &due, done.map(|_| ()).map_err(Failure::from)).await;
    }
    Ok(progress)
}

/// Decides each, but leaves for the next look what in its family would overtake something: of one
/// schedule the second of two that are overdue stands in the index only once the first has fired.
fn decide_all(
    due: Vec<Due>,
    found: Vec<Result<Option<Occurring>, StoreError>>,
    now: Millis,
) -> Vec<Decided> {
    let mut next_of: HashMap<Scope, Millis> = HashMap::new();
    let mut decided = Vec::with_capacity(due.len());
    for (due, found) in due.into_iter().zip(found) {
        if next_of.get(&due.scope).is_some_and(|next| *next < due.at) {
            continue;
        }
        let firing = found.map_err(Failure::from).and_then(|found| decide(found, &due, now));
        if let Some(next) = firing.as_ref().ok().and_then(|firing| firing.next) {
            next_of.entry(due.scope).and_modify(|at| *at = next.min(*at)).or_insert(next);
        }
        decided.push(Decided { due, firing });
    }
    decided
}

fn decide(found: Option<Occurring>, due: &Due, now: Millis) -> Result<Firing, Failure> {
    let standing = found.and_then(|found| {
        let held = Held { first: found.first, count: found.held };
        match Content::from_bytes(&found.schedule.content) {
            Ok(Content::Schedule(schedule)) => {
                Some((Standing { seq: found.schedule.seq, schedule }, held))
            }
            _ => None,
        }
    });
    match standing {
        Some((standing, held)) => Ok(fire(&standing, &held, due, now)?),
        None => Ok(gone(due, now)),
    }
}

/// There is no such schedule any more.
fn gone(due: &Due, now: Millis) -> Firing {
    let changes = due.schedule().map(|(_, schedule)| end_of(schedule)).unwrap_or_default();
    let requires = vec![Precondition::DueAt(due.item.clone(), due.at)];
    let batch = Batch { requires, changes, ..Batch::new(now) };
    Firing { batch, fate: Fate::Moved, due_at: due.at, next: None }
}

fn count(relay: &Relay, fate: Fate, due_at: Millis) {
    let metrics = &relay.metrics;
    match fate {
        Fate::Released => metrics.fire(relay.clock.now().saturating_sub(due_at)),
        Fate::Missed => {
            metrics.missed.inc();
        }
        Fate::Expired => {
            metrics.expired.inc();
        }
        Fate::Moved => {}
    }
}

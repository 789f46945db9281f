//! Occurrences of schedules, as many as are due: one look at the store for all, decided one by one,
//! handed to the store together, so that they share its writes.
//!
//! In a family they fire in the order of their hours, over a backlog of many schedules too.

use std::collections::HashMap;
use std::future::poll_fn;
use std::task::Poll;

use jiashu_proto::entry::Content;
use jiashu_proto::id::{Millis, Ref, Scope};

use super::settle;
use crate::execute::Failure;
use crate::family::firing::{Fate, Firing, Held, fire};
use crate::family::schedule::{Standing, end_of};
use crate::relay::Relay;
use crate::store::{Batch, Committed, Due, DueItem, Occurring, Precondition, Store, StoreError};

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
    let of: Vec<(Scope, Ref)> = due.iter().filter_map(schedule_of).collect();
    if of.is_empty() {
        return Ok(false);
    }
    let found = relay.store.occurring(of).await?;
    let decided = decide_all(due, found, relay.clock.now());
    let batches = decided.iter().filter_map(|one| {
        let firing = one.firing.as_ref().ok()?;
        Some((one.due.scope, firing.batch.clone()))
    });
    let mut committed = commit_in_order(&*relay.store, batches.collect()).await.into_iter();
    let mut progress = false;
    for Decided { due, firing } in decided {
        let done = match firing {
            Ok(firing) => match committed.next() {
                Some(Ok(_)) => {
                    count(relay, &firing);
                    Ok(())
                }
                Some(Err(error)) => Err(error.into()),
                None => Ok(()),
            },
            Err(failure) => Err(failure),
        };
        progress |= settle(relay, &due, done).await;
    }
    Ok(progress)
}

fn schedule_of(due: &Due) -> Option<(Scope, Ref)> {
    match due.item {
        DueItem::Occurrence(schedule) => Some((due.scope, schedule)),
        _ => None,
    }
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
    let changes = schedule_of(due).map(|(_, schedule)| end_of(schedule)).unwrap_or_default();
    let requires = vec![Precondition::DueAt(due.item.clone(), due.at)];
    let batch = Batch { requires, changes, ..Batch::new(now) };
    Firing { batch, fate: Fate::Moved, due_at: due.at, next: None }
}

/// Hands all of them to the store before the first is waited for: those of one family are written in
/// this order.
async fn commit_in_order(
    store: &dyn Store,
    batches: Vec<(Scope, Batch)>,
) -> Vec<Result<Committed, StoreError>> {
    let mut handed_in = Vec::with_capacity(batches.len());
    for (scope, batch) in batches {
        let mut commit = store.commit(scope, batch);
        let early = poll_fn(|context| Poll::Ready(commit.as_mut().poll(context))).await;
        handed_in.push((commit, early));
    }
    let mut committed = Vec::with_capacity(handed_in.len());
    for (commit, early) in handed_in {
        committed.push(match early {
            Poll::Ready(done) => done,
            Poll::Pending => commit.await,
        });
    }
    committed
}

fn count(relay: &Relay, firing: &Firing) {
    let metrics = &relay.metrics;
    match firing.fate {
        Fate::Released => metrics.fire(relay.clock.now().saturating_sub(firing.due_at)),
        Fate::Missed => {
            metrics.missed.inc();
        }
        Fate::Expired => {
            metrics.expired.inc();
        }
        Fate::Moved => {}
    }
}

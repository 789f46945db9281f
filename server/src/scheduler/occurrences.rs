//! Occurrences of schedules, as many as are due: one look at the store for all, decided one by one,
//! handed to the store together, so that they share its writes.
//!
//! In a family they fire in the order of their hours, over a backlog of many schedules too.

use std::collections::HashMap;

use jiashu_proto::entry::Content;
use jiashu_proto::id::{Millis, Scope};

use super::{hand_in, settle, settled};
use crate::execute::Failure;
use crate::family::firing::{Fate, Firing, Held, Stop, fire, stop};
use crate::family::schedule::{Standing, end_of};
use crate::relay::Relay;
use crate::store::{Batch, Due, Occurring, Precondition, StoreError};

/// So many are looked up at once, while the store writes those before.
const LOOK: usize = 1_024;

/// One that was decided.
struct Decided {
    due: Due,
    firing: Result<Firing, Failure>,
}

/// One that the store has.
struct UnderWay<'a> {
    due: Due,
    fate: Fate,
    due_at: Millis,
    commit: super::UnderWay<'a>,
}

/// Fires these, which are in the order of their hours. Whether at least one of them got done.
///
/// # Errors
///
/// [`StoreError`] if the store cannot be read.
pub(super) async fn fire_all(relay: &Relay, due: Vec<Due>) -> Result<bool, StoreError> {
    let (mut order, mut under_way, mut progress) = (Order::default(), Vec::new(), false);
    let mut left = due.into_iter();
    let looked = loop {
        let due: Vec<_> = left.by_ref().take(LOOK).collect();
        if due.is_empty() {
            break Ok(());
        }
        let found =
            match relay.store.occurring(due.iter().filter_map(Due::schedule).collect()).await {
                Ok(found) => found,
                Err(error) => break Err(error),
            };
        for Decided { due, firing } in order.decide_all(relay, due, found) {
            match firing {
                Ok(Firing { batch, fate, due_at, .. }) => {
                    let commit = hand_in(&*relay.store, due.scope, batch).await;
                    under_way.push(UnderWay { due, fate, due_at, commit });
                }
                Err(failure) => progress |= settle(relay, &due, Err(failure)).await,
            }
        }
    };
    for UnderWay { due, fate, due_at, commit } in under_way {
        let done = match settled(commit).await {
            Ok(_) => {
                count(relay, fate, due_at);
                Ok(())
            }
            Err(StoreError::Stale { precondition }) if Stop::of(&precondition).is_some() => {
                stopped(relay, &due, Stop::of(&precondition)).await
            }
            Err(error) => Err(error.into()),
        };
        progress |= settle(relay, &due, done).await;
    }
    looked.map(|()| progress)
}

/// Its letter may not move: it is decided once more, and passes.
async fn stopped(relay: &Relay, due: &Due, why: Option<Stop>) -> Result<(), Failure> {
    let (store, keep, now) = (&*relay.store, relay.config.blob_keep_ms(), relay.clock.now());
    let found = store.occurring(due.schedule().into_iter().collect()).await?;
    for found in found {
        let Firing { batch, fate, due_at, .. } = decide(found?, due, why, keep, now)?;
        store.commit(due.scope, batch).await?;
        count(relay, fate, due_at);
    }
    Ok(())
}

/// When the next occurrence of each family is due, of those that were decided.
#[derive(Default)]
struct Order(HashMap<Scope, Millis>);

impl Order {
    /// Decides each, but leaves for the next look what in its family would overtake something: of one
    /// schedule the second of two that are overdue stands in the index only once the first has fired.
    fn decide_all(
        &mut self,
        relay: &Relay,
        due: Vec<Due>,
        found: Vec<Result<Option<Occurring>, StoreError>>,
    ) -> Vec<Decided> {
        let Self(next_of) = self;
        let (keep, now) = (relay.config.blob_keep_ms(), relay.clock.now());
        let mut decided = Vec::with_capacity(due.len());
        for (due, found) in due.into_iter().zip(found) {
            if next_of.get(&due.scope).is_some_and(|next| *next < due.at) {
                continue;
            }
            let firing =
                found.map_err(Failure::from).and_then(|found| decide(found, &due, None, keep, now));
            if let Some(next) = firing.as_ref().ok().and_then(|firing| firing.next) {
                next_of.entry(due.scope).and_modify(|at| *at = next.min(*at)).or_insert(next);
            }
            decided.push(Decided { due, firing });
        }
        decided
    }
}

fn decide(
    found: Option<Occurring>,
    due: &Due,
    why_not: Option<Stop>,
    keep: Millis,
    now: Millis,
) -> Result<Firing, Failure> {
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
        Some((standing, held)) => match why_not {
            None => Ok(fire(&standing, &held, due, keep, now)?),
            Some(why) => Ok(stop(&standing, &held, due, why, now)?),
        },
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
        Fate::Missed | Fate::Stopped => {
            metrics.missed.inc();
        }
        Fate::Expired => {
            metrics.expired.inc();
        }
        Fate::Moved => {}
    }
}

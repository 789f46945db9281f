//! The loop that looks at the due index: what is due is decided by `family` and committed.
//!
//! No leader and no lock: each item carries the time it was due as a precondition, so of two who
//! fire one wins, and what a crash left undone is simply still due. What is due at many families in
//! one minute is `occurrences`; `zones` reckons instants anew where the rules of zones have changed.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, MaybeDone, join_all, maybe_done};
use jiashu_proto::entry::{Content, Seq};
use jiashu_proto::id::{Millis, Scope};
use tokio_util::sync::CancellationToken;

use crate::contact;
use crate::erasing;
use crate::execute::staff::finish_enrolment;
use crate::execute::{self, Failure};
use crate::family::{closing, expiry, retention};
use crate::notify;
use crate::relay::Relay;
use crate::setup;
use crate::store::{
    Batch, Change, Committed, Due, DueItem, Precondition, ScopeState, Store, StoreError,
};

mod occurrences;

pub mod zones;

/// Items taken from the index at once: half of what may wait for the writer, the rest is for phones.
const GROUP: usize = 8_192;

/// The index is looked at so often even when nothing is known to be due: another process, or a
/// clock that was set, may have made it so.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What could not be done is tried again after this time, in ms.
const AGAIN_MS: Millis = 60_000;

/// Does what is due until `stop`.
pub async fn run(relay: Arc<Relay>, stop: CancellationToken) {
    loop {
        let pause = match step(&relay).await {
            Ok(Step::Done) => Duration::ZERO,
            Ok(Step::NothingDue) => pause(&relay).await,
            Ok(Step::Stuck) => LOOK_EVERY,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot look at what is due"
                );
                LOOK_EVERY
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// What came of one look at the index.
enum Step {
    /// Something was done; there may be more.
    Done,
    /// Nothing is due now.
    NothingDue,
    /// What is due could not be done; at once again would fare no better.
    Stuck,
}

/// Does one group of what is due.
async fn step(relay: &Relay) -> Result<Step, StoreError> {
    let due = relay.store.due(relay.clock.now(), GROUP).await?;
    if due.is_empty() {
        return Ok(Step::NothingDue);
    }
    let (occurrences, others): (Vec<_>, Vec<_>) =
        due.into_iter().partition(|due| due.schedule().is_some());
    let fired = occurrences::fire_all(relay, occurrences).await?;
    let mut by_scope: BTreeMap<Scope, Vec<Due>> = BTreeMap::new();
    let (digests, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|due| due.item == DueItem::Digest);
    for item in others {
        by_scope.entry(item.scope).or_default().push(item);
    }
    let done = join_all(by_scope.into_values().map(|items| in_order(relay, items))).await;
    let told = in_order(relay, reckoned(relay, digests).await?).await;
    Ok(if fired || told || done.contains(&true) { Step::Done } else { Step::Stuck })
}

/// Of some digests those of which all that was to be reckoned before them has been. The others stay due; they do not wait
/// for long: a look is done or overtaken, or is put off behind them where it cannot be done.
async fn reckoned(relay: &Relay, mut digests: Vec<Due>) -> Result<Vec<Due>, StoreError> {
    if !digests.is_empty() {
        let due = relay.store.due(relay.clock.now(), GROUP).await?;
        let looks = due.iter().filter(|due| due.item == DueItem::Contact).map(|due| due.at);
        if let Some(first) = looks.min() {
            digests.retain(|digest| digest.at < first);
        }
    }
    Ok(digests)
}

/// Whether at least one of them got done, or out of the way.
async fn in_order(relay: &Relay, items: Vec<Due>) -> bool {
    let mut progress = false;
    for due in items {
        let done = one(relay, &due).await;
        progress |= settle(relay, &due, done).await;
    }
    progress
}

/// Whether what was due is done, or out of the way of the others. What cannot be done is tried again
/// later: thousands of such must not keep those behind them waiting.
async fn settle(relay: &Relay, due: &Due, done: Result<(), Failure>) -> bool {
    match done {
        Ok(()) => true,
        // Another relay, or a change of the schedule, was first.
        Err(Failure::Store(StoreError::Stale { .. })) => false,
        // The store is in trouble, and would be with the others too.
        Err(Failure::Store(StoreError::Unavailable { .. })) => false,
        Err(failure) => {
            let refused = failure.answer(None);
            tracing::warn!(scope.id = %due.scope, "cannot be done, is tried again: {}", refused.text);
            let later = later(due, relay.clock.now());
            relay.store.commit(due.scope, later).await.is_ok()
        }
    }
}

/// Puts it off. An occurrence keeps the time it was planned for, and so its hour.
fn later(due: &Due, now: Millis) -> Batch {
    let at = now.saturating_add(AGAIN_MS);
    let change = match (&due.item, &due.planned) {
        (DueItem::Occurrence(schedule), Some(planned)) => {
            Change::SetOccurrence { schedule: *schedule, planned: planned.clone(), at }
        }
        (item, _) => Change::SetDue(item.clone(), at),
    };
    Batch {
        requires: vec![Precondition::DueAt(due.item.clone(), due.at)],
        changes: vec![change],
        ..Batch::new(now)
    }
}

/// A commit that the store has, or has answered already.
type UnderWay<'a> = MaybeDone<BoxFuture<'a, Result<Committed, StoreError>>>;

/// Hands it to the store without waiting for what comes of it: of one family is written first what was
/// handed in first.
async fn hand_in(store: &dyn Store, scope: Scope, batch: Batch) -> UnderWay<'_> {
    let mut commit = maybe_done(store.commit(scope, batch));
    poll_fn(|context| {
        let _done_or_under_way = commit.poll_unpin(context);
        Poll::Ready(())
    })
    .await;
    commit
}

/// Waits for what comes of it.
async fn settled(mut commit: UnderWay<'_>) -> Result<Committed, StoreError> {
    (&mut commit).await;
    Pin::new(&mut commit).take_output().expect("it is asked once")
}

async fn one(relay: &Relay, due: &Due) -> Result<(), Failure> {
    match &due.item {
        DueItem::Enrolment(case_code) => {
            finish_enrolment(relay, due.scope, case_code).await.map(|_| ())
        }
        DueItem::Invite(invite) => {
            let (store, now) = (&*relay.store, relay.clock.now());
            let state = store.state(due.scope).await?.ok_or(StoreError::NoScope)?;
            store.commit(due.scope, closing::expire(&state, *invite, due.at, now)).await?;
            Ok(())
        }
        DueItem::Programme(programme) => setup::finish(relay, *programme).await,
        DueItem::Retention => forget_old(relay, due).await,
        DueItem::Expiry(place) => expire_message(relay, due, *place).await,
        DueItem::Blob(id) => execute::blob::on_due(relay, due, *id).await,
        DueItem::Contact => contact::look(relay, due).await,
        DueItem::Mail(id) => notify::on_due(relay, due, *id).await,
        DueItem::Digest => notify::digest::on_due(relay, due).await,
        DueItem::Erasure(family) => erasing::on_due(relay, due, *family).await,
        DueItem::Transfer(family) => execute::transfer::on_due(relay, due.scope, *family).await,
        // Those are fired together.
        DueItem::Occurrence(_) => Ok(()),
    }
}

/// What the message at that place was worth has ended.
async fn expire_message(relay: &Relay, due: &Due, place: Seq) -> Result<(), Failure> {
    let store = &*relay.store;
    let state = store.state(due.scope).await?.ok_or(StoreError::NoScope)?;
    let reached = store.cursors(due.scope).await?;
    let content = content_at(store, due.scope, place, &state).await?;
    let message = match &content {
        Some(Content::Message(_, message)) => Some(message),
        _ => None,
    };
    let batch = expiry::expire(place, message, &state, &reached, due, relay.clock.now());
    let told = !batch.entries.is_empty();
    store.commit(due.scope, batch).await?;
    if told {
        relay.metrics.expired.inc();
    }
    Ok(())
}

/// What stands at a place; `None` if it was superseded or forgotten.
async fn content_at(
    store: &dyn Store,
    scope: Scope,
    place: Seq,
    state: &ScopeState,
) -> Result<Option<Content>, StoreError> {
    if place > state.head || place <= state.floor {
        return Ok(None);
    }
    let record = store.record_at(scope, place).await?;
    Ok(record.and_then(|record| Content::from_bytes(&record.content).ok()))
}

/// Forgets what is older than the retention, a batch at a time. Batches that a crash left out have
/// their turn a day later.
async fn forget_old(relay: &Relay, due: &Due) -> Result<(), Failure> {
    let (store, mut due_at) = (&*relay.store, due.at);
    loop {
        let before = floor(store, due.scope).await?;
        let now = relay.clock.now();
        let batch = retention::forget_old(due_at, now, relay.config.retention_ms());
        store.commit(due.scope, batch).await?;
        let passed = floor(store, due.scope).await?.saturating_sub(before);
        if passed < retention::AT_ONCE as u64 {
            return Ok(());
        }
        due_at = retention::next_look(now);
    }
}

async fn floor(store: &dyn Store, scope: Scope) -> Result<Seq, StoreError> {
    Ok(store.state(scope).await?.ok_or(StoreError::NoScope)?.floor)
}

/// Until the next item, but not longer than [`LOOK_EVERY`].
async fn pause(relay: &Relay) -> Duration {
    let next = relay.store.next_due().await.ok().flatten();
    let wait = next.map_or(Millis::MAX, |at| at.saturating_sub(relay.clock.now()));
    Duration::from_millis(u64::try_from(wait).unwrap_or(0).max(1)).min(LOOK_EVERY)
}

/// Does all that is due now: for a clock that somebody moves by hand, who must not wait for [`run`] to look.
///
/// # Errors
///
/// [`StoreError`], if the index cannot be looked at.
pub async fn catch_up(relay: &Relay) -> Result<(), StoreError> {
    while matches!(step(relay).await?, Step::Done) {}
    Ok(())
}

/// The same, in a test.
#[cfg(test)]
pub(crate) async fn settle_all(relay: &Relay) {
    catch_up(relay).await.unwrap();
}

#[cfg(test)]
mod blob_tests;

#[cfg(test)]
mod tests;

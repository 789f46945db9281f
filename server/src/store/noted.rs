//! How far devices have read, kept in memory until the store has time for it.
//!
//! What is being written stays visible here until it is durable, so a reader that looks here first and
//! there next misses nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiashu_proto::frame::Reached;
use jiashu_proto::id::{DeviceId, Scope};

/// Rows written in one transaction: the commits that wait meanwhile should not notice.
const CHUNK: usize = 2048;

/// Cursors by whose they are.
pub(in crate::store) type Cursors = BTreeMap<(Scope, DeviceId), Reached>;

/// Cursors noted and not yet durable.
#[derive(Debug, Default)]
pub(in crate::store) struct Noted(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Cursors,
    in_writing: Arc<Cursors>,
}

impl Noted {
    /// Notes how far a device is, unless it was further already.
    pub(in crate::store) fn note(&self, scope: Scope, reached: Reached) {
        keep_further(&mut lock(&self.0).waiting, scope, reached);
    }

    /// Nothing is known of the devices of a scope any more.
    pub(in crate::store) fn forget(&self, scope: Scope) {
        lock(&self.0).waiting.retain(|(of, _), _| *of != scope);
    }

    /// What was noted for the devices of a scope, in no order.
    pub(in crate::store) fn of(&self, scope: Scope) -> Vec<Reached> {
        let all = (scope, DeviceId(0))..=(scope, DeviceId(u32::MAX));
        let inner = lock(&self.0);
        let waiting = inner.waiting.range(all.clone());
        waiting.chain(inner.in_writing.range(all)).map(|(_, reached)| *reached).collect()
    }

    /// The next to write; ended by [`Noted::written`] or [`Noted::not_written`].
    pub(in crate::store) fn take_chunk(&self) -> Arc<Cursors> {
        let mut inner = lock(&self.0);
        let mut chunk = Cursors::new();
        while chunk.len() < CHUNK
            && let Some((key, reached)) = inner.waiting.pop_first()
        {
            chunk.insert(key, reached);
        }
        inner.in_writing = Arc::new(chunk);
        Arc::clone(&inner.in_writing)
    }

    /// The chunk is durable.
    pub(in crate::store) fn written(&self) {
        lock(&self.0).in_writing = Arc::default();
    }

    /// The chunk is not; it waits again.
    pub(in crate::store) fn not_written(&self) {
        let mut inner = lock(&self.0);
        let chunk = std::mem::take(&mut inner.in_writing);
        for ((scope, _), reached) in chunk.iter() {
            keep_further(&mut inner.waiting, *scope, *reached);
        }
    }
}

/// The further of those written and those noted, ascending by device.
pub(in crate::store) fn merge(written: Vec<Reached>, noted: Vec<Reached>) -> Vec<Reached> {
    let mut merged = Cursors::new();
    for reached in written.into_iter().chain(noted) {
        keep_further(&mut merged, Scope::RELAY, reached);
    }
    merged.into_values().collect()
}

/// Of two that are as far, the first time counts.
fn keep_further(cursors: &mut Cursors, scope: Scope, reached: Reached) {
    let kept = cursors.entry((scope, reached.device)).or_insert(reached);
    if reached.seq > kept.seq || (reached.seq == kept.seq && reached.at < kept.at) {
        *kept = reached;
    }
}

/// Nothing behind the lock is left half changed by a panic.
fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

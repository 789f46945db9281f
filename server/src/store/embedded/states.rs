//! The states of scopes as last committed, in memory.
//!
//! The writer puts them here after its COMMIT, a reader what it found while there was none, so what
//! stands here is never older or newer than the file.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jiashu_proto::id::Scope;

use super::lock;
use crate::store::ScopeState;

/// Scopes kept, some KiB each. When there are more all are dropped: the file has them.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
struct Known {
    by_scope: HashMap<Scope, Arc<ScopeState>>,
    /// How often all were dropped.
    drops: u64,
}

impl Known {
    fn drop_all(&mut self) {
        self.by_scope.clear();
        self.drops += 1;
    }
}

/// Committed states by scope.
#[derive(Debug, Default)]
pub(super) struct States(Mutex<Known>);

impl States {
    /// The state, if it is at hand.
    pub(super) fn get(&self, scope: Scope) -> Option<Arc<ScopeState>> {
        lock(&self.0).by_scope.get(&scope).cloned()
    }

    /// To be asked before a state is read that will be kept.
    pub(super) fn drops(&self) -> u64 {
        lock(&self.0).drops
    }

    /// Keeps what a reader found, unless the writer has put one since, or what it put was dropped
    /// since `drops` was asked.
    pub(super) fn keep(&self, scope: Scope, state: &Arc<ScopeState>, drops: u64) {
        let mut known = lock(&self.0);
        if known.drops == drops && known.by_scope.len() < MOST {
            known.by_scope.entry(scope).or_insert_with(|| state.clone());
        }
    }

    /// What a group has committed.
    pub(super) fn put(&self, committed: impl Iterator<Item = (Scope, ScopeState)>) {
        let mut known = lock(&self.0);
        for (scope, state) in committed {
            if known.by_scope.len() >= MOST {
                known.drop_all();
            }
            known.by_scope.insert(scope, Arc::new(state));
        }
    }

    /// Forgets all: whether the last group was written is in doubt.
    pub(super) fn clear(&self) {
        lock(&self.0).drop_all();
    }
}

//! The states of scopes as last committed, in memory.
//!
//! Only the writer puts them here, after its COMMIT, so what stands here is never older or newer
//! than the file.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jiashu_proto::id::Scope;

use super::lock;
use crate::store::ScopeState;

/// Scopes kept, some KiB each. When there are more all are dropped: the file has them.
const MOST: usize = 10_000;

/// Committed states by scope.
#[derive(Debug, Default)]
pub(super) struct States(Mutex<HashMap<Scope, Arc<ScopeState>>>);

impl States {
    /// The state, if it is at hand.
    pub(super) fn get(&self, scope: Scope) -> Option<Arc<ScopeState>> {
        lock(&self.0).get(&scope).cloned()
    }

    /// What a group has committed.
    pub(super) fn put(&self, committed: impl Iterator<Item = (Scope, ScopeState)>) {
        let mut states = lock(&self.0);
        for (scope, state) in committed {
            if states.len() >= MOST {
                states.clear();
            }
            states.insert(scope, Arc::new(state));
        }
    }

    /// Forgets all: whether the last group was written is in doubt.
    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }
}

//! A store that was filled from an older backup has families again that were deleted since: by a list of their numbers, kept
//! apart from it, they are deleted again.

use jiashu_proto::id::{Millis, Scope};

use super::leaving;
use crate::execute::ATTEMPTS;
use crate::family::leaving::{Household, decide_erasure};
use crate::store::{Batch, Change, Precondition, ScopeKind, Store, StoreError};

/// What is done about a family that was deleted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It was there, and goes as soon as a relay runs.
    Goes,
    /// Nothing was to be done: it is erased, or goes with what followed on it.
    Gone,
    /// It was not there: its number is noted as an erased one, lest it come back.
    Noted,
    /// That number is a programme's, or the relay's own.
    NoFamily,
}

/// Every family that is erased, and since when, ascending by number.
///
/// # Errors
///
/// [`StoreError`].
pub async fn erased(store: &dyn Store) -> Result<Vec<(Scope, Millis)>, StoreError> {
    let mut erased = Vec::new();
    for scope in store.scopes().await? {
        let at = store.state(scope).await?.and_then(|state| state.erased_at);
        erased.extend(at.map(|at| (scope, at)));
    }
    Ok(erased)
}

/// Deletes it, if it is there. A repeat finds it done.
///
/// # Errors
///
/// [`StoreError`].
pub async fn erase_again(
    store: &dyn Store,
    family: Scope,
    now: Millis,
) -> Result<Again, StoreError> {
    let mut attempts = 0..ATTEMPTS;
    loop {
        let (batch, done) = match store.state(family).await? {
            None => {
                let changes = vec![Change::Create(ScopeKind::Family), Change::Erase];
                let requires = vec![Precondition::Absent];
                (Batch { requires, changes, ..Batch::new(now) }, Again::Noted)
            }
            Some(state) if state.kind != ScopeKind::Family => return Ok(Again::NoFamily),
            Some(state) if state.erased_at.is_some() || state.superseded => return Ok(Again::Gone),
            Some(state) => {
                let standing = leaving(store, family).await?;
                let (state, standing) = (&*state, standing.as_ref());
                let household = Household { family, state, standing, grace_ms: 0 };
                (decide_erasure(&household, true, now), Again::Goes)
            }
        };
        match store.commit(family, batch).await {
            // A relay may run meanwhile.
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            Err(StoreError::Erased) => return Ok(Again::Gone),
            Err(error) => return Err(error),
            Ok(_) => return Ok(done),
        }
    }
}

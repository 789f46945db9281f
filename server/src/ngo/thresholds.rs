//! Where one standing ends and the next begins.

use futures_util::{StreamExt, stream};
use jiashu_api::report as api;
use jiashu_contact::standing::Thresholds;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::Scope;

use super::audit::Asked;
use super::staff::{Staff, Wants, allow};
use crate::contact::rows::FAMILIES;
use crate::execute::Failure;
use crate::family::{Refusal, contact};
use crate::programme::{self, ProgrammeFact as _, entry};
use crate::relay::Relay;
use crate::store::{Batch, Store, StoreError};

/// Families that are told at once.
const AT_ONCE: usize = 64;

/// No standing lasts longer than this, in days.
const MOST: u32 = 400;

/// What is in force.
///
/// # Errors
///
/// [`StoreError`].
pub async fn show(relay: &Relay, staff: &Staff) -> Result<api::Thresholds, StoreError> {
    let found = programme::find(&*relay.store, staff.programme, Thresholds::KEYS).await?;
    let Thresholds { on_track, watch, at_risk, silent, missed } = found.unwrap_or_default();
    Ok(api::Thresholds { on_track, watch, at_risk, silent, missed })
}

/// Puts others in force. Every family is looked at anew; weeks that have closed stay as they are.
///
/// # Errors
///
/// [`Failure`].
pub async fn set(relay: &Relay, staff: &Staff, new: api::Thresholds) -> Result<(), Failure> {
    let api::Thresholds { on_track, watch, at_risk, silent, missed } = new;
    let detail = format!("{on_track} {watch} {at_risk} {silent} {missed}");
    let asked = Asked { action: "thresholds", subject: None, detail: Some(detail) };
    allow(relay, staff, Wants::Programme, asked).await?;
    let ascends = [0, on_track, watch, at_risk, silent].is_sorted_by(|one, next| one < next);
    if !ascends || silent > MOST || !(1..=MOST).contains(&missed) {
        let text = "each is more days than the one before, at most 400, and at least one is missed";
        return Err(Refusal::new(ErrorCode::Malformed, text).into());
    }
    let fact = Thresholds { on_track, watch, at_risk, silent, missed };
    let entries = vec![entry(Thresholds::KEYS.to_owned(), &fact)];
    let batch = Batch { entries, ..Batch::new(relay.clock.now()) };
    relay.store.commit(staff.programme, batch).await?;
    look_at_all(relay, staff.programme).await?;
    Ok(())
}

/// Every family of a programme is due to be looked at. One that a crash leaves out has its turn on Monday.
///
/// # Errors
///
/// [`StoreError`].
pub async fn look_at_all(relay: &Relay, programme: Scope) -> Result<(), StoreError> {
    let store: &dyn Store = &*relay.store;
    let families = store
        .book(programme, FAMILIES)
        .await?
        .into_iter()
        .filter_map(|row| Some(Scope(u64::from_be_bytes(row.name.try_into().ok()?))));
    let look = |family| {
        let now = relay.clock.now();
        let batch = Batch { changes: vec![contact::look(now)], ..Batch::new(now) };
        async move { store.commit(family, batch).await.map(|_| ()) }
    };
    let mut looks = stream::iter(families).map(look).buffer_unordered(AT_ONCE);
    while let Some(done) = looks.next().await {
        done?;
    }
    Ok(())
}

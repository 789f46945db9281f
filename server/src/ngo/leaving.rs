//! A family is deleted on the word of a coordinator, or of the family through one.

use jiashu_api::family::{Erase, Leaves};
use jiashu_proto::id::Scope;

use super::audit::Asked;
use super::staff::{Staff, allow_case};
use crate::erasing;
use crate::execute::{ATTEMPTS, Failure};
use crate::family::Refusal;
use crate::family::leaving::{Household, decide_erasure, decide_keeping};
use crate::relay::Relay;
use crate::store::{Batch, StoreError};

/// All of the family will be deleted; it may be taken back until then.
///
/// # Errors
///
/// [`Failure`].
pub async fn erase(
    relay: &Relay,
    staff: &Staff,
    case_code: &str,
    wish: &Erase,
) -> Result<Leaves, Failure> {
    let detail = if wish.family_asked { "the family asked" } else { "" };
    let asked = Asked::of("erase", case_code).saying(detail);
    let family = allow_case(relay, staff, case_code, asked).await?;
    let now = relay.clock.now();
    decided(relay, family, |household| Ok(decide_erasure(household, wish.family_asked, now))).await
}

/// It stays after all.
///
/// # Errors
///
/// [`Failure`].
pub async fn keep(relay: &Relay, staff: &Staff, case_code: &str) -> Result<(), Failure> {
    let asked = Asked::of("erase-undo", case_code);
    let family = allow_case(relay, staff, case_code, asked).await?;
    let now = relay.clock.now();
    decided(relay, family, |household| decide_keeping(household, now)).await?;
    Ok(())
}

async fn decided(
    relay: &Relay,
    family: Scope,
    decide: impl Fn(&Household<'_>) -> Result<Batch, Refusal>,
) -> Result<Leaves, Failure> {
    let store = &*relay.store;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let state = store.state(family).await?.ok_or(StoreError::NoScope)?;
        let standing = erasing::leaving(store, family).await?;
        let household = Household {
            family,
            state: &state,
            standing: standing.as_ref(),
            grace_ms: relay.config.leaving_ms(),
        };
        match store.commit(family, decide(&household)?).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => break,
        }
    }
    let leaving = erasing::leaving(store, family).await?;
    // It may be gone already, where that was to be at once.
    let until = leaving.and_then(|(_, leaving)| leaving.until);
    Ok(Leaves { until: until.unwrap_or_else(|| relay.clock.now()) })
}

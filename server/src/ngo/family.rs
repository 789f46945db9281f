//! What staff do for one family: pause what is expected, propose a plan.

use jiashu_api::family;
use jiashu_proto::entry::{Content, IntendedRule, PAUSE_KEYS, Pause, PauseReason, RuleText, Seq};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::Scope;
use jiff::civil::Date;

use super::audit::Asked;
use super::staff::{Staff, allow_family};
use crate::contact;
use crate::execute::{ATTEMPTS, Failure};
use crate::family::Refusal;
use crate::family::contact::{NewPause, decide_pause, decide_proposal, decide_resume};
use crate::relay::Relay;
use crate::store::{Batch, Store, StoreError};

/// Nothing is expected on these days; a pause that holds already is not ended by it.
///
/// # Errors
///
/// [`Failure`].
pub async fn pause(
    relay: &Relay,
    staff: &Staff,
    case_code: &str,
    wish: &family::Pause,
) -> Result<(), Failure> {
    let reason = PauseReason::from_name(&wish.reason).ok_or_else(|| {
        let text = "a reason is parent-home, joined-parent, exams or phone-broken";
        Refusal::new(ErrorCode::Malformed, text)
    })?;
    let asked = Asked::of("pause", case_code).saying(reason.name());
    let family = allow_family(relay, staff, case_code, asked).await?;
    let first = match wish.first {
        Some(first) => first,
        None => today(relay, family).await?,
    };
    let new = NewPause { first, last: wish.until, reason };
    anew(relay, family, |standing| {
        let standing: Vec<_> = standing.iter().map(|(_, pause)| pause.clone()).collect();
        decide_pause(staff.number, &new, &standing, relay.clock.now()).map(Some)
    })
    .await
}

/// What is expected is expected again from today on; where nothing was paused, nothing changes.
///
/// # Errors
///
/// [`Failure`].
pub async fn resume(relay: &Relay, staff: &Staff, case_code: &str) -> Result<(), Failure> {
    let family = allow_family(relay, staff, case_code, Asked::of("resume", case_code)).await?;
    let today = today(relay, family).await?;
    anew(relay, family, |standing| {
        Ok(decide_resume(staff.number, today, standing, relay.clock.now()))
    })
    .await
}

/// Proposes a plan to the family, which confirms it or does not.
///
/// # Errors
///
/// [`Failure`].
pub async fn propose(
    relay: &Relay,
    staff: &Staff,
    case_code: &str,
    wish: family::Plan,
) -> Result<(), Failure> {
    let family = allow_family(relay, staff, case_code, Asked::of("plan", case_code)).await?;
    let home = contact::home_zone(relay, family).await?.unwrap_or_else(|| "UTC".to_owned());
    let rule = |wish: family::Rule| {
        let zone = wish.zone.unwrap_or_else(|| home.clone());
        let rule = RuleText::new(wish.start, zone, wish.rrule.as_deref());
        IntendedRule { rule, tolerance_min: wish.tolerance_min }
    };
    let rules = wish.rules.into_iter().map(rule).collect();
    let batch = decide_proposal(staff.number, rules, relay.clock.now())?;
    relay.store.commit(family, batch).await?;
    Ok(())
}

/// Decides on the family's pauses, anew where another was first.
async fn anew(
    relay: &Relay,
    family: Scope,
    decide: impl Fn(&[(Seq, Pause)]) -> Result<Option<Batch>, Refusal>,
) -> Result<(), Failure> {
    let mut attempts = 0..ATTEMPTS;
    loop {
        let Some(batch) = decide(&pauses(&*relay.store, family).await?)? else {
            return Ok(());
        };
        match relay.store.commit(family, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            done => return done.map(|_| ()).map_err(Failure::from),
        }
    }
}

async fn pauses(store: &dyn Store, family: Scope) -> Result<Vec<(Seq, Pause)>, StoreError> {
    let facts = store.facts(family, PAUSE_KEYS).await?;
    let pauses =
        facts.into_iter().filter_map(|(_, record)| match Content::from_bytes(&record.content) {
            Ok(Content::Pause(pause)) => Some((record.seq, pause)),
            _ => None,
        });
    Ok(pauses.collect())
}

/// The day that it is on the family's clock.
async fn today(relay: &Relay, family: Scope) -> Result<Date, Failure> {
    contact::today(relay, family).await
}

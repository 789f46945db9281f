//! What a family says of itself beside its letters: what it intends, what it takes back, that it asks for help, that it
//! leaves.

use jiashu_proto::entry::{Content, PLAN_KEY, Seq};
use jiashu_proto::frame::{AskForHelp, Intend, Leave, Reach, Withdraw};
use jiashu_proto::id::Scope;

use super::{Failure, checked_links, roster, staff};
use crate::erasing;
use crate::family::Sender;
use crate::family::consent::decide_withdrawal;
use crate::family::contact::{StandingPlan, decide_intend};
use crate::family::help::{decide_help, decide_reach};
use crate::family::leaving::{Household, Phones, decide_leave};
use crate::family::ledger::{INTENDED, Intended};
use crate::family::tasks::{TASKS, Task};
use crate::relay::Relay;
use crate::store::{Batch, Record, Store, StoreError};

pub(super) async fn intend_batch(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    intend: Intend,
) -> Result<Batch, Failure> {
    let standing = standing_plan(&*relay.store, scope).await?;
    let past = past_plans(&*relay.store, scope).await?;
    let state = relay.store.state(scope).await?.ok_or(StoreError::NoScope)?;
    let roster = roster(relay, scope, state.roster_head).await?;
    let role_of = |member| roster.members().get(&member).copied();
    Ok(decide_intend(sender, intend, standing.as_ref(), &past, role_of, relay.clock.now())?)
}

pub(super) async fn withdrawal(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    withdraw: &Withdraw,
) -> Result<Batch, Failure> {
    let state = relay.store.state(scope).await?.ok_or(StoreError::NoScope)?;
    let roster = roster(relay, scope, state.roster_head).await?;
    let standing = staff::consents(&*relay.store, scope).await?;
    Ok(decide_withdrawal(sender, withdraw, &roster, &standing, relay.clock.now())?)
}

pub(super) async fn leave_batch(
    relay: &Relay,
    family: Scope,
    sender: &Sender,
    leave: &Leave,
) -> Result<Batch, Failure> {
    let state = relay.store.state(family).await?.ok_or(StoreError::NoScope)?;
    let (roster, _, turned) = checked_links(relay, family).await?;
    let role_of = |member| roster.members().get(&member).copied();
    let standing = erasing::leaving(&*relay.store, family).await?;
    let (standing, grace_ms) = (standing.as_ref(), relay.config.leaving_ms());
    let household = Household { family, state: &state, standing, grace_ms };
    let phones = Phones::of(turned.iter().flat_map(|turned| &turned.events));
    Ok(decide_leave(sender, leave, &household, &phones, role_of, relay.clock.now())?)
}

/// What staff are asked to do for a family, or were.
///
/// # Errors
///
/// [`StoreError`].
pub async fn tasks(store: &dyn Store, scope: Scope) -> Result<Vec<Task>, StoreError> {
    Ok(store.book(scope, TASKS).await?.iter().filter_map(Task::read).collect())
}

/// What the family intends.
///
/// # Errors
///
/// [`StoreError`].
pub async fn standing_plan(
    store: &dyn Store,
    scope: Scope,
) -> Result<Option<StandingPlan>, StoreError> {
    let record = store.fact(scope, PLAN_KEY).await?;
    Ok(record.and_then(|Record { seq, at, content }| match Content::from_bytes(&content) {
        Ok(Content::Plan(plan)) => Some(StandingPlan { seq, at, plan }),
        _ => None,
    }))
}

/// What it intended before, and where each of these plans stood.
///
/// # Errors
///
/// [`StoreError`].
pub async fn past_plans(
    store: &dyn Store,
    scope: Scope,
) -> Result<Vec<(Seq, Intended)>, StoreError> {
    Ok(store.book(scope, INTENDED).await?.iter().filter_map(Intended::read).collect())
}

pub(super) async fn help_batch(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    ask: &AskForHelp,
) -> Result<Batch, Failure> {
    let tasks = tasks(&*relay.store, scope).await?;
    Ok(decide_help(sender, ask, &tasks, relay.clock.now())?)
}

pub(super) async fn reach_batch(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    reach: Reach,
) -> Result<Batch, Failure> {
    let state = relay.store.state(scope).await?.ok_or(StoreError::NoScope)?;
    let roster = roster(relay, scope, state.roster_head).await?;
    let role_of = |member| roster.members().get(&member).copied();
    Ok(decide_reach(sender, reach, role_of, relay.clock.now())?)
}

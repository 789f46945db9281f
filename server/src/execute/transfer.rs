//! A family goes to another programme of the relay: that which has it offers, the other takes it.
//!
//! Three scopes change, each step an intent with a due item, and each may be repeated. *Offered*: the offer stands in the
//! log of the programme that has the family, then in the other's. *Taken*: the other notes as what it takes it; then the
//! first, if its offer still stands: that is where it is decided who was first, who takes or who takes back. Then the
//! family's placement is another, and who may see it follows from that alone.

use jiashu_proto::entry::{Placement, Seq};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::Enrol;
use jiashu_proto::id::{DeviceId, Millis, Scope};

use super::family::tasks;
use super::{ATTEMPTS, Failure, checked_links, staff};
use crate::contact::leaving::{close_weeks, left_rows};
use crate::contact::{placed, placement};
use crate::family::Refusal;
use crate::family::enrolment::{case_key, check_case_code};
use crate::family::transfer::{decide_handover, moved_case, offer_taken};
use crate::ngo::audit::{self, Asked};
use crate::ngo::caseload::disown;
use crate::ngo::visits::strike;
use crate::programme::{
    OfferFact, OfferState, OfferedFact, ProgrammeFact as _, Taken, entry, find_at, offer_key,
    offered_key,
};
use crate::relay::Relay;
use crate::store::{Batch, Change, DueItem, Precondition, ScopeKind, Store, StoreError};

/// Families that may be offered to one programme at a time: who offers must not fill another's log.
const MOST_OFFERED: usize = 1_000;

/// One answer for what is not there, not theirs, and not any more.
#[must_use]
pub fn no_such_transfer() -> Refusal {
    let text =
        "there is no such case, programme or offer: jiashu ngo transfer list shows what is offered";
    Refusal::new(ErrorCode::Unknown, text)
}

/// Offers a family; a repeat finds it offered. Its number.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Stale`] where it is offered to yet another programme.
pub async fn offer(
    relay: &Relay,
    from: Scope,
    by: DeviceId,
    case_code: &str,
    to: Scope,
) -> Result<Scope, Failure> {
    let store = &*relay.store;
    let other = store.state(to).await?;
    if to == from || other.is_none_or(|other| other.kind != ScopeKind::Programme) {
        return Err(no_such_transfer().into());
    }
    staff::family(relay, from, case_code).await?;
    // An enrolment that a crash cut off is whole before the family goes.
    let family = staff::finish_enrolment(relay, from, case_code).await?.family;
    let mut attempts = 0..ATTEMPTS;
    loop {
        go_on(relay, from, family).await?;
        let key = offer_key(family);
        if let Some((_, stands)) = find_at::<OfferFact>(store, from, &key).await? {
            if stands.state == OfferState::Open && stands.to == to {
                return Ok(family);
            }
            let text = "it is offered already: take that back first, with --take-back";
            return Err(Refusal::new(ErrorCode::Stale, text).into());
        }
        if store.facts(to, OfferedFact::KEYS).await?.len() >= MOST_OFFERED {
            let text = "too many families are offered to that programme: it takes some first";
            return Err(Refusal::new(ErrorCode::Full, text).into());
        }
        let (at, state) = (relay.clock.now(), OfferState::Open);
        let fact = OfferFact { family, case_code: case_code.to_owned(), to, by, at, state };
        let batch = Batch {
            requires: vec![Precondition::FactAt(key.clone(), None)],
            entries: vec![entry(key, &fact)],
            changes: vec![Change::SetDue(DueItem::Transfer(family), at)],
            ..Batch::new(at)
        };
        match store.commit(from, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                go_on(relay, from, family).await?;
                return Ok(family);
            }
        }
    }
}

/// Takes an offer back, if nobody has taken it up; a repeat finds it done.
///
/// # Errors
///
/// [`Failure`].
pub async fn take_back(relay: &Relay, from: Scope, case_code: &str) -> Result<(), Failure> {
    let store = &*relay.store;
    let family = staff::family(relay, from, case_code).await?;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let key = offer_key(family);
        let stands: Option<(Seq, OfferFact)> = find_at(store, from, &key).await?;
        let (place, stands) = stands.ok_or_else(no_such_transfer)?;
        match stands.state {
            OfferState::Taken => return Err(no_such_transfer().into()),
            OfferState::TakenBack => return go_on(relay, from, family).await,
            OfferState::Open => {}
        }
        match store.commit(from, taken_back(place, stands, relay.clock.now())).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return go_on(relay, from, family).await,
        }
    }
}

fn taken_back(place: Seq, offer: OfferFact, now: Millis) -> Batch {
    let (key, family) = (offer_key(offer.family), offer.family);
    Batch {
        requires: vec![Precondition::FactAt(key.clone(), Some(place))],
        entries: vec![entry(key, &OfferFact { state: OfferState::TakenBack, ..offer })],
        changes: vec![Change::SetDue(DueItem::Transfer(family), now)],
        ..Batch::new(now)
    }
}

/// An offer of a family that has ended is none.
///
/// # Errors
///
/// [`Failure`].
pub(super) async fn void(relay: &Relay, from: Scope, family: Scope) -> Result<(), Failure> {
    let store = &*relay.store;
    let stands = find_at::<OfferFact>(store, from, &offer_key(family)).await?;
    if let Some((place, offer)) = stands.filter(|(_, offer)| offer.state == OfferState::Open) {
        store.commit(from, taken_back(place, offer, relay.clock.now())).await?;
    }
    Ok(())
}

/// Brings the other programme's list to what the offer says.
async fn go_on(relay: &Relay, from: Scope, family: Scope) -> Result<(), Failure> {
    let mut attempts = 0..ATTEMPTS;
    loop {
        match list(relay, from, family).await {
            // The loop and who asked may do the same at once.
            Err(Failure::Store(StoreError::Stale { .. })) if attempts.next().is_some() => {}
            done => return done,
        }
    }
}

async fn list(relay: &Relay, from: Scope, family: Scope) -> Result<(), Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    let (own, others) = (offer_key(family), offered_key(family));
    let offer: Option<(Seq, OfferFact)> = find_at(store, from, &own).await?;
    let mut done = vec![Change::ClearDue(DueItem::Transfer(family))];
    let Some((place, offer)) = offer else { return Ok(()) };
    let listed: Option<(Seq, OfferedFact)> = find_at(store, offer.to, &others).await?;
    let seen = Precondition::FactAt(others.clone(), listed.as_ref().map(|(place, _)| *place));
    let is_in_course = listed.as_ref().is_some_and(|(_, listed)| listed.taken.is_some());
    let mut batch = Batch { requires: vec![seen], ..Batch::new(now) };
    match offer.state {
        OfferState::Open if !is_in_course => {
            let (case_code, at) = (offer.case_code.clone(), offer.at);
            let fact = OfferedFact { family, from, case_code, at, taken: None };
            batch.entries.push(entry(others, &fact));
            store.commit(offer.to, batch).await?;
        }
        OfferState::TakenBack => {
            let is_ours = listed.is_some_and(|(_, listed)| listed.from == from);
            // Who is taking it finds it taken back.
            if is_ours && !is_in_course {
                batch.changes.push(Change::DropFact(others));
                store.commit(offer.to, batch).await?;
            }
            done.push(Change::DropFact(own.clone()));
        }
        OfferState::Open | OfferState::Taken => {}
    }
    let requires = vec![Precondition::FactAt(own, Some(place))];
    store.commit(from, Batch { requires, changes: done, ..Batch::new(now) }).await?;
    Ok(())
}

/// Takes a family that is offered; a repeat finds it taken.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Exists`] where the code is another family's.
pub async fn accept(relay: &Relay, to: Scope, family: Scope, taken: Taken) -> Result<(), Failure> {
    let store = &*relay.store;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let key = offered_key(family);
        let Some((place, offered)) = find_at::<OfferedFact>(store, to, &key).await? else { break };
        if offered.taken.is_none() {
            let (_, _, _, case) = standing(store, to, &offered).await?;
            check_case_code(&taken.case_code)?;
            let case_key = case_key(&taken.case_code);
            if store.fact(to, &case_key).await?.is_some() {
                let text = "another family has that case code: give another";
                return Err(Refusal::new(ErrorCode::Exists, text).into());
            }
            let now = relay.clock.now();
            let fact = OfferedFact { taken: Some(taken.clone()), ..offered };
            let batch = Batch {
                requires: vec![
                    Precondition::FactAt(key.clone(), Some(place)),
                    Precondition::FactAt(case_key, None),
                ],
                entries: vec![entry(key, &fact), moved_case(case, &taken)],
                changes: vec![Change::SetDue(DueItem::Transfer(family), now)],
                ..Batch::new(now)
            };
            match store.commit(to, batch).await {
                Err(StoreError::Stale { .. }) if attempts.next().is_some() => continue,
                done => done.map_err(Failure::from)?,
            };
        }
        finish(relay, to, family).await?;
        break;
    }
    // Done now, or before, or meanwhile by the loop; or not at all, as the offer was taken back or somebody took it as
    // something else.
    match staff::family(relay, to, &taken.case_code).await {
        Ok(there) if there == family => Ok(()),
        Err(Failure::Store(error)) => Err(error.into()),
        _ => Err(no_such_transfer().into()),
    }
}

/// The offer behind what is listed, and its case, each with its place: if it still stands, of the same family.
async fn standing(
    store: &dyn Store,
    to: Scope,
    offered: &OfferedFact,
) -> Result<(Seq, OfferFact, Seq, Enrol), Failure> {
    let offer = find_at::<OfferFact>(store, offered.from, &offer_key(offered.family)).await?;
    let offer = offer.filter(|(_, offer)| offer.to == to && offer.state == OfferState::Open);
    let (place, offer) = offer.ok_or_else(no_such_transfer)?;
    match staff::case(store, offered.from, &offer.case_code).await {
        Ok((case_place, case)) if case.family == offered.family => {
            Ok((place, offer, case_place, case))
        }
        Err(Failure::Store(error)) => Err(error.into()),
        _ => Err(no_such_transfer().into()),
    }
}

/// All that is offered to a programme and still stands.
///
/// # Errors
///
/// [`StoreError`].
pub async fn offered_to(store: &dyn Store, to: Scope) -> Result<Vec<OfferedFact>, StoreError> {
    let mut all = Vec::new();
    for (_, offered) in crate::programme::all::<OfferedFact>(store, to).await? {
        match standing(store, to, &offered).await {
            Ok(_) => all.push(offered),
            Err(Failure::Store(error)) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(all)
}

/// What is due of a family's way, on either side.
///
/// # Errors
///
/// [`Failure`].
pub async fn on_due(relay: &Relay, programme: Scope, family: Scope) -> Result<(), Failure> {
    let store = &*relay.store;
    let offered: Option<(Seq, OfferedFact)> =
        find_at(store, programme, &offered_key(family)).await?;
    let is_coming = offered.is_some_and(|(_, offered)| offered.taken.is_some());
    if is_coming {
        return finish(relay, programme, family).await;
    }
    if find_at::<OfferFact>(store, programme, &offer_key(family)).await?.is_some() {
        return go_on(relay, programme, family).await;
    }
    let changes = vec![Change::ClearDue(DueItem::Transfer(family))];
    store.commit(programme, Batch { changes, ..Batch::new(relay.clock.now()) }).await?;
    Ok(())
}

/// All steps after the other programme has noted as what it takes the family.
async fn finish(relay: &Relay, to: Scope, family: Scope) -> Result<(), Failure> {
    let store = &*relay.store;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let key = offered_key(family);
        let Some((place, offered)) = find_at::<OfferedFact>(store, to, &key).await? else {
            return Ok(());
        };
        let Some(taken) = offered.taken.clone() else { return Ok(()) };
        let done = match give(relay, to, &offered).await {
            // From here on nothing goes back.
            Ok(()) => take(relay, to, &offered, &taken).await,
            Err(Failure::Refused(_)) => {
                let now = relay.clock.now();
                let changes = vec![
                    Change::DropFact(key.clone()),
                    Change::DropFact(case_key(&taken.case_code)),
                    Change::ClearDue(DueItem::Transfer(family)),
                ];
                let requires = vec![Precondition::FactAt(key, Some(place))];
                let batch = Batch { requires, changes, ..Batch::new(now) };
                store.commit(to, batch).await.map(|_| ()).map_err(Failure::from)
            }
            Err(error) => Err(error),
        };
        match done {
            Err(Failure::Store(StoreError::Stale { .. })) if attempts.next().is_some() => {}
            done => return done,
        }
    }
}

/// In the family, and then in both programmes what follows from that.
async fn take(
    relay: &Relay,
    to: Scope,
    offered: &OfferedFact,
    taken: &Taken,
) -> Result<(), Failure> {
    let (store, family) = (&*relay.store, offered.family);
    let (place, placement) = placed(store, family).await?.ok_or(StoreError::NoScope)?;
    if placement.programme != to {
        hand_over(relay, to, offered, taken, (place, placement)).await?;
    }
    let now = relay.clock.now();
    let mut changes = left_rows(store, offered.from, family, now).await?;
    changes.extend([disown(family), strike(family), Change::DropFact(offer_key(family))]);
    store.commit(offered.from, Batch { changes, ..Batch::new(now) }).await?;
    let key = offered_key(family);
    let changes = vec![Change::DropFact(key), Change::ClearDue(DueItem::Transfer(family))];
    store.commit(to, Batch { changes, ..Batch::new(now) }).await?;
    tracing::info!(family.id = %family, "a family went to another programme");
    Ok(())
}

/// In the programme that has it: the offer is taken, and the case names no family any more.
async fn give(relay: &Relay, to: Scope, offered: &OfferedFact) -> Result<(), Failure> {
    let store = &*relay.store;
    if placement(store, offered.family).await?.is_some_and(|placement| placement.programme == to) {
        return Ok(());
    }
    let key = offer_key(offered.family);
    let given = find_at::<OfferFact>(store, offered.from, &key).await?;
    if given.is_some_and(|(_, offer)| offer.to == to && offer.state == OfferState::Taken) {
        return Ok(());
    }
    let (place, offer, case_place, _) = standing(store, to, offered).await?;
    let asked = Asked::of("transfer-taken", &*offer.case_code).saying(to.to_string());
    audit::note(relay, offered.from, offer.by, &asked, true).await?;
    let batch = offer_taken(offer, place, case_place, relay.clock.now());
    store.commit(offered.from, batch).await?;
    Ok(())
}

/// In the family: it is the other programme's. What has been counted stays in the weeks that have ended.
async fn hand_over(
    relay: &Relay,
    to: Scope,
    offered: &OfferedFact,
    taken: &Taken,
    standing: (Seq, Placement),
) -> Result<(), Failure> {
    let (store, family) = (&*relay.store, offered.family);
    let seen = close_weeks(relay, family, &standing.1).await?;
    let now = relay.clock.now();
    let (roster, ..) = checked_links(relay, family).await?;
    let consents = staff::consents(store, family).await?;
    let (case_code, site) = (taken.case_code.clone(), taken.site.clone());
    let placement = Placement { programme: to, case_code, site, since: now, care: standing.1.care };
    let open = tasks(store, family).await?;
    let mut batch = decide_handover(family, &standing, placement, &roster, &consents, &open, now);
    batch.requires.extend(seen);
    store.commit(family, batch).await?;
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;

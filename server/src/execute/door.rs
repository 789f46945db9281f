//! What needs no token: a card is looked at and used, a new phone asks, lost links come back.
//!
//! Anybody may ask, so each looks first at what costs little, and says one thing to all who may not.

use jiashu_proto::entry::{Content, WRAPS_KEY, request_key};
use jiashu_proto::frame::{HandIn, HandedIn, Invited, Join, Joined, Look, Request, Requested};
use jiashu_proto::id::DeviceId;

use super::{ATTEMPTS, Failure, link_at, links, requests, roster};
use crate::family::admission::{decide_request, ticket_of};
use crate::family::healing::{Lacking, decide_hand_in, does_not_follow, lacking};
use crate::family::no_such_invite;
use crate::family::roster::{Joining, decide_join, find_invite, open_invite};
use crate::relay::Relay;
use crate::store::{Precondition, StoreError};

/// What an invite opens.
///
/// # Errors
///
/// [`Failure`]; a wrong family and a wrong code are one answer.
pub async fn look(relay: &Relay, look: &Look) -> Result<Invited, Failure> {
    let store = &*relay.store;
    let state = store.state(look.scope).await?.ok_or_else(no_such_invite)?;
    let invite = open_invite(&state, &look.code, relay.clock.now())?;
    let expires_at = state.invites.get(&invite).map_or(0, |invite| invite.expires_at);
    let blob = store.card(look.scope, invite).await?.ok_or_else(no_such_invite)?;
    let links = links(relay, look.scope, state.roster_head).await?;
    let wraps = store.facts(look.scope, WRAPS_KEY).await?.into_iter().find_map(|(_, record)| {
        match Content::from_bytes(&record.content) {
            Ok(Content::Wraps(fact)) => Some(fact.wraps.into()),
            _ => None,
        }
    });
    let links = links.into_iter().map(Into::into).collect();
    Ok(Invited { invite, blob, links, wraps, expires_at })
}

/// Uses an invite.
///
/// # Errors
///
/// [`Failure`].
pub async fn join(relay: &Relay, join: Join) -> Result<Joined, Failure> {
    let mut attempts = 0..ATTEMPTS;
    loop {
        match join_once(relay, join.clone()).await {
            // Perhaps by this very join, sent twice: then the next look finds it done.
            Err(Failure::Store(StoreError::Stale { .. })) if attempts.next().is_some() => {}
            done => return done,
        }
    }
}

async fn join_once(relay: &Relay, join: Join) -> Result<Joined, Failure> {
    let scope = join.scope;
    let state = relay.store.state(scope).await?.ok_or_else(no_such_invite)?;
    // Before the chain is read: who has no code costs nothing.
    find_invite(&state, &join.code).ok_or_else(no_such_invite)?;
    let roster = roster(relay, scope, state.roster_head).await?;
    match decide_join(&state, roster, join, relay.clock.now())? {
        Joining::Before(device, seq) => Ok(Joined { device, seq }),
        Joining::New(device, batch) => {
            let committed = relay.store.commit(scope, batch).await?;
            tracing::info!(family.id = %scope, "device {device} joined");
            Ok(Joined { device, seq: committed.first })
        }
    }
}

/// A new phone asks to be let in, by a link that staff gave; a repeat finds it done.
///
/// # Errors
///
/// [`Failure`]; one answer for a link that is wrong, used by another phone, or expired.
pub async fn request(relay: &Relay, request: &Request) -> Result<Requested, Failure> {
    let mut attempts = 0..ATTEMPTS;
    loop {
        match request_once(relay, request).await {
            // Perhaps by this very request, sent twice: then the next look finds it done.
            Err(Failure::Store(StoreError::Stale { .. })) if attempts.next().is_some() => {}
            done => return done,
        }
    }
}

async fn request_once(relay: &Relay, request: &Request) -> Result<Requested, Failure> {
    let (store, scope, now) = (&*relay.store, request.scope, relay.clock.now());
    let state = store.state(scope).await?.ok_or_else(no_such_invite)?;
    let ticket = ticket_of(&state, request, now)?;
    let roster = roster(relay, scope, state.roster_head).await?;
    let known = requests(store, scope, &request_key(request.code_hash)).await?;
    let batch = decide_request(&state, ticket, &roster, request, known.first(), now)?;
    if let Some(batch) = batch {
        store.commit(scope, batch).await?;
        tracing::info!(family.id = %scope, "a new phone asks to be let in");
    }
    let first_link = roster.hash_of(1).ok_or_else(no_such_invite)?;
    let (members, expires_at) = (ticket.members.clone(), ticket.expires_at);
    Ok(Requested { first_link, members, expires_at })
}

/// Takes back links that the relay lost. `voucher` is the live device of the family that hands them
/// in, if one does. Needs no token; a repeat finds them there.
///
/// # Errors
///
/// [`Failure`].
pub async fn hand_in(
    relay: &Relay,
    hand_in: HandIn,
    voucher: Option<DeviceId>,
) -> Result<HandedIn, Failure> {
    let mut attempts = 0..ATTEMPTS;
    loop {
        match hand_in_once(relay, &hand_in, voucher).await {
            // Perhaps by another phone that hands in the same: then the next look finds it done.
            Err(Failure::Store(StoreError::Stale { .. })) if attempts.next().is_some() => {}
            done => return done,
        }
    }
}

async fn hand_in_once(
    relay: &Relay,
    hand_in: &HandIn,
    voucher: Option<DeviceId>,
) -> Result<HandedIn, Failure> {
    let (store, scope) = (&*relay.store, hand_in.scope);
    let state = store.state(scope).await?;
    let lacking = lacking(hand_in, state.as_deref())?;
    let state = state.ok_or_else(does_not_follow)?;
    let links = match lacking {
        Lacking::Links(links) => links,
        Lacking::Nothing(number, hash) => {
            let known = link_at(store, scope, number).await?.map(|(_, link)| link.hash());
            known.filter(|known| *known == hash).ok_or_else(does_not_follow)?;
            return Ok(HandedIn { epoch: state.epoch });
        }
    };
    let roster = roster(relay, scope, state.roster_head).await?;
    if roster.head() != state.roster_head {
        // Another link came between the two looks.
        let precondition = Precondition::RosterHead(state.roster_head);
        return Err(StoreError::Stale { precondition }.into());
    }
    let (wraps, now) = (hand_in.wraps.clone(), relay.clock.now());
    let count = links.len();
    let batch = decide_hand_in(&state, roster, links, wraps, voucher, now)?;
    store.commit(scope, batch).await?;
    tracing::info!(family.id = %scope, "{count} links that were lost are handed in");
    let state = store.state(scope).await?.ok_or_else(does_not_follow)?;
    Ok(HandedIn { epoch: state.epoch })
}

//! The roster: who joins, and links that a device writes.
//!
//! The chain's own rules are `jiashu_roster`'s, the same as the clients check. Here is what the
//! relay adds: which invite a code opens, and what a link changes in who has access.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Content, LinkFact, RequestFact, WRAPS_KEY, WrapsFact, link_key};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Card, Join, ToClose, Turn};
use jiashu_proto::id::{DeviceId, InviteId, Millis, Role, TokenHash};
use jiashu_roster::{Author as LinkAuthor, Link, LinkBody, LinkError, Op, Roster, code_hash};
use subtle::ConstantTimeEq;

use super::admission::check_empty_cards;
use super::closing::{gone, no_longer_asked};
use super::contact::look;
use super::{Refusal, Sender, check_cards, no_such_invite};
use crate::store::{
    Author, Batch, Change, DueItem, Invite, InviteState, NewEntry, Precondition, ScopeState,
};

/// What a `join` comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Joining {
    /// The device is let in by this batch.
    New(DeviceId, Batch),
    /// It was let in before, by the link at this place; the answer was lost.
    Before(DeviceId, u64),
}

/// Which invite a code opens, now or before; compared in constant time.
#[must_use]
pub fn find_invite<'a>(state: &'a ScopeState, code: &[u8; 16]) -> Option<(InviteId, &'a Invite)> {
    let hash = code_hash(code);
    state
        .invites
        .iter()
        .filter(|(_, invite)| invite.code_hash.is_some_and(|of| of.0.ct_eq(&hash.0).into()))
        .map(|(number, invite)| (*number, &**invite))
        .next()
}

/// The open, unexpired invite that a code opens.
///
/// # Errors
///
/// One and the same [`Refusal`] for wrong, used, closed and expired.
pub fn open_invite(state: &ScopeState, code: &[u8; 16], now: Millis) -> Result<InviteId, Refusal> {
    find_invite(state, code)
        .filter(|(_, invite)| invite.state == InviteState::Open && invite.expires_at > now)
        .map(|(number, _)| number)
        .ok_or_else(no_such_invite)
}

/// A device comes in by an invite. `roster` is the family's as of now.
///
/// # Errors
///
/// [`ErrorCode::Invite`]; [`ErrorCode::Stale`] if another link came first; [`ErrorCode::BadLink`].
pub fn decide_join(
    state: &ScopeState,
    roster: Roster,
    join: Join,
    now: Millis,
) -> Result<Joining, Refusal> {
    check_sizes(&join.link, &join.wraps)?;
    let (number, invite) = find_invite(state, &join.code).ok_or_else(no_such_invite)?;
    let body = read(&join.link)?;
    let (device, token_hash) = joining(&body, number)?;
    match invite.state {
        // Before the head is looked at: the repeat of a join follows no head any more.
        InviteState::Used(by, token, place) if token == token_hash => {
            return Ok(Joining::Before(by, place));
        }
        InviteState::Open if invite.expires_at > now => {}
        InviteState::Open | InviteState::Used(..) | InviteState::Closed => {
            return Err(no_such_invite());
        }
    }
    let members = roster.invites().get(&number).map(|invite| invite.members.clone());
    let (mut batch, _) = link_batch(roster, &body, join.link, join.wraps, now)?;
    batch.requires.insert(0, Precondition::InviteOpen(number));
    batch.changes.push(Change::AddSeat {
        device,
        token_hash,
        members: members.ok_or_else(no_such_invite)?,
    });
    batch.changes.push(Change::UseInvite(number, device, token_hash));
    Ok(Joining::New(device, batch))
}

/// The one op of a join by this invite.
fn joining(body: &LinkBody, invite: InviteId) -> Result<(DeviceId, TokenHash), Refusal> {
    match (&body.author, &body.ops[..]) {
        (LinkAuthor::Invite(author), [Op::Join { device, token_hash, .. }])
            if *author == invite =>
        {
            Ok((*device, *token_hash))
        }
        _ => Err(Refusal::new(ErrorCode::BadLink, "not a join by this invite")),
    }
}

/// A link that a device writes: members, invites, removals, or a key that only turns.
///
/// One that is in the chain already (it was handed in, and now comes from its author's journal) adds
/// no entry; it brings the cards that were not handed in with it. `requests` are those of new phones
/// that stand.
///
/// # Errors
///
/// [`ErrorCode::Stale`] if another link came first; [`ErrorCode::BadLink`] if it fails a check;
/// [`ErrorCode::Full`] beyond a bound of the family.
pub fn decide_turn(
    sender: &Sender,
    state: &ScopeState,
    roster: Roster,
    requests: &[RequestFact],
    turn: Turn,
    now: Millis,
) -> Result<Batch, Refusal> {
    check_sizes(&turn.link, &turn.wraps)?;
    let link = Link::parse(&turn.link).map_err(|error| refusal(&error))?;
    let body = link.read().map_err(|error| refusal(&error))?;
    if body.author != LinkAuthor::Device(sender.device) {
        return Err(Refusal::new(ErrorCode::NotAllowed, "a device hands in its own links"));
    }
    let invites: Vec<_> = body
        .ops
        .iter()
        .filter_map(|op| match op {
            Op::AddInvite { invite, .. } => Some(*invite),
            _ => None,
        })
        .collect();
    check_cards(&turn.cards, &invites)?;
    check_ops(&body.ops)?;
    let author = Author { device: sender.device, n: turn.n, entry_ref: turn.entry_ref };
    if roster.has(&link) {
        return Ok(cards_of_known(state, author, turn.cards, now));
    }
    check_empty_cards(&body.ops, &turn.cards, requests, now)?;
    let before = roster.clone();
    let (mut batch, gone) = link_batch(roster, &body, turn.link, turn.wraps, now)?;
    batch.author = Some(author);
    // What is asked for is closed before anything else changes.
    batch.requires.insert(0, Precondition::ToCloseWithin(gone));
    let mut cards = turn.cards.into_iter();
    for op in body.ops {
        batch.changes.extend(access_changes(op, &before, &mut cards));
    }
    Ok(batch)
}

/// A child's own assent is asked by the programme, before anything can be written to it.
pub(super) fn check_ops(ops: &[Op]) -> Result<(), Refusal> {
    if ops.iter().any(|op| matches!(op, Op::AddMember { role: Role::Child, .. })) {
        let text = "a child joins through the programme, with consent and its own assent";
        return Err(Refusal::new(ErrorCode::NotAllowed, text));
    }
    Ok(())
}

/// The cards of those invites of a known link that are open and still without a code.
fn cards_of_known(state: &ScopeState, author: Author, cards: Vec<Card>, now: Millis) -> Batch {
    let mut batch = Batch { author: Some(author), ..Batch::new(now) };
    for Card { invite, code_hash, blob } in cards {
        let without_code = state
            .invites
            .get(&invite)
            .filter(|known| known.state == InviteState::Open && known.code_hash.is_none());
        if let Some(expires_at) = without_code.map(|known| known.expires_at) {
            let code_hash = Some(code_hash);
            batch.requires.push(Precondition::InviteOpen(invite));
            batch.changes.push(Change::AddInvite { invite, code_hash, expires_at, blob });
        }
    }
    batch
}

/// What an op changes in who has access; an invite without a card has no code.
pub(super) fn access_changes(
    op: Op,
    before: &Roster,
    cards: &mut impl Iterator<Item = Card>,
) -> Vec<Change> {
    match op {
        Op::AddInvite { invite, expires_at, .. } => {
            let card = cards.next();
            let (code_hash, blob) =
                card.map_or((None, Vec::new()), |card| (Some(card.code_hash), card.blob));
            vec![
                Change::AddInvite { invite, code_hash, expires_at, blob },
                Change::SetDue(DueItem::Invite(invite), expires_at),
            ]
        }
        Op::RemoveDevice { device, .. } => {
            let made = before.invites().iter().filter(|(_, invite)| invite.made_by == Some(device));
            std::iter::once(Change::RevokeSeat(device))
                .chain(made.map(|(invite, _)| Change::CloseInvite(*invite)))
                .collect()
        }
        Op::CloseInvite { invite, .. } => vec![Change::CloseInvite(invite)],
        Op::SetMembers { device, members } => vec![Change::SetMembers(device, members)],
        Op::AddMember { .. } | Op::Join { .. } => Vec::new(),
    }
}

/// A link and its wraps as entries, the new head, and the precondition that nobody was faster; and
/// what stands open no more after it.
fn link_batch(
    mut roster: Roster,
    body: &LinkBody,
    link: Vec<u8>,
    wraps: Vec<u8>,
    now: Millis,
) -> Result<(Batch, ToClose), Refusal> {
    let change = roster.append(&link, Some(&wraps)).map_err(|error| refusal(&error))?;
    check_bounds(&roster)?;
    let link = Content::Link(LinkFact { link }).to_bytes();
    let wraps = Content::Wraps(WrapsFact { number: change.number, wraps }).to_bytes();
    let gone = gone(&change);
    let mut changes = vec![Change::Turn { epoch: change.number, head: change.hash }];
    changes.extend(no_longer_asked(gone.clone()));
    if !body.ops.is_empty() {
        // Which phones there are is among what staff see.
        changes.push(look(now));
    }
    let batch = Batch {
        requires: vec![Precondition::RosterHead(body.prev)],
        entries: vec![
            NewEntry { key: Some(link_key(change.number)), rank: 0, content: link },
            NewEntry { key: Some(WRAPS_KEY.into()), rank: 0, content: wraps },
        ],
        changes,
        ..Batch::new(now)
    };
    Ok((batch, gone))
}

/// A family stays within its bounds.
pub(super) fn check_bounds(roster: &Roster) -> Result<(), Refusal> {
    let full = |text| Err(Refusal::new(ErrorCode::Full, text));
    if roster.members().len() > bounds::MAX_MEMBERS {
        return full("a family has at most 32 members");
    }
    if roster.devices().len() > bounds::MAX_DEVICES {
        return full("a family has at most 32 devices");
    }
    if roster.invites().len() > bounds::MAX_INVITES {
        return full("a family has at most 12 open invites: close one first");
    }
    Ok(())
}

pub(super) fn check_sizes(link: &[u8], wraps: &[u8]) -> Result<(), Refusal> {
    if link.len() > bounds::MAX_LINK || wraps.len() > bounds::MAX_WRAPS {
        return Err(Refusal::new(ErrorCode::TooLarge, "the link or its wraps are too large"));
    }
    Ok(())
}

pub(super) fn read(link: &[u8]) -> Result<LinkBody, Refusal> {
    Link::parse(link).and_then(|link| link.read()).map_err(|error| refusal(&error))
}

/// What a failed check is for the client: one that was late reads on, any other is at fault.
pub(super) fn refusal(error: &LinkError) -> Refusal {
    let code = match error {
        LinkError::DoesNotFollow { .. } => ErrorCode::Stale,
        _ => ErrorCode::BadLink,
    };
    Refusal::new(code, error.to_string())
}

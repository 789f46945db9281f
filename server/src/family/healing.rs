//! Links that the relay lost, as after a restore from an older backup, and that a phone hands in as
//! they were signed.
//!
//! They prove themselves, so no token is asked. But a token may be dead that the chain does not know
//! of, and a card expired: what such a one signed is taken only on the word of a live device, for
//! else a thief could bring in by this door what every other refuses. So for who is suspended: a parent's own word brings
//! in nothing, neither signed nor vouched for.

use jiashu_proto::entry::{Content, LinkFact, WRAPS_KEY, WrapsFact, link_key};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::HandIn;
use jiashu_proto::id::{DeviceId, Epoch, LinkHash, MemberId, Millis};
use jiashu_roster::{Author as LinkAuthor, Link, LinkBody, Op, Roster};

use super::Refusal;
use super::closing::{gone, no_longer_asked};
use super::contact::look;
use super::roster::{access_changes, check_bounds, check_ops, check_sizes, refusal};
use super::suspension::speaker;
use crate::store::{Batch, Change, InviteState, NewEntry, Precondition, ScopeKind, ScopeState};

/// What of a hand-in the relay lacks, as far as is known without a look at its chain.
#[derive(Clone, Debug, PartialEq)]
pub enum Lacking {
    /// Nothing, if the link of that number has this hash.
    Nothing(Epoch, LinkHash),
    /// These, which follow its newest link. Their signatures are not checked yet.
    Links(Vec<(Vec<u8>, LinkBody)>),
}

/// The cheap look at a hand-in, before a chain is read: who does not know the hash of the family's
/// newest link comes no further. One answer for an unknown family and for links that do not follow.
///
/// # Errors
///
/// [`ErrorCode::Stale`] if they do not follow; [`ErrorCode::BadLink`] or [`ErrorCode::TooLarge`].
pub fn lacking(hand_in: &HandIn, state: Option<&ScopeState>) -> Result<Lacking, Refusal> {
    let mut links = Vec::with_capacity(hand_in.links.len());
    let mut newest: Option<(Epoch, LinkHash)> = None;
    for bytes in &hand_in.links {
        check_sizes(bytes, &hand_in.wraps)?;
        let link = Link::parse(bytes).map_err(|error| refusal(&error))?;
        let body = link.read().map_err(|error| refusal(&error))?;
        if newest.is_some_and(|(number, hash)| {
            number.checked_add(1) != Some(body.number) || hash != body.prev
        }) {
            return Err(Refusal::new(ErrorCode::BadLink, "the links do not follow each other"));
        }
        newest = Some((body.number, link.hash()));
        links.push((bytes.to_vec(), body));
    }
    let (number, hash) = newest.ok_or_else(|| Refusal::new(ErrorCode::BadLink, "no link"))?;
    let state = state
        .filter(|state| state.kind == ScopeKind::Family && !state.superseded)
        .ok_or_else(does_not_follow)?;
    if number <= state.epoch {
        return Ok(Lacking::Nothing(number, hash));
    }
    links.retain(|(_, body)| body.number > state.epoch);
    match links.first() {
        Some((_, body)) if body.prev == state.roster_head => Ok(Lacking::Links(links)),
        _ => Err(does_not_follow()),
    }
}

/// The chain here is another, or the links are of no family here.
#[must_use]
pub fn does_not_follow() -> Refusal {
    Refusal::new(ErrorCode::Stale, "the links do not follow the chain that this relay has")
}

/// The lost links come back, with all that they change in who has access. Invites come back without
/// their code, which their author brings when it sends its journal.
///
/// `voucher` is the live device of the family that hands them in, if one does.
///
/// # Errors
///
/// [`ErrorCode::BadLink`] if one fails a check; [`ErrorCode::NotAllowed`] if its author is let in no
/// longer, or is suspended; [`ErrorCode::Full`] beyond a bound of the family.
pub fn decide_hand_in(
    state: &ScopeState,
    mut roster: Roster,
    links: Vec<(Vec<u8>, LinkBody)>,
    wraps: Vec<u8>,
    voucher: Option<DeviceId>,
    now: Millis,
) -> Result<Batch, Refusal> {
    let head = Precondition::RosterHead(roster.head());
    let mut batch = Batch { requires: vec![head], changes: vec![look(now)], ..Batch::new(now) };
    let vouched = voucher.and_then(|device| speaks(state, &roster, device).ok());
    batch.requires.extend(vouched.flatten().map(Precondition::NotSuspended));
    for (link, body) in links {
        check_ops(&body.ops)?;
        if vouched.is_none() {
            check_let_in(state, &roster, &body.author, now)?;
            if let LinkAuthor::Device(device) = &body.author {
                let speaker = speaks(state, &roster, *device)?;
                batch.requires.extend(speaker.map(Precondition::NotSuspended));
            }
        }
        let before = roster.clone();
        let change = roster.follow(&link).map_err(|error| refusal(&error))?;
        check_bounds(&roster)?;
        batch.changes.push(Change::Turn { epoch: change.number, head: change.hash });
        batch.changes.extend(no_longer_asked(gone(&change)));
        for op in body.ops {
            batch.changes.extend(changes_of(op, &body.author, &before));
        }
        let content = Content::Link(LinkFact { link }).to_bytes();
        let key = Some(link_key(change.number));
        batch.entries.push(NewEntry { key, rank: 0, content });
    }
    roster.check_wraps(&wraps).map_err(|error| refusal(&error))?;
    let content = Content::Wraps(WrapsFact { number: roster.number(), wraps }).to_bytes();
    batch.entries.push(NewEntry { key: Some(WRAPS_KEY.into()), rank: 0, content });
    Ok(batch)
}

/// By whose word a device changes the roster; see [`speaker`].
fn speaks(
    state: &ScopeState,
    roster: &Roster,
    device: DeviceId,
) -> Result<Option<MemberId>, Refusal> {
    let members = roster.devices().get(&device).map_or(&[][..], |known| &known.members);
    speaker(state, roster, members)
}

/// Whether the author could still write this link by the front door.
fn check_let_in(
    state: &ScopeState,
    roster: &Roster,
    author: &LinkAuthor,
    now: Millis,
) -> Result<(), Refusal> {
    let let_in = match author {
        LinkAuthor::Founder(_) => false,
        LinkAuthor::Device(device) => state.seats.get(device).is_none_or(|seat| !seat.revoked),
        LinkAuthor::Invite(invite) => {
            let open =
                state.invites.get(invite).is_none_or(|known| known.state == InviteState::Open);
            open && roster.invites().get(invite).is_some_and(|made| made.expires_at > now)
        }
    };
    if let_in {
        return Ok(());
    }
    let text = "who signed a link is let in no longer: a live phone of the family must hand it in";
    Err(Refusal::new(ErrorCode::NotAllowed, text))
}

fn changes_of(op: Op, author: &LinkAuthor, before: &Roster) -> Vec<Change> {
    match (op, author) {
        (Op::Join { device, token_hash, .. }, LinkAuthor::Invite(by)) => {
            let members = before.invites().get(by).map(|invite| invite.members.clone());
            let members = members.unwrap_or_default();
            vec![
                Change::AddSeat { device, token_hash, members },
                Change::UseInvite(*by, device, token_hash),
            ]
        }
        (op, _) => access_changes(op, before, &mut std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::{InviteId, Scope};

    use super::*;

    /// Links 1 to `count`, signed by nobody: here only their places count.
    fn chain(count: u32) -> Vec<Link> {
        let mut links: Vec<Link> = Vec::new();
        for number in 1..=count {
            let prev = links.last().map_or(LinkHash::NONE, Link::hash);
            let author = LinkAuthor::Invite(InviteId(number));
            let body = LinkBody { number, prev, author, ops: Vec::new(), key: None };
            links.push(Link { body: body.to_bytes(), signature: [0; 64] });
        }
        links
    }

    fn frame(links: &[Link]) -> HandIn {
        let links = links.iter().map(|link| link.to_bytes().into()).collect();
        HandIn { scope: Scope(7), links, wraps: Vec::new() }
    }

    /// A family of these links.
    fn at(links: &[Link]) -> ScopeState {
        ScopeState {
            epoch: u32::try_from(links.len()).unwrap(),
            roster_head: links.last().unwrap().hash(),
            ..ScopeState::new(ScopeKind::Family, 1)
        }
    }

    #[test]
    fn what_the_relay_lacks_is_found_without_a_look_at_its_chain() {
        let links = chain(5);
        let state = at(&links[..3]);
        let numbers = |frame: &HandIn| -> Vec<Epoch> {
            match lacking(frame, Some(&state)) {
                Ok(Lacking::Links(links)) => links.iter().map(|(_, body)| body.number).collect(),
                other => panic!("{other:?}"),
            }
        };

        assert_eq!(numbers(&frame(&links[3..])), [4, 5], "just those");
        assert_eq!(numbers(&frame(&links)), [4, 5], "and all of them");
        for known in [&links[..3], &links[1..2]] {
            let newest = known.last().unwrap();
            let number = newest.read().unwrap().number;
            let expected = Lacking::Nothing(number, newest.hash());
            assert_eq!(lacking(&frame(known), Some(&state)), Ok(expected));
        }
    }

    #[test]
    fn what_does_not_follow_is_refused_alike_whatever_is_there() {
        let links = chain(5);
        let mut other = at(&chain(3));
        other.roster_head = LinkHash([9; 32]);
        let programme = ScopeState { kind: ScopeKind::Programme, ..at(&links[..3]) };
        let over = ScopeState { superseded: true, ..at(&links[..3]) };
        let cases = [
            ("no such family", None, &links[3..]),
            ("another chain", Some(&other), &links[3..]),
            ("a gap", Some(&other), &links[4..]),
            ("a programme", Some(&programme), &links[3..]),
            ("a family that began anew", Some(&over), &links[3..]),
        ];

        for (what, state, links) in cases {
            assert_eq!(lacking(&frame(links), state), Err(does_not_follow()), "{what}");
        }
    }

    #[test]
    fn links_in_disorder_are_no_chain() {
        let links = chain(5);
        let swapped = [links[4].clone(), links[3].clone()];
        let twice = [links[3].clone(), links[3].clone()];

        for wrong in [&swapped[..], &twice[..], &[]] {
            let refused = lacking(&frame(wrong), Some(&at(&links[..3]))).unwrap_err();
            assert_eq!(refused.code, ErrorCode::BadLink);
        }
    }
}

//! What staff void and what expires: dead at the relay at once, and the family is asked to close it
//! in its roster before another letter is sealed to it.

use jiashu_proto::bounds;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::ToClose;
use jiashu_proto::id::{InviteId, Millis};
use jiashu_roster::{Change as LinkChange, Event, Roster};

use super::Refusal;
use crate::store::{Batch, Change, DueItem, InviteState, Precondition, ScopeState};

/// What stands open no more after this link: whom it removed, and which invites were used or closed.
#[must_use]
pub fn gone(link: &LinkChange) -> ToClose {
    let mut gone = ToClose::default();
    for event in &link.events {
        match event {
            Event::Removed { device, invites, .. } => {
                gone.devices.push(*device);
                gone.invites.extend(invites);
            }
            Event::InviteClosed { invite, .. } | Event::Joined { invite, .. } => {
                gone.invites.push(*invite);
            }
            Event::MemberAdded { .. } | Event::InviteMade { .. } | Event::ServesNow { .. } => {}
        }
    }
    gone.devices.sort_unstable();
    gone.invites.sort_unstable();
    gone
}

/// It is asked for no longer, and nothing of it is due.
pub(super) fn no_longer_asked(gone: ToClose) -> Vec<Change> {
    if gone.is_empty() {
        return Vec::new();
    }
    let due = gone.invites.iter().map(|invite| Change::ClearDue(DueItem::Invite(*invite)));
    let mut changes: Vec<_> = due.collect();
    changes.push(Change::Closed(gone));
    changes
}

/// Staff void devices and invites; `None` if all of it was asked for before.
///
/// `roster` is the family's as of now. What a voided device made is void with it.
///
/// # Errors
///
/// [`ErrorCode::Unknown`] for what is not in, or not open; [`ErrorCode::Malformed`].
pub fn decide_void(
    state: &ScopeState,
    roster: &Roster,
    void: &ToClose,
    now: Millis,
) -> Result<Option<Batch>, Refusal> {
    check_lists(void)?;
    let ToClose { devices, invites } = void;
    if !devices.iter().all(|device| roster.devices().contains_key(device))
        || !invites.iter().all(|invite| roster.invites().contains_key(invite))
    {
        let text = "the family has no such phone or open card: it may be out or closed already";
        return Err(Refusal::new(ErrorCode::Unknown, text));
    }
    let asked = &state.to_close;
    if devices.iter().all(|device| asked.devices.contains(device))
        && invites.iter().all(|invite| asked.invites.contains(invite))
    {
        return Ok(None);
    }
    let made = roster.invites().iter().filter_map(|(invite, of)| {
        of.made_by.filter(|device| devices.contains(device)).map(|_| *invite)
    });
    let closed = invites.iter().copied().chain(made);
    let mut changes: Vec<_> = devices.iter().copied().map(Change::RevokeSeat).collect();
    changes.extend(closed.flat_map(close));
    changes.push(Change::AskToClose(void.clone()));
    // What is closed meanwhile must not be asked for: nobody could close it again.
    let requires = vec![Precondition::RosterHead(roster.head())];
    Ok(Some(Batch { requires, changes, ..Batch::new(now) }))
}

fn check_lists(void: &ToClose) -> Result<(), Refusal> {
    let ascending = void.devices.is_sorted_by(|one, next| one < next)
        && void.invites.is_sorted_by(|one, next| one < next);
    let few =
        void.devices.len() <= bounds::MAX_DEVICES && void.invites.len() <= bounds::MAX_INVITES;
    if ascending && few && !void.is_empty() {
        return Ok(());
    }
    let text = "at least one number of a phone or card, ascending, each once";
    Err(Refusal::new(ErrorCode::Malformed, text))
}

fn close(invite: InviteId) -> [Change; 2] {
    [Change::CloseInvite(invite), Change::ClearDue(DueItem::Invite(invite))]
}

/// The invite is due to end at `due_at`: it opens nothing any more, and the family is asked to close
/// it. One that was used or closed before is only due no longer.
#[must_use]
pub fn expire(state: &ScopeState, invite: InviteId, due_at: Millis, now: Millis) -> Batch {
    let item = DueItem::Invite(invite);
    let mut batch =
        Batch { requires: vec![Precondition::DueAt(item.clone(), due_at)], ..Batch::new(now) };
    if state.invites.get(&invite).is_some_and(|known| known.state == InviteState::Open) {
        batch.requires.push(Precondition::InviteOpen(invite));
        batch.changes.extend(close(invite));
        let asked = ToClose { devices: Vec::new(), invites: vec![invite] };
        batch.changes.push(Change::AskToClose(asked));
    } else {
        batch.changes.push(Change::ClearDue(item));
    }
    batch
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiashu_proto::id::{CodeHash, DeviceId, LinkHash};
    use jiashu_roster::Author;

    use super::*;
    use crate::store::{Invite, ScopeKind};

    fn state(invite: InviteState) -> ScopeState {
        let invite = Invite { code_hash: Some(CodeHash([1; 32])), expires_at: 5, state: invite };
        ScopeState {
            invites: BTreeMap::from([(InviteId(2), Box::new(invite))]),
            ..ScopeState::new(ScopeKind::Family, 1)
        }
    }

    #[test]
    fn an_open_invite_that_ends_is_closed_and_asked_for() {
        let batch = expire(&state(InviteState::Open), InviteId(2), 5, 9);

        let item = DueItem::Invite(InviteId(2));
        let due = Precondition::DueAt(item.clone(), 5);
        assert_eq!(batch.requires, [due, Precondition::InviteOpen(InviteId(2))]);
        let asked = ToClose { devices: vec![], invites: vec![InviteId(2)] };
        assert_eq!(
            batch.changes,
            [Change::CloseInvite(InviteId(2)), Change::ClearDue(item), Change::AskToClose(asked)]
        );
    }

    #[test]
    fn an_invite_that_was_closed_before_asks_for_nothing() {
        for (number, known) in [(2, InviteState::Closed), (3, InviteState::Open)] {
            let batch = expire(&state(known), InviteId(number), 5, 9);

            assert_eq!(batch.changes, [Change::ClearDue(DueItem::Invite(InviteId(number)))]);
        }
    }

    #[test]
    fn a_removal_takes_the_invites_with_it_that_the_device_made() {
        let removed = Event::Removed {
            device: DeviceId(2),
            members: vec![],
            invites: vec![InviteId(4), InviteId(3)],
            asked: jiashu_roster::Asked::ByRelay,
        };
        let joined = Event::Joined { device: DeviceId(3), invite: InviteId(1), members: vec![] };
        let link = LinkChange {
            number: 5,
            hash: LinkHash::NONE,
            author: Author::Device(DeviceId(1)),
            events: vec![removed, joined],
        };

        let gone = gone(&link);

        assert_eq!(gone.devices, [DeviceId(2)]);
        assert_eq!(gone.invites, [InviteId(1), InviteId(3), InviteId(4)]);
    }

    #[test]
    fn nobody_voids_nothing_or_what_is_not_there() {
        let lists = |devices: &[u32], invites: &[u32]| ToClose {
            devices: devices.iter().copied().map(DeviceId).collect(),
            invites: invites.iter().copied().map(InviteId).collect(),
        };
        let cases = [
            ("nothing", lists(&[], &[]), ErrorCode::Malformed),
            ("descending", lists(&[2, 1], &[]), ErrorCode::Malformed),
            ("twice", lists(&[], &[1, 1]), ErrorCode::Malformed),
            ("too many", lists(&(1..=33).collect::<Vec<_>>(), &[]), ErrorCode::Malformed),
            ("no such phone", lists(&[1], &[]), ErrorCode::Unknown),
            ("no such card", lists(&[], &[2]), ErrorCode::Unknown),
        ];

        for (what, void, expected) in cases {
            let refused = decide_void(&state(InviteState::Open), &Roster::new(), &void, 9);
            assert_eq!(refused.unwrap_err().code, expected, "{what}");
        }
    }
}

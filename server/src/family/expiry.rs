//! What happens when a message is worth nothing any more: its author hears whom it has not reached.
//! That it is handed out as a tombstone from then on is `delivery`'s. Pure.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Content, Message, Notice, Noticed, Seq};
use jiashu_proto::frame::Reached;
use jiashu_proto::id::{MemberId, Millis};

use crate::store::{Batch, Change, Due, DueItem, NewEntry, Precondition, ScopeState};

/// What happens when the message at `place` is worth nothing any more: its author is told whom it has
/// not reached, if there is anybody. `message` is what stands there, if it is kept still.
#[must_use]
pub fn expire(
    place: Seq,
    message: Option<&Message>,
    state: &ScopeState,
    reached: &[Reached],
    due: &Due,
    now: Millis,
) -> Batch {
    let told = message.and_then(|message| {
        let members = not_reached(place, message, state, reached);
        (!members.is_empty()).then(|| expired(message, members))
    });
    Batch {
        requires: vec![Precondition::DueAt(due.item.clone(), due.at)],
        entries: told.iter().map(NewEntry::of).collect(),
        changes: vec![Change::ClearDue(DueItem::Expiry(place))],
        ..Batch::new(now)
    }
}

fn expired(message: &Message, members: Vec<MemberId>) -> Content {
    let fired = message.fired.as_ref();
    Content::Notice(Notice {
        to: message.from,
        what: Noticed::Expired,
        schedule: fired.map(|fired| fired.schedule),
        planned: fired.map(|fired| fired.planned.clone()),
        due_at: fired.map(|fired| fired.due_at),
        of: Some(message.entry_ref),
        members,
        left: None,
    })
}

/// The members it was for on none of whose live phones it is.
#[must_use]
pub fn not_reached(
    place: Seq,
    message: &Message,
    state: &ScopeState,
    reached: &[Reached],
) -> Vec<MemberId> {
    let live = || state.seats.iter().filter(|(_, seat)| !seat.revoked);
    let mut members = message.to.clone();
    if members.is_empty() {
        members = live().flat_map(|(_, seat)| seat.members.iter().copied()).collect();
    }
    members.retain(|member| *member != message.from);
    let has_it = |device| reached.iter().any(|one| one.device == device && one.seq >= place);
    let is_reached = |member: &MemberId| {
        live().any(|(device, seat)| seat.members.contains(member) && has_it(*device))
    };
    members.retain(|member| !is_reached(member));
    members.sort_unstable();
    members.dedup();
    members.truncate(bounds::MAX_MEMBERS);
    members
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiashu_proto::id::{DeviceId, Ref, TokenHash};

    use super::*;
    use crate::store::{ScopeKind, Seat};

    const LILI: MemberId = MemberId(3);

    fn letter(to: Vec<MemberId>) -> Message {
        Message {
            device: DeviceId(1),
            from: MemberId(1),
            entry_ref: Ref([2; 12]),
            epoch: 4,
            to,
            sealed: vec![9; 20],
            key: None,
            until: Some(50),
            blob: None,
            fired: None,
        }
    }

    fn state(seats: &[(u32, &[u32], bool)]) -> ScopeState {
        let seat = |(device, members, revoked): &(u32, &[u32], bool)| {
            let members = members.iter().copied().map(MemberId).collect();
            let (token_hash, revoked) = (TokenHash([0; 32]), *revoked);
            let seat = Seat { token_hash, members, revoked, last_n: 0, recent: Vec::new() };
            (DeviceId(*device), Box::new(seat))
        };
        let seats: BTreeMap<_, _> = seats.iter().map(seat).collect();
        ScopeState { seats, ..ScopeState::new(ScopeKind::Family, 1) }
    }

    #[test]
    fn an_author_is_told_whom_a_letter_has_not_reached() {
        let state = state(&[(1, &[1], false), (2, &[2, 3], false), (3, &[3], true)]);
        let (scope, item) = (jiashu_proto::id::Scope(1), DueItem::Expiry(9));
        let item = Due { at: 50, scope, item, planned: None };
        let told = |to: &[u32], reached: &[(u32, Seq)]| {
            let to = to.iter().copied().map(MemberId).collect();
            let reach = |(device, seq): &(u32, Seq)| Reached {
                device: DeviceId(*device),
                seq: *seq,
                at: 0,
            };
            let reached: Vec<_> = reached.iter().map(reach).collect();
            let letter = letter(to);
            let batch = expire(9, Some(&letter), &state, &reached, &item, 60);
            assert_eq!(batch.changes, [Change::ClearDue(DueItem::Expiry(9))]);
            let told = batch.entries.first()?;
            match Content::from_bytes(&told.content).unwrap() {
                Content::Notice(notice) => Some(notice.members),
                other => panic!("{other:?}"),
            }
        };

        assert_eq!(told(&[3], &[(2, 8)]), Some(vec![LILI]));
        assert_eq!(told(&[3], &[(2, 9)]), None);
        assert_eq!(told(&[3], &[(3, 9)]), Some(vec![LILI]), "a removed phone counts for nobody");
        assert_eq!(told(&[], &[]), Some(vec![MemberId(2), LILI]), "all but the author");
        assert_eq!(told(&[4], &[(2, 9)]), Some(vec![MemberId(4)]), "somebody without a phone");
        assert!(expire(9, None, &state, &[], &item, 60).entries.is_empty(), "it is forgotten");
    }
}

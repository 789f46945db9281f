//! Who has access: seats and invites.

use std::collections::BTreeSet;

use jiashu_proto::id::{CodeHash, DeviceId, InviteId, LinkHash, MemberId, Ref, TokenHash};

use super::{
    ALL, FAMILY, Home, NOW, PHONE, broken, changes, commit, entry, founding, message, refused,
    requires, seat, start, ticket, to_close, with_phone,
};
use crate::store::{Batch, Change, DueItem, InviteState, Precondition, StoreError};

const TABLET: DeviceId = DeviceId(u32::MAX);
const INVITE: InviteId = InviteId(4);

pub(crate) async fn a_seat_counts_its_own_commands(home: &dyn Home) {
    let store = home.open().await;
    commit(&*store, founding([PHONE])).await;
    commit(&*store, message(PHONE, 1, b"x")).await;
    commit(&*store, changes(vec![seat(DeviceId(2))])).await;

    let unknown = refused(&*store, message(DeviceId(3), 1, b"x")).await;
    commit(&*store, message(DeviceId(2), 1, b"x")).await;
    commit(&*store, message(PHONE, 2, b"x")).await;

    assert!(matches!(unknown, StoreError::NotLive));
    let state = store.state(FAMILY).await.unwrap().unwrap();
    assert_eq!((state.seats[&PHONE].last_n, state.seats[&DeviceId(2)].last_n), (2, 1));
}

pub(crate) async fn a_revoked_seat_writes_nothing(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, message(PHONE, 1, b"x")).await;
    commit(&*store, changes(vec![Change::RevokeSeat(PHONE)])).await;

    let new = refused(&*store, message(PHONE, 2, b"x")).await;
    let repeat = refused(&*store, message(PHONE, 1, b"x")).await;

    assert!(matches!((new, repeat), (StoreError::NotLive, StoreError::NotLive)));
    assert!(store.state(FAMILY).await.unwrap().unwrap().seats[&PHONE].revoked, "kept, but dead");
}

pub(crate) async fn turns_and_members_are_kept(home: &dyn Home) {
    let store = with_phone(home).await;
    let head = LinkHash([5; 32]);
    let members = vec![MemberId(1), MemberId(2)];

    let turn = Change::Turn { epoch: 2, head };
    let batch = vec![turn, Change::SetMembers(PHONE, members.clone()), Change::SetActive(true)];
    commit(&*store, changes(batch)).await;

    let state = store.state(FAMILY).await.unwrap().unwrap();
    assert_eq!((state.epoch, state.roster_head, state.active), (2, head, true));
    assert_eq!(state.seats[&PHONE].members, members);
    let now = vec![Precondition::Epoch(2), Precondition::RosterHead(head), Precondition::Active];
    commit(&*store, requires(now)).await;
}

fn add_invite() -> Change {
    Change::AddInvite {
        invite: INVITE,
        code_hash: Some(CodeHash([3; 32])),
        expires_at: NOW + 1,
        blob: b"sealed card".to_vec(),
    }
}

pub(crate) async fn an_invite_is_used_once_and_its_card_goes(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, message(PHONE, 1, b"before")).await;
    commit(&*store, changes(vec![add_invite()])).await;
    assert_eq!(store.card(FAMILY, INVITE).await.unwrap().unwrap(), b"sealed card");
    let token = TokenHash([8; 32]);
    let join = Batch {
        requires: vec![Precondition::InviteOpen(INVITE)],
        entries: vec![entry(b"link"), entry(b"wraps")],
        changes: vec![Change::UseInvite(INVITE, TABLET, token), seat(TABLET)],
        ..Batch::new(NOW)
    };

    let joined = commit(&*store, join.clone()).await;

    assert_eq!(joined.first, 2);
    assert_eq!(broken(&*store, join).await, Precondition::InviteOpen(INVITE));
    assert_eq!(store.card(FAMILY, INVITE).await.unwrap(), None);
    let invite = store.state(FAMILY).await.unwrap().unwrap().invites[&INVITE].clone();
    assert_eq!(invite.state, InviteState::Used(TABLET, token, 2));
    assert_eq!((invite.code_hash, invite.expires_at), (Some(CodeHash([3; 32])), NOW + 1));
}

pub(crate) async fn a_closed_invite_keeps_no_card(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, changes(vec![add_invite()])).await;

    commit(&*store, changes(vec![Change::CloseInvite(INVITE)])).await;

    assert_eq!(store.card(FAMILY, INVITE).await.unwrap(), None);
    let open = requires(vec![Precondition::InviteOpen(INVITE)]);
    assert_eq!(broken(&*store, open).await, Precondition::InviteOpen(INVITE));
    let state = store.state(FAMILY).await.unwrap().unwrap();
    assert_eq!(state.invites[&INVITE].state, InviteState::Closed);
}

pub(crate) async fn an_invite_without_a_code_gets_its_card_later(home: &dyn Home) {
    let store = with_phone(home).await;
    let Change::AddInvite { invite, code_hash, expires_at, blob } = add_invite() else { return };
    let handed_in = Change::AddInvite { invite, code_hash: None, expires_at, blob: Vec::new() };
    commit(&*store, changes(vec![handed_in])).await;
    assert_eq!(store.card(FAMILY, INVITE).await.unwrap(), None);

    let with_card = Change::AddInvite { invite, code_hash, expires_at, blob };
    let open = vec![Precondition::InviteOpen(INVITE)];
    commit(&*store, Batch { requires: open, ..changes(vec![with_card]) }).await;

    assert_eq!(store.card(FAMILY, INVITE).await.unwrap().unwrap(), b"sealed card");
    let state = store.state(FAMILY).await.unwrap().unwrap();
    assert_eq!(state.invites[&INVITE].code_hash, Some(CodeHash([3; 32])));
}

pub(crate) async fn what_is_to_be_closed_is_kept_until_it_is(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, changes(vec![Change::AskToClose(to_close(&[3], &[7, 9]))])).await;
    commit(&*store, changes(vec![Change::AskToClose(to_close(&[2, 3], &[8]))])).await;
    commit(&*store, changes(vec![Change::Closed(to_close(&[3, 4], &[9]))])).await;
    drop(store);
    let store = home.open().await;

    let within = |devices: &[u32], invites: &[u32]| {
        requires(vec![Precondition::ToCloseWithin(to_close(devices, invites))])
    };

    let state = store.state(FAMILY).await.unwrap().unwrap();
    assert_eq!(state.to_close, to_close(&[2], &[7, 8]));
    commit(&*store, within(&[2], &[7, 8])).await;
    commit(&*store, within(&[1, 2, 3], &[6, 7, 8])).await;
    for (devices, invites) in [(&[2][..], &[7][..]), (&[], &[7, 8]), (&[], &[])] {
        let told = broken(&*store, within(devices, invites)).await;
        assert_eq!(told, Precondition::ToCloseWithin(to_close(devices, invites)));
    }
}

pub(crate) async fn tickets_are_set_over_those_seen(home: &dyn Home) {
    let store = with_phone(home).await;
    let (one, two) = (vec![ticket(1)], vec![ticket(1), ticket(2)]);
    let set = |seen: &[_], tickets: &[_]| Batch {
        requires: vec![Precondition::Tickets(seen.to_vec())],
        ..changes(vec![Change::SetTickets(tickets.to_vec())])
    };
    commit(&*store, set(&[], &one)).await;

    let late = broken(&*store, set(&[], &two)).await;
    commit(&*store, set(&one, &two)).await;
    drop(store);
    let store = home.open().await;

    assert_eq!(late, Precondition::Tickets(vec![]));
    assert_eq!(store.state(FAMILY).await.unwrap().unwrap().tickets, two);
}

pub(crate) async fn a_superseded_scope_takes_no_command_and_has_nothing_open(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, message(PHONE, 1, b"before")).await;
    let due = DueItem::Invite(INVITE);
    commit(
        &*store,
        changes(vec![
            add_invite(),
            Change::SetDue(due, NOW),
            Change::AskToClose(to_close(&[2], &[])),
            Change::SetTickets(vec![ticket(1)]),
        ]),
    )
    .await;

    let stays = [DueItem::Retention, DueItem::Blob(Ref([8; 12]))];
    let due = |item: &DueItem| Change::SetDue(item.clone(), 70);
    let mut all: Vec<_> = stays.iter().map(due).collect();
    all.extend([due(&DueItem::Invite(INVITE)), due(&DueItem::Expiry(1))]);
    commit(&*store, changes(all)).await;

    commit(&*store, changes(vec![Change::Supersede])).await;
    commit(&*store, changes(vec![Change::Supersede])).await;

    let new = refused(&*store, message(PHONE, 2, b"after")).await;
    let repeat = refused(&*store, message(PHONE, 1, b"before")).await;
    assert!(matches!((new, repeat), (StoreError::Superseded, StoreError::Superseded)));
    let state = store.state(FAMILY).await.unwrap().unwrap();
    assert!(state.superseded && state.to_close.is_empty() && state.tickets.is_empty());
    assert_eq!(state.invites[&INVITE].state, InviteState::Closed);
    assert_eq!(store.card(FAMILY, INVITE).await.unwrap(), None);
    let due = store.due(100, 10).await.unwrap();
    let due: BTreeSet<_> = due.into_iter().map(|due| due.item).collect();
    assert_eq!(due, BTreeSet::from(stays), "what it has still grows old");
    let kept = store.read_after(FAMILY, start(&*store).await, ALL).await.unwrap();
    assert_eq!(kept.records.len(), 1, "its log stays");
}

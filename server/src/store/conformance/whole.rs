//! Everything of a scope can be read, and is the same once it is restored elsewhere.

use jiashu_proto::id::{CodeHash, DeviceId, InviteId, Scope};

use super::{
    FAMILY, Home, NOW, PHONE, a_ref, changes, commit, entries, entry, fact, founding, message,
    whole_log, with_phone,
};
use crate::store::{
    Batch, Change, DueItem, HeldBody, LedgerRow, Precondition, Snapshot, Store, StoreError,
};

const ELSEWHERE: Scope = Scope(0x0123);

/// A family with something of every kind, part of its log behind the floor.
pub(crate) async fn a_full_family(store: &dyn Store) {
    commit(store, founding([PHONE, DeviceId(2)])).await;
    commit(store, message(PHONE, 1, b"forgotten")).await;
    commit(store, entries(vec![fact("plan", 0, b"below the floor"), fact("often", 3, b"first")]))
        .await;
    commit(store, changes(vec![Change::Forget { before: NOW + 1, most: 3 }])).await;
    commit(store, entries(vec![fact("name", 1, b"replaced")])).await;
    commit(store, entries(vec![fact("name", 2, b"stands"), fact("often", 4, b"second")])).await;
    commit(store, message(PHONE, 2, b"kept")).await;
    let body = |number, schedule| HeldBody {
        body_ref: a_ref(number),
        schedule: a_ref(schedule),
        content: vec![7; 40],
    };
    let add_invite = Change::AddInvite {
        invite: InviteId(4),
        code_hash: Some(CodeHash([3; 32])),
        expires_at: NOW + 1,
        blob: b"sealed card".to_vec(),
    };
    let planned = "2027-03-28T02:30:00".to_owned();
    let rest = vec![
        Change::PutHeld(body(9, 200)),
        Change::PutHeld(body(5, 100)),
        Change::PutHeld(body(1, 200)),
        add_invite,
        Change::SetOccurrence { schedule: a_ref(100), planned, at: NOW + 5 },
        Change::SetDue(DueItem::Invite(InviteId(4)), NOW + 1),
        Change::SetDue(DueItem::Enrolment("A-17".into()), NOW + 3),
        Change::SetActive(true),
        Change::Enter(row("heard", b"2", (5, 1))),
        Change::Enter(row("heard", b"1", (4, u64::MAX))),
        Change::Enter(row("2026W53", b"1", (u64::MAX, 0))),
    ];
    commit(store, changes(rest)).await;
    store.note_cursor(FAMILY, PHONE, 3, NOW);
}

fn row(book: &str, name: &[u8], version: (u64, u64)) -> LedgerRow {
    LedgerRow { book: book.to_owned(), name: name.to_vec(), version, value: b"counted".to_vec() }
}

fn restoring(snapshot: &Snapshot) -> Batch {
    let change = Change::Restore(Box::new(snapshot.clone()));
    let requires = vec![Precondition::Absent];
    let changes = vec![Change::Create(snapshot.state.kind), change];
    Batch { requires, changes, ..Batch::new(NOW) }
}

pub(crate) async fn what_is_restored_is_what_was_there(home: &dyn Home) {
    let store = home.open().await;
    a_full_family(&*store).await;
    let whole = store.snapshot(FAMILY).await.unwrap().unwrap();
    assert_eq!(whole.check(), Ok(()));
    assert_eq!((whole.held.len(), whole.cards.len(), whole.due.len()), (3, 1, 3));
    assert_eq!((whole.cursors.len(), whole.facts.len(), whole.ledger.len()), (1, 3, 3));

    store.commit(ELSEWHERE, restoring(&whole)).await.unwrap();
    let rows = whole.ledger.iter().cloned().map(Change::Enter).collect();
    store.commit(ELSEWHERE, changes(rows)).await.unwrap();

    let there = store.snapshot(ELSEWHERE).await.unwrap().unwrap();
    assert_eq!(there, Snapshot { cursors: Vec::new(), ..whole.clone() });
    let again = store.commit(ELSEWHERE, restoring(&whole)).await;
    assert!(matches!(again, Err(StoreError::Stale { .. })), "never over another: {again:?}");
    assert_eq!(store.scopes().await.unwrap(), [ELSEWHERE, FAMILY], "ascending");
    let held = store.held(ELSEWHERE, a_ref(200)).await.unwrap();
    assert_eq!(held.iter().map(|body| body.body_ref).collect::<Vec<_>>(), [a_ref(9), a_ref(1)]);
    let due = store.due(NOW + 10, 100).await.unwrap();
    assert_eq!(due.iter().filter(|due| due.scope == ELSEWHERE).count(), 3);
}

pub(crate) async fn what_was_restored_goes_on(home: &dyn Home) {
    let store = home.open().await;
    a_full_family(&*store).await;
    let whole = store.snapshot(FAMILY).await.unwrap().unwrap();
    store.commit(ELSEWHERE, restoring(&whole)).await.unwrap();

    for scope in [FAMILY, ELSEWHERE] {
        let head = whole.state.head;
        let written = store.commit(scope, message(PHONE, 3, b"next")).await.unwrap();
        assert_eq!(written.first, head + 1);
        let repeated = store.commit(scope, message(PHONE, 2, b"kept")).await.unwrap();
        assert!(repeated.repeat, "what was answered before is known");
        let supersedes = entries(vec![fact("plan", 0, b"new"), entry(b"x")]);
        store.commit(scope, supersedes).await.unwrap();
        store.commit(scope, changes(vec![Change::DropHeldOf(a_ref(200))])).await.unwrap();
        let full = Batch { requires: vec![Precondition::HeldBelow(2)], ..Batch::new(NOW) };
        store.commit(scope, full).await.unwrap();
    }

    let [here, there] = [FAMILY, ELSEWHERE].map(|scope| store.snapshot(scope));
    let (here, there) = (here.await.unwrap().unwrap(), there.await.unwrap().unwrap());
    assert_eq!(here.facts, there.facts);
    assert_eq!(here.held, there.held);
    let seqs = |snapshot: &Snapshot| -> Vec<_> {
        snapshot.places.iter().map(|place| (place.seq, place.content.clone())).collect()
    };
    assert_eq!(seqs(&here), seqs(&there));
}

pub(crate) async fn a_snapshot_of_nothing_is_none(home: &dyn Home) {
    let store = with_phone(home).await;

    assert_eq!(store.snapshot(ELSEWHERE).await.unwrap(), None);
    assert_eq!(store.scopes().await.unwrap(), [FAMILY]);
    assert_eq!(whole_log(&*store).await.head, 0);
}

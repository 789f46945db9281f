//! One batch: whole or not at all, once, and told why not.

use jiashu_proto::bounds::MAX_UNANSWERED;
use jiashu_proto::frame::ToClose;
use jiashu_proto::id::{InviteId, LinkHash, Scope};

use super::{
    FAMILY, Home, NOW, PHONE, a_ref, broken, changes, commit, entries, entry, fact, founding,
    message, refused, requires, seqs, ticket, to_close, whole_log, with_phone,
};
use crate::store::{Author, Batch, Change, DueItem, Precondition, ScopeKind, StoreError, Wake};

pub(crate) async fn the_first_commit_makes_the_scope(home: &dyn Home) {
    let store = home.open().await;
    assert_eq!(store.state(FAMILY).await.unwrap(), None);

    let batch = Batch { entries: vec![entry(b"first")], ..founding([PHONE]) };
    let committed = commit(&*store, batch).await;

    assert_eq!((committed.first, committed.at, committed.repeat), (1, NOW, false));
    let state = store.state(FAMILY).await.unwrap().unwrap();
    assert_eq!((state.kind, state.head, state.epoch), (ScopeKind::Family, 1, 0));
    assert_ne!(state.generation, 0, "no log is of generation 0");
    assert!(!state.active, "letters move only once somebody said so");
    assert_eq!(state.seats[&PHONE].last_n, 0);
}

pub(crate) async fn a_scope_that_was_never_made_takes_nothing(home: &dyn Home) {
    let store = home.open().await;
    let lacks_create = requires(vec![Precondition::Absent]);
    let lacks_absent = changes(vec![Change::Create(ScopeKind::Family)]);

    for batch in [entries(vec![entry(b"lost")]), lacks_create, lacks_absent] {
        assert!(matches!(refused(&*store, batch).await, StoreError::NoScope));
    }
    let authored = Batch { author: message(PHONE, 1, b"").author, ..founding([PHONE]) };
    assert!(matches!(refused(&*store, authored).await, StoreError::NotLive));

    assert_eq!(store.state(FAMILY).await.unwrap(), None);
    let read = store.read_after(FAMILY, Default::default(), super::ALL).await;
    assert!(matches!(read, Err(StoreError::NoScope)));
}

pub(crate) async fn a_second_create_is_stale(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, message(PHONE, 1, b"kept")).await;

    assert_eq!(broken(&*store, founding([])).await, Precondition::Absent);
    let unasked = changes(vec![Change::Create(ScopeKind::Family)]);
    assert_eq!(broken(&*store, unasked).await, Precondition::Absent);

    assert_eq!(seqs(&whole_log(&*store).await.records), [1]);
}

pub(crate) async fn places_count_from_one_without_gaps(home: &dyn Home) {
    let store = with_phone(home).await;

    for n in 1..=20 {
        assert_eq!(commit(&*store, message(PHONE, n, b"x")).await.first, 2 * n - 1);
        assert_eq!(commit(&*store, entries(vec![entry(b"y")])).await.first, 2 * n);
    }
    let three = commit(&*store, entries(vec![entry(b"a"), entry(b"b"), entry(b"c")])).await;

    assert_eq!(three.first, 41);
    let page = whole_log(&*store).await;
    assert_eq!(seqs(&page.records), (1..=43).collect::<Vec<_>>());
    assert_eq!((page.head, page.upto.seq), (43, 43));
}

pub(crate) async fn a_repeat_answers_with_the_same_place(home: &dyn Home) {
    let store = with_phone(home).await;
    let batch = message(PHONE, 1, b"sealed");
    let first = commit(&*store, batch.clone()).await;
    commit(&*store, message(PHONE, 2, b"another")).await;

    let again = commit(&*store, Batch { at: NOW + 5, ..batch.clone() }).await;
    let renumbered = Author { n: 3, ..batch.author.unwrap() };
    let once_more = commit(&*store, Batch { author: Some(renumbered), ..batch }).await;

    assert_eq!((again.first, again.at, again.repeat), (first.first, first.at, true));
    assert_eq!(once_more, again);
    assert_eq!(seqs(&whole_log(&*store).await.records), [1, 2], "nothing may be stored twice");
    assert_eq!(store.state(FAMILY).await.unwrap().unwrap().seats[&PHONE].last_n, 2);
}

pub(crate) async fn a_repeat_is_answered_whatever_has_changed_since(home: &dyn Home) {
    let store = with_phone(home).await;
    let batch = Batch { requires: vec![Precondition::Epoch(0)], ..message(PHONE, 1, b"sealed") };
    let without_entry = Batch { entries: vec![], ..message(PHONE, 2, b"") };
    let first = commit(&*store, batch.clone()).await;
    commit(&*store, without_entry.clone()).await;
    commit(&*store, changes(vec![Change::Turn { epoch: 1, head: LinkHash([9; 32]) }])).await;

    let again = commit(&*store, batch.clone()).await;
    let nothing_again = commit(&*store, Batch { at: NOW + 9, ..without_entry }).await;

    assert_eq!((again.first, again.repeat), (first.first, true));
    let answer = (nothing_again.first, nothing_again.at, nothing_again.repeat);
    assert_eq!(answer, (0, NOW + 9, true));
    let fresh = Batch { author: message(PHONE, 3, b"").author, ..batch };
    assert_eq!(broken(&*store, fresh).await, Precondition::Epoch(0));
}

pub(crate) async fn a_repeat_is_answered_after_reopening(home: &dyn Home) {
    let store = with_phone(home).await;
    let batch = message(PHONE, 1, b"sealed");
    let first = commit(&*store, batch.clone()).await;
    drop(store);
    let store = home.open().await;

    let again = commit(&*store, batch).await;

    assert_eq!((again.first, again.at, again.repeat), (first.first, first.at, true));
    assert_eq!(seqs(&whole_log(&*store).await.records), [1]);
}

pub(crate) async fn a_gap_or_a_used_number_must_renumber(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, message(PHONE, 1, b"one")).await;
    commit(&*store, message(PHONE, 2, b"two")).await;

    for n in [0, 1, 2, 4, u64::MAX] {
        let author = Some(Author { device: PHONE, n, entry_ref: a_ref(77) });
        let batch = Batch { author, ..entries(vec![entry(b"new")]) };
        let told = refused(&*store, batch).await;
        assert!(matches!(told, StoreError::Renumber { last_n: 2 }), "n {n}: {told}");
    }

    assert_eq!(commit(&*store, message(PHONE, 3, b"three")).await.first, 3);
}

pub(crate) async fn only_the_last_refs_are_remembered(home: &dyn Home) {
    let store = with_phone(home).await;
    let last = u64::try_from(MAX_UNANSWERED).unwrap() + 1;
    for n in 1..=last {
        commit(&*store, message(PHONE, n, b"x")).await;
    }

    for n in 2..=last {
        assert_eq!(commit(&*store, message(PHONE, n, b"x")).await.first, n);
    }
    let forgotten = refused(&*store, message(PHONE, 1, b"x")).await;

    assert!(matches!(forgotten, StoreError::Renumber { last_n } if last_n == last));
    let state = store.state(FAMILY).await.unwrap().unwrap();
    assert_eq!(state.seats[&PHONE].recent.len(), MAX_UNANSWERED);
}

pub(crate) async fn each_precondition_names_itself(home: &dyn Home) {
    let store = with_phone(home).await;
    let item = DueItem::Occurrence(a_ref(1));
    commit(&*store, entries(vec![fact("plan", 0, b"x")])).await;
    commit(&*store, changes(vec![Change::SetDue(item.clone(), 500)])).await;
    commit(&*store, changes(vec![Change::AskToClose(to_close(&[2], &[7]))])).await;
    let broken_ones = [
        Precondition::Absent,
        Precondition::Active,
        Precondition::Epoch(1),
        Precondition::RosterHead(LinkHash([4; 32])),
        Precondition::InviteOpen(InviteId(1)),
        Precondition::FactAt("plan".into(), None),
        Precondition::FactAt("plan".into(), Some(2)),
        Precondition::FactAt("none".into(), Some(1)),
        Precondition::DueAt(item.clone(), 501),
        Precondition::DueAt(DueItem::Enrolment("case".into()), 500),
        Precondition::HeldBelow(0),
        Precondition::ToCloseWithin(ToClose::default()),
        Precondition::ToCloseWithin(to_close(&[], &[7])),
        Precondition::Tickets(vec![ticket(9)]),
    ];

    for precondition in broken_ones {
        let named = broken(&*store, requires(vec![precondition.clone()])).await;
        assert_eq!(named, precondition);
    }
    commit(&*store, changes(vec![Change::SetActive(true)])).await;
    let holding = requires(vec![
        Precondition::Active,
        Precondition::Epoch(0),
        Precondition::RosterHead(LinkHash::NONE),
        Precondition::FactAt("plan".into(), Some(1)),
        Precondition::FactAt("none".into(), None),
        Precondition::DueAt(item, 500),
        Precondition::HeldBelow(1),
        Precondition::ToCloseWithin(to_close(&[2, 3], &[7])),
        Precondition::Tickets(vec![]),
    ]);

    assert_eq!(commit(&*store, holding).await.first, 0);
}

pub(crate) async fn the_first_broken_precondition_is_named(home: &dyn Home) {
    let store = with_phone(home).await;
    let both = vec![Precondition::Epoch(0), Precondition::Active, Precondition::Epoch(5)];

    assert_eq!(broken(&*store, requires(both)).await, Precondition::Active);
    let batch = Batch { requires: vec![Precondition::Active], ..message(PHONE, 7, b"x") };
    let told = refused(&*store, batch).await;

    assert!(matches!(told, StoreError::Renumber { last_n: 0 }), "the counter comes first: {told}");
}

pub(crate) async fn a_refused_batch_writes_nothing(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, entries(vec![fact("plan", 0, b"old")])).await;
    let before = store.state(FAMILY).await.unwrap();
    let batch = Batch {
        requires: vec![Precondition::Active],
        entries: vec![fact("plan", 0, b"new")],
        changes: vec![
            Change::SetActive(true),
            Change::SetDue(DueItem::Enrolment("case".into()), 1),
        ],
        ..message(PHONE, 1, b"")
    };

    refused(&*store, batch).await;

    assert_eq!(store.state(FAMILY).await.unwrap(), before);
    assert_eq!(store.facts(FAMILY, "").await.unwrap()[0].1.content, b"old");
    assert_eq!(store.next_due().await.unwrap(), None);
}

pub(crate) async fn a_commit_wakes_its_scope(home: &dyn Home) {
    let store = with_phone(home).await;
    let mut wakes = store.wakes();

    commit(&*store, message(PHONE, 1, b"x")).await;
    assert_eq!(wakes.recv().await.unwrap(), Wake { scope: FAMILY });
    commit(&*store, changes(vec![Change::RevokeSeat(PHONE)])).await;

    assert_eq!(wakes.recv().await.unwrap(), Wake { scope: FAMILY }, "access has changed");
}

pub(crate) async fn everything_is_there_after_reopening(home: &dyn Home) {
    let store = with_phone(home).await;
    let item = DueItem::Programme(Scope(u64::MAX));
    commit(&*store, message(PHONE, 1, b"one")).await;
    commit(&*store, entries(vec![fact("plan", 3, b"two")])).await;
    commit(&*store, changes(vec![Change::SetDue(item, 77), Change::SetActive(true)])).await;
    let state = store.state(FAMILY).await.unwrap();
    let log = whole_log(&*store).await;
    let facts = store.facts(FAMILY, "").await.unwrap();
    let due = store.due(100, 10).await.unwrap();
    store.close().await;
    drop(store);

    let store = home.open().await;

    assert_eq!(store.state(FAMILY).await.unwrap(), state);
    assert_eq!(whole_log(&*store).await, log);
    assert_eq!(store.facts(FAMILY, "").await.unwrap(), facts);
    assert_eq!(store.due(100, 10).await.unwrap(), due);
    assert_eq!(due.len(), 1);
}

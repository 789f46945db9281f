//! What is erased is gone, its number is never another's, and its neighbours are as they were.

use super::whole::a_full_family;
use super::{ALL, FAMILY, Home, NOW, PHONE, changes, commit, founding, message, refused, start};
use crate::store::{
    Batch, Change, Cleaning, DueItem, Precondition, ScopeKind, ScopeState, Snapshot, Store,
    StoreError,
};
use jiashu_proto::id::{InviteId, Scope};

const NEIGHBOUR: Scope = Scope(FAMILY.0 ^ 0x100);

/// What stays of a family that was erased then.
async fn gone(store: &dyn Store, erased_at: i64) {
    let snapshot = store.snapshot(FAMILY).await.unwrap().unwrap();
    let generation = snapshot.state.generation;
    let state = ScopeState::new(ScopeKind::Family, generation);
    let state = ScopeState { erased_at: Some(erased_at), ..state };
    let nothing = Snapshot {
        state,
        places: Vec::new(),
        facts: Vec::new(),
        held: Vec::new(),
        cards: Vec::new(),
        due: Vec::new(),
        cursors: Vec::new(),
        ledger: Vec::new(),
    };
    assert_eq!(snapshot, nothing);
    assert_eq!(*store.state(FAMILY).await.unwrap().unwrap(), nothing.state);
    let due = store.due(i64::MAX, 100).await.unwrap();
    assert!(due.iter().all(|due| due.scope != FAMILY), "{due:?}");
    let page = store.read_after(FAMILY, start(store).await, ALL).await.unwrap();
    assert!(page.records.is_empty());
    assert_eq!(store.card(FAMILY, InviteId(4)).await.unwrap(), None);
    for book in ["heard", "2026W53"] {
        assert!(store.book(FAMILY, book).await.unwrap().is_empty());
    }
}

/// A family with something of every kind beside another one, which is told as it was.
async fn with_neighbour(home: &dyn Home) -> (std::sync::Arc<dyn Store>, Snapshot) {
    let store = home.open().await;
    a_full_family(&*store).await;
    store.commit(NEIGHBOUR, founding([PHONE])).await.unwrap();
    store.commit(NEIGHBOUR, message(PHONE, 1, b"a neighbour's")).await.unwrap();
    let due = vec![Change::SetDue(DueItem::Retention, NOW)];
    store.commit(NEIGHBOUR, changes(due)).await.unwrap();
    let neighbour = store.snapshot(NEIGHBOUR).await.unwrap().unwrap();
    (store, neighbour)
}

pub(crate) async fn what_is_erased_is_gone_and_its_neighbours_stay(home: &dyn Home) {
    let (store, neighbour) = with_neighbour(home).await;

    commit(&*store, Batch { at: NOW + 9, ..changes(vec![Change::Erase]) }).await;

    gone(&*store, NOW + 9).await;
    assert_eq!(store.snapshot(NEIGHBOUR).await.unwrap().unwrap(), neighbour);
    store.close().await;
    drop(store);
    let store = home.open().await;
    gone(&*store, NOW + 9).await;
    assert_eq!(store.snapshot(NEIGHBOUR).await.unwrap().unwrap(), neighbour);
}

pub(crate) async fn what_is_erased_takes_nothing_and_is_never_made_anew(home: &dyn Home) {
    let (store, _) = with_neighbour(home).await;
    commit(&*store, Batch { at: NOW + 9, ..changes(vec![Change::Erase]) }).await;

    let letter = refused(&*store, message(PHONE, 3, b"late")).await;
    let repeat = refused(&*store, message(PHONE, 2, b"kept")).await;
    let own = refused(&*store, changes(vec![Change::SetActive(true)])).await;
    let anew = refused(&*store, founding([PHONE])).await;

    assert!(matches!(
        (letter, repeat, own),
        (StoreError::Erased, StoreError::Erased, StoreError::Erased)
    ));
    assert!(matches!(anew, StoreError::Stale { precondition: Precondition::Absent }));
    gone(&*store, NOW + 9).await;
}

pub(crate) async fn what_came_about_since_goes_when_it_is_erased_again(home: &dyn Home) {
    let (store, neighbour) = with_neighbour(home).await;
    commit(&*store, Batch { at: NOW + 9, ..changes(vec![Change::Erase]) }).await;
    store.note_cursor(FAMILY, PHONE, 5, NOW + 10);
    store.close().await;
    drop(store);
    let store = home.open().await;
    assert_eq!(store.cursors(FAMILY).await.unwrap().len(), 1, "a phone was just reading");

    commit(&*store, Batch { at: NOW + 99, ..changes(vec![Change::Erase]) }).await;
    let mut cleaning = store.clean(None).await.unwrap();
    while let Cleaning::Begun(begun) = &cleaning {
        cleaning = store.clean(Some(begun)).await.unwrap();
    }

    gone(&*store, NOW + 9).await;
    assert_eq!(store.snapshot(NEIGHBOUR).await.unwrap().unwrap(), neighbour);
}

pub(crate) async fn in_one_group_nothing_outlasts_it(home: &dyn Home) {
    let (store, _) = with_neighbour(home).await;

    let (first, last) = (message(PHONE, 3, b"just before"), message(PHONE, 4, b"just after"));
    let erase = Batch { at: NOW + 9, ..changes(vec![Change::Erase]) };
    let all = [first, erase, last].map(|batch| store.commit(FAMILY, batch));
    let done = futures_util::future::join_all(all).await;

    assert!(done[1].is_ok() && matches!(done[2], Err(StoreError::Erased)), "{done:?}");
    gone(&*store, NOW + 9).await;
}

//! Reading on from a cursor.

use jiashu_proto::entry::Cursor;
use jiashu_proto::id::{MemberId, Scope};

use super::{
    ALL, FAMILY, Home, PHONE, a_ref, changes, commit, entries, entry, fact, founding, message,
    seqs, start, whole_log, with_phone,
};
use crate::store::{Change, DueItem, Page, PageLimit, Store, StoreError};

pub(crate) async fn pages_join_on(home: &dyn Home) {
    let store = with_phone(home).await;
    for n in 1..=25 {
        commit(&*store, message(PHONE, n, &[b'x'; 10])).await;
        commit(&*store, entries(vec![fact("often", 0, b"superseded but the last")])).await;
    }
    let all = whole_log(&*store).await;
    let limits = [(7, usize::MAX), (1, usize::MAX), (1_000, 35), (3, 20), (1_000, 0), (0, 0)];

    for (entries, bytes) in limits {
        let limit = PageLimit { entries, bytes };
        let (mut cursor, mut records) = (start(&*store).await, Vec::new());
        while cursor.seq < all.head {
            let page = store.read_after(FAMILY, cursor, limit).await.unwrap();
            assert!(page.upto.seq > cursor.seq, "reading must get on with {limit:?}");
            assert!(page.upto.seq - cursor.seq <= u64::try_from(entries.max(1)).unwrap());
            cursor = page.upto;
            records.extend(page.records);
        }
        assert_eq!((&records, cursor), (&all.records, all.upto), "{limit:?}");
    }
    let end = store.read_after(FAMILY, all.upto, ALL).await.unwrap();
    assert_eq!((end.records.len(), end.upto, end.head), (0, all.upto, 50));
}

/// A store may keep the end of a log at hand: nobody must be able to tell.
pub(crate) async fn what_was_just_written_reads_as_after_reopening(home: &dyn Home) {
    let store = with_phone(home).await;
    let mut places = vec![start(&*store).await];
    for n in 1..=60 {
        commit(&*store, message(PHONE, n, &[b'x'; 300])).await;
        // The last but one of these is superseded near the end.
        if n % 5 == 0 && n < 60 {
            let twice = vec![fact("often", 0, b"superseded at once"), fact("often", 0, b"often")];
            commit(&*store, entries(twice)).await;
        }
        places.push(whole_log(&*store).await.upto);
    }

    let written = pages(&*store, &places).await;

    store.close().await;
    assert_eq!(written, pages(&*home.open().await, &places).await);
}

async fn pages(store: &dyn Store, places: &[Cursor]) -> Vec<Page> {
    let limits = [ALL, PageLimit { entries: 3, bytes: 500 }];
    let mut pages = Vec::new();
    for place in places {
        for limit in limits {
            pages.push(store.read_after(FAMILY, *place, limit).await.unwrap());
        }
    }
    pages
}

pub(crate) async fn a_page_holds_at_least_one_record(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, entries(vec![entry(&[1; 30_000]), entry(&[2; 5]), entry(&[3; 5])])).await;
    let cursor = start(&*store).await;

    let first =
        store.read_after(FAMILY, cursor, PageLimit { entries: 9, bytes: 10 }).await.unwrap();
    let second =
        store.read_after(FAMILY, first.upto, PageLimit { entries: 9, bytes: 10 }).await.unwrap();

    assert_eq!((seqs(&first.records), first.head), (vec![1], 3));
    assert_eq!(seqs(&second.records), [2, 3]);
}

pub(crate) async fn a_cursor_of_another_log_is_refused(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, message(PHONE, 1, b"one")).await;
    commit(&*store, message(PHONE, 2, b"two")).await;
    let cursor = whole_log(&*store).await.upto;
    let others = [
        Cursor { generation: cursor.generation ^ 1, ..cursor },
        Cursor { generation: cursor.generation ^ 1, seq: 0, tag: 0 },
        Cursor { tag: cursor.tag ^ 1, ..cursor },
        Cursor { tag: 0, ..cursor },
        Cursor { seq: 1, ..cursor },
        Cursor { seq: 3, ..cursor },
        Cursor { seq: u64::MAX, ..cursor },
    ];

    for other in others {
        let read = store.read_after(FAMILY, other, ALL).await;
        assert!(matches!(read, Err(StoreError::OtherLog)), "{other:?}");
    }

    let at_start = Cursor { seq: 0, ..cursor };
    assert_eq!(store.read_after(FAMILY, at_start, ALL).await.unwrap().records.len(), 2);
    assert_ne!(cursor.tag, 0, "no entry has the tag of place 0");
}

pub(crate) async fn scopes_are_apart(home: &dyn Home) {
    let store = home.open().await;
    let scopes =
        [0, 1, u64::MAX, u64::MAX - 1, i64::MAX.cast_unsigned(), 1 << 63].map(Scope).to_vec();
    for (number, scope) in scopes.iter().enumerate() {
        store.commit(*scope, founding([PHONE])).await.unwrap();
        let own = fact("own", 0, &[u8::try_from(number).unwrap()]);
        let mut batch = message(PHONE, 1, b"x");
        batch.entries.push(own);
        let at = i64::try_from(number).unwrap();
        batch.changes.push(Change::SetDue(DueItem::Occurrence(a_ref(1)), at));
        assert_eq!(store.commit(*scope, batch).await.unwrap().first, 1);
        store.note_cursor(*scope, PHONE, u64::try_from(number).unwrap(), 5);
    }

    for (number, scope) in scopes.iter().enumerate() {
        let facts = store.facts(*scope, "").await.unwrap();
        assert_eq!(facts.len(), 1);
        assert_eq!(facts[0].1.content, [u8::try_from(number).unwrap()]);
        let generation = store.state(*scope).await.unwrap().unwrap().generation;
        let cursor = Cursor { generation, ..Cursor::default() };
        assert_eq!(store.read_after(*scope, cursor, ALL).await.unwrap().records.len(), 2);
        let reached = store.cursors(*scope).await.unwrap();
        assert_eq!(reached[0].seq, u64::try_from(number).unwrap());
    }
    let due = store.due(100, 100).await.unwrap();
    assert_eq!(due.iter().map(|due| due.scope).collect::<Vec<_>>(), scopes);
}

pub(crate) async fn a_page_says_who_was_suspended_when_it_was_read(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, message(PHONE, 1, b"before")).await;
    let seen = async |store: &dyn Store| {
        let page = whole_log(store).await;
        let state = store.state(FAMILY).await.unwrap().unwrap();
        assert_eq!(page.suspended, state.suspended);
        page.suspended
    };
    assert_eq!(seen(&*store).await, []);

    let suspend = vec![Change::Suspend(MemberId(1)), Change::Suspend(MemberId(2))];
    commit(&*store, changes(suspend)).await;
    commit(&*store, message(PHONE, 2, b"behind")).await;
    let suspended = seen(&*store).await;
    assert_eq!(suspended.len(), 2);
    commit(&*store, changes(vec![Change::Lift(MemberId(2))])).await;
    let lifted = seen(&*store).await;
    assert_ne!(lifted, suspended);
    store.close().await;

    assert_eq!(seen(&*home.open().await).await, lifted);
}

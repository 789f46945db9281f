//! The ledger: rows in books, of which the one with the higher version stands.

use super::{
    FAMILY, Home, NOW, PHONE, broken, changes, commit, entry, fact, message, refused, requires,
    whole_log, with_phone,
};
use crate::store::{Batch, Change, LedgerRow, LedgerVersion, Precondition, Store, StoreError};

fn enter(book: &str, name: &[u8], version: LedgerVersion, value: &[u8]) -> Change {
    let (book, name, value) = (book.to_owned(), name.to_vec(), value.to_vec());
    Change::Enter(LedgerRow { book, name, version, value })
}

/// What each row of a book says.
async fn values(store: &dyn Store, book: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = store.book(FAMILY, book).await.unwrap();
    assert!(rows.iter().all(|row| row.book == book));
    rows.into_iter().map(|row| (row.name, row.value)).collect()
}

fn one(name: &[u8], value: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    vec![(name.to_vec(), value.to_vec())]
}

pub(crate) async fn a_row_stands_until_one_of_a_higher_version_comes(home: &dyn Home) {
    let store = with_phone(home).await;
    let steps: [(LedgerVersion, &[u8], &[u8]); 7] = [
        ((1, 5), b"first", b"first"),
        ((1, 5), b"the same", b"first"),
        ((0, u64::MAX), b"of an older log", b"first"),
        ((1, 6), b"later", b"later"),
        ((2, 0), b"of a longer log", b"of a longer log"),
        ((1, u64::MAX), b"late", b"of a longer log"),
        ((u64::MAX, u64::MAX), b"last", b"last"),
    ];
    for (version, value, stands) in steps {
        commit(&*store, changes(vec![enter("week", b"1", version, value)])).await;
        assert_eq!(values(&*store, "week").await, one(b"1", stands), "{version:?}");
    }

    let both = vec![enter("week", b"2", (2, 2), b"2"), enter("week", b"2", (2, 1), b"1")];
    commit(&*store, changes(both)).await;
    let rows = store.book(FAMILY, "week").await.unwrap();
    assert_eq!((rows[1].version, &rows[1].value[..]), ((2, 2), &b"2"[..]), "also in one batch");
    assert_eq!(whole_log(&*store).await.head, 0, "no row takes a place in the log");
}

pub(crate) async fn books_are_apart_and_their_rows_ascend(home: &dyn Home) {
    let store = with_phone(home).await;
    let names: [&[u8]; 5] = [b"b", b"\x00", b"\xff\x00", b"", b"a"];
    let all = names.iter().map(|name| enter("week/1", name, (1, 1), name));
    let other = [enter("week", b"a", (1, 1), b"other"), enter("week/10", b"a", (1, 1), b"other")];
    commit(&*store, changes(all.chain(other).collect())).await;

    let mut expected = names.to_vec();
    expected.sort_unstable();
    let found = values(&*store, "week/1").await;
    assert_eq!(found.iter().map(|(name, _)| &name[..]).collect::<Vec<_>>(), expected);
    assert!(found.iter().all(|(name, value)| name == value));
    assert_eq!(values(&*store, "week").await, one(b"a", b"other"));
    for name in names {
        let row = store.row(FAMILY, "week/1", name).await.unwrap();
        assert_eq!(row.map(|row| (row.book, row.value)), Some(("week/1".into(), name.to_vec())));
    }
    assert_eq!(store.row(FAMILY, "week", b"b").await.unwrap(), None, "of another book");
    assert_eq!(values(&*store, "never").await, []);
}

pub(crate) async fn rows_are_counted_by_who_relies_on_them(home: &dyn Home) {
    let store = with_phone(home).await;
    let has = |rows| requires(vec![Precondition::RowsAre("heard".into(), rows)]);
    commit(&*store, has(0)).await;
    let twice = vec![enter("heard", b"1", (1, 0), b""), enter("heard", b"1", (2, 0), b"")];
    commit(&*store, changes(twice)).await;
    commit(&*store, has(1)).await;
    commit(&*store, changes(vec![enter("heard", b"2", (1, 0), b"")])).await;

    assert_eq!(broken(&*store, has(1)).await, Precondition::RowsAre("heard".into(), 1));
    commit(&*store, has(2)).await;
    let strike = |name: &[u8]| Change::Strike("heard".into(), name.to_vec());
    commit(&*store, changes(vec![strike(b"1"), strike(b"1"), strike(b"never")])).await;
    commit(&*store, has(1)).await;
}

pub(crate) async fn what_is_struck_may_be_entered_anew(home: &dyn Home) {
    let store = with_phone(home).await;
    let full = || {
        let heard = [b"1", b"2", b"3"].map(|name| enter("heard", name, (9, 9), b"old"));
        heard.into_iter().chain([enter("week", b"1", (9, 9), b"other")]).collect()
    };
    commit(&*store, changes(full())).await;

    commit(&*store, changes(vec![Change::Strike("heard".into(), b"2".to_vec())])).await;
    assert_eq!(values(&*store, "heard").await.len(), 2);
    let anew = vec![Change::StrikeBook("heard".into()), enter("heard", b"1", (1, 1), b"anew")];
    commit(&*store, changes(anew)).await;

    assert_eq!(values(&*store, "heard").await, one(b"1", b"anew"));
    assert_eq!(values(&*store, "week").await, one(b"1", b"other"));
    commit(&*store, requires(vec![Precondition::RowsAre("heard".into(), 1)])).await;
    commit(&*store, changes(vec![Change::StrikeBook("heard".into())])).await;
    commit(&*store, requires(vec![Precondition::RowsAre("heard".into(), 0)])).await;
    assert_eq!(values(&*store, "heard").await, []);
    let snapshot = store.snapshot(FAMILY).await.unwrap().unwrap();
    assert_eq!((snapshot.ledger.len(), snapshot.check()), (1, Ok(())));
}

pub(crate) async fn a_refused_batch_enters_nothing(home: &dyn Home) {
    let store = with_phone(home).await;
    let heard = || vec![enter("heard", b"1", (1, 1), b"x")];
    let stale = Batch {
        requires: vec![Precondition::RowsAre("heard".into(), 7)],
        entries: vec![entry(b"x"), fact("f", 0, b"x")],
        changes: heard(),
        ..Batch::new(NOW)
    };
    broken(&*store, stale).await;
    let used = Batch { changes: heard(), ..message(PHONE, 2, b"not the next") };
    assert!(matches!(refused(&*store, used).await, StoreError::Renumber { .. }));
    assert_eq!(values(&*store, "heard").await, []);

    commit(&*store, Batch { changes: heard(), ..message(PHONE, 1, b"the next") }).await;
    assert_eq!(values(&*store, "heard").await, one(b"1", b"x"));
}

pub(crate) async fn rows_are_there_after_reopening(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, changes(vec![enter("heard", b"1", (3, 4), b"x")])).await;
    store.close().await;

    let store = home.open().await;

    commit(&*store, changes(vec![enter("heard", b"1", (3, 3), b"older")])).await;
    assert_eq!(values(&*store, "heard").await, one(b"1", b"x"));
    commit(&*store, requires(vec![Precondition::RowsAre("heard".into(), 1)])).await;
}

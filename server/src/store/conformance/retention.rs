//! What is older than the retention goes, facts stay, and cursors below the floor read on.

use jiashu_proto::entry::{Cursor, Seq};
use jiashu_proto::id::Millis;

use super::{
    ALL, FAMILY, Home, NOW, changes, commit, entries, entry, fact, seqs, start, whole_log,
    with_phone,
};
use crate::store::{Batch, Change, PageLimit, Store, StoreError};

/// Commits an entry at this time.
async fn write(store: &dyn Store, at: Millis, content: &[u8]) {
    commit(store, Batch { at, ..entries(vec![entry(content)]) }).await;
}

async fn forget(store: &dyn Store, before: Millis, most: usize) {
    commit(store, changes(vec![Change::Forget { before, most }])).await;
}

async fn floor(store: &dyn Store) -> Seq {
    store.state(FAMILY).await.unwrap().unwrap().floor
}

/// Where a reader stands after so many places.
async fn cursor_at(store: &dyn Store, places: usize) -> Cursor {
    let limit = PageLimit { entries: places, bytes: usize::MAX };
    store.read_after(FAMILY, start(store).await, limit).await.unwrap().upto
}

pub(crate) async fn what_is_old_goes_and_facts_stay(home: &dyn Home) {
    let store = with_phone(home).await;
    write(&*store, NOW, b"old").await;
    commit(&*store, entries(vec![fact("plan", 0, b"the plan"), fact("often", 0, b"first")])).await;
    commit(&*store, entries(vec![fact("often", 0, b"second")])).await;
    write(&*store, NOW, b"old too").await;
    write(&*store, NOW + 1, b"young").await;

    forget(&*store, NOW + 1, 100).await;

    let log = whole_log(&*store).await;
    assert_eq!((seqs(&log.records), log.head, log.floor), (vec![2, 4, 6], 6, 5));
    let facts = store.facts(FAMILY, "").await.unwrap();
    let facts: Vec<_> = facts.iter().map(|(key, record)| (&**key, record.seq)).collect();
    assert_eq!(facts, [("often", 4), ("plan", 2)]);
    store.close().await;
    drop(store);
    let again = home.open().await;
    assert_eq!(whole_log(&*again).await, log, "after reopening");
}

pub(crate) async fn as_old_as_the_retention_is_not_too_old(home: &dyn Home) {
    let store = with_phone(home).await;
    write(&*store, NOW, b"of its last moment").await;
    write(&*store, NOW + 5, b"young").await;

    forget(&*store, NOW, 100).await;
    let kept = whole_log(&*store).await;
    forget(&*store, NOW + 1, 100).await;
    let gone = whole_log(&*store).await;

    assert_eq!((seqs(&kept.records), kept.floor), (vec![1, 2], 0));
    assert_eq!((seqs(&gone.records), gone.floor), (vec![2], 1));
}

pub(crate) async fn a_cursor_below_the_floor_reads_on(home: &dyn Home) {
    let store = with_phone(home).await;
    write(&*store, NOW, b"one").await;
    commit(&*store, entries(vec![fact("plan", 0, b"the plan")])).await;
    write(&*store, NOW, b"three").await;
    write(&*store, NOW + 1, b"four").await;
    write(&*store, NOW + 1, b"five").await;
    let (first, third) = (cursor_at(&*store, 1).await, cursor_at(&*store, 3).await);
    let fourth = cursor_at(&*store, 4).await;

    forget(&*store, NOW + 1, 100).await;

    let read = async |cursor| store.read_after(FAMILY, cursor, ALL).await;
    for cursor in [first, Cursor { tag: first.tag ^ 1, ..first }, start(&*store).await] {
        assert_eq!(seqs(&read(cursor).await.unwrap().records), [2, 4, 5], "{cursor:?}");
    }
    assert_eq!(seqs(&read(third).await.unwrap().records), [4, 5]);
    assert_eq!(seqs(&read(fourth).await.unwrap().records), [5]);
    let others = [
        Cursor { tag: fourth.tag ^ 1, ..fourth },
        Cursor { generation: first.generation ^ 1, ..first },
    ];
    for cursor in others {
        assert!(matches!(read(cursor).await, Err(StoreError::OtherLog)), "{cursor:?}");
    }
}

pub(crate) async fn a_superseded_place_holds_until_it_is_old(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, entries(vec![fact("plan", 0, b"first")])).await;
    let there = cursor_at(&*store, 1).await;
    commit(&*store, Batch { at: NOW + 9, ..entries(vec![fact("plan", 0, b"second")]) }).await;
    let wrong = Cursor { tag: there.tag ^ 1, ..there };

    let young = store.read_after(FAMILY, wrong, ALL).await;
    let held = store.read_after(FAMILY, there, ALL).await.unwrap();
    forget(&*store, NOW + 1, 100).await;
    let old = store.read_after(FAMILY, wrong, ALL).await.unwrap();

    assert!(matches!(young, Err(StoreError::OtherLog)));
    assert_eq!((seqs(&held.records), seqs(&old.records)), (vec![2], vec![2]));
}

pub(crate) async fn a_fact_below_the_floor_goes_when_it_is_superseded(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, entries(vec![fact("plan", 0, b"first"), fact("name/1", 0, b"stays")])).await;
    write(&*store, NOW + 9, b"young").await;
    forget(&*store, NOW + 1, 100).await;

    commit(&*store, entries(vec![fact("plan", 0, b"second")])).await;

    let log = whole_log(&*store).await;
    assert_eq!((seqs(&log.records), log.floor), (vec![2, 3, 4], 2));
    let first = Cursor { seq: 1, tag: 77, ..start(&*store).await };
    let read = store.read_after(FAMILY, first, ALL).await.unwrap();
    assert_eq!(seqs(&read.records), [2, 3, 4]);
}

pub(crate) async fn so_many_are_forgotten_at_once(home: &dyn Home) {
    let store = with_phone(home).await;
    for _ in 0..10 {
        write(&*store, NOW, b"old").await;
    }
    let mut floors = Vec::new();

    for _ in 0..4 {
        forget(&*store, NOW + 1, 4).await;
        floors.push(floor(&*store).await);
    }

    assert_eq!(floors, [4, 8, 9, 9], "the head stays");
}

pub(crate) async fn the_head_keeps_its_tag_and_nothing_else(home: &dyn Home) {
    let store = with_phone(home).await;
    write(&*store, NOW, b"old").await;
    write(&*store, NOW, b"the last").await;
    let head = whole_log(&*store).await.upto;

    forget(&*store, NOW + 1, 100).await;
    let empty = whole_log(&*store).await;
    let wrong = store.read_after(FAMILY, Cursor { tag: head.tag ^ 1, ..head }, ALL).await;
    write(&*store, NOW + 1, b"new").await;
    let new = store.read_after(FAMILY, head, ALL).await.unwrap();

    assert_eq!((empty.records.len(), empty.upto, empty.floor), (0, head, 1));
    assert!(matches!(wrong, Err(StoreError::OtherLog)));
    assert_eq!((seqs(&new.records), new.head), (vec![3], 3));
}

pub(crate) async fn one_young_entry_keeps_what_stands_behind_it(home: &dyn Home) {
    let store = with_phone(home).await;
    write(&*store, NOW, b"old").await;
    write(&*store, NOW + 1_000, b"by a clock that went ahead").await;
    write(&*store, NOW, b"old, behind it").await;
    write(&*store, NOW + 2_000, b"young").await;

    forget(&*store, NOW + 1, 100).await;

    assert_eq!(seqs(&whole_log(&*store).await.records), [2, 3, 4]);
}

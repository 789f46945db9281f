//! Facts: the newer supersedes the older, unless it is outranked.

use super::{
    ALL, FAMILY, Home, NOW, PHONE, broken, commit, entries, entry, fact, message, seqs, whole_log,
    with_phone,
};
use crate::store::{Batch, Change, Precondition};

pub(crate) async fn a_fact_supersedes_and_keeps_the_place(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, entries(vec![entry(b"a"), fact("plan", 0, b"old")])).await;
    let at_old = whole_log(&*store).await.upto;

    let new = commit(&*store, entries(vec![fact("plan", 0, b"new")])).await;

    assert_eq!(new.first, 3);
    assert_eq!(seqs(&whole_log(&*store).await.records), [1, 3], "the old content is gone");
    let after_old = store.read_after(FAMILY, at_old, ALL).await.unwrap();
    assert_eq!(seqs(&after_old.records), [3], "a cursor at its place still stands");
    let facts = store.facts(FAMILY, "plan").await.unwrap();
    assert_eq!((facts.len(), facts[0].1.seq, &facts[0].1.content[..]), (1, 3, &b"new"[..]));
}

pub(crate) async fn a_fact_may_supersede_within_its_batch(home: &dyn Home) {
    let store = with_phone(home).await;

    commit(&*store, entries(vec![fact("plan", 0, b"1"), fact("plan", 0, b"2")])).await;

    let page = whole_log(&*store).await;
    assert_eq!((seqs(&page.records), page.head), (vec![2], 2));
}

pub(crate) async fn a_rank_not_above_is_not_written(home: &dyn Home) {
    let store = with_phone(home).await;
    let played = Batch { entries: vec![fact("receipt", 3, b"played")], ..Batch::new(NOW) };
    let first = commit(&*store, played).await;

    for (n, rank) in [(1, 1), (2, 3)] {
        let batch = Batch { at: NOW + 50, ..message(PHONE, n, b"") };
        let lower =
            commit(&*store, Batch { entries: vec![fact("receipt", rank, b"no")], ..batch }).await;
        assert_eq!(lower, first, "rank {rank} is answered by the fact that stands");
    }
    let higher = commit(&*store, entries(vec![fact("receipt", 4, b"shown")])).await;

    assert_eq!(higher.first, 2, "what was not written took no place");
    let repeat = commit(&*store, message(PHONE, 1, b"")).await;
    assert_eq!((repeat.first, repeat.at, repeat.repeat), (1, NOW, true));
    let mixed = vec![fact("receipt", 1, b"no"), entry(b"beside")];
    assert_eq!(commit(&*store, entries(mixed)).await.first, 2);
    let page = whole_log(&*store).await;
    assert_eq!((seqs(&page.records), page.head), (vec![2, 3], 3));
}

pub(crate) async fn rank_zero_always_supersedes(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, entries(vec![fact("key", 9, b"high")])).await;

    let zero = commit(&*store, entries(vec![fact("key", 0, b"zero")])).await;
    let one = commit(&*store, entries(vec![fact("key", 1, b"one")])).await;

    assert_eq!((zero.first, one.first), (2, 3));
}

pub(crate) async fn facts_are_sorted_and_found_by_prefix(home: &dyn Home) {
    let store = with_phone(home).await;
    let keys = ["b", "a_1", "a%1", "aX1", "a", "A", "链/1", "a/2", "a/10", "ab", "\u{10ffff}z"];
    commit(&*store, entries(keys.iter().map(|key| fact(key, 0, key.as_bytes())).collect())).await;

    for prefix in ["", "a", "a_", "a%", "a/", "A", "链", "链/1", "\u{10ffff}", "c", "%", "_"] {
        let mut expected: Vec<&str> =
            keys.iter().copied().filter(|key| key.starts_with(prefix)).collect();
        expected.sort_unstable();
        let found = store.facts(FAMILY, prefix).await.unwrap();
        let found_keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(found_keys, expected, "prefix {prefix:?}");
        assert!(found.iter().all(|(key, record)| key.as_bytes() == record.content));
    }
}

pub(crate) async fn one_fact_is_found_by_its_key(home: &dyn Home) {
    let store = with_phone(home).await;
    let old = entries(vec![fact("plan", 0, b"old"), fact("plan/next", 0, b"other")]);
    commit(&*store, old).await;
    commit(&*store, entries(vec![fact("plan", 0, b"new")])).await;

    let found = store.fact(FAMILY, "plan").await.unwrap().unwrap();
    assert_eq!((found.seq, found.at, &found.content[..]), (3, NOW, &b"new"[..]));
    assert_eq!(store.fact(FAMILY, "pla").await.unwrap(), None);
}

pub(crate) async fn a_fact_that_is_dropped_is_gone_and_its_place_stays(home: &dyn Home) {
    let store = with_phone(home).await;
    let drop =
        |key: &str| Batch { changes: vec![Change::DropFact(key.to_owned())], ..Batch::new(NOW) };
    commit(&*store, entries(vec![fact("note", 0, b"1"), entry(b"a"), fact("other", 0, b"2")]))
        .await;
    let before = whole_log(&*store).await;

    commit(&*store, drop("note")).await;
    commit(&*store, drop("note")).await;
    commit(&*store, drop("never there")).await;

    let page = whole_log(&*store).await;
    assert_eq!((seqs(&page.records), page.upto), (vec![2, 3], before.upto));
    assert_eq!(store.record_at(FAMILY, 1).await.unwrap(), None);
    let keys = store.facts(FAMILY, "").await.unwrap();
    assert_eq!(keys.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["other"]);
    let anew = Batch {
        requires: vec![Precondition::FactAt("note".into(), None)],
        ..entries(vec![fact("note", 0, b"3")])
    };
    assert_eq!(commit(&*store, anew).await.first, 4, "and its key is free");
    store.close().await;
    let store = home.open().await;
    assert_eq!(seqs(&whole_log(&*store).await.records), [2, 3, 4]);
}

pub(crate) async fn a_fact_below_the_floor_may_be_dropped(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, entries(vec![fact("note", 0, b"1"), entry(b"a"), entry(b"b")])).await;
    let forget = Change::Forget { before: NOW + 1, most: 100 };
    commit(&*store, Batch { changes: vec![forget], ..Batch::new(NOW + 1) }).await;
    assert_eq!(store.record_at(FAMILY, 1).await.unwrap().unwrap().content, b"1");

    let drop = vec![Change::DropFact("note".into())];
    commit(&*store, Batch { changes: drop, ..Batch::new(NOW + 2) }).await;

    assert_eq!(store.facts(FAMILY, "").await.unwrap(), []);
    let page = whole_log(&*store).await;
    assert_eq!((page.records, page.head), (Vec::new(), 3));
    let snapshot = store.snapshot(FAMILY).await.unwrap().unwrap();
    assert_eq!(snapshot.check(), Ok(()));
}

pub(crate) async fn a_fact_is_written_only_over_the_version_seen(home: &dyn Home) {
    let store = with_phone(home).await;
    let over = |seq, content: &[u8]| Batch {
        requires: vec![Precondition::FactAt("plan".into(), seq)],
        entries: vec![fact("plan", 0, content)],
        ..Batch::new(NOW)
    };

    commit(&*store, over(None, b"1")).await;
    let late = broken(&*store, over(None, b"lost")).await;
    commit(&*store, over(Some(1), b"2")).await;

    assert_eq!(late, Precondition::FactAt("plan".into(), None));
    assert_eq!(store.facts(FAMILY, "plan").await.unwrap()[0].1.content, b"2");
}

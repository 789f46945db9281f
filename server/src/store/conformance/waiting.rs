//! What waits for its hour: held bodies and due items.

use jiashu_proto::id::{Millis, Scope};

use super::{
    FAMILY, Home, NOW, a_ref, broken, changes, commit, entry, founding, requires, with_phone,
};
use crate::store::{Batch, Change, Due, DueItem, HeldBody, Precondition, Store, StoreError};

fn body(number: u32, schedule: u32, content: &[u8]) -> HeldBody {
    HeldBody { body_ref: a_ref(number), schedule: a_ref(schedule), content: content.to_vec() }
}

fn drop_held(schedule: u32, number: u32) -> Change {
    Change::DropHeld(a_ref(schedule), a_ref(number))
}

async fn held_of(store: &dyn Store, schedule: u32) -> Vec<HeldBody> {
    store.held(FAMILY, a_ref(schedule)).await.unwrap()
}

pub(crate) async fn held_bodies_keep_their_order(home: &dyn Home) {
    let store = with_phone(home).await;
    let bodies = [body(9, 100, b"a"), body(1, 100, b"b"), body(5, 200, b"c"), body(2, 100, b"d")];
    commit(&*store, changes(bodies.iter().cloned().map(Change::PutHeld).collect())).await;

    commit(&*store, changes(vec![Change::PutHeld(body(9, 100, b"new"))])).await;

    let expected = [body(9, 100, b"new"), bodies[1].clone(), bodies[3].clone()];
    assert_eq!(held_of(&*store, 100).await, expected, "a replaced one stays where it was");
    assert_eq!(held_of(&*store, 200).await, [bodies[2].clone()]);
}

pub(crate) async fn a_body_of_one_schedule_does_not_replace_anothers(home: &dyn Home) {
    let store = with_phone(home).await;
    let bodies = [body(1, 100, b"a"), body(1, 200, b"b")];

    commit(&*store, changes(bodies.iter().cloned().map(Change::PutHeld).collect())).await;

    assert_eq!(held_of(&*store, 100).await, [bodies[0].clone()]);
    assert_eq!(held_of(&*store, 200).await, [bodies[1].clone()]);
}

pub(crate) async fn held_bodies_are_dropped_one_by_one_or_by_schedule(home: &dyn Home) {
    let store = with_phone(home).await;
    let bodies = [body(1, 100, b"a"), body(2, 100, b"b"), body(3, 200, b"c"), body(4, 100, b"d")];
    commit(&*store, changes(bodies.iter().cloned().map(Change::PutHeld).collect())).await;

    commit(&*store, changes(vec![drop_held(100, 2), drop_held(200, 1)])).await;
    assert_eq!(held_of(&*store, 100).await, [bodies[0].clone(), bodies[3].clone()]);
    commit(&*store, changes(vec![Change::DropHeldOf(a_ref(100))])).await;

    assert_eq!(held_of(&*store, 100).await, []);
    assert_eq!(held_of(&*store, 200).await, [bodies[2].clone()]);
}

pub(crate) async fn only_so_many_bodies_are_held(home: &dyn Home) {
    let store = with_phone(home).await;
    let put = |number| Batch {
        requires: vec![Precondition::HeldBelow(2)],
        changes: vec![Change::PutHeld(body(number, 100 + number, b"x"))],
        ..Batch::new(NOW)
    };
    commit(&*store, put(1)).await;
    commit(&*store, put(2)).await;

    assert_eq!(broken(&*store, put(3)).await, Precondition::HeldBelow(2));
    commit(&*store, changes(vec![drop_held(101, 1)])).await;

    commit(&*store, put(3)).await;
}

pub(crate) async fn what_is_due_comes_the_earliest_first(home: &dyn Home) {
    let store = with_phone(home).await;
    let other = Scope(3);
    store.commit(other, founding([])).await.unwrap();
    let enrolment = DueItem::Enrolment("case 7".into());
    let programme = DueItem::Programme(Scope(u64::MAX));
    let occurrence = DueItem::Occurrence(a_ref(1));
    assert_eq!(store.next_due().await.unwrap(), None);

    let both =
        vec![Change::SetDue(enrolment.clone(), 300), Change::SetDue(occurrence.clone(), -100)];
    commit(&*store, changes(both)).await;
    store.commit(other, changes(vec![Change::SetDue(programme.clone(), 200)])).await.unwrap();

    let all = [
        Due { at: -100, scope: FAMILY, item: occurrence, planned: None },
        Due { at: 200, scope: other, item: programme, planned: None },
        Due { at: 300, scope: FAMILY, item: enrolment, planned: None },
    ];
    assert_eq!(store.due(300, 10).await.unwrap(), all);
    assert_eq!(store.due(299, 10).await.unwrap(), all[..2]);
    assert_eq!(store.due(300, 1).await.unwrap(), all[..1]);
    assert_eq!(store.due(-101, 10).await.unwrap(), []);
    assert_eq!(store.next_due().await.unwrap(), Some(-100));
}

pub(crate) async fn an_item_is_due_once(home: &dyn Home) {
    let store = with_phone(home).await;
    let item = DueItem::Occurrence(a_ref(1));
    commit(&*store, changes(vec![Change::SetDue(item.clone(), 100)])).await;

    commit(&*store, changes(vec![Change::SetDue(item.clone(), 200)])).await;
    let moved = store.due(1_000, 10).await.unwrap();
    commit(&*store, changes(vec![Change::ClearDue(item.clone())])).await;

    assert_eq!(moved, [Due { at: 200, scope: FAMILY, item, planned: None }]);
    assert_eq!(store.due(1_000, 10).await.unwrap(), []);
    assert_eq!(store.next_due().await.unwrap(), None);
}

pub(crate) async fn of_two_that_fire_one_wins(home: &dyn Home) {
    let store = with_phone(home).await;
    let item = DueItem::Occurrence(a_ref(1));
    let fire = |from: Millis| Batch {
        requires: vec![Precondition::DueAt(item.clone(), from)],
        entries: vec![entry(b"fired")],
        changes: vec![Change::SetDue(item.clone(), from + 100)],
        ..Batch::new(NOW)
    };
    commit(&*store, changes(vec![Change::SetDue(item.clone(), 100)])).await;

    let (one, two) = tokio::join!(store.commit(FAMILY, fire(100)), store.commit(FAMILY, fire(100)));

    let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(won.unwrap().first, 1);
    let told = Precondition::DueAt(item.clone(), 100);
    assert!(matches!(lost, Err(StoreError::Stale { precondition }) if precondition == told));
    commit(&*store, requires(vec![Precondition::DueAt(item.clone(), 200)])).await;
}

pub(crate) async fn as_many_schedules_run_as_have_an_occurrence_to_come(home: &dyn Home) {
    let store = with_phone(home).await;
    let of = |number| DueItem::Occurrence(a_ref(number));
    let invite = DueItem::Invite(jiashu_proto::id::InviteId(1));
    let due = [of(1), of(2), invite].map(|item| Change::SetDue(item, NOW));
    commit(&*store, changes(due.into())).await;
    let before = store.running(FAMILY).await;

    commit(&*store, changes(vec![Change::SetDue(of(2), NOW + 1), Change::ClearDue(of(1))])).await;

    assert_eq!((before.unwrap(), store.running(FAMILY).await.unwrap()), (2, 1));
    assert_eq!(store.running(Scope(99)).await.unwrap(), 0);
}

pub(crate) async fn an_exchanged_body_takes_the_place_of_the_old_one(home: &dyn Home) {
    let store = with_phone(home).await;
    let bodies = [body(1, 100, b"a"), body(2, 100, b"b")];
    commit(&*store, changes(bodies.iter().cloned().map(Change::PutHeld).collect())).await;
    let exchange = |old, new| changes(vec![Change::ReplaceHeld(a_ref(old), new)]);

    commit(&*store, exchange(1, body(3, 100, b"c"))).await;
    commit(&*store, exchange(9, body(4, 100, b"d"))).await;

    assert_eq!(held_of(&*store, 100).await, [body(3, 100, b"c"), bodies[1].clone()]);
    commit(&*store, exchange(3, body(2, 100, b"B"))).await;
    assert_eq!(held_of(&*store, 100).await, [body(2, 100, b"B")], "once, in the first place");
    commit(&*store, changes(vec![Change::PutHeld(body(3, 100, b"c"))])).await;
    let holds = |number| Precondition::Holds(a_ref(100), a_ref(number));
    commit(&*store, requires(vec![holds(2), holds(3)])).await;
    assert_eq!(broken(&*store, requires(vec![holds(1)])).await, holds(1));
}

pub(crate) async fn what_a_schedule_holds_is_checked_to_the_byte(home: &dyn Home) {
    let store = with_phone(home).await;
    let are = |first: Option<HeldBody>, count| Precondition::HeldAre {
        schedule: a_ref(100),
        first,
        count,
    };
    commit(&*store, requires(vec![are(None, 0)])).await;
    let (one, two) = (body(5, 100, b"a"), body(1, 100, b"b"));
    let both = [one.clone(), two].map(Change::PutHeld);
    commit(&*store, changes(both.into())).await;

    commit(&*store, requires(vec![are(Some(one.clone()), 2)])).await;

    let sealed_again = body(5, 100, b"A");
    for wrong in [are(Some(one), 1), are(Some(sealed_again), 2), are(None, 2)] {
        assert_eq!(broken(&*store, requires(vec![wrong.clone()])).await, wrong);
    }
}

pub(crate) async fn an_occurrence_keeps_for_when_it_was_planned(home: &dyn Home) {
    let store = with_phone(home).await;
    let planned = "2027-03-28T19:30:00".to_owned();
    let item = DueItem::Occurrence(a_ref(1));
    let occurrence =
        Change::SetOccurrence { schedule: a_ref(1), planned: planned.clone(), at: 100 };
    commit(&*store, changes(vec![occurrence, Change::SetDue(DueItem::Retention, 50)])).await;

    let due = store.due(1_000, 10).await.unwrap();
    let all = store.occurrences(None, 10).await.unwrap();

    let expected = Due { at: 100, scope: FAMILY, item: item.clone(), planned: Some(planned) };
    assert_eq!(due.last(), Some(&expected));
    assert_eq!(all, [expected], "and of nothing else");
    assert_eq!(store.occurrences(Some((FAMILY, a_ref(1))), 10).await.unwrap(), []);
    let not_due = |at| Precondition::NotDue(item.clone(), at);
    commit(&*store, requires(vec![not_due(99)])).await;
    assert_eq!(broken(&*store, requires(vec![not_due(100)])).await, not_due(100));
    let count = store.due_count(60).await.unwrap();
    assert_eq!((count.overdue, count.pending), (1, 2));
}

pub(crate) async fn all_occurrences_are_gone_through_page_by_page(home: &dyn Home) {
    let store = with_phone(home).await;
    let other = Scope(3);
    store.commit(other, founding([])).await.unwrap();
    let set = |number| Change::SetDue(DueItem::Occurrence(a_ref(number)), NOW);
    commit(&*store, changes((1..=5).map(set).collect())).await;
    store.commit(other, changes((1..=5).map(set).collect())).await.unwrap();

    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = store.occurrences(after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        let DueItem::Occurrence(schedule) = last.item else { panic!("{last:?}") };
        after = Some((last.scope, schedule));
        seen.extend(page.into_iter().map(|due| (due.scope, due.item)));
    }

    assert_eq!(seen.len(), 10);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 10, "each once");
}

pub(crate) async fn an_end_is_due_by_the_place_of_the_first_entry(home: &dyn Home) {
    let store = with_phone(home).await;
    commit(&*store, Batch { entries: vec![entry(b"before")], ..Batch::new(NOW) }).await;

    let entries = vec![entry(b"ends"), entry(b"beside it")];
    let ends = Batch { entries, changes: vec![Change::SetExpiry(70)], ..Batch::new(NOW) };
    commit(&*store, ends).await;

    let due = Due { at: 70, scope: FAMILY, item: DueItem::Expiry(2), planned: None };
    assert_eq!(store.due(70, 10).await.unwrap(), [due]);
    let record = store.record_at(FAMILY, 2).await.unwrap().unwrap();
    assert_eq!(record.content, entry(b"ends").content);
    assert_eq!(store.record_at(FAMILY, 4).await.unwrap(), None);
}

pub(crate) async fn what_fires_is_looked_at_together(home: &dyn Home) {
    let store = with_phone(home).await;
    let key = jiashu_proto::entry::schedule_key(a_ref(1));
    let fact = crate::store::NewEntry { key: Some(key), ..entry(b"the schedule") };
    let bodies = [body(1, 1, b"a"), body(2, 1, b"b")].map(Change::PutHeld);
    let batch = Batch { entries: vec![fact.clone()], changes: bodies.into(), ..Batch::new(NOW) };
    commit(&*store, batch).await;

    let found = store.occurring(vec![(FAMILY, a_ref(2)), (FAMILY, a_ref(1))]).await.unwrap();

    let [Ok(None), Ok(Some(found))] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&found.schedule.content, found.schedule.seq), (&fact.content, 1));
    assert_eq!((&found.first, found.held), (&Some(body(1, 1, b"a")), 2));
}

//! Whom staff are asked to ring, and how long ago it is that anything was heard.

use jiashu_api::family::Pause;
use jiashu_api::task::Done;
use jiashu_proto::entry::Nudged;

use super::*;
use crate::family::tasks::{Task, TaskKind};
use crate::ngo;

async fn coordinator(weeks: &Weeks) -> Staff {
    Staff::load(&*weeks.relay.store, PROGRAMME, DeviceId(1)).await.unwrap()
}

async fn pause(weeks: &Weeks, first: &str, until: &str) {
    let wish = Pause {
        first: Some(first.parse().unwrap()),
        until: until.parse().unwrap(),
        reason: "exams".into(),
    };
    ngo::family::pause(&weeks.relay, &coordinator(weeks).await, "GS-001", &wish).await.unwrap();
}

/// The tasks that stand: whether they are open.
async fn tasks(weeks: &Weeks) -> Vec<bool> {
    let tasks = execute::family::tasks(&*weeks.relay.store, weeks.family).await.unwrap();
    tasks.iter().map(crate::family::tasks::Task::is_open).collect()
}

#[tokio::test]
async fn a_task_that_was_seen_to_does_not_come_back_with_the_end_of_a_pause() {
    let weeks = Weeks::begin().await;
    weeks.until("2026-11-05T09:00").await;
    assert_eq!(tasks(&weeks).await, [true]);
    let done = Done { kind: "missed".into(), member: LILI.0 };
    let staff = coordinator(&weeks).await;
    ngo::tasks::done(&weeks.relay, &staff, "GS-001", &done).await.unwrap();
    pause(&weeks, "2026-11-05", "2026-11-07").await;
    weeks.until("2026-11-07T12:00").await;
    assert_eq!((weeks.standing().await, tasks(&weeks).await), (Standing::Paused, vec![false]));

    weeks.until("2026-11-08T12:00").await;
    assert_eq!(tasks(&weeks).await, [false; 0], "what was missed before is over");
    assert_eq!(weeks.standing().await, Standing::New);
    let nudges = super::super::nudges(&*weeks.relay.store, weeks.family).await.unwrap();
    assert!(nudges.iter().all(|(_, nudge)| nudge.whom == Nudged::Nobody), "{nudges:?}");
    // Those of the 8th, the 9th and the 10th.
    weeks.until("2026-11-11T07:00").await;
    assert_eq!(tasks(&weeks).await, [false; 0]);
    weeks.until("2026-11-11T09:00").await;
    assert_eq!((weeks.standing().await, tasks(&weeks).await), (Standing::AtRisk, vec![true]));
}

#[tokio::test]
async fn a_pause_that_is_taken_back_at_once_leaves_what_was_seen_to() {
    let weeks = Weeks::begin().await;
    weeks.until("2026-11-05T09:00").await;
    let done = Done { kind: "missed".into(), member: LILI.0 };
    let staff = coordinator(&weeks).await;
    ngo::tasks::done(&weeks.relay, &staff, "GS-001", &done).await.unwrap();
    pause(&weeks, "2026-11-05", "2026-11-07").await;
    weeks.until("2026-11-05T10:00").await;
    ngo::family::resume(&weeks.relay, &staff, "GS-001").await.unwrap();
    weeks.until("2026-11-05T11:00").await;

    assert_eq!((weeks.standing().await, tasks(&weeks).await), (Standing::AtRisk, vec![false]));
}

#[tokio::test]
async fn a_call_that_is_noted_sees_to_what_was_missed_until_then_and_never_to_a_call_for_help() {
    let weeks = Weeks::begin().await;
    weeks.until("2026-11-05T09:00").await;
    let (store, staff) = (&*weeks.relay.store, coordinator(&weeks).await);
    let help = Task::open(TaskKind::Help, LILI, weeks.relay.clock.now());
    let batch = Batch { changes: vec![help.enter()], ..Batch::new(weeks.relay.clock.now()) };
    store.commit(weeks.family, batch).await.unwrap();
    let open = async || -> Vec<TaskKind> {
        let tasks = execute::family::tasks(store, weeks.family).await.unwrap();
        tasks.iter().filter(|task| task.is_open()).map(|task| task.kind).collect()
    };
    let met = async |on: &str| {
        ngo::tasks::met(&weeks.relay, &staff, "GS-001", on.parse().unwrap()).await.unwrap();
    };

    met("2026-11-03").await;
    assert_eq!(open().await.len(), 2, "that was before anything was missed so often");
    met("2026-11-05").await;
    assert_eq!(open().await, [TaskKind::Help]);
    met("2026-11-05").await;
    assert_eq!(open().await, [TaskKind::Help]);
}

#[tokio::test]
async fn the_days_that_are_shown_are_those_that_the_standing_counts() {
    let mut weeks = Weeks::begin().await;
    weeks.plan(Vec::new()).await;
    weeks.until("2026-11-06T20:00").await;
    weeks.both_ways("2026-11-06T20:00").await;
    let shown = async |weeks: &Weeks| {
        let rows = weeks.relay.store.book(PROGRAMME, FAMILIES).await.unwrap();
        let row = FamilyRow::read(&rows[0]).unwrap();
        let family = ngo::worklist::listed(&row, weeks.relay.clock.now());
        let child = &family.children[0];
        assert_eq!(child.days_since_two_way, family.days_since_two_way);
        assert_eq!(child.days_since_home, family.days_since_two_way);
        (family.standing, family.days_since_two_way)
    };

    // On Saturday of the week after, not yet eight times 24 hours later.
    weeks.until("2026-11-14T09:00").await;
    assert_eq!(shown(&weeks).await, ("watch".to_owned(), Some(8)));
    pause(&weeks, "2026-11-15", "2026-11-17").await;
    weeks.until("2026-11-16T09:00").await;
    assert_eq!(shown(&weeks).await, ("paused".to_owned(), Some(8)));
    weeks.until("2026-11-18T09:00").await;
    assert_eq!(shown(&weeks).await, ("watch".to_owned(), Some(9)));
    // On the day before it changes, and then.
    weeks.until("2026-11-23T23:00").await;
    assert_eq!(shown(&weeks).await, ("watch".to_owned(), Some(14)));
    weeks.until("2026-11-24T01:00").await;
    assert_eq!(shown(&weeks).await, ("at_risk".to_owned(), Some(15)));
}

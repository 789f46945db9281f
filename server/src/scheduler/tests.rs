//! The loop on an injected clock, against the real store: what fires, in which order, how often (P9).

use jiashu_proto::entry::{Cursor, Fired, Message, Noticed, RuleText, Schedule, ScheduleState};
use jiashu_proto::id::{DeviceId, MemberId, Ref, TokenHash};
use jiashu_recurrence::{Rule, next_occurrence};
use jiff::Timestamp;

use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::embedded::{EmbeddedStore, Options};
use crate::store::{HeldBody, NewEntry, PageLimit, ScopeKind};

fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap()
}

pub(super) const DAY_MS: Millis = 24 * 60 * 60 * 1000;
pub(super) const FOUNDED: Millis = 1_800_000_000_000;
pub(super) const FAMILY: Scope = Scope(7);

pub(super) fn relay(folder: &std::path::Path) -> Relay {
    let data = folder.to_owned();
    let config = Config { retention_days: 7, data, ..Config::defaults() };
    let store = EmbeddedStore::open(folder, Options::default()).unwrap();
    let blobs = crate::blobs::open(&config).unwrap();
    Relay::new(config, Arc::new(store), blobs, Clock::manual(FOUNDED))
}

/// Another relay with the same clock.
pub(super) fn relay_on(other: &Relay) -> Relay {
    let (store, blobs) = (Arc::clone(&other.store), Arc::clone(&other.blobs));
    Relay::new(other.config.clone(), store, blobs, other.clock.clone())
}

pub(super) fn found() -> Batch {
    let (token_hash, members) = (TokenHash([1; 32]), Vec::new());
    let seat = Change::AddSeat { device: DeviceId(1), token_hash, members };
    let family = Change::Create(ScopeKind::Family);
    Batch {
        requires: vec![Precondition::Absent],
        changes: vec![family, seat, Change::SetActive(true), retention::look_later(FOUNDED)],
        ..Batch::new(FOUNDED)
    }
}

fn letters(at: Millis, count: usize) -> Batch {
    let letter = NewEntry { key: None, rank: 0, content: b"sealed".to_vec() };
    Batch { entries: vec![letter; count], ..Batch::new(at) }
}

#[tokio::test]
async fn what_is_older_than_the_retention_goes_within_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(folder.path());
    let old = retention::AT_ONCE * 2 + 10;
    for batch in [found(), letters(FOUNDED, old), letters(FOUNDED + DAY_MS, 3)] {
        relay.store.commit(FAMILY, batch).await.unwrap();
    }
    let mut floors = Vec::new();

    for day in 1..=9 {
        // To the moment: what is exactly 7 days old is not older than that.
        relay.clock.set(FOUNDED + day * DAY_MS);
        while matches!(step(&relay).await.unwrap(), Step::Done) {}
        floors.push(floor(&*relay.store, FAMILY).await.unwrap());
    }

    let old = old as u64;
    assert_eq!(floors, [0, 0, 0, 0, 0, 0, 0, old, old + 2], "the head keeps its place");
    let due = relay.store.next_due().await.unwrap();
    assert_eq!(due, Some(FOUNDED + 10 * DAY_MS), "once a day");
    relay.store.close().await;
}

const ZONES_OF: [&str; 5] =
    ["Asia/Shanghai", "Europe/Rome", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu"];

/// A schedule that runs from the first day on, with what it holds.
fn planned(number: u8, bank: usize, valid_for: Option<Millis>) -> Batch {
    let id = Ref([number; 12]);
    let zone = ZONES_OF[usize::from(number) % ZONES_OF.len()];
    let rule = RuleText {
        start: format!("2027-01-01T{:02}:30:00", number % 24),
        zone: zone.into(),
        rrule: Some("FREQ=DAILY".into()),
        also: Vec::new(),
        except: Vec::new(),
    };
    let first = next_occurrence(&Rule::of(&rule).unwrap(), timestamp(DAY_ONE)).unwrap();
    let schedule = Schedule {
        id,
        device: DeviceId(1),
        from: MemberId(1),
        to: Vec::new(),
        rule,
        state: ScheduleState::Active,
        bank: bank > 0,
        version: 0,
    };
    let content = Content::Schedule(schedule);
    let held = |body: usize| {
        let body_ref = Ref([u8::try_from(body).unwrap(); 12]);
        let fired = Fired {
            body_ref,
            schedule: id,
            planned: String::new(),
            due_at: 0,
            adjust: None,
            valid_for,
            version: 0,
        };
        let message = Message {
            device: DeviceId(1),
            from: MemberId(1),
            entry_ref: body_ref,
            epoch: 0,
            to: Vec::new(),
            sealed: vec![0; 20],
            key: None,
            until: None,
            blob: None,
            fired: Some(fired),
        };
        let content = Content::Message(1, message).to_bytes();
        Change::PutHeld(HeldBody { body_ref, schedule: id, content })
    };
    let next = Change::SetOccurrence {
        schedule: id,
        planned: first.planned_text(),
        at: first.at.as_millisecond(),
    };
    Batch {
        entries: vec![NewEntry::of(&content)],
        changes: (1..=bank.max(1)).map(held).chain([next]).collect(),
        ..Batch::new(DAY_ONE)
    }
}

/// 27 March 2027, the day before clocks change in Rome.
const DAY_ONE: Millis = 1_806_105_600_000;

/// All that the family's log says of letters that fired: schedule, planned, due, body.
async fn fired(store: &dyn Store) -> Vec<(Ref, String, Millis, Ref)> {
    let all = all_of(store).await.into_iter();
    let fired = all.filter_map(|content| match content {
        Content::Message(_, message) => message.fired,
        _ => None,
    });
    fired.map(|fired| (fired.schedule, fired.planned, fired.due_at, fired.body_ref)).collect()
}

async fn all_of(store: &dyn Store) -> Vec<Content> {
    let generation = store.state(FAMILY).await.unwrap().unwrap().generation;
    let mut cursor = Cursor { generation, ..Cursor::default() };
    let (limit, mut found) = (PageLimit { entries: 1_000, bytes: 1 << 20 }, Vec::new());
    loop {
        let page = store.read_after(FAMILY, cursor, limit).await.unwrap();
        if page.upto.seq == cursor.seq {
            return found;
        }
        found.extend(
            page.records.iter().map(|record| Content::from_bytes(&record.content).unwrap()),
        );
        cursor = page.upto;
    }
}

async fn settle_all(relay: &Relay) {
    while !matches!(step(relay).await.unwrap(), Step::NothingDue | Step::Stuck) {}
}

/// What the rules give up to then, in the order of their hours.
fn expected(schedules: u8, until: Millis) -> Vec<(Millis, Ref, String)> {
    let mut expected = Vec::new();
    for number in 1..=schedules {
        let batch = planned(number, 0, None);
        let Ok(Content::Schedule(schedule)) = Content::from_bytes(&batch.entries[0].content) else {
            unreachable!()
        };
        let rule = Rule::of(&schedule.rule).unwrap();
        let all = jiashu_recurrence::occurrences(&rule, timestamp(DAY_ONE));
        let due = all.map(|one| (one.at.as_millisecond(), schedule.id, one.planned_text()));
        expected.extend(due.take_while(|(at, ..)| *at <= until));
    }
    expected.sort();
    expected
}

#[tokio::test]
async fn ten_schedules_fire_once_each_day_over_crashes_jumps_and_two_schedulers() {
    const SCHEDULES: u8 = 10;
    let folder = tempfile::tempdir().unwrap();
    let mut first = relay(folder.path());
    first.store.commit(FAMILY, found()).await.unwrap();
    // All of its letters are to be counted at the end.
    let keep = vec![Change::ClearDue(DueItem::Retention)];
    first.store.commit(FAMILY, Batch { changes: keep, ..Batch::new(DAY_ONE) }).await.unwrap();
    for number in 1..=SCHEDULES {
        first.store.commit(FAMILY, planned(number, 0, None)).await.unwrap();
    }
    let mut latest = DAY_ONE;

    for hour in 0..240 {
        // An hour on; now and then back by one, on by three, or a day late.
        let jump = match hour % 24 {
            5 => -1,
            9 => 3,
            17 => 24,
            _ => 1,
        };
        let now = first.clock.now().max(DAY_ONE) + jump * 3_600_000;
        latest = latest.max(now);
        first.clock.set(now);
        let second = relay_on(&first);
        let (one, two) = tokio::join!(step(&first), step(&second));
        let _ = (one.unwrap(), two.unwrap());
        if hour % 7 == 0 {
            // Stopped where it stands: what is not fired is still due.
            first.store.close().await;
            drop(second);
            first = Relay { clock: first.clock.clone(), ..relay(folder.path()) };
        }
    }
    first.clock.set(latest);
    settle_all(&first).await;

    let found: Vec<_> = fired(&*first.store).await;
    let order: Vec<_> =
        found.iter().map(|(id, planned, at, _)| (*at, *id, planned.clone())).collect();
    let mut sorted = order.clone();
    sorted.sort();
    assert_eq!(sorted, expected(SCHEDULES, latest), "none is missed, none is doubled");
    assert!(order.is_sorted_by_key(|(at, ..)| *at), "in the order of their hours");
    assert!(order.len() > 100, "{}", order.len());
    first.store.close().await;
}

#[tokio::test]
async fn a_bank_gives_each_letter_once_and_then_says_that_there_was_none() {
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(folder.path());
    relay.store.commit(FAMILY, found()).await.unwrap();
    relay.store.commit(FAMILY, planned(19, 4, None)).await.unwrap();

    for day in 1..=5 {
        relay.clock.set(DAY_ONE + day * DAY_MS);
        settle_all(&relay).await;
    }

    let bodies: Vec<_> =
        fired(&*relay.store).await.into_iter().map(|(.., body)| body.0[0]).collect();
    assert_eq!(bodies, [1, 2, 3, 4]);
    let low = |left| (Noticed::Low, Some(left));
    assert_eq!(notices(&relay).await, [low(2), low(0), (Noticed::Missed, None)]);
    assert_eq!(relay.metrics.missed.get(), 1);
    relay.store.close().await;
}

/// What authors were told, in order.
async fn notices(relay: &Relay) -> Vec<(Noticed, Option<u32>)> {
    let told = all_of(&*relay.store).await.into_iter().filter_map(|content| match content {
        Content::Notice(notice) => Some((notice.what, notice.left)),
        _ => None,
    });
    told.collect()
}

#[tokio::test]
async fn no_letter_fires_while_taking_part_is_not_agreed_to_or_its_author_is_suspended() {
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(folder.path());
    relay.store.commit(FAMILY, found()).await.unwrap();
    relay.store.commit(FAMILY, planned(19, 4, None)).await.unwrap();
    let mother = MemberId(1);
    let days = [
        vec![],
        vec![Change::SetActive(false)],
        vec![Change::SetActive(true)],
        vec![Change::Suspend(mother)],
        vec![Change::Lift(mother)],
    ];

    for (day, changes) in (0..).zip(days) {
        let at = DAY_ONE + day * DAY_MS;
        relay.clock.set(at);
        relay.store.commit(FAMILY, Batch { changes, ..Batch::new(at) }).await.unwrap();
        relay.clock.set(at + DAY_MS - 1);
        settle_all(&relay).await;
    }

    let bodies: Vec<_> =
        fired(&*relay.store).await.into_iter().map(|(.., body)| body.0[0]).collect();
    assert_eq!(bodies, [1, 2, 4], "the second waited a day, the third was of who was suspended");
    let stopped = (Noticed::Stopped, None);
    let told = notices(&relay).await;
    assert_eq!(told.iter().filter(|notice| **notice == stopped).count(), 2, "{told:?}");
    relay.store.close().await;
}

#[tokio::test]
async fn after_an_outage_what_is_worth_nothing_any_more_is_told_and_the_rest_comes_late() {
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(folder.path());
    relay.store.commit(FAMILY, found()).await.unwrap();
    let (token_hash, members) = (TokenHash([2; 32]), vec![MemberId(3)]);
    let home = Change::AddSeat { device: DeviceId(2), token_hash, members };
    relay.store.commit(FAMILY, Batch { changes: vec![home], ..Batch::new(DAY_ONE) }).await.unwrap();
    relay.store.commit(FAMILY, planned(19, 4, Some(2 * 3_600_000))).await.unwrap();
    let at = |day: i64, hours: i64| DAY_ONE + day * DAY_MS + hours * 3_600_000;

    // 19:30 in Kathmandu is 13:45 UTC; the relay is back at 15:00 of the third day.
    relay.clock.set(at(2, 15));
    settle_all(&relay).await;

    let letters = fired(&*relay.store).await;
    assert_eq!(letters.len(), 1, "two are past: {letters:?}");
    assert_eq!(letters[0].3, Ref([1; 12]), "and their letters are still there");
    assert_eq!(relay.metrics.expired.get(), 2);
    relay.clock.set(at(2, 16));
    settle_all(&relay).await;
    assert_eq!(relay.metrics.expired.get(), 3, "nobody has taken the third in time");
    relay.store.close().await;
}

#[tokio::test]
async fn what_cannot_be_done_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(folder.path());
    relay.store.commit(FAMILY, found()).await.unwrap();
    // Enrolments of nobody: more than are looked at once.
    let stuck = |number| Change::SetDue(DueItem::Enrolment(format!("{number}")), DAY_ONE - 1);
    let changes = (0..GROUP + 10).map(stuck).collect();
    relay.store.commit(FAMILY, Batch { changes, ..Batch::new(DAY_ONE) }).await.unwrap();
    relay.store.commit(FAMILY, planned(19, 0, None)).await.unwrap();

    relay.clock.set(DAY_ONE + DAY_MS);
    settle_all(&relay).await;

    assert_eq!(fired(&*relay.store).await.len(), 1);
    relay.store.close().await;
}

#[tokio::test]
async fn other_zones_move_what_is_planned_to_where_it_lies_now() {
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(folder.path());
    let create = vec![Change::Create(ScopeKind::Relay)];
    let requires = vec![Precondition::Absent];
    let own = Batch { requires, changes: create, ..Batch::new(DAY_ONE) };
    relay.store.commit(Scope::RELAY, own).await.unwrap();
    relay.store.commit(FAMILY, found()).await.unwrap();
    relay.store.commit(FAMILY, planned(19, 0, None)).await.unwrap();
    let right = relay.store.occurrences(None, 10).await.unwrap().remove(0);
    // As an older database had it: an hour later.
    let DueItem::Occurrence(schedule) = right.item else { unreachable!() };
    let planned = right.planned.clone().unwrap();
    let wrong = Change::SetOccurrence { schedule, planned, at: right.at + 3_600_000 };
    relay
        .store
        .commit(FAMILY, Batch { changes: vec![wrong], ..Batch::new(DAY_ONE) })
        .await
        .unwrap();

    let relay = Arc::new(relay);
    zones::keep_up(Arc::clone(&relay), CancellationToken::new()).await;

    assert_eq!(relay.store.occurrences(None, 10).await.unwrap(), [right]);
    let noted = relay.store.facts(Scope::RELAY, "zones").await.unwrap();
    zones::keep_up(Arc::clone(&relay), CancellationToken::new()).await;
    assert_eq!(relay.store.facts(Scope::RELAY, "zones").await.unwrap(), noted, "once");
    relay.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "a measurement is to be seen")]
#[ignore = "a measurement; run it alone, with --release --nocapture"]
async fn occurrences_in_a_second() {
    const FAMILIES: u64 = 5_000;
    const EACH: u8 = 20;
    let folder = tempfile::tempdir().unwrap();
    let relay = Arc::new(relay(folder.path()));
    let mut tasks = tokio::task::JoinSet::new();
    for family in 1..=FAMILIES {
        let relay = Arc::clone(&relay);
        tasks.spawn(async move {
            let scope = Scope(family.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let keep = vec![Change::ClearDue(DueItem::Retention)];
            relay.store.commit(scope, found()).await.unwrap();
            relay
                .store
                .commit(scope, Batch { changes: keep, ..Batch::new(DAY_ONE) })
                .await
                .unwrap();
            for number in 1..=EACH {
                let id = number.wrapping_mul(24);
                let batch = planned(24, 2, None);
                relay.store.commit(scope, with_id(batch, Ref([id; 12]))).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let count = relay.store.due_count(DAY_ONE).await.unwrap();
    let looked_at = std::time::Instant::now();
    let next = relay.store.next_due().await.unwrap().unwrap();
    let look_up = looked_at.elapsed();

    relay.clock.set(next);
    let started = std::time::Instant::now();
    settle_all(&relay).await;
    let took = started.elapsed();

    let fired = relay.metrics.fired.get();
    let rate = f64::from(u32::try_from(fired).unwrap()) / took.as_secs_f64();
    println!(
        "{fired} of {} due at once: {:.1} s, {rate:.0}/s, next due in {look_up:?}",
        count.pending,
        took.as_secs_f64()
    );
    relay.store.close().await;
}

/// The same schedule under another id.
fn with_id(batch: Batch, id: Ref) -> Batch {
    let entry = |entry: NewEntry| match Content::from_bytes(&entry.content) {
        Ok(Content::Schedule(schedule)) => {
            let content = Content::Schedule(Schedule { id, ..schedule });
            NewEntry { key: content.key(), content: content.to_bytes(), ..entry }
        }
        _ => entry,
    };
    let change = |change| match change {
        Change::PutHeld(body) => {
            let Ok(Content::Message(kind, message)) = Content::from_bytes(&body.content) else {
                unreachable!()
            };
            let fired = message.fired.map(|fired| Fired { schedule: id, ..fired });
            let content = Content::Message(kind, Message { fired, ..message }).to_bytes();
            Change::PutHeld(HeldBody { schedule: id, content, ..body })
        }
        Change::SetOccurrence { planned, at, .. } => {
            Change::SetOccurrence { schedule: id, planned, at }
        }
        other => other,
    };
    Batch {
        entries: batch.entries.into_iter().map(entry).collect(),
        changes: batch.changes.into_iter().map(change).collect(),
        ..batch
    }
}

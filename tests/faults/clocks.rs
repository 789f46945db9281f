//! P9: an occurrence of a schedule fires exactly once, whatever the relay's clock and process do.
//!
//! The real relay under libfaketime, which shows it another wall clock: days pass in a second each, the
//! clock jumps forward and back, the process is killed and held still. Nothing of its other clocks, by
//! which it waits, is changed.

use std::collections::BTreeSet;

use jiashu_proto::entry::RuleText;
use jiashu_proto::id::Millis;
use jiashu_tests::clock::{WallClock, settled};
use jiashu_tests::redis::TestRedis;
use jiashu_tests::{FamilySpec, Programme, RawDevice, TestRelay};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::rounds;

pub(crate) const HOUR_MS: Millis = 3_600_000;

/// One step of the wall clock.
const STEP_MS: Millis = 6 * HOUR_MS;

pub(crate) async fn relay_under(clock: &WallClock, store: &[(String, String)]) -> TestRelay {
    let clock = clock.settings();
    let clock = clock.iter().map(|(key, value)| (*key, value.as_str()));
    let store = store.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    // All letters are counted at the end.
    let kept = [("JIASHU_RETENTION_DAYS", "400")];
    TestRelay::with(&clock.chain(kept).chain(store).collect::<Vec<_>>()).await
}

/// A schedule for each evening, at a minute of its own. The civil time at which it begins.
async fn plan(mother: &mut RawDevice, number: i64, now: Timestamp) -> DateTime {
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let today = zone.to_datetime(now + SignedDuration::from_hours(24)).date();
    let start = today.at(0, 0, 0, 0) + (number * 7).minutes();
    let rule = RuleText::new(start.to_string(), "Asia/Shanghai", Some("FREQ=DAILY"));
    mother.schedule(&format!("letter {number}"), &[3], rule).await;
    start
}

pub(crate) async fn each_occurrence_fires_once_whatever_the_clock_does() {
    fire(&[]).await;
}

pub(crate) async fn each_occurrence_fires_once_with_redis_too() {
    let redis = TestRedis::start().await;
    fire(&redis.settings()).await;
}

async fn fire(store: &[(String, String)]) {
    let (schedules, days) = if rounds::is_asked_for() { (200, 90) } else { (10, 10) };
    let folder = tempfile::tempdir().unwrap();
    let mut clock = WallClock::in_folder(folder.path());
    let mut relay = relay_under(&clock, store).await;
    let family = Programme::of(&relay).await.enrol("P9-001", &FamilySpec::li()).await;
    let [mut mother, mut home] = family.join_all::<2>().await;
    let now = Timestamp::from_millisecond(relay.raw().now().await).unwrap();
    let mut starts = Vec::new();
    for number in 0..schedules {
        starts.push(plan(&mut mother, number, now).await);
    }

    let (mut kills, mut stops, mut latest) = (0, 0, 0);
    for step in 0..(days * 24 * HOUR_MS / STEP_MS) {
        match step % 8 {
            1 => clock.jump(STEP_MS + HOUR_MS),
            3 => {
                // At some moment of what it is firing.
                clock.jump(STEP_MS);
                let _ = relay.raw().now().await;
                relay.kill9();
                kills += 1;
                relay.restart().await;
            }
            5 => {
                relay.pause().await;
                clock.jump(STEP_MS);
                relay.resume();
                stops += 1;
            }
            7 => clock.jump(-HOUR_MS),
            _ => clock.jump(STEP_MS),
        }
        settled(&relay).await;
        latest = relay.raw().now().await.max(latest);
    }
    clock.jump(30 * 24 * HOUR_MS);
    settled(&relay).await;
    latest = relay.raw().now().await.max(latest);
    home.sync().await;

    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let instant =
        |civil: DateTime| zone.to_ambiguous_timestamp(civil).compatible().unwrap().as_millisecond();
    let mut expected = BTreeSet::new();
    for (number, start) in starts.iter().enumerate() {
        let evenings = (0..).map(|day| start.checked_add(day.days()).unwrap());
        let past = evenings.take_while(|evening| instant(*evening) <= latest);
        expected.extend(past.map(|evening| (format!("letter {number}"), evening.to_string())));
    }
    let fired: Vec<_> = home
        .log
        .letters()
        .into_iter()
        .map(|letter| (letter.text, letter.fired.expect("a schedule released it")))
        .collect();
    let order: Vec<_> = fired.iter().map(|(_, fired)| fired.due_at).collect();
    assert!(order.is_sorted(), "in the order of their hours");
    for (_, fired) in &fired {
        assert_eq!(fired.due_at, instant(fired.planned.parse().unwrap()), "{fired:?}");
    }
    let came: BTreeSet<_> =
        fired.iter().map(|(text, fired)| (text.clone(), fired.planned.clone())).collect();
    let (missed, doubled) = (expected.difference(&came).count(), fired.len() - came.len());
    eprintln!(
        "P9: {schedules} schedules, {days} days and 30: {} fired, {missed} missed, {doubled} doubled, \
         over {kills} kills, {stops} stops",
        fired.len()
    );
    assert_eq!((&came, doubled), (&expected, 0));
}

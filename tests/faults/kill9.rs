//! P1: what the relay has acknowledged survives `kill -9` at any moment; what it has not is shown
//! once at most, and its writer knows that it is unsent. With 100,000 letters stored it is ready
//! again in time.

use std::time::{Duration, Instant};

use jiashu_tests::dice::Dice;
use jiashu_tests::{Programme, TestRelay};

use crate::crowd::Crowd;
use crate::rounds::Rounds;
use crate::shim::{Fault, Shim};

/// Letters stored before the first kill, of each of the four phones that write.
const STORED_EACH: u64 = 25_000;

/// Letters in one request while the store is filled.
const AT_ONCE: u64 = 500;

/// 5 s are promised; a test gives ten times as long.
const READY: Duration = Duration::from_secs(50);

pub(crate) async fn what_was_acknowledged_survives_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (programme, stored) = fill(folder.path()).await;
    let mut relay = TestRelay::on(folder.path(), &[]).await;
    let programme = programme.at(&relay);
    let mut crowd = Crowd::join(&programme, "KILL-9").await;
    let (mut rounds, mut dice, mut slowest) = (Rounds::of(20, 300), Dice::new(1), Duration::ZERO);

    while rounds.more() {
        let writing = crowd.start_writing();
        // The moment is the fault, so it is drawn: there is nothing to wait for.
        tokio::time::sleep(Duration::from_micros(20_000 + dice.below(150_000))).await;
        relay.kill9();
        crowd.end_of(writing).await;
        rounds.count(crowd.has_unsent());
        let started = Instant::now();
        relay.restart().await;
        slowest = slowest.max(started.elapsed());

        crowd.read().await.unwrap();
        crowd.send_what_waits().await;
    }

    crowd.read().await.unwrap();
    let verdict = crowd.verdict();
    assert!(verdict.complaints.is_empty(), "{verdict:?}");
    assert_eq!(verdict.acked, verdict.sent, "what waited was sent in the end");
    assert!(slowest < READY, "ready again after {slowest:?}");
    let stored = stored.at(&relay);
    stored.read().await.unwrap();
    let kept = stored.verdict();
    assert!(kept.complaints.is_empty(), "{kept:?}");
    eprintln!("P1: {}, {} letters beside {} stored", rounds.told(), verdict.sent, kept.acked);
    eprintln!("P1: 0 acknowledged lost, ready again after {slowest:?} at most");
}

/// A store with many letters, and the family that wrote them.
async fn fill(folder: &std::path::Path) -> (Programme, Crowd) {
    let shim = Shim::new();
    // Only to fill it sooner: what is killed later was stopped in order before.
    let mut relay = TestRelay::on(folder, &shim.environment("sqlite")).await;
    let programme = Programme::of(&relay).await;
    shim.set(Fault::SyncLies);
    let mut crowd = Crowd::join(&programme, "STORED").await;
    crowd.write_each(STORED_EACH, AT_ONCE).await;
    shim.set(Fault::None);
    relay.term().await;
    (programme, crowd)
}

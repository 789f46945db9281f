//! P2: what the relay has acknowledged survives the loss of power. The negative control shows that
//! this harness sees a loss: with syncs that are not done, the same cut loses letters.

use std::process::Command;
use std::time::Duration;

use jiashu_tests::dice::Dice;
use jiashu_tests::redis::TestRedis;
use jiashu_tests::{Programme, TestRelay, until};

use crate::compiled::run;
use crate::crowd::Crowd;
use crate::disk::Disk;
use crate::rounds::Rounds;
use crate::shim::{Fault, Shim};

/// Size of the disk, in MiB.
const DISK_MIB: u64 = 128;

pub(crate) async fn what_was_acknowledged_survives() {
    let disk = Disk::ext4(DISK_MIB);
    let mut relay = TestRelay::on(&disk.path().join("data"), &[]).await;
    let mut crowd = Crowd::join(&Programme::of(&relay).await, "POWER").await;
    let (mut rounds, mut dice) = (Rounds::of(5, 100), Dice::new(2));

    while rounds.more() {
        let writing = crowd.start_writing();
        // The moment is the fault, so it is drawn: there is nothing to wait for.
        tokio::time::sleep(Duration::from_micros(100_000 + dice.below(400_000))).await;
        disk.cut_power_of(relay.pid()).await;
        // It runs on without a disk: what it acknowledges now is lost, and would show.
        crowd.end_of(writing).await;
        relay.kill9();
        disk.mount_again();
        relay.restart().await;
        rounds.count(crowd.has_unsent());

        crowd.read().await.unwrap();
        let verdict = crowd.verdict();
        assert!(verdict.complaints.is_empty(), "{verdict:?}");
        crowd.send_what_waits().await;
    }

    crowd.read().await.unwrap();
    let verdict = crowd.verdict();
    assert!(verdict.complaints.is_empty(), "{verdict:?}");
    assert_eq!(verdict.acked, verdict.sent, "what waited was sent in the end");
    eprintln!("P2: {}, {} letters, 0 acknowledged lost", rounds.told(), verdict.sent);
}

pub(crate) async fn the_harness_sees_loss_where_syncs_are_not_done() {
    let mut rounds = Rounds::of(1, 5);
    while rounds.more() {
        let (disk, shim) = (Disk::ext4(DISK_MIB), Shim::new());
        let settings = shim.environment("sqlite");
        let mut relay = TestRelay::on(&disk.path().join("data"), &settings).await;
        let mut crowd = Crowd::join(&Programme::of(&relay).await, "POWER").await;
        relay.term().await;
        run(Command::new("sync").arg("-f").arg(disk.path()));
        relay.restart().await;

        shim.set(Fault::SyncLies);
        let writing = crowd.start_writing();
        tokio::time::sleep(Duration::from_millis(300)).await;
        disk.cut_power_of(relay.pid()).await;
        crowd.end_of(writing).await;
        relay.kill9();
        disk.mount_again();
        shim.set(Fault::None);
        match relay.try_restart().await {
            Ok(()) => crowd.read().await.unwrap(),
            // Where all was lost that was not synced, the store may be beyond use: seen as well.
            Err(refusal) => eprintln!("P2, negative control: the relay refuses: {refusal}"),
        }

        let verdict = crowd.verdict();
        let seen = verdict.lost() > 0 || verdict.readings == 0;
        rounds.count(seen);
        if seen {
            let (lost, acked) = (verdict.lost(), verdict.acked);
            eprintln!("P2, negative control: {lost} of {acked} acknowledged lost, as it must be");
        }
    }
}

pub(crate) async fn what_was_acknowledged_survives_with_redis() {
    let disk = Disk::ext4(DISK_MIB);
    let mut redis = TestRedis::on(&disk.path().join("redis"), "always").await;
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::on(folder.path(), &redis.settings()).await;
    let mut crowd = Crowd::join(&Programme::of(&relay).await, "POWER").await;
    let (mut rounds, mut dice) = (Rounds::of(5, 100), Dice::new(6));

    while rounds.more() {
        let writing = crowd.start_writing();
        // The moment is the fault, so it is drawn: there is nothing to wait for.
        tokio::time::sleep(Duration::from_micros(100_000 + dice.below(400_000))).await;
        disk.cut_power_of(redis.pid()).await;
        // It runs on without a disk: what is acknowledged now is lost, and would show.
        crowd.end_of(writing).await;
        redis.kill9();
        disk.mount_again();
        redis.restart().await;
        rounds.count(crowd.has_unsent());

        until("the relay has Redis again", async || crowd.read().await.ok()).await;
        let verdict = crowd.verdict();
        assert!(verdict.complaints.is_empty(), "{verdict:?}");
        crowd.send_until_taken().await;
    }

    crowd.read().await.unwrap();
    let verdict = crowd.verdict();
    assert!(verdict.complaints.is_empty(), "{verdict:?}");
    assert_eq!(verdict.acked, verdict.sent, "what waited was sent in the end");
    eprintln!("P2, Redis: {}, {} letters, 0 acknowledged lost", rounds.told(), verdict.sent);
}

/// With a Redis that the relay refuses unless loss is accepted, the same cut loses letters.
pub(crate) async fn the_harness_sees_loss_where_redis_does_not_sync() {
    let mut rounds = Rounds::of(1, 5);
    while rounds.more() {
        let disk = Disk::ext4(DISK_MIB);
        let mut redis = TestRedis::on(&disk.path().join("redis"), "no").await;
        let folder = tempfile::tempdir().unwrap();
        let accepts = [("JIASHU_ACCEPT_LOSS".to_owned(), "true".to_owned())];
        let settings = [redis.settings(), accepts.to_vec()].concat();
        let relay = TestRelay::on(folder.path(), &settings).await;
        let mut crowd = Crowd::join(&Programme::of(&relay).await, "POWER").await;
        run(Command::new("sync").arg("-f").arg(disk.path()));

        let writing = crowd.start_writing();
        tokio::time::sleep(Duration::from_millis(300)).await;
        disk.cut_power_of(redis.pid()).await;
        crowd.end_of(writing).await;
        redis.kill9();
        disk.mount_again();
        redis.restart().await;
        until("the relay has Redis again", async || crowd.read().await.ok()).await;

        let verdict = crowd.verdict();
        rounds.count(verdict.lost() > 0);
        let (lost, acked) = (verdict.lost(), verdict.acked);
        eprintln!(
            "P2, Redis, negative control: {lost} of {acked} acknowledged lost, as it must be"
        );
    }
}

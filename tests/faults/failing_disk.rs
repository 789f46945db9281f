//! P4: when the disk fails, the relay stops acknowledging and says so, and does not begin again
//! because the disk says that it works: what the kernel dropped is found out only by opening anew.

use std::time::Duration;

use jiashu_proto::error::ErrorCode;
use jiashu_tests::dice::Dice;
use jiashu_tests::{Programme, TestRelay};
use tokio::time::timeout;

use crate::crowd::{Crowd, End};
use crate::disk::Disk;
use crate::rounds::Rounds;
use crate::shim::{Fault, Shim};

/// Size of the disk, in MiB.
const DISK_MIB: u64 = 128;

/// 1 s is promised; a test gives ten times as long.
const NOTICED: Duration = Duration::from_secs(10);

/// A relay on a disk that can be made to fail, and its phones.
struct Scene {
    crowd: Crowd,
    relay: TestRelay,
    shim: Shim,
    disk: Disk,
}

impl Scene {
    async fn new() -> Self {
        let (disk, shim) = (Disk::ext4(DISK_MIB), Shim::new());
        let settings = shim.environment("sqlite");
        let relay = TestRelay::on(&disk.path().join("data"), &settings).await;
        let crowd = Crowd::join(&Programme::of(&relay).await, "FAILING").await;
        Self { crowd, relay, shim, disk }
    }

    /// What `/healthz` says, once it says that something is wrong.
    async fn degraded(&self) -> String {
        let degraded = async {
            loop {
                let health = self.relay.raw().get("/healthz").await;
                if health.status == 503 {
                    return String::from_utf8_lossy(&health.body).into_owned();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(NOTICED, degraded).await.expect("a failing disk is said within the deadline")
    }

    /// Everything again, on a disk that works: nothing acknowledged is lost.
    async fn start_again(&mut self) {
        self.relay.restart().await;
        assert_eq!(self.relay.raw().get("/healthz").await.status, 200);
        self.crowd.read().await.unwrap();
        self.crowd.send_what_waits().await;
    }

    fn assert_clean(&self, what: &str, rounds: &Rounds, said: &str) {
        let verdict = self.crowd.verdict();
        assert!(verdict.complaints.is_empty(), "{verdict:?}");
        assert!(self.relay.log().contains("the store stops writing"), "{}", self.relay.log());
        let (rounds, sent) = (rounds.told(), verdict.sent);
        eprintln!("P4, {what}: {rounds}, {sent} letters, 0 acknowledged lost; {said}");
    }
}

fn is_refused(end: Option<&End>) -> bool {
    matches!(end, Some(End::Unavailable(_) | End::Cut(_)))
}

/// Rounds of a fault that only the relay's process sees.
async fn no_acknowledgement_while(what: &str, fault: Fault) {
    let mut scene = Scene::new().await;
    let (mut rounds, mut dice, mut said) = (Rounds::of(10, 50), Dice::new(4), String::new());

    while rounds.more() {
        let writing = scene.crowd.start_writing();
        // The moment is the fault, so it is drawn: there is nothing to wait for.
        tokio::time::sleep(Duration::from_micros(20_000 + dice.below(150_000))).await;
        scene.shim.set(fault);
        said = scene.degraded().await;
        let ends = scene.crowd.end_of(writing).await;
        // The disk says that all is well again, as one does whose cache has dropped the page.
        scene.shim.set(Fault::None);
        let later = scene.crowd.try_each().await;
        rounds.count(ends.iter().any(|end| is_refused(Some(end))));

        assert!(later.iter().all(|end| is_refused(end.as_ref())), "it began again: {later:?}");
        assert_eq!(scene.degraded().await, said, "and it goes on saying so");
        // What was not synced is gone: had it been acknowledged, it would be missed.
        scene.disk.cut_power();
        scene.relay.kill9();
        scene.disk.mount_again();
        scene.start_again().await;
    }

    scene.crowd.read().await.unwrap();
    scene.assert_clean(what, &rounds, said.trim());
}

pub(crate) async fn no_acknowledgement_after_a_sync_has_failed() {
    no_acknowledgement_while("a failing sync", Fault::SyncFails).await;
}

pub(crate) async fn no_acknowledgement_after_a_write_has_failed() {
    no_acknowledgement_while("a failing write", Fault::WriteFails).await;
}

pub(crate) async fn no_acknowledgement_after_the_file_system_went_read_only() {
    let mut scene = Scene::new().await;
    let (mut rounds, mut dice, mut said) = (Rounds::of(10, 50), Dice::new(5), String::new());

    while rounds.more() {
        let writing = scene.crowd.start_writing();
        // The moment is the fault, so it is drawn: there is nothing to wait for.
        tokio::time::sleep(Duration::from_micros(20_000 + dice.below(150_000))).await;
        scene.disk.break_down_under(&scene.relay).await;
        said = scene.degraded().await;
        let ends = scene.crowd.end_of(writing).await;
        rounds.count(ends.iter().any(|end| is_refused(Some(end))));
        scene.relay.kill9();
        scene.disk.mend();
        scene.start_again().await;
    }

    scene.crowd.read().await.unwrap();
    scene.assert_clean("a file system gone read-only", &rounds, said.trim());
}

pub(crate) async fn a_failing_read_is_said_and_skips_nothing() {
    let mut scene = Scene::new().await;
    scene.crowd.write_each(50, 10).await;
    scene.relay.term().await;
    scene.relay.restart().await;

    scene.shim.set(Fault::ReadFails);
    let refused = scene.crowd.read().await.unwrap_err();
    scene.shim.set(Fault::None);
    scene.crowd.read().await.unwrap();

    assert_eq!(refused.code, ErrorCode::Unavailable, "{refused:?}");
    assert!(refused.retry_after_ms.is_some(), "{refused:?}");
    let verdict = scene.crowd.verdict();
    assert!(verdict.complaints.is_empty(), "{verdict:?}");
    assert_eq!(verdict.readings, 1, "the one that failed was not taken for a whole one");
}

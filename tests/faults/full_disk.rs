//! P5: a full disk slows the relay and does not break it: letters wait, reading goes on, and when
//! there is room again all goes on by itself.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use jiashu_proto::error::ErrorCode;
use jiashu_tests::{Programme, TestRelay, until};
use tokio::time::timeout;

use crate::crowd::{Crowd, End};
use crate::disk::Disk;
use crate::rounds::Rounds;

/// 1 s is promised; a test gives ten times as long.
const TOLD: Duration = Duration::from_secs(10);

/// Takes all room on the disk that is left.
fn fill(disk: &Disk) -> PathBuf {
    let path = disk.path().join("ballast");
    let mut file = File::create(&path).unwrap();
    for size in [64 * 1024, 4096, 512] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
    // An ext4 puts off the choice of blocks.
    let _ = file.sync_all();
    path
}

async fn health(relay: &TestRelay) -> (u16, String) {
    let health = relay.raw().get("/healthz").await;
    (health.status, String::from_utf8_lossy(&health.body).trim().to_owned())
}

async fn letters_wait_and_go_on(what: &str, disk: Disk) {
    let relay = TestRelay::on(&disk.path().join("data"), &[]).await;
    let mut crowd = Crowd::join(&Programme::of(&relay).await, "FULL").await;
    let (mut rounds, mut said) = (Rounds::of(3, 20), String::new());

    while rounds.more() {
        crowd.write_each(10, 5).await;
        let writing = crowd.start_writing();
        let ballast = fill(&disk);
        let ends = timeout(TOLD, crowd.end_of(writing)).await.expect("they are told in time");
        let (status, text) = health(&relay).await;
        let read = crowd.read().await;
        crowd.read_live(&relay).await;
        rounds.count(!ends.is_empty());

        for end in &ends {
            let End::Unavailable(refused) = end else { panic!("{end:?}") };
            assert_eq!(refused.code, ErrorCode::Unavailable);
            assert!(refused.retry_after_ms.is_some(), "{refused:?}");
        }
        read.expect("reading goes on");
        assert_eq!(status, 503, "{text}");
        said = text;
        std::fs::remove_file(ballast).unwrap();
        until("it recovers by itself", async || (health(&relay).await.0 == 200).then_some(()))
            .await;
        crowd.send_what_waits().await;
        crowd.read().await.unwrap();
    }

    let verdict = crowd.verdict();
    assert!(verdict.complaints.is_empty(), "{verdict:?}");
    assert_eq!(verdict.acked, verdict.sent, "what waited was sent in the end");
    for line in ["the store cannot write for now", "the store writes again"] {
        assert!(relay.log().contains(line), "{line:?} is not in\n{}", relay.log());
    }
    eprintln!("P5, {what}: {}, {} letters; {said}", rounds.told(), verdict.sent);
}

pub(crate) async fn letters_wait_on_a_full_tmpfs() {
    letters_wait_and_go_on("tmpfs", Disk::tmpfs("size=64m")).await;
}

pub(crate) async fn letters_wait_on_a_full_ext4() {
    letters_wait_and_go_on("ext4", Disk::ext4(64)).await;
}

pub(crate) async fn without_inodes_a_running_relay_goes_on_and_a_new_one_says_why_not() {
    let disk = Disk::tmpfs("size=16m,nr_inodes=32");
    let mut relay = TestRelay::on(&disk.path().join("data"), &[]).await;
    let mut crowd = Crowd::join(&Programme::of(&relay).await, "INODES").await;
    let mut taken = Vec::new();
    let take_all = |taken: &mut Vec<PathBuf>| {
        let mut paths = (0..).map(|number| disk.path().join(format!("empty {number}")));
        while let Some(path) =
            paths.next().filter(|path| path.exists() || File::create(path).is_ok())
        {
            taken.push(path);
        }
    };

    take_all(&mut taken);
    crowd.write_each(20, 5).await;
    relay.kill9();
    relay.restart().await;
    crowd.write_each(20, 5).await;
    // Ended in order it removes its WAL, and needs a new one.
    relay.term().await;
    take_all(&mut taken);
    let refusal = relay.try_restart().await.unwrap_err();
    taken.iter().for_each(|path| _ = std::fs::remove_file(path));
    relay.restart().await;

    crowd.read().await.unwrap();
    let verdict = crowd.verdict();
    assert!(verdict.complaints.is_empty(), "{verdict:?}");
    assert!(refusal.contains("jiashu.sqlite3"), "it names the file: {refusal}");
    eprintln!("P5, no inodes: {} letters; a new relay says: {}", verdict.sent, refusal.trim());
}

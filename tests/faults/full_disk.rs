//! P5: a full disk slows the relay and does not break it: letters wait, reading goes on, and when
//! there is room again all goes on by itself.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::Ref;
use jiashu_seal::random;
use jiashu_tests::blob::{BlobRequest, patch, path, put};
use jiashu_tests::dice::Dice;
use jiashu_tests::http::Response;
use jiashu_tests::{FamilySpec, Programme, TestRelay, until};
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

/// Voice notes are on a disk of their own, which is full in the middle of one.
pub(crate) async fn a_voice_note_waits_for_room_and_letters_do_not() {
    const LEFT: u64 = 40 * 1024;
    let (disk, folder) = (Disk::tmpfs("size=1m"), tempfile::tempdir().unwrap());
    let blobs = disk.path().join("blobs").display().to_string();
    let settings = [("JIASHU_BLOBS".to_owned(), blobs.clone())];
    let relay = TestRelay::on(&folder.path().join("data"), &settings).await;
    let family = Programme::of(&relay).await.enrol("FULL-1", &FamilySpec::li()).await;
    let [mut mother, home] = family.join_all::<2>().await;
    let (id, bytes) = (Ref(random()), Dice::new(5).bytes(100 * 1024));
    let ballast = fill(&disk);
    let ballast_file = File::options().write(true).open(&ballast).unwrap();
    ballast_file.set_len(ballast_file.metadata().unwrap().len() - LEFT).unwrap();
    // What is open keeps its room when it is removed.
    drop(ballast_file);

    let refused = put(&mother.token, id, &bytes, bytes.len()).ask(mother.raw).await;
    let head = BlobRequest::new("HEAD", path(id)).by(&mother.token);
    let offset = |response: &Response| -> usize {
        let line = response.head.lines().find_map(|line| line.strip_prefix("upload-offset: "));
        line.expect("it says how far it is").parse().unwrap()
    };
    let kept = offset(&head.ask(mother.raw).await);
    mother.post("letters go on").await;
    let files = std::fs::read_dir(&blobs).unwrap().flat_map(|family| {
        std::fs::read_dir(family.unwrap().path()).unwrap().map(|file| file.unwrap())
    });
    let on_disk: u64 = files.map(|file| file.metadata().unwrap().len()).sum();
    std::fs::remove_file(ballast).unwrap();
    let rest = patch(&mother.token, id, kept, &bytes[kept..]).ask(mother.raw).await;
    let fetched = BlobRequest::new("GET", path(id)).by(&home.token).ask(home.raw).await;

    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.head.contains("retry-after"), "{refused:?}");
    assert_eq!(on_disk, kept as u64, "what is kept is what is said, and no half of a piece");
    assert!(kept as u64 <= LEFT, "{kept}");
    assert_eq!((rest.status, fetched.body == bytes), (204, true), "{rest:?}");
    eprintln!("P5, voice notes: {kept} of {} bytes were kept", bytes.len());
}

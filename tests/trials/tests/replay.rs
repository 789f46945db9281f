//! Every file of the fuzzer's corpora, run with the ordinary tests: no panic, and memory that stays
//! in proportion to what was sent.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy allows them in test functions, and these are the helpers of tests"
)]

use std::alloc::System;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiashu_proto::bounds::MAX_FRAME;
use jiashu_proto::frame::ClientFrame;
use jiashu_trials::{TRIALS, seeds};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The figures are of the whole process, so one target at a time is counted.
static ALONE: Mutex<()> = Mutex::new(());

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

fn files(target: &str) -> Vec<(String, Vec<u8>)> {
    let dir = corpus(target);
    let entries = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{dir:?}: {error}"));
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect()
}

/// Runs the whole corpus of a target. Each file may allocate so many bytes for each of its own, and
/// so many in any case: what is written again, signed and compared counts with what is read.
fn replay(target: &str, per_byte: usize, in_any_case: usize) {
    let (_, trial) = TRIALS.iter().find(|(name, _)| *name == target).unwrap();
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    write_seeds(target);
    let files = files(target);
    // What is made once and kept, as the zones, is not a file's.
    trial(&seeds::of(target)[0].1);

    for (name, bytes) in &files {
        let region = Region::new(COUNTED);
        trial(bytes);
        let taken = region.change().bytes_allocated;

        let allowed = per_byte * bytes.len() + in_any_case;
        assert!(taken <= allowed, "{target}/{name}: {} bytes took {taken}", bytes.len());
    }
    for (name, seed) in seeds::of(target) {
        let kept = files.iter().any(|(file, bytes)| *file == name && *bytes == seed);
        assert!(kept, "{target}/{name} is not the seed: write the corpus anew, see seeds.rs");
    }
}

fn write_seeds(target: &str) {
    if std::env::var_os("JIASHU_WRITE_CORPUS").is_none() {
        return;
    }
    let dir = corpus(target);
    std::fs::create_dir_all(&dir).unwrap();
    for (name, bytes) in seeds::of(target) {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

#[test]
fn any_bytes_as_frames_are_read_back_or_refused() {
    replay("frames", 100, 4 * 1024);
}

#[test]
fn any_bytes_in_a_seal_are_read_back_or_refused() {
    replay("bodies", 20, 256 * 1024);
}

#[test]
fn any_bytes_as_a_link_follow_only_if_the_family_signed_them() {
    replay("links", 400, 256 * 1024);
}

#[test]
fn any_ops_that_are_taken_leave_a_roster_that_makes_sense() {
    replay("ops", 2_000, 1024 * 1024);
}

#[test]
fn any_text_as_a_rule_gives_what_it_says_or_says_why_not() {
    replay("rules", 400, 1024 * 1024);
}

#[test]
fn any_bytes_as_the_families_list_are_checked_to_the_end() {
    replay("families", 1_000, 64 * 1024);
}

/// A list of so many equal items in the field of a frame, the fields before it in front.
fn list_frame(kind: u8, fields: u8, before: &[u8], item: &[u8], count: usize) -> Vec<u8> {
    let count = u16::try_from(count).unwrap().to_be_bytes();
    let head = [&[0x82, kind, 0x80 | fields], before, &[0x99], &count].concat();
    [&head[..], &item.repeat(u16::from_be_bytes(count).into())].concat()
}

#[test]
fn no_frame_of_64_kib_takes_more_than_twice_that_to_read() {
    const HASH: [u8; 34] = [
        0x58, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0,
    ];
    let entry_ref = [&[0x4c][..], &[1; 12]].concat();
    let post = [&[1][..], &entry_ref, &[4, 1]].concat();
    let card = [&[0x83, 1][..], &HASH, &[0x40]].concat();
    let enrol = [0x61, b'a', 7, 0x40];
    let cases = [
        ("addressees", 2, 7, post, vec![1]),
        ("links handed in", 33, 3, vec![7], vec![0x40]),
        ("cards", 12, 6, enrol.to_vec(), card),
        ("members", 12, 6, [&enrol[..], &[0x80]].concat(), vec![0x83, 1, 0x60, 0x60]),
        ("consents", 12, 6, [&enrol[..], &[0x80, 0x80]].concat(), vec![0x81, 1]),
    ];
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);

    for (what, kind, fields, before, item) in cases {
        let frame = list_frame(kind, fields, &before, &item, 60_000 / item.len());
        assert!(frame.len() <= MAX_FRAME);
        let region = Region::new(COUNTED);
        let read = ClientFrame::from_bytes(&frame);
        let taken = region.change().bytes_allocated;

        assert!(read.is_err(), "{what}");
        assert!(taken <= 2 * MAX_FRAME, "{what}: {taken} bytes");
    }
}

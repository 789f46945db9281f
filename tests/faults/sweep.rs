//! P1, in the long run: the relay is killed at the k-th system call of each kind that touches its
//! files, from its start on, k = 1, 2, 3 …: while it opens the store, writes, checkpoints.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiashu_tests::{Programme, TestRelay};

use crate::crowd::Crowd;
use crate::rounds::at_most;

/// What SQLite and the relay do to files, and how many of the first of each are met.
const CALLS: [(&str, usize); 6] = [
    ("fsync", 200),
    ("fdatasync", 200),
    ("pwrite64", 400),
    ("write", 100),
    ("ftruncate", 20),
    ("unlink", 20),
];

/// A relay that has not met its call by then will not: the load of a round is over.
const LOAD: Duration = Duration::from_secs(3);

/// After so many kills a new family begins: each reading is of all that was ever written.
const ANEW: usize = 20;

pub(crate) async fn killed_at_any_call_it_keeps_what_it_acknowledged() {
    for (call, most) in CALLS {
        let (mut met, most) = (0, at_most(most));
        while met < most {
            let these = sweep(call, met + 1..=(met + ANEW).min(most)).await;
            met += these;
            if these < ANEW {
                break;
            }
        }
        eprintln!("P1, sweep: killed at {met} calls of {call}, 0 acknowledged lost");
    }
}

/// Kills a relay of its own at each of these calls; how many of them it met.
async fn sweep(call: &str, calls: RangeInclusive<usize>) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let mut relay = TestRelay::on(folder.path(), &[]).await;
    let mut crowd = Crowd::join(&Programme::of(&relay).await, "SWEEP").await;
    relay.kill9();
    let mut met = 0;
    for k in calls {
        if !killed_at(&mut relay, &mut crowd, call, k).await {
            break;
        }
        met += 1;
        relay.restart().await;
        crowd.read().await.unwrap();
        crowd.send_what_waits().await;
        let verdict = crowd.verdict();
        assert!(verdict.complaints.is_empty(), "{call} {k}: {verdict:?}");
        // Every other time in order, so that the next one begins with a new WAL.
        if k % 2 == 0 { _ = relay.term().await } else { relay.kill9() }
    }
    relay.restart().await;
    met
}

/// Starts it to be killed at that call, and loads it; whether that came. It does not run then.
async fn killed_at(relay: &mut TestRelay, crowd: &mut Crowd, call: &str, k: usize) -> bool {
    let inject = format!("inject={call}:signal=SIGKILL:when={k}");
    relay.wrap(&["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject]);
    let started = relay.try_restart().await.is_ok();
    let mut met = !started;
    if started {
        let writing = crowd.start_writing();
        met = tokio::time::timeout(LOAD, relay.end()).await.is_ok();
        if !met {
            relay.kill9();
        }
        crowd.end_of(writing).await;
    }
    relay.wrap(&[]);
    met
}

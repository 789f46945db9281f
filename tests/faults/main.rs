//! The faults: what breaks under a running relay, and what its phones see of it then.
//!
//! A test binary with a harness of its own, since a test that cannot run on this machine must not
//! count as passed: its name then ends with `(skipped: why)`, and it is listed as ignored. `needs`
//! tells what a machine must allow, `apart` gives this process a world of its own to harm,
//! `disk` and `shim` harm a disk. A module for each promise:
//!
//! - `tools`: the instruments do what they are said to do, or the rest would prove nothing

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy allows them in test functions, and all of this is one"
)]

use std::future::Future;

use libtest_mimic::{Arguments, Trial};

use crate::needs::Need;

mod needs;

mod apart;

mod disk;

mod shim;

mod compiled;

mod tools;

/// A test: its name, what it needs, how it is run.
macro_rules! trial {
    ($($path:ident)::+, [$($need:ident),*]) => {
        trial(stringify!($($path)::+), &[$(Need::$need),*], $($path)::+)
    };
}

fn main() {
    let args = Arguments::from_args();
    if !args.list {
        apart::enter();
    }
    let trials = vec![
        trial!(tools::a_power_cut_leaves_what_was_synced, [Mounts, Loop, Cc]),
        trial!(tools::a_failing_sync_is_seen_by_the_program, [Cc]),
        trial!(tools::a_small_disk_is_full, [Mounts]),
        trial!(tools::a_broken_file_system_takes_no_writes, [Mounts, Loop, Cc]),
    ];
    libtest_mimic::run(&args, trials).exit();
}

/// A test that runs in a runtime of its own, or is ignored for what this machine lacks.
fn trial<F>(name: &str, needs: &[Need], run: fn() -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    // As a path is written; the compiler parts its names by spaces.
    let name = name.replace(' ', "");
    let missing = needs.iter().find_map(|need| need.missing());
    let name = match &missing {
        None => name,
        Some(why) => format!("{name} (skipped: {why})"),
    };
    let test = Trial::test(name, move || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2).enable_all().build()?.block_on(run());
        Ok(())
    });
    test.with_ignored_flag(missing.is_some())
}

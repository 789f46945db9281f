//! The faults: what breaks under a running relay, and what its phones see of it then.
//!
//! A test binary with a harness of its own, since a test that cannot run on this machine must not
//! count as passed: its name then ends with `(skipped: why)`, and it is listed as ignored. `needs`
//! tells what a machine must allow, `apart` gives this process a world of its own to harm,
//! `disk` and `shim` harm a disk. A module for each promise:
//!
//! - `kill9`: P1, the relay is killed
//! - `redis`: P1, the relay and its Redis are killed
//! - `sweep`: P1, the relay is killed at the k-th system call
//! - `power_loss`: P2, the disk forgets what was not synced
//! - `damage`: P3, the files are not as they were written
//! - `failing_disk`: P4, the disk answers with errors
//! - `full_disk`: P5, there is no room
//! - `failover`: P8, a replica takes its master's place
//! - `clocks` (P9): the wall clock jumps, and what is planned fires once
//! - `neighbours` (P10): bad peers cut nobody off
//! - `stampede` (P11): after an outage all come back, and not in one second
//! - `voice`: the relay is killed while voice notes are stored, named and removed
//! - `bad_line`: a voice note arrives over a slow, lossy line that is cut
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

mod crowd;

mod rounds;

mod kill9;

mod redis;

mod sweep;

mod power_loss;

mod damage;

mod failing_disk;

mod full_disk;

mod failover;

mod clocks;

mod neighbours;

mod stampede;

mod bad_line;

mod voice;

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
        trial!(kill9::what_was_acknowledged_survives_at_any_moment, [Cc]),
        trial!(redis::what_was_acknowledged_survives_kills_of_relay_and_redis, []),
        trial!(redis::what_two_relays_acknowledged_survives_kills_of_either, []),
        trial!(sweep::killed_at_any_call_it_keeps_what_it_acknowledged, [Strace, Long]),
        trial!(power_loss::what_was_acknowledged_survives, [Mounts, Loop, Cc]),
        trial!(power_loss::the_harness_sees_loss_where_syncs_are_not_done, [Mounts, Loop, Cc]),
        trial!(power_loss::what_was_acknowledged_survives_with_redis, [Mounts, Loop, Cc]),
        trial!(power_loss::the_harness_sees_loss_where_redis_does_not_sync, [Mounts, Loop, Cc]),
        trial!(damage::the_store_as_it_was_left_is_whole, []),
        trial!(damage::a_flipped_bit_is_noticed_or_means_nothing, []),
        trial!(damage::a_file_cut_short_is_noticed_or_was_a_torn_tail, []),
        trial!(failing_disk::no_acknowledgement_after_a_sync_has_failed, [Mounts, Loop, Cc]),
        trial!(failing_disk::no_acknowledgement_after_a_write_has_failed, [Mounts, Loop, Cc]),
        trial!(
            failing_disk::no_acknowledgement_after_the_file_system_went_read_only,
            [Mounts, Loop, Cc]
        ),
        trial!(failing_disk::a_failing_read_is_said_and_skips_nothing, [Mounts, Loop, Cc]),
        trial!(full_disk::letters_wait_on_a_full_tmpfs, [Mounts]),
        trial!(full_disk::a_voice_note_waits_for_room_and_letters_do_not, [Mounts]),
        trial!(full_disk::letters_wait_on_a_full_ext4, [Mounts, Loop, Cc]),
        trial!(
            full_disk::without_inodes_a_running_relay_goes_on_and_a_new_one_says_why_not,
            [Mounts]
        ),
        trial!(failover::what_was_acknowledged_survives_failovers_of_sentinel, []),
        trial!(failover::what_was_acknowledged_survives_failovers_of_a_cluster, []),
        trial!(failover::connected_phones_go_on_after_a_failover, []),
        trial!(failover::the_harness_sees_loss_where_no_replica_is_waited_for, []),
        trial!(clocks::each_occurrence_fires_once_whatever_the_clock_does, [Faketime]),
        trial!(clocks::each_occurrence_fires_once_with_redis_too, [Faketime]),
        trial!(neighbours::bad_peers_cut_nobody_off, []),
        trial!(stampede::two_thousand_come_back_by_themselves_and_not_in_one_second, []),
        trial!(stampede::two_thousand_come_back_when_redis_was_gone_too, []),
        trial!(voice::what_was_said_survives_at_any_moment, []),
        trial!(voice::what_was_said_survives_with_redis_and_a_bucket, []),
        trial!(voice::what_nobody_names_goes_though_it_is_killed_meanwhile, [Faketime]),
        trial!(voice::what_nobody_names_goes_with_redis_and_a_bucket, [Faketime]),
        trial!(bad_line::voice_notes_arrive_and_nearly_nothing_is_sent_twice, [Tun]),
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

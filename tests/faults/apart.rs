//! A world of its own for what is harmful: namespaces of mounts and of processes.
//!
//! Nothing is left behind, however this process ends: with it end all that it started, with them
//! the mounts, and with those the loop devices.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::needs::Need;

/// Set for a process that is apart already.
const MARK: &str = "JIASHU_FAULTS_APART";

/// Runs this program again, apart, in the place of this process; where that is not allowed, goes on
/// as it is: what needs it is skipped.
pub(crate) fn enter() {
    if std::env::var_os(MARK).is_some() || Need::Mounts.missing().is_some() {
        return;
    }
    let own = std::env::current_exe().expect("a test has an executable");
    let error = command().arg(own).args(std::env::args_os().skip(1)).env(MARK, "1").exec();
    panic!("cannot start anew: {error}");
}

/// To be given a program that runs apart.
pub(crate) fn command() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    command
}

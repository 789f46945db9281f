//! Holding a process still.

use std::process::Command;

use crate::until::until;

/// Holds it still, once no system call of it is on its way any more.
pub async fn pause(pid: u32) {
    signal(pid, "STOP");
    until("all its threads stand still", async || {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let stands = |task: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat"));
            // A thread that has just ended does nothing either.
            stat.map_or(true, |stat| stat.rsplit(") ").next().unwrap().starts_with('T'))
        };
        tasks.into_iter().all(stands).then_some(())
    })
    .await;
}

/// Lets it go on after [`pause`].
pub fn resume(pid: u32) {
    signal(pid, "CONT");
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(sent.expect("there is a kill").success());
}

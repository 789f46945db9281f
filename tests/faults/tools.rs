//! The instruments themselves: each does what it is said to do.

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;

use crate::disk::Disk;
use crate::shim::{Fault, Shim};

pub(crate) async fn a_power_cut_leaves_what_was_synced() {
    let disk = Disk::ext4(32);
    let write = |name: &str, sync: bool| {
        let mut file = File::create(disk.path().join(name)).unwrap();
        file.write_all(&[b'x'; 1000]).unwrap();
        if sync {
            file.sync_all().unwrap();
        }
    };
    write("synced", true);
    write("not synced", false);

    disk.cut_power();
    let later = fs::write(disk.path().join("later"), "x");
    disk.mount_again();

    assert!(later.is_err(), "nothing is written after the cut");
    assert_eq!(fs::read(disk.path().join("synced")).unwrap(), [b'x'; 1000]);
    assert!(!disk.path().join("not synced").exists(), "what nobody synced is gone");
}

pub(crate) async fn a_small_disk_is_full() {
    let disk = Disk::tmpfs("size=64k");

    let small = fs::write(disk.path().join("small"), [b'x'; 30_000]);
    let large = fs::write(disk.path().join("large"), [b'x'; 100_000]);

    small.unwrap();
    assert_eq!(large.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
}

pub(crate) async fn a_failing_sync_is_seen_by_the_program() {
    let (shim, folder) = (Shim::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("harmed");
    let copy = || {
        let mut dd = Command::new("dd");
        dd.args(["if=/proc/version", "conv=fsync", "status=none"]);
        dd.arg(format!("of={}", file.display())).envs(shim.environment("harmed"));
        dd.output().unwrap().status.success()
    };
    let under = |fault| {
        shim.set(fault);
        copy()
    };

    assert!(under(Fault::None));
    assert!(!under(Fault::SyncFails));
    assert!(!under(Fault::WriteFails));
    assert!(under(Fault::SyncLies));
    assert!(under(Fault::ReadFails), "only what it reads from the harmed file fails");
}

pub(crate) async fn a_broken_file_system_takes_no_writes() {
    let disk = Disk::ext4(32);
    fs::write(disk.path().join("before"), "x").unwrap();

    disk.break_down();
    let while_broken = fs::write(disk.path().join("while broken"), "x");
    disk.mend();

    assert!(while_broken.is_err());
    fs::write(disk.path().join("after"), "x").unwrap();
}

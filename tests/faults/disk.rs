//! Disks that a test may harm: an ext4 in a file, a small one in memory. Both go on drop.
//!
//! They are mounted where this process alone sees them, see `apart`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiashu_tests::{TestRelay, still};
use tempfile::TempDir;

use crate::compiled::{compile, run};

/// Without the journal's commit every 5 s, which would save what nobody synced.
const EXT4: &str = "loop,commit=300,errors=remount-ro";

/// A mounted file system.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: TempDir,
}

impl Disk {
    /// An ext4 of that size, in MiB.
    pub(crate) fn ext4(mib: u64) -> Self {
        let disk = Self::new();
        File::create(disk.image()).unwrap().set_len(mib * 1024 * 1024).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(disk.image()));
        compile("power_cut.c", &[], disk.folder.path());
        disk.mount_image();
        disk
    }

    /// One in memory, with these limits, as `size=4m`.
    pub(crate) fn tmpfs(limits: &str) -> Self {
        let disk = Self::new();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", limits, "none"]).arg(disk.path()));
        disk
    }

    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("jiashu-faults-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("mount")).unwrap();
        Self { folder }
    }

    fn mount_image(&self) {
        run(Command::new("mount").args(["-o", EXT4]).arg(self.image()).arg(self.path()));
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("mount")
    }

    /// From now on nothing reaches an ext4, and what was not synced is lost.
    pub(crate) fn cut_power(&self) {
        run(Command::new(self.folder.path().join("power_cut")).arg(self.path()));
    }

    /// The same while a process runs, which then runs on.
    ///
    /// It is held still for that moment, with no system call on its way: a sync that meets the end
    /// of the journal is told by Linux that it was done (a bare program that writes and syncs sees
    /// it in 1 of 20 cuts). After a cut of the real power nobody is there to be told.
    pub(crate) async fn cut_power_of(&self, pid: u32) {
        still::pause(pid).await;
        self.cut_power();
        still::resume(pid);
    }

    /// Mounts an ext4 anew, as after a power cut. Nobody may have a file open.
    pub(crate) fn mount_again(&self) {
        run(Command::new("umount").arg(self.path()));
        self.mount_image();
    }

    /// The same while a relay runs, held still as in [`Disk::cut_power_of`].
    pub(crate) async fn break_down_under(&self, relay: &TestRelay) {
        relay.pause().await;
        self.break_down();
        relay.resume();
    }

    /// An ext4 finds an error in itself and takes no writes any more.
    pub(crate) fn break_down(&self) {
        let source = Command::new("findmnt").args(["-n", "-o", "SOURCE"]).arg(self.path()).output();
        let source = String::from_utf8(source.unwrap().stdout).unwrap();
        let device = Path::new(source.trim()).file_name().expect("a device has a name");
        let trigger = Path::new("/sys/fs/ext4").join(device).join("trigger_fs_error");
        std::fs::write(trigger, "a test").unwrap();
    }

    /// Mounts an ext4 anew after [`Disk::break_down`], checked as an operator would.
    pub(crate) fn mend(&self) {
        run(Command::new("umount").arg(self.path()));
        // 1: errors were found, and mended.
        let checked = Command::new("e2fsck").args(["-f", "-p"]).arg(self.image()).output().unwrap();
        assert!(checked.status.code().is_some_and(|code| code <= 1), "{checked:?}");
        self.mount_image();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open is about to end too.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

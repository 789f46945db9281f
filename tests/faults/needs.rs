//! What a fault needs of the machine, tried out rather than guessed.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use jiashu_tests::clock::WallClock;

use crate::{apart, bad_line, rounds};

/// Something that not every machine has or allows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// File systems may be mounted, in a namespace of our own.
    Mounts,
    /// An image can be made and mounted through a loop device.
    Loop,
    /// There is a C compiler.
    Cc,
    /// A program can be shown another wall clock, by libfaketime.
    Faketime,
    /// System calls can be met, by strace.
    Strace,
    /// Network namespaces can be made, and devices between them.
    Tun,
    /// Takes too long for every run.
    Long,
}

impl Need {
    /// Why it is not to be had here; `None` if it is.
    pub(crate) fn missing(self) -> Option<&'static str> {
        static MOUNTS: OnceLock<bool> = OnceLock::new();
        static LOOP: OnceLock<bool> = OnceLock::new();
        static CC: OnceLock<bool> = OnceLock::new();
        static STRACE: OnceLock<bool> = OnceLock::new();
        static TUN: OnceLock<bool> = OnceLock::new();
        let (had, why) = match self {
            Self::Mounts => (*MOUNTS.get_or_init(can_mount), "no mounts: not root"),
            Self::Loop => (*LOOP.get_or_init(can_loop), "no loop device or mkfs.ext4"),
            Self::Strace => (*STRACE.get_or_init(can_trace), "no strace, or it may not trace"),
            Self::Faketime => (WallClock::library().is_some(), "no libfaketime"),
            Self::Tun => (*TUN.get_or_init(bad_line::can_be_laid), "no TUN devices: not root"),
            Self::Long => (rounds::is_asked_for(), "belongs to tests/long"),
            Self::Cc => {
                (*CC.get_or_init(|| succeeds(&mut Command::new("cc"), &["--version"])), "no cc")
            }
        };
        (!had).then_some(why)
    }
}

fn can_mount() -> bool {
    apart_succeeds("mount -t tmpfs none \"$1\"")
}

fn can_loop() -> bool {
    apart_succeeds(
        "truncate -s 8M \"$1/image\" && mkfs.ext4 -q -F \"$1/image\" \
         && mkdir \"$1/mount\" && mount -o loop \"$1/image\" \"$1/mount\"",
    )
}

fn can_trace() -> bool {
    succeeds(&mut Command::new("strace"), &["-f", "-qq", "-o", "/dev/null", "true"])
}

/// Whether a shell could do this in a world of its own; what it mounts goes with it.
fn apart_succeeds(script: &str) -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let (mut command, folder) = (apart::command(), folder.path().to_string_lossy().into_owned());
    succeeds(&mut command, &["sh", "-c", script, "sh", &folder])
}

fn succeeds(command: &mut Command, args: &[&str]) -> bool {
    let quiet = command.args(args).stdin(Stdio::null()).stdout(Stdio::null());
    quiet.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

//! A disk that fails or lies, as one process sees it: a library loaded before libc.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::compiled::compile;

/// What the process sees when it writes or syncs its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing wrong.
    None,
    /// A sync says that it was done, and was not.
    SyncLies,
    /// A sync fails with EIO.
    SyncFails,
    /// A write fails with EIO.
    WriteFails,
    /// A read fails with EIO.
    ReadFails,
}

impl Fault {
    fn control(self) -> &'static str {
        match self {
            Self::None => "",
            Self::SyncLies => "sync lies",
            Self::SyncFails => "sync fails",
            Self::WriteFails => "write fails",
            Self::ReadFails => "read fails",
        }
    }
}

/// The library, and the file by which it is switched while the process runs.
#[derive(Debug)]
pub(crate) struct Shim(TempDir);

impl Shim {
    /// Compiles it; nothing is wrong yet. `file` is the name, or a part of it, of what it harms.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        compile("fsfail.c", &["-shared", "-fPIC"], folder.path());
        let shim = Self(folder);
        shim.set(Fault::None);
        shim
    }

    /// What a process needs in its environment, to be harmed in files whose path has `part`.
    pub(crate) fn environment(&self, part: &str) -> Vec<(String, String)> {
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        vec![
            ("LD_PRELOAD".into(), path(self.0.path().join("fsfail"))),
            ("FSFAIL_CONTROL".into(), path(self.control())),
            ("FSFAIL_PATH".into(), part.into()),
        ]
    }

    /// From now on.
    pub(crate) fn set(&self, fault: Fault) {
        // Never half a word: the process may look at any moment.
        let next = self.0.path().join("next");
        std::fs::write(&next, fault.control()).unwrap();
        std::fs::rename(next, self.control()).unwrap();
    }

    fn control(&self) -> PathBuf {
        self.0.path().join("control")
    }
}

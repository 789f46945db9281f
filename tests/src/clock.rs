//! A wall clock that only those see who are started with it, by libfaketime. Of their other clocks, by which they wait,
//! nothing is changed.

use std::path::{Path, PathBuf};

use jiashu_proto::id::Millis;
use jiff::Timestamp;

use crate::{Cli, TestRelay, until};

/// So far ahead of the machine's.
#[derive(Debug)]
pub struct WallClock {
    file: PathBuf,
    library: String,
    ahead: Millis,
}

impl WallClock {
    /// The library, where a machine has it.
    #[must_use]
    pub fn library() -> Option<PathBuf> {
        let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
        let mut found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
        found.find(|library| library.exists())
    }

    /// One that still goes like the machine's, and is kept in that folder.
    ///
    /// # Panics
    ///
    /// If the machine does not have the library: `tests/run` installs it.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        let library = Self::library().expect("tests/run installs faketime").display().to_string();
        let clock = Self { file: folder.join("clock"), library, ahead: 0 };
        clock.write();
        clock
    }

    /// On by so much, or back.
    pub fn jump(&mut self, ms: Millis) {
        self.ahead += ms;
        self.write();
    }

    /// To that time, from which it goes on.
    #[expect(clippy::disallowed_methods, reason = "the machine's own is asked here alone")]
    pub fn set(&mut self, to: Timestamp) {
        self.ahead = to.as_millisecond() - Timestamp::now().as_millisecond();
        self.write();
    }

    /// Put in its place whole: it is read at every look at the clock.
    fn write(&self) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{:+}\n", self.ahead / 1_000)).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }

    /// What a process is told that is to see it.
    #[must_use]
    pub fn settings(&self) -> [(&'static str, String); 5] {
        [
            ("LD_PRELOAD", self.library.clone()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
    }

    /// The same phone or laptop, on this clock.
    #[must_use]
    pub fn on(&self, cli: Cli) -> Cli {
        let settings = self.settings().map(|(key, value)| format!("{key}={value}"));
        let words: Vec<&str> = settings.iter().map(String::as_str).collect();
        cli.within(&[&["env"], &words[..]].concat())
    }
}

/// Waits until nothing is due by the relay's own clock, and no e-mail is under way: a clock that is set on meanwhile would
/// have it sent again.
pub async fn settled(relay: &TestRelay) {
    until("all that is due has fired", async || {
        let figures = String::from_utf8(relay.raw().get("/metrics").await.body).unwrap();
        let stands = |figure: &str| figures.lines().any(|line| line == figure);
        (stands("jiashu_due 0") && stands("jiashu_mails_under_way 0")).then_some(())
    })
    .await;
}

//! What the clients of a test know, written down outside the disk that is harmed: a line for each
//! letter sent, acknowledged, shown. `checker` decides from it alone.

use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiashu_proto::entry::Seq;
use jiashu_proto::id::{DeviceId, Ref};

/// An open journal; many clients may write into it at once, each line whole.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Begins one at this path, or goes on with the one there.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        let file = File::options().create(true).append(true).open(path).unwrap();
        Self { path: path.to_owned(), file: Mutex::new(file) }
    }

    /// A letter is about to be sent, for the first time or again.
    pub fn sent(&self, device: DeviceId, entry_ref: Ref, text: &str) {
        self.line(&format_args!("sent {device} {} {text}", name(entry_ref)));
    }

    /// The relay has acknowledged it.
    pub fn acked(&self, entry_ref: Ref, seq: Seq) {
        self.line(&format_args!("acked {} {seq}", name(entry_ref)));
    }

    /// Its writer is told that it is not sent: it lies in the outbox.
    pub fn unsent(&self, entry_ref: Ref) {
        self.line(&format_args!("unsent {}", name(entry_ref)));
    }

    /// A device begins to read after this place; what is shown next belongs to that.
    pub fn reading(&self, device: DeviceId, after: Seq) {
        self.line(&format_args!("reading {device} {after}"));
    }

    /// A letter was opened.
    pub fn shown(&self, seq: Seq, entry_ref: Ref, text: &str) {
        self.line(&format_args!("shown {seq} {} {text}", name(entry_ref)));
    }

    /// The device has been told that this was all.
    pub fn read_all(&self) {
        self.line(&"all");
    }

    /// What stands in it.
    #[must_use]
    pub fn text(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap()
    }

    fn line(&self, line: &dyn Display) {
        // One write, so that a line is whole whoever is killed.
        self.file.lock().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

fn name(entry_ref: Ref) -> String {
    entry_ref.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

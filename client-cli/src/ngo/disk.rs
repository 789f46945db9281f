//! Files that only this user may read, and that are there whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{CliError, ExitCode, Result};

/// Writes a file, mode 0600, so that after a crash it is the old one or the new one; it is on disk
/// when this returns. One that holds just this is left alone.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| {
        CliError::new(ExitCode::General, format!("cannot write {}: {error}", path.display()))
    };
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    replace(path, bytes).map_err(failed)
}

/// As [`write`], in JSON, for people to read.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("our own types have a form in JSON");
    bytes.push(b'\n');
    write(path, &bytes)
}

/// Reads what [`write_json`] wrote; `None` if there is no such file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let failed = |error: &dyn std::fmt::Display| {
        CliError::new(ExitCode::BadInput, format!("cannot use {}: {error}", path.display()))
    };
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(&error)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = Unfinished::beside(path)?;
    file.write_all(bytes)?;
    file.finish()
}

/// A file that is being written, mode 0600, beside the one whose place it takes once it is whole. Where it never is, it
/// goes.
pub(super) struct Unfinished {
    path: PathBuf,
    beside: PathBuf,
    file: File,
}

impl Unfinished {
    /// Begins it.
    pub(super) fn beside(path: &Path) -> std::io::Result<Self> {
        // Of a fixed name, so that what a crash left behind, with secrets in it, is taken away.
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&beside)?;
        Ok(Self { path: path.to_owned(), beside, file })
    }

    /// It takes its place, and is on disk when this returns.
    pub(super) fn finish(self) -> std::io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.beside, &self.path)?;
        sync_dir(self.path.parent())
    }
}

impl std::io::Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Once it has its place there is nothing here.
        let _ = std::fs::remove_file(&self.beside);
    }
}

/// Makes a rename last; only Unix lets a folder be synced.
#[cfg(unix)]
fn sync_dir(dir: Option<&Path>) -> std::io::Result<()> {
    let dir = dir.filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_: Option<&Path>) -> std::io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_for_its_user_alone_and_takes_the_place_of_the_old() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("invites.json");
        std::fs::write(&path, "old").unwrap();
        std::fs::write(dir.path().join("invites.json.new"), "left by a crash").unwrap();

        write_json(&path, &[1, 2]).unwrap();

        assert_eq!(read_json::<Vec<u8>>(&path).unwrap(), Some(vec![1, 2]));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_not_there_is_none_and_a_broken_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("staff.json");

        assert_eq!(read_json::<u8>(&path).unwrap(), None);

        std::fs::write(&path, "{").unwrap();
        assert!(read_json::<u8>(&path).unwrap_err().message.contains("staff.json"));
    }
}

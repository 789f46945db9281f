//! The folder of one device: where it is, who may read it, and the locks that let several
//! terminals use it at once. What stands in its database is `state`.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{CliError, ExitCode, Result};

/// Name of the database in the folder.
const DATABASE: &str = "jiashu.sqlite3";

/// The folder of one device.
#[derive(Clone, Debug)]
pub struct Home {
    dir: PathBuf,
}

/// Held by the one process that may send for this device; given back when dropped.
#[derive(Debug)]
pub struct SenderLock {
    _file: File,
}

/// Held by the one process that sends this device's files; given back when dropped.
#[derive(Debug)]
pub struct UploadLock {
    _file: File,
}

/// Held while a voice note is fetched, so that two terminals never add to one file; given back when dropped.
#[derive(Debug)]
pub struct FetchLock {
    _file: File,
}

/// Held while letters are printed, so that two terminals never print one letter each.
#[derive(Debug)]
pub struct ShowLock {
    _file: File,
}

impl Home {
    /// The folder named, else `$JIASHU_HOME`, else the system's place for an application's data.
    ///
    /// # Errors
    ///
    /// If the system names no such place.
    pub fn find(named: Option<&Path>) -> Result<Self> {
        let from_environment = || std::env::var_os("JIASHU_HOME").filter(|dir| !dir.is_empty());
        let of_system = || {
            directories::ProjectDirs::from("", "", "jiashu").map(|dirs| dirs.data_dir().to_owned())
        };
        named
            .map(Path::to_owned)
            .or_else(|| from_environment().map(PathBuf::from))
            .or_else(of_system)
            .map(|dir| Self { dir })
            .ok_or_else(|| CliError::new(ExitCode::BadInput, "no home folder: name one by --home"))
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The database, whether or not it is there.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }

    /// The folder of sealed voice notes, whether or not it is there.
    #[must_use]
    pub fn voice(&self) -> PathBuf {
        self.dir.join("voice")
    }

    /// Makes the folder, for this user alone, and an empty database file that no other can read.
    ///
    /// # Errors
    ///
    /// If the system does not let us.
    pub fn prepare(&self) -> Result<()> {
        let failed = |error: std::io::Error| {
            let text = format!("cannot use the folder {}: {error}", self.dir.display());
            CliError::new(ExitCode::BadInput, text)
        };
        make_private_dir(&self.dir).map_err(failed)?;
        private_file(&self.database()).map_err(failed)?;
        Ok(())
    }

    /// Moves the database, which nobody has open, into a new folder in this one. That folder.
    ///
    /// # Errors
    ///
    /// If the system does not let us.
    pub fn put_away(&self) -> Result<PathBuf> {
        let folders = (1..).map(|number: u32| self.dir.join(format!("old-{number}")));
        let free = folders.take_while(|dir| dir.exists()).count().saturating_add(1);
        let dir = self.dir.join(format!("old-{free}"));
        make_private_dir(&dir)?;
        std::fs::rename(self.database(), dir.join(DATABASE))?;
        Ok(dir)
    }

    /// Moves back what [`Home::put_away`] moved into that folder, in the place of an empty database
    /// that nobody has open.
    ///
    /// # Errors
    ///
    /// If the system does not let us.
    pub fn take_back(&self, dir: &Path) -> Result<()> {
        std::fs::rename(dir.join(DATABASE), self.database())?;
        // Whatever else a person has put there stays.
        let _ = std::fs::remove_dir(dir);
        Ok(())
    }

    /// Becomes the one who sends for this device; `None` if another process is.
    ///
    /// # Errors
    ///
    /// If the lock file cannot be used.
    pub fn try_sender(&self) -> Result<Option<SenderLock>> {
        Ok(self.try_lock("sender.lock")?.map(|file| SenderLock { _file: file }))
    }

    /// Becomes the one who sends this device's files; `None` if another process does.
    ///
    /// # Errors
    ///
    /// If the lock file cannot be used.
    pub fn try_uploader(&self) -> Result<Option<UploadLock>> {
        Ok(self.try_lock("upload.lock")?.map(|file| UploadLock { _file: file }))
    }

    fn try_lock(&self, name: &str) -> Result<Option<File>> {
        let file = private_file(&self.dir.join(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Waits until no other process fetches voice notes for this device.
    ///
    /// # Errors
    ///
    /// If the lock file cannot be used.
    pub fn lock_fetching(&self) -> Result<FetchLock> {
        let file = private_file(&self.dir.join("fetch.lock"))?;
        file.lock()?;
        Ok(FetchLock { _file: file })
    }

    /// Waits until no other process prints letters of this device.
    ///
    /// # Errors
    ///
    /// If the lock file cannot be used.
    pub fn show(&self) -> Result<ShowLock> {
        let file = private_file(&self.dir.join("show.lock"))?;
        file.lock()?;
        Ok(ShowLock { _file: file })
    }
}

/// Makes a folder that only this user may enter. One that is there stays as it is.
///
/// # Errors
///
/// If the system does not let us.
pub fn make_private_dir(dir: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Opens a file for writing, making one that only this user may read.
///
/// # Errors
///
/// If the system does not let us.
pub fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_process_sends_for_a_device() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::find(Some(dir.path())).unwrap();

        let first = home.try_sender().unwrap();
        let second = home.try_sender().unwrap();
        drop(first);
        let third = home.try_sender().unwrap();

        assert!(second.is_none());
        assert!(third.is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_new_home_is_for_its_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let home = Home::find(Some(&dir.path().join("new"))).unwrap();

        home.prepare().unwrap();

        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(home.dir()), 0o700);
        assert_eq!(mode(&home.database()), 0o600);
    }
}

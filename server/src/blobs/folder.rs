//! Stored bytes as files: `FAMILY/NAME` in a folder.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiashu_proto::id::{Ref, Scope};
use tokio::sync::Semaphore;

use super::{BlobError, BlobName, Blobs};

/// How many add at once: a disk has one journal, and letters wait for it too.
const ADDING: usize = 2;

/// Files in a folder; each is locked while it is added to, so that relays may share the folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// Families whose folder's own name is durable, as far as this process has seen to it.
    settled: Arc<Mutex<HashSet<Scope>>>,
    adding: Arc<Semaphore>,
}

impl Folder {
    /// In this folder, which is made once there is something to keep.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path, settled: Arc::default(), adding: Arc::new(Semaphore::new(ADDING)) }
    }

    fn of_family(&self, name: BlobName) -> PathBuf {
        self.path.join(name.scope.to_string())
    }

    fn file(&self, name: BlobName) -> PathBuf {
        let Ref(id) = name.id;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        self.of_family(name).join(id)
    }

    fn append_now(&self, name: BlobName, offset: u64, bytes: &[u8]) -> Result<u64, BlobError> {
        let (folder, path) = (self.of_family(name), self.file(name));
        let is_new = !path.exists();
        if is_new && offset == 0 {
            let mut make = fs::DirBuilder::new();
            make.recursive(true).mode(0o700).create(&folder).map_err(unavailable)?;
        }
        // Where there is something already, a file that is gone meanwhile is not made anew.
        let mut open = File::options();
        open.read(true).append(true).create(offset == 0).mode(0o600);
        let mut file = match open.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BlobError::Offset(0));
            }
            file => file.map_err(unavailable)?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BlobError::Busy),
            Err(TryLockError::Error(error)) => return Err(unavailable(error)),
        }
        let size = file.metadata().map_err(unavailable)?.len();
        if size != offset {
            return Err(BlobError::Offset(size));
        }
        if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_data()) {
            // A full disk gets its space back.
            let _ = file.set_len(size);
            return Err(unavailable(error));
        }
        if is_new {
            self.settle(name.scope, &folder).map_err(unavailable)?;
        }
        Ok(size.saturating_add(bytes.len() as u64))
    }

    /// Makes names durable, too: of a new file, of the family's folder, of the folder itself.
    fn settle(&self, family: Scope, folder: &Path) -> io::Result<()> {
        sync_folder(folder)?;
        let settled = || self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        if settled().contains(&family) {
            return Ok(());
        }
        for above in [Some(&*self.path), self.path.parent()].into_iter().flatten() {
            sync_folder(above)?;
        }
        settled().insert(family);
        Ok(())
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    // What is relative begins nowhere.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

fn unavailable(error: io::Error) -> BlobError {
    BlobError::Unavailable(error.into())
}

/// Files block.
async fn off_thread<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(act)
        .await
        .unwrap_or_else(|error| Err(BlobError::Unavailable(error.into())))
}

#[async_trait]
impl Blobs for Folder {
    async fn size(&self, name: BlobName) -> Result<u64, BlobError> {
        let path = self.file(name);
        off_thread(move || match fs::metadata(path) {
            Ok(file) => Ok(file.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(unavailable(error)),
        })
        .await
    }

    async fn append(&self, name: BlobName, offset: u64, bytes: Vec<u8>) -> Result<u64, BlobError> {
        let folder = self.clone();
        let turn = Arc::clone(&self.adding).acquire_owned().await;
        off_thread(move || {
            let _turn = turn;
            folder.append_now(name, offset, &bytes)
        })
        .await
    }

    async fn complete(&self, _name: BlobName) -> Result<(), BlobError> {
        // They stand where they stay from the first byte.
        Ok(())
    }

    async fn read(&self, name: BlobName, from: u64, most: usize) -> Result<Vec<u8>, BlobError> {
        let path = self.file(name);
        off_thread(move || {
            let read = || {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(from))?;
                let mut bytes = Vec::with_capacity(most);
                file.take(most as u64).read_to_end(&mut bytes)?;
                Ok(bytes)
            };
            read().map_err(unavailable)
        })
        .await
    }

    async fn remove(&self, name: BlobName) -> Result<(), BlobError> {
        let (folder, path) = (self.of_family(name), self.file(name));
        off_thread(move || match fs::remove_file(path) {
            Ok(()) => sync_folder(&folder).map_err(unavailable),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(unavailable(error)),
        })
        .await
    }

    async fn remove_all(&self, family: Scope) -> Result<(), BlobError> {
        let (above, settled) = (self.path.clone(), Arc::clone(&self.settled));
        off_thread(move || match fs::remove_dir_all(above.join(family.to_string())) {
            Ok(()) => {
                settled.lock().unwrap_or_else(PoisonError::into_inner).remove(&family);
                sync_folder(&above).map_err(unavailable)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(unavailable(error)),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: BlobName = BlobName { scope: Scope(0xfedc_ba98_7654_3210), id: Ref([7; 12]) };

    #[tokio::test]
    async fn who_adds_while_another_relay_does_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Folder::at(folder.path().to_owned());
        blobs.append(NAME, 0, vec![1; 100]).await.unwrap();
        let held = File::open(blobs.file(NAME)).unwrap();
        held.lock().unwrap();

        let busy = blobs.append(NAME, 100, vec![2; 100]).await;
        held.unlock().unwrap();

        assert!(matches!(busy, Err(BlobError::Busy)), "{busy:?}");
        assert_eq!(blobs.append(NAME, 100, vec![2; 100]).await.unwrap(), 200);
    }
}

//! A backup as a file: a line that says what it is, then every scope with its length before it, then an end that
//! tells what there was. Written beside its place and put there once it is whole; read twice, and believed the
//! second time.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use futures_util::TryStreamExt as _;
use jiashu_proto::id::Scope;

use super::{BackupError, Summary, Summing, bar, every, fill, to_bytes};
use crate::store::{Snapshot, Store};

/// How every backup begins; another version is another line.
const BEGINNING: &[u8; 16] = b"jiashu backup 1\n";

/// More than any family comes to: a log of 400 days, its letters at their longest.
const LONGEST: u64 = 4 << 30;

/// Writes everything of a store into a new file.
///
/// # Errors
///
/// [`BackupError`]; then there is no file.
pub async fn write(store: &dyn Store, path: &Path) -> Result<Summary, BackupError> {
    if path.exists() {
        return Err(BackupError::Exists(path.display().to_string()));
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = Path::new(&beside);
    let written = write_beside(store, path, beside).await;
    if written.is_err() {
        // It may not have come about.
        let _ = std::fs::remove_file(beside);
    }
    written
}

async fn write_beside(
    store: &dyn Store,
    path: &Path,
    beside: &Path,
) -> Result<Summary, BackupError> {
    let io = |source| BackupError::Io { file: beside.display().to_string(), source };
    let mut options = File::options();
    // Sealed as it is, it tells who belongs to whom.
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut out = BufWriter::new(options.open(beside).map_err(io)?);
    out.write_all(BEGINNING).map_err(io)?;
    let scopes = store.scopes().await?;
    let bar = bar("backing up", scopes.len());
    let mut summing = Summing::new();
    let mut every = std::pin::pin!(every(store, scopes));
    while let Some((scope, snapshot)) = every.try_next().await? {
        let bytes = to_bytes(scope, &snapshot);
        summing.add(&snapshot, &bytes);
        out.write_all(&(bytes.len() as u64).to_be_bytes()).map_err(io)?;
        out.write_all(&bytes).map_err(io)?;
        bar.inc(1);
    }
    let summary = summing.end();
    let Summary { scopes, entries, held, bytes, sha256 } = &summary;
    let counts = [0, *scopes, *entries, *held, *bytes];
    for count in counts {
        out.write_all(&count.to_be_bytes()).map_err(io)?;
    }
    out.write_all(sha256).map_err(io)?;
    let file = out.into_inner().map_err(|error| io(error.into_error()))?;
    file.sync_all().map_err(io)?;
    std::fs::rename(beside, path).map_err(io)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))
        .and_then(|folder| folder.sync_all())
        .map_err(io)?;
    bar.finish_and_clear();
    Ok(summary)
}

/// Looks at the whole of a backup.
///
/// # Errors
///
/// [`BackupError::Io`], [`BackupError::Damaged`].
pub fn check(path: &Path) -> Result<Summary, BackupError> {
    let mut scopes = Scopes::open(path)?;
    let (mut summing, mut before) = (Summing::new(), None);
    while let Some((scope, snapshot, bytes)) = scopes.next()? {
        if before >= Some(scope) {
            return Err(scopes.damaged("it is not in its order"));
        }
        before = Some(scope);
        snapshot.check().map_err(|why| scopes.damaged(why))?;
        summing.add(&snapshot, &bytes);
    }
    let (found, told) = (summing.end(), scopes.end()?);
    if found == told { Ok(found) } else { Err(scopes.damaged("its checksum is another")) }
}

/// Fills a store with everything of a backup, which was found whole. What is there already by an earlier try
/// is passed over.
///
/// # Errors
///
/// [`BackupError`].
pub async fn read(path: &Path, whole: &Summary, to: &dyn Store) -> Result<(), BackupError> {
    let mut scopes = Scopes::open(path)?;
    let bar = bar("restoring", usize::try_from(whole.scopes).unwrap_or(usize::MAX));
    let each = std::iter::from_fn(move || {
        let next = scopes.next().transpose()?;
        Some(next.map(|(scope, snapshot, _)| (scope, snapshot)))
    });
    fill(to, futures_util::stream::iter(each), &bar).await?;
    bar.finish_and_clear();
    Ok(())
}

/// The scopes of a backup, one after the other.
struct Scopes {
    file: String,
    from: BufReader<File>,
    /// What is left, in bytes.
    left: u64,
}

impl Scopes {
    fn open(path: &Path) -> Result<Self, BackupError> {
        let name = path.display().to_string();
        let io = |source| BackupError::Io { file: name.clone(), source };
        let mut file = File::open(path).map_err(io)?;
        let left = file.seek(io::SeekFrom::End(0)).map_err(io)?;
        file.rewind().map_err(io)?;
        let mut scopes = Self { file: name.clone(), from: BufReader::new(file), left };
        let mut beginning = [0; 16];
        scopes.fill(&mut beginning)?;
        match beginning.split_last_chunk::<3>() {
            _ if beginning == *BEGINNING => Ok(scopes),
            Some((name, _)) if name == &BEGINNING[..13] => {
                Err(scopes.damaged("a newer program wrote it: use that"))
            }
            _ => Err(scopes.damaged("it does not begin like one")),
        }
    }

    fn damaged(&self, why: &'static str) -> BackupError {
        BackupError::Damaged { file: self.file.clone(), why }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| self.damaged("it breaks off"))?;
        self.from
            .read_exact(bytes)
            .map_err(|source| BackupError::Io { file: self.file.clone(), source })
    }

    fn number(&mut self) -> Result<u64, BackupError> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// The next, with its bytes; `None` at the end.
    fn next(&mut self) -> Result<Option<(Scope, Snapshot, Vec<u8>)>, BackupError> {
        let length = self.number()?;
        if length == 0 {
            return Ok(None);
        }
        if length > LONGEST || length > self.left {
            return Err(self.damaged("it breaks off"));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        self.fill(&mut bytes)?;
        let mut decoder = minicbor::Decoder::new(&bytes);
        let read: Result<(Scope, Snapshot), _> = decoder.decode();
        let (scope, snapshot) = read.map_err(|_| self.damaged("a family does not read"))?;
        // What stands behind it, or is written another way, would be lost.
        if to_bytes(scope, &snapshot) != bytes {
            return Err(self.damaged("a family does not read"));
        }
        Ok(Some((scope, snapshot, bytes)))
    }

    /// What the end tells; nothing comes behind it.
    fn end(&mut self) -> Result<Summary, BackupError> {
        let (scopes, entries) = (self.number()?, self.number()?);
        let (held, bytes) = (self.number()?, self.number()?);
        let mut summary = Summary { scopes, entries, held, bytes, sha256: [0; 32] };
        self.fill(&mut summary.sha256)?;
        if self.left > 0 {
            return Err(self.damaged("something stands behind its end"));
        }
        Ok(summary)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::conformance::whole::a_full_family;
    use crate::store::embedded::{EmbeddedStore, Options};

    async fn a_store(folder: &Path) -> Arc<dyn Store> {
        let store = EmbeddedStore::open(folder, Options::default()).unwrap();
        a_full_family(&store).await;
        Arc::new(store)
    }

    #[tokio::test]
    async fn what_is_backed_up_is_restored() {
        let folder = tempfile::tempdir().unwrap();
        let store = a_store(&folder.path().join("data")).await;
        let file = folder.path().join("backup");

        let written = write(&*store, &file).await.unwrap();
        let checked = check(&file).unwrap();
        let other = EmbeddedStore::open(&folder.path().join("other"), Options::default()).unwrap();
        read(&file, &checked, &other).await.unwrap();
        // Once more: what is there is passed over.
        read(&file, &checked, &other).await.unwrap();

        assert_eq!((written.scopes, checked), (1, written.clone()));
        super::super::verify(&other, &written).await.unwrap();
        let again = write(&*store, &file).await;
        assert!(matches!(again, Err(BackupError::Exists(_))), "{again:?}");
    }

    #[tokio::test]
    async fn a_backup_that_is_not_whole_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = a_store(&folder.path().join("data")).await;
        let file = folder.path().join("backup");
        write(&*store, &file).await.unwrap();
        let whole = std::fs::read(&file).unwrap();

        for length in (0..whole.len()).step_by(7) {
            std::fs::write(&file, &whole[..length]).unwrap();
            assert!(matches!(check(&file), Err(BackupError::Damaged { .. })), "of {length}");
        }
        for bit in (0..whole.len() * 8).step_by(13) {
            let mut altered = whole.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&file, &altered).unwrap();
            assert!(matches!(check(&file), Err(BackupError::Damaged { .. })), "bit {bit}");
        }
        std::fs::write(&file, [&whole[..], b"x"].concat()).unwrap();
        assert!(matches!(check(&file), Err(BackupError::Damaged { .. })), "with more behind");
    }

    #[tokio::test]
    async fn another_family_of_that_number_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let store = a_store(&folder.path().join("data")).await;
        let file = folder.path().join("backup");
        let whole = write(&*store, &file).await.unwrap();
        let other = a_store(&folder.path().join("other")).await;

        let refused = read(&file, &whole, &*other).await;

        assert!(matches!(refused, Err(BackupError::Another(_))), "{refused:?}");
    }
}

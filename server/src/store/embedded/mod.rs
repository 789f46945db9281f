//! The default store: one SQLite file in a data folder, one thread that writes it.
//!
//! Waiting commits share one transaction and one fsync (`writer`), each checked and applied by
//! itself (`apply`); reads go past the writer on connections of their own (`reader`). What a batch
//! means is told by the [`Store`] trait; what the file looks like, by `schema`.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiashu_proto::entry::{Cursor, Seq};
use jiashu_proto::frame::Reached;
use jiashu_proto::id::{DeviceId, InviteId, Millis, Ref, Scope};
use rusqlite::Connection;
use tokio::sync::broadcast;

use self::condition::{Condition, Failure};
use self::look_over::{Damaged, look_over};
use self::reader::Readers;
use self::states::States;
use self::threads::Threads;
use super::noted::{self, Noted};
use super::status::StoreStatus;
use super::{
    Batch, Book, Change, Cleaning, Committed, Due, DueCount, Health, HeldBody, LedgerRow,
    Occurring, Page, PageLimit, Record, ScopeState, Snapshot, Store, StoreError, Wake,
};

mod threads;
mod writer;

mod apply;
mod facts;
mod holds;
mod ledger;

mod reader;

mod whole;

mod sums;

mod look_over;
mod wal;

mod checkpoint;
mod condition;
mod schema;
mod states;
mod status;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;

/// The file in the data folder.
pub const FILE: &str = "jiashu.sqlite3";

/// Locked as long as a relay uses the folder.
const LOCK_FILE: &str = "lock";

/// What the lock file says once a store was made: an empty one beside it is damaged, not new.
const MADE: &str = "a store was made here\n";

/// Stands where everything was moved to another store.
pub const MOVED_FILE: &str = "moved-away";

/// Wakes that a slow listener may leave unread before it is told that it lost some.
const WAKES: usize = 4096;

/// What an operator may tune.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Reads that may run at once, each on a connection of its own.
    pub readers: usize,
    /// Page cache of the connection that writes, in KiB.
    pub cache_kib: u32,
    /// Page cache of each reader, in KiB: the system caches the file too, and who is connected is
    /// answered from memory.
    pub reader_cache_kib: u32,
    /// How closely the file is looked at before it is used.
    pub look: Look,
}

/// How closely a file is looked at before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// At how it hangs together, if it is not too long; the rest is checked as it is read.
    Quick,
    /// At every row, however long that takes.
    Thorough,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 2, cache_kib: 16_384, reader_cache_kib: 512, look: Look::Quick }
    }
}

/// Why the store could not be opened; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or this one, has it open.
    #[error("{} is in use by another relay", .0.display())]
    InUse(PathBuf),
    /// Everything was moved to another store.
    #[error("what was in {folder} was moved to a Redis: use that, or delete {MOVED_FILE} there", folder = .0.display())]
    Moved(PathBuf),
    /// It must be brought up to date first.
    #[error("{} was written by an older relay: start this one once", .0.display())]
    Older(PathBuf),
    /// The file is of something else, or damaged from its first page on.
    #[error("{} is not a Jiashu store", .0.display())]
    Foreign(PathBuf),
    /// It was written by a newer relay, and is not guessed at.
    #[error("{} has schema {found}, this relay knows {known}: run a newer relay", .path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest that this relay knows.
        known: i64,
    },
    /// The folder or a file in it could not be made or opened.
    #[error("cannot use {}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file system cannot share memory between connections, as over a network.
    #[error("{} cannot have a write-ahead log: use a local disk", .0.display())]
    NoWal(PathBuf),
    /// What was acknowledged may be gone: nothing is guessed, and nothing was changed.
    #[error("{} is damaged ({place}): restore the folder from a backup", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        place: String,
    },
    /// SQLite refused.
    #[error("cannot open {}", .path.display())]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

impl OpenError {
    fn damaged(path: &Path, place: String) -> Self {
        Self::Damaged { path: path.to_owned(), place }
    }
}

/// What the writer, the checkpointer and the callers share.
struct Shared {
    damaged: Damaged,
    states: States,
    noted: Noted,
    condition: Condition,
    wakes: broadcast::Sender<Wake>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            damaged: Damaged::default(),
            states: States::default(),
            noted: Noted::default(),
            condition: Condition::default(),
            wakes: broadcast::Sender::new(WAKES),
        }
    }
}

/// A store in one file; see the module.
pub struct EmbeddedStore {
    path: PathBuf,
    shared: Arc<Shared>,
    readers: Readers,
    /// `None` once closed.
    threads: Mutex<Option<Threads>>,
}

impl EmbeddedStore {
    /// Opens the store in `folder`, which is made if there is none.
    ///
    /// Migrates an older schema. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: in use, not ours, of a newer relay, damaged, or not accessible.
    pub fn open(folder: &Path, options: Options) -> Result<Self, OpenError> {
        make_folder(folder)?;
        if folder.join(MOVED_FILE).exists() {
            return Err(OpenError::Moved(folder.to_owned()));
        }
        let mut lock = lock_folder(folder)?;
        let path = folder.join(FILE);
        let made_before = has_mark(&mut lock)
            .map_err(|source| OpenError::Io { path: folder.join(LOCK_FILE), source })?;
        if made_before && fs::metadata(&path).map_or(0, |file| file.len()) == 0 {
            return Err(OpenError::damaged(&path, "it is empty".to_owned()));
        }
        check_wal(&path)?;
        make_file(folder, &path)?;
        let connection = schema::open_writer(&path, options)?;
        if !made_before {
            set_mark(&mut lock)
                .map_err(|source| OpenError::Io { path: folder.join(LOCK_FILE), source })?;
        }
        Self::start(path, connection, lock, options)
    }

    /// Opens the store in `folder` to read it, beside a relay that may use it: nothing can be written.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: not ours, of another relay's version, damaged, or not accessible.
    pub fn open_beside(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        // Where a relay writes the log, it has looked at it.
        if let Ok(_lock) = lock_folder(folder) {
            check_wal(&path)?;
        }
        schema::check_version(&path)?;
        let sqlite = |source| OpenError::Sqlite { path: path.clone(), source };
        let readers = Readers::open(&path, Options::default()).map_err(sqlite)?;
        Ok(Self { path, shared: Arc::default(), readers, threads: Mutex::new(None) })
    }

    /// The scopes that are refused, for a row of theirs is damaged.
    #[must_use]
    pub fn damaged(&self) -> Vec<Scope> {
        self.shared.damaged.scopes()
    }

    fn start(
        path: PathBuf,
        connection: Connection,
        lock: File,
        options: Options,
    ) -> Result<Self, OpenError> {
        let sqlite = |source| OpenError::Sqlite { path: path.clone(), source };
        let damaged = Damaged::default();
        match look_over(&connection, options.look, &damaged) {
            Ok(None) => {}
            Ok(Some(place)) => return Err(OpenError::damaged(&path, place)),
            Err(source) => return Err(OpenError::damaged(&path, source.to_string())),
        }
        let readers = Readers::open(&path, options).map_err(sqlite)?;
        let checkpoints = schema::open_checkpointer(&path).map_err(sqlite)?;
        let shared = Arc::new(Shared { damaged, ..Shared::default() });
        let threads = Threads::start(&shared, connection, checkpoints, lock)
            .map_err(|source| OpenError::Io { path: path.clone(), source })?;
        Ok(Self { path, shared, readers, threads: Mutex::new(Some(threads)) })
    }
}

/// Makes a relay's folder, which is for its user alone.
pub(crate) fn make_folder(folder: &Path) -> Result<(), OpenError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| OpenError::Io { path: folder.to_owned(), source })
}

fn lock_folder(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK_FILE);
    let io = |source| OpenError::Io { path: path.clone(), source };
    let file = private_file(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Whether a store was made in the folder before. Without the mark an empty file is a new one.
fn has_mark(lock: &mut File) -> io::Result<bool> {
    let mut text = String::new();
    lock.take(MADE.len() as u64).read_to_string(&mut text)?;
    Ok(text == MADE)
}

fn set_mark(lock: &mut File) -> io::Result<()> {
    lock.write_all(MADE.as_bytes())?;
    lock.sync_all()
}

/// Before SQLite sees the write-ahead log, which it would cut off at a damaged place.
fn check_wal(path: &Path) -> Result<(), OpenError> {
    let wal = path.with_file_name(format!("{FILE}-wal"));
    match wal::damage(&wal) {
        Ok(None) => Ok(()),
        Ok(Some(place)) => Err(OpenError::damaged(&wal, place)),
        Err(source) => Err(OpenError::Io { path: wal, source }),
    }
}

/// SQLite would make the file readable for all, and its neighbours take its mode.
fn make_file(folder: &Path, path: &Path) -> Result<(), OpenError> {
    private_file(path)
        .and_then(|file| file.sync_all())
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

fn private_file(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn commit(&self, scope: Scope, batch: Batch) -> Result<Committed, StoreError> {
        self.shared.damaged.check(scope)?;
        let erases = batch.changes.contains(&Change::Erase);
        let handed_in = match lock(&self.threads).as_ref() {
            Some(threads) => threads.hand_in(scope, batch),
            None => Err(Failure::Closed),
        };
        let done = match handed_in {
            Ok(answer) => answer.await.unwrap_or_else(|_| Err(Failure::Closed.into())),
            Err(failure) => Err(failure.into()),
        };
        if erases && done.is_ok() {
            self.shared.noted.forget(scope);
        }
        done
    }

    async fn state(&self, scope: Scope) -> Result<Option<Arc<ScopeState>>, StoreError> {
        self.shared.damaged.check(scope)?;
        if let Some(state) = self.shared.states.get(scope) {
            return Ok(Some(state));
        }
        let drops = self.shared.states.drops();
        let state = self.readers.read(move |tx| reader::state(tx, scope)).await?.map(Arc::new);
        if let Some(state) = &state {
            self.shared.states.keep(scope, state, drops);
        }
        Ok(state)
    }

    async fn read_after(
        &self,
        scope: Scope,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Page, StoreError> {
        self.shared.damaged.check(scope)?;
        if let Some(page) = self.shared.states.read_after(scope, cursor, limit) {
            return Ok(page);
        }
        self.readers.read(move |tx| reader::read_after(tx, scope, cursor, limit)).await
    }

    async fn record_at(&self, scope: Scope, seq: Seq) -> Result<Option<Record>, StoreError> {
        self.shared.damaged.check(scope)?;
        self.readers.read(move |tx| reader::record_at(tx, scope, seq)).await
    }

    async fn facts(&self, scope: Scope, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
        self.shared.damaged.check(scope)?;
        let prefix = prefix.to_owned();
        self.readers.read(move |tx| reader::facts(tx, scope, &prefix)).await
    }

    async fn fact(&self, scope: Scope, key: &str) -> Result<Option<Record>, StoreError> {
        self.shared.damaged.check(scope)?;
        let key = key.to_owned();
        self.readers.read(move |tx| reader::fact(tx, scope, &key)).await
    }

    async fn whole_book(&self, scope: Scope, book: &str) -> Result<Book, StoreError> {
        self.shared.damaged.check(scope)?;
        let book = book.to_owned();
        self.readers.read(move |tx| ledger::book(tx, scope, &book)).await
    }

    async fn row(
        &self,
        scope: Scope,
        book: &str,
        name: &[u8],
    ) -> Result<Option<LedgerRow>, StoreError> {
        self.shared.damaged.check(scope)?;
        let (book, name) = (book.to_owned(), name.to_owned());
        self.readers.read(move |tx| ledger::row(tx, scope, &book, &name)).await
    }

    async fn held(&self, scope: Scope, schedule: Ref) -> Result<Vec<HeldBody>, StoreError> {
        self.shared.damaged.check(scope)?;
        self.readers.read(move |tx| reader::held(tx, scope, schedule)).await
    }

    async fn card(&self, scope: Scope, invite: InviteId) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.damaged.check(scope)?;
        self.readers.read(move |tx| reader::card(tx, scope, invite)).await
    }

    async fn due(&self, now: Millis, limit: usize) -> Result<Vec<Due>, StoreError> {
        let shared = Arc::clone(&self.shared);
        self.readers.read(move |tx| reader::due(tx, now, limit, &shared.damaged)).await
    }

    async fn occurring(
        &self,
        of: Vec<(Scope, Ref)>,
    ) -> Result<Vec<Result<Option<Occurring>, StoreError>>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let read = move |tx: &rusqlite::Connection| {
            let one = |(scope, schedule)| {
                shared.damaged.check(scope)?;
                Ok(reader::occurring(tx, scope, schedule)?)
            };
            Ok::<_, Failure>(of.into_iter().map(one).collect())
        };
        self.readers.read(read).await
    }

    async fn occurrences(
        &self,
        after: Option<(Scope, Ref)>,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let read = move |tx: &_| reader::occurrences(tx, after, limit, &shared.damaged);
        self.readers.read(read).await
    }

    async fn due_count(&self, now: Millis) -> Result<DueCount, StoreError> {
        self.readers.read(move |tx| reader::due_count(tx, now)).await
    }

    async fn running(&self, scope: Scope) -> Result<usize, StoreError> {
        self.shared.damaged.check(scope)?;
        self.readers.read(move |tx| reader::running(tx, scope)).await
    }

    async fn next_due(&self) -> Result<Option<Millis>, StoreError> {
        let shared = Arc::clone(&self.shared);
        self.readers.read(move |tx| reader::next_due(tx, &shared.damaged)).await
    }

    fn note_cursor(&self, scope: Scope, device: DeviceId, seq: Seq, now: Millis) {
        self.shared.noted.note(scope, Reached { device, seq, at: now });
    }

    async fn cursors(&self, scope: Scope) -> Result<Vec<Reached>, StoreError> {
        // In this order: what leaves the memory in between stands in the file already.
        let noted = self.shared.noted.of(scope);
        let written = self.readers.read(move |tx| reader::cursors(tx, scope)).await?;
        Ok(noted::merge(written, noted))
    }

    async fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        self.readers.read(whole::scopes).await
    }

    async fn snapshot(&self, scope: Scope) -> Result<Option<Snapshot>, StoreError> {
        self.shared.damaged.check(scope)?;
        let noted = self.shared.noted.of(scope);
        let snapshot = self.readers.read(move |tx| whole::snapshot(tx, scope)).await?;
        Ok(snapshot.map(|mut snapshot| {
            snapshot.cursors = noted::merge(snapshot.cursors, noted);
            snapshot
        }))
    }

    fn wakes(&self) -> broadcast::Receiver<Wake> {
        self.shared.wakes.subscribe()
    }

    fn health(&self) -> Health {
        self.shared.condition.health()
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        let path = self.path.clone();
        let journal = |tx: &Connection| {
            let mode = tx.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
            mode.map_err(Failure::from)
        };
        let journal = self.readers.read(journal).await?;
        Ok(status::status(&path, journal))
    }

    async fn clean(&self, _begun: Option<&str>) -> Result<Cleaning, StoreError> {
        let path = self.path.clone();
        let clean = move || checkpoint::clean(&path);
        match tokio::task::spawn_blocking(clean).await {
            Ok(done) => Ok(done.map(|()| Cleaning::Done).map_err(Failure::from)?),
            Err(_) => Err(Failure::Closed.into()),
        }
    }

    async fn close(&self) {
        self.readers.close();
        let threads = lock(&self.threads).take();
        // The task ends early only if finishing panicked, which the panic hook has told.
        let _ = tokio::task::spawn_blocking(move || drop(threads)).await;
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Nothing behind these locks is left half changed by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

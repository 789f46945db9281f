//! Everything of a store, carried into a file, out of one, or into another store.
//!
//! A store is read scope by scope, ascending, each as of one moment ([`Snapshot`]): a relay may go on meanwhile. The same
//! bytes stand in the file (`file`) whatever store they came from, so what a backup holds any store can be
//! filled with. Counts and a SHA-256 over all of it tell that what was carried is what was there.

use std::fmt::Write as _;

use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};
use jiashu_proto::id::Scope;
use ring::digest::{Context, SHA256};

use crate::store::{Batch, Change, Precondition, Snapshot, Store, StoreError};

pub mod file;

/// Scopes read or written at once: a group of commits shares an fsync.
const AT_ONCE: usize = 64;

/// Rows of a ledger written in one step.
const ROWS_AT_ONCE: usize = 1_000;

/// Why something could not be carried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// Of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file could not be read or written.
    #[error("cannot use {file}")]
    Io {
        /// Which.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// There is one of that name.
    #[error("{0} is there already: name another file, an old backup is not overwritten")]
    Exists(String),
    /// The file is none, or not as it was written. Nothing was changed.
    #[error("{file} is no whole backup: {why}")]
    Damaged {
        /// Which.
        file: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A scope does not hang together.
    #[error("family or programme {scope} is damaged: {why}")]
    Scope {
        /// Which.
        scope: Scope,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The store that was to be filled has another scope of that number.
    #[error("family or programme {0} is there already, and is another: fill an empty store")]
    Another(Scope),
    /// What stands in the store that was filled is not what was carried.
    #[error("what arrived is not what was sent: {arrived}, not {sent}")]
    Unlike {
        /// What was carried.
        sent: String,
        /// What stands there.
        arrived: String,
    },
}

/// What was carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Families and programmes, and the relay's own.
    pub scopes: u64,
    /// Places of their logs.
    pub entries: u64,
    /// Letters that wait for their hour.
    pub held: u64,
    /// All of it, in bytes.
    pub bytes: u64,
    /// SHA-256 over all of it.
    pub sha256: [u8; 32],
}

impl Summary {
    /// In one line.
    #[must_use]
    pub fn told(&self) -> String {
        let Self { scopes, entries, held, bytes, .. } = self;
        format!(
            "{scopes} families and programmes, {entries} entries, {held} letters that wait, {bytes} bytes, \
             SHA-256 {}",
            self.hex()
        )
    }

    /// The hash as it is printed.
    #[must_use]
    pub fn hex(&self) -> String {
        self.sha256.iter().fold(String::new(), |mut text, byte| {
            // Writing to memory cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Reckons a summary of what passes, in its order.
struct Summing {
    summary: Summary,
    hash: Context,
}

impl Summing {
    fn new() -> Self {
        Self { summary: Summary::default(), hash: Context::new(&SHA256) }
    }

    fn add(&mut self, snapshot: &Snapshot, bytes: &[u8]) {
        self.summary.scopes += 1;
        self.summary.entries += snapshot.places.len() as u64;
        self.summary.held += snapshot.held.len() as u64;
        self.summary.bytes += bytes.len() as u64;
        self.hash.update(&(bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }

    fn end(self) -> Summary {
        let mut summary = self.summary;
        summary.sha256.copy_from_slice(self.hash.finish().as_ref());
        summary
    }
}

/// The bytes of a scope, the same from every store.
fn to_bytes(scope: Scope, snapshot: &Snapshot) -> Vec<u8> {
    minicbor::to_vec((scope, snapshot)).expect("writing to memory cannot fail")
}

/// Every scope, ascending, with its bytes; each was found to hang together.
fn every<'a>(
    store: &'a dyn Store,
    scopes: Vec<Scope>,
) -> impl Stream<Item = Result<(Scope, Snapshot), BackupError>> + 'a {
    let read = move |scope| async move {
        let snapshot = store.snapshot(scope).await?;
        if let Some(Err(why)) = snapshot.as_ref().map(Snapshot::check) {
            return Err(BackupError::Scope { scope, why });
        }
        // `None`: it was deleted meanwhile.
        Ok(snapshot.map(|snapshot| (scope, snapshot)))
    };
    let each = futures_util::stream::iter(scopes).map(read).buffered(AT_ONCE);
    each.try_filter_map(|found| async move { Ok(found) })
}

/// How far it is, where somebody looks.
fn bar(what: &'static str, scopes: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} [{wide_bar}] {human_pos}/{human_len} {eta}");
    let bar = ProgressBar::new(scopes as u64).with_message(what);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Reads everything, and tells what it was.
///
/// # Errors
///
/// [`BackupError::Store`], [`BackupError::Scope`].
pub async fn summary(store: &dyn Store) -> Result<Summary, BackupError> {
    let scopes = store.scopes().await?;
    let bar = bar("checking", scopes.len());
    let mut summing = Summing::new();
    let mut every = std::pin::pin!(every(store, scopes));
    while let Some((scope, snapshot)) = every.try_next().await? {
        summing.add(&snapshot, &to_bytes(scope, &snapshot));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(summing.end())
}

/// Fills `to` with everything of `from`, which nobody writes to meanwhile. What is there already by an earlier try is passed over.
///
/// # Errors
///
/// [`BackupError::Store`], [`BackupError::Scope`], [`BackupError::Another`].
pub async fn carry(from: &dyn Store, to: &dyn Store) -> Result<Summary, BackupError> {
    let scopes = from.scopes().await?;
    let bar = bar("moving", scopes.len());
    let mut summing = Summing::new();
    let each = every(from, scopes).map_ok(|(scope, snapshot)| {
        summing.add(&snapshot, &to_bytes(scope, &snapshot));
        (scope, snapshot)
    });
    fill(to, each, &bar).await?;
    bar.finish_and_clear();
    Ok(summing.end())
}

/// Commits what comes.
async fn fill(
    to: &dyn Store,
    each: impl Stream<Item = Result<(Scope, Snapshot), BackupError>>,
    bar: &ProgressBar,
) -> Result<(), BackupError> {
    let put = |found: Result<(Scope, Snapshot), BackupError>| async move {
        let (scope, snapshot) = found?;
        put(to, scope, snapshot).await
    };
    let mut written = std::pin::pin!(each.map(put).buffer_unordered(AT_ONCE));
    while let Some(one) = written.next().await {
        one?;
        bar.inc(1);
    }
    Ok(())
}

async fn put(to: &dyn Store, scope: Scope, snapshot: Snapshot) -> Result<(), BackupError> {
    let cursors = snapshot.cursors.clone();
    let kind = snapshot.state.kind;
    let requires = vec![Precondition::Absent];
    let changes = vec![Change::Create(kind), Change::Restore(Box::new(snapshot.clone()))];
    let is_there = match to.commit(scope, Batch { requires, changes, ..Batch::new(0) }).await {
        Ok(_) => false,
        Err(StoreError::Stale { .. }) => true,
        Err(error) => return Err(error.into()),
    };
    for rows in snapshot.ledger.chunks(ROWS_AT_ONCE) {
        let changes = rows.iter().cloned().map(Change::Enter).collect();
        to.commit(scope, Batch { changes, ..Batch::new(0) }).await?;
    }
    if is_there {
        let there = to.snapshot(scope).await?;
        let there = there.map(|there| Snapshot { cursors: cursors.clone(), ..there });
        if there.as_ref() != Some(&snapshot) {
            return Err(BackupError::Another(scope));
        }
    }
    for reached in cursors {
        to.note_cursor(scope, reached.device, reached.seq, reached.at);
    }
    Ok(())
}

/// Whether what stands in a store is what was carried there.
///
/// # Errors
///
/// [`BackupError::Unlike`], and those of [`summary`].
pub async fn verify(store: &dyn Store, sent: &Summary) -> Result<(), BackupError> {
    let arrived = summary(store).await?;
    if arrived == *sent {
        return Ok(());
    }
    Err(BackupError::Unlike { sent: sent.told(), arrived: arrived.told() })
}

//! The thread that writes: takes the commits that wait, makes them durable together, answers all.
//!
//! What one batch does is in `apply`. A group stands or falls as a whole only by the disk: a batch
//! refused has written nothing, and an error of SQLite is never one batch's fault.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiashu_proto::id::Scope;
use rusqlite::types::ValueRef::Integer;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::Shared;
use super::apply::{Group, Touched};
use super::checkpoint::{self, WalFill};
use super::condition::Failure;
use super::sums::CURSOR;
use crate::store::noted::Cursors;
use crate::store::{Batch, Committed, StoreError, Wake};

/// Commits that share a transaction; more gains nothing and makes the first wait.
const GROUP: usize = 512;

/// How often cursors are written, well within the 5 s promised.
const TICK: Duration = Duration::from_secs(2);

/// A commit that waits.
pub(super) struct Pending {
    pub(super) scope: Scope,
    pub(super) batch: Batch,
    pub(super) answer: oneshot::Sender<Result<Committed, StoreError>>,
}

/// What came of each batch of a group.
type Answers = Vec<Result<Committed, StoreError>>;

/// The writing connection and what it shares.
pub(super) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    fill: Arc<WalFill>,
}

/// Writes until the queue has ended, then finishes.
pub(super) fn run(mut writer: Writer, queue: &Receiver<Pending>) {
    let mut tick_at = Instant::now() + TICK;
    loop {
        match queue.recv_timeout(tick_at.saturating_duration_since(Instant::now())) {
            Ok(first) => {
                let group = std::iter::once(first).chain(queue.try_iter()).take(GROUP);
                writer.write(group.collect());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if Instant::now() >= tick_at {
            tick_at = Instant::now() + if writer.tick() { Duration::ZERO } else { TICK };
        }
        writer.restart_long_wal();
    }
    writer.finish();
}

impl Writer {
    pub(super) fn new(connection: Connection, shared: Arc<Shared>, fill: Arc<WalFill>) -> Self {
        Self { connection, shared, fill }
    }

    fn write(&mut self, mut group: Vec<Pending>) {
        while !group.is_empty() {
            let written = match self.shared.condition.check() {
                Ok(()) => self.commit(&group),
                Err(failure) => Err(failure),
            };
            let failure = match written {
                Ok((answers, touched)) => return self.announce(group, answers, touched),
                Err(failure) => failure,
            };
            let Some((damaged, table)) = failure.damaged_row() else {
                return self.give_up(group, failure);
            };
            // Theirs is refused from now on; the others are written without it.
            self.shared.damaged.note(damaged, table);
            let (theirs, others) = group.into_iter().partition(|pending| pending.scope == damaged);
            refuse(theirs, failure);
            group = others;
        }
    }

    fn commit(&mut self, pending: &[Pending]) -> Result<(Answers, Vec<(Scope, Touched)>), Failure> {
        let tx = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        let mut group = Group::new(&tx, &self.shared.states);
        let mut answers = Vec::with_capacity(pending.len());
        for Pending { scope, batch, .. } in pending {
            answers.push(group.commit(*scope, batch)?);
        }
        let touched = group.write_states()?;
        if touched.is_empty() {
            return Ok((answers, touched));
        }
        tx.commit()?;
        self.fill.note_write();
        self.shared.condition.worked();
        Ok((answers, touched))
    }

    /// States first: whoever is answered or woken must see them.
    fn announce(&self, group: Vec<Pending>, answers: Answers, touched: Vec<(Scope, Touched)>) {
        let woken: Vec<Scope> =
            touched.iter().filter(|(_, touched)| touched.wakes).map(|(scope, _)| *scope).collect();
        let committed = touched.into_iter().map(|(scope, touched)| touched.committed(scope));
        self.shared.states.put(committed);
        for (pending, answer) in group.into_iter().zip(answers) {
            // Who asked may have gone, and nobody need listen for wakes.
            let _ = pending.answer.send(answer);
        }
        for scope in woken {
            let _ = self.shared.wakes.send(Wake { scope });
        }
    }

    fn give_up(&self, group: Vec<Pending>, failure: Failure) {
        self.shared.states.clear();
        self.shared.condition.failed(&failure);
        refuse(group, failure);
    }

    /// Writes cursors; says whether more wait.
    fn tick(&mut self) -> bool {
        if self.shared.condition.check().is_err() {
            return false;
        }
        let chunk = self.shared.noted.take_chunk();
        // With nothing to write the empty transaction still finds out whether a full disk has room.
        if chunk.is_empty() && !self.shared.condition.waits() {
            return false;
        }
        match write_cursors(&mut self.connection, &chunk) {
            Ok(()) => {
                self.shared.noted.written();
                self.fill.note_write();
                self.shared.condition.worked();
                !chunk.is_empty()
            }
            Err(error) => {
                self.shared.noted.not_written();
                self.shared.condition.failed(&error.into());
                false
            }
        }
    }

    fn restart_long_wal(&self) {
        if self.fill.take_too_long() {
            self.checkpoint("RESTART");
        }
    }

    fn finish(&mut self) {
        while self.tick() {}
        if self.shared.condition.check().is_ok() {
            self.checkpoint("TRUNCATE");
        }
    }

    fn checkpoint(&self, mode: &str) {
        match checkpoint::checkpoint(&self.connection, mode) {
            Ok(_) => {}
            Err(error) if checkpoint::is_busy(&error) => self.fill.note_write(),
            Err(error) => self.shared.condition.failed(&error.into()),
        }
    }
}

fn refuse(group: Vec<Pending>, failure: Failure) {
    let failure = Arc::new(failure);
    for pending in group {
        let _ = pending.answer.send(Err((&failure).into()));
    }
}

fn write_cursors(connection: &mut Connection, cursors: &Cursors) -> rusqlite::Result<()> {
    let tx = Transaction::new(connection, TransactionBehavior::Immediate)?;
    {
        let mut write = tx.prepare_cached(
            "INSERT INTO cursor(scope, device, seq, at, sum) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET seq = excluded.seq, at = excluded.at, sum = excluded.sum
             WHERE excluded.seq > seq",
        )?;
        for ((scope, device), reached) in cursors {
            let (scope, seq) = (scope.0.cast_signed(), reached.seq.cast_signed());
            let row = [scope, device.0.into(), seq, reached.at];
            write.execute((scope, device.0, seq, reached.at, CURSOR.sum(row.map(Integer))))?;
        }
    }
    if cursors.is_empty() {
        // Writes the header's page without changing it.
        tx.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
            .and_then(|version| tx.pragma_update(None, "user_version", version))?;
    }
    tx.commit()
}

impl Drop for Writer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.condition.writer_panicked();
        }
    }
}

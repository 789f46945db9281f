//! The store's threads: started by open, ended by close or drop, always awaited.
//!
//! What they do is in `writer` and `checkpoint`.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};

use jiashu_proto::id::Scope;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::Shared;
use super::checkpoint::{self, WalFill};
use super::condition::Failure;
use super::writer::{self, Pending, Writer};
use crate::store::{Batch, Committed, StoreError};

/// Commits that may wait for the writer: a second of its work, or the outboxes of 1,000 phones.
const QUEUE: usize = 16 * 1024;

/// A commit's answer, once it is durable.
type Answer = oneshot::Receiver<Result<Committed, StoreError>>;

/// The running threads. Dropping them finishes what was handed in and waits for the end.
pub(super) struct Threads {
    /// `None` only while being dropped: the writer ends when its queue does.
    queue: Option<SyncSender<Pending>>,
    stop_checkpoints: Option<mpsc::Sender<()>>,
    running: Vec<JoinHandle<()>>,
    /// Given up last, so that nobody opens a folder that is still written.
    _lock: File,
}

impl Threads {
    /// Starts both threads.
    pub(super) fn start(
        shared: &Arc<Shared>,
        connection: Connection,
        checkpoints: Connection,
        lock: File,
    ) -> io::Result<Self> {
        let (queue, commits) = mpsc::sync_channel(QUEUE);
        let (stop_checkpoints, stopped) = mpsc::channel();
        let fill = Arc::new(WalFill::default());
        let mut threads = Self {
            queue: Some(queue),
            stop_checkpoints: Some(stop_checkpoints),
            running: Vec::new(),
            _lock: lock,
        };

        let for_checkpoints = (Arc::clone(shared), Arc::clone(&fill));
        threads.spawn("jiashu-store-checkpoint", move || {
            checkpoint::run(&checkpoints, &for_checkpoints.0, &for_checkpoints.1, &stopped);
        })?;
        let writer = Writer::new(connection, Arc::clone(shared), fill);
        threads.spawn("jiashu-store-writer", move || writer::run(writer, &commits))?;
        Ok(threads)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.running.push(thread::Builder::new().name(name.to_owned()).spawn(work)?);
        Ok(())
    }

    /// Queues a commit; the answer comes once it is durable.
    pub(super) fn hand_in(&self, scope: Scope, batch: Batch) -> Result<Answer, Failure> {
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(Failure::Closed)?;
        match queue.try_send(Pending { scope, batch, answer }) {
            Ok(()) => Ok(answered),
            Err(TrySendError::Full(_)) => Err(Failure::Busy),
            Err(TrySendError::Disconnected(_)) => Err(Failure::Closed),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop_checkpoints = None;
        self.queue = None;
        for thread in self.running.drain(..) {
            // A thread that panicked has told so in the store's condition.
            let _ = thread.join();
        }
    }
}

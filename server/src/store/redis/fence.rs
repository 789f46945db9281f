//! Waiting for replicas: what was written before the fence is at as many as were asked for.
//!
//! WAIT counts for a connection's own last write. Here one connection writes and waits for all: replication is
//! one stream, so who has the fence has what came before. Commits that come while one fence is under way share
//! the next.

use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::link::{Failure, Link};

/// Who waits: over which connection they wrote, and whom to tell.
type Waiting = (u64, oneshot::Sender<Result<(), Failure>>);

/// Lets pass what enough replicas have.
pub(super) struct Fence {
    link: Link,
    replicas: usize,
    waiting: Mutex<Vec<Waiting>>,
    come: Notify,
}

impl Fence {
    pub(super) fn new(link: Link, replicas: usize) -> Arc<Self> {
        Arc::new(Self { link, replicas, waiting: Mutex::default(), come: Notify::new() })
    }

    /// Waits until enough replicas have what was written over that connection.
    pub(super) async fn pass(&self, id: u64) -> Result<(), Failure> {
        if self.replicas == 0 {
            return Ok(());
        }
        let (tell, told) = oneshot::channel();
        super::lock(&self.waiting).push((id, tell));
        self.come.notify_one();
        told.await.unwrap_or(Err(Failure::Closed))
    }

    /// Lets them pass, until `stop`.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return super::lock(&self.waiting).clear(),
                () = self.come.notified() => {}
            }
            let waiting = std::mem::take(&mut *super::lock(&self.waiting));
            let Some(newest) = waiting.iter().map(|(id, _)| *id).max() else { continue };
            let had = self.link.replicas_with(newest, self.replicas).await;
            for (id, tell) in waiting {
                let passed = match &had {
                    Ok(_) if id != newest => Err(Failure::InDoubt),
                    Ok(had) if usize::try_from(*had).is_ok_and(|had| had >= self.replicas) => {
                        Ok(())
                    }
                    Ok(had) => Err(Failure::TooFew(*had, self.replicas)),
                    Err(_) => Err(Failure::InDoubt),
                };
                let _ = tell.send(passed);
            }
        }
    }
}

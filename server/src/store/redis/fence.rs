//! Waiting for replicas: what was written before the fence is at as many as were asked for.
//!
//! WAIT counts for a connection's own last write. Here one connection writes and waits for all: replication is
//! one stream, so who has the fence has what the server had before. That it had the commit is looked at in the
//! same breath: another server may be the master by now, whose replicas know nothing of it. Commits that come while
//! one fence is under way share the next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::link::{Failure, Link};

/// A scope as it was written, or found written.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) bucket: u64,
    pub(super) scope_key: String,
    pub(super) version: Vec<u8>,
}

/// Who waits, and whom to tell.
type Waiting = (Written, oneshot::Sender<Result<(), Failure>>);

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

    /// Waits until enough replicas have it.
    pub(super) async fn pass(&self, written: Written) -> Result<(), Failure> {
        if self.replicas == 0 {
            return Ok(());
        }
        let (tell, told) = oneshot::channel();
        super::lock(&self.waiting).push((written, tell));
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
            if waiting.is_empty() {
                continue;
            }
            // Who is not told is in doubt.
            let Ok(servers) = self.link.servers().await else {
                for (_, tell) in waiting {
                    let _ = tell.send(Err(Failure::InDoubt));
                }
                continue;
            };
            let mut by_server: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for one in waiting {
                by_server.entry(servers.get(&one.0.bucket)).or_default().push(one);
            }
            join_all(by_server.into_values().map(|of_one| self.wait_for(of_one))).await;
        }
    }

    /// Those of one server.
    async fn wait_for(&self, waiting: Vec<Waiting>) {
        let writes: Vec<_> = waiting.iter().map(|(written, _)| written).collect();
        let had = self.link.replicas_with(&writes, self.replicas).await;
        for (place, (_, tell)) in waiting.into_iter().enumerate() {
            let passed = match &had {
                Ok((stands, _)) if stands.get(place) != Some(&true) => Err(Failure::InDoubt),
                Ok((_, had)) if usize::try_from(*had).is_ok_and(|had| had >= self.replicas) => {
                    Ok(())
                }
                Ok((_, had)) => Err(Failure::TooFew(*had, self.replicas)),
                Err(_) => Err(Failure::InDoubt),
            };
            let _ = tell.send(passed);
        }
    }
}

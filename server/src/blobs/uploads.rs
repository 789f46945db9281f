//! Requests that bring bytes of one upload: a later one ends the one before it, whose line is dead as a rule; what that
//! one has brought is kept first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMutexGuard, watch};

use super::BlobName;

/// Those of this process.
#[derive(Debug, Default)]
pub struct Uploads(Mutex<HashMap<BlobName, Arc<Upload>>>);

#[derive(Debug, Default)]
struct Upload {
    /// How many requests have come so far; whoever was not the last is to end.
    requests: watch::Sender<u64>,
    adding: Arc<tokio::sync::Mutex<()>>,
}

impl Uploads {
    /// Ends whoever adds to it, and waits until what came is kept.
    pub async fn take_over(&self, name: BlobName) -> Adding<'_> {
        let upload = Arc::clone(self.lock().entry(name).or_default());
        let mut number = 0;
        upload.requests.send_modify(|requests| {
            *requests = requests.saturating_add(1);
            number = *requests;
        });
        let requests = upload.requests.subscribe();
        let adding = Arc::clone(&upload.adding);
        // Made before it waits: who hangs up meanwhile leaves nothing behind either.
        let mut taken = Adding { uploads: self, name, upload, number, requests, turn: None };
        taken.turn = Some(adding.lock_owned().await);
        taken
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<BlobName, Arc<Upload>>> {
        // Nothing is left half done under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to add to an upload, until it is dropped.
#[derive(Debug)]
pub struct Adding<'a> {
    uploads: &'a Uploads,
    name: BlobName,
    upload: Arc<Upload>,
    number: u64,
    requests: watch::Receiver<u64>,
    /// Held as long as this lives; absent while it waits.
    turn: Option<OwnedMutexGuard<()>>,
}

impl Adding<'_> {
    /// Returns once somebody else wants to.
    pub async fn is_wanted(&mut self) {
        let number = self.number;
        // The sender lives as long as somebody adds.
        let _ = self.requests.wait_for(|requests| *requests > number).await;
    }
}

impl Drop for Adding<'_> {
    fn drop(&mut self) {
        let mut uploads = self.uploads.lock();
        // But for the map and us nobody has it: nobody waits.
        if Arc::strong_count(&self.upload) == 2 {
            uploads.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiashu_proto::id::{Ref, Scope};
    use tokio::time::timeout;

    use super::*;

    const NAME: BlobName = BlobName { scope: Scope(1), id: Ref([1; 12]) };

    #[tokio::test]
    async fn a_later_request_ends_the_one_before_it_and_nothing_is_left_behind() {
        let uploads = Uploads::default();
        let mut first = uploads.take_over(NAME).await;
        let alone = timeout(Duration::ZERO, first.is_wanted()).await;
        let other = BlobName { id: Ref([2; 12]), ..NAME };
        drop(uploads.take_over(other).await);
        let in_vain = timeout(Duration::ZERO, uploads.take_over(NAME)).await;

        let (mut second, ()) = tokio::join!(uploads.take_over(NAME), async {
            first.is_wanted().await;
            drop(first);
        });
        let still = timeout(Duration::ZERO, second.is_wanted()).await;
        drop(second);

        assert!(alone.is_err() && still.is_err(), "nobody wanted it");
        assert!(in_vain.is_err(), "somebody had it");
        assert!(uploads.lock().is_empty());
    }

    #[tokio::test]
    async fn who_hangs_up_while_it_waits_leaves_nothing_behind() {
        let uploads = Uploads::default();
        let first = uploads.take_over(NAME).await;
        {
            let mut waits = std::pin::pin!(uploads.take_over(NAME));
            let waited = timeout(Duration::ZERO, &mut waits).await;
            assert!(waited.is_err());
            drop(first);
        }

        assert!(uploads.lock().is_empty());
    }
}

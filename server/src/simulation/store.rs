//! A store behind a bad line: what is asked of it fails, comes late or twice, and answers are lost.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use async_trait::async_trait;
use jiashu_proto::entry::{Cursor, Seq};
use jiashu_proto::frame::Reached;
use jiashu_proto::id::{DeviceId, InviteId, Millis, Ref, Scope};
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::weather::Weather;
use crate::store::status::StoreStatus;
use crate::store::{
    Batch, Book, Cleaning, Committed, Due, DueCount, Health, HeldBody, LedgerRow, Occurring, Page,
    PageLimit, Record, ScopeState, Snapshot, Store, StoreError, Wake,
};

/// The store that all relays of a simulation share.
#[derive(Debug)]
pub(super) struct Shared {
    inner: Arc<dyn Store>,
    /// Where it runs, in real time: what it takes is no time in the simulation.
    disk: Handle,
    weather: Weather,
    wakes: Mutex<Vec<broadcast::Sender<Wake>>>,
    /// When the first entry of each batch was written.
    written: Mutex<BTreeMap<(Scope, Seq), Instant>>,
    /// Whether it says that it wrote what it did not: to see that this is found.
    lies: bool,
}

impl Shared {
    pub(super) fn new(inner: Arc<dyn Store>, disk: Handle, weather: Weather, lies: bool) -> Self {
        let (wakes, written) = (Mutex::default(), Mutex::default());
        Self { inner, disk, weather, wakes, written, lies }
    }

    /// Does it while everything else stands still, so that each run of a seed is the same.
    pub(super) fn at_once<T, F>(&self, act: impl FnOnce(Arc<dyn Store>) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (answer, answered) = mpsc::sync_channel(1);
        let act = act(self.inner.clone());
        self.disk.spawn(async move {
            let _ = answer.send(act.await);
        });
        answered.recv().expect("the store's runtime outlives the simulation")
    }

    fn write(&self, scope: Scope, batch: Batch) -> Result<Committed, StoreError> {
        if self.lies && !batch.entries.is_empty() && self.weather.strikes(2) {
            return Ok(Committed { first: 1, at: batch.at, repeat: false });
        }
        let done = self.at_once(|store| async move { store.commit(scope, batch).await });
        if let Ok(committed) = &done {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.entry((scope, committed.first)).or_insert_with(Instant::now);
            drop(written);
            self.wake(Wake { scope });
        }
        done
    }

    /// The places of a family where batches begin, each with the time when it was written.
    pub(super) fn written(&self, scope: Scope) -> BTreeMap<Seq, Instant> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let of_scope = written.range((scope, 0)..=(scope, Seq::MAX));
        of_scope.map(|((_, seq), at)| (*seq, *at)).collect()
    }

    fn wake(&self, wake: Wake) {
        let wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        for sender in wakes.iter() {
            // Hints are lost in any weather.
            if self.weather.below(5) == 0 {
                continue;
            }
            let _nobody_listens = sender.send(wake);
            if self.weather.strikes(20) {
                let (sender, weather) = (sender.clone(), self.weather.clone());
                tokio::spawn(async move {
                    weather.pass(10_000).await;
                    sender.send(wake)
                });
            }
        }
    }
}

/// One relay's line to the store.
#[derive(Debug)]
pub(super) struct BadLine {
    shared: Arc<Shared>,
    wakes: broadcast::Sender<Wake>,
    /// What is handed in first is written first, in each family.
    turns: Mutex<HashMap<Scope, Arc<tokio::sync::Mutex<()>>>>,
}

impl BadLine {
    pub(super) fn to(shared: &Arc<Shared>) -> Self {
        let wakes = broadcast::Sender::new(64);
        shared.wakes.lock().unwrap_or_else(PoisonError::into_inner).push(wakes.clone());
        Self { shared: shared.clone(), wakes, turns: Mutex::default() }
    }

    fn turn(&self, scope: Scope) -> Arc<tokio::sync::Mutex<()>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(scope).or_default().clone()
    }

    /// It is written later, and nobody is told.
    fn write_later(&self, scope: Scope, batch: Batch) {
        let shared = self.shared.clone();
        tokio::spawn(async move {
            shared.weather.pass(20_000).await;
            let _nobody_asks = shared.write(scope, batch);
        });
    }

    async fn read<T, F>(
        &self,
        act: impl FnOnce(Arc<dyn Store>) -> F + Send,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let weather = &self.shared.weather;
        weather.delay(3, 1_500).await;
        if weather.strikes(2) {
            return Err(unavailable());
        }
        self.shared.at_once(act)
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable { backend: "simulated", source: "the line is bad".into() }
}

#[async_trait]
impl Store for BadLine {
    async fn commit(&self, scope: Scope, batch: Batch) -> Result<Committed, StoreError> {
        let weather = &self.shared.weather;
        let turn = self.turn(scope);
        let held = turn.lock().await;
        weather.delay(15, 3_000).await;
        if weather.strikes(6) {
            return Err(unavailable());
        }
        if weather.strikes(4) {
            self.write_later(scope, batch);
            return Err(unavailable());
        }
        let again = batch.clone();
        let mut done = self.shared.write(scope, batch);
        if weather.strikes(5) {
            done = self.shared.write(scope, again);
        } else if weather.strikes(5) {
            self.write_later(scope, again);
        }
        drop(held);
        weather.delay(15, 3_000).await;
        if weather.strikes(6) { Err(unavailable()) } else { done }
    }

    async fn state(&self, scope: Scope) -> Result<Option<Arc<ScopeState>>, StoreError> {
        self.read(|store| async move { store.state(scope).await }).await
    }

    async fn read_after(
        &self,
        scope: Scope,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Page, StoreError> {
        self.read(|store| async move { store.read_after(scope, cursor, limit).await }).await
    }

    async fn record_at(&self, scope: Scope, seq: Seq) -> Result<Option<Record>, StoreError> {
        self.read(|store| async move { store.record_at(scope, seq).await }).await
    }

    async fn facts(&self, scope: Scope, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
        let prefix = prefix.to_owned();
        self.read(|store| async move { store.facts(scope, &prefix).await }).await
    }

    async fn fact(&self, scope: Scope, key: &str) -> Result<Option<Record>, StoreError> {
        let key = key.to_owned();
        self.read(|store| async move { store.fact(scope, &key).await }).await
    }

    async fn whole_book(&self, scope: Scope, book: &str) -> Result<Book, StoreError> {
        let book = book.to_owned();
        self.read(|store| async move { store.whole_book(scope, &book).await }).await
    }

    async fn row(
        &self,
        scope: Scope,
        book: &str,
        name: &[u8],
    ) -> Result<Option<LedgerRow>, StoreError> {
        let (book, name) = (book.to_owned(), name.to_owned());
        self.read(|store| async move { store.row(scope, &book, &name).await }).await
    }

    async fn held(&self, scope: Scope, schedule: Ref) -> Result<Vec<HeldBody>, StoreError> {
        self.read(|store| async move { store.held(scope, schedule).await }).await
    }

    async fn card(&self, scope: Scope, invite: InviteId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|store| async move { store.card(scope, invite).await }).await
    }

    async fn due(&self, now: Millis, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.read(|store| async move { store.due(now, limit).await }).await
    }

    async fn occurring(
        &self,
        of: Vec<(Scope, Ref)>,
    ) -> Result<Vec<Result<Option<Occurring>, StoreError>>, StoreError> {
        self.read(|store| async move { store.occurring(of).await }).await
    }

    async fn occurrences(
        &self,
        after: Option<(Scope, Ref)>,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        self.read(|store| async move { store.occurrences(after, limit).await }).await
    }

    async fn due_count(&self, now: Millis) -> Result<DueCount, StoreError> {
        self.read(|store| async move { store.due_count(now).await }).await
    }

    async fn running(&self, scope: Scope) -> Result<usize, StoreError> {
        self.read(|store| async move { store.running(scope).await }).await
    }

    async fn next_due(&self) -> Result<Option<Millis>, StoreError> {
        self.read(|store| async move { store.next_due().await }).await
    }

    fn note_cursor(&self, scope: Scope, device: DeviceId, seq: Seq, now: Millis) {
        if !self.shared.weather.strikes(10) {
            self.shared.inner.note_cursor(scope, device, seq, now);
        }
    }

    async fn cursors(&self, scope: Scope) -> Result<Vec<Reached>, StoreError> {
        self.read(|store| async move { store.cursors(scope).await }).await
    }

    async fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        self.read(|store| async move { store.scopes().await }).await
    }

    async fn snapshot(&self, scope: Scope) -> Result<Option<Snapshot>, StoreError> {
        self.read(|store| async move { store.snapshot(scope).await }).await
    }

    fn wakes(&self) -> broadcast::Receiver<Wake> {
        self.wakes.subscribe()
    }

    fn health(&self) -> Health {
        self.shared.inner.health()
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.read(|store| async move { store.status().await }).await
    }

    async fn clean(&self, begun: Option<&str>) -> Result<Cleaning, StoreError> {
        let begun = begun.map(str::to_owned);
        self.read(|store| async move { store.clean(begun.as_deref()).await }).await
    }

    /// The store itself stays open for the other relay.
    async fn close(&self) {}
}

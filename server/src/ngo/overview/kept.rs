//! Weeks that have closed, kept in memory for who asks again.
//!
//! What has closed stays as it is, but for families that leave. Whoever strikes or enters rows of such a week says so
//! beside them ([`rows::changed`](crate::contact::rows::changed)), and a week is used as long as nobody has: what is erased is in no figure that is asked for
//! after that, and out of memory within a minute.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiashu_contact::week::Week;
use jiashu_proto::entry::Generation;
use jiashu_proto::id::{Millis, Scope};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::columns::Columns;
use crate::contact::rows::{CHANGED, week_book};
use crate::ngo::period::Period;
use crate::store::{Store, StoreError};

/// What is kept at most, in bytes: twelve weeks of 100,000 families with two children each take 115 MB.
const MOST: usize = 128 << 20;

/// What nobody asked for as long as this is dropped, in ms.
const IDLE_MS: Millis = 10 * 60 * 1000;

/// Two changes of one instant, or of two relays whose clocks differ, may say the same of when they were. What was read so soon
/// after a change is used only as long as this, in ms.
const DOUBT_MS: Millis = 60 * 1000;

/// Weeks that are read at once.
const AT_ONCE: usize = 2;

/// The weeks that were asked for lately.
#[derive(Debug)]
pub struct Kept {
    weeks: Mutex<HashMap<(Scope, Week), KeptWeek>>,
    /// In bytes: [`MOST`].
    most: usize,
    /// Who reads more than is kept, as a year of a large programme is, waits until nobody else counts as much.
    large: Arc<Semaphore>,
}

/// Weeks that somebody asked for, in order.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) columns: Vec<Arc<Columns>>,
    /// To be dropped with them, where they are more than is kept.
    pub(super) large: Option<OwnedSemaphorePermit>,
}

impl Default for Kept {
    fn default() -> Self {
        Self::of_at_most(MOST)
    }
}

#[derive(Debug)]
struct KeptWeek {
    columns: Arc<Columns>,
    changed: Changed,
    read_at: Millis,
    asked_at: Millis,
}

/// When rows were struck, from any week, and entered, in this one; in which life of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Changed {
    generation: Generation,
    struck: Millis,
    entered: Millis,
}

impl KeptWeek {
    fn is_as_it_was(&self, changed: Changed, now: Millis) -> bool {
        let is_sure = self.read_at - self.changed.struck.max(self.changed.entered) > DOUBT_MS;
        changed == self.changed && (is_sure || (now - self.read_at).abs() < DOUBT_MS)
    }
}

/// What a programme says of its weeks that changed.
struct Notes {
    generation: Generation,
    by_week: HashMap<Vec<u8>, Millis>,
}

impl Notes {
    async fn read(store: &dyn Store, programme: Scope) -> Result<Self, StoreError> {
        let state = store.state(programme).await?.ok_or(StoreError::NoScope)?;
        let rows = store.book(programme, CHANGED).await?;
        let at = |version: u64| Millis::try_from(version).unwrap_or(Millis::MAX);
        let by_week = rows.into_iter().map(|row| (row.name, at(row.version.0))).collect();
        Ok(Self { generation: state.generation, by_week })
    }

    fn of(&self, week: Week) -> Changed {
        let at = |name: &[u8]| self.by_week.get(name).copied().unwrap_or(Millis::MIN / 2);
        let (struck, entered) = (at(&[]), at(week.to_string().as_bytes()));
        Changed { generation: self.generation, struck, entered }
    }
}

impl Kept {
    pub(super) fn of_at_most(most: usize) -> Self {
        Self { weeks: Mutex::default(), most, large: Arc::new(Semaphore::new(1)) }
    }

    /// Those weeks; what is not here is read. One at a time reads, so that who asks meanwhile finds it, and one at a time
    /// holds more than is kept, however many ask.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub(super) async fn weeks(
        &self,
        store: &dyn Store,
        programme: Scope,
        weeks: &[Week],
        now: Millis,
    ) -> Result<Held, StoreError> {
        let mut kept = self.weeks.lock().await;
        let notes = Notes::read(store, programme).await?;
        kept.retain(|(of, week), kept| *of != programme || kept.is_as_it_was(notes.of(*week), now));
        let missing: Vec<_> =
            weeks.iter().copied().filter(|week| !kept.contains_key(&(programme, *week))).collect();
        let read = missing.into_iter().map(|week| read(store, programme, week));
        let mut reading = stream::iter(read).buffer_unordered(AT_ONCE);
        let (mut read, mut size, mut large) = (HashMap::new(), 0, None);
        while let Some((week, columns)) = reading.try_next().await? {
            size += columns.size();
            read.insert(week, columns);
            if size > self.most && large.is_none() {
                // Nobody closes it.
                large = self.large.clone().acquire_owned().await.ok();
            }
        }
        let mut found = Vec::with_capacity(weeks.len());
        for week in weeks {
            match (kept.get_mut(&(programme, *week)), read.get(week)) {
                (Some(kept), _) => {
                    kept.asked_at = now;
                    found.push(kept.columns.clone());
                }
                (None, Some(columns)) => found.push(columns.clone()),
                (None, None) => {}
            }
        }
        for (week, columns) in read {
            if Period::week(week).has_closed(columns.closed, now) {
                let changed = notes.of(week);
                let week_kept = KeptWeek { columns, changed, read_at: now, asked_at: now };
                kept.insert((programme, week), week_kept);
            }
        }
        make_room(&mut kept, self.most);
        Ok(Held { columns: found, large })
    }

    #[cfg(test)]
    pub(super) async fn len(&self) -> usize {
        self.weeks.lock().await.len()
    }

    /// Drops what has changed and what nobody asks for any more.
    pub async fn sweep(&self, store: &dyn Store, now: Millis) {
        let mut kept = self.weeks.lock().await;
        kept.retain(|_, kept| (now - kept.asked_at).abs() < IDLE_MS);
        let mut programmes: Vec<_> = kept.keys().map(|(programme, _)| *programme).collect();
        programmes.sort_unstable();
        programmes.dedup();
        for programme in programmes {
            let notes = Notes::read(store, programme).await;
            kept.retain(|(of, week), kept| {
                let is_as_it_was = |notes: &Notes| kept.is_as_it_was(notes.of(*week), now);
                *of != programme || notes.as_ref().is_ok_and(is_as_it_was)
            });
        }
    }
}

async fn read(
    store: &dyn Store,
    programme: Scope,
    week: Week,
) -> Result<(Week, Arc<Columns>), StoreError> {
    let book = store.whole_book(programme, &week_book(week)).await?;
    Ok((week, Arc::new(aside(move || Columns::of(&book)).await?)))
}

/// Reckons away from the threads that speak with others.
pub(crate) async fn aside<T: Send + 'static>(
    reckon: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    // It ends early only with the runtime, or if it panicked, which the hook has told.
    spawn_blocking(reckon).await.map_err(|source| StoreError::Unavailable {
        backend: "reckoning beside the",
        source: Box::new(source),
    })
}

/// What was asked for longest ago goes first.
fn make_room(kept: &mut HashMap<(Scope, Week), KeptWeek>, most: usize) {
    let mut by_age: Vec<_> = kept.iter().map(|(key, kept)| (kept.asked_at, *key)).collect();
    by_age.sort_unstable();
    let mut size: usize = kept.values().map(|kept| kept.columns.size()).sum();
    for (_, key) in by_age {
        if size <= most {
            return;
        }
        size -= kept.remove(&key).map_or(0, |kept| kept.columns.size());
    }
}

//! The store for more than one machine: Redis, shared by any number of relays.
//!
//! A commit is reckoned here on what stands (`work`, pure) and written by one script if nobody else was first
//! (`queue`, `commit.lua`): the version of a scope changes with each, so what was read with it holds. What stands
//! where is `layout`; the way there is `address`, `connection` and `link`; `pages` reads logs, `due` what waits, `whole` everything of a scope; `fence` waits for replicas, `share` says which relay
//! looks at what is due, `durability` whether this Redis may be used, `clean` has its log written anew, `background` does the rest. No relay leads; two that fire the same occurrence meet at the version.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiashu_proto::entry::{Cursor, Seq, schedule_key};
use jiashu_proto::frame::Reached;
use jiashu_proto::id::{DeviceId, InviteId, Millis, Ref, Scope};
use redis::{Script, Value};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::answer::{all_bytes, array, bytes, each_pair, pairs};
use self::background::{hear_wakes, write_cursors};
use self::durability::Condition;
use self::fence::Fence;
use self::layout::{
    Damaged, FactRow, Keys, body_field, book_row, card_field, order_field, read_cursor, read_order,
    read_row,
};
use self::link::{Failure, Link};
use self::pages::{Places, page};
use self::queue::{Queue, random};
use self::share::Share;
use super::noted::{self, Noted};
use super::status::StoreStatus;
use super::{
    Batch, Book, Change, Cleaning, Committed, Due, DueCount, DueItem, Health, HeldBody, LedgerRow,
    Occurring, Page, PageLimit, Record, ScopeState, Snapshot, Store, StoreError, Wake,
};

pub use self::filling::FillError;

mod address;

mod answer;

mod background;

mod clean;

mod connection;

mod due;

mod durability;

mod fence;

mod filling;

mod layout;

mod link;

mod pages;

mod whole;

mod queue;

mod share;

mod status;

mod work;

#[cfg(test)]
mod tests;

/// The pattern of names that begin so: what means something in patterns means itself.
fn glob(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for letter in prefix.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('*');
    pattern
}

#[cfg(test)]
mod hostile_tests;

/// Wakes that a slow listener may leave unread before it is told that it lost some.
const WAKES_KEPT: usize = 4096;

/// Commands asked at once.
const AT_ONCE: usize = 512;

/// How long to wait for a Redis that is not ready yet.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// No log has so many places.
const MOST_PLACES: Seq = 1 << 50;

/// How often what a schedule holds is read anew because it changed between two looks.
const TRIES: usize = 16;

/// What an operator may choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether a Redis is used that may lose what it has acknowledged.
    pub accept_loss: bool,
    /// So many replicas must have a commit before it is acknowledged.
    pub replicas: usize,
    /// Whom to trust over TLS, PEM; else whom the system trusts.
    pub ca: Option<Vec<u8>>,
    /// Whether this is no relay: it has no share of what is due, and may use a store that is being filled.
    pub aside: bool,
}

/// Why the store could not be opened; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No such server, or it does not answer.
    #[error("cannot reach the store: {0}")]
    Unreachable(String),
    /// It would lose what it has acknowledged.
    #[error("this Redis would lose letters: {0}; mend that, or say --accept-loss")]
    Weak(String),
    /// A restore or a move into it was stopped.
    #[error("this Redis is being filled by a restore or a move: let that end, or start it again")]
    Unfinished,
}

/// A store in Redis; see the module.
pub struct RedisStore {
    link: Link,
    queue: Arc<Queue>,
    read: Script,
    facts: Script,
    wakes: broadcast::Sender<Wake>,
    noted: Arc<Noted>,
    condition: Arc<Condition>,
    share: Arc<Share>,
    /// How many are waited for.
    replicas: usize,
    /// Whether this is no relay.
    aside: bool,
    /// Nothing more is taken; what was is finished.
    closing: CancellationToken,
    /// What goes on beside the commits ends, once there are none.
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl RedisStore {
    /// Opens the store at that address: `redis://HOST:PORT`, `redis+unix:///PATH`, or of whom its sentinels name
    /// the master, `redis+sentinel://HOST:PORT,HOST:PORT/NAME`, or of a cluster, `redis-cluster://HOST:PORT,HOST:PORT`; with `rediss` for `redis` over TLS. A Redis that would lose
    /// what it has acknowledged is refused, unless `accept_loss`.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        let Options { accept_loss, replicas, ca, aside } = options;
        let unreachable = |failure: Failure| OpenError::Unreachable(failure.to_string());
        let condition = Arc::new(Condition::default());
        let link =
            Link::open(url, ca.as_deref(), Arc::clone(&condition)).await.map_err(unreachable)?;
        let weaknesses = once_loaded(&link).await.map_err(unreachable)?;
        if !weaknesses.is_empty() && !accept_loss {
            return Err(OpenError::Weak(weaknesses.join("; ")));
        }
        for weakness in &weaknesses {
            tracing::warn!(weakness, "acknowledged letters may be lost, as was accepted");
        }
        if !aside && filling::is_under_way(&link).await.map_err(unreachable)? {
            return Err(OpenError::Unfinished);
        }
        let wakes = broadcast::Sender::new(WAKES_KEPT);
        let fence = Fence::new(link.clone(), replicas);
        let read = Script::new(include_str!("read.lua"));
        let facts = Script::new(include_str!("facts.lua"));
        let (noted, stop) = (Arc::new(Noted::default()), CancellationToken::new());
        let tasks = TaskTracker::new();
        tasks.spawn(Arc::clone(&fence).run(stop.clone()));
        let me = u64::from_ne_bytes(random());
        let queue = Queue::new(link.clone(), fence, me, wakes.clone());
        tasks.spawn(hear_wakes(link.clone(), wakes.clone(), me, stop.clone()));
        let share = Share::new(link.clone(), me);
        if !aside {
            tasks.spawn(Arc::clone(&share).run(stop.clone()));
        }
        tasks.spawn(write_cursors(link.clone(), Arc::clone(&noted), stop.clone()));
        let watch =
            durability::watch(link.clone(), Arc::clone(&condition), accept_loss, stop.clone());
        tasks.spawn(watch);
        let closing = CancellationToken::new();
        Ok(Self {
            link,
            queue,
            read,
            facts,
            wakes,
            noted,
            condition,
            share,
            replicas,
            aside,
            closing,
            stop,
            tasks,
        })
    }

    /// So many places from `first` on.
    async fn places(
        &self,
        scope: Scope,
        first: Seq,
        most: usize,
    ) -> Result<Option<Places>, Failure> {
        let keys = Keys::of(scope);
        let names: [&str; 3] = [&keys.scope, &keys.facts, &keys.log];
        // Beyond any log, and still a number that a script can reckon with.
        let first = first.min(MOST_PLACES);
        let args = [first.to_string().into_bytes(), most.to_string().into_bytes()];
        match self.link.script(&self.read, &names, &args).await? {
            Value::Nil => Ok(None),
            answer => Ok(Some(Places::read(answer)?)),
        }
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn commit(&self, scope: Scope, batch: Batch) -> Result<Committed, StoreError> {
        if self.closing.is_cancelled() {
            return Err(Failure::Closed.into());
        }
        if let Some(why) = self.condition.refuses() {
            return Err(Failure::Weak(why).into());
        }
        let erases = batch.changes.contains(&Change::Erase);
        let done = self.queue.commit(scope, batch).await;
        if erases && done.is_ok() {
            self.noted.forget(scope);
        }
        done
    }

    async fn state(&self, scope: Scope) -> Result<Option<Arc<ScopeState>>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("HGET").arg(Keys::of(scope).scope).arg("s");
        let answer = self.link.ask(&pipe).await?.pop().unwrap_or_default();
        let Some(state) = bytes(answer).map_err(Failure::from)? else { return Ok(None) };
        let state = minicbor::decode(&state);
        let state = state.map_err(|_| Failure::from(Damaged("the state of a scope")))?;
        Ok(Some(Arc::new(state)))
    }

    async fn read_after(
        &self,
        scope: Scope,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Page, StoreError> {
        // With the cursor's own place, whose tag is looked at.
        let most = limit.entries.max(1).saturating_add(1);
        let found = self.places(scope, cursor.seq, most).await?.ok_or(StoreError::NoScope)?;
        page(&found, cursor, limit)
    }

    async fn record_at(&self, scope: Scope, seq: Seq) -> Result<Option<Record>, StoreError> {
        let Some(found) = self.places(scope, seq, 1).await? else { return Ok(None) };
        if seq <= found.state.floor {
            let fact = found.all_facts.iter().find(|fact| fact.record.seq == seq);
            return Ok(fact.map(|fact| fact.record.clone()));
        }
        Ok(found.record(0, seq))
    }

    async fn facts(&self, scope: Scope, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
        // A programme has a fact for each case and each look: those of one kind are picked out there.
        let pattern = [glob(prefix).into_bytes()];
        let answer = self.link.script(&self.facts, &[&Keys::of(scope).facts], &pattern).await?;
        let mut facts = BTreeMap::new();
        for (key, row) in pairs(answer).map_err(Failure::from)? {
            let key = String::from_utf8(key).map_err(|_| Failure::from(Damaged("a fact")))?;
            facts.insert(key, FactRow::from_bytes(&row).map_err(Failure::from)?);
        }
        Ok(work::with_prefix(facts, prefix))
    }

    async fn fact(&self, scope: Scope, key: &str) -> Result<Option<Record>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("HGET").arg(Keys::of(scope).facts).arg(key);
        let answer = self.link.ask(&pipe).await?.pop().unwrap_or_default();
        let row = bytes(answer).map_err(Failure::from)?;
        let row = row.map(|row| FactRow::from_bytes(&row).map_err(Failure::from)).transpose()?;
        Ok(row.map(|row| row.record))
    }

    async fn whole_book(&self, scope: Scope, book: &str) -> Result<Book, StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("HGETALL").arg(Keys::of(scope).book(book));
        let answer = self.link.ask(&pipe).await?.pop().unwrap_or_default();
        let mut rows = Book::default();
        for pair in each_pair(answer).map_err(Failure::from)? {
            let (name, value) = pair.map_err(Failure::from)?;
            rows.push(book_row(&name, &value).map_err(Failure::from)?);
        }
        rows.sort();
        Ok(rows)
    }

    async fn row(
        &self,
        scope: Scope,
        book: &str,
        name: &[u8],
    ) -> Result<Option<LedgerRow>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("HGET").arg(Keys::of(scope).book(book)).arg(name);
        let answer = self.link.ask(&pipe).await?.pop().unwrap_or_default();
        let value = bytes(answer).map_err(Failure::from)?;
        let row = value.map(|value| read_row(book, name, &value)).transpose();
        Ok(row.map_err(Failure::from)?)
    }

    async fn clean(&self, begun: Option<&str>) -> Result<Cleaning, StoreError> {
        Ok(clean::clean(&self.link, begun).await?)
    }

    async fn held(&self, scope: Scope, schedule: Ref) -> Result<Vec<HeldBody>, StoreError> {
        let keys = Keys::of(scope);
        for _ in 0..TRIES {
            let mut pipe = redis::pipe();
            pipe.cmd("HMGET").arg(&keys.scope).arg("v").arg(order_field(schedule));
            let answer = self.link.ask(&pipe).await?.pop().unwrap_or_default();
            let mut fields = array(answer).map_err(Failure::from)?.into_iter();
            let (version, order) = (fields.next(), fields.next().unwrap_or_default());
            let Some(order) = bytes(order).map_err(Failure::from)? else { return Ok(Vec::new()) };
            let order = read_order(&order).map_err(Failure::from)?;
            let names: Vec<_> = order.iter().map(|body| body_field(schedule, *body)).collect();
            let mut pipe = redis::pipe();
            pipe.atomic();
            pipe.cmd("HGET").arg(&keys.scope).arg("v").cmd("HMGET").arg(&keys.held).arg(names);
            let mut answers = self.link.ask_atomic(&pipe, 2).await?.into_iter();
            if answers.next() != version {
                continue;
            }
            let bodies = all_bytes(answers.next().unwrap_or_default()).map_err(Failure::from)?;
            let bodies = order.into_iter().zip(bodies);
            let held = bodies.map(|(body_ref, content)| HeldBody { body_ref, schedule, content });
            return Ok(held.collect());
        }
        Err(Failure::Crowded.into())
    }

    async fn card(&self, scope: Scope, invite: InviteId) -> Result<Option<Vec<u8>>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("HGET").arg(Keys::of(scope).scope).arg(card_field(invite));
        let answer = self.link.ask(&pipe).await?.pop().unwrap_or_default();
        Ok(bytes(answer).map_err(Failure::from)?)
    }

    async fn due(&self, now: Millis, limit: usize) -> Result<Vec<Due>, StoreError> {
        Ok(due::due(&self.link, &self.share.own(), now, limit).await?)
    }

    async fn occurrences(
        &self,
        after: Option<(Scope, Ref)>,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        Ok(due::occurrences(&self.link, after, limit).await?)
    }

    async fn due_count(&self, now: Millis) -> Result<DueCount, StoreError> {
        Ok(due::count(&self.link, now).await?)
    }

    async fn next_due(&self) -> Result<Option<Millis>, StoreError> {
        Ok(due::next(&self.link, &self.share.own()).await?)
    }

    async fn occurring(
        &self,
        of: Vec<(Scope, Ref)>,
    ) -> Result<Vec<Result<Option<Occurring>, StoreError>>, StoreError> {
        let mut all = Vec::with_capacity(of.len());
        for some in of.chunks(AT_ONCE) {
            let mut pipe = redis::pipe();
            for (scope, schedule) in some {
                let keys = Keys::of(*scope);
                pipe.cmd("HGET").arg(keys.facts).arg(schedule_key(*schedule));
                pipe.cmd("HGET").arg(keys.scope).arg(order_field(*schedule));
            }
            let answers = self.link.ask(&pipe).await?;
            let mut found = Vec::with_capacity(some.len());
            let mut bodies = redis::pipe();
            for ((scope, schedule), answers) in some.iter().zip(answers.chunks(2)) {
                let one = fact_and_order(answers);
                if let Ok((Some(_), order)) = &one
                    && let Some(first) = order.first()
                {
                    let field = body_field(*schedule, *first);
                    bodies.cmd("HGET").arg(Keys::of(*scope).held).arg(field);
                }
                found.push(one);
            }
            let mut bodies = self.link.ask(&bodies).await?.into_iter();
            for ((_, schedule), one) in some.iter().zip(found) {
                all.push(occurring(*schedule, one, &mut bodies).map_err(StoreError::from));
            }
        }
        Ok(all)
    }

    async fn running(&self, scope: Scope) -> Result<usize, StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("HKEYS").arg(Keys::of(scope).due);
        let answer = self.link.ask(&pipe).await?.pop().unwrap_or_default();
        let items = all_bytes(answer).map_err(Failure::from)?;
        let is_occurrence = |item: &Vec<u8>| {
            matches!(minicbor::decode::<DueItem>(item), Ok(DueItem::Occurrence(_)))
        };
        Ok(items.iter().filter(|item| is_occurrence(item)).count())
    }

    fn note_cursor(&self, scope: Scope, device: DeviceId, seq: Seq, now: Millis) {
        self.noted.note(scope, Reached { device, seq, at: now });
    }

    async fn cursors(&self, scope: Scope) -> Result<Vec<Reached>, StoreError> {
        // In this order: what leaves the memory in between stands in Redis already.
        let noted = self.noted.of(scope);
        let mut pipe = redis::pipe();
        pipe.cmd("HGETALL").arg(Keys::of(scope).cursors);
        let answer = self.link.ask(&pipe).await?.pop().unwrap_or_default();
        let mut written = Vec::new();
        for (device, value) in pairs(answer).map_err(Failure::from)? {
            written.push(read_cursor(&device, &value).map_err(Failure::from)?);
        }
        Ok(noted::merge(written, noted))
    }

    async fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        Ok(whole::scopes(&self.link).await?)
    }

    async fn snapshot(&self, scope: Scope) -> Result<Option<Snapshot>, StoreError> {
        let noted = self.noted.of(scope);
        let snapshot = whole::snapshot(&self.link, scope).await?;
        Ok(snapshot.map(|mut snapshot| {
            snapshot.cursors = noted::merge(snapshot.cursors, noted);
            snapshot
        }))
    }

    fn wakes(&self) -> broadcast::Receiver<Wake> {
        self.wakes.subscribe()
    }

    fn health(&self) -> Health {
        self.condition.health()
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        let share = (!self.aside).then(|| self.share.status());
        Ok(status::status(&self.link, self.replicas, share).await?)
    }

    async fn close(&self) {
        // In this order: what was handed in may still wait for replicas, which one of the tasks asks.
        self.closing.cancel();
        while !self.queue.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}

/// Why it would lose what it has acknowledged, once it has read what it kept.
async fn once_loaded(link: &Link) -> Result<Vec<String>, Failure> {
    let mut told = false;
    loop {
        match durability::weaknesses(link).await {
            Err(Failure::Loading) => {}
            found => return found,
        }
        if !std::mem::replace(&mut told, true) {
            tracing::info!("Redis still reads what it kept: waiting");
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn fact_and_order(answers: &[Value]) -> Result<(Option<FactRow>, Vec<Ref>), Failure> {
    let [fact, order] = answers else { return Err(Damaged("an answer").into()) };
    let fact = bytes(fact.clone())?.map(|fact| FactRow::from_bytes(&fact)).transpose()?;
    let order = bytes(order.clone())?.map(|order| read_order(&order)).transpose()?;
    Ok((fact, order.unwrap_or_default()))
}

fn occurring(
    schedule: Ref,
    one: Result<(Option<FactRow>, Vec<Ref>), Failure>,
    bodies: &mut impl Iterator<Item = Value>,
) -> Result<Option<Occurring>, Failure> {
    let (Some(fact), order) = one? else { return Ok(None) };
    let first = match order.first() {
        None => None,
        Some(body_ref) => {
            let body = bytes(bodies.next().unwrap_or_default())?;
            let content = body.ok_or(Damaged("a held body"))?;
            Some(HeldBody { body_ref: *body_ref, schedule, content })
        }
    };
    Ok(Some(Occurring { schedule: fact.record, first, held: order.len() }))
}

/// Nothing behind these locks is left half changed by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

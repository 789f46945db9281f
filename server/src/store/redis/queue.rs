//! Commits on their way: those of one scope that wait go together, those of all scopes beside each other.
//!
//! Of one scope at most one group is under way from here; another relay may be first, and then it is reckoned anew
//! on what stands now. One fsync of Redis serves all that came in one turn of its loop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jiashu_proto::entry::Seq;
use jiashu_proto::id::{Millis, Scope};
use redis::{Script, Value};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::{broadcast, oneshot};

use super::answer::{array, bytes, pairs};
use super::fence::{Fence, Written};
use super::layout::{
    Damaged, DueRow, Element, FactRow, Keys, body_field, bucket_of, order_field, read_order,
    read_row, rows_field,
};
use super::link::{Failure, Link};
use super::work::{Book, Found, Needs, Outcome, Work};
use crate::store::{Batch, Committed, StoreError, Wake};

/// Commits of one scope that share a script.
const GROUP: usize = 64;

/// How often a group is reckoned anew because another relay was first.
const TRIES: u32 = 32;

/// A commit that waits.
struct Pending {
    batch: Batch,
    answer: oneshot::Sender<Result<Committed, StoreError>>,
}

/// Commits that wait, by scope; a scope stands here as long as its groups are under way.
pub(super) struct Queue {
    link: Link,
    fence: Arc<Fence>,
    commit: Script,
    /// By which this relay knows its own wakes.
    me: u64,
    waiting: Mutex<HashMap<Scope, Vec<Pending>>>,
    wakes: broadcast::Sender<Wake>,
}

impl Queue {
    pub(super) fn new(
        link: Link,
        fence: Arc<Fence>,
        me: u64,
        wakes: broadcast::Sender<Wake>,
    ) -> Arc<Self> {
        let commit = Script::new(include_str!("commit.lua"));
        Arc::new(Self { link, fence, commit, me, waiting: Mutex::default(), wakes })
    }

    /// Hands it in, at the first poll; answers once it is written.
    pub(super) async fn commit(
        self: &Arc<Self>,
        scope: Scope,
        batch: Batch,
    ) -> Result<Committed, StoreError> {
        let (answer, answered) = oneshot::channel();
        let is_first = {
            let mut waiting = super::lock(&self.waiting);
            let is_first = !waiting.contains_key(&scope);
            waiting.entry(scope).or_default().push(Pending { batch, answer });
            is_first
        };
        if is_first {
            // Who asked may go: what was handed in is written all the same.
            tokio::spawn(Arc::clone(self).run(scope));
        }
        answered.await.unwrap_or_else(|_| Err(Failure::Closed.into()))
    }

    /// Commits that wait for the group before theirs.
    #[cfg(test)]
    pub(super) fn waiting_count(&self) -> usize {
        super::lock(&self.waiting).values().map(Vec::len).sum()
    }

    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        super::lock(&self.waiting).is_empty()
    }

    async fn run(self: Arc<Self>, scope: Scope) {
        let mut under_way = UnderWay { queue: &self, scope, ended: false };
        while let Some(group) = self.next_group(scope) {
            match self.write(scope, &group).await {
                Ok(answers) => {
                    for (pending, answer) in group.into_iter().zip(answers) {
                        // Who asked may have gone.
                        let _ = pending.answer.send(answer);
                    }
                }
                Err(failure) => {
                    let failure = Arc::new(failure);
                    for pending in group {
                        let source = Box::new(Arc::clone(&failure));
                        let unavailable = StoreError::Unavailable { backend: "redis", source };
                        let _ = pending.answer.send(Err(unavailable));
                    }
                }
            }
        }
        under_way.ended = true;
    }

    fn next_group(&self, scope: Scope) -> Option<Vec<Pending>> {
        let mut waiting = super::lock(&self.waiting);
        let of_scope = waiting.get_mut(&scope)?;
        if of_scope.is_empty() {
            // Under the same lock, so that nobody is left behind.
            waiting.remove(&scope);
            return None;
        }
        Some(of_scope.drain(..of_scope.len().min(GROUP)).collect())
    }

    async fn write(
        &self,
        scope: Scope,
        group: &[Pending],
    ) -> Result<Vec<Result<Committed, StoreError>>, Failure> {
        let keys = Keys::of(scope);
        let needs = Needs::of(group.iter().map(|pending| &pending.batch));
        for _ in 0..TRIES {
            let found = find(&self.link, &keys, &needs).await?;
            let mut version = found.version.clone();
            let mut work = Work::new(scope, found, &needs);
            let outcomes: Vec<_> =
                group.iter().map(|pending| work.commit(&pending.batch, &mut dice)).collect();
            let (floor, wakes) = (work.state().map_or(0, |state| state.floor), work.wakes);
            let is_answered = |outcome: &Outcome| !matches!(outcome, Outcome::Refused(_));
            if work.changed {
                version = random::<8>().to_vec();
                if !self.is_first(&keys, work, &version).await? {
                    continue;
                }
            }
            // A repeat, too: what it repeats may have been answered to nobody.
            if outcomes.iter().any(is_answered) {
                let (bucket, scope_key) = (bucket_of(scope), keys.scope.clone());
                self.fence.pass(Written { bucket, scope_key, version }).await?;
            }
            if wakes {
                let _ = self.wakes.send(Wake { scope });
            }
            return self.answers(&keys, floor, group, outcomes).await;
        }
        Err(Failure::Crowded)
    }

    /// Runs the script. Whether nobody else was first.
    async fn is_first(&self, keys: &Keys, work: Work, version: &[u8]) -> Result<bool, Failure> {
        let books: Vec<_> = work.books().map(|book| keys.book(book)).collect();
        let args = work.into_args(version, self.me, self.link.is_cluster());
        let always = [&keys.scope, &keys.facts, &keys.due, &keys.held, &keys.log, &keys.bucket_due];
        let names: Vec<&str> = always.into_iter().chain(&books).map(String::as_str).collect();
        match self.link.script(&self.commit, &names, &args).await? {
            Value::Int(1) => Ok(true),
            Value::Int(0) => Ok(false),
            _ => Err(Damaged("the answer of a script").into()),
        }
    }

    /// A repeat is answered with the time that it had.
    async fn answers(
        &self,
        keys: &Keys,
        floor: Seq,
        group: &[Pending],
        outcomes: Vec<Outcome>,
    ) -> Result<Vec<Result<Committed, StoreError>>, Failure> {
        let mut answers = Vec::with_capacity(outcomes.len());
        for (outcome, pending) in outcomes.into_iter().zip(group) {
            answers.push(match outcome {
                Outcome::Done(committed) => Ok(committed),
                Outcome::Refused(refused) => Err(refused),
                Outcome::Repeat(first) => {
                    let at = self.time_of(keys, floor, first).await?.unwrap_or(pending.batch.at);
                    Ok(Committed { first, at, repeat: true })
                }
            });
        }
        Ok(answers)
    }

    async fn time_of(&self, keys: &Keys, floor: Seq, seq: Seq) -> Result<Option<Millis>, Failure> {
        let Some(place) = seq.checked_sub(floor.saturating_add(1)) else { return Ok(None) };
        let mut pipe = redis::pipe();
        pipe.cmd("LINDEX").arg(&keys.log).arg(place);
        let answer = self.link.ask(&pipe).await?.pop().unwrap_or_default();
        let element = bytes(answer)?.map(|bytes| Element::from_bytes(&bytes)).transpose()?;
        Ok(element.map(|element| element.at))
    }
}

/// Where a group ends in a panic: who waits is told, and the next begins anew.
struct UnderWay<'a> {
    queue: &'a Queue,
    scope: Scope,
    ended: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.ended {
            super::lock(&self.queue.waiting).remove(&self.scope);
        }
    }
}

/// What a group asks about, as of one moment.
async fn find(link: &Link, keys: &Keys, needs: &Needs) -> Result<Found, Failure> {
    let mut pipe = redis::pipe();
    pipe.atomic();
    pipe.cmd("HMGET").arg(&keys.scope).arg("v").arg("s").arg("n");
    for schedule in &needs.orders {
        pipe.arg(order_field(*schedule));
    }
    for book in needs.books.keys() {
        pipe.arg(rows_field(book));
    }
    let mut asked = 1;
    let mut hmget = |pipe: &mut redis::Pipeline, key: &str, fields: Vec<Vec<u8>>| {
        if !fields.is_empty() {
            pipe.cmd("HMGET").arg(key).arg(fields);
            asked += 1;
        }
    };
    let facts = needs.facts.iter().map(|key| key.as_bytes().to_vec()).collect();
    hmget(&mut pipe, &keys.facts, facts);
    let bodies = needs.bodies.iter().map(|(schedule, body)| body_field(*schedule, *body)).collect();
    hmget(&mut pipe, &keys.held, bodies);
    for (book, names) in &needs.books {
        hmget(&mut pipe, &keys.book(book), names.iter().cloned().collect());
    }
    if needs.all_due {
        pipe.cmd("HGETALL").arg(&keys.due);
        asked += 1;
    } else {
        hmget(&mut pipe, &keys.due, needs.items.iter().cloned().collect());
    }
    if needs.oldest > 0 {
        pipe.cmd("LRANGE").arg(&keys.log).arg(0).arg(needs.oldest.saturating_sub(1));
        asked += 1;
    }
    let answers = link.ask_atomic(&pipe, asked).await?;
    read_found(answers.into_iter(), needs)
}

fn read_found(mut answers: impl Iterator<Item = Value>, needs: &Needs) -> Result<Found, Failure> {
    let mut next = || answers.next().ok_or(Damaged("an answer that is missing"));
    let mut found = Found::default();
    let mut known = array(next()?)?.into_iter();
    let mut field = || known.next().ok_or(Damaged("a field that is missing"));
    found.version = bytes(field()?)?.unwrap_or_default();
    let state = bytes(field()?)?;
    found.state = state
        .map(|state| minicbor::decode(&state).map_err(|_| Damaged("the state of a scope")))
        .transpose()?;
    if found.state.is_some() == found.version.is_empty() {
        return Err(Damaged("the version of a scope").into());
    }
    found.held = match bytes(field()?)? {
        None => 0,
        Some(held) => text_number(&held)?,
    };
    for schedule in &needs.orders {
        if let Some(order) = bytes(field()?)? {
            found.orders.insert(*schedule, read_order(&order)?);
        }
    }
    for book in needs.books.keys() {
        let rows = bytes(field()?)?.map_or(Ok(0), |rows| text_number(&rows))?;
        found.books.insert(book.clone(), Book { rows, ..Book::default() });
    }
    if !needs.facts.is_empty() {
        for (key, fact) in needs.facts.iter().zip(array(next()?)?) {
            if let Some(fact) = bytes(fact)? {
                found.facts.insert(key.clone(), FactRow::from_bytes(&fact)?);
            }
        }
    }
    if !needs.bodies.is_empty() {
        for (name, body) in needs.bodies.iter().zip(array(next()?)?) {
            if let Some(body) = bytes(body)? {
                found.bodies.insert(*name, body);
            }
        }
    }
    for (book, names) in needs.books.iter().filter(|(_, names)| !names.is_empty()) {
        for (name, row) in names.iter().zip(array(next()?)?) {
            if let (Some(row), Some(found)) = (bytes(row)?, found.books.get_mut(book)) {
                found.versions.insert(name.clone(), read_row(book, name, &row)?.version);
            }
        }
    }
    if needs.all_due {
        for (item, row) in pairs(next()?)? {
            found.due.insert(item, DueRow::from_bytes(&row)?);
        }
    } else if !needs.items.is_empty() {
        for (item, row) in needs.items.iter().zip(array(next()?)?) {
            if let Some(row) = bytes(row)? {
                found.due.insert(item.clone(), DueRow::from_bytes(&row)?);
            }
        }
    }
    if needs.oldest > 0 {
        for element in array(next()?)? {
            let element = bytes(element)?.ok_or(Damaged("a place of a log"))?;
            found.oldest.push(Element::from_bytes(&element)?);
        }
    }
    Ok(found)
}

fn text_number(bytes: &[u8]) -> Result<usize, Damaged> {
    let number = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    number.ok_or(Damaged("a count"))
}

/// From 1: 0 is the tag of no entry and the generation of no log.
fn dice() -> u32 {
    u32::from_ne_bytes(random()).max(1)
}

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system has random bytes");
    bytes
}

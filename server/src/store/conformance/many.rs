//! Many at once, and many in a row.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiashu_proto::entry::{Cursor, Seq};
use jiashu_proto::id::{DeviceId, N, Scope};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::task::JoinSet;

use super::{
    ALL, FAMILY, Home, NOW, PHONE, a_ref, commit, entry, fact, founding, message, seqs, whole_log,
    with_phone,
};
use crate::store::{Author, Batch, NewEntry, Precondition, Store, StoreError};

const DEVICES: u32 = 16;
const COMMITS: N = 40;

pub(crate) async fn commits_of_many_devices_get_every_place_once(home: &dyn Home) {
    let store = home.open().await;
    commit(&*store, founding((1..=DEVICES).map(DeviceId))).await;
    let mut tasks = JoinSet::new();
    for device in (1..=DEVICES).map(DeviceId) {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut places = Vec::new();
            for n in 1..=COMMITS {
                places
                    .push(commit(&*store, message(device, n, &device.0.to_be_bytes())).await.first);
            }
            places
        });
    }

    let places = tasks.join_all().await;

    assert!(places.iter().all(|of_one| of_one.is_sorted()), "each device's order is kept");
    let mut all: Vec<Seq> = places.into_iter().flatten().collect();
    all.sort_unstable();
    let every: Vec<Seq> = (1..=u64::from(DEVICES) * COMMITS).collect();
    assert_eq!(all, every);
    assert_eq!(seqs(&whole_log(&*store).await.records), every);
}

pub(crate) async fn refused_batches_disturb_no_neighbour(home: &dyn Home) {
    let store = home.open().await;
    commit(&*store, founding((1..=DEVICES).map(DeviceId))).await;
    let mut tasks = JoinSet::new();
    for device in (1..=DEVICES).map(DeviceId) {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for n in 1..=COMMITS {
                let good = message(device, n, b"good");
                let bad = Batch {
                    requires: vec![Precondition::Epoch(9)],
                    entries: vec![entry(b"bad"), fact("bad", 0, b"bad")],
                    ..Batch::new(NOW)
                };
                let (good, bad) =
                    tokio::join!(store.commit(FAMILY, good), store.commit(FAMILY, bad));
                good.unwrap();
                assert!(matches!(bad, Err(StoreError::Stale { .. })));
            }
        });
    }

    tasks.join_all().await;

    let page = whole_log(&*store).await;
    assert_eq!(page.head, u64::from(DEVICES) * COMMITS);
    assert!(page.records.iter().all(|record| record.content == b"good"));
    assert_eq!(store.facts(FAMILY, "").await.unwrap(), []);
}

pub(crate) async fn a_reader_sees_what_was_answered(home: &dyn Home) {
    let store = with_phone(home).await;
    let mut cursor = whole_log(&*store).await.upto;

    for n in 1..=100 {
        let place = commit(&*store, message(PHONE, n, b"x")).await.first;
        let page = store.read_after(FAMILY, cursor, ALL).await.unwrap();
        assert_eq!((seqs(&page.records), page.head), (vec![place], place));
        assert_eq!(store.state(FAMILY).await.unwrap().unwrap().head, place);
        cursor = page.upto;
    }
}

/// One batch of the model's: whose, how its counter and ref relate to the last, what it holds.
#[derive(Clone, Debug)]
struct Step {
    device: Option<u32>,
    skip: N,
    repeats: bool,
    entries: Vec<(Option<u8>, u8)>,
    requires_fact: Option<(u8, bool)>,
}

fn any_step() -> impl Strategy<Value = Step> {
    let entries = prop::collection::vec((prop::option::of(0_u8..3), 0_u8..4), 0..3);
    let parts = (
        prop::option::of(1_u32..4),
        prop::sample::select(vec![0, 1, 1, 1, 1, 2]),
        prop::bool::weighted(0.2),
        entries,
        prop::option::weighted(0.3, (0_u8..3, any::<bool>())),
    );
    parts.prop_map(|(device, skip, repeats, entries, requires_fact)| Step {
        device,
        skip,
        repeats,
        entries,
        requires_fact,
    })
}

/// What a scope does, told again without a store.
#[derive(Default)]
struct Model {
    log: Vec<Option<Vec<u8>>>,
    facts: BTreeMap<String, (Seq, u8)>,
    answered: BTreeMap<u32, Vec<(u32, Seq)>>,
    refs: u32,
}

impl Model {
    fn batch(&mut self, step: &Step) -> Batch {
        let mut batch = Batch::new(NOW);
        self.refs += 1;
        for (key, rank) in &step.entries {
            let content = [self.refs.to_be_bytes().as_slice(), &[*rank]].concat();
            let key = key.map(|key| format!("key/{key}"));
            batch.entries.push(NewEntry { key, rank: *rank, content });
        }
        batch.author = step.device.map(|device| {
            let answered = self.answered.get(&device).map(Vec::as_slice).unwrap_or_default();
            let last = answered.last().filter(|_| step.repeats);
            let n = u64::try_from(answered.len()).unwrap() + step.skip;
            let entry_ref = a_ref(last.map_or(self.refs, |(number, _)| *number));
            Author { device: DeviceId(device), n, entry_ref }
        });
        batch.requires.extend(step.requires_fact.map(|(key, right)| {
            let key = format!("key/{key}");
            let stands = self.facts.get(&key).map(|(seq, _)| *seq);
            Precondition::FactAt(key, if right { stands } else { Some(10_000) })
        }));
        batch
    }

    /// The first place, or `None` if the batch is refused.
    fn expect(&mut self, step: &Step, batch: &Batch) -> Option<Seq> {
        if let Some(device) = step.device {
            let answered = self.answered.entry(device).or_default();
            if step.repeats
                && let Some((_, first)) = answered.last()
            {
                return Some(*first);
            }
            if step.skip != 1 {
                return None;
            }
        }
        if step.requires_fact.is_some_and(|(_, right)| !right) {
            return None;
        }
        let places: Vec<Seq> = batch.entries.iter().map(|entry| self.put(entry)).collect();
        let first = places.first().copied().unwrap_or(0);
        if let Some(device) = step.device {
            self.answered.entry(device).or_default().push((self.refs, first));
        }
        Some(first)
    }

    fn put(&mut self, entry: &NewEntry) -> Seq {
        let seq = u64::try_from(self.log.len()).unwrap() + 1;
        if let Some(key) = &entry.key {
            if let Some((stands, rank)) = self.facts.get(key) {
                if entry.rank > 0 && entry.rank <= *rank {
                    return *stands;
                }
                self.log[usize::try_from(*stands).unwrap() - 1] = None;
            }
            self.facts.insert(key.clone(), (seq, entry.rank));
        }
        self.log.push(Some(entry.content.clone()));
        seq
    }
}

pub(crate) async fn any_batches_do_what_the_model_does(home: &dyn Home) {
    let store = home.open().await;
    let scopes = AtomicU64::new(1);
    let runtime = tokio::runtime::Handle::current();
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };

    let outcome = tokio::task::block_in_place(|| {
        TestRunner::new(config).run(&prop::collection::vec(any_step(), 1..30), |steps| {
            let scope = Scope(scopes.fetch_add(1, Ordering::Relaxed));
            runtime.block_on(same_as_the_model(&*store, scope, &steps));
            Ok(())
        })
    });

    outcome.unwrap();
}

async fn same_as_the_model(store: &dyn Store, scope: Scope, steps: &[Step]) {
    store.commit(scope, founding((1..4).map(DeviceId))).await.unwrap();
    let mut model = Model::default();
    for step in steps {
        let batch = model.batch(step);
        let expected = model.expect(step, &batch);
        let committed = store.commit(scope, batch).await;
        assert_eq!(committed.ok().map(|committed| committed.first), expected, "{step:?}");
    }

    let generation = store.state(scope).await.unwrap().unwrap().generation;
    let cursor = Cursor { generation, ..Cursor::default() };
    let page = store.read_after(scope, cursor, ALL).await.unwrap();
    let read: Vec<_> =
        page.records.into_iter().map(|record| (record.seq, record.content)).collect();
    let expected: Vec<_> = (1..)
        .zip(model.log)
        .filter_map(|(seq, content)| content.map(|content| (seq, content)))
        .collect();
    assert_eq!(read, expected);
    let facts = store.facts(scope, "key/").await.unwrap();
    let stand: Vec<_> = facts.into_iter().map(|(key, record)| (key, record.seq)).collect();
    let expected: Vec<_> = model.facts.into_iter().map(|(key, (seq, _))| (key, seq)).collect();
    assert_eq!(stand, expected);
}

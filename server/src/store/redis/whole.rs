//! Everything of a scope, as of one moment.

use std::collections::{BTreeMap, BTreeSet};

use jiashu_proto::entry::Seq;
use jiashu_proto::id::{InviteId, Ref, Scope};
use redis::Value;

use super::answer::{all_bytes, pairs};
use super::layout::{
    Damaged, DueRow, Element, FactRow, Keys, Says, read_cursor, read_order, read_row, scope_of_key,
};
use super::link::{Failure, Link};
use crate::store::{Card, DueAt, FactAt, HeldBody, Place, ScopeState, Snapshot};

/// How often it is read anew because its books changed between two looks.
const TRIES: usize = 16;

/// All scopes, ascending.
pub(super) async fn scopes(link: &Link) -> Result<Vec<Scope>, Failure> {
    let mut scopes = BTreeSet::new();
    // A name may come twice.
    for key in link.scan("j1:*:s").await? {
        scopes.extend(scope_of_key(&key));
    }
    Ok(scopes.into_iter().collect())
}

/// Everything of one; `None` if there is no such scope.
pub(super) async fn snapshot(link: &Link, scope: Scope) -> Result<Option<Snapshot>, Failure> {
    for _ in 0..TRIES {
        let books = books(link, scope).await?;
        if let Some(found) = snapshot_with(link, scope, &books).await? {
            return Ok(found);
        }
    }
    Err(Failure::Crowded)
}

/// The books of its ledger.
async fn books(link: &Link, scope: Scope) -> Result<Vec<String>, Failure> {
    let mut pipe = redis::pipe();
    pipe.cmd("HKEYS").arg(Keys::of(scope).scope);
    let fields = all_bytes(link.ask(&pipe).await?.pop().unwrap_or_default())?;
    let books = fields.into_iter().filter_map(|field| {
        let book = field.strip_prefix(b"g")?.to_vec();
        Some(String::from_utf8(book).map_err(|_| Damaged("a book of a ledger")))
    });
    Ok(books.collect::<Result<_, _>>()?)
}

/// Everything of it; `None` where its ledger has other books by now than these.
async fn snapshot_with(
    link: &Link,
    scope: Scope,
    books: &[String],
) -> Result<Option<Option<Snapshot>>, Failure> {
    let keys = Keys::of(scope);
    let mut pipe = redis::pipe();
    pipe.atomic();
    for hash in [&keys.scope, &keys.facts, &keys.due, &keys.held, &keys.cursors] {
        pipe.cmd("HGETALL").arg(hash);
    }
    pipe.cmd("LRANGE").arg(&keys.log).arg(0).arg(-1);
    for book in books {
        pipe.cmd("HGETALL").arg(keys.book(book));
    }
    let mut answers = link.ask_atomic(&pipe, 6 + books.len()).await?.into_iter();
    let mut next = || answers.next().unwrap_or(Value::Nil);
    let known = Known::read(next())?;
    let mut facts = BTreeMap::new();
    for (key, row) in pairs(next())? {
        let key = String::from_utf8(key).map_err(|_| Damaged("a fact"))?;
        facts.insert(key, FactRow::from_bytes(&row)?);
    }
    let mut due = Vec::new();
    for (item, row) in pairs(next())? {
        let item = minicbor::decode(&item).map_err(|_| Damaged("what is due"))?;
        let DueRow { at, planned } = DueRow::from_bytes(&row)?;
        due.push(DueAt { item, at, planned });
    }
    let bodies: BTreeMap<_, _> = pairs(next())?.into_iter().collect();
    let mut cursors = Vec::new();
    for (device, value) in pairs(next())? {
        cursors.push(read_cursor(&device, &value)?);
    }
    let log = all_bytes(next())?;
    let mut ledger = Vec::new();
    for book in books {
        for (name, value) in pairs(next())? {
            ledger.push(read_row(book, &name, &value)?);
        }
    }
    if !known.books.iter().eq(books.iter().collect::<BTreeSet<_>>()) {
        return Ok(None);
    }
    let Some(state) = known.state else { return Ok(Some(None)) };
    let places = places(&state, &facts, &log)?;
    let held = held(&known.orders, bodies)?;
    let facts = facts.into_iter().map(|(key, row)| {
        let FactRow { rank, record, .. } = row;
        FactAt { key, seq: record.seq, rank }
    });
    let facts = facts.collect();
    let cards = known.cards;
    let snapshot = Snapshot { state, places, facts, held, cards, due, cursors, ledger };
    Ok(Some(Some(snapshot.in_order())))
}

/// What stands in the hash of a scope.
#[derive(Default)]
struct Known {
    state: Option<ScopeState>,
    orders: BTreeMap<Ref, Vec<Ref>>,
    cards: Vec<Card>,
    books: BTreeSet<String>,
}

impl Known {
    fn read(answer: Value) -> Result<Self, Damaged> {
        let mut known = Self::default();
        for (field, value) in pairs(answer)? {
            let damaged = || Damaged("a field of a scope");
            match field.split_first().ok_or_else(damaged)? {
                (b's', []) => {
                    let state = minicbor::decode(&value);
                    known.state = Some(state.map_err(|_| Damaged("the state of a scope"))?);
                }
                (b'o', schedule) => {
                    let schedule = Ref(schedule.try_into().map_err(|_| damaged())?);
                    known.orders.insert(schedule, read_order(&value)?);
                }
                (b'c', invite) => {
                    let invite = u32::from_be_bytes(invite.try_into().map_err(|_| damaged())?);
                    known.cards.push(Card { invite: InviteId(invite), blob: value });
                }
                (b'g', book) => {
                    let book = String::from_utf8(book.to_vec()).map_err(|_| damaged())?;
                    known.books.insert(book);
                }
                _ => {}
            }
        }
        Ok(known)
    }
}

/// The facts below the floor, and every place beyond it.
fn places(
    state: &ScopeState,
    facts: &BTreeMap<String, FactRow>,
    log: &[Vec<u8>],
) -> Result<Vec<Place>, Damaged> {
    let mut places = Vec::new();
    let of_fact = |row: &FactRow| Place {
        seq: row.record.seq,
        at: row.record.at,
        tag: row.tag,
        content: Some(row.record.content.clone()),
    };
    places.extend(facts.values().filter(|row| row.record.seq <= state.floor).map(of_fact));
    for (place, element) in (1_u64..).zip(log) {
        let seq: Seq = state.floor.saturating_add(place);
        let Element { at, tag, says } = Element::from_bytes(element)?;
        let content = match says {
            Says::Entry(content) => Some(content),
            Says::Fact(key) => {
                let stands = facts.get(&key).filter(|row| row.record.seq == seq);
                stands.map(|row| row.record.content.clone())
            }
            Says::Gone => None,
        };
        places.push(Place { seq, at, tag, content });
    }
    Ok(places)
}

/// The bodies in their order.
fn held(
    orders: &BTreeMap<Ref, Vec<Ref>>,
    mut bodies: BTreeMap<Vec<u8>, Vec<u8>>,
) -> Result<Vec<HeldBody>, Damaged> {
    let mut held = Vec::new();
    for (schedule, order) in orders {
        for body_ref in order {
            let content = bodies.remove(&super::body_field(*schedule, *body_ref));
            let content = content.ok_or(Damaged("a held body"))?;
            held.push(HeldBody { body_ref: *body_ref, schedule: *schedule, content });
        }
    }
    if bodies.is_empty() { Ok(held) } else { Err(Damaged("the order of held bodies")) }
}

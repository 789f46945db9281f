//! A piece of a log as one script reads it, and the page that it makes. Pure.

use jiashu_proto::entry::{Cursor, Seq};
use redis::Value;

use super::answer::{all_bytes, array, bytes};
use super::layout::{Damaged, Element, FactRow, Says};
use crate::store::{Page, PageLimit, Record, ScopeState, StoreError};

/// A piece of a log.
pub(super) struct Places {
    /// As it was then.
    pub(super) state: ScopeState,
    places: Vec<Element>,
    /// Of each place that is a fact's, the fact as it stands.
    facts: Vec<Option<FactRow>>,
    /// All facts, if the first place is not beyond the floor.
    pub(super) all_facts: Vec<FactRow>,
}

impl Places {
    pub(super) fn read(answer: Value) -> Result<Self, Damaged> {
        let mut parts = array(answer)?.into_iter();
        let mut next = || parts.next().ok_or(Damaged("an answer that is missing"));
        let state = bytes(next()?)?.ok_or(Damaged("the state of a scope"))?;
        let state = minicbor::decode(&state).map_err(|_| Damaged("the state of a scope"))?;
        let elements = all_bytes(next()?)?;
        let places =
            elements.iter().map(|bytes| Element::from_bytes(bytes)).collect::<Result<_, _>>()?;
        let facts = all_bytes(next()?)?.into_iter().map(|row| match row.as_slice() {
            [] => Ok(None),
            row => FactRow::from_bytes(row).map(Some),
        });
        let facts = facts.collect::<Result<_, _>>()?;
        let all = all_bytes(next()?)?;
        let all_facts = all.iter().map(|row| FactRow::from_bytes(row)).collect::<Result<_, _>>()?;
        Ok(Self { state, places, facts, all_facts })
    }

    /// What the place says that has this number; `None` if it is superseded.
    pub(super) fn record(&self, place: usize, seq: Seq) -> Option<Record> {
        let element = self.places.get(place)?;
        match &element.says {
            Says::Entry(content) => Some(Record { seq, at: element.at, content: content.clone() }),
            Says::Fact(_) => {
                let fact = self.facts.get(place)?.as_ref()?;
                (fact.record.seq == seq).then(|| fact.record.clone())
            }
            Says::Gone => None,
        }
    }
}

/// The page behind a cursor; `found` begins with the cursor's own place, or behind the floor.
pub(super) fn page(found: &Places, cursor: Cursor, limit: PageLimit) -> Result<Page, StoreError> {
    let Places { state, places, all_facts, .. } = found;
    let (head, floor) = (state.head, state.floor);
    if cursor.generation != state.generation || cursor.seq > head {
        return Err(StoreError::OtherLog);
    }
    let is_beyond = cursor.seq > floor;
    if is_beyond && places.first().map(|place| place.tag) != Some(cursor.tag) {
        return Err(StoreError::OtherLog);
    }
    let tag = if cursor.seq == 0 { 0 } else { cursor.tag };
    let (upto, suspended) = (Cursor { tag, ..cursor }, state.suspended.clone());
    let mut page = Page { upto, head, floor, records: Vec::new(), suspended };
    let mut below: Vec<_> = all_facts
        .iter()
        .filter(|fact| fact.record.seq > cursor.seq && fact.record.seq <= floor)
        .map(|fact| (fact.record.seq, fact.tag, Some(fact.record.clone())))
        .collect();
    below.sort_by_key(|(seq, ..)| *seq);
    let skip = usize::from(is_beyond);
    let beyond = places.iter().enumerate().skip(skip).map(|(place, element)| {
        let seq = floor.max(cursor.seq.saturating_sub(1)).saturating_add(1 + place as u64);
        (seq, element.tag, found.record(place, seq))
    });
    let mut size = 0_usize;
    for (seq, tag, record) in below.into_iter().chain(beyond).take(limit.entries.max(1)) {
        if let Some(record) = record {
            size = size.saturating_add(record.content.len());
            if size > limit.bytes && !page.records.is_empty() {
                break;
            }
            page.records.push(record);
        }
        (page.upto.seq, page.upto.tag) = (seq, tag);
    }
    Ok(page)
}

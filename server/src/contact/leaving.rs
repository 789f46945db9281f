//! What stays of a family in figures that it leaves, as it goes to another programme, begins anew, or is not counted any
//! more: those of weeks that have ended, and nothing of it.

use jiashu_contact::week::Week;
use jiashu_proto::entry::Placement;
use jiashu_proto::id::{Millis, Scope};
use jiff::tz::TimeZone;

use super::rows::{FAMILIES, WeekRow, changed, week_book};
use super::{FOR_GOOD, gather, reckon, setting};
use crate::clock::timestamp;
use crate::execute::Failure;
use crate::relay::Relay;
use crate::store::{Batch, Change, LedgerRow, Precondition, Store, StoreError};

/// Closes the weeks that have ended as they stand now: who has left hears nothing more of them. What must still hold where
/// somebody relies on it.
///
/// # Errors
///
/// [`Failure`].
pub async fn close_weeks(
    relay: &Relay,
    family: Scope,
    placement: &Placement,
) -> Result<Vec<Precondition>, Failure> {
    let (changes, seen) = closed_weeks(relay, family, placement).await?;
    if !changes.is_empty() {
        let batch = Batch { changes, ..Batch::new(relay.clock.now()) };
        relay.store.commit(placement.programme, batch).await?;
    }
    Ok(seen)
}

async fn closed_weeks(
    relay: &Relay,
    family: Scope,
    placement: &Placement,
) -> Result<(Vec<Change>, Vec<Precondition>), Failure> {
    let store = &*relay.store;
    let state = store.state(family).await?.ok_or(StoreError::NoScope)?;
    let (known, seen) = gather(relay, family, &state, placement).await?;
    let setting = setting(store, placement, &known.stayed).await?;
    let reckoned = reckon::reckon(&known, &setting, relay.clock.now());
    // The last is the one that it is.
    let ended = reckoned.weeks.split_last().map(|(_, ended)| ended).unwrap_or_default();
    let now = relay.clock.now();
    let closed = ended.iter().flat_map(|(week, row)| {
        let row = LedgerRow {
            book: week_book(*week),
            name: name(family),
            version: FOR_GOOD,
            value: WeekRow { closed: true, ..row.clone() }.to_bytes(),
        };
        [Change::Enter(row), changed(Some(*week), now)]
    });
    Ok((closed.collect(), seen))
}

/// How it stands, and its week that has not ended, are struck from figures that it has left.
///
/// # Errors
///
/// [`StoreError`].
pub async fn left_rows(
    store: &dyn Store,
    programme: Scope,
    family: Scope,
    now: Millis,
) -> Result<Vec<Change>, StoreError> {
    let mut changes = vec![Change::Strike(FAMILIES.to_owned(), name(family))];
    changes.extend(running_week(store, programme, family, now).await?);
    Ok(changes)
}

/// Its week that has not ended is struck.
///
/// # Errors
///
/// [`StoreError`].
pub async fn running_week(
    store: &dyn Store,
    programme: Scope,
    family: Scope,
    now: Millis,
) -> Result<Vec<Change>, StoreError> {
    let mut changes = Vec::new();
    let today = Week::at(timestamp(now), &TimeZone::UTC);
    // Somewhere it is the next already, or the one before still.
    for week in [today.before(), today, today.next()] {
        let rows = store.book(programme, &week_book(week)).await?;
        let own = rows.iter().find(|row| row.name == name(family));
        if own.and_then(WeekRow::read).is_some_and(|row| !row.closed) {
            changes.push(Change::Strike(week_book(week), name(family)));
        }
    }
    Ok(changes)
}

fn name(family: Scope) -> Vec<u8> {
    family.0.to_be_bytes().to_vec()
}

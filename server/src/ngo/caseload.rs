//! Whose each family is, of those of whom that was said; the others are their site's caseworkers'.

use jiashu_proto::id::{DeviceId, Scope};

use super::audit::Asked;
use super::staff::{Staff, allow_case, no_such_staff};
use crate::execute::Failure;
use crate::relay::Relay;
use crate::store::{Batch, Change, LedgerRow, LedgerVersion, Store, StoreError};

/// The book of whose each family is.
pub const CASELOAD: &str = "caseload";

/// Whose each family is, of those whose it was said.
///
/// # Errors
///
/// [`StoreError`].
pub async fn caseload(
    store: &dyn Store,
    programme: Scope,
) -> Result<std::collections::HashMap<Scope, DeviceId>, StoreError> {
    let rows = store.book(programme, CASELOAD).await?;
    let read = |row: LedgerRow| {
        let family = Scope(u64::from_be_bytes(row.name.try_into().ok()?));
        Some((family, minicbor::decode(&row.value).ok()?))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Whose a family is, if it was said.
///
/// # Errors
///
/// [`StoreError`].
pub async fn worker_of(
    store: &dyn Store,
    programme: Scope,
    family: Scope,
) -> Result<Option<DeviceId>, StoreError> {
    let row = store.row(programme, CASELOAD, &family.0.to_be_bytes()).await?;
    Ok(row.and_then(|row| minicbor::decode(&row.value).ok()))
}

/// Whose a family is from that version on.
#[must_use]
pub fn own(family: Scope, worker: DeviceId, version: LedgerVersion) -> Change {
    Change::Enter(LedgerRow {
        book: CASELOAD.to_owned(),
        name: family.0.to_be_bytes().to_vec(),
        version,
        value: minicbor::to_vec(worker).expect("writing to memory cannot fail"),
    })
}

/// A family is of nobody by name any more.
#[must_use]
pub fn disown(family: Scope) -> Change {
    Change::Strike(CASELOAD.to_owned(), family.0.to_be_bytes().to_vec())
}

/// Says whose a family is from now on.
///
/// # Errors
///
/// [`Failure`].
pub async fn assign(
    relay: &Relay,
    staff: &Staff,
    case_code: &str,
    worker: DeviceId,
) -> Result<(), Failure> {
    let asked = Asked::of("assign", case_code).saying(worker.to_string());
    let family = allow_case(relay, staff, case_code, asked).await?;
    let store = &*relay.store;
    let state = store.state(staff.programme).await?.ok_or(StoreError::NoScope)?;
    if state.seats.get(&worker).is_none_or(|seat| seat.revoked) {
        return Err(no_such_staff().into());
    }
    let now = relay.clock.now();
    let version = (state.head, u64::try_from(now).unwrap_or(0));
    let changes = vec![own(family, worker, version)];
    store.commit(staff.programme, Batch { changes, ..Batch::new(now) }).await?;
    Ok(())
}

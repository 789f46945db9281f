//! Whose each family is, of those of whom that was said; the others are their site's caseworkers'. What was said of
//! somebody who left, or is shown no family, counts for nothing: a family is never with nobody.

use std::collections::HashMap;

use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{DeviceId, Scope};

use super::audit::Asked;
use super::staff::{Staff, allow_case, no_such_staff};
use crate::contact::glance::Glance;
use crate::execute::Failure;
use crate::family::Refusal;
use crate::programme::{self, Role, StaffFact, staff_key};
use crate::relay::Relay;
use crate::store::{
    Batch, BookRow, Change, LedgerRow, LedgerVersion, ScopeState, Store, StoreError,
};

/// The book of whose each family is.
pub const CASELOAD: &str = "caseload";

/// Whose each family is, of those who have somebody by name.
///
/// # Errors
///
/// [`StoreError`].
pub async fn caseload(
    store: &dyn Store,
    programme: Scope,
) -> Result<HashMap<Scope, DeviceId>, StoreError> {
    let state = store.state(programme).await?.ok_or(StoreError::NoScope)?;
    let facts: HashMap<String, StaffFact> =
        programme::all(store, programme).await?.into_iter().collect();
    let book = store.whole_book(programme, CASELOAD).await?;
    let read = |row: BookRow<'_>| {
        let family = Scope(u64::from_be_bytes(row.name.try_into().ok()?));
        let worker: DeviceId = minicbor::decode(row.value).ok()?;
        let fact = facts.get(&worker.to_string());
        (is_there(&state, worker) && is_shown_families(fact)).then_some((family, worker))
    };
    Ok(book.iter().filter_map(read).collect())
}

/// Which families are somebody's own, of those whose rows say how they stand.
pub(super) struct Own<'a> {
    staff: &'a Staff,
    caseload: HashMap<Scope, DeviceId>,
}

impl<'a> Own<'a> {
    pub(super) async fn of(relay: &Relay, staff: &'a Staff) -> Result<Self, StoreError> {
        let caseload = match staff.role {
            Role::Caseworker => caseload(&*relay.store, staff.programme).await?,
            // Theirs are all of them, or none, whoever else's they are.
            Role::Coordinator | Role::Auditor => HashMap::new(),
        };
        Ok(Self { staff, caseload })
    }

    /// Of somebody whose families are those of their sites alone.
    #[cfg(test)]
    pub(super) fn whose(staff: &'a Staff) -> Self {
        Self { staff, caseload: HashMap::new() }
    }

    /// What a row of the families' book says at a glance, if it reads and is of one of these.
    pub(super) fn glance<'b>(&self, row: BookRow<'b>) -> Option<Glance<'b>> {
        let family = Scope(u64::from_be_bytes(row.name.try_into().ok()?));
        let glance = Glance::from_bytes(row.value)?;
        self.staff.owns(self.caseload.get(&family).copied(), glance.site).then_some(glance)
    }
}

/// Whose a family is, if it has somebody by name.
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
    let worker: Option<DeviceId> = row.and_then(|row| minicbor::decode(&row.value).ok());
    let Some(worker) = worker else { return Ok(None) };
    let state = store.state(programme).await?.ok_or(StoreError::NoScope)?;
    let fact = programme::find(store, programme, &staff_key(worker)).await?;
    Ok((is_there(&state, worker) && is_shown_families(fact.as_ref())).then_some(worker))
}

/// Whether somebody has come in, and not left.
fn is_there(state: &ScopeState, worker: DeviceId) -> bool {
    state.seats.get(&worker).is_some_and(|seat| !seat.revoked)
}

/// Whether somebody of whom that stands is shown families at all.
fn is_shown_families(fact: Option<&StaffFact>) -> bool {
    fact.is_none_or(|fact| fact.role != Role::Auditor)
}

/// Whose families can be, by number: who has come in, has not left, and is shown families.
///
/// # Errors
///
/// [`StoreError`].
pub(super) async fn workers(
    store: &dyn Store,
    programme: Scope,
) -> Result<Vec<(DeviceId, StaffFact)>, StoreError> {
    let state = store.state(programme).await?.ok_or(StoreError::NoScope)?;
    let facts: Vec<(String, StaffFact)> = programme::all(store, programme).await?;
    let numbered =
        |(number, fact): (String, StaffFact)| Some((DeviceId(number.parse().ok()?), fact));
    let is_worker = |(number, fact): &(DeviceId, StaffFact)| {
        is_there(&state, *number) && is_shown_families(Some(fact))
    };
    let mut workers: Vec<_> = facts.into_iter().filter_map(numbered).filter(is_worker).collect();
    workers.sort_unstable_by_key(|(number, _)| *number);
    Ok(workers)
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
/// [`Failure`]; [`ErrorCode::NotAllowed`] for an auditor.
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
    if !is_there(&state, worker) {
        return Err(no_such_staff().into());
    }
    let fact = programme::find(store, staff.programme, &staff_key(worker)).await?;
    if !is_shown_families(fact.as_ref()) {
        let text = "an auditor is shown no family: name a caseworker or a coordinator";
        return Err(Refusal::new(ErrorCode::NotAllowed, text).into());
    }
    let now = relay.clock.now();
    let version = (state.head, u64::try_from(now).unwrap_or(0));
    let changes = vec![own(family, worker, version)];
    store.commit(staff.programme, Batch { changes, ..Batch::new(now) }).await?;
    Ok(())
}

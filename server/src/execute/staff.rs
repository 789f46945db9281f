//! What staff do: enrol a family, record consent, void what was lost.
//!
//! A case belongs to the programme whose staff ask; what its number names must be the family that was
//! enrolled under it, for the number was the client's to draw.

use jiashu_proto::entry::{Consent, Content, Seq};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Enrol, Enrolled, RecordConsent, ToClose, Void};
use jiashu_proto::id::Scope;
use jiashu_roster::Roster;

use super::{ATTEMPTS, Failure, checked_links, stored_links};
use crate::family::Refusal;
use crate::family::closing::decide_void;
use crate::family::enrolment::{
    case_key, decide_consent, decide_enrolment, found_family, read_case,
};
use crate::relay::Relay;
use crate::store::{Batch, Change, DueItem, Store, StoreError};

/// Enrols a family in two steps; a repeat finds them done.
///
/// # Errors
///
/// [`Failure`].
pub async fn enrol(relay: &Relay, programme: Scope, enrol: Enrol) -> Result<Enrolled, Failure> {
    note_case(relay, programme, &enrol, None).await?;
    let done = finish_enrolment(relay, programme, &enrol.case_code).await;
    let Err(Failure::Refused(Refusal { code: ErrorCode::Exists, .. })) = &done else {
        return done;
    };
    let (place, noted) = case(&*relay.store, programme, &enrol.case_code).await?;
    if noted == enrol {
        return done;
    }
    // What stands was noted with a number that was taken; this one may be free.
    note_case(relay, programme, &enrol, Some(place)).await?;
    finish_enrolment(relay, programme, &enrol.case_code).await
}

/// Step one of an enrolment. A case that was noted otherwise meanwhile stays as it is.
async fn note_case(
    relay: &Relay,
    programme: Scope,
    enrol: &Enrol,
    standing: Option<Seq>,
) -> Result<(), Failure> {
    let batch = decide_enrolment(enrol, standing, relay.clock.now())?;
    match relay.store.commit(programme, batch).await {
        Ok(_) | Err(StoreError::Stale { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Step two of an enrolment, from what step one noted. May be repeated.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Exists`] if the family's number is another family's.
pub async fn finish_enrolment(
    relay: &Relay,
    programme: Scope,
    case_code: &str,
) -> Result<Enrolled, Failure> {
    let store = &*relay.store;
    let (_, case) = case(store, programme, case_code).await?;
    let done = match store.commit(case.family, found_family(&case, relay.clock.now())?).await {
        Ok(_) => {
            tracing::info!(family.id = %case.family, "enrolled a family");
            true
        }
        Err(StoreError::Stale { .. }) => {
            stored_links(store, case.family).await?.first() == Some(&case.link)
        }
        Err(error) => return Err(error.into()),
    };
    let clear = Batch {
        changes: vec![Change::ClearDue(DueItem::Enrolment(case_code.into()))],
        ..Batch::new(relay.clock.now())
    };
    store.commit(programme, clear).await?;
    if !done {
        let text = "the family's number is taken: enrol it with another";
        return Err(Refusal::new(ErrorCode::Exists, text).into());
    }
    let state = store.state(case.family).await?.ok_or(StoreError::NoScope)?;
    Ok(Enrolled { case_code: case.case_code, family: case.family, active: state.active })
}

/// A case as it is noted, and its place.
async fn case(
    store: &dyn Store,
    programme: Scope,
    case_code: &str,
) -> Result<(Seq, Enrol), Failure> {
    let key = case_key(case_code);
    let facts = store.facts(programme, &key).await?;
    let record = facts.into_iter().find(|(found, _)| *found == key);
    record
        .and_then(|(_, record)| Some((record.seq, read_case(&record.content).ok()?)))
        .ok_or_else(|| Refusal::new(ErrorCode::Unknown, "there is no such case").into())
}

/// Records consent of a member.
///
/// # Errors
///
/// [`Failure`].
pub async fn record_consent(
    relay: &Relay,
    programme: Scope,
    record: &RecordConsent,
) -> Result<Enrolled, Failure> {
    let store = &*relay.store;
    let (case, roster) = family_of(relay, programme, &record.case_code).await?;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let standing = consents(store, case.family).await?;
        let (batch, active) = decide_consent(record, &roster, &standing, relay.clock.now())?;
        match store.commit(case.family, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                return Ok(Enrolled { case_code: case.case_code, family: case.family, active });
            }
        }
    }
}

async fn consents(store: &dyn Store, family: Scope) -> Result<Vec<(Seq, Consent)>, StoreError> {
    let facts = store.facts(family, "consent/").await?;
    Ok(facts
        .into_iter()
        .filter_map(|(_, record)| match Content::from_bytes(&record.content) {
            Ok(Content::Consent(consent)) => Some((record.seq, consent)),
            _ => None,
        })
        .collect())
}

/// Voids devices and invites of a family; a repeat finds it done.
///
/// # Errors
///
/// [`Failure`].
pub async fn void(relay: &Relay, programme: Scope, void: &Void) -> Result<Enrolled, Failure> {
    let store = &*relay.store;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let (case, roster) = family_of(relay, programme, &void.case_code).await?;
        let state = store.state(case.family).await?.ok_or(StoreError::NoScope)?;
        let enrolled =
            Enrolled { case_code: case.case_code, family: case.family, active: state.active };
        let now = relay.clock.now();
        let Some(batch) = decide_void(&state, &roster, &void.to_close, now)? else {
            return Ok(enrolled);
        };
        match store.commit(case.family, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                let ToClose { devices, invites } = &void.to_close;
                tracing::info!(family.id = %case.family, ?devices, ?invites, "staff voided");
                return Ok(enrolled);
            }
        }
    }
}

/// The case and its family's roster.
async fn family_of(
    relay: &Relay,
    programme: Scope,
    case_code: &str,
) -> Result<(Enrol, Roster), Failure> {
    let (_, case) = case(&*relay.store, programme, case_code).await?;
    let (roster, links) = checked_links(relay, case.family).await?;
    if links.first() != Some(&case.link) {
        // Noted with a number that was taken: the family there is not this case's.
        return Err(Refusal::new(ErrorCode::Unknown, "there is no such case").into());
    }
    Ok((case, roster))
}

//! What staff do: enrol a family, record consent, void what was lost, let a new phone ask.
//!
//! A case belongs to the programme whose staff ask; what its number names must be the family that was
//! enrolled under it, for the number was the client's to draw.

use jiashu_proto::entry::{Consent, Content, Placement, SUSPENSION_KEYS, Seq};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Enrol, Enrolled, RecordConsent, Reissue, ToClose, Void};
use jiashu_proto::id::{DeviceId, Scope};
use jiashu_roster::Roster;

use super::{ATTEMPTS, Failure, checked_links, stored_links, transfer};
use crate::contact::leaving::{close_weeks, left_rows};
use crate::contact::placement;
use crate::erasing::follows;
use crate::family::admission::decide_reissue;
use crate::family::closing::decide_void;
use crate::family::consent::decide_consent;
use crate::family::enrolment::{case_key, decide_enrolment, found_family, read_case};
use crate::family::invites::check_invites;
use crate::family::suspension::decide_carry;
use crate::family::{Refusal, no_such_case};
use crate::ngo::audit::Asked;
use crate::ngo::caseload::{caseload, own};
use crate::ngo::staff::{Staff, allow_enrolment, allow_family};
use crate::ngo::visits;
use crate::programme::{self, ConsentSettings, ProgrammeFact as _};
use crate::relay::Relay;
use crate::store::{Batch, Change, DueItem, Store, StoreError};

/// Does what a member of staff asks, if it is theirs to do; noted either way.
///
/// # Errors
///
/// [`Failure`].
pub async fn command(
    relay: &Relay,
    programme: Scope,
    number: DeviceId,
    command: ClientFrame,
) -> Result<Enrolled, Failure> {
    let staff = Staff::load(&*relay.store, programme, number).await?;
    match command {
        ClientFrame::Enrol(asked) => {
            allow_enrolment(relay, &staff, &asked.case_code, asked.site.as_deref()).await?;
            enrol(relay, programme, asked).await
        }
        ClientFrame::RecordConsent(record) => {
            let asked = Asked::of("consent", &*record.case_code);
            let asked = asked.saying(record.consent.member.to_string());
            allow_family(relay, &staff, &record.case_code, asked).await?;
            record_consent(relay, programme, &record).await
        }
        ClientFrame::Void(asked) => {
            let noted = Asked::of("void", &*asked.case_code);
            allow_family(relay, &staff, &asked.case_code, noted).await?;
            void(relay, programme, &asked).await
        }
        ClientFrame::Reissue(asked) => {
            let noted = Asked::of("reissue", &*asked.case_code);
            allow_family(relay, &staff, &asked.case_code, noted).await?;
            reissue(relay, programme, &asked).await
        }
        _ => Err(Refusal::new(ErrorCode::UnknownKind, "not a command of staff").into()),
    }
}

/// Enrols a family in two steps; a repeat finds them done. One that is enrolled already and of which
/// no device is left begins anew, if the client names its number.
///
/// # Errors
///
/// [`Failure`].
async fn enrol(relay: &Relay, programme: Scope, enrol: Enrol) -> Result<Enrolled, Failure> {
    check_invites(&enrol.link, 0, relay.config.limits.invites(), relay.clock.now())?;
    if let Some(replaced) = enrol.replaces {
        return begin_anew(relay, programme, &enrol, replaced).await;
    }
    // Of a family that was deleted nothing is noted anew, as by a list that is handed in once more.
    let state = relay.store.state(enrol.family).await?;
    if state.is_some_and(|state| state.erased_at.is_some()) {
        return Err(number_is_taken().into());
    }
    note_case(relay, programme, &enrol, None).await?;
    let done = finish_enrolment(relay, programme, &enrol.case_code).await;
    match &done {
        Err(Failure::Refused(Refusal { code: ErrorCode::Exists, .. })) => {}
        Err(Failure::Refused(Refusal { code: ErrorCode::Unknown, .. })) => {
            let text = "a family that went to another programme had that case code: enrol it under another";
            return Err(Refusal::new(ErrorCode::NotAllowed, text).into());
        }
        _ => return done,
    }
    let (place, noted) = case(&*relay.store, programme, &enrol.case_code).await?;
    if noted == enrol {
        return done;
    }
    // What stands was noted with a number that was taken; this one may be free.
    note_case(relay, programme, &enrol, Some(place)).await?;
    finish_enrolment(relay, programme, &enrol.case_code).await
}

/// Enrols again a case of which no device is left. Its family ends with step three.
async fn begin_anew(
    relay: &Relay,
    programme: Scope,
    enrol: &Enrol,
    replaced: Scope,
) -> Result<Enrolled, Failure> {
    let store = &*relay.store;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let (place, noted) = case(store, programme, &enrol.case_code).await?;
        if noted == *enrol {
            return finish_enrolment(relay, programme, &enrol.case_code).await;
        }
        let batch = decide_enrolment(programme, enrol, Some(place), relay.clock.now())?;
        if noted.family != replaced {
            let text = "the case has another family by now: ask which";
            return Err(Refusal::new(ErrorCode::Stale, text).into());
        }
        // Only this case's own family may end by it, and only if another can begin.
        family_of(relay, programme, &enrol.case_code).await?;
        if store.state(enrol.family).await?.is_some() {
            return Err(number_is_taken().into());
        }
        match store.commit(programme, batch).await {
            // Perhaps by this very frame, sent twice: then the next look finds it noted.
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return finish_enrolment(relay, programme, &enrol.case_code).await,
        }
    }
}

fn number_is_taken() -> Refusal {
    Refusal::new(ErrorCode::Exists, "the family's number is taken: enrol it with another")
}

/// Step three: the family that was there until now takes no command any more. Its weeks that have ended close before, as
/// nobody will come back to them.
async fn supersede(relay: &Relay, replaced: Scope) -> Result<(), Failure> {
    let state = relay.store.state(replaced).await?;
    if state.is_some_and(|state| !state.superseded) {
        if let Some(placement) = placement(&*relay.store, replaced).await? {
            close_weeks(relay, replaced, &placement).await?;
        }
        let changes = vec![Change::Supersede];
        relay.store.commit(replaced, Batch { changes, ..Batch::new(relay.clock.now()) }).await?;
        tracing::info!(family.id = %replaced, "a family began anew");
    }
    Ok(())
}

/// Who was suspended in the old family stays so in the one that begins anew.
async fn carry_suspensions(relay: &Relay, old: Scope, new: Scope) -> Result<(), Failure> {
    let store = &*relay.store;
    let facts = store.facts(old, SUSPENSION_KEYS).await?;
    if facts.is_empty() {
        return Ok(());
    }
    let (roster, ..) = checked_links(relay, new).await?;
    for (_, record) in facts {
        let Ok(Content::Suspension(suspension)) = Content::from_bytes(&record.content) else {
            continue;
        };
        let Some(batch) = decide_carry(suspension, &roster, relay.clock.now()) else { continue };
        match store.commit(new, batch).await {
            // It was carried over before.
            Ok(_) | Err(StoreError::Stale { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The family that begins anew stands in the place of the old one: on the worklist, in the figures of this week, with whom
/// it was, and when staff met it.
async fn hand_over(relay: &Relay, programme: Scope, old: Scope, new: Scope) -> Result<(), Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    let mut changes = left_rows(store, programme, old, now).await?;
    changes.push(follows(old, new));
    if let Some(worker) = caseload(store, programme).await?.get(&old) {
        changes.push(own(new, *worker, (0, 0)));
    }
    changes.extend(visits::hand_over(store, programme, old, new).await?);
    store.commit(programme, Batch { changes, ..Batch::new(now) }).await?;
    transfer::void(relay, programme, old).await
}

/// Step one of an enrolment. A case that was noted otherwise meanwhile stays as it is.
async fn note_case(
    relay: &Relay,
    programme: Scope,
    enrol: &Enrol,
    standing: Option<Seq>,
) -> Result<(), Failure> {
    let batch = decide_enrolment(programme, enrol, standing, relay.clock.now())?;
    match relay.store.commit(programme, batch).await {
        Ok(_) | Err(StoreError::Stale { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Steps two and three of an enrolment, from what step one noted. May be repeated.
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
    let (_, mut case) = case(store, programme, case_code).await?;
    if let (None, Some(replaced)) = (case.care, case.replaces) {
        // A list that does not say it leaves what is known.
        case.care = placement(store, replaced).await?.and_then(|placement| placement.care);
    }
    let settings = consent_settings(store, programme).await?;
    let founded = found_family(programme, &case, settings, relay.clock.now())?;
    let done = match store.commit(case.family, founded).await {
        Ok(_) => {
            tracing::info!(family.id = %case.family, "enrolled a family");
            true
        }
        Err(StoreError::Stale { .. }) => {
            stored_links(store, case.family).await?.first() == Some(&case.link)
        }
        Err(error) => return Err(error.into()),
    };
    if done {
        check_is_here(store, programme, &case).await?;
    }
    if let (true, Some(replaced)) = (done, case.replaces) {
        supersede(relay, replaced).await?;
        carry_suspensions(relay, replaced, case.family).await?;
        hand_over(relay, programme, replaced, case.family).await?;
    }
    let clear = Batch {
        changes: vec![Change::ClearDue(DueItem::Enrolment(case_code.into()))],
        ..Batch::new(relay.clock.now())
    };
    store.commit(programme, clear).await?;
    if !done {
        return Err(number_is_taken().into());
    }
    let state = store.state(case.family).await?.ok_or(StoreError::NoScope)?;
    Ok(Enrolled { case_code: case.case_code, family: case.family, active: state.active })
}

/// A family that was founded is of the programme that its own log says, under the code that stands there: a case that is
/// noted is not enough, as the family may be on its way in or out.
async fn check_is_here(store: &dyn Store, programme: Scope, case: &Enrol) -> Result<(), Failure> {
    let is_here = |placement: &Placement| {
        (placement.programme, &placement.case_code) == (programme, &case.case_code)
    };
    match placement(store, case.family).await? {
        // Of an older relay, or not founded yet.
        None => Ok(()),
        Some(placement) if is_here(&placement) => Ok(()),
        Some(_) => Err(no_such_case().into()),
    }
}

/// A case as it is noted, and its place. Whether the family is the one that was enrolled under it, [`family`] says.
///
/// # Errors
///
/// [`StoreError`].
pub async fn noted_case(
    store: &dyn Store,
    programme: Scope,
    case_code: &str,
) -> Result<Option<(Seq, Enrol)>, StoreError> {
    let record = store.fact(programme, &case_key(case_code)).await?;
    Ok(record.and_then(|record| Some((record.seq, read_case(&record.content).ok()?))))
}

/// The same, where there must be one.
pub(super) async fn case(
    store: &dyn Store,
    programme: Scope,
    case_code: &str,
) -> Result<(Seq, Enrol), Failure> {
    noted_case(store, programme, case_code).await?.ok_or_else(|| no_such_case().into())
}

/// Records consent of a member.
///
/// # Errors
///
/// [`Failure`].
async fn record_consent(
    relay: &Relay,
    programme: Scope,
    record: &RecordConsent,
) -> Result<Enrolled, Failure> {
    let store = &*relay.store;
    let (case, roster) = family_of(relay, programme, &record.case_code).await?;
    let settings = consent_settings(store, programme).await?;
    let fact = store.fact(case.family, &format!("member/{}", record.consent.member)).await?;
    let language = fact.and_then(|record| match Content::from_bytes(&record.content) {
        Ok(Content::Member(fact)) => Some(fact.language),
        _ => None,
    });
    let language = language.as_deref();
    let mut attempts = 0..ATTEMPTS;
    loop {
        let (standing, now) = (consents(store, case.family).await?, relay.clock.now());
        let (batch, active) = decide_consent(record, &roster, &standing, settings, language, now)?;
        match store.commit(case.family, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                return Ok(Enrolled { case_code: case.case_code, family: case.family, active });
            }
        }
    }
}

/// What holds of consent in a programme where nobody says otherwise.
///
/// # Errors
///
/// [`StoreError`].
pub async fn consent_settings(
    store: &dyn Store,
    programme: Scope,
) -> Result<ConsentSettings, StoreError> {
    let found = programme::find(store, programme, ConsentSettings::KEYS).await?;
    Ok(found.unwrap_or_default())
}

/// What is recorded of taking part and counting, with its places.
///
/// # Errors
///
/// [`StoreError`].
pub async fn consents(store: &dyn Store, family: Scope) -> Result<Vec<(Seq, Consent)>, StoreError> {
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
async fn void(relay: &Relay, programme: Scope, void: &Void) -> Result<Enrolled, Failure> {
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

/// Lets one new phone ask a family to be let in; a repeat finds it done.
///
/// # Errors
///
/// [`Failure`].
async fn reissue(relay: &Relay, programme: Scope, reissue: &Reissue) -> Result<Enrolled, Failure> {
    let store = &*relay.store;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let (case, roster) = family_of(relay, programme, &reissue.case_code).await?;
        let state = store.state(case.family).await?.ok_or(StoreError::NoScope)?;
        let enrolled =
            Enrolled { case_code: case.case_code, family: case.family, active: state.active };
        let now = relay.clock.now();
        let Some(batch) = decide_reissue(&state, &roster, reissue.clone(), now)? else {
            return Ok(enrolled);
        };
        match store.commit(case.family, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                tracing::info!(family.id = %case.family, "staff let a new phone ask");
                return Ok(enrolled);
            }
        }
    }
}

/// The family of a case.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Unknown`] where the programme has no such case.
pub async fn family(relay: &Relay, programme: Scope, case_code: &str) -> Result<Scope, Failure> {
    Ok(family_of(relay, programme, case_code).await?.0.family)
}

/// The case and its family's roster.
async fn family_of(
    relay: &Relay,
    programme: Scope,
    case_code: &str,
) -> Result<(Enrol, Roster), Failure> {
    let (_, case) = case(&*relay.store, programme, case_code).await?;
    let (roster, links, _) = checked_links(relay, case.family).await?;
    if links.first() != Some(&case.link) {
        // Noted with a number that was taken: the family there is not this case's.
        return Err(no_such_case().into());
    }
    check_is_here(&*relay.store, programme, &case).await?;
    Ok((case, roster))
}

//! Who works for a programme: who is let in and out, and what somebody says of oneself.

use std::collections::HashMap;

use jiashu_api::staff as api;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{CodeHash, DeviceId, InviteId, Millis};

use super::audit::{self, Asked};
use super::caseload::caseload;
use super::sessions::session_key;
use super::sign_in::sign_in_key;
use super::sites::sites_exist;
use super::staff::{Staff, Wants, allow, allow_quietly, no_such_staff};
use crate::execute::{self, Failure};
use crate::family::Refusal;
use crate::family::help::check_email;
use crate::notify::digest;
use crate::programme::{self, Role, StaffFact, entry, staff_key};
use crate::relay::Relay;
use crate::store::{Batch, Change, InviteState, Precondition, ScopeKind, ScopeState, StoreError};

/// How long a link for new staff holds, in ms.
const LASTS_MS: Millis = 72 * 60 * 60 * 1000;

/// The most of a text about staff or a site, in bytes.
const MAX_TEXT: usize = 200;

/// Members of staff of a programme, those who left among them.
const MAX_STAFF: u32 = 10_000;

/// All of the staff, by number.
///
/// # Errors
///
/// [`Failure`].
pub async fn list(relay: &Relay, staff: &Staff) -> Result<Vec<api::Member>, Failure> {
    allow_quietly(relay, staff, Wants::Programme, Asked { action: "staff", ..Asked::default() })
        .await?;
    let store = &*relay.store;
    let state = store.state(staff.programme).await?.ok_or(StoreError::NoScope)?;
    let facts: Vec<(String, StaffFact)> = programme::all(store, staff.programme).await?;
    let mut families: HashMap<DeviceId, usize> = HashMap::new();
    for worker in caseload(store, staff.programme).await?.into_values() {
        *families.entry(worker).or_default() += 1;
    }
    let mut members = Vec::new();
    let mut numbers: Vec<_> = state.seats.keys().map(|number| number.0).collect();
    numbers.extend(facts.iter().filter_map(|(number, _)| number.parse::<u32>().ok()));
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers {
        let fact = facts.iter().find(|(of, _)| *of == number.to_string()).map(|(_, fact)| fact);
        let seat = state.seats.get(&DeviceId(number));
        let status = match (seat, fact) {
            (Some(seat), _) if seat.revoked => api::Status::Left,
            (Some(_), _) => api::Status::Active,
            (None, Some(fact)) if fact.left => api::Status::Left,
            (None, _) => api::Status::Invited,
        };
        let families = families.get(&DeviceId(number)).copied().unwrap_or_default();
        members.push(api::Member {
            number,
            role: fact.map_or(Role::Coordinator, |fact| fact.role).name().to_owned(),
            name: fact.map(|fact| fact.name.clone()).unwrap_or_default(),
            email: fact.and_then(|fact| fact.email.clone()),
            sites: fact.map(|fact| fact.sites.clone()).unwrap_or_default(),
            status,
            families,
        });
    }
    Ok(members)
}

/// Lets somebody new in, by a link whose secret is the client's alone.
///
/// # Errors
///
/// [`Failure`].
pub async fn invite(relay: &Relay, staff: &Staff, new: api::New) -> Result<api::Invited, Failure> {
    let asked = Asked { action: "staff-add", subject: None, detail: Some(new.role.clone()) };
    allow(relay, staff, Wants::Programme, asked).await?;
    let store = &*relay.store;
    let (fact, code_hash) = checked(&new)?;
    sites_exist(store, staff.programme, &fact.sites).await?;
    let mut attempts = 0..execute::ATTEMPTS;
    loop {
        let state = store.state(staff.programme).await?.ok_or(StoreError::NoScope)?;
        let number = next_number(&state)?;
        let now = relay.clock.now();
        let expires_at = now.saturating_add(LASTS_MS);
        let (key, code_hash) = (staff_key(DeviceId(number)), Some(code_hash));
        let invite =
            Change::AddInvite { invite: InviteId(number), code_hash, expires_at, blob: Vec::new() };
        let batch = Batch {
            requires: vec![Precondition::FactAt(key.clone(), None)],
            entries: vec![entry(key, &fact)],
            changes: vec![invite],
            ..Batch::new(now)
        };
        match store.commit(staff.programme, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            done => {
                done?;
                digest::arrange(relay, staff.programme).await?;
                return Ok(api::Invited { number, expires_at });
            }
        }
    }
}

fn next_number(state: &ScopeState) -> Result<u32, Refusal> {
    let seats = state.seats.keys().map(|seat| seat.0);
    let invites = state.invites.keys().map(|invite| invite.0);
    let last = seats.chain(invites).max().unwrap_or(0);
    if last >= MAX_STAFF {
        return Err(Refusal::new(ErrorCode::Full, "too many members of staff"));
    }
    Ok(last.saturating_add(1))
}

fn checked(new: &api::New) -> Result<(StaffFact, CodeHash), Refusal> {
    let malformed = |text: &str| Refusal::new(ErrorCode::Malformed, text);
    let role = Role::from_name(&new.role)
        .ok_or_else(|| malformed("a role is coordinator, caseworker or auditor"))?;
    let hash = new.code_hash.parse().map_err(|_| malformed("a hash is 64 hexadecimal digits"))?;
    check_texts(&new.name, new.email.as_deref(), &new.language)?;
    if role == Role::Caseworker && new.sites.is_empty() {
        return Err(malformed("a caseworker has a site, at least one"));
    }
    let fact = StaffFact {
        role,
        sites: new.sites.clone(),
        name: new.name.clone(),
        email: new.email.clone(),
        language: new.language.clone(),
        left: false,
    };
    Ok((fact, hash))
}

fn check_texts(name: &str, email: Option<&str>, language: &str) -> Result<(), Refusal> {
    if ![name, language].into_iter().all(is_plain) {
        let text = "a text is too long, or has a hidden character";
        return Err(Refusal::new(ErrorCode::Malformed, text));
    }
    email.map_or(Ok(()), check_email)
}

/// Nothing that would begin a line of its own in a letter or a list.
pub(super) fn is_plain(text: &str) -> bool {
    text.len() <= MAX_TEXT && !text.chars().any(char::is_control)
}

/// Ends somebody's access at once; an invitation that nobody used, too.
///
/// # Errors
///
/// [`Failure`].
pub async fn remove(relay: &Relay, staff: &Staff, number: DeviceId) -> Result<(), Failure> {
    let asked = Asked::of("staff-remove", number.to_string());
    allow(relay, staff, Wants::Programme, asked).await?;
    let store = &*relay.store;
    if number == staff.number {
        let text = "nobody removes themselves: another coordinator does";
        return Err(Refusal::new(ErrorCode::NotAllowed, text).into());
    }
    let state = store.state(staff.programme).await?.ok_or(StoreError::NoScope)?;
    let fact: Option<StaffFact> =
        programme::find(store, staff.programme, &staff_key(number)).await?;
    if fact.is_none() && !state.seats.contains_key(&number) {
        return Err(no_such_staff().into());
    }
    let left = fact.map(|fact| entry(staff_key(number), &StaffFact { left: true, ..fact }));
    let mut changes = vec![Change::RevokeSeat(number), Change::CloseInvite(InviteId(number.0))];
    changes.extend([session_key(number), sign_in_key(number)].map(Change::DropFact));
    let batch =
        Batch { entries: left.into_iter().collect(), changes, ..Batch::new(relay.clock.now()) };
    store.commit(staff.programme, batch).await?;
    tracing::info!(programme.id = %staff.programme, staff = %number, "a member of staff is out");
    Ok(())
}

/// Says of oneself how one is called, where letters go and in which language.
///
/// # Errors
///
/// [`Failure`].
pub async fn set_me(relay: &Relay, staff: &Staff, me: api::Me) -> Result<(), Failure> {
    let store = &*relay.store;
    let (programme, key) = (staff.programme, staff_key(staff.number));
    let stands: Option<StaffFact> = programme::find(store, programme, &key).await?;
    let stands = stands.and_then(|fact| fact.email).unwrap_or_default();
    // Links to sign in go there.
    let moves = me.email.as_ref().is_some_and(|email| *email != stands);
    let detail = moves.then(|| "email".to_owned());
    let asked = Asked { action: "staff-me", subject: None, detail };
    audit::note(relay, staff.programme, staff.number, &asked, true).await?;
    let mut attempts = 0..execute::ATTEMPTS;
    loop {
        let record = store.fact(programme, &key).await?;
        let fact = match programme::find(store, programme, &key).await? {
            Some(fact) => fact,
            // The first coordinator, of whom nothing was written down.
            None => StaffFact {
                role: staff.role,
                sites: Vec::new(),
                name: String::new(),
                email: None,
                language: "en".to_owned(),
                left: false,
            },
        };
        let name = me.name.clone().unwrap_or(fact.name);
        let language = me.language.clone().unwrap_or(fact.language);
        let email = match &me.email {
            None => fact.email,
            Some(email) if email.is_empty() => None,
            Some(email) => Some(email.clone()),
        };
        check_texts(&name, email.as_deref(), &language)?;
        let fact = StaffFact { name, email, language, ..fact };
        let batch = Batch {
            requires: vec![Precondition::FactAt(key.clone(), record.map(|record| record.seq))],
            entries: vec![entry(key.clone(), &fact)],
            ..Batch::new(relay.clock.now())
        };
        match store.commit(programme, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            done => {
                done?;
                return Ok(digest::arrange(relay, programme).await?);
            }
        }
    }
}

/// Comes in by a link that a coordinator made. `None` if the programme has no such link: it may be the relay's own.
///
/// # Errors
///
/// [`Failure`]; one answer for used, closed and expired.
pub async fn join(
    relay: &Relay,
    setup: &jiashu_proto::frame::Setup,
) -> Result<Option<DeviceId>, Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    // The number may be a family's, whose cards let nobody in here.
    let state = store.state(setup.programme).await?;
    let Some(state) = state.filter(|state| state.kind == ScopeKind::Programme) else {
        return Ok(None);
    };
    let Some((number, invite)) = crate::family::roster::find_invite(&state, &setup.code) else {
        return Ok(None);
    };
    let no = || Failure::from(crate::family::no_such_invite());
    let device = DeviceId(number.0);
    match invite.state {
        InviteState::Used(_, used, _) if used == setup.token_hash => return Ok(Some(device)),
        InviteState::Open if invite.expires_at > now => {}
        _ => return Err(no()),
    }
    let members = Vec::new();
    let batch = Batch {
        requires: vec![Precondition::InviteOpen(number)],
        changes: vec![
            Change::UseInvite(number, device, setup.token_hash),
            Change::AddSeat { device, token_hash: setup.token_hash, members },
        ],
        ..Batch::new(now)
    };
    match store.commit(setup.programme, batch).await {
        Ok(_) => {
            tracing::info!(programme.id = %setup.programme, staff = %device, "a member of staff came in");
            Ok(Some(device))
        }
        Err(StoreError::Stale { .. }) => Err(no()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_begins_no_line_of_its_own() {
        assert!(!is_plain("a\nb") && !is_plain(&"x".repeat(201)) && is_plain("李老师"));
    }
}

//! Links by which staff sign in with a browser: each works once, for an hour. Nobody has a password.
//!
//! The relay makes them, as it is the relay that they open, and keeps the hash alone: a link is shown where it was asked for,
//! or sent to the address that stands for that member of staff, and nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_api::staff as api;
use jiashu_proto::entry::Seq;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{CodeHash, DeviceId, InviteId, Millis, Scope, TokenHash};
use jiashu_roster::code_hash;
use minicbor::{Decode, Encode};

use super::audit::{self, Asked};
use super::sessions::{self, Session};
use super::staff::{Staff, Wants, allow, no_such_staff};
use crate::dice::secret;
use crate::execute::{ATTEMPTS, Failure};
use crate::family::Refusal;
use crate::notify::outbox::{About, Mail, Recipient, id_of};
use crate::programme::{self, ProgrammeFact, Role, StaffFact, entry, staff_key};
use crate::relay::Relay;
use crate::setup;
use crate::store::{
    Batch, Change, InviteState, Precondition, ScopeKind, ScopeState, Store, StoreError,
};

/// How long a link holds, in ms.
pub const LASTS_MS: Millis = 60 * 60 * 1000;

/// Links of one member of staff that are open at once: who asks for more by e-mail is sent none, and of others the oldest goes.
const MOST_OPEN: usize = 5;

/// A link that nobody has used: the fact `sign-in/HASH`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SignIn {
    /// Whom it lets in.
    #[n(0)]
    pub staff: DeviceId,
    /// In ms.
    #[n(1)]
    pub expires_at: Millis,
}

impl ProgrammeFact for SignIn {
    const KIND: u32 = 75;
    const KEYS: &'static str = "sign-in/";
}

fn key(hash: CodeHash) -> String {
    format!("{}{}", SignIn::KEYS, audit::hex(&hash.0))
}

/// What stands in a link: the programme and 16 secret bytes, 32 characters in base64url.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// The programme.
    pub programme: Scope,
    secret: [u8; 16],
}

impl Code {
    /// Reads it, strictly.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (scope, secret) = bytes.split_first_chunk::<8>()?;
        Some(Self { programme: Scope(u64::from_be_bytes(*scope)), secret: secret.try_into().ok()? })
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode([&self.programme.0.to_be_bytes()[..], &self.secret].concat())
    }
}

/// Where the pages for staff begin.
pub const PAGES: &str = "/staff";

/// Makes a link for somebody of whom the caller has looked that it is theirs to have.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Unknown`] if there is no such member of staff, or not any more.
pub async fn make(
    relay: &Relay,
    programme: Scope,
    staff: DeviceId,
) -> Result<api::SignInLink, Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    let state = programme_state(store, programme).await?;
    may_come(store, &state, programme, staff).await?;
    let code = Code { programme, secret: secret().map_err(|_| unavailable())? };
    let expires_at = now.saturating_add(LASTS_MS);
    let mut open = links_of(store, programme, staff).await?;
    // What has expired goes, and the oldest where there are too many.
    open.sort_by_key(|(_, link)| std::cmp::Reverse(link.expires_at));
    let goes = open.iter().enumerate();
    let goes = goes.filter(|(place, (_, link))| link.expires_at <= now || *place + 1 >= MOST_OPEN);
    let batch = Batch {
        entries: vec![entry(key(code_hash(&code.secret)), &SignIn { staff, expires_at })],
        changes: goes.map(|(_, (key, _))| Change::DropFact(key.clone())).collect(),
        ..Batch::new(now)
    };
    store.commit(programme, batch).await?;
    let link = format!("{}{PAGES}/in/{}", relay.origin.trim_end_matches('/'), code.text());
    Ok(api::SignInLink { link, expires_at })
}

fn unavailable() -> Refusal {
    Refusal::new(ErrorCode::Unavailable, "try again later")
}

async fn programme_state(
    store: &dyn Store,
    programme: Scope,
) -> Result<std::sync::Arc<ScopeState>, Failure> {
    let state = store.state(programme).await?;
    Ok(state.filter(|state| state.kind == ScopeKind::Programme).ok_or_else(no_such_staff)?)
}

/// Whether somebody is in, or was asked to come and has not yet.
async fn may_come(
    store: &dyn Store,
    state: &ScopeState,
    programme: Scope,
    staff: DeviceId,
) -> Result<(), Failure> {
    let fact: Option<StaffFact> = programme::find(store, programme, &staff_key(staff)).await?;
    let may = match state.seats.get(&staff) {
        Some(seat) => !seat.revoked,
        None => fact.is_some_and(|fact| !fact.left),
    };
    if may { Ok(()) } else { Err(no_such_staff().into()) }
}

/// The links of one member of staff, with their keys.
async fn links_of(
    store: &dyn Store,
    programme: Scope,
    staff: DeviceId,
) -> Result<Vec<(String, SignIn)>, StoreError> {
    let all: Vec<(String, SignIn)> = programme::all(store, programme).await?;
    let own = all.into_iter().filter(|(_, link)| link.staff == staff);
    Ok(own.map(|(hash, link)| (format!("{}{hash}", SignIn::KEYS), link)).collect())
}

/// A link for oneself, as for a browser beside the command line.
///
/// # Errors
///
/// [`Failure`].
pub async fn for_oneself(relay: &Relay, staff: &Staff) -> Result<api::SignInLink, Failure> {
    let asked = Asked { action: "sign-in-link", ..Asked::default() };
    audit::note(relay, staff.programme, staff.number, &asked, true).await?;
    make(relay, staff.programme, staff.number).await
}

/// A link for somebody else, to be printed or shown to them by a coordinator: for caseworkers, and for whoever has not come in
/// yet. Another coordinator or an auditor who is in is nobody's to act for.
///
/// # Errors
///
/// [`Failure`].
pub async fn for_another(
    relay: &Relay,
    staff: &Staff,
    number: DeviceId,
) -> Result<api::SignInLink, Failure> {
    let asked = Asked::of("sign-in-link", number.to_string());
    allow(relay, staff, Wants::Programme, asked).await?;
    let store = &*relay.store;
    let state = programme_state(store, staff.programme).await?;
    let is_in = state.seats.get(&number).is_some_and(|seat| !seat.revoked);
    let role = Staff::load(store, staff.programme, number).await?.role;
    if is_in && role != Role::Caseworker && number != staff.number {
        let text = "they come in by their own e-mail, or by jiashu-server staff link";
        return Err(Refusal::new(ErrorCode::NotAllowed, text).into());
    }
    make(relay, staff.programme, number).await
}

/// Sends a link to everybody of whom that address stands, in whatever programme. Who asks is told nothing of whether
/// there is anybody.
///
/// # Errors
///
/// [`Failure`].
pub async fn send(relay: &Relay, email: &str) -> Result<(), Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    for programme in setup::programmes(store).await? {
        let all: Vec<(String, StaffFact)> = programme::all(store, programme).await?;
        let is_theirs = |fact: &StaffFact| {
            let own = fact.email.as_deref();
            !fact.left && own.is_some_and(|own| own.eq_ignore_ascii_case(email))
        };
        for (number, _) in all.iter().filter(|(_, fact)| is_theirs(fact)) {
            let Ok(number) = number.parse().map(DeviceId) else { continue };
            let open = links_of(store, programme, number).await?;
            if open.iter().filter(|(_, link)| link.expires_at > now).count() >= MOST_OPEN {
                continue;
            }
            // One that waits to be sent is not asked for twice.
            let id = id_of(&[b"sign-in", &programme.0.to_be_bytes(), &number.0.to_be_bytes()]);
            let changes = Mail::new(Recipient::Staff(number), About::SignIn, now).put(id, now);
            let batch = Batch { changes: changes.to_vec(), ..Batch::new(now) };
            store.commit(programme, batch).await?;
        }
    }
    Ok(())
}

/// Whom a link would let in, while it holds.
///
/// # Errors
///
/// [`StoreError`].
pub async fn look(store: &dyn Store, code: &Code, now: Millis) -> Result<Option<Open>, StoreError> {
    let key = key(code_hash(&code.secret));
    let found: Option<(Seq, SignIn)> = programme::find_at(store, code.programme, &key).await?;
    let found = found.filter(|(_, link)| link.expires_at > now);
    Ok(found.map(|(seq, SignIn { staff, .. })| Open { staff, key, seq }))
}

/// A link that holds.
#[derive(Clone, Debug)]
pub struct Open {
    /// Whom it lets in.
    pub staff: DeviceId,
    key: String,
    seq: Seq,
}

/// Uses a link up: a session begins. Whoever was asked to come and has not is in by it.
///
/// # Errors
///
/// [`Failure`]; one answer for a link that is wrong, used, or expired.
pub async fn enter(relay: &Relay, code: &Code, agent: &str) -> Result<Session, Failure> {
    let (store, programme) = (&*relay.store, code.programme);
    let mut attempts = 0..ATTEMPTS;
    loop {
        let now = relay.clock.now();
        let open = look(store, code, now).await?.ok_or_else(no_such_link)?;
        let state = programme_state(store, programme).await.map_err(|_| no_such_link())?;
        may_come(store, &state, programme, open.staff).await?;
        // Before anybody is in: what is not noted is not done.
        let asked = Asked { action: "sign-in", ..Asked::default() };
        audit::note(relay, programme, open.staff, &asked, true).await?;
        let (session, begin) =
            sessions::begin(programme, open.staff, agent, now).map_err(|_| unavailable())?;
        let mut batch = Batch {
            requires: vec![Precondition::FactAt(open.key.clone(), Some(open.seq))],
            entries: vec![begin],
            changes: vec![Change::DropFact(open.key)],
            ..Batch::new(now)
        };
        if !state.seats.contains_key(&open.staff) {
            seat(&state, open.staff, &mut batch)?;
        }
        match store.commit(programme, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            done => return Ok(done.map(|_| session)?),
        }
    }
}

/// Somebody who was asked to come has a seat from now on, and no token to it: they come by links.
fn seat(state: &ScopeState, staff: DeviceId, batch: &mut Batch) -> Result<(), Refusal> {
    let token_hash = TokenHash(code_hash(&secret().map_err(|_| unavailable())?).0);
    let invite = InviteId(staff.0);
    let is_open = state.invites.get(&invite).is_some_and(|one| one.state == InviteState::Open);
    if is_open {
        batch.requires.push(Precondition::InviteOpen(invite));
        batch.changes.push(Change::UseInvite(invite, staff, token_hash));
    }
    batch.changes.push(Change::AddSeat { device: staff, token_hash, members: Vec::new() });
    Ok(())
}

fn no_such_link() -> Refusal {
    let text = "this link was used, or has expired: ask for another";
    Refusal::new(ErrorCode::Unknown, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_back_and_in_one_form_alone() {
        let code = Code { programme: Scope(7), secret: [9; 16] };

        assert!(Code::parse(&code.text()).is_some_and(|read| read == code));
        for bad in ["", "AAAA", &format!("{}=", code.text()), &format!("{}A", code.text())] {
            assert!(Code::parse(bad).is_none(), "{bad}");
        }
    }
}

//! Links by which staff sign in with a browser: each works once, within an hour. Nobody has a password.
//!
//! The relay makes them, as it is the relay that they open, and keeps the hash alone: a link is shown where it was asked for,
//! or sent to the address that stands for that member of staff, and nowhere else.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_api::staff as api;
use jiashu_proto::entry::Seq;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{CodeHash, DeviceId, InviteId, Millis, Scope, Token, TokenHash};
use jiashu_roster::code_hash;
use minicbor::{Decode, Encode};
use subtle::ConstantTimeEq as _;

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
    Batch, Change, DueItem, InviteState, Precondition, ScopeKind, ScopeState, Store, StoreError,
};

/// How long a link holds, in ms.
pub const LASTS_MS: Millis = 60 * 60 * 1000;

/// Links of one member of staff that are open at once: who asks for more by e-mail is sent none, and of others the oldest goes.
const MOST_OPEN: usize = 5;

/// A link that nobody has used.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Open {
    /// Of its secret.
    #[n(0)]
    hash: CodeHash,
    /// In ms.
    #[n(1)]
    expires_at: Millis,
    /// By which way it was had: `own`, `mail`, `operator`, or the number of a colleague.
    #[n(2)]
    by: String,
}

/// The fact `sign-in/NUMBER`: the links of a member of staff.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Links {
    #[n(0)]
    all: Vec<Open>,
}

impl ProgrammeFact for Links {
    const KIND: u32 = 75;
    const KEYS: &'static str = "sign-in/";
}

/// The key of a member of staff's links.
#[must_use]
pub fn sign_in_key(staff: DeviceId) -> String {
    format!("{}{staff}", Links::KEYS)
}

async fn find(
    store: &dyn Store,
    programme: Scope,
    staff: DeviceId,
) -> Result<(Option<Seq>, Links), StoreError> {
    let found = programme::find_at(store, programme, &sign_in_key(staff)).await?;
    Ok(found.map_or((None, Links::default()), |(seq, links)| (Some(seq), links)))
}

/// What stands in a link: in the form of a token, whose it is and a secret; 38 characters in base64url.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code(Token);

impl Code {
    /// Reads it, strictly.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Token::from_bytes(&URL_SAFE_NO_PAD.decode(text).ok()?).map(Self)
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.to_bytes())
    }

    /// The programme.
    #[must_use]
    pub fn programme(&self) -> Scope {
        self.0.scope
    }

    /// Whom it lets in, if it holds.
    #[must_use]
    pub fn staff(&self) -> DeviceId {
        self.0.device
    }

    fn hash(&self) -> CodeHash {
        code_hash(&self.0.secret)
    }
}

/// Where the pages for staff begin.
pub const PAGES: &str = "/staff";

/// Makes a link for somebody of whom the caller has looked that it is theirs to have, and says by which way it was had.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Unknown`] if there is no such member of staff, or not any more.
pub async fn make(
    relay: &Relay,
    programme: Scope,
    staff: DeviceId,
    by: &str,
) -> Result<api::SignInLink, Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    let state = programme_state(store, programme).await?;
    may_come(store, &state, programme, staff).await?;
    let secret = secret().map_err(|_| unavailable())?;
    let code = Code(Token { scope: programme, device: staff, secret });
    let expires_at = now.saturating_add(LASTS_MS);
    let mut attempts = 0..ATTEMPTS;
    loop {
        let (seq, mut links) = find(store, programme, staff).await?;
        links.all.retain(|open| now < open.expires_at);
        links.all.push(Open { hash: code.hash(), expires_at, by: by.to_owned() });
        // The oldest goes where there are too many.
        let goes = links.all.len().saturating_sub(MOST_OPEN);
        links.all.drain(..goes);
        match store.commit(programme, put(staff, seq, &links, now)).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            done => {
                done?;
                let origin = relay.origin.trim_end_matches('/');
                let link = format!("{origin}{PAGES}/in/{}", code.text());
                return Ok(api::SignInLink { link, expires_at });
            }
        }
    }
}

fn put(staff: DeviceId, seq: Option<Seq>, links: &Links, now: Millis) -> Batch {
    let key = sign_in_key(staff);
    Batch {
        requires: vec![Precondition::FactAt(key.clone(), seq)],
        entries: vec![entry(key, links)],
        ..Batch::new(now)
    }
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

/// A link for oneself, as for a browser beside the command line.
///
/// # Errors
///
/// [`Failure`].
pub async fn for_oneself(relay: &Relay, staff: &Staff) -> Result<api::SignInLink, Failure> {
    let asked = Asked { action: "sign-in-link", ..Asked::default() };
    audit::note(relay, staff.programme, staff.number, &asked, true).await?;
    make(relay, staff.programme, staff.number, "own").await
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
    make(relay, staff.programme, number, &staff.number.to_string()).await
}

/// Has a link sent to everybody of whom that address stands, in whatever programme. Who asks is told nothing of whether
/// there is anybody. One after the other: whoever asks is a stranger.
///
/// # Errors
///
/// [`Failure`].
pub async fn send(relay: &Relay, email: &str) -> Result<(), Failure> {
    let Ok(_turn) = relay.sign_ins.acquire().await else { return Ok(()) };
    let store = &*relay.store;
    for programme in setup::programmes(store).await? {
        let Ok(state) = programme_state(store, programme).await else { continue };
        let invited = state.invites.keys().map(|invite| DeviceId(invite.0));
        let numbers: BTreeSet<_> = state.seats.keys().copied().chain(invited).collect();
        for number in numbers {
            let key = staff_key(number);
            let fact: Option<StaffFact> = programme::find(store, programme, &key).await?;
            let own =
                fact.as_ref().filter(|fact| !fact.left).and_then(|fact| fact.email.as_deref());
            if own.is_some_and(|own| own.eq_ignore_ascii_case(email)) {
                send_to(relay, &state, programme, number).await?;
            }
        }
    }
    Ok(())
}

async fn send_to(
    relay: &Relay,
    state: &ScopeState,
    programme: Scope,
    number: DeviceId,
) -> Result<(), Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    // Who never came is let in by an address as long as the invitation holds.
    let invite = state.invites.get(&InviteId(number.0));
    let may_still = invite.is_some_and(|invite| now < invite.expires_at);
    if !state.seats.contains_key(&number) && !may_still {
        return Ok(());
    }
    let (_, links) = find(store, programme, number).await?;
    if links.all.iter().filter(|open| now < open.expires_at).count() >= MOST_OPEN {
        return Ok(());
    }
    let id = id_of(&[b"sign-in", &programme.0.to_be_bytes(), &number.0.to_be_bytes()]);
    let mail = Mail::new(Recipient::Staff(number), About::SignIn, now);
    let batch = Batch {
        // One that waits, or is under way, is not asked for twice.
        requires: vec![Precondition::NotDue(DueItem::Mail(id), Millis::MAX)],
        changes: mail.put(id, now).to_vec(),
        ..Batch::new(now)
    };
    match store.commit(programme, batch).await {
        Ok(_) | Err(StoreError::Stale { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a link lets somebody in now.
///
/// # Errors
///
/// [`StoreError`].
pub async fn holds(store: &dyn Store, code: &Code, now: Millis) -> Result<bool, StoreError> {
    Ok(open(store, code, now).await?.is_some())
}

/// The link, if it holds; the others of that member of staff, and the place where they stand.
async fn open(
    store: &dyn Store,
    code: &Code,
    now: Millis,
) -> Result<Option<(Open, Links, Option<Seq>)>, StoreError> {
    let (seq, mut links) = match find(store, code.programme(), code.staff()).await {
        Err(StoreError::NoScope) => return Ok(None),
        found => found?,
    };
    let hash = code.hash();
    let is_it = |open: &Open| bool::from(open.hash.0.ct_eq(&hash.0)) && now < open.expires_at;
    let Some(place) = links.all.iter().position(is_it) else { return Ok(None) };
    let open = links.all.remove(place);
    Ok(Some((open, links, seq)))
}

/// Uses a link up: a session begins. Whoever was asked to come and has not is in by it.
///
/// # Errors
///
/// [`Failure`]; one answer for a link that is wrong, used, or expired.
pub async fn enter(relay: &Relay, code: &Code, agent: &str) -> Result<Session, Failure> {
    let (store, programme, staff) = (&*relay.store, code.programme(), code.staff());
    let mut attempts = 0..ATTEMPTS;
    loop {
        let now = relay.clock.now();
        let found = open(store, code, now).await?;
        let (open, links, seq) = found.ok_or_else(no_such_link)?;
        let state = programme_state(store, programme).await.map_err(|_| no_such_link())?;
        may_come(store, &state, programme, staff).await?;
        let (session, begin) = sessions::begin(store, programme, staff, agent, now).await?;
        let mut batch = put(staff, seq, &links, now);
        batch.requires.extend(begin.requires);
        batch.entries.extend(begin.entries);
        if !state.seats.contains_key(&staff) {
            seat(&state, staff, &mut batch)?;
        }
        // Before anybody is in: what is not noted is not done.
        let asked = Asked { action: "sign-in", subject: None, detail: Some(open.by) };
        audit::note(relay, programme, staff, &asked, true).await?;
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
    use crate::contact::tests::{PROGRAMME, Weeks};

    fn code_of(made: &api::SignInLink) -> Code {
        Code::parse(made.link.rsplit('/').next().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn of_two_who_open_a_link_at_once_one_is_in() {
        let weeks = Weeks::begin().await;
        let relay = &weeks.relay;
        let code = code_of(&make(relay, PROGRAMME, DeviceId(1), "own").await.unwrap());

        let (one, other) = tokio::join!(enter(relay, &code, "a"), enter(relay, &code, "b"));

        assert_eq!([&one, &other].map(Result::is_ok).into_iter().filter(|ok| *ok).count(), 1);
        assert!(enter(relay, &code, "c").await.is_err());
        let session = one.or(other).unwrap();
        assert!(sessions::whose(relay, &session).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_link_ends_after_an_hour_where_there_are_too_many_and_with_who_is_out() {
        let weeks = Weeks::begin().await;
        let relay = &weeks.relay;
        let link = async || code_of(&make(relay, PROGRAMME, DeviceId(1), "own").await.unwrap());
        let holds =
            async |code: &Code| holds(&*relay.store, code, relay.clock.now()).await.unwrap();
        let first = link().await;
        for _ in 1..MOST_OPEN {
            link().await;
        }
        assert!(holds(&first).await);
        let last = link().await;
        assert!(!holds(&first).await, "five are open at most");
        let forged = Code(Token { secret: [0; 16], ..last.0.clone() });
        let elsewhere = Code(Token { scope: weeks.family, ..last.0.clone() });
        let nowhere = Code(Token { scope: Scope(404), ..last.0.clone() });
        for bad in [&forged, &elsewhere, &nowhere] {
            assert!(!holds(bad).await && enter(relay, bad, "x").await.is_err());
        }

        relay.clock.set(relay.clock.now() + LASTS_MS);
        assert!(!holds(&last).await && enter(relay, &last, "x").await.is_err());
        let of_who_leaves = link().await;
        let changes = vec![Change::RevokeSeat(DeviceId(1))];
        let out = Batch { changes, ..Batch::new(relay.clock.now()) };
        relay.store.commit(PROGRAMME, out).await.unwrap();
        assert!(enter(relay, &of_who_leaves, "x").await.is_err());
        assert!(make(relay, PROGRAMME, DeviceId(1), "own").await.is_err());
        assert!(make(relay, PROGRAMME, DeviceId(9), "own").await.is_err(), "there is none");
    }

    #[test]
    fn a_code_reads_back_and_in_one_form_alone() {
        let code = Code(Token { scope: Scope(7), device: DeviceId(2), secret: [9; 16] });

        assert!(Code::parse(&code.text()).is_some_and(|read| read == code));
        for bad in ["", "AAAA", &format!("{}=", code.text()), &format!("{}A", code.text())] {
            assert!(Code::parse(bad).is_none(), "{bad}");
        }
    }
}

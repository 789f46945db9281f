//! A member of staff's browser that has signed in: until it signs out, rests too long, or grows too old.
//!
//! The sessions of a member of staff are one fact of the programme's log, each under the hash of its secret. Whoever changes it
//! has read it as it stands, so that one that was ended cannot come back by a request that was under way. Whose it is is
//! looked up at every request: who is out of the programme is out here.

use jiashu_api::staff as api;
use jiashu_proto::entry::Seq;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{DeviceId, Millis, Scope, Token, TokenHash};
use jiashu_roster::{sha256, token_hash};
use minicbor::{Decode, Encode};
use ring::hmac;
use subtle::ConstantTimeEq as _;

use super::audit::{self, Asked};
use super::staff::Staff;
use crate::access::{self, AccessError};
use crate::clock::text;
use crate::dice::secret;
use crate::execute::{ATTEMPTS, Failure};
use crate::family::Refusal;
use crate::programme::{self, ProgrammeFact, entry};
use crate::relay::Relay;
use crate::store::{Batch, Precondition, Store, StoreError};

/// No session lasts longer, in ms.
pub const LASTS_MS: Millis = 14 * 24 * 60 * 60 * 1000;

/// One that was not used for so long has ended, in ms.
pub const RESTS_MS: Millis = 12 * 60 * 60 * 1000;

/// That it is used is noted so often, in ms.
pub const NOTED_EVERY_MS: Millis = 30 * 60 * 1000;

/// The most that is kept of what a browser says of itself, in bytes.
const MAX_AGENT: usize = 60;

/// So many of one member of staff at once: of more, the one that rested longest ends.
const MOST: usize = 20;

/// A browser that has signed in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Browser {
    /// Of its secret.
    #[n(0)]
    hash: TokenHash,
    /// In ms.
    #[n(1)]
    began_at: Millis,
    /// When it was noted last that it is used, in ms.
    #[n(2)]
    seen_at: Millis,
    /// Which browser, on what.
    #[n(3)]
    agent: String,
}

impl Browser {
    fn ends_at(&self) -> Millis {
        self.began_at.saturating_add(LASTS_MS).min(self.seen_at.saturating_add(RESTS_MS))
    }

    /// By which its member of staff names it: from what nobody signs in by.
    fn name(&self) -> String {
        audit::hex(sha256(&self.hash.0).get(..8).unwrap_or_default())
    }
}

/// The fact `session/NUMBER`: a member of staff's browsers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Browsers {
    #[n(0)]
    all: Vec<Browser>,
}

impl ProgrammeFact for Browsers {
    const KIND: u32 = 76;
    const KEYS: &'static str = "session/";
}

/// The key of a member of staff's sessions.
#[must_use]
pub fn session_key(staff: DeviceId) -> String {
    format!("{}{staff}", Browsers::KEYS)
}

/// What stands of a member of staff's sessions, and its place.
async fn find(
    store: &dyn Store,
    programme: Scope,
    staff: DeviceId,
) -> Result<(Option<Seq>, Browsers), StoreError> {
    let found = programme::find_at(store, programme, &session_key(staff)).await?;
    Ok(found.map_or((None, Browsers::default()), |(seq, browsers)| (Some(seq), browsers)))
}

/// Puts others in their place, if they still stand there; those that have ended are gone with it.
fn put(staff: DeviceId, seq: Option<Seq>, mut browsers: Browsers, now: Millis) -> Batch {
    browsers.all.retain(|one| now < one.ends_at());
    browsers.all.sort_by_key(|one| std::cmp::Reverse(one.seen_at));
    browsers.all.truncate(MOST);
    let key = session_key(staff);
    Batch {
        requires: vec![Precondition::FactAt(key.clone(), seq)],
        entries: vec![entry(key, &browsers)],
        ..Batch::new(now)
    }
}

/// What a browser holds: where it belongs, whose it is, and a secret. In the form of a token, and no token: it opens pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session(Token);

impl Session {
    /// As it stands in a cookie.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Token::LEN] {
        self.0.to_bytes()
    }

    /// What [`Session::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Token::from_bytes(bytes).map(Self)
    }

    /// What its forms carry, so that a page of somebody else's cannot send them: it follows from the secret, which that page
    /// cannot read.
    #[must_use]
    pub fn form_token(&self) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0.secret);
        let tag = hmac::sign(&key, b"jiashu/1 form");
        audit::hex(tag.as_ref().get(..16).unwrap_or_default())
    }

    /// Whether that is it, in constant time.
    #[must_use]
    pub fn is_form_token(&self, text: &str) -> bool {
        bool::from(self.form_token().as_bytes().ct_eq(text.as_bytes()))
    }

    fn hash(&self) -> TokenHash {
        token_hash(&self.0.secret)
    }

    /// The name that its own list gives it.
    #[must_use]
    pub fn name(&self) -> String {
        audit::hex(sha256(&self.hash().0).get(..8).unwrap_or_default())
    }
}

/// A new session, and the batch that writes it beside those that stand.
///
/// # Errors
///
/// [`Failure`].
pub async fn begin(
    store: &dyn Store,
    programme: Scope,
    staff: DeviceId,
    agent: &str,
    now: Millis,
) -> Result<(Session, Batch), Failure> {
    let no_dice = |_| Refusal::new(ErrorCode::Unavailable, "try again later");
    let secret = secret().map_err(no_dice)?;
    let session = Session(Token { scope: programme, device: staff, secret });
    let mut agent = agent.to_owned();
    agent.truncate(agent.floor_char_boundary(MAX_AGENT));
    let (seq, mut browsers) = find(store, programme, staff).await?;
    browsers.all.push(Browser { hash: session.hash(), began_at: now, seen_at: now, agent });
    Ok((session, put(staff, seq, browsers, now)))
}

/// Who that browser's is now. `None` where it has ended, or never was, or its member of staff is out.
///
/// # Errors
///
/// [`StoreError`].
pub async fn whose(relay: &Relay, session: &Session) -> Result<Option<Staff>, StoreError> {
    let (store, now) = (&*relay.store, relay.clock.now());
    let Token { scope, device, .. } = session.0;
    // A number may be a family's: it has no such fact.
    let (seq, mut browsers) = match find(store, scope, device).await {
        Err(StoreError::NoScope) => return Ok(None),
        found => found?,
    };
    let hash = session.hash();
    let is_it = |one: &Browser| bool::from(one.hash.0.ct_eq(&hash.0)) && now < one.ends_at();
    let Some(browser) = browsers.all.iter_mut().find(|one| is_it(one)) else { return Ok(None) };
    let is_noted = now.saturating_sub(browser.seen_at) < NOTED_EVERY_MS;
    browser.seen_at = browser.seen_at.max(now);
    match access::look(store, scope, device).await {
        Ok(access) if matches!(access.who, access::Who::Staff(_)) => {}
        Err(AccessError::Store(error)) => return Err(error),
        _ => return Ok(None),
    }
    if !is_noted {
        match store.commit(scope, put(device, seq, browsers, now)).await {
            // Another request was first, or it was just ended: the next look tells.
            Ok(_) | Err(StoreError::Stale { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Staff::load(store, scope, device).await.map(Some)
}

/// Ends a session; a repeat finds it ended.
///
/// # Errors
///
/// [`StoreError`].
pub async fn end(relay: &Relay, session: &Session) -> Result<(), StoreError> {
    let Token { scope, device, .. } = session.0;
    keep(relay, scope, device, |one| one.hash != session.hash()).await.map(|_| ())
}

/// Ends those of somebody's sessions that are not to be kept; whether there were any.
async fn keep(
    relay: &Relay,
    programme: Scope,
    staff: DeviceId,
    is_kept: impl Fn(&Browser) -> bool,
) -> Result<bool, StoreError> {
    let store = &*relay.store;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let (seq, mut browsers) = find(store, programme, staff).await?;
        let before = browsers.all.len();
        browsers.all.retain(&is_kept);
        if browsers.all.len() == before {
            return Ok(false);
        }
        match store.commit(programme, put(staff, seq, browsers, relay.clock.now())).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            done => return done.map(|_| true),
        }
    }
}

/// One's own sessions, the one used last first.
///
/// # Errors
///
/// [`StoreError`].
pub async fn list(relay: &Relay, staff: &Staff) -> Result<Vec<api::Session>, StoreError> {
    let now = relay.clock.now();
    let (_, mut browsers) = find(&*relay.store, staff.programme, staff.number).await?;
    browsers.all.retain(|one| now < one.ends_at());
    browsers.all.sort_by_key(|one| std::cmp::Reverse(one.seen_at));
    let listed = |one: Browser| api::Session {
        name: one.name(),
        began_at: text(one.began_at),
        seen_at: text(one.seen_at),
        ends_at: text(one.ends_at()),
        agent: one.agent,
    };
    Ok(browsers.all.into_iter().map(listed).collect())
}

/// Ends one of one's own sessions by its name in the list.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Unknown`] if there is none of that name.
pub async fn end_named(relay: &Relay, staff: &Staff, name: &str) -> Result<(), Failure> {
    let asked = Asked { action: "session-end", ..Asked::default() };
    audit::note(relay, staff.programme, staff.number, &asked, true).await?;
    if keep(relay, staff.programme, staff.number, |one| one.name() != name).await? {
        return Ok(());
    }
    Err(Refusal::new(ErrorCode::Unknown, "there is no such session").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contact::tests::{PROGRAMME, Weeks};
    use crate::store::Change;

    const STAFF: DeviceId = DeviceId(1);

    /// A browser that signed in just now.
    async fn signed_in(weeks: &Weeks) -> Session {
        let (store, now) = (&*weeks.relay.store, weeks.relay.clock.now());
        let (session, batch) = begin(store, PROGRAMME, STAFF, "Firefox, Linux", now).await.unwrap();
        store.commit(PROGRAMME, batch).await.unwrap();
        session
    }

    async fn is_in(weeks: &Weeks, session: &Session) -> bool {
        whose(&weeks.relay, session).await.unwrap().is_some()
    }

    #[tokio::test]
    async fn a_session_ends_by_rest_by_age_and_with_its_member_of_staff() {
        let weeks = Weeks::begin().await;
        let clock = &weeks.relay.clock;
        let [rests, used] = [signed_in(&weeks).await, signed_in(&weeks).await];
        let began = clock.now();

        // What is used goes on until it is too old.
        while clock.now() < began + LASTS_MS - RESTS_MS {
            clock.set(clock.now() + RESTS_MS - 1);
            assert!(is_in(&weeks, &used).await, "{}", clock.now() - began);
        }
        assert!(!is_in(&weeks, &rests).await);
        clock.set(began + LASTS_MS);
        assert!(!is_in(&weeks, &used).await);

        let out = signed_in(&weeks).await;
        let revoke = Batch { changes: vec![Change::RevokeSeat(STAFF)], ..Batch::new(clock.now()) };
        weeks.relay.store.commit(PROGRAMME, revoke).await.unwrap();
        assert!(!is_in(&weeks, &out).await);
    }

    #[tokio::test]
    async fn a_request_under_way_brings_no_session_back_that_was_ended() {
        let weeks = Weeks::begin().await;
        let (store, now) = (&*weeks.relay.store, weeks.relay.clock.now());
        let session = signed_in(&weeks).await;
        let (seq, read_before) = find(store, PROGRAMME, STAFF).await.unwrap();

        end(&weeks.relay, &session).await.unwrap();
        let late = store.commit(PROGRAMME, put(STAFF, seq, read_before, now)).await;

        assert!(matches!(late, Err(StoreError::Stale { .. })), "{late:?}");
        assert!(!is_in(&weeks, &session).await);
        end(&weeks.relay, &session).await.unwrap();
    }

    #[tokio::test]
    async fn of_too_many_the_one_that_rested_longest_ends() {
        let weeks = Weeks::begin().await;
        let first = signed_in(&weeks).await;
        let mut last = first.clone();
        for _ in 0..MOST {
            weeks.relay.clock.set(weeks.relay.clock.now() + 1);
            last = signed_in(&weeks).await;
        }

        assert!(!is_in(&weeks, &first).await && is_in(&weeks, &last).await);
        let staff = Staff::load(&*weeks.relay.store, PROGRAMME, STAFF).await.unwrap();
        let listed = list(&weeks.relay, &staff).await.unwrap();
        assert_eq!((listed.len(), &listed[0].name), (MOST, &last.name()));
    }

    #[test]
    fn a_form_is_of_its_own_session_alone() {
        let session = |secret| Session(Token { scope: PROGRAMME, device: STAFF, secret });
        let own = session([1; 16]);

        assert!(own.is_form_token(&own.form_token()));
        assert!(!own.is_form_token(&session([2; 16]).form_token()) && !own.is_form_token(""));
        assert_eq!(Session::from_bytes(&own.to_bytes()), Some(own));
    }
}

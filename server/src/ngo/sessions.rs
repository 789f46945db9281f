//! A member of staff's browser that has signed in: until it signs out, rests too long, or grows too old.
//!
//! A session is a fact of the programme's log under the hash of its secret, so that one that was ended cannot come back by
//! a request that was under way. Whose it is is looked up at every request: who is out of the programme is out here.

use jiashu_api::staff as api;
use jiashu_proto::entry::Seq;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{DeviceId, Millis, Scope, Token};
use jiashu_recurrence::utc_text;
use jiashu_roster::{sha256, token_hash};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use ring::error::Unspecified;
use ring::hmac;

use super::audit::{self, Asked};
use super::staff::Staff;
use crate::access::{self, AccessError};
use crate::dice::secret;
use crate::execute::Failure;
use crate::family::Refusal;
use crate::programme::{self, ProgrammeFact, entry};
use crate::relay::Relay;
use crate::store::{Batch, Change, NewEntry, Precondition, Store, StoreError};

/// No session lasts longer, in ms.
pub const LASTS_MS: Millis = 14 * 24 * 60 * 60 * 1000;

/// One that was not used for so long has ended, in ms.
pub const RESTS_MS: Millis = 12 * 60 * 60 * 1000;

/// That it is used is noted so often, in ms.
pub const NOTED_EVERY_MS: Millis = 30 * 60 * 1000;

/// The most that is kept of what a browser says of itself, in bytes.
const MAX_AGENT: usize = 60;

/// The fact `session/NUMBER/HASH`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SessionFact {
    /// In ms.
    #[n(0)]
    pub began_at: Millis,
    /// When it was noted last that it is used, in ms.
    #[n(1)]
    pub seen_at: Millis,
    /// Which browser, on what.
    #[n(2)]
    pub agent: String,
}

impl SessionFact {
    fn ends_at(&self) -> Millis {
        self.began_at.saturating_add(LASTS_MS).min(self.seen_at.saturating_add(RESTS_MS))
    }
}

impl ProgrammeFact for SessionFact {
    const KIND: u32 = 76;
    const KEYS: &'static str = "session/";
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
        use subtle::ConstantTimeEq as _;
        bool::from(self.form_token().as_bytes().ct_eq(text.as_bytes()))
    }

    fn key(&self) -> String {
        let hash = token_hash(&self.0.secret);
        format!("{}{}", of_staff(self.0.device), audit::hex(&hash.0))
    }

    /// The name that its own list gives it.
    #[must_use]
    pub fn name(&self) -> String {
        named(&self.key())
    }
}

fn of_staff(staff: DeviceId) -> String {
    format!("{}{staff}/", SessionFact::KEYS)
}

/// Of its key, which says enough to find it by and nothing to sign in by.
fn named(key: &str) -> String {
    audit::hex(sha256(key.as_bytes()).get(..8).unwrap_or_default())
}

/// A new session, and what is written of it.
///
/// # Errors
///
/// If the system has no random bytes.
pub fn begin(
    programme: Scope,
    staff: DeviceId,
    agent: &str,
    now: Millis,
) -> Result<(Session, NewEntry), Unspecified> {
    let session = Session(Token { scope: programme, device: staff, secret: secret()? });
    let mut agent = agent.to_owned();
    agent.truncate(agent.floor_char_boundary(MAX_AGENT));
    let fact = SessionFact { began_at: now, seen_at: now, agent };
    let written = entry(session.key(), &fact);
    Ok((session, written))
}

/// Who that browser's is now. `None` where it has ended, or never was, or its member of staff is out.
///
/// # Errors
///
/// [`StoreError`].
pub async fn whose(relay: &Relay, session: &Session) -> Result<Option<Staff>, StoreError> {
    let (store, now) = (&*relay.store, relay.clock.now());
    let Token { scope, device, .. } = session.0;
    let key = session.key();
    let found: Option<(Seq, SessionFact)> = programme::find_at(store, scope, &key).await?;
    let Some((seq, fact)) = found.filter(|(_, fact)| now < fact.ends_at()) else {
        return Ok(None);
    };
    match access::look(store, scope, device).await {
        Ok(access) if matches!(access.who, access::Who::Staff(_)) => {}
        Err(AccessError::Store(error)) => return Err(error),
        _ => return Ok(None),
    }
    if now.saturating_sub(fact.seen_at) >= NOTED_EVERY_MS {
        let batch = Batch {
            requires: vec![Precondition::FactAt(key.clone(), Some(seq))],
            entries: vec![entry(key, &SessionFact { seen_at: now, ..fact })],
            ..Batch::new(now)
        };
        match store.commit(scope, batch).await {
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
    let changes = vec![Change::DropFact(session.key())];
    let batch = Batch { changes, ..Batch::new(relay.clock.now()) };
    relay.store.commit(session.0.scope, batch).await.map(|_| ())
}

async fn own(store: &dyn Store, staff: &Staff) -> Result<Vec<(String, SessionFact)>, StoreError> {
    let own = of_staff(staff.number);
    let all: Vec<(String, SessionFact)> = programme::all(store, staff.programme).await?;
    let all = all.into_iter().map(|(rest, fact)| (format!("{}{rest}", SessionFact::KEYS), fact));
    Ok(all.filter(|(key, _)| key.starts_with(&own)).collect())
}

/// One's own sessions, the one used last first.
///
/// # Errors
///
/// [`StoreError`].
pub async fn list(relay: &Relay, staff: &Staff) -> Result<Vec<api::Session>, StoreError> {
    let now = relay.clock.now();
    let mut own = own(&*relay.store, staff).await?;
    own.retain(|(_, fact)| now < fact.ends_at());
    own.sort_by_key(|(_, fact)| std::cmp::Reverse(fact.seen_at));
    let listed = |(key, fact): (String, SessionFact)| api::Session {
        name: named(&key),
        began_at: text(fact.began_at),
        seen_at: text(fact.seen_at),
        ends_at: text(fact.ends_at()),
        agent: fact.agent,
    };
    Ok(own.into_iter().map(listed).collect())
}

fn text(at: Millis) -> String {
    utc_text(Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Ends one of one's own sessions by its name in the list; what has ended goes with it.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Unknown`] if there is none of that name.
pub async fn end_named(relay: &Relay, staff: &Staff, name: &str) -> Result<(), Failure> {
    let asked = Asked { action: "session-end", ..Asked::default() };
    audit::note(relay, staff.programme, staff.number, &asked, true).await?;
    let (store, now) = (&*relay.store, relay.clock.now());
    let own = own(store, staff).await?;
    if !own.iter().any(|(key, _)| named(key) == name) {
        return Err(Refusal::new(ErrorCode::Unknown, "there is no such session").into());
    }
    let goes = own.iter().filter(|(key, fact)| named(key) == name || fact.ends_at() <= now);
    let changes = goes.map(|(key, _)| Change::DropFact(key.clone())).collect();
    store.commit(staff.programme, Batch { changes, ..Batch::new(now) }).await?;
    Ok(())
}

/// All that end when somebody is out.
///
/// # Errors
///
/// [`StoreError`].
pub async fn all_of(
    store: &dyn Store,
    programme: Scope,
    number: DeviceId,
) -> Result<Vec<Change>, StoreError> {
    let of = of_staff(number);
    let facts = store.facts(programme, &of).await?;
    Ok(facts.into_iter().map(|(key, _)| Change::DropFact(key)).collect())
}

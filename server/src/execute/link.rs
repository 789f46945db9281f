//! Links to voice notes: made for a device of the family, looked at when somebody comes with one.
//!
//! The keys stand in the relay's own scope, as a fact: so all relays at one store have them, and a backup too.

use std::sync::Mutex;

use jiashu_proto::entry::BlobState;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{Millis, Ref, Scope};
use ring::rand::{SecureRandom, SystemRandom};

use super::Failure;
use super::blob::look;
use crate::family::blob::StandingBlob;
use crate::family::{Refusal, Sender};
use crate::links::{Link, LinkKeys, NoLink, SIGNS_MS};
use crate::relay::Relay;
use crate::store::{Batch, NewEntry, Precondition, StoreError};

/// Key of the fact; its content is [`KIND`] and the keys.
const KEYS: &str = "link-keys";

/// The kind of that fact in the relay's log.
const KIND: u32 = 66;

/// How long keys that were looked up are used, in ms: another relay may have made a new one.
const FRESH_MS: Millis = 60 * 1000;

/// How often an unknown key has them looked up again, in ms: whoever makes links up must not have the store read.
const AGAIN_MS: Millis = 5 * 1000;

/// A link lasts this long at least, in ms.
const SHORTEST_MS: Millis = 60 * 1000;

/// The keys as they were looked up last, and when.
#[derive(Debug, Default)]
pub struct KnownKeys(Mutex<Option<(Millis, LinkKeys)>>);

impl KnownKeys {
    fn get(&self, now: Millis, fresh_ms: Millis) -> Option<LinkKeys> {
        let Self(known) = self;
        let known = known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (at, keys) = known.as_ref()?;
        // Also where a clock went back.
        let is_fresh = (0..fresh_ms).contains(&now.saturating_sub(*at));
        is_fresh.then(|| keys.clone())
    }

    fn put(&self, now: Millis, keys: &LinkKeys) {
        let Self(known) = self;
        *known.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            Some((now, keys.clone()));
    }
}

/// Makes a link to stored bytes that holds for so long, in ms. Its text, until when it holds, and how often links to
/// them were followed already.
///
/// # Errors
///
/// [`Failure`]: there is no such thing, or that is too long.
pub async fn make(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    id: Ref,
    lasts_ms: Millis,
) -> Result<(String, Millis, StandingBlob), Failure> {
    if !(SHORTEST_MS..=SIGNS_MS).contains(&lasts_ms) {
        let text = "a link lasts a minute to 30 days";
        return Err(Refusal::new(ErrorCode::Malformed, text).into());
    }
    let standing = whole(relay, scope, id).await?;
    let keys = signing_keys(relay).await?;
    let now = relay.clock.now();
    let expires_at = now.saturating_add(lasts_ms);
    let link = Link { scope, device: sender.device, id, expires_at };
    let text = keys.sign(&link, now).ok_or_else(|| {
        Refusal::new(ErrorCode::Unavailable, "there is no key for links just now: try again")
    })?;
    Ok((text, expires_at, standing))
}

async fn whole(relay: &Relay, scope: Scope, id: Ref) -> Result<StandingBlob, Failure> {
    let standing = look(relay, scope, id).await?;
    if standing.fact.state == BlobState::Whole { Ok(standing) } else { Err(gone().into()) }
}

fn gone() -> Refusal {
    Refusal::new(ErrorCode::Unknown, "there is no such thing, or no more")
}

/// What somebody may fetch who comes with this text, by which nothing else is told.
///
/// # Errors
///
/// [`Failure`], with one answer for what is no link, expired or withdrawn.
pub async fn follow(relay: &Relay, text: &str) -> Result<(Link, StandingBlob), Failure> {
    let no =
        || Refusal::new(ErrorCode::Unknown, "this link is wrong, has expired or was withdrawn");
    let now = relay.clock.now();
    let keys = keys(relay, FRESH_MS).await?;
    let read = match keys.read(text, now) {
        Err(NoLink::UnknownKey) => self::keys(relay, AGAIN_MS).await?.read(text, now),
        read => read,
    };
    let link = read.map_err(|_| no())?;
    let state = relay.store.state(link.scope).await?.ok_or_else(no)?;
    let seat = state.seats.get(&link.device).filter(|seat| !seat.revoked && !state.superseded);
    seat.ok_or_else(no)?;
    let standing = whole(relay, link.scope, link.id).await;
    match standing {
        Ok(standing) => Ok((link, standing)),
        Err(Failure::Refused(_)) => Err(no().into()),
        Err(failure) => Err(failure),
    }
}

/// The keys that hold, as they were looked up at most so long ago.
async fn keys(relay: &Relay, fresh_ms: Millis) -> Result<LinkKeys, StoreError> {
    let now = relay.clock.now();
    if let Some(keys) = relay.link_keys.get(now, fresh_ms) {
        return Ok(keys);
    }
    let (_, keys) = stored(relay).await?;
    relay.link_keys.put(now, &keys);
    Ok(keys)
}

/// The same, with one that signs: made where it is time for it.
async fn signing_keys(relay: &Relay) -> Result<LinkKeys, Failure> {
    let now = relay.clock.now();
    let known = keys(relay, FRESH_MS).await?;
    if known.signing(now).is_some() {
        return Ok(known);
    }
    let (seq, standing) = stored(relay).await?;
    if standing.signing(now).is_some() {
        relay.link_keys.put(now, &standing);
        return Ok(standing);
    }
    let mut secret = [0; 32];
    SystemRandom::new().fill(&mut secret).map_err(|_| {
        Refusal::new(ErrorCode::Unavailable, "the relay has no random bytes just now")
    })?;
    let new = standing.with_new(secret, now);
    let mut e = minicbor::Encoder::new(Vec::new());
    e.u32(KIND).and_then(|e| e.encode(&new)).expect("writing to memory cannot fail");
    let batch = Batch {
        requires: vec![Precondition::FactAt(KEYS.into(), seq)],
        entries: vec![NewEntry { key: Some(KEYS.into()), rank: 0, content: e.into_writer() }],
        ..Batch::new(now)
    };
    let new = match relay.store.commit(Scope::RELAY, batch).await {
        Ok(_) => new,
        // Another relay was first: its key is as good.
        Err(StoreError::Stale { .. }) => stored(relay).await?.1,
        Err(error) => return Err(error.into()),
    };
    relay.link_keys.put(now, &new);
    Ok(new)
}

async fn stored(relay: &Relay) -> Result<(Option<u64>, LinkKeys), StoreError> {
    let facts = match relay.store.facts(Scope::RELAY, KEYS).await {
        Err(StoreError::NoScope) => Vec::new(),
        facts => facts?,
    };
    let Some((_, record)) = facts.into_iter().next() else {
        return Ok((None, LinkKeys::default()));
    };
    let mut d = minicbor::Decoder::new(&record.content);
    let keys = d.u32().and_then(|_| d.decode()).unwrap_or_default();
    Ok((Some(record.seq), keys))
}

//! Stored bytes: their note in the log and the bytes themselves, each step so that a crash between loses
//! nothing. The note comes first and goes last: no bytes are without one.

use jiashu_proto::entry::{BLOB_KEYS, BlobState, Content, SCHEDULE_KEYS, ScheduleState, blob_key};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{Ref, Scope};
use ring::digest::{Context, SHA256};

use super::{ATTEMPTS, Failure, schedules};
use crate::blobs::{BlobError, BlobName};
use crate::family::blob::{Claim, StandingBlob, Upload, begin, claim, complete, decide_look, lend};
use crate::family::held::names;
use crate::family::schedule::Standing;
use crate::family::{Refusal, Sender};
use crate::relay::Relay;
use crate::store::{Due, Precondition, StoreError};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// Notes that an upload begins, and how far it has come.
///
/// # Errors
///
/// [`Failure`].
pub async fn begin_upload(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    upload: Upload,
) -> Result<StandingBlob, Failure> {
    let quota = relay.config.limits.quota();
    let standing = all(relay, scope, BLOB_KEYS).await?;
    if let Some(batch) = begin(sender, upload, &standing, quota, relay.clock.now())? {
        match relay.store.commit(scope, batch).await {
            // By the same phone, on another connection: what it is, is looked up below.
            Ok(_) | Err(StoreError::Stale { precondition: Precondition::FactAt(..) }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let standing = look(relay, scope, upload.id).await?;
    let fact = &standing.fact;
    if (fact.device, fact.size, fact.hash) == (sender.device, upload.size, upload.hash) {
        Ok(standing)
    } else {
        Err(Refusal::new(ErrorCode::Exists, "this name is taken").into())
    }
}

/// What is noted of these.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Unknown`] if there are none, or no more.
pub async fn look(relay: &Relay, scope: Scope, id: Ref) -> Result<StandingBlob, Failure> {
    let found = find(relay, scope, id).await?;
    let found = found.filter(|standing| standing.fact.state != BlobState::Going);
    found.ok_or_else(|| Refusal::new(ErrorCode::Unknown, "there is no such thing").into())
}

async fn find(relay: &Relay, scope: Scope, id: Ref) -> Result<Option<StandingBlob>, StoreError> {
    Ok(all(relay, scope, &blob_key(id)).await?.pop())
}

async fn all(relay: &Relay, scope: Scope, prefix: &str) -> Result<Vec<StandingBlob>, StoreError> {
    let facts = relay.store.facts(scope, prefix).await?;
    let noted =
        facts.into_iter().filter_map(|(_, record)| match Content::from_bytes(&record.content) {
            Ok(Content::Blob(fact)) => Some(StandingBlob { seq: record.seq, fact }),
            _ => None,
        });
    Ok(noted.collect())
}

/// Once all bytes are there: looks whether they are those that were announced, and notes it. Others
/// are thrown away, for the upload to begin anew.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Malformed`] if they are others.
pub async fn end_upload(
    relay: &Relay,
    scope: Scope,
    standing: &StandingBlob,
) -> Result<(), Failure> {
    let name = BlobName { scope, id: standing.fact.id };
    if hash(relay, name).await? != standing.fact.hash {
        relay.blobs.remove(name).await?;
        let text = "these are not the bytes that were announced: send them again";
        return Err(Refusal::new(ErrorCode::Malformed, text).into());
    }
    relay.blobs.complete(name).await?;
    match relay.store.commit(scope, complete(standing, relay.clock.now())).await {
        Ok(_) => Ok(()),
        // Another request was first, or nobody claimed them in time.
        Err(StoreError::Stale { .. })
            if look(relay, scope, name.id).await?.fact.state == BlobState::Whole =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

async fn hash(relay: &Relay, name: BlobName) -> Result<[u8; 32], BlobError> {
    let (mut context, mut from) = (Context::new(&SHA256), 0);
    loop {
        let piece = relay.blobs.read(name, from, PIECE).await?;
        if piece.is_empty() {
            let mut hash = [0; 32];
            hash.copy_from_slice(context.finish().as_ref());
            return Ok(hash);
        }
        context.update(&piece);
        from = from.saturating_add(piece.len() as u64);
    }
}

/// What a message needs that names stored bytes.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::StoreFirst`] if they are not stored.
pub(super) async fn claimed(
    relay: &Relay,
    scope: Scope,
    named: Option<Ref>,
) -> Result<Option<Claim>, Failure> {
    let Some(id) = named else { return Ok(None) };
    let standing = find(relay, scope, id).await?;
    Ok(Some(claim(standing.as_ref(), relay.config.blob_keep_ms(), relay.clock.now())?))
}

/// Whether `bytes` of these may be handed out by a link, which is noted.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Unknown`] if there are none, or not yet, or no more.
pub async fn lent(relay: &Relay, scope: Scope, id: Ref, bytes: u64) -> Result<(), Failure> {
    let fetches = relay.config.limits.link_fetches;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let standing = look(relay, scope, id).await?;
        let batch = lend(&standing, bytes, fetches, relay.clock.now())?;
        match relay.store.commit(scope, batch).await {
            // Somebody else was first: they are counted one after the other.
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            done => return Ok(done.map(|_| ())?),
        }
    }
}

/// Looks at stored bytes whose time has come.
///
/// # Errors
///
/// [`Failure`].
pub async fn on_due(relay: &Relay, due: &Due, id: Ref) -> Result<(), Failure> {
    let scope = due.scope;
    let standing = find(relay, scope, id).await?;
    let held = is_held(relay, scope, id).await?;
    let look = decide_look(due, id, standing.as_ref(), held, relay.clock.now());
    if look.removes {
        relay.blobs.remove(BlobName { scope, id }).await?;
    }
    relay.store.commit(scope, look.batch).await?;
    Ok(())
}

/// Whether a letter that waits for its hour names them.
async fn is_held(relay: &Relay, scope: Scope, id: Ref) -> Result<bool, Failure> {
    let store = &*relay.store;
    for Standing { schedule, .. } in schedules(store, scope, SCHEDULE_KEYS).await? {
        let runs = matches!(schedule.state, ScheduleState::Active | ScheduleState::Paused);
        if runs && store.held(scope, schedule.id).await?.iter().any(|held| names(held, id)) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Offset(size) => {
                let text = format!("there are {size} bytes so far");
                Self::Refused(Refusal::new(ErrorCode::Stale, text))
            }
            BlobError::Busy => {
                let text = "somebody else is adding to it: wait";
                Self::Refused(Refusal::new(ErrorCode::Unavailable, text))
            }
            BlobError::Unavailable(source) => Self::Blobs(source),
        }
    }
}

//! The first coordinator: a one-time link, printed on the first start.
//!
//! Using it changes two scopes. The relay's notes who used it, the programme's begins with its first
//! member of staff; the second step may be repeated, so a crash between them loses nothing.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Setup, Staffed};
use jiashu_proto::id::{DeviceId, InviteId, Millis, Scope, TokenHash};
use jiashu_roster::code_hash;

use crate::dice::secret;
use crate::execute::{ATTEMPTS, Failure};
use crate::family::roster::{find_invite, open_invite};
use crate::family::{Refusal, no_such_invite};
use crate::ngo;
use crate::relay::Relay;
use crate::store::{
    Batch, Change, DueItem, InviteState, NewEntry, Precondition, ScopeKind, Store, StoreError,
};

/// The first invite of the relay's scope: who printed it at the first start needs no other.
const SETUP: InviteId = InviteId(1);

/// What the keys of links that were asked for later begin with.
const LINKS: &str = "link-for-programme/";

/// The first coordinator of a programme.
const COORDINATOR: DeviceId = DeviceId(1);

/// How long the setup link holds, in ms.
const LASTS_MS: Millis = 72 * 60 * 60 * 1000;

/// The kind of a programme's beginning in the relay's log; its body is the [`Setup`] without code.
const PROGRAMME: u32 = 65;

/// Why the setup link could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The link's file.
    #[error("cannot write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The system has no random bytes.
    #[error("no random bytes")]
    Random,
}

/// The file that holds the link until it is used.
#[must_use]
pub fn link_file(data: &Path) -> PathBuf {
    data.join("setup-link")
}

/// On the first start makes the relay's scope and the setup link; afterwards, while nobody has used
/// it, gives it again from its file. One that expired unused is made anew. Where others share the store and
/// one of them has made the link, it stands there and not here.
///
/// # Errors
///
/// [`SetupError`].
pub async fn offer_link(
    store: &dyn Store,
    origin: &str,
    data: &Path,
    is_shared: bool,
    now: Millis,
) -> Result<Option<String>, SetupError> {
    let state = store.state(Scope::RELAY).await?;
    let file = link_file(data);
    if let Some(state) = state {
        let open = state
            .invites
            .values()
            .any(|invite| invite.state == InviteState::Open && invite.expires_at > now);
        let used =
            state.invites.values().any(|invite| matches!(invite.state, InviteState::Used(..)));
        let link = std::fs::read_to_string(&file).ok().filter(|_| open);
        if used || link.is_some() || (open && is_shared) {
            // With the address as it is set today: what the coordinator uses stands on every card.
            let secret = link.as_deref().and_then(|link| link.trim().rsplit_once('#'));
            let Some(link) = secret.map(|(_, secret)| link_to(origin, secret)) else {
                return Ok(None);
            };
            let written = write_private(&file, &link);
            written.map_err(|source| SetupError::File { path: file, source })?;
            return Ok(Some(link));
        }
    }
    let secret = secret().map_err(|_| SetupError::Random)?;
    let link = link(origin, &secret);
    // On disk before it is committed: a link that nobody has seen opens nothing for anybody.
    let written = write_private(&file, &link);
    written.map_err(|source| SetupError::File { path: file.clone(), source })?;
    match store.commit(Scope::RELAY, new_link(store, &secret, now).await?).await {
        // Another relay made its own meanwhile.
        Err(StoreError::Stale { .. }) if is_shared => {
            std::fs::remove_file(&file)
                .map_err(|source| SetupError::File { path: file, source })?;
            Ok(None)
        }
        made => {
            made?;
            Ok(Some(link))
        }
    }
}

/// A link for the first coordinator of one more programme.
///
/// # Errors
///
/// [`SetupError`].
pub async fn one_more(relay: &Relay) -> Result<String, SetupError> {
    let (store, secret) = (&*relay.store, secret().map_err(|_| SetupError::Random)?);
    let mut attempts = 0..ATTEMPTS;
    loop {
        let state = store.state(Scope::RELAY).await?.ok_or(StoreError::NoScope)?;
        let last = state.invites.keys().map(|invite| invite.0).max().unwrap_or(0);
        let invite = InviteId(last.saturating_add(1));
        let now = relay.clock.now();
        let key = format!("{LINKS}{invite}");
        let batch = Batch {
            // Of two who ask at once each has its own.
            requires: vec![Precondition::FactAt(key.clone(), None)],
            entries: vec![NewEntry { key: Some(key), rank: 0, content: Vec::new() }],
            changes: vec![Change::AddInvite {
                invite,
                code_hash: Some(code_hash(&secret)),
                expires_at: now.saturating_add(LASTS_MS),
                blob: Vec::new(),
            }],
            ..Batch::new(now)
        };
        match store.commit(Scope::RELAY, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            done => {
                done?;
                tracing::info!("a link for one more programme was made");
                return Ok(link(&relay.origin, &secret));
            }
        }
    }
}

async fn new_link(store: &dyn Store, secret: &[u8; 16], now: Millis) -> Result<Batch, StoreError> {
    let invite = Change::AddInvite {
        invite: SETUP,
        code_hash: Some(code_hash(secret)),
        expires_at: now.saturating_add(LASTS_MS),
        blob: Vec::new(),
    };
    let batch = Batch::new(now);
    Ok(if store.state(Scope::RELAY).await?.is_some() {
        Batch { changes: vec![invite], ..batch }
    } else {
        Batch {
            requires: vec![Precondition::Absent],
            changes: vec![Change::Create(ScopeKind::Relay), invite],
            ..batch
        }
    })
}

/// `ORIGIN/setup#` and 32 characters, as a join link: scope 0 and the secret.
fn link(origin: &str, secret: &[u8; 16]) -> String {
    let fragment = [&Scope::RELAY.0.to_be_bytes()[..], secret].concat();
    link_to(origin, &URL_SAFE_NO_PAD.encode(fragment))
}

fn link_to(origin: &str, fragment: &str) -> String {
    format!("{}/setup#{fragment}", origin.trim_end_matches('/'))
}

fn write_private(path: &Path, link: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{link}")?;
    file.sync_all()
}

/// Uses the setup link: a programme and its first coordinator; or a link that a coordinator made for more staff.
///
/// # Errors
///
/// [`Failure`]; one answer for wrong, used and expired.
pub async fn use_link(relay: &Relay, setup: &Setup) -> Result<Staffed, Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    if setup.programme == Scope::RELAY {
        return Err(Refusal::new(ErrorCode::Malformed, "a programme's number is not 0").into());
    }
    if let Some(number) = ngo::colleagues::join(relay, setup).await? {
        return Ok(Staffed { programme: setup.programme, number });
    }
    let state = store.state(Scope::RELAY).await?.ok_or_else(no_such_invite)?;
    let used = find_invite(&state, &setup.code).map(|(_, invite)| invite.state);
    match used {
        Some(InviteState::Used(_, token_hash, _)) if token_hash == setup.token_hash => {
            // The same client again, for the programme that it asked for then and for no other.
            noted(store, setup.programme).await?.ok_or_else(no_such_invite)?;
        }
        _ => {
            let invite = open_invite(&state, &setup.code, now)?;
            store.commit(Scope::RELAY, intent(setup, invite, now)).await?;
        }
    }
    found_programme(store, setup.programme, setup.token_hash, now).await?;
    tracing::info!(programme.id = %setup.programme, "a coordinator used the setup link");
    let file = link_file(&relay.config.data);
    if let Err(error) = std::fs::remove_file(&file)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "the used setup link stays in its file");
    }
    Ok(Staffed { programme: setup.programme, number: COORDINATOR })
}

fn intent(setup: &Setup, invite: InviteId, now: Millis) -> Batch {
    let mut e = minicbor::Encoder::new(Vec::new());
    e.u32(PROGRAMME)
        .and_then(|e| e.encode((setup.programme, setup.token_hash)))
        .expect("writing to memory cannot fail");
    let key = Some(programme_key(setup.programme));
    Batch {
        requires: vec![Precondition::InviteOpen(invite)],
        entries: vec![NewEntry { key, rank: 0, content: e.into_writer() }],
        changes: vec![
            Change::UseInvite(invite, COORDINATOR, setup.token_hash),
            Change::SetDue(DueItem::Programme(setup.programme), now),
        ],
        ..Batch::new(now)
    }
}

/// What the keys of programmes begin with.
const PROGRAMMES: &str = "programme/";

fn programme_key(programme: Scope) -> String {
    format!("{PROGRAMMES}{programme}")
}

/// All programmes of the relay.
///
/// # Errors
///
/// [`StoreError`].
pub async fn programmes(store: &dyn Store) -> Result<Vec<Scope>, StoreError> {
    if store.state(Scope::RELAY).await?.is_none() {
        return Ok(Vec::new());
    }
    let facts = store.facts(Scope::RELAY, PROGRAMMES).await?;
    let number = |key: String| u64::from_str_radix(key.strip_prefix(PROGRAMMES)?, 16).ok();
    Ok(facts.into_iter().filter_map(|(key, _)| number(key)).map(Scope).collect())
}

/// Step two after a crash: the programme begins as step one noted it.
///
/// # Errors
///
/// [`Failure`].
pub async fn finish(relay: &Relay, programme: Scope) -> Result<(), Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    match noted(store, programme).await? {
        Some(token_hash) => found_programme(store, programme, token_hash, now).await,
        None => clear(store, programme, now).await,
    }
}

/// The token of the programme's first coordinator, as step one noted it.
async fn noted(store: &dyn Store, programme: Scope) -> Result<Option<TokenHash>, StoreError> {
    let facts = store.facts(Scope::RELAY, &programme_key(programme)).await?;
    Ok(facts.into_iter().next().and_then(|(_, record)| {
        let mut d = minicbor::Decoder::new(&record.content);
        d.u32().ok()?;
        d.decode::<(Scope, TokenHash)>().ok().map(|(_, token_hash)| token_hash)
    }))
}

async fn found_programme(
    store: &dyn Store,
    programme: Scope,
    token_hash: TokenHash,
    now: Millis,
) -> Result<(), Failure> {
    let members = Vec::new();
    let batch = Batch {
        requires: vec![Precondition::Absent],
        changes: vec![
            Change::Create(ScopeKind::Programme),
            Change::AddSeat { device: COORDINATOR, token_hash, members },
        ],
        ..Batch::new(now)
    };
    match store.commit(programme, batch).await {
        // There already: by this same step, or the number is another scope's and the token will
        // not hold there.
        Ok(_) | Err(StoreError::Stale { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    clear(store, programme, now).await
}

async fn clear(store: &dyn Store, programme: Scope, now: Millis) -> Result<(), Failure> {
    let changes = vec![Change::ClearDue(DueItem::Programme(programme))];
    store.commit(Scope::RELAY, Batch { changes, ..Batch::new(now) }).await?;
    Ok(())
}

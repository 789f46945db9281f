//! Families for a relay that is yet to start, written straight into its store.
//!
//! Each is as large as a family that was enrolled and joined by the protocol: link, wraps, two used
//! invites, two seats, what is recorded. No signature is made, for none is looked at by what is
//! measured here; enrolling 5,000 families by cards would take minutes of the clients' cryptography.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use jiashu_proto::entry::{Consent, Content, Cursor, LinkFact, MemberFact, Message, WrapsFact};
use jiashu_proto::id::{
    CodeHash, DeviceId, Epoch, InviteId, LinkHash, MemberId, Millis, Ref, Scope,
};
use jiashu_proto::id::{Token, TokenHash};
use jiashu_roster::token_hash;
use jiashu_server::store::embedded::{EmbeddedStore, FILE, Options};
use jiashu_server::store::{
    Author, Batch, Change, NewEntry, PageLimit, Precondition, ScopeKind, Store,
};
use tokio::task::JoinSet;

use crate::wire::body;

/// The key that all families are at: link 1, and a join by each of the two cards.
pub(crate) const EPOCH: Epoch = 3;

/// When they were enrolled, in ms.
pub(crate) const ENROLLED_AT: Millis = 1_790_000_000_000;

/// Commits handed in at once.
const AT_ONCE: usize = 256;

/// A family; of two phones where nothing else is said.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    /// Its number.
    pub(crate) scope: Scope,
    /// Where its log stood before the messages that wait.
    pub(crate) cursor: Cursor,
}

impl Family {
    /// Of phone 1 or 2.
    pub(crate) fn token(&self, device: u32) -> Token {
        Token { scope: self.scope, device: DeviceId(device), secret: secret(self.scope, device) }
    }
}

fn secret(scope: Scope, device: u32) -> [u8; 16] {
    let mut secret = [0x5e; 16];
    if let Some((head, _)) = secret.split_first_chunk_mut() {
        *head = (scope.0 ^ u64::from(device)).to_be_bytes();
    }
    secret
}

/// Fills the folder with so many families, phone 1 of each having posted so many messages.
///
/// With `killed` the folder is left as a relay leaves it that was killed: what was acknowledged
/// stands in the write-ahead log in part.
pub(crate) fn seed(
    folder: &Path,
    families: u64,
    messages: u64,
    killed: bool,
) -> Result<Vec<Family>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if !killed {
            return fill(folder, families, messages).await;
        }
        let first = tempfile::tempdir()?;
        let store: Arc<dyn Store> = Arc::new(open(first.path())?);
        let seeded = write(&store, families, 2, messages).await?;
        std::fs::create_dir_all(folder)?;
        for file in [FILE.to_owned(), format!("{FILE}-wal")] {
            std::fs::copy(first.path().join(&file), folder.join(&file))?;
        }
        store.close().await;
        Ok(seeded)
    })
}

async fn fill(folder: &Path, families: u64, messages: u64) -> Result<Vec<Family>> {
    let store: Arc<dyn Store> = Arc::new(open(folder)?);
    let seeded = write(&store, families, 2, messages).await?;
    store.close().await;
    Ok(seeded)
}

fn open(folder: &Path) -> Result<EmbeddedStore> {
    Ok(EmbeddedStore::open(folder, Options::default())?)
}

/// Fills any store with families of so many phones.
pub(crate) async fn write(
    store: &Arc<dyn Store>,
    families: u64,
    phones: u32,
    messages: u64,
) -> Result<Vec<Family>> {
    let mut tasks = JoinSet::new();
    let mut seeded = Vec::new();
    for number in 1..=families {
        if tasks.len() >= AT_ONCE
            && let Some(done) = tasks.join_next().await
        {
            seeded.push(done??);
        }
        // Spread over all numbers, as those that clients draw.
        let scope = Scope(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        tasks.spawn(family(Arc::clone(store), scope, phones, messages));
    }
    while let Some(done) = tasks.join_next().await {
        seeded.push(done??);
    }
    Ok(seeded)
}

async fn family(store: Arc<dyn Store>, scope: Scope, phones: u32, messages: u64) -> Result<Family> {
    store.commit(scope, founding(phones)).await?;
    for device in 1..=phones {
        store.commit(scope, join(scope, device)).await?;
    }
    let state = store.state(scope).await?.ok_or_else(|| anyhow::anyhow!("no family"))?;
    let start = Cursor { generation: state.generation, ..Cursor::default() };
    let all = PageLimit { entries: 1000, bytes: 1 << 20 };
    let cursor = store.read_after(scope, start, all).await?.upto;
    for n in 1..=messages {
        store.commit(scope, message(n, phones + 1)).await?;
    }
    Ok(Family { scope, cursor })
}

fn entry(content: &Content) -> NewEntry {
    NewEntry::of(content)
}

/// Lengths as those of a family of three members; a card for each phone.
fn founding(phones: u32) -> Batch {
    let day = || Some("2026-11-02".to_owned());
    let member = |member| {
        let (zone, language) = ("Asia/Shanghai".to_owned(), "zh-Hans".to_owned());
        entry(&Content::Member(MemberFact { member: MemberId(member), zone, language }))
    };
    let consent = Consent { consent_on: day(), assent_on: day(), ..Consent::none(MemberId(3)) };
    let link = entry(&Content::Link(LinkFact { link: vec![1; 500] }));
    let link = NewEntry { key: Some("link/1".into()), ..link };
    let invite = |invite| Change::AddInvite {
        invite: InviteId(invite),
        code_hash: Some(CodeHash([7; 32])),
        expires_at: ENROLLED_AT,
        blob: vec![2; 500],
    };
    Batch {
        requires: vec![Precondition::Absent],
        entries: vec![link, member(1), member(2), member(3), entry(&Content::Consent(consent))],
        changes: [
            Change::Create(ScopeKind::Family),
            Change::Turn { epoch: 1, head: LinkHash([1; 32]) },
            Change::SetActive(true),
        ]
        .into_iter()
        .chain((1..=phones).map(invite))
        .collect(),
        ..Batch::new(ENROLLED_AT)
    }
}

fn join(scope: Scope, device: u32) -> Batch {
    let epoch = device + 1;
    let link = entry(&Content::Link(LinkFact { link: vec![1; 400] }));
    let wraps = entry(&Content::Wraps(WrapsFact { number: epoch, wraps: vec![3; 300] }));
    let token = TokenHash(token_hash(&secret(scope, device)).0);
    let add = Change::AddSeat {
        device: DeviceId(device),
        token_hash: token,
        members: vec![MemberId(device)],
    };
    Batch {
        entries: vec![NewEntry { key: Some(format!("link/{epoch}")), ..link }, wraps],
        changes: vec![
            Change::Turn { epoch, head: LinkHash([1; 32]) },
            Change::UseInvite(InviteId(device), DeviceId(device), token),
            add,
        ],
        ..Batch::new(ENROLLED_AT)
    }
}

/// As phone 1 posts it, with the key of that number in force.
pub(crate) fn message(n: u64, epoch: Epoch) -> Batch {
    let device = DeviceId(1);
    let mut entry_ref = [0x44; 12];
    if let Some((head, _)) = entry_ref.split_first_chunk_mut() {
        *head = n.to_be_bytes();
    }
    let entry_ref = Ref(entry_ref);
    let message = Message {
        device,
        from: MemberId(1),
        entry_ref,
        epoch,
        to: Vec::new(),
        sealed: body(n - 1).to_vec(),
        key: None,
        until: None,
        blob: None,
        fired: None,
    };
    Batch {
        author: Some(Author { device, n, entry_ref }),
        requires: vec![Precondition::Active, Precondition::Epoch(epoch)],
        entries: vec![entry(&Content::Message(1, message))],
        ..Batch::new(ENROLLED_AT + 1000)
    }
}

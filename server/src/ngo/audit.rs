//! Who of the staff asked for what: entries of the programme's log that nobody can change or leave out unseen.
//!
//! Each entry names the SHA-256 of the one before, as a chain does (RFC 6962 speaks of logs that are only added to;
//! here a chain is enough, as one party alone writes it). Whoever notes the newest hash elsewhere can tell whether
//! anything before it was altered. An entry says who, what, of which case and with which outcome; never a name, never
//! what was said.

use jiashu_api::audit as api;
use jiashu_proto::bounds::MAX_NOTED;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{DeviceId, Millis, Scope};
use minicbor::{Decode, Encode};
use ring::digest::{SHA256, digest};

use super::staff::{Staff, Wants, allow};
use crate::clock::text;
use crate::execute::{ATTEMPTS, Failure};
use crate::family::Refusal;
use crate::programme::ProgrammeFact;
use crate::relay::Relay;
use crate::store::{Batch, Change, LedgerRow, NewEntry, Precondition, Store, StoreError};

/// The book that knows how long the chain is: one row.
const HEAD: &str = "audit";

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AuditEntry {
    /// From 1, without a gap.
    #[n(0)]
    pub number: u64,
    /// SHA-256 of the entry before, as it stands; of the first zeros.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub before: [u8; 32],
    /// When, in ms.
    #[n(2)]
    pub at: Millis,
    /// Who, by the number in the programme.
    #[n(3)]
    pub staff: DeviceId,
    /// What was asked for.
    #[n(4)]
    pub action: String,
    /// Of which case, site or member of staff.
    #[n(5)]
    pub subject: Option<String>,
    /// What else is to be known, in code words.
    #[n(6)]
    pub detail: Option<String>,
    /// Whether it was let through.
    #[n(7)]
    pub allowed: bool,
}

impl ProgrammeFact for AuditEntry {
    const KIND: u32 = 68;
    const KEYS: &'static str = "audit/";
}

/// All that is asked for, by its word: each language of the dashboard has one for it.
pub const ACTIONS: [&str; 38] = [
    "assign",
    "audit",
    "consent",
    "consent-settings",
    "enrol",
    "erase",
    "erase-undo",
    "export",
    "family",
    "mail",
    "pause",
    "plan",
    "programme",
    "reissue",
    "report",
    "resume",
    "session-end",
    "sign-in",
    "sign-in-link",
    "site",
    "staff",
    "staff-add",
    "staff-me",
    "staff-remove",
    "suspend",
    "task-done",
    "tasks",
    "thresholds",
    "transfer-accept",
    "transfer-offer",
    "transfer-site",
    "transfer-take-back",
    "transfer-taken",
    "transfers",
    "unsuspend",
    "visit",
    "void",
    "worklist",
];

/// What somebody asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What.
    pub action: &'static str,
    /// Of which case, site or member of staff.
    pub subject: Option<String>,
    /// What else is to be known, in code words.
    pub detail: Option<String>,
}

impl Asked {
    /// Of a case, site or member of staff.
    #[must_use]
    pub fn of(action: &'static str, subject: impl Into<String>) -> Self {
        Self { action, subject: Some(subject.into()), detail: None }
    }

    /// The same, with what else is to be known.
    #[must_use]
    pub fn saying(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

fn key(number: u64) -> String {
    format!("{}{number:012}", AuditEntry::KEYS)
}

/// What the newest entry is known by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Head {
    #[n(0)]
    number: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    hash: [u8; 32],
}

fn hash(content: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, content).as_ref());
    hash
}

/// As much of it as is noted: who asks says what it is before anybody has looked whether it is anything.
fn clipped(mut text: String) -> String {
    const CUT: char = '…';
    if text.len() > MAX_NOTED {
        text.truncate(text.floor_char_boundary(MAX_NOTED - CUT.len_utf8()));
        text.push(CUT);
    }
    text
}

/// Notes it; durable when this returns.
///
/// # Errors
///
/// [`StoreError`]: then nothing may be done of it.
pub async fn note(
    relay: &Relay,
    programme: Scope,
    staff: DeviceId,
    asked: &Asked,
    allowed: bool,
) -> Result<(), StoreError> {
    debug_assert!(ACTIONS.contains(&asked.action), "{} has no word", asked.action);
    let store = &*relay.store;
    let mut attempts = 0..ATTEMPTS * 16;
    loop {
        let head = head(store, programme).await?;
        let Asked { action, subject, detail } = asked.clone();
        let (subject, detail) = (subject.map(clipped), detail.map(clipped));
        let (number, at) = (head.number.saturating_add(1), relay.clock.now());
        let action = action.to_owned();
        let entry =
            AuditEntry { number, before: head.hash, at, staff, action, subject, detail, allowed };
        match store.commit(programme, append(&entry)).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            done => return done.map(|_| ()),
        }
    }
}

fn append(entry: &AuditEntry) -> Batch {
    let key = key(entry.number);
    let written: NewEntry = crate::programme::entry(key.clone(), entry);
    let head = Head { number: entry.number, hash: hash(&written.content) };
    let row = LedgerRow {
        book: HEAD.to_owned(),
        name: b"head".to_vec(),
        version: (entry.number, 0),
        value: minicbor::to_vec(head).expect("writing to memory cannot fail"),
    };
    Batch {
        // Of two who write at once one is first, and the other follows with the next.
        requires: vec![Precondition::FactAt(key, None)],
        entries: vec![written],
        changes: vec![Change::Enter(row)],
        ..Batch::new(entry.at)
    }
}

async fn head(store: &dyn Store, programme: Scope) -> Result<Head, StoreError> {
    let rows = store.book(programme, HEAD).await?;
    Ok(rows.first().and_then(|row| minicbor::decode(&row.value).ok()).unwrap_or_default())
}

/// What is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry that is not what was written, or not where it was.
    #[error("entry {0} is not the one that was written, or stands in another's place")]
    Altered(u64),
    /// Entries at its end are gone.
    #[error("it ends with entry {found}, and had {head}")]
    Cut {
        /// The last that is there.
        found: u64,
        /// How many there were.
        head: u64,
    },
}

/// A chain that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its entries, the oldest first.
    pub entries: Vec<AuditEntry>,
    /// SHA-256 of the newest, to be noted elsewhere; zeros where there is none.
    pub hash: [u8; 32],
}

/// Reads the audit log, and checks that nothing of it was altered or left out.
///
/// # Errors
///
/// [`StoreError`]; inside, what is wrong.
pub async fn read(
    store: &dyn Store,
    programme: Scope,
) -> Result<Result<Chain, Broken>, StoreError> {
    let records = store.facts(programme, AuditEntry::KEYS).await?;
    let contents = records.into_iter().map(|(_, record)| record.content).collect::<Vec<_>>();
    Ok(check(&contents, head(store, programme).await?))
}

/// Entries that are shown at once.
pub const SHOWN: u64 = 1_000;

/// The audit log from behind that entry on, as staff see it; else its newest entries.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Unavailable`] where the chain is broken.
pub async fn show(relay: &Relay, staff: &Staff, after: Option<u64>) -> Result<api::Log, Failure> {
    let detail = after.map(|after| after.to_string());
    let asked = Asked { action: "audit", subject: None, detail };
    allow(relay, staff, Wants::Figures, asked).await?;
    let chain = read(&*relay.store, staff.programme).await?.map_err(|broken| {
        tracing::error!(programme.id = %staff.programme, %broken, "the audit log is broken");
        let text =
            "the audit log is broken: tell the operator, jiashu-server audit verify says where";
        Refusal::new(ErrorCode::Unavailable, text)
    })?;
    let length = chain.entries.len();
    let shown = usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let newest = length.saturating_sub(shown);
    let passed = after.map_or(newest, |after| usize::try_from(after).unwrap_or(length));
    let entry = |entry: AuditEntry| api::Entry {
        number: entry.number,
        at: text(entry.at),
        staff: entry.staff.0,
        action: entry.action,
        subject: entry.subject,
        detail: entry.detail,
        allowed: entry.allowed,
    };
    Ok(api::Log {
        hash: hex(&chain.hash),
        length: length as u64,
        // The first is number 1, and none is missing.
        entries: chain.entries.into_iter().skip(passed).take(shown).map(entry).collect(),
    })
}

/// In small letters.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(contents: &[Vec<u8>], head: Head) -> Result<Chain, Broken> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    let mut before = [0; 32];
    for (number, content) in (1..).zip(contents) {
        let mut d = minicbor::Decoder::new(content);
        let kind = d.u32().ok().filter(|kind| *kind == AuditEntry::KIND);
        let entry: Option<AuditEntry> = kind.and_then(|_| d.decode().ok());
        let entry = entry.filter(|entry| entry.number == number && entry.before == before);
        entries.push(entry.ok_or(Broken::Altered(number))?);
        before = hash(content);
    }
    let found = entries.len() as u64;
    if found != head.number {
        return Err(Broken::Cut { found, head: head.number });
    }
    if before != head.hash {
        return Err(Broken::Altered(found));
    }
    Ok(Chain { entries, hash: before })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contact::tests::{PROGRAMME, Weeks};

    fn chain(count: u64) -> (Vec<Vec<u8>>, Head) {
        let mut head = Head::default();
        let mut contents = Vec::new();
        for number in 1..=count {
            let entry = AuditEntry {
                number,
                before: head.hash,
                at: 5,
                staff: DeviceId(1),
                action: "family".into(),
                subject: Some(format!("GS-{number}")),
                detail: None,
                allowed: true,
            };
            let content = append(&entry).entries.remove(0).content;
            head = Head { number, hash: hash(&content) };
            contents.push(content);
        }
        (contents, head)
    }

    #[tokio::test]
    async fn what_is_noted_is_short_however_much_was_asked() {
        let weeks = Weeks::begin().await;
        let auditor = DeviceId(4);
        let long = Asked::of("enrol", "天".repeat(20_000)).saying("水x".repeat(20_000));
        let fits = Asked::of("enrol", "天".repeat(42)).saying("x".repeat(128));

        for asked in [&long, &fits] {
            note(&weeks.relay, PROGRAMME, auditor, asked, false).await.unwrap();
        }

        let chain = read(&*weeks.relay.store, PROGRAMME).await.unwrap().unwrap();
        let [.., cut, whole] = &chain.entries[..] else { panic!("two at least") };
        for (noted, asked) in [(&cut.subject, &long.subject), (&cut.detail, &long.detail)] {
            let (noted, asked) = (noted.as_ref().unwrap(), asked.as_ref().unwrap());
            assert!(noted.len() <= 128, "{} bytes", noted.len());
            assert!(asked.starts_with(noted.strip_suffix('…').unwrap()));
        }
        assert_eq!((&whole.subject, &whole.detail), (&fits.subject, &fits.detail));
    }

    #[test]
    fn a_chain_that_was_only_added_to_holds() {
        let (contents, head) = chain(5);

        let read = check(&contents, head).unwrap();

        assert_eq!((read.entries.len(), read.hash), (5, head.hash));
        assert_eq!(check(&[], Head::default()).unwrap().entries, []);
    }

    #[test]
    fn what_was_altered_left_out_or_cut_off_is_found() {
        let (contents, head) = chain(5);
        for place in 0..5 {
            for byte in 0..contents[place].len() {
                let mut altered = contents.clone();
                altered[place][byte] ^= 1;
                assert!(check(&altered, head).is_err(), "byte {byte} of entry {place}");
            }
            let mut gone = contents.clone();
            gone.remove(place);
            assert!(check(&gone, head).is_err(), "entry {place} is gone");
        }
        let mut swapped = contents.clone();
        swapped.swap(1, 2);
        assert_eq!(check(&swapped, head), Err(Broken::Altered(2)));
        assert_eq!(check(&contents[..4], head), Err(Broken::Cut { found: 4, head: 5 }));
    }
}

//! Names and values in Redis: what stands where, and how it is written. Pure; what does not read is damaged.
//!
//! All keys of a scope carry the hash tag of its bucket, so that one script may touch them on a cluster:
//!
//! | key | type | what |
//! | --- | --- | --- |
//! | `j1:{b017}:SCOPE:s` | hash | `v` its version, `s` its state, `b` its floor, `n` bodies held; `o…` the order of a schedule's bodies, `c…` the card of an invite, `g…` how many rows a book of the ledger has |
//! | `j1:{b017}:SCOPE:f` | hash | the fact of each key, with its content |
//! | `j1:{b017}:SCOPE:d` | hash | when each item is due |
//! | `j1:{b017}:SCOPE:h` | hash | held bodies |
//! | `j1:{b017}:SCOPE:l` | list | the log, from the floor on; of a fact only its key |
//! | `j1:{b017}:SCOPE:r` | hash | how far each device has read, and since when |
//! | `j1:{b017}:SCOPE:g:BOOK` | hash | the rows of a book of the ledger |
//! | `j1:{b017}:due` | sorted set | what is due in the bucket, by time |

use jiashu_proto::entry::Seq;
use jiashu_proto::frame::Reached;
use jiashu_proto::id::{DeviceId, InviteId, Millis, Ref, Scope};

use crate::store::{BookRow, DueItem, LedgerRow, NEVER, Record};

/// Buckets of a store, fixed when it is made: a cluster spreads them over its nodes.
pub(super) const BUCKETS: u64 = 256;

/// Stands while the store is being filled, with the SHA-256 of what.
pub(super) const FILLING: &str = "j1:filling";

/// The relays that live.
pub(super) const RELAYS: &str = "j1:relays";

/// On this channel relays tell each other which scope has changed; on a cluster on one of each bucket.
pub(super) const WAKES: &str = "j1:wakes";

/// A value that does not read: an operator, or another program, wrote it.
#[derive(Debug, thiserror::Error)]
#[error("what stands in Redis is damaged: {0}")]
pub(super) struct Damaged(pub(super) &'static str);

/// The names of one scope's keys.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) scope: String,
    pub(super) facts: String,
    pub(super) due: String,
    pub(super) held: String,
    pub(super) log: String,
    pub(super) cursors: String,
    pub(super) bucket_due: String,
    /// What the names of all books of the ledger begin with.
    books: String,
}

impl Keys {
    pub(super) fn of(scope: Scope) -> Self {
        let prefix = format!("j1:{{b{:03}}}:{:016x}:", bucket_of(scope), scope.0);
        let name = |part: &str| format!("{prefix}{part}");
        Self {
            scope: name("s"),
            facts: name("f"),
            due: name("d"),
            held: name("h"),
            log: name("l"),
            cursors: name("r"),
            bucket_due: bucket_due(bucket_of(scope)),
            books: name("g:"),
        }
    }

    /// A book of the ledger.
    pub(super) fn book(&self, book: &str) -> String {
        format!("{}{book}", self.books)
    }
}

/// Counts how often replicas were waited for, of this and perhaps of other buckets.
pub(super) fn fence_key(bucket: u64) -> String {
    format!("j1:{{b{bucket:03}}}:fence")
}

/// On a cluster the channel on which relays tell each other which scope of a bucket has changed.
pub(super) fn bucket_wakes(bucket: u64) -> String {
    format!("j1:{{b{bucket:03}}}:wakes")
}

/// The bucket of a scope.
pub(super) fn bucket_of(scope: Scope) -> u64 {
    scope.0 % BUCKETS
}

/// Of the key that says what a scope is, which scope's it is.
pub(super) fn scope_of_key(key: &[u8]) -> Option<Scope> {
    let name = std::str::from_utf8(key).ok()?.strip_suffix(":s")?;
    let (_, id) = name.rsplit_once(':')?;
    let scope = Scope(u64::from_str_radix(id, 16).ok()?);
    (Keys::of(scope).scope.as_bytes() == key).then_some(scope)
}

/// The due index of a bucket.
pub(super) fn bucket_due(bucket: u64) -> String {
    format!("j1:{{b{bucket:03}}}:due")
}

/// Field of a schedule's bodies, in order.
pub(super) fn order_field(schedule: Ref) -> Vec<u8> {
    [b"o", &schedule.0[..]].concat()
}

/// Field of an invite's card.
pub(super) fn card_field(invite: InviteId) -> Vec<u8> {
    [b"c", &invite.0.to_be_bytes()[..]].concat()
}

/// Field of how many rows a book has.
pub(super) fn rows_field(book: &str) -> Vec<u8> {
    [b"g", book.as_bytes()].concat()
}

/// A row of a book, less its name.
pub(super) fn row_value(row: &LedgerRow) -> Vec<u8> {
    let (high, low) = row.version;
    [&high.to_be_bytes()[..], &low.to_be_bytes(), &row.value].concat()
}

pub(super) fn read_row(book: &str, name: &[u8], value: &[u8]) -> Result<LedgerRow, Damaged> {
    let BookRow { name, version, value } = book_row(name, value)?;
    Ok(LedgerRow { book: book.to_owned(), name: name.to_vec(), version, value: value.to_vec() })
}

/// The same of a book that is read whole.
pub(super) fn book_row<'a>(name: &'a [u8], value: &'a [u8]) -> Result<BookRow<'a>, Damaged> {
    let read = || {
        let (high, rest) = value.split_first_chunk()?;
        let (low, value) = rest.split_first_chunk()?;
        let version = (u64::from_be_bytes(*high), u64::from_be_bytes(*low));
        Some(BookRow { name, version, value })
    };
    read().ok_or(Damaged("a row of a ledger"))
}

/// Field of a held body.
pub(super) fn body_field(schedule: Ref, body_ref: Ref) -> Vec<u8> {
    [schedule.0, body_ref.0].concat()
}

/// The bodies of a schedule as one value.
pub(super) fn order_value(order: &[Ref]) -> Vec<u8> {
    order.iter().flat_map(|one| one.0).collect()
}

pub(super) fn read_order(value: &[u8]) -> Result<Vec<Ref>, Damaged> {
    let (refs, rest) = value.as_chunks::<12>();
    if !rest.is_empty() {
        return Err(Damaged("the order of held bodies"));
    }
    Ok(refs.iter().map(|one| Ref(*one)).collect())
}

/// A place of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) at: Millis,
    pub(super) tag: u32,
    pub(super) says: Says,
}

/// What a place of the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// This.
    Entry(Vec<u8>),
    /// What the fact of this key says, if it still has this place.
    Fact(String),
    /// Nothing any more.
    Gone,
}

impl Element {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (kind, rest): (&[u8], &[u8]) = match &self.says {
            Says::Entry(content) => (b"e", content),
            Says::Fact(key) => (b"k", key.as_bytes()),
            Says::Gone => (b"g", b""),
        };
        [kind, &self.at.to_be_bytes(), &self.tag.to_be_bytes(), rest].concat()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        let damaged = || Damaged("a place of a log");
        let (kind, rest) = bytes.split_first().ok_or_else(damaged)?;
        let (at, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (tag, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let says = match kind {
            b'e' => Says::Entry(rest.to_vec()),
            b'k' => Says::Fact(String::from_utf8(rest.to_vec()).map_err(|_| damaged())?),
            b'g' if rest.is_empty() => Says::Gone,
            _ => return Err(damaged()),
        };
        Ok(Self { at: Millis::from_be_bytes(*at), tag: u32::from_be_bytes(*tag), says })
    }
}

/// A fact that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FactRow {
    pub(super) rank: u8,
    pub(super) tag: u32,
    pub(super) record: Record,
}

impl FactRow {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let Record { seq, at, content } = &self.record;
        let (seq, at, tag) = (seq.to_be_bytes(), at.to_be_bytes(), self.tag.to_be_bytes());
        [&seq[..], &at, &tag, &[self.rank], content].concat()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        let read = || {
            let (seq, rest) = bytes.split_first_chunk()?;
            let (at, rest) = rest.split_first_chunk()?;
            let (tag, rest) = rest.split_first_chunk()?;
            let (rank, content) = rest.split_first()?;
            let (seq, at) = (Seq::from_be_bytes(*seq), Millis::from_be_bytes(*at));
            let record = Record { seq, at, content: content.to_vec() };
            Some(Self { rank: *rank, tag: u32::from_be_bytes(*tag), record })
        };
        read().ok_or(Damaged("a fact"))
    }
}

/// When an item is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DueRow {
    pub(super) at: Millis,
    pub(super) planned: Option<String>,
}

impl DueRow {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let planned = self.planned.as_deref().unwrap_or_default();
        [&self.at.to_be_bytes()[..], planned.as_bytes()].concat()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        let read = || {
            let (at, planned) = bytes.split_first_chunk()?;
            let planned = String::from_utf8(planned.to_vec()).ok()?;
            let planned = (!planned.is_empty()).then_some(planned);
            Some(Self { at: Millis::from_be_bytes(*at), planned })
        };
        read().ok_or(Damaged("what is due"))
    }
}

/// The name of an item in the index of its bucket.
pub(super) fn due_member(scope: Scope, item: &[u8]) -> Vec<u8> {
    [&scope.0.to_be_bytes()[..], item].concat()
}

pub(super) fn read_due_member(member: &[u8]) -> Result<(Scope, DueItem), Damaged> {
    let damaged = || Damaged("the due index");
    let (scope, item) = member.split_first_chunk().ok_or_else(damaged)?;
    let item = minicbor::decode(item).map_err(|_| damaged())?;
    Ok((Scope(u64::from_be_bytes(*scope)), item))
}

/// Its place in the index: a double holds every ms of 285,000 years.
pub(super) fn score(at: Millis) -> String {
    if at == NEVER { "+inf".to_owned() } else { at.to_string() }
}

/// How far a device has read, in words that a script can compare.
pub(super) fn cursor_value(reached: Reached) -> String {
    format!("{} {}", reached.seq, reached.at)
}

pub(super) fn read_cursor(device: &[u8], value: &[u8]) -> Result<Reached, Damaged> {
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let read = || {
        let device = DeviceId(text(device)?.parse().ok()?);
        let (seq, at) = text(value)?.split_once(' ')?;
        Some(Reached { device, seq: seq.parse().ok()?, at: at.parse().ok()? })
    };
    read().ok_or(Damaged("how far a device has read"))
}

/// What relays tell each other: which scope, and who has changed it.
pub(super) fn wake_value(scope: Scope, relay: u64) -> [u8; 16] {
    let mut value = [0; 16];
    value[..8].copy_from_slice(&scope.0.to_be_bytes());
    value[8..].copy_from_slice(&relay.to_be_bytes());
    value
}

/// The scope, if another relay than `me` has changed it.
pub(super) fn read_wake(value: &[u8], me: u64) -> Option<Scope> {
    let (scope, relay) = value.split_first_chunk()?;
    let relay = u64::from_be_bytes(relay.try_into().ok()?);
    (relay != me).then_some(Scope(u64::from_be_bytes(*scope)))
}

/// A value as it stands in a field.
pub(super) fn to_cbor<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to memory cannot fail")
}

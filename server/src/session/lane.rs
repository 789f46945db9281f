//! One device on a connection: how far it has read, and what was sent and not yet read.

use std::collections::{BTreeSet, VecDeque};

use jiashu_proto::entry::{Content, Cursor, Seq};
use jiashu_proto::frame::{Ack, Entries, Hello, WireEntry};
use jiashu_proto::id::{DeviceId, MemberId, Millis};
use tokio::time::Instant;

use crate::access::{Access, Who};
use crate::family::delivery::{is_for, is_of_members, tombstone};
use crate::family::suspension::served_at;
use crate::store::{PageLimit, Record, Store, StoreError, Suspended};

/// Places that were not for this device are passed over; after so many the client's cursor is moved
/// all the same, lest it read them again at every hello.
const PASSED_OVER: u64 = 256;

/// Commands of this session that are remembered as answered and not yet passed by reading. Beyond it
/// a device is given back what it has, which costs bytes and nothing else.
const MAX_ANSWERED: usize = 1024;

/// A frame of entries that has been sent and not acked.
#[derive(Debug)]
struct Unread {
    upto: Cursor,
    entries: usize,
    bytes: usize,
}

/// One lane that has said hello.
#[derive(Debug)]
pub(super) struct OpenLane {
    pub(super) access: Access,
    /// The latest time of the cursors that the client was told.
    pub(super) cursors_at: Option<Millis>,
    /// Where the client stands once it has read all that was sent.
    sent: Cursor,
    /// Where it stands for certain.
    acked: Cursor,
    /// Where reading goes on: beyond `sent` by what was not for this device.
    read: Cursor,
    /// Whether that was the head when it was read.
    at_head: bool,
    /// Places of what this device wrote in this session: it has them, and was told where they stand.
    answered: BTreeSet<Seq>,
    /// See [`OpenLane::owes`]; the floor that goes with it.
    owed: Option<Seq>,
    unread: VecDeque<Unread>,
    /// Since when the client has had something to read and acked none of it.
    unread_since: Option<Instant>,
}

impl OpenLane {
    pub(super) fn new(access: Access, hello: &Hello) -> Self {
        let start = Cursor { generation: access.generation, ..Cursor::default() };
        let cursor = hello.cursor.unwrap_or(start);
        Self {
            access,
            cursors_at: hello.cursors_at,
            sent: cursor,
            acked: cursor,
            read: cursor,
            at_head: false,
            answered: BTreeSet::new(),
            owed: None,
            unread: VecDeque::new(),
            unread_since: None,
        }
    }

    /// The device was answered that its command stands there.
    pub(super) fn note_answer(&mut self, seq: Seq) {
        if seq > self.read.seq && self.answered.len() < MAX_ANSWERED {
            self.answered.insert(seq);
        }
    }

    /// Whether the last look at the log went up to its head.
    pub(super) fn is_at_head(&self) -> bool {
        self.at_head
    }

    /// Where the client stands for certain.
    pub(super) fn acked(&self) -> Cursor {
        self.acked
    }

    /// Whether the client's cursor stands in this log.
    pub(super) async fn cursor_holds(&self, store: &dyn Store) -> Result<bool, StoreError> {
        let limit = PageLimit { entries: 1, bytes: 1 };
        match store.read_after(self.access.scope, self.acked, limit).await {
            Ok(_) => Ok(true),
            Err(StoreError::OtherLog) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Goes back to the start of the log.
    pub(super) fn restart(&mut self) {
        let generation = self.access.generation;
        self.stand(Cursor { generation, ..Cursor::default() });
    }

    fn stand(&mut self, cursor: Cursor) {
        (self.sent, self.acked, self.read) = (cursor, cursor, cursor);
        self.at_head = false;
        self.answered.clear();
        self.owed = None;
        self.unread.clear();
        self.unread_since = None;
    }

    /// The client has read up to a place that was sent. `false` if it was not.
    pub(super) fn ack(&mut self, ack: Ack) -> bool {
        let is_it = |cursor: &Cursor| cursor.seq == ack.seq && cursor.tag == ack.tag;
        let Some(index) = self.unread.iter().position(|unread| is_it(&unread.upto)) else {
            return is_it(&self.acked) && self.unread.is_empty();
        };
        let read = self.unread.drain(..=index).next_back();
        if let Some(read) = read {
            self.acked = read.upto;
            self.unread_since = (!self.unread.is_empty()).then(Instant::now);
        }
        true
    }

    /// Reads on from where the client says it stands. `false` if that is not in this log.
    pub(super) async fn stand_at(
        &mut self,
        store: &dyn Store,
        ack: Ack,
    ) -> Result<bool, StoreError> {
        let generation = self.access.generation;
        self.stand(Cursor { generation, seq: ack.seq, tag: ack.tag });
        self.cursor_holds(store).await
    }

    /// Since when the client has had something to read and acked none of it.
    pub(super) fn unread_since(&self) -> Option<Instant> {
        self.unread_since
    }

    /// What was sent and not acked: entries, and their bytes.
    pub(super) fn unread(&self) -> (usize, usize) {
        let entries = self.unread.iter().map(|unread| unread.entries).sum();
        (entries, self.unread.iter().map(|unread| unread.bytes).sum())
    }

    /// The next frame of entries, or `None` if there is nothing for this device, or no `room` for it.
    pub(super) async fn next_entries(
        &mut self,
        store: &dyn Store,
        room: Option<PageLimit>,
        now: Millis,
    ) -> Result<Option<Entries>, StoreError> {
        let Who::Device(sender) = &self.access.who else { return Ok(None) };
        let (device, members) = (sender.device, sender.members.clone());
        while let Some(limit) = room {
            let page = store.read_after(self.access.scope, self.read, limit).await?;
            self.at_head = page.upto.seq >= page.head;
            self.read = page.upto;
            let own = page.records.iter().any(|record| self.answered.contains(&record.seq));
            let entries =
                for_device(page.records, &page.suspended, device, &members, &self.answered, now);
            self.answered = self.answered.split_off(&page.upto.seq.saturating_add(1));
            let passed_over = page.upto.seq.saturating_sub(self.sent.seq);
            if !entries.is_empty() || passed_over >= PASSED_OVER {
                return Ok(Some(self.send(entries, page.floor)));
            }
            if own {
                self.owed = Some(page.floor);
            }
            if self.at_head {
                return Ok(None);
            }
        }
        // No room: the acks that make it look again, whatever the last look saw.
        self.at_head = false;
        Ok(None)
    }

    /// Whether the cursor is to be moved past its own letters, lest the next session bring them. Not
    /// at once: often something follows that moves it anyway.
    pub(super) fn owes(&self) -> bool {
        self.owed.is_some()
    }

    /// A frame that only moves the cursor.
    pub(super) fn pay(&mut self) -> Option<Entries> {
        self.owed.take().map(|floor| self.send(Vec::new(), floor))
    }

    fn send(&mut self, entries: Vec<WireEntry>, floor: Seq) -> Entries {
        self.owed = None;
        let after = self.sent.seq;
        self.sent = self.read;
        self.unread.push_back(Unread {
            upto: self.read,
            // A frame that only moves the cursor takes room too, until it is read.
            entries: entries.len().max(1),
            bytes: entries.iter().map(|entry| entry.content.len()).sum(),
        });
        self.unread_since.get_or_insert_with(Instant::now);
        Entries { after, upto: self.read.seq, tag: self.read.tag, floor, entries }
    }
}

/// What of a page is for a device that serves `members`.
///
/// Letters and receipts that it wrote itself in this session (`answered`) are left out: somebody
/// pays for each byte, and it has them. After a lost answer it gets them like anybody else. In the place
/// of what is worth nothing any more stands that it was there.
fn for_device(
    records: Vec<Record>,
    suspended: &[Suspended],
    device: DeviceId,
    members: &[MemberId],
    answered: &BTreeSet<Seq>,
    now: Millis,
) -> Vec<WireEntry> {
    records
        .into_iter()
        .filter_map(|Record { seq, at, content }| {
            let read = Content::from_bytes(&content).ok()?;
            // The answer to a receipt that another outranks names the place of that other.
            let is_own = answered.contains(&seq) && is_by(&read, device);
            let served = served_at(suspended, members, seq);
            let is_given = !served.is_empty() || !is_of_members(&read);
            if !is_given || !is_for(&read, &served) || is_own {
                return None;
            }
            let content = tombstone(&read, now).map_or(content, |stone| stone.to_bytes());
            Some(WireEntry { seq, at, content })
        })
        .collect()
}

/// Whether it is a letter or a receipt that the device wrote. A name is a fact, which a device takes
/// up from the log, its own too.
fn is_by(content: &Content, device: DeviceId) -> bool {
    match content {
        Content::Message(_, message) => message.device == device && message.key.is_none(),
        Content::Receipt(receipt) => receipt.device == device,
        _ => false,
    }
}

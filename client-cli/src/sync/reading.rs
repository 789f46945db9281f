//! What arrives in the log: entries in their order, links first checked and then believed.

use std::collections::BTreeSet;

use jiashu_proto::entry::{
    Content, Cursor, LinkFact, Message, MessageKind, Receipt, WrapsFact, name_key,
};
use jiashu_proto::frame::{Cursors, Entries, WireEntry};
use jiashu_proto::id::{Epoch, LinkHash, MemberId, Millis, Ref};
use jiashu_roster::{Link, LinkError, Recipient};
use jiashu_seal::{FamilyKey, SealError, open_back, open_link_key};
use rusqlite::Connection;

use super::opening::{self, Opened};
use super::{Applied, Engine, broken, forks, giving, receipts, resealing};
use crate::error::{CliError, Result};
use crate::state::chain::{self, Family};
use crate::state::lane::Lane;
use crate::state::message::{self, Place};
use crate::state::{fact, fork, receipt};

/// Why an entry was not taken.
enum Failed {
    /// The roster fails a check: reading stops before this entry.
    Broken(String),
    /// A good link that is another than ours of that number: reading stops before it, too.
    Forked(Epoch),
    /// The state cannot be written.
    State(CliError),
}

impl From<CliError> for Failed {
    fn from(error: CliError) -> Self {
        Self::State(error)
    }
}

impl From<LinkError> for Failed {
    fn from(error: LinkError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<SealError> for Failed {
    fn from(error: SealError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// One frame of entries, being applied to copies that replace the engine's once all is written.
struct Reader<'a> {
    db: &'a Connection,
    lane: Lane,
    family: Family,
    /// Schedules that came, or of which a letter was opened.
    met: BTreeSet<Ref>,
}

impl Engine {
    pub(super) fn read(&mut self, entries: &Entries, now: Millis) -> Result<Applied> {
        let Some(cursor) = self.lane.cursor.filter(|cursor| cursor.seq == entries.after) else {
            return Ok(Applied { reply: self.ack(), ..Applied::default() });
        };
        let tx = self.state.begin()?;
        let (lane, family) = (self.lane.clone(), self.family.clone());
        let mut reader = Reader { db: &tx, lane, family, met: BTreeSet::new() };
        let taken = entries.entries.iter().try_for_each(|entry| reader.take(entry, cursor));
        let stopped = match taken {
            Ok(()) => None,
            Err(Failed::Broken(reason)) => Some(reason),
            Err(Failed::Forked(number)) => {
                forks::keep(&tx, number, &entries.entries)?;
                Some(forks::in_words(number))
            }
            Err(Failed::State(error)) => return Err(error),
        };
        reader.open_pending()?;
        reader.once_of_each_bank()?;
        let Reader { mut lane, family, met, .. } = reader;
        lane.synced_at = Some(now);
        match &stopped {
            None => {
                let Entries { upto: seq, tag, .. } = *entries;
                lane.cursor = Some(Cursor { seq, tag, ..cursor });
                fork::clear(&tx)?;
            }
            // The place of the failing entry has no tag that we know: we read on from before, and
            // know by their refs and hashes what was taken since.
            Some(_) => lane.log_epoch = self.lane.log_epoch,
        }
        lane.broken = stopped;
        lane.store(&tx)?;
        receipts::derive(&tx, &lane, &family)?;
        resealing::queue_due(&tx, &lane, &family, now)?;
        giving::ask_after_removal(&tx, &lane, &family, &met)?;
        tx.commit()?;
        (self.lane, self.family) = (lane, family);
        self.note_caught_up();
        if entries.entries.iter().any(lets_letters_move) {
            self.flight.paused_until = None;
        }
        if let Some(reason) = &self.lane.broken {
            return Err(broken(reason));
        }
        let moved = entries.upto > entries.after;
        // A frame that only moves the cursor takes the room of an entry, as the relay counts.
        let taken = entries.entries.len().max(1);
        Ok(Applied { reply: self.ack(), moved, taken, settled: false })
    }

    pub(super) fn note_cursors(&mut self, cursors: &Cursors) -> Result<Applied> {
        let tx = self.state.begin()?;
        let mut lane = self.lane.clone();
        for reached in &cursors.reached {
            receipt::note_reached(&tx, *reached)?;
            lane.cursors_at = lane.cursors_at.max(Some(reached.at));
        }
        receipts::derive(&tx, &lane, &self.family)?;
        lane.store(&tx)?;
        tx.commit()?;
        self.lane = lane;
        Ok(Applied::default())
    }
}

/// Whether letters that waited may move after this entry: taking part is recorded, or somebody has
/// closed what was to be closed.
fn lets_letters_move(entry: &WireEntry) -> bool {
    matches!(Content::from_bytes(&entry.content), Ok(Content::Consent(_) | Content::Link(_)))
}

impl Reader<'_> {
    fn take(&mut self, entry: &WireEntry, cursor: Cursor) -> std::result::Result<(), Failed> {
        let WireEntry { seq, at, content } = entry;
        match Content::from_bytes(content) {
            Ok(Content::Link(link)) => self.link(&link, *at),
            Ok(Content::Wraps(wraps)) => self.wraps(&wraps),
            Ok(Content::Message(_, message)) => {
                let place = Place { generation: cursor.generation, seq: *seq, at: *at };
                Ok(self.message(place, content, &message)?)
            }
            Ok(Content::Receipt(receipt)) => Ok(self.receipt(&receipt)?),
            Ok(
                clear @ (Content::Schedule(_)
                | Content::Member(_)
                | Content::Consent(_)
                | Content::Request(_)
                | Content::Plan(_)
                | Content::Proposal(_)
                | Content::Pause(_)
                | Content::Placement(_)
                | Content::Nudge(_)
                | Content::Suspension(_)
                | Content::Leaving(_)),
            ) => {
                if let Content::Schedule(schedule) = &clear {
                    self.met.insert(schedule.id);
                }
                let key = clear.key().unwrap_or_default();
                Ok(fact::put(self.db, &key, *seq, *at, content)?)
            }
            Ok(Content::Notice(notice)) if !self.is_ours(notice.to) => Ok(()),
            // They have no key, and each stands for itself.
            Ok(Content::Notice(_)) => {
                Ok(fact::put(self.db, &format!("{}{seq}", fact::NOTICES), *seq, *at, content)?)
            }
            // Of one that we have a tombstone is no news: a log was read again.
            Ok(Content::Tombstone(stone)) => {
                let place = Place { generation: cursor.generation, seq: *seq, at: *at };
                if message::move_known(self.db, stone.entry_ref, place)? {
                    return Ok(());
                }
                let key = format!("{}{}", fact::TOMBSTONES, stone.entry_ref);
                Ok(fact::put(self.db, &key, *seq, *at, content)?)
            }
            // The relay's own: it has no business here.
            Ok(Content::Blob(_)) => Ok(()),
            // A newer version wrote it: it stays for the day when this one is newer, too.
            Ok(Content::Unknown(_)) | Err(_) => {
                Ok(fact::put(self.db, &format!("unknown/{seq}"), *seq, *at, content)?)
            }
        }
    }

    fn link(&mut self, fact: &LinkFact, at: Millis) -> std::result::Result<(), Failed> {
        let link = Link::parse(&fact.link)?;
        let number = link.read()?.number;
        if number.checked_sub(1) != Some(self.lane.log_epoch) {
            return Err(Failed::Broken(format!("link {number} is not the next")));
        }
        match self.family.roster.hash_of(number) {
            // A log read again from its start brings the links that we know.
            Some(known) if known == link.hash() => {}
            Some(_) => return Err(self.fork(number, &fact.link)?),
            None => {
                self.family.follow(&fact.link)?;
                self.check_own_join(number, link.hash())?;
                chain::put_link(self.db, number, &fact.link, at)?;
            }
        }
        self.lane.log_epoch = number;
        Ok(())
    }

    /// Another link than ours of that number: a fork, if it follows what stands before it.
    fn fork(&self, number: Epoch, link: &[u8]) -> std::result::Result<Failed, Failed> {
        forks::before(self.db, number)?.follow(link)?;
        Ok(Failed::Forked(number))
    }

    /// A relay could make up a family around this phone's own keys, but not the link that this
    /// phone wrote to join, nor the chain under it.
    fn check_own_join(&mut self, number: Epoch, hash: LinkHash) -> std::result::Result<(), Failed> {
        let own = self.family.roster.devices().get(&self.lane.me());
        if own.is_none_or(|own| own.joined != number) || hash == self.lane.join_hash {
            return Ok(());
        }
        // Nothing of that chain is ours: the true one can still be read from its start.
        chain::forget(self.db)?;
        self.family = Family::load(self.db)?;
        Err(Failed::Broken("this is not the family that was joined".to_owned()))
    }

    /// The newest link's wraps: they give its key, and through it every key that we missed.
    fn wraps(&mut self, fact: &WrapsFact) -> std::result::Result<(), Failed> {
        let head = self.family.roster.number();
        let removed = !self.family.roster.devices().contains_key(&self.lane.me());
        if fact.number < head || removed {
            return Ok(());
        }
        let wraps = self.family.roster.check_wraps(&fact.wraps)?;
        let link = self.family.link(head).ok_or(SealError::Refused("there is no such link"))?;
        let me = Recipient::Device(self.lane.me());
        let before = self.family.keys.get(&head.saturating_sub(1));
        let key = open_link_key(link, &wraps, me, &self.lane.keys.hpke, before)?;
        chain::put_wraps(self.db, head, &fact.wraps)?;
        self.keep_keys(head, key)
    }

    fn keep_keys(&mut self, head: Epoch, key: FamilyKey) -> std::result::Result<(), Failed> {
        let (mut epoch, mut key) = (head, Some(key));
        while let Some(current) = key {
            match self.family.keys.get(&epoch) {
                Some(known) if *known == current => return Ok(()),
                Some(_) => return Err(SealError::BadKey("it is another than the one known").into()),
                None => {}
            }
            let link = self.family.link(epoch).ok_or(SealError::BadKey("the chain is cut"))?;
            key = open_back(link, &current)?;
            chain::put_key(self.db, epoch, &current)?;
            self.family.keys.insert(epoch, current);
            epoch = epoch.saturating_sub(1);
        }
        Ok(())
    }

    fn message(&mut self, place: Place, content: &[u8], message: &Message) -> Result<()> {
        if message::move_known(self.db, message.entry_ref, place)? {
            return Ok(());
        }
        let refused = opening::refusal(&self.family, self.lane.log_epoch, message);
        let refused = match refused {
            None => self.against_its_rule(message)?,
            refused => refused,
        };
        message::put(self.db, place, content, message, refused.as_deref())
    }

    /// Why a fired letter does not follow from its schedule's rule, if it does not. The version by which
    /// it fired must be at hand: what a later one has superseded cannot be asked any more.
    fn against_its_rule(&self, message: &Message) -> Result<Option<String>> {
        let Some(fired) = &message.fired else { return Ok(None) };
        let schedule = fact::schedule(self.db, fired.schedule)?;
        let rule = schedule.filter(|known| known.version == fired.version);
        Ok(rule.and_then(|known| opening::off_rule(&known, fired)))
    }

    /// Opens all whose key has come by now: wraps follow later in the log than what they open.
    fn open_pending(&mut self) -> Result<()> {
        for stored in message::sealed(self.db)? {
            let entry_ref = stored.message.entry_ref;
            match opening::open(&self.family, stored.kind, &stored.message) {
                Opened::NotYet => {}
                Opened::Text(text) => {
                    message::opened(self.db, entry_ref, &text)?;
                    self.met.extend(stored.message.fired.as_ref().map(|fired| fired.schedule));
                    let from_number = MessageKind::from_number(stored.kind);
                    if from_number == Some(MessageKind::Name) {
                        self.name(&stored.message, &text.content)?;
                    }
                }
                Opened::Refused(reason) => message::refuse(self.db, entry_ref, &reason)?,
            }
        }
        Ok(())
    }

    /// A relay that releases a bank's letter again says nothing new by it.
    fn once_of_each_bank(&self) -> Result<()> {
        for met in &self.met {
            if fact::schedule(self.db, *met)?.is_some_and(|schedule| schedule.bank) {
                message::refuse_repeats(self.db, *met, opening::A_SECOND_TIME)?;
            }
        }
        Ok(())
    }

    /// Whether this phone serves that member.
    fn is_ours(&self, member: MemberId) -> bool {
        let own = self.family.roster.devices().get(&self.lane.me());
        own.is_some_and(|own| own.members.contains(&member))
    }

    fn name(&mut self, message: &Message, name: &str) -> Result<()> {
        let members = self.family.roster.members().keys();
        let named = members.copied().find(|member| message.key == Some(name_key(*member)));
        match named {
            Some(member) => chain::put_name(self.db, member, name),
            None => Ok(()),
        }
    }

    fn receipt(&mut self, receipt: &Receipt) -> Result<()> {
        let Receipt { from: member, rung, at, share, .. } = *receipt;
        let heard = receipt::Heard { member, rung, at, share: share.filter(|share| *share <= 100) };
        receipt::note(self.db, receipt.of, heard)
    }
}

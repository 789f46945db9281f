//! What a device knows of its family: the log after its cursor, the chain, the keys, the letters.

use std::collections::BTreeMap;

use jiashu_proto::entry::{Content, Cursor, Fired, Message, Seq};
use jiashu_proto::frame::{Ack, Entries};
use jiashu_proto::id::{DeviceId, Epoch, MemberId, Millis, Ref};
use jiashu_proto::text::Text;
use jiashu_roster::{Link, LinkBody, Recipient, Roster, occurrence_ref};
use jiashu_seal::{BodyFields, FamilyKey, KeyPair, SealError, open_all, open_body, open_link_key};

/// An entry that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// Its place.
    pub seq: Seq,
    /// When it was committed.
    pub at: Millis,
    /// What it says.
    pub content: Content,
}

/// A message that was opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// Its place.
    pub seq: Seq,
    /// Its name.
    pub entry_ref: Ref,
    /// Who speaks.
    pub from: MemberId,
    /// What was written.
    pub text: String,
    /// If a schedule released it.
    pub fired: Option<Fired>,
}

/// One device's copy of its family's log.
#[derive(Clone, Debug)]
pub struct FamilyLog {
    device: DeviceId,
    hpke: KeyPair,
    /// How far it has read.
    pub cursor: Cursor,
    /// Who is in the family, as of the cursor.
    pub roster: Roster,
    /// The keys, by epoch.
    pub keys: BTreeMap<Epoch, FamilyKey>,
    /// All that was taken, in order.
    pub entries: Vec<Taken>,
    chain: Vec<LinkBody>,
}

impl FamilyLog {
    /// A log of which nothing was read.
    #[must_use]
    pub fn new(device: DeviceId, hpke: KeyPair) -> Self {
        Self {
            device,
            hpke,
            cursor: Cursor::default(),
            roster: Roster::new(),
            keys: BTreeMap::new(),
            entries: Vec::new(),
            chain: Vec::new(),
        }
    }

    /// The same device before it had read anything.
    #[must_use]
    pub fn from_start(&self) -> Self {
        Self::new(self.device, self.hpke.clone())
    }

    /// Takes a frame. `false`, and nothing is taken, if it does not join on to the cursor.
    ///
    /// # Panics
    ///
    /// If a link fails its check, or a wrap does not open: what a person would see in red.
    pub fn take(&mut self, frame: &Entries) -> bool {
        if frame.after != self.cursor.seq {
            return false;
        }
        for entry in &frame.entries {
            let content = Content::from_bytes(&entry.content).expect("an entry can be read");
            match &content {
                Content::Link(fact) => self.follow(&fact.link),
                Content::Wraps(fact) => self.open_key(&fact.wraps),
                Content::Message(_, message) => self.check_epoch(message),
                _ => {}
            }
            self.entries.push(Taken { seq: entry.seq, at: entry.at, content });
        }
        (self.cursor.seq, self.cursor.tag) = (frame.upto, frame.tag);
        true
    }

    fn follow(&mut self, link: &[u8]) {
        self.roster.follow(link).expect("the relay hands out only links that follow");
        self.chain.push(Link::parse(link).and_then(|link| link.read()).expect("it was read"));
    }

    /// Opens the newest key, and through it all that were not known.
    fn open_key(&mut self, wraps: &[u8]) {
        let wraps = self.roster.check_wraps(wraps).expect("the wraps are the newest link's");
        let newest = self.chain.last().expect("a link comes before its wraps");
        let known = self.keys.get(&(newest.number - 1));
        let own = Recipient::Device(self.device);
        let key = open_link_key(newest, &wraps, own, &self.hpke, known).expect("the wrap opens");
        self.keys = open_all(&self.chain, &key).expect("the newest key opens all");
    }

    fn check_epoch(&self, message: &Message) {
        let in_force = self.roster.number();
        assert!(
            message.fired.is_some() || message.epoch == in_force,
            "sealed under epoch {} while {in_force} was in force",
            message.epoch
        );
    }

    /// The chain as it was signed, from link 1.
    #[must_use]
    pub fn links(&self) -> Vec<Vec<u8>> {
        let link = |taken: &Taken| match &taken.content {
            Content::Link(fact) => Some(fact.link.clone()),
            _ => None,
        };
        self.entries.iter().filter_map(link).collect()
    }

    /// The newest wraps.
    ///
    /// # Panics
    ///
    /// If the family has no key yet.
    #[must_use]
    pub fn wraps(&self) -> Vec<u8> {
        let wraps = |taken: &Taken| match &taken.content {
            Content::Wraps(fact) => Some(fact.wraps.clone()),
            _ => None,
        };
        self.entries.iter().rev().find_map(wraps).expect("the family has a key")
    }

    /// What is acked.
    #[must_use]
    pub fn ack(&self) -> Ack {
        Ack { seq: self.cursor.seq, tag: self.cursor.tag }
    }

    /// The newest key, its number, and the link it is bound to.
    #[must_use]
    pub fn key(&self) -> Option<(Epoch, &FamilyKey)> {
        self.keys.last_key_value().map(|(epoch, key)| (*epoch, key))
    }

    /// The messages among what was taken, as they stand.
    pub fn messages(&self) -> impl Iterator<Item = (&Taken, u32, &Message)> {
        self.entries.iter().filter_map(|taken| match &taken.content {
            Content::Message(kind, message) => Some((taken, *kind, message)),
            _ => None,
        })
    }

    /// The messages among what was taken, opened.
    #[must_use]
    pub fn letters(&self) -> Vec<Letter> {
        let open = |(taken, kind, message): (&Taken, u32, &Message)| Letter {
            seq: taken.seq,
            entry_ref: message.entry_ref,
            from: message.from,
            text: self.open(kind, message).expect("a letter of the family opens").content,
            fired: message.fired.clone(),
        };
        self.messages().map(open).collect()
    }

    /// What the letters say.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.letters().into_iter().map(|letter| letter.text).collect()
    }

    /// Opens one message.
    ///
    /// # Errors
    ///
    /// [`SealError`], if it is not as its author sealed it.
    pub fn open(&self, kind: u32, message: &Message) -> Result<Text, SealError> {
        let fired = message.fired.as_ref();
        if let Some(fired) = fired
            && occurrence_ref(fired.body_ref, fired.schedule, &fired.planned)
                != Some(message.entry_ref)
        {
            return Err(SealError::Refused("not the ref of this occurrence"));
        }
        let until = fired.map_or(message.until, |fired| fired.valid_for);
        let fields = BodyFields {
            device: message.device,
            from: message.from,
            kind,
            to: message.to.clone(),
            key: message.key.clone(),
            until: until.map(|ms| u64::try_from(ms).unwrap()),
            schedule: fired.map(|fired| fired.schedule),
        };
        let nonce = fired.map_or(message.entry_ref, |fired| fired.body_ref);
        let key = self.keys.get(&message.epoch).ok_or(SealError::BadKey("an unknown epoch"))?;
        let link = self.roster.hash_of(message.epoch);
        let link = link.ok_or(SealError::BadKey("an unknown link"))?;
        let text = open_body(key, link, nonce, &fields, &message.sealed)?;
        Text::from_bytes(kind, &text).map_err(|_| SealError::Refused("not a text"))
    }
}

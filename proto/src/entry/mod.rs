//! What stands in a family's log: shapes only; the store gives the numbers.
//!
//! An entry's content is a kind and a body, as a frame is. The relay stores these two CBOR items
//! as they are and sends them on without writing them again; a kind that a reader does not know is
//! kept as [`Content::Unknown`], so that an older client never destroys what a newer one wrote.

use minicbor::{Decode, Decoder, Encode, Encoder};

pub use blob::{BLOB_KEYS, BlobFact, BlobState, blob_key};
pub use care::Care;
pub use consent::{Agreed, Consent, How, Terms};
pub use contact::{
    ContactPlan, IntendedRule, NUDGE_KEYS, Nudge, Nudged, PAUSE_KEYS, PLACEMENT_KEY, PLAN_KEY,
    PROPOSAL_KEY, Pause, PauseReason, Placement, Proposal, SUSPENSION_KEYS, SuspendedFor,
    Suspension, SuspensionReason, nudge_key, pause_key, suspension_key,
};
pub use jurisdiction::{Jurisdiction, OF_AGE, own_word_from};
pub use leaving::{LEAVING_KEY, Leaving};
pub use schedule::{
    Adjust, Fired, Notice, Noticed, RuleText, SCHEDULE_KEYS, Schedule, ScheduleState, Tombstone,
    schedule_key,
};

use crate::id::{CodeHash, DeviceId, Epoch, MemberId, Millis, Ref};

mod blob;
mod care;
mod consent;
mod contact;
mod jurisdiction;
mod leaving;
mod schedule;

/// The place of an entry in its log, from 1; 0 is the place before the first.
pub type Seq = u64;

/// Which life of the log a [`Seq`] counts in: drawn anew when a log is rebuilt.
pub type Generation = u32;

/// How far a device has read: all entries up to and with `seq`.
///
/// The tag is the 4 random bytes which the store gave that place at commit (0 for place 0), so that
/// a log that lost its end and grew again is noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Cursor {
    /// The life of the log that `seq` counts in.
    #[n(0)]
    pub generation: Generation,
    /// The last place read.
    #[n(1)]
    pub seq: Seq,
    /// What the store wrote beside that place.
    #[n(2)]
    pub tag: u32,
}

/// The kinds of sealed bodies. Numbers below 16 are sealed by devices, those from 16 on are clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// A few lines.
    Text,
    /// A voice note; its blob is named in clear.
    Voice,
    /// One of the child's picture answers.
    Picture,
    /// Rings until somebody marks it done.
    Reminder,
    /// A member's name: the fact `name/N`.
    Name,
}

impl MessageKind {
    /// All kinds, for tables and tests.
    pub const ALL: [Self; 5] = [Self::Text, Self::Voice, Self::Picture, Self::Reminder, Self::Name];

    /// The number on the wire, and in the additional data of the seal.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Text => 1,
            Self::Voice => 2,
            Self::Picture => 3,
            Self::Reminder => 4,
            Self::Name => 5,
        }
    }

    /// The kind of that number, if this version knows it.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The word in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Voice => "voice",
            Self::Picture => "picture",
            Self::Reminder => "reminder",
            Self::Name => "name",
        }
    }
}

/// The first number of a kind that is not sealed.
pub const FIRST_CLEAR_KIND: u32 = 16;

/// Numbers of the clear kinds.
pub mod kind {
    /// [`super::Content::Link`].
    pub const LINK: u32 = 16;
    /// [`super::Content::Wraps`].
    pub const WRAPS: u32 = 17;
    /// [`super::Content::Receipt`].
    pub const RECEIPT: u32 = 18;
    /// [`super::Content::Schedule`].
    pub const SCHEDULE: u32 = 19;
    /// [`super::Content::Member`].
    pub const MEMBER: u32 = 20;
    /// [`super::Content::Consent`].
    pub const CONSENT: u32 = 21;
    /// [`super::Content::Request`].
    pub const REQUEST: u32 = 22;
    /// [`super::Content::Notice`].
    pub const NOTICE: u32 = 23;
    /// [`super::Content::Tombstone`].
    pub const TOMBSTONE: u32 = 24;
    /// [`super::Content::Blob`].
    pub const BLOB: u32 = 25;
    /// [`super::Content::Plan`].
    pub const PLAN: u32 = 26;
    /// [`super::Content::Proposal`].
    pub const PROPOSAL: u32 = 27;
    /// [`super::Content::Pause`].
    pub const PAUSE: u32 = 28;
    /// [`super::Content::Placement`].
    pub const PLACEMENT: u32 = 29;
    /// [`super::Content::Nudge`].
    pub const NUDGE: u32 = 30;
    /// [`super::Content::Suspension`].
    pub const SUSPENSION: u32 = 31;
    /// [`super::Content::Leaving`].
    pub const LEAVING: u32 = 32;
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A sealed body, with its kind.
    Message(u32, Message),
    /// One link of the roster, as received: the fact `link/N`.
    Link(LinkFact),
    /// The newest link's wraps: the fact `wraps`.
    Wraps(WrapsFact),
    /// How far a message came with a member: the fact `receipt/REF/MEMBER`.
    Receipt(Receipt),
    /// A rule and who it is for: the fact `schedule/ID`.
    Schedule(Schedule),
    /// Zone and language of a member: the fact `member/N`.
    Member(MemberFact),
    /// That a member takes part: the fact `consent/N`.
    Consent(Consent),
    /// That a new phone asks to be let in: the fact `request/HASH`.
    Request(RequestFact),
    /// What the relay tells the author of a letter or schedule.
    Notice(Notice),
    /// Stands where a message was that is worth nothing any more. Handed out, never stored.
    Tombstone(Tombstone),
    /// What the relay notes of stored bytes. Never handed out.
    Blob(BlobFact),
    /// When the family intends to hear each other: the fact `plan`.
    Plan(ContactPlan),
    /// What staff propose for that: the fact `plan/proposed`.
    Proposal(Proposal),
    /// That nothing is expected for a while: the fact `pause/N`.
    Pause(Pause),
    /// In whose figures the family is: the fact `placement`.
    Placement(Placement),
    /// Whom the phones prompt to write: the fact `nudge/N`.
    Nudge(Nudge),
    /// When a member was suspended: the fact `suspension/N`.
    Suspension(Suspension),
    /// That all of the family will be erased: the fact `leaving`.
    Leaving(Leaving),
    /// Written by a newer version: its kind.
    Unknown(u32),
}

/// A sealed message, as posted or as fired by a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Message {
    /// The device that sealed it.
    #[n(0)]
    pub device: DeviceId,
    /// The member in whose name.
    #[n(1)]
    pub from: MemberId,
    /// Its name; of a fired one the occurrence's (docs/sealing.md), not the nonce.
    #[n(2)]
    pub entry_ref: Ref,
    /// Number of the key it is sealed under.
    #[n(3)]
    pub epoch: Epoch,
    /// For whom, ascending; empty is for all.
    #[cbor(n(4), decode_with = "crate::frame::list::decode")]
    pub to: Vec<MemberId>,
    /// The sealed text, with its 16-byte tag.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
    /// Makes it a fact.
    #[n(6)]
    pub key: Option<String>,
    /// After this it is handed out no more, in ms; of a fired one as computed at firing.
    #[n(7)]
    pub until: Option<Millis>,
    /// The stored bytes it needs.
    #[n(8)]
    pub blob: Option<Ref>,
    /// Of a fired one: where it came from.
    #[n(9)]
    pub fired: Option<Fired>,
}

/// A roster link.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LinkFact {
    /// CBOR of body and signature, as signed and received.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub link: Vec<u8>,
}

/// The wraps beside the newest link.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct WrapsFact {
    /// Number of the link they belong to.
    #[n(0)]
    pub number: Epoch,
    /// CBOR of the wraps, as hashed and received.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub wraps: Vec<u8>,
}

/// How far a message came with a member. The higher rung supersedes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Rung {
    /// On a device of the member; derived from its cursor, never sent.
    #[n(1)]
    Device,
    /// The text was opened.
    #[n(2)]
    Opened,
    /// The voice was played, at least in part.
    #[n(3)]
    Played,
    /// Shown to the child.
    #[n(4)]
    Shown,
    /// Of a reminder: somebody has done it, and it rings nowhere any more.
    #[n(5)]
    Done,
}

/// So much of a voice note, in percent, is heard.
const HALF: u8 = 50;

impl Rung {
    /// Whether somebody has heard it: a text that was opened, of a voice at least half, whatever was shown to a child.
    /// Delivered is not heard. `share` is that of a [`Receipt`].
    #[must_use]
    pub fn is_heard(self, share: Option<u8>) -> bool {
        match self {
            Self::Device => false,
            Self::Played => share.is_some_and(|share| share >= HALF),
            Self::Opened | Self::Shown | Self::Done => true,
        }
    }

    /// The word in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Opened => "opened",
            Self::Played => "played",
            Self::Shown => "shown",
            Self::Done => "done",
        }
    }
}

/// Says how far a message came, to its author.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Receipt {
    /// The device that says so.
    #[n(0)]
    pub device: DeviceId,
    /// The member it came to.
    #[n(1)]
    pub from: MemberId,
    /// The message.
    #[n(2)]
    pub of: Ref,
    /// The message's author, who is told.
    #[n(3)]
    pub to: MemberId,
    /// How far.
    #[n(4)]
    pub rung: Rung,
    /// When, by the device's clock, in ms.
    #[n(5)]
    pub at: Millis,
    /// Of a played one: the share, in percent.
    #[n(6)]
    pub share: Option<u8>,
}

/// What the family's screens need of a member beside the roster.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct MemberFact {
    /// The member.
    #[n(0)]
    pub member: MemberId,
    /// IANA zone.
    #[n(1)]
    pub zone: String,
    /// BCP 47 language.
    #[n(2)]
    pub language: String,
}

/// A new phone asks to be let in, by keys that it made itself. Nothing of it is to be trusted before
/// two people have compared the digits of both screens (docs/sealing.md).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RequestFact {
    /// Whom it will serve, as staff said, ascending.
    #[cbor(n(0), decode_with = "crate::frame::list::decode")]
    pub members: Vec<MemberId>,
    /// Will sign the join.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub sign_pub: [u8; 65],
    /// The family's key will be wrapped to it.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub hpke_pub: [u8; 65],
    /// SHA-256 of the code by which it will join.
    #[n(3)]
    pub code_hash: CodeHash,
    /// Until when the request stands, in ms.
    #[n(4)]
    pub expires_at: Millis,
}

impl Content {
    /// The kind's number.
    #[must_use]
    pub fn kind(&self) -> u32 {
        match self {
            Self::Message(kind, _) | Self::Unknown(kind) => *kind,
            Self::Link(_) => kind::LINK,
            Self::Wraps(_) => kind::WRAPS,
            Self::Receipt(_) => kind::RECEIPT,
            Self::Schedule(_) => kind::SCHEDULE,
            Self::Member(_) => kind::MEMBER,
            Self::Consent(_) => kind::CONSENT,
            Self::Request(_) => kind::REQUEST,
            Self::Notice(_) => kind::NOTICE,
            Self::Tombstone(_) => kind::TOMBSTONE,
            Self::Blob(_) => kind::BLOB,
            Self::Plan(_) => kind::PLAN,
            Self::Proposal(_) => kind::PROPOSAL,
            Self::Pause(_) => kind::PAUSE,
            Self::Placement(_) => kind::PLACEMENT,
            Self::Nudge(_) => kind::NUDGE,
            Self::Suspension(_) => kind::SUSPENSION,
            Self::Leaving(_) => kind::LEAVING,
        }
    }

    /// The fact's key, or `None` for an entry that supersedes nothing.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        match self {
            Self::Message(_, message) => message.key.clone(),
            // The number stands in the signed body; who commits the link has read it there.
            Self::Link(_) | Self::Unknown(_) => None,
            Self::Notice(_) | Self::Tombstone(_) => None,
            Self::Wraps(_) => Some(WRAPS_KEY.into()),
            Self::Receipt(receipt) => Some(format!("receipt/{}/{}", receipt.of, receipt.from)),
            Self::Schedule(schedule) => Some(schedule_key(schedule.id)),
            Self::Member(fact) => Some(format!("member/{}", fact.member)),
            Self::Consent(consent) => Some(consent_key(consent.member)),
            Self::Request(request) => Some(request_key(request.code_hash)),
            Self::Blob(blob) => Some(blob_key(blob.id)),
            Self::Plan(_) => Some(PLAN_KEY.into()),
            Self::Proposal(_) => Some(PROPOSAL_KEY.into()),
            Self::Pause(pause) => Some(pause_key(pause.number)),
            Self::Placement(_) => Some(PLACEMENT_KEY.into()),
            Self::Nudge(nudge) => Some(nudge_key(nudge.child)),
            Self::Suspension(suspension) => Some(suspension_key(suspension.member)),
            Self::Leaving(_) => Some(LEAVING_KEY.into()),
        }
    }

    /// The two CBOR items, kind and body, as the store keeps them and frames carry them.
    ///
    /// A content of an unknown kind cannot be written again and gives its kind with an empty body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        let written = e.u32(self.kind()).and_then(|e| match self {
            Self::Message(_, body) => e.encode(body),
            Self::Link(body) => e.encode(body),
            Self::Wraps(body) => e.encode(body),
            Self::Receipt(body) => e.encode(body),
            Self::Schedule(body) => e.encode(body),
            Self::Member(body) => e.encode(body),
            Self::Consent(body) => e.encode(body),
            Self::Request(body) => e.encode(body),
            Self::Notice(body) => e.encode(body),
            Self::Tombstone(body) => e.encode(body),
            Self::Blob(body) => e.encode(body),
            Self::Plan(body) => e.encode(body),
            Self::Proposal(body) => e.encode(body),
            Self::Pause(body) => e.encode(body),
            Self::Placement(body) => e.encode(body),
            Self::Nudge(body) => e.encode(body),
            Self::Suspension(body) => e.encode(body),
            Self::Leaving(body) => e.encode(body),
            Self::Unknown(_) => e.array(0),
        });
        written.expect("writing to memory cannot fail");
        e.into_writer()
    }

    /// Reads [`Content::to_bytes`] back; extra fields of a newer version are passed over.
    ///
    /// # Errors
    ///
    /// If the bytes are not these two items, or something follows them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let mut d = Decoder::new(bytes);
        let kind = d.u32()?;
        let content = match kind {
            kind if MessageKind::from_number(kind).is_some() => Self::Message(kind, d.decode()?),
            kind::LINK => Self::Link(d.decode()?),
            kind::WRAPS => Self::Wraps(d.decode()?),
            kind::RECEIPT => Self::Receipt(d.decode()?),
            kind::SCHEDULE => Self::Schedule(d.decode()?),
            kind::MEMBER => Self::Member(d.decode()?),
            kind::CONSENT => Self::Consent(d.decode()?),
            kind::REQUEST => Self::Request(d.decode()?),
            kind::NOTICE => Self::Notice(d.decode()?),
            kind::TOMBSTONE => Self::Tombstone(d.decode()?),
            kind::BLOB => Self::Blob(d.decode()?),
            kind::PLAN => Self::Plan(d.decode()?),
            kind::PROPOSAL => Self::Proposal(d.decode()?),
            kind::PAUSE => Self::Pause(d.decode()?),
            kind::PLACEMENT => Self::Placement(d.decode()?),
            kind::NUDGE => Self::Nudge(d.decode()?),
            kind::SUSPENSION => Self::Suspension(d.decode()?),
            kind::LEAVING => Self::Leaving(d.decode()?),
            kind => {
                d.skip()?;
                Self::Unknown(kind)
            }
        };
        if d.position() == bytes.len() {
            Ok(content)
        } else {
            Err(minicbor::decode::Error::message("bytes after the content"))
        }
    }
}

/// Key of the newest link's wraps.
pub const WRAPS_KEY: &str = "wraps";

/// What the keys of all roster links begin with.
pub const LINK_KEYS: &str = "link/";

/// Key of the roster link of that number; sorts by number.
#[must_use]
pub fn link_key(number: Epoch) -> String {
    format!("{LINK_KEYS}{number:010}")
}

/// Key of a member's consent.
#[must_use]
pub fn consent_key(member: MemberId) -> String {
    format!("consent/{member}")
}

/// What the keys of all requests begin with.
pub const REQUEST_KEYS: &str = "request/";

/// Key of the request of a phone that will join by the code of this hash: its first 16 bytes, in hex.
#[must_use]
pub fn request_key(code_hash: CodeHash) -> String {
    let short = code_hash.0.iter().take(16).map(|byte| format!("{byte:02x}"));
    format!("{REQUEST_KEYS}{}", short.collect::<String>())
}

/// Key of a member's name.
#[must_use]
pub fn name_key(member: MemberId) -> String {
    format!("name/{member}")
}

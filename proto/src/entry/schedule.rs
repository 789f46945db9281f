//! What stands in the log of schedules, and of what they release.

use minicbor::{Decode, Encode};

use crate::id::{DeviceId, MemberId, Millis, Ref};

/// What the keys of all schedules begin with.
pub const SCHEDULE_KEYS: &str = "schedule/";

/// Key of a schedule.
#[must_use]
pub fn schedule_key(id: Ref) -> String {
    format!("{SCHEDULE_KEYS}{id}")
}

/// Whether a schedule runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ScheduleState {
    /// It fires.
    #[n(1)]
    Active,
    /// Ended by a person.
    #[n(2)]
    Cancelled,
    /// Its last occurrence has fired.
    #[n(3)]
    Spent,
    /// It keeps what it holds and fires nothing until a person lets it go on.
    #[n(4)]
    Paused,
}

impl ScheduleState {
    /// The word in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Cancelled => "cancelled",
            Self::Spent => "spent",
            Self::Paused => "paused",
        }
    }
}

/// When, as sent: RFC 5545 in text, so that both ends parse the same words.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RuleText {
    /// First civil time, `YYYY-MM-DDThh:mm:ss`.
    #[n(0)]
    pub start: String,
    /// IANA zone, the recipient's.
    #[n(1)]
    pub zone: String,
    /// Value of an RRULE; absent fires once.
    #[n(2)]
    pub rrule: Option<String>,
    /// Civil times besides (RDATE), `YYYY-MM-DDThh:mm:ss`, ascending.
    #[cbor(n(3), with = "crate::frame::list::sparse", has_nil)]
    pub also: Vec<String>,
    /// Civil times of all these at which it does not happen (EXDATE), ascending.
    #[cbor(n(4), with = "crate::frame::list::sparse", has_nil)]
    pub except: Vec<String>,
}

impl RuleText {
    /// A rule without single dates.
    #[must_use]
    pub fn new(start: impl Into<String>, zone: impl Into<String>, rrule: Option<&str>) -> Self {
        Self {
            start: start.into(),
            zone: zone.into(),
            rrule: rrule.map(str::to_owned),
            also: Vec::new(),
            except: Vec::new(),
        }
    }
}

/// A rule that releases a held body each time: the same one, or of a letter bank the next.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Schedule {
    /// Ref of the command that created it; unchanged by edits.
    #[n(0)]
    pub id: Ref,
    /// The device that wrote this version.
    #[n(1)]
    pub device: DeviceId,
    /// The member who writes.
    #[n(2)]
    pub from: MemberId,
    /// For whom, ascending; empty is for all.
    #[cbor(n(3), decode_with = "crate::frame::list::decode")]
    pub to: Vec<MemberId>,
    /// When.
    #[n(4)]
    pub rule: RuleText,
    /// Whether it runs.
    #[n(5)]
    pub state: ScheduleState,
    /// Whether it is a letter bank: each occurrence releases the first of its held bodies, which is
    /// then gone from there.
    #[cbor(n(6), with = "crate::sparse", has_nil)]
    pub bank: bool,
    /// How often a person has changed it. Its end by the relay changes nothing.
    #[cbor(n(7), with = "crate::sparse", has_nil)]
    pub version: u32,
}

/// What a [`Notice`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Noticed {
    /// An occurrence came, and the letter bank was empty.
    #[n(1)]
    Missed,
    /// It was worth nothing any more before it reached everybody.
    #[n(2)]
    Expired,
    /// The letter bank runs out.
    #[n(3)]
    Low,
    /// Its hour came while taking part was not agreed to, or its author suspended: it did not go.
    #[n(4)]
    Stopped,
}

impl Noticed {
    /// The word in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Expired => "expired",
            Self::Low => "low",
            Self::Stopped => "stopped",
        }
    }
}

/// What the relay tells the author of a letter or schedule, and nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Notice {
    /// The author.
    #[n(0)]
    pub to: MemberId,
    /// What it says.
    #[n(1)]
    pub what: Noticed,
    /// The schedule it is of; absent for a letter that was posted.
    #[n(2)]
    pub schedule: Option<Ref>,
    /// The occurrence it is of: civil time in the schedule's zone as planned.
    #[n(3)]
    pub planned: Option<String>,
    /// Its instant, in ms.
    #[n(4)]
    pub due_at: Option<Millis>,
    /// With [`Noticed::Expired`] the message, if it stood in the log.
    #[n(5)]
    pub of: Option<Ref>,
    /// With `of`: those on none of whose phones it came in time, ascending.
    #[cbor(n(6), with = "crate::frame::list::sparse", has_nil)]
    pub members: Vec<MemberId>,
    /// With [`Noticed::Low`]: how many letters are left.
    #[n(7)]
    pub left: Option<u32>,
}

/// What is handed out of a message past its `until`: that it was there.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Tombstone {
    /// The member in whose name it was.
    #[n(0)]
    pub from: MemberId,
    /// Its name.
    #[n(1)]
    pub entry_ref: Ref,
    /// For whom it was, ascending; empty is for all.
    #[cbor(n(2), decode_with = "crate::frame::list::decode")]
    pub to: Vec<MemberId>,
    /// Since when it is worth nothing, in ms.
    #[n(3)]
    pub until: Millis,
    /// Of a fired one: when it was due, in ms.
    #[n(4)]
    pub due_at: Option<Millis>,
}

/// Where a fired message came from, and what its seal needs beside the message's own fields.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Fired {
    /// Nonce of the held body.
    #[n(0)]
    pub body_ref: Ref,
    /// The schedule's id.
    #[n(1)]
    pub schedule: Ref,
    /// Civil time in the schedule's zone as planned, `YYYY-MM-DDThh:mm:ss`, before any shift.
    #[n(2)]
    pub planned: String,
    /// The instant it was due, in ms; the entry's own time is when it fired.
    #[n(3)]
    pub due_at: Millis,
    /// Set if the planned time does not exist, or exists twice, on that day.
    #[n(4)]
    pub adjust: Option<Adjust>,
    /// As sealed: how long after its time it is worth something, in ms.
    #[n(5)]
    pub valid_for: Option<Millis>,
    /// The [`Schedule::version`] by which it fired.
    #[cbor(n(6), with = "crate::sparse", has_nil)]
    pub version: u32,
}

/// How a planned civil time met a change of the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Adjust {
    /// It does not exist that day: moved forward by the gap.
    #[n(1)]
    Gap,
    /// It exists twice that day: the first.
    #[n(2)]
    Overlap,
}

impl Adjust {
    /// The word in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Overlap => "overlap",
        }
    }
}

//! Frames: what travels between a client and the relay, on a WebSocket or in one `POST /1`.
//!
//! A frame is CBOR `[kind, body]` or `[kind, body, lane]`; bodies are arrays. The kind is read by
//! hand: an unknown one is skipped and answered. Fields that a newer peer adds at the end of a body
//! are passed over; nothing may follow a frame but another frame. Golden bytes of every frame stand
//! in `proto/vectors/frames.json`.

use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::bounds;
use crate::entry::{Consent, Cursor, Generation, MemberFact, RuleText, Rung, ScheduleState, Seq};
use crate::error::ErrorCode;
use crate::id::{
    CodeHash, DeviceId, Epoch, InviteId, MemberId, Millis, N, Ref, Scope, Token, TokenHash,
};

/// One of the devices that share a connection; 0, and absent from the wire, for the first.
pub type Lane = u8;

/// Why bytes are not a frame. What was read is never repeated in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`bounds::MAX_FRAME`].
    #[error("a frame is at most {} bytes", bounds::MAX_FRAME)]
    TooLarge,
    /// Cut short, of another shape, or a field out of its bounds.
    #[error("not a frame of this protocol")]
    Malformed,
    /// Something follows the one frame of a WebSocket message.
    #[error("bytes after the frame")]
    TrailingBytes,
}

/// Declares the frames of one direction: number on the wire, variant, body.
macro_rules! frames {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $kind:literal $variant:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant($variant),)+
            /// Of a kind that this version does not know.
            Unknown(u32),
        }

        impl $name {
            /// The bytes on the wire.
            #[must_use]
            pub fn to_bytes(&self, lane: Lane) -> Vec<u8> {
                let mut bytes = Vec::new();
                self.write_to(lane, &mut bytes);
                bytes
            }

            /// Appends the bytes on the wire to `out`. A frame of an unknown kind writes nothing.
            pub fn write_to(&self, lane: Lane, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant(body) => write_frame($kind, body, lane, out),)+
                    Self::Unknown(_) => {}
                }
            }

            /// The word for this kind of frame, for logs and figures.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($variant),)+
                    Self::Unknown(_) => "Unknown",
                }
            }

            fn decode_body(kind: u32, body: &[u8]) -> Result<Self, minicbor::decode::Error> {
                match kind {
                    $($kind => minicbor::decode(body).map(Self::$variant),)+
                    kind => Ok(Self::Unknown(kind)),
                }
            }

            /// Takes the first frame off `input`, which may hold more behind it.
            ///
            /// # Errors
            ///
            /// [`FrameError`], if the input does not begin with a whole frame.
            pub fn read_from(input: &mut &[u8]) -> Result<(Lane, Self), FrameError> {
                let (lane, kind, body) = split_frame(input)?;
                let frame = Self::decode_body(kind, body).map_err(|_| FrameError::Malformed)?;
                Ok((lane, frame))
            }

            /// Reads exactly one frame.
            ///
            /// # Errors
            ///
            /// [`FrameError`], if it is not one, or something follows it.
            pub fn from_bytes(mut input: &[u8]) -> Result<(Lane, Self), FrameError> {
                let read = Self::read_from(&mut input)?;
                if input.is_empty() { Ok(read) } else { Err(FrameError::TrailingBytes) }
            }
        }
    };
}

frames! {
    /// What a client says.
    ClientFrame {
        /// Opens a lane.
        1 Hello,
        /// Adds a sealed message to the log.
        2 Post,
        /// Moves the cursor.
        3 Ack,
        /// Says how far a message came.
        4 Report,
        /// Hands over a sealed body that waits for its hour.
        5 Hold,
        /// Writes a schedule.
        6 Plan,
        /// Adds a link to the roster.
        7 Turn,
        /// Asks what an invite opens; uses up nothing.
        8 Look,
        /// Uses an invite.
        9 Join,
        /// Keeps a connection alive where pings cannot be sent.
        10 Beat,
        /// Uses the relay's setup link: makes a programme and its first coordinator.
        11 Setup,
        /// Staff: enrols a family.
        12 Enrol,
        /// Staff: records consent.
        13 RecordConsent,
    }
}

frames! {
    /// What the relay says.
    RelayFrame {
        /// The lane is open.
        16 Welcome,
        /// What stands in the log after a place.
        17 Entries,
        /// A command was done, durably.
        18 Posted,
        /// A command was not done.
        19 Refused,
        /// How far the family's other devices have read.
        20 Cursors,
        /// What an invite opens.
        24 Invited,
        /// The invite was used.
        25 Joined,
        /// The setup link was used.
        26 Staffed,
        /// A family is enrolled.
        27 Enrolled,
        /// The answer to a beat.
        21 Beaten,
    }
}

fn write_frame<T: Encode<()>>(kind: u32, body: &T, lane: Lane, out: &mut Vec<u8>) {
    let mut e = Encoder::new(out);
    let written = e
        .array(if lane == 0 { 2 } else { 3 })
        .and_then(|e| e.u32(kind))
        .and_then(|e| e.encode(body))
        .and_then(|e| if lane == 0 { Ok(e) } else { e.u8(lane) });
    written.expect("writing to memory cannot fail");
}

/// Parts the first frame into lane, kind and the bytes of its body.
fn split_frame<'b>(input: &mut &'b [u8]) -> Result<(Lane, u32, &'b [u8]), FrameError> {
    let bytes: &'b [u8] = input;
    let mut d = Decoder::new(bytes);
    let mut read = || -> Result<(Lane, u32, std::ops::Range<usize>), minicbor::decode::Error> {
        let items = d.array()?.unwrap_or(0);
        if items < 2 {
            return Err(minicbor::decode::Error::message("a frame has a kind and a body"));
        }
        let kind = d.u32()?;
        let from = d.position();
        d.skip()?;
        let body = from..d.position();
        let lane = if items > 2 { d.u8()? } else { 0 };
        for _ in 3..items {
            d.skip()?;
        }
        Ok((lane, kind, body))
    };
    let (lane, kind, body) = read().map_err(|_| FrameError::Malformed)?;
    let (body, rest) = (bytes.get(body), bytes.get(d.position()..));
    *input = rest.ok_or(FrameError::Malformed)?;
    Ok((lane, kind, body.ok_or(FrameError::Malformed)?))
}

/// Says who a lane is and how far it has read.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Hello {
    /// The device, or a member of staff.
    #[n(0)]
    pub token: Token,
    /// How far it has read; absent before the first entry.
    #[n(1)]
    pub cursor: Option<Cursor>,
    /// The latest time, in ms, of the [`Cursors`] it was told; absent wants all.
    #[n(2)]
    pub cursors_at: Option<Millis>,
}

/// Adds a sealed message to the log. The fields are those of [`crate::entry::Message`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Post {
    /// The lane's counter.
    #[n(0)]
    pub n: N,
    /// The message's name and the nonce of its seal.
    #[n(1)]
    pub entry_ref: Ref,
    /// Number of the key it is sealed under.
    #[n(2)]
    pub epoch: Epoch,
    /// In whose name: a member that the device serves.
    #[n(3)]
    pub from: MemberId,
    /// For whom, ascending; empty is for all.
    #[n(4)]
    pub to: Vec<MemberId>,
    /// [`crate::entry::MessageKind`].
    #[n(5)]
    pub kind: u32,
    /// The sealed text.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
    /// Makes it a fact.
    #[n(7)]
    pub key: Option<String>,
    /// After this, in ms, it is handed out no more.
    #[n(8)]
    pub until: Option<Millis>,
    /// The stored bytes it needs.
    #[n(9)]
    pub blob: Option<Ref>,
}

/// The device has all up to and with this place, in the welcomed generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Ack {
    /// The place.
    #[n(0)]
    pub seq: Seq,
    /// Its tag.
    #[n(1)]
    pub tag: u32,
}

/// A receipt; the fields are those of [`crate::entry::Receipt`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Report {
    /// The lane's counter.
    #[n(0)]
    pub n: N,
    /// The command's own name.
    #[n(1)]
    pub entry_ref: Ref,
    /// The member it came to: one that the device serves.
    #[n(2)]
    pub from: MemberId,
    /// The message.
    #[n(3)]
    pub of: Ref,
    /// Its author.
    #[n(4)]
    pub to: MemberId,
    /// How far.
    #[n(5)]
    pub rung: Rung,
    /// When, by the device's clock, in ms.
    #[n(6)]
    pub at: Millis,
    /// Of a played one: the share, in percent.
    #[n(7)]
    pub share: Option<u8>,
}

/// A sealed body that a schedule will release.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Hold {
    /// The lane's counter.
    #[n(0)]
    pub n: N,
    /// The body's name and the nonce of its seal.
    #[n(1)]
    pub body_ref: Ref,
    /// Number of the key it is sealed under.
    #[n(2)]
    pub epoch: Epoch,
    /// In whose name: a member that the device serves.
    #[n(3)]
    pub from: MemberId,
    /// For whom, ascending; empty is for all.
    #[n(4)]
    pub to: Vec<MemberId>,
    /// [`crate::entry::MessageKind`].
    #[n(5)]
    pub kind: u32,
    /// The sealed text.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
    /// The schedule that releases it; it need not be written yet.
    #[n(7)]
    pub schedule: Ref,
    /// How long after its time it is worth something, in ms.
    #[n(8)]
    pub valid_for: Option<Millis>,
    /// The stored bytes it needs.
    #[n(9)]
    pub blob: Option<Ref>,
}

/// Writes a schedule, or a new version of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Plan {
    /// The lane's counter.
    #[n(0)]
    pub n: N,
    /// The command's own name; of a new schedule its id.
    #[n(1)]
    pub entry_ref: Ref,
    /// In whose name: a member that the device serves.
    #[n(2)]
    pub from: MemberId,
    /// For whom, ascending; empty is for all.
    #[n(3)]
    pub to: Vec<MemberId>,
    /// When.
    #[n(4)]
    pub rule: RuleText,
    /// Whether it runs.
    #[n(5)]
    pub state: ScheduleState,
    /// The schedule that is changed; absent for a new one.
    #[n(6)]
    pub schedule: Option<Ref>,
}

/// What the relay keeps of a new invite beside the roster.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Card {
    /// The invite's number in the link.
    #[n(0)]
    pub invite: InviteId,
    /// SHA-256 of its code.
    #[n(1)]
    pub code_hash: CodeHash,
    /// Sealed under the invite's secret, which the relay never has.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub blob: Vec<u8>,
}

/// Adds a link to the roster, and so turns the key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Turn {
    /// The lane's counter.
    #[n(0)]
    pub n: N,
    /// The command's own name.
    #[n(1)]
    pub entry_ref: Ref,
    /// The link as signed.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub link: Vec<u8>,
    /// Its wraps.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub wraps: Vec<u8>,
    /// One for every op 2 of the link.
    #[n(4)]
    pub cards: Vec<Card>,
}

/// Asks what an invite opens.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Look {
    /// The family.
    #[n(0)]
    pub scope: Scope,
    /// D(S, "jiashu/1 code", 16).
    #[cbor(n(1), with = "minicbor::bytes")]
    pub code: [u8; 16],
}

/// Uses an invite: lets a device in and turns the key, in one commit.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Join {
    /// The family.
    #[n(0)]
    pub scope: Scope,
    /// D(S, "jiashu/1 code", 16).
    #[cbor(n(1), with = "minicbor::bytes")]
    pub code: [u8; 16],
    /// The link with op 3, signed by the invite.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub link: Vec<u8>,
    /// Its wraps.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub wraps: Vec<u8>,
}

/// Nothing but a sign of life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Beat {}

/// Makes a programme and its first coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Setup {
    /// The secret of the setup link.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub code: [u8; 16],
    /// The programme's number, drawn by the client.
    #[n(1)]
    pub programme: Scope,
    /// Of the coordinator's token.
    #[n(2)]
    pub token_hash: TokenHash,
}

/// Enrols a family: no names, no text; a repeat with the same case code changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Enrol {
    /// The programme's own code for the family.
    #[n(0)]
    pub case_code: String,
    /// The family's number, drawn by the client.
    #[n(1)]
    pub family: Scope,
    /// Link 1 of its roster.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub link: Vec<u8>,
    /// One for every invite of the link.
    #[n(3)]
    pub cards: Vec<Card>,
    /// One for every member of the link.
    #[n(4)]
    pub members: Vec<MemberFact>,
    /// What is recorded of taking part.
    #[n(5)]
    pub consents: Vec<Consent>,
}

/// Records consent of one member of an enrolled family.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RecordConsent {
    /// The programme's own code for the family.
    #[n(0)]
    pub case_code: String,
    /// A date that is absent leaves what is recorded.
    #[n(1)]
    pub consent: Consent,
}

/// The lane is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Welcome {
    /// The relay's time, in ms.
    #[n(0)]
    pub now: Millis,
    /// The lane's last counter that was used.
    #[n(1)]
    pub last_n: N,
    /// Life of the log.
    #[n(2)]
    pub generation: Generation,
    /// The cursor of the hello does not stand in this log: read it again from the start, and drop
    /// what is there already by its ref. Absent where the cursor holds.
    #[n(3)]
    pub restart: Option<bool>,
}

/// An entry as it travels: the content stays the two items that the author's command made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireEntry {
    /// Its place.
    pub seq: Seq,
    /// When it was committed, in ms.
    pub at: Millis,
    /// Kind and body, see [`crate::entry::Content::from_bytes`].
    pub content: Vec<u8>,
}

/// What stands in the log between two places, less what is not for this device.
///
/// Valid only for a client whose cursor is `after`; it then stands at `upto`, with that tag. On the
/// wire an entry is `[seq - seq before, at - at before, kind, body]`, the first against `after`, 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries {
    /// The place before the first.
    pub after: Seq,
    /// The place that the client has reached with this.
    pub upto: Seq,
    /// Its tag.
    pub tag: u32,
    /// Below this place the log keeps only facts.
    pub floor: Seq,
    /// Ascending.
    pub entries: Vec<WireEntry>,
}

impl<C> Encode<C> for Entries {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(5)?.u64(self.after)?.u64(self.upto)?.u32(self.tag)?.u64(self.floor)?;
        e.array(self.entries.len() as u64)?;
        let (mut seq, mut at) = (self.after, 0);
        for entry in &self.entries {
            e.array(4)?.u64(entry.seq.wrapping_sub(seq))?.i64(entry.at.wrapping_sub(at))?;
            e.writer_mut().write_all(&entry.content).map_err(minicbor::encode::Error::write)?;
            (seq, at) = (entry.seq, entry.at);
        }
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Entries {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let items = d.array()?.unwrap_or(0);
        if items < 5 {
            return Err(minicbor::decode::Error::message("entries has five fields"));
        }
        let (after, upto, tag, floor) = (d.u64()?, d.u64()?, d.u32()?, d.u64()?);
        let count = d.array()?.ok_or_else(|| minicbor::decode::Error::message("no length"))?;
        let (mut seq, mut at) = (after, 0);
        let mut entries = Vec::new();
        for _ in 0..count {
            let entry = decode_entry(d, seq, at)?;
            (seq, at) = (entry.seq, entry.at);
            entries.push(entry);
        }
        for _ in 5..items {
            d.skip()?;
        }
        if seq > upto {
            return Err(minicbor::decode::Error::message("an entry beyond upto"));
        }
        Ok(Self { after, upto, tag, floor, entries })
    }
}

fn decode_entry(
    d: &mut Decoder<'_>,
    seq_before: Seq,
    at_before: Millis,
) -> Result<WireEntry, minicbor::decode::Error> {
    let message = minicbor::decode::Error::message;
    let items = d.array()?.unwrap_or(0);
    if items < 4 {
        return Err(message("an entry has four items"));
    }
    let seq = match d.u64()? {
        0 => return Err(message("seq does not ascend")),
        step => seq_before.checked_add(step).ok_or_else(|| message("seq too large"))?,
    };
    let at = at_before.checked_add(d.i64()?).ok_or_else(|| message("time too large"))?;
    let from = d.position();
    d.skip()?;
    d.skip()?;
    let content = d.input().get(from..d.position()).ok_or_else(|| message("cut"))?.to_vec();
    for _ in 4..items {
        d.skip()?;
    }
    Ok(WireEntry { seq, at, content })
}

/// A command was done; a repeat gets the answer that the first got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Posted {
    /// The command's counter.
    #[n(0)]
    pub n: N,
    /// The command's name.
    #[n(1)]
    pub entry_ref: Ref,
    /// Its place; 0 where it added no entry.
    #[n(2)]
    pub seq: Seq,
    /// When, in ms.
    #[n(3)]
    pub at: Millis,
}

/// A command was not done.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Refused {
    /// What to do about it.
    #[n(0)]
    pub code: ErrorCode,
    /// One English line for a log or a person; no part of the command is repeated in it.
    #[n(1)]
    pub text: String,
    /// The command's counter, where it had one: unused now, it may go to another.
    #[n(2)]
    pub n: Option<N>,
    /// Wait so long, in ms.
    #[n(3)]
    pub retry_after_ms: Option<u32>,
    /// With [`ErrorCode::Renumber`]: the last counter that was used.
    #[n(4)]
    pub last_n: Option<N>,
}

/// How far a device of the family has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reached {
    /// The device.
    #[n(0)]
    pub device: DeviceId,
    /// It has all up to and with this place.
    #[n(1)]
    pub seq: Seq,
    /// Since when, in ms, by the relay's clock.
    #[n(2)]
    pub at: Millis,
}

/// How far other devices of the family have read; a hint that may come late or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Cursors {
    /// One a device.
    #[n(0)]
    pub reached: Vec<Reached>,
}

/// What an invite opens.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Invited {
    /// Which invite it is.
    #[n(0)]
    pub invite: InviteId,
    /// Sealed under its secret.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub blob: Vec<u8>,
    /// All links of the roster, in order, as signed.
    #[n(2)]
    pub links: Vec<minicbor::bytes::ByteVec>,
    /// The newest link's wraps; absent while there is no key.
    #[n(3)]
    pub wraps: Option<minicbor::bytes::ByteVec>,
    /// When it expires, in ms.
    #[n(4)]
    pub expires_at: Millis,
}

/// The invite was used by this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Joined {
    /// The device's number.
    #[n(0)]
    pub device: DeviceId,
    /// Place of its link.
    #[n(1)]
    pub seq: Seq,
}

/// The setup link was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Staffed {
    /// The programme.
    #[n(0)]
    pub programme: Scope,
    /// The coordinator's number in it.
    #[n(1)]
    pub number: DeviceId,
}

/// The family is enrolled, now or before.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Enrolled {
    /// The programme's own code for the family.
    #[n(0)]
    pub case_code: String,
    /// The family under that code; another than asked for if it was enrolled before from elsewhere.
    #[n(1)]
    pub family: Scope,
    /// Whether letters may move: taking part is recorded for all who need it.
    #[n(2)]
    pub active: bool,
}

/// The answer to a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Beaten {
    /// The relay's time, in ms.
    #[n(0)]
    pub now: Millis,
}

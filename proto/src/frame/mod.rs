//! Frames: what travels between a client and the relay, on a WebSocket or in one `POST /1`.
//!
//! A frame is CBOR `[kind, body]` or `[kind, body, lane]`; bodies are arrays. The kind is read by
//! hand: an unknown one is skipped and answered. Fields that a newer peer adds at the end of a body
//! are passed over; nothing may follow a frame but another frame. Golden bytes of every frame stand
//! in `proto/vectors/frames.json`. Here is the envelope; the bodies are in `client` and `relay`.

use minicbor::{Decoder, Encode, Encoder};

use crate::bounds;

mod client;

pub(crate) mod list;

mod relay;

pub use client::{
    Ack, Agreement, AskForHelp, Beat, Card, Enrol, GiveBack, HandIn, Hello, Hold, Intend, Join,
    Leave, LeaveWhat, Look, Plan, Post, Preview, Reach, RecordConsent, Reissue, Report, Request,
    Setup, Turn, Void, Withdraw,
};
pub use relay::{
    Beaten, ClockText, Cursors, Enrolled, Entries, GivenBack, HandedIn, Invited, Joined, Posted,
    Previewed, PreviewedOccurrence, Reached, Refused, Requested, Staffed, ToClose, Welcome,
    WireEntry,
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
        /// Staff: voids devices and invites of a family.
        14 Void,
        /// Staff: lets a new phone ask to be let in.
        15 Reissue,
        /// Asks a family to let a new phone in.
        32 Request,
        /// Hands in links that the relay lost.
        33 HandIn,
        /// Asks when a rule happens.
        34 Preview,
        /// Asks for held bodies back.
        35 GiveBack,
        /// Writes when the family intends to hear each other.
        36 Intend,
        /// Takes back an agreement.
        37 Withdraw,
        /// Asks the staff for help.
        38 AskForHelp,
        /// Says where the relay may write to somebody.
        39 Reach,
        /// Asks that all of the family be deleted, or takes that back.
        40 Leave,
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
        /// The request to be let in stands.
        28 Requested,
        /// The links are in the chain.
        29 HandedIn,
        /// When a rule happens.
        30 Previewed,
        /// Held bodies, given back.
        31 GivenBack,
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

//! What the relay says: the bodies of its frames.

use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::bounds;
use crate::entry::{Adjust, Generation, Seq};
use crate::error::ErrorCode;
use crate::id::{DeviceId, Epoch, InviteId, LinkHash, MemberId, Millis, N, Ref, Scope};

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
        if count > bounds::MAX_LIST as u64 {
            return Err(minicbor::decode::Error::message("more entries than a frame may have"));
        }
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
    /// With [`ErrorCode::TurnFirst`]: what is to be closed.
    #[n(5)]
    pub to_close: Option<ToClose>,
}

/// What the relay asks a family to close: staff voided it, or it expired.
///
/// A client closes what of it stands open in its own roster, with `asked` = 1, and nothing else; on
/// the word of a relay it never adds or lets in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ToClose {
    /// Devices, ascending: their tokens are dead already.
    #[cbor(n(0), decode_with = "crate::frame::list::decode")]
    pub devices: Vec<DeviceId>,
    /// Invites, ascending: their codes open nothing already.
    #[cbor(n(1), decode_with = "crate::frame::list::decode")]
    pub invites: Vec<InviteId>,
}

impl ToClose {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.invites.is_empty()
    }
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
    #[cbor(n(0), decode_with = "crate::frame::list::decode")]
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
    #[cbor(n(2), decode_with = "crate::frame::list::decode_links")]
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

/// The request is in the family's log: both screens show the digits to compare.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Requested {
    /// The hash of the family's link 1, as this relay has it: the digits bind it, and later the pin
    /// of the card is compared with it.
    #[n(0)]
    pub first_link: LinkHash,
    /// Whom the device will serve.
    #[cbor(n(1), decode_with = "crate::frame::list::decode")]
    pub members: Vec<MemberId>,
    /// Until when the request stands, in ms.
    #[n(2)]
    pub expires_at: Millis,
}

/// The links are in the chain, now or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct HandedIn {
    /// Number of the newest link that the relay has.
    #[n(0)]
    pub epoch: Epoch,
}

/// When a rule happens.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Previewed {
    /// The first occurrences, ascending; fewer than asked for where the rule ends.
    #[cbor(n(0), decode_with = "crate::frame::list::decode")]
    pub occurrences: Vec<PreviewedOccurrence>,
}

/// One occurrence, on each of the clocks asked for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PreviewedOccurrence {
    /// When, in ms.
    #[n(0)]
    pub at: Millis,
    /// As planned, civil time in the rule's zone.
    #[n(1)]
    pub planned: String,
    /// Set if the planned time does not exist, or exists twice, on that day.
    #[n(2)]
    pub adjust: Option<Adjust>,
    /// One for each zone, in the order asked for.
    #[cbor(n(3), decode_with = "crate::frame::list::decode")]
    pub clocks: Vec<ClockText>,
}

/// An instant on one clock.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ClockText {
    /// `2027-03-28T13:30:00+02:00` (RFC 3339).
    #[n(0)]
    pub local: String,
    /// Whether this clock and the rule's are further apart, or closer, than at the occurrence before.
    #[cbor(n(1), with = "crate::sparse", has_nil)]
    pub shifts: bool,
}

/// Bodies that a schedule holds, given back to their author.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct GivenBack {
    /// The schedule.
    #[n(0)]
    pub schedule: Ref,
    /// In the order in which they will be released: kind and body of each, as
    /// [`crate::entry::Content::from_bytes`] reads them.
    #[cbor(n(1), decode_with = "crate::frame::list::decode")]
    pub bodies: Vec<minicbor::bytes::ByteVec>,
    /// Whether there are more: ask again, after the last.
    #[cbor(n(2), with = "crate::sparse", has_nil)]
    pub more: bool,
}

/// The answer to a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Beaten {
    /// The relay's time, in ms.
    #[n(0)]
    pub now: Millis,
}

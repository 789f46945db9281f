//! What a client says: the bodies of its frames.

use minicbor::{Decode, Encode};

use super::relay::ToClose;
use crate::entry::{
    Care, Consent, Cursor, IntendedRule, MemberFact, RuleText, Rung, ScheduleState, Seq,
};
use crate::id::{CodeHash, Epoch, InviteId, MemberId, Millis, N, Ref, Scope, Token, TokenHash};

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
    /// The latest time, in ms, of the [`Cursors`](super::Cursors) it was told; absent wants all.
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
    #[cbor(n(4), decode_with = "crate::frame::list::decode")]
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
    #[cbor(n(4), decode_with = "crate::frame::list::decode")]
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
    /// The command's own name where that is not `body_ref`: of a body that is sealed again under a
    /// newer key.
    #[n(10)]
    pub again: Option<Ref>,
    /// Takes the place of this held body, which is then gone: an edit is a new body.
    #[n(11)]
    pub replaces: Option<Ref>,
}

impl Hold {
    /// The command's name: what a repeat of it is known by.
    #[must_use]
    pub fn name(&self) -> Ref {
        self.again.unwrap_or(self.body_ref)
    }
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
    #[cbor(n(3), decode_with = "crate::frame::list::decode")]
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
    /// Whether it is a letter bank; a change leaves that as it is.
    #[cbor(n(7), with = "crate::sparse", has_nil)]
    pub bank: bool,
    /// Of a change: the [`crate::entry::Schedule::version`] that it is a change of. If another stands,
    /// it is [`Stale`](crate::error::ErrorCode::Stale). Absent changes whatever stands.
    #[n(8)]
    pub seen: Option<u32>,
}

/// Writes when the family intends to hear each other. The fields are those of [`crate::entry::ContactPlan`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Intend {
    /// The lane's counter.
    #[n(0)]
    pub n: N,
    /// The command's own name.
    #[n(1)]
    pub entry_ref: Ref,
    /// In whose name: a parent or caregiver whom the device serves.
    #[n(2)]
    pub from: MemberId,
    /// All of these, at most [`crate::bounds::MAX_INTENDED`].
    #[cbor(n(3), decode_with = "crate::frame::list::decode")]
    pub rules: Vec<IntendedRule>,
    /// The place of the plan that it is a change of; absent: there was none. If another stands, it is
    /// [`Stale`](crate::error::ErrorCode::Stale).
    #[n(4)]
    pub seen: Option<Seq>,
}

/// Takes back an agreement: at once, and by whoever gave it. A child does so for itself, a parent or caregiver for
/// children.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Withdraw {
    /// The lane's counter.
    #[n(0)]
    pub n: N,
    /// The command's own name.
    #[n(1)]
    pub entry_ref: Ref,
    /// In whose name: a member whom the device serves.
    #[n(2)]
    pub from: MemberId,
    /// Of which children, ascending; not empty.
    #[cbor(n(3), decode_with = "crate::frame::list::decode")]
    pub of: Vec<MemberId>,
    /// What.
    #[n(4)]
    pub what: Agreement,
    /// On which day, `YYYY-MM-DD`, where the device is: at most a day from the relay's.
    #[n(5)]
    pub on: String,
}

/// Asks the programme's staff for help. It stands in no log that a phone is given: nobody of the family sees it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AskForHelp {
    /// The lane's counter.
    #[n(0)]
    pub n: N,
    /// The command's own name.
    #[n(1)]
    pub entry_ref: Ref,
    /// In whose name: a member whom the device serves.
    #[n(2)]
    pub from: MemberId,
}

/// Says where the relay may write to somebody when contact was missed. No phone and no member of staff is given it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reach {
    /// The lane's counter.
    #[n(0)]
    pub n: N,
    /// The command's own name.
    #[n(1)]
    pub entry_ref: Ref,
    /// Who: a parent or caregiver whom the device serves.
    #[n(2)]
    pub from: MemberId,
    /// An address for e-mail, of at most [`crate::bounds::MAX_EMAIL`] bytes; absent: nowhere any more.
    #[n(3)]
    pub email: Option<String>,
}

/// What is agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Agreement {
    /// That letters move.
    #[n(1)]
    TakingPart,
    /// That contact is counted.
    #[n(2)]
    Counting,
}

/// Asks when a rule happens, on several clocks: for clients that have no calendar.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Preview {
    /// The rule.
    #[n(0)]
    pub rule: RuleText,
    /// On whose clocks, IANA zones: at most [`crate::bounds::MAX_PREVIEW_ZONES`].
    #[cbor(n(1), decode_with = "crate::frame::list::decode")]
    pub zones: Vec<String>,
    /// How many occurrences, at most [`crate::bounds::MAX_PREVIEW`].
    #[n(2)]
    pub count: u32,
    /// Those after this instant, in ms; absent: after now.
    #[n(3)]
    pub after: Option<Millis>,
}

/// Asks for the bodies that a schedule holds, of the members whom the device serves, to edit them or
/// to seal them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct GiveBack {
    /// The schedule.
    #[n(0)]
    pub schedule: Ref,
    /// The last that was given back; absent: from the first on.
    #[n(1)]
    pub after: Option<Ref>,
}

/// What is asked of a family's leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum LeaveWhat {
    /// That all of it be deleted, once the time to think it over is past.
    #[n(1)]
    InTime,
    /// That it be at once: so it is when every parent and caregiver who has or had a phone has said so.
    #[n(2)]
    Now,
    /// That it be not deleted.
    #[n(3)]
    Stay,
}

/// Asks that all of the family be deleted, or takes that back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Leave {
    /// The lane's counter.
    #[n(0)]
    pub n: N,
    /// The command's own name.
    #[n(1)]
    pub entry_ref: Ref,
    /// A parent or caregiver whom the device serves.
    #[n(2)]
    pub from: MemberId,
    /// What.
    #[n(3)]
    pub what: LeaveWhat,
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
    #[cbor(n(4), decode_with = "crate::frame::list::decode")]
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
    #[cbor(n(3), decode_with = "crate::frame::list::decode")]
    pub cards: Vec<Card>,
    /// One for every member of the link.
    #[cbor(n(4), decode_with = "crate::frame::list::decode")]
    pub members: Vec<MemberFact>,
    /// What is recorded of taking part.
    #[cbor(n(5), decode_with = "crate::frame::list::decode")]
    pub consents: Vec<Consent>,
    /// The family under this case code until now, of which no device is left: its tokens are
    /// answered [`NewChain`](crate::error::ErrorCode::NewChain) from then on.
    #[n(6)]
    pub replaces: Option<Scope>,
    /// The code of the place in the programme where it is.
    #[n(7)]
    pub site: Option<String>,
    /// What contact was agreed on with the worker: proposed to the family.
    #[cbor(n(8), with = "crate::frame::list::sparse", has_nil)]
    pub proposal: Vec<IntendedRule>,
    /// Who looks after its children.
    #[n(9)]
    pub care: Option<Care>,
}

/// Staff: voids devices and invites of a family. At once they open nothing; the family is asked to
/// close them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Void {
    /// The programme's own code for the family.
    #[n(0)]
    pub case_code: String,
    /// What of it; not empty.
    #[n(1)]
    pub to_close: ToClose,
}

/// Staff: lets one new phone ask a family to be let in, by a link that carries this code.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reissue {
    /// The programme's own code for the family.
    #[n(0)]
    pub case_code: String,
    /// Whom the phone will serve, ascending.
    #[cbor(n(1), decode_with = "crate::frame::list::decode")]
    pub members: Vec<MemberId>,
    /// SHA-256 of the code.
    #[n(2)]
    pub code_hash: CodeHash,
    /// In ms.
    #[n(3)]
    pub expires_at: Millis,
}

/// Asks a family to let a new phone in, by keys that it made itself. A repeat changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Request {
    /// The family.
    #[n(0)]
    pub scope: Scope,
    /// D(S, "jiashu/1 code", 16) of the link that staff gave.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub code: [u8; 16],
    /// Will sign the join.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub sign_pub: [u8; 65],
    /// The family's key will be wrapped to it.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub hpke_pub: [u8; 65],
    /// SHA-256 of the code, drawn by the phone, by which it will join.
    #[n(4)]
    pub code_hash: CodeHash,
}

/// Hands in links that the relay lost, as they were signed. They prove themselves: no token is asked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct HandIn {
    /// The family.
    #[n(0)]
    pub scope: Scope,
    /// In order, from the first that the relay lacks.
    #[cbor(n(1), decode_with = "crate::frame::list::decode")]
    pub links: Vec<minicbor::bytes::ByteVec>,
    /// The wraps of the last.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub wraps: Vec<u8>,
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

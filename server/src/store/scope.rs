//! What a store knows of a scope beside its log: which key is in force, who is in, by which invites.

use std::collections::BTreeMap;

use jiashu_proto::entry::{Generation, Seq};
use jiashu_proto::frame::ToClose;
use jiashu_proto::id::{
    CodeHash, DeviceId, Epoch, InviteId, LinkHash, MemberId, Millis, N, Ref, TokenHash,
};
use minicbor::{Decode, Encode};

/// What a scope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ScopeKind {
    /// The relay itself.
    #[n(0)]
    Relay,
    /// An NGO's project.
    #[n(1)]
    Programme,
    /// A family.
    #[n(2)]
    Family,
}

/// What the store knows of a scope beside its log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ScopeState {
    /// What it is.
    #[n(0)]
    pub kind: ScopeKind,
    /// Life of its log.
    #[n(1)]
    pub generation: Generation,
    /// Last place of its log.
    #[n(2)]
    pub head: Seq,
    /// The key in force; 0 before the first.
    #[n(3)]
    pub epoch: Epoch,
    /// The newest link of its roster.
    #[n(4)]
    pub roster_head: LinkHash,
    /// Whether letters may move.
    #[n(5)]
    pub active: bool,
    /// Devices or staff, the revoked ones too. Boxed, as invites: a map's node has room for eleven, and
    /// most families have two.
    #[n(6)]
    pub seats: BTreeMap<DeviceId, Box<Seat>>,
    /// Invites, the used and closed ones too.
    #[n(7)]
    pub invites: BTreeMap<InviteId, Box<Invite>>,
    /// What is dead here already and still stands open in the roster.
    #[n(8)]
    #[cbor(default)]
    pub to_close: ToClose,
    /// What lets a new phone ask to be let in.
    #[n(9)]
    #[cbor(default)]
    pub tickets: Vec<Ticket>,
    /// Whether the family began anew in another scope.
    #[n(10)]
    #[cbor(default)]
    pub superseded: bool,
    /// Up to this place only facts are left. A cursor that stands there is not checked by its tag.
    #[n(11)]
    #[cbor(default)]
    pub floor: Seq,
    /// Since when what happens in it is counted, in ms; absent while it is not.
    #[n(12)]
    #[cbor(default)]
    pub counted_since: Option<Millis>,
    /// When members were suspended, in order.
    #[n(13)]
    #[cbor(default)]
    pub suspended: Vec<Suspended>,
    /// Since when all of it is erased, in ms; then nothing else of this says anything.
    #[n(14)]
    #[cbor(default)]
    pub erased_at: Option<Millis>,
}

/// A stretch of the log that is not given to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Suspended {
    /// To whom.
    #[n(0)]
    pub member: MemberId,
    /// It begins behind this place.
    #[n(1)]
    pub after: Seq,
    /// And ends with this one; absent: it lasts.
    #[n(2)]
    pub until: Option<Seq>,
}

impl Suspended {
    /// Whether a place is in it.
    #[must_use]
    pub fn holds(&self, seq: Seq) -> bool {
        self.after < seq && self.until.is_none_or(|until| seq <= until)
    }
}

impl ScopeState {
    /// Whether a member is suspended now.
    #[must_use]
    pub fn is_suspended(&self, member: MemberId) -> bool {
        let lasts = |one: &Suspended| one.member == member && one.until.is_none();
        self.suspended.iter().any(lasts)
    }

    /// A scope that was just made.
    #[must_use]
    pub fn new(kind: ScopeKind, generation: Generation) -> Self {
        Self {
            kind,
            generation,
            head: 0,
            epoch: 0,
            roster_head: LinkHash::NONE,
            active: false,
            seats: BTreeMap::new(),
            invites: BTreeMap::new(),
            to_close: ToClose::default(),
            tickets: Vec::new(),
            superseded: false,
            floor: 0,
            counted_since: None,
            suspended: Vec::new(),
            erased_at: None,
        }
    }
}

/// Lets one new phone ask a family to be let in; opens nothing by itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Ticket {
    /// Of its code.
    #[n(0)]
    pub code_hash: CodeHash,
    /// Whom the phone will serve.
    #[n(1)]
    pub members: Vec<MemberId>,
    /// In ms; enforced above the store.
    #[n(2)]
    pub expires_at: Millis,
    /// The request that used it, by the hash of its own code.
    #[n(3)]
    pub used: Option<CodeHash>,
}

/// One device or member of staff.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Seat {
    /// Of its token.
    #[n(0)]
    pub token_hash: TokenHash,
    /// Whom it serves.
    #[n(1)]
    pub members: Vec<MemberId>,
    /// Whether its token is dead.
    #[n(2)]
    pub revoked: bool,
    /// The last counter it used.
    #[n(3)]
    pub last_n: N,
    /// The last commands it was answered, the newest last: the first 8 bytes of the ref, and the
    /// place (0 for none). Eight bytes of 12 random ones keep the row small and still tell refs
    /// apart.
    #[n(4)]
    pub recent: Vec<(u64, Seq)>,
}

impl Seat {
    /// The place of a command that is among the last it was answered.
    #[must_use]
    pub fn place_of(&self, entry_ref: Ref) -> Option<Seq> {
        let name = short_name(entry_ref);
        self.recent.iter().find(|(known, _)| *known == name).map(|(_, seq)| *seq)
    }
}

/// The first 8 bytes of a ref, as [`Seat::recent`] keeps it.
#[must_use]
pub fn short_name(entry_ref: Ref) -> u64 {
    entry_ref.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// One invite.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Invite {
    /// Of its code; `None` if the link that made it came back without its card.
    #[n(0)]
    pub code_hash: Option<CodeHash>,
    /// In ms; enforced above the store.
    #[n(1)]
    pub expires_at: Millis,
    /// Whether it can be used.
    #[n(2)]
    pub state: InviteState,
}

/// Whether an invite can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum InviteState {
    /// Yes.
    #[n(0)]
    Open,
    /// By a device with this token, whose link has this place.
    #[n(1)]
    Used(#[n(0)] DeviceId, #[n(1)] TokenHash, #[n(2)] Seq),
    /// No.
    #[n(2)]
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_an_older_relay_wrote_still_reads() {
        let seat = (TokenHash([1; 32]), vec![MemberId(1)], false, 7_u64, vec![(9_u64, 3_u64)]);
        let invite = (CodeHash([2; 32]), 5_i64, InviteState::Closed);
        let older = (
            ScopeKind::Family,
            4_u32,
            3_u64,
            2_u32,
            LinkHash([3; 32]),
            true,
            BTreeMap::from([(DeviceId(1), seat)]),
            BTreeMap::from([(InviteId(1), invite)]),
        );

        let state: ScopeState = minicbor::decode(&minicbor::to_vec(older).unwrap()).unwrap();

        assert_eq!((state.epoch, state.seats[&DeviceId(1)].last_n), (2, 7));
        assert_eq!(state.invites[&InviteId(1)].code_hash, Some(CodeHash([2; 32])));
        assert!(state.to_close.is_empty() && state.tickets.is_empty() && !state.superseded);
        assert!(state.suspended.is_empty());
        let again: ScopeState = minicbor::decode(&minicbor::to_vec(&state).unwrap()).unwrap();
        assert_eq!(again, state);
    }
}

//! What a link did, as it is shown to the family for 30 days: "Lili's phone joined".

use jiashu_proto::id::{DeviceId, Epoch, InviteId, LinkHash, MemberId, Millis, Role};

use crate::link::{Asked, Author};

/// What one link changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The link's number.
    pub number: Epoch,
    /// h(link).
    pub hash: LinkHash,
    /// Who wrote it.
    pub author: Author,
    /// What happened, in order. Nothing: the key was turned, no more.
    pub events: Vec<Event>,
}

/// One thing that a link changed, with what its op leaves to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A person belongs to the family.
    MemberAdded {
        /// Who.
        member: MemberId,
        /// As what.
        role: Role,
    },
    /// A card was made.
    InviteMade {
        /// Which.
        invite: InviteId,
        /// Whom its device will serve.
        members: Vec<MemberId>,
        /// Until when the relay takes it.
        expires_at: Millis,
    },
    /// A device came in, and its invite is used.
    Joined {
        /// Which.
        device: DeviceId,
        /// By which card.
        invite: InviteId,
        /// Whom it serves.
        members: Vec<MemberId>,
    },
    /// A device is out.
    Removed {
        /// Which.
        device: DeviceId,
        /// Whom it served.
        members: Vec<MemberId>,
        /// Open cards it had made, which are void with it.
        invites: Vec<InviteId>,
        /// Whose wish it was.
        asked: Asked,
    },
    /// A card was closed unused.
    InviteClosed {
        /// Which.
        invite: InviteId,
        /// Whom its device would have served.
        members: Vec<MemberId>,
        /// Whose wish it was.
        asked: Asked,
    },
    /// A device serves others than before.
    ServesNow {
        /// Which.
        device: DeviceId,
        /// Whom it served until now.
        before: Vec<MemberId>,
        /// Whom it serves from now on.
        members: Vec<MemberId>,
    },
}

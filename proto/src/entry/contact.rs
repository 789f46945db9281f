//! What stands in the log of contact: what the family intends, what staff propose, pauses, and whose figures it is in.

use minicbor::{Decode, Encode};

use super::{Care, RuleText};
use crate::id::{DeviceId, MemberId, Millis, Scope};

/// Key of what the family intends.
pub const PLAN_KEY: &str = "plan";

/// Key of what staff propose.
pub const PROPOSAL_KEY: &str = "plan/proposed";

/// Key of whose figures a family is in.
pub const PLACEMENT_KEY: &str = "placement";

/// What the keys of all pauses begin with.
pub const PAUSE_KEYS: &str = "pause/";

/// What the keys of all nudges begin with.
pub const NUDGE_KEYS: &str = "nudge/";

/// Key of the nudge about a child.
#[must_use]
pub fn nudge_key(child: MemberId) -> String {
    format!("{NUDGE_KEYS}{child}")
}

/// Key of a pause.
#[must_use]
pub fn pause_key(number: u32) -> String {
    format!("{PAUSE_KEYS}{number:06}")
}

/// A rule by which contact is intended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct IntendedRule {
    /// When. Its zone is that of the child.
    #[n(0)]
    pub rule: RuleText,
    /// How many minutes late is still kept; absent: as long as the relay says for rules of its kind.
    #[n(1)]
    pub tolerance_min: Option<u32>,
}

/// What the family intends. It belongs to the family: any device of a parent or caregiver writes it.
///
/// A [`Proposal`] that stands behind it in the log waits for an answer; to decline it, a family writes its plan again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ContactPlan {
    /// Who wrote it.
    #[n(0)]
    pub by: MemberId,
    /// All of these; none: nothing is intended.
    #[cbor(n(1), decode_with = "crate::frame::list::decode")]
    pub rules: Vec<IntendedRule>,
}

/// What staff propose to intend.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Proposal {
    /// Who, by the number in the programme.
    #[n(0)]
    pub staff: DeviceId,
    /// All of these.
    #[cbor(n(1), decode_with = "crate::frame::list::decode")]
    pub rules: Vec<IntendedRule>,
}

/// Why nothing is expected for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum PauseReason {
    /// A parent is at home.
    #[n(1)]
    ParentHome,
    /// The child is with a parent abroad.
    #[n(2)]
    JoinedParent,
    /// Exams.
    #[n(3)]
    Exams,
    /// The phone is broken or lost.
    #[n(4)]
    PhoneBroken,
}

impl PauseReason {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::ParentHome, Self::JoinedParent, Self::Exams, Self::PhoneBroken];

    /// The word that is typed, and in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ParentHome => "parent-home",
            Self::JoinedParent => "joined-parent",
            Self::Exams => "exams",
            Self::PhoneBroken => "phone-broken",
        }
    }

    /// The reason of that word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Days on which nothing is expected.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Pause {
    /// Counts from 1 in the family.
    #[n(0)]
    pub number: u32,
    /// The first day, `YYYY-MM-DD`, on the site's clock.
    #[n(1)]
    pub first: String,
    /// The last day.
    #[n(2)]
    pub last: String,
    /// Why.
    #[n(3)]
    pub reason: PauseReason,
    /// Who of the staff entered it.
    #[n(4)]
    pub staff: DeviceId,
    /// Whether it was taken back, as if it had never been.
    #[cbor(n(5), with = "crate::sparse", has_nil)]
    pub withdrawn: bool,
}

/// In whose figures a family is, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Placement {
    /// The programme.
    #[n(0)]
    pub programme: Scope,
    /// The programme's own code for the family.
    #[n(1)]
    pub case_code: String,
    /// The code of the place in it; absent where the programme has none.
    #[n(2)]
    pub site: Option<String>,
    /// Since when, in ms.
    #[n(3)]
    pub since: Millis,
    /// Who looks after its children; absent where staff did not say.
    #[n(4)]
    pub care: Option<Care>,
}

/// Whom the family's phones prompt that a child would be glad to hear from a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Nudged {
    /// Nobody: there was contact, or none is expected.
    #[n(0)]
    Nobody,
    /// The parents.
    #[n(1)]
    Parents,
    /// The caregivers as well.
    #[n(2)]
    Caregivers,
}

impl Nudged {
    /// The word in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Parents => "parents",
            Self::Caregivers => "caregivers",
        }
    }
}

/// A prompt without content. It blames nobody, never asks the child for anything, and ends by itself on contact.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Nudge {
    /// About which child.
    #[n(0)]
    pub child: MemberId,
    /// Who is prompted.
    #[n(1)]
    pub whom: Nudged,
}

/// What the keys of all suspensions begin with.
pub const SUSPENSION_KEYS: &str = "suspension/";

/// Key of what is known of a member's suspension.
#[must_use]
pub fn suspension_key(member: MemberId) -> String {
    format!("{SUSPENSION_KEYS}{member}")
}

/// Why a member was suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum SuspensionReason {
    /// A court says so.
    #[n(1)]
    CourtOrder,
    /// To protect somebody of the family.
    #[n(2)]
    Safeguarding,
    /// The member asked for it.
    #[n(3)]
    OwnWish,
}

impl SuspensionReason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::CourtOrder, Self::Safeguarding, Self::OwnWish];

    /// The word that is typed, and in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CourtOrder => "court-order",
            Self::Safeguarding => "safeguarding",
            Self::OwnWish => "own-wish",
        }
    }

    /// The reason of that word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// A time in which a member was given nothing that was written, and could write nothing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SuspendedFor {
    /// Since when, in ms.
    #[n(0)]
    pub from: Millis,
    /// Until when; absent: it lasts.
    #[n(1)]
    pub until: Option<Millis>,
    /// Why.
    #[n(2)]
    pub reason: SuspensionReason,
    /// Who of the staff entered it.
    #[n(3)]
    pub staff: DeviceId,
}

/// When a member was suspended, and whether it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Suspension {
    /// Who.
    #[n(0)]
    pub member: MemberId,
    /// In order; only the last may last.
    #[cbor(n(1), decode_with = "crate::frame::list::decode")]
    pub times: Vec<SuspendedFor>,
}

impl Suspension {
    /// The time that lasts.
    #[must_use]
    pub fn lasting(&self) -> Option<&SuspendedFor> {
        self.times.last().filter(|time| time.until.is_none())
    }
}

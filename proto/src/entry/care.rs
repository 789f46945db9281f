//! Who looks after the children of a family while their parents are away.

use minicbor::{Decode, Encode};

/// Who looks after a family's children, as its staff know it: one for the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Care {
    /// Grandparents.
    #[n(1)]
    Grandparents,
    /// The parent who stayed.
    #[n(2)]
    OtherParent,
    /// Aunts, uncles and others of the family.
    #[n(3)]
    Relatives,
    /// Elder brothers and sisters.
    #[n(4)]
    Siblings,
    /// Neighbours and friends.
    #[n(5)]
    Neighbours,
    /// A boarding school.
    #[n(6)]
    BoardingSchool,
    /// A home or another institution.
    #[n(7)]
    Institution,
    /// Nobody: the children live alone.
    #[n(8)]
    Alone,
}

impl Care {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Grandparents,
        Self::OtherParent,
        Self::Relatives,
        Self::Siblings,
        Self::Neighbours,
        Self::BoardingSchool,
        Self::Institution,
        Self::Alone,
    ];

    /// The word in a list, and in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Grandparents => "grandparents",
            Self::OtherParent => "other-parent",
            Self::Relatives => "relatives",
            Self::Siblings => "siblings",
            Self::Neighbours => "neighbours",
            Self::BoardingSchool => "boarding-school",
            Self::Institution => "institution",
            Self::Alone => "self",
        }
    }

    /// The one of that word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

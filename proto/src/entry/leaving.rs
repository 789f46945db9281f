//! That a family leaves: the one fact by which all its phones learn it.

use minicbor::{Decode, Encode};

use crate::id::{MemberId, Millis};

/// The key of [`Leaving`].
pub const LEAVING_KEY: &str = "leaving";

/// That all of the family will be erased, or that this was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Leaving {
    /// Who asked first, or took it back: a member, or 0 for staff.
    #[n(0)]
    pub by: MemberId,
    /// When it is erased, in ms; absent once that was taken back.
    #[n(1)]
    pub until: Option<Millis>,
    /// Adults who want it to be at once, ascending.
    #[cbor(n(2), decode_with = "crate::frame::list::decode")]
    pub agreed: Vec<MemberId>,
}

impl Leaving {
    /// Whose word it is where staff asked.
    pub const STAFF: MemberId = MemberId(0);
}

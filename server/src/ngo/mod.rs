//! What staff see of their families and do for them: case code, roles, zones, counts and times, never a name and never
//! what was said.
//!
//! Whom a member of staff may ask about stands here, and so does every answer's shape, as JSON; `listener::api` speaks
//! HTTP. What the answers are reckoned from is `contact`'s.

pub mod worklist;

pub mod family;

/// A member of staff who has said who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staff {
    /// The programme.
    pub programme: jiashu_proto::id::Scope,
    /// The number in it.
    pub number: jiashu_proto::id::DeviceId,
}

//! Why a link was not taken. A variant only where a caller acts differently on it.

use jiashu_proto::canonical::CanonicalError;

/// Why a link, or what came beside it, was refused. The roster is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Its number or `prev` is not of the head: the writer was late, or the family was forked.
    /// Compare with [`Roster::has`](crate::Roster::has) before calling it a fork.
    #[error("link {number} does not follow the head, which is link {head}")]
    DoesNotFollow {
        /// What the link calls itself.
        number: u32,
        /// The number of the last link taken; 0 if there is none.
        head: u32,
    },
    /// A version, op, role or the like that this code does not know: perhaps a newer peer wrote it.
    #[error("the link has an unknown {0}")]
    Unknown(&'static str),
    /// Not the deterministic CBOR of a link.
    #[error("the link is malformed")]
    Malformed(#[source] CanonicalError),
    /// It breaks a rule of the chain, which the text names.
    #[error("the link is not valid: {0}")]
    Refused(&'static str),
    /// The link may be good, what came beside it is not: its wraps are missing, or not exactly
    /// those of the devices and invites after the link.
    #[error("the wraps are not valid: {0}")]
    Wraps(&'static str),
}

impl LinkError {
    /// A failed reading: of something unknown, or not of our shape at all.
    pub(crate) fn of_reading(error: CanonicalError) -> Self {
        match error {
            CanonicalError::Shape(shape) if shape.is_unknown_variant() => {
                Self::Unknown("op, author, role or answer to who asked")
            }
            other => Self::Malformed(other),
        }
    }
}

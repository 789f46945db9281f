//! Why something could not be sealed, opened or written.

use jiashu_proto::canonical::CanonicalError;
use jiashu_roster::LinkError;

/// Why something could not be sealed, opened or written. Never says what the secret was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Another key, another context, or changed bytes; which, nobody can tell.
    #[error("the {0} does not open")]
    NotOpened(&'static str),
    /// A wrap, or the key before behind it, is not the family's: stop sealing on this lane, keep
    /// the outbox and say so (docs/sealing.md).
    #[error("the family key does not open: {0}")]
    BadKey(&'static str),
    /// A link that would not follow, so it was not written; or one that does not read.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It opened, but is not the deterministic CBOR of what it should be.
    #[error("the content is malformed")]
    Malformed(#[source] CanonicalError),
    /// It breaks a rule, which the text names.
    #[error("{0}")]
    Refused(&'static str),
}

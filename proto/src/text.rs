//! What is inside a seal: `[1, written_at, content …]`, by kind (docs/sealing.md).
//!
//! The relay never sees this; it stands here because every client must agree on it.

use crate::canonical;
use crate::entry::MessageKind;
use crate::id::Millis;

/// Version of the layout, the first item.
const VERSION: u32 = 1;

/// The text of a message, before it is sealed and after it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// When the author wrote it, in ms, by the author's clock.
    pub written_at: Millis,
    /// Lines of a letter or reminder, or a member's name.
    pub content: String,
}

/// The bytes inside a seal are not what their kind asks for.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// Not the bytes of `[1, written_at, text]`.
    #[error("the sealed text is malformed")]
    Malformed(#[from] canonical::CanonicalError),
    /// Written by a newer version.
    #[error("the sealed text is of version {0}, this client knows version {VERSION}")]
    Version(u32),
    /// A kind whose content this version cannot show.
    #[error("messages of kind {0} need a newer client")]
    Kind(u32),
}

impl Text {
    /// The bytes to seal.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(&(VERSION, self.written_at, self.content.as_str()))
    }

    /// Reads what was sealed as a message of `kind`.
    ///
    /// # Errors
    ///
    /// [`TextError`], if it is of another version or kind, or malformed.
    pub fn from_bytes(kind: u32, bytes: &[u8]) -> Result<Self, TextError> {
        match MessageKind::from_number(kind) {
            Some(MessageKind::Text | MessageKind::Reminder | MessageKind::Name) => {}
            Some(MessageKind::Voice | MessageKind::Picture) | None => {
                return Err(TextError::Kind(kind));
            }
        }
        // A newer version may have another shape, so its number is read before the rest.
        let mut peek = minicbor::Decoder::new(bytes);
        if let (Ok(_), Ok(version)) = (peek.array(), peek.u32())
            && version != VERSION
        {
            return Err(TextError::Version(version));
        }
        let (_, written_at, content): (u32, Millis, String) = canonical::decode(bytes)?;
        Ok(Self { written_at, content })
    }
}

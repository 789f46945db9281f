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
    /// Of a reminder, and of nothing else: how it rings.
    pub ring: Option<Ring>,
}

/// How a reminder rings until somebody has done it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    every_ms: Millis,
    times: u32,
}

impl Ring {
    /// The shortest time from one ring to the next, in ms.
    pub const MIN_EVERY_MS: Millis = 1_000;
    /// The longest, in ms: a day.
    pub const MAX_EVERY_MS: Millis = 24 * 60 * 60 * 1_000;
    /// The most rings of one reminder.
    pub const MAX_TIMES: u32 = 100;

    /// One ring every `every_ms`, `times` in all, if both are within bounds.
    #[must_use]
    pub fn new(every_ms: Millis, times: u32) -> Option<Self> {
        let within = (Self::MIN_EVERY_MS..=Self::MAX_EVERY_MS).contains(&every_ms)
            && (1..=Self::MAX_TIMES).contains(&times);
        within.then_some(Self { every_ms, times })
    }

    /// From one ring to the next, in ms.
    #[must_use]
    pub fn every_ms(self) -> Millis {
        self.every_ms
    }

    /// Rings in all; then it gives up.
    #[must_use]
    pub fn times(self) -> u32 {
        self.times
    }
}

/// The bytes inside a seal are not what their kind asks for.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// Not the bytes of `[1, written_at, text]`, of a reminder `[1, written_at, text, every_ms, times]`.
    #[error("the sealed text is malformed")]
    Malformed(#[from] canonical::CanonicalError),
    /// Written by a newer version.
    #[error("the sealed text is of version {0}, this client knows version {VERSION}")]
    Version(u32),
    /// A reminder that rings too often, too rarely or too long.
    #[error("the reminder rings in no way that is allowed")]
    Ring,
    /// A kind whose content this version cannot show.
    #[error("messages of kind {0} need a newer client")]
    Kind(u32),
}

impl Text {
    /// The bytes to seal.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let content = self.content.as_str();
        match self.ring {
            None => canonical::encode(&(VERSION, self.written_at, content)),
            Some(Ring { every_ms, times }) => {
                canonical::encode(&(VERSION, self.written_at, content, every_ms, times))
            }
        }
    }

    /// Reads what was sealed as a message of `kind`.
    ///
    /// # Errors
    ///
    /// [`TextError`], if it is of another version or kind, or malformed.
    pub fn from_bytes(kind: u32, bytes: &[u8]) -> Result<Self, TextError> {
        let rings = match MessageKind::from_number(kind) {
            Some(MessageKind::Text | MessageKind::Name) => false,
            Some(MessageKind::Reminder) => true,
            Some(MessageKind::Voice | MessageKind::Picture) | None => {
                return Err(TextError::Kind(kind));
            }
        };
        // A newer version may have another shape, so its number is read before the rest.
        let mut peek = minicbor::Decoder::new(bytes);
        if let (Ok(_), Ok(version)) = (peek.array(), peek.u32())
            && version != VERSION
        {
            return Err(TextError::Version(version));
        }
        if !rings {
            let (_, written_at, content): (u32, Millis, String) = canonical::decode(bytes)?;
            return Ok(Self { written_at, content, ring: None });
        }
        let (_, written_at, content, every_ms, times): (u32, Millis, String, Millis, u32) =
            canonical::decode(bytes)?;
        let ring = Some(Ring::new(every_ms, times).ok_or(TextError::Ring)?);
        Ok(Self { written_at, content, ring })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reminder(every_ms: Millis, times: u32) -> Text {
        let ring = Some(Ring { every_ms, times });
        Text { written_at: 5, content: "pills".into(), ring }
    }

    #[test]
    fn a_text_reads_back_as_its_kind_and_as_no_other() {
        let letter = Text { ring: None, ..reminder(0, 0) };
        let bytes = letter.to_bytes();
        assert_eq!(Text::from_bytes(1, &bytes).unwrap(), letter);
        assert!(matches!(Text::from_bytes(4, &bytes), Err(TextError::Malformed(_))));

        let rings = reminder(60_000, 5);
        let bytes = rings.to_bytes();
        assert_eq!(Text::from_bytes(4, &bytes).unwrap(), rings);
        assert!(matches!(Text::from_bytes(1, &bytes), Err(TextError::Malformed(_))));
    }

    #[test]
    fn a_reminder_that_would_ring_without_end_is_refused() {
        for (every_ms, times, holds) in [
            (1_000, 1, true),
            (999, 1, false),
            (86_400_000, 100, true),
            (86_400_001, 1, false),
            (60_000, 101, false),
            (60_000, 0, false),
            (-1, 1, false),
        ] {
            let read = Text::from_bytes(4, &reminder(every_ms, times).to_bytes());
            assert_eq!(read.is_ok(), holds, "{every_ms} ms, {times} times");
        }
    }
}

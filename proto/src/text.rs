//! What is inside a seal: `[1, written_at, content …]`, by kind (docs/sealing.md).
//!
//! The relay never sees this; it stands here because every client must agree on it.

use std::fmt;

use minicbor::bytes::ByteArray;

use crate::bounds;
use crate::canonical;
use crate::entry::MessageKind;
use crate::id::{Millis, Ref};

/// Version of the layout, the first item.
const VERSION: u32 = 1;

/// The text of a message, before it is sealed and after it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// When the author wrote it, in ms, by the author's clock.
    pub written_at: Millis,
    /// Lines of a letter or reminder, or a member's name; of a voice note or a picture nothing.
    pub content: String,
    /// Of a reminder, and of nothing else: how it rings.
    pub ring: Option<Ring>,
    /// Of a voice note, and of nothing else: where it is and how it opens.
    pub voice: Option<Voice>,
    /// Of a picture, and of nothing else: which.
    pub picture: Option<Picture>,
}

/// One of the few pictures with which somebody answers who does not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// I love you.
    Heart,
    /// I am glad.
    Smile,
    /// I am sad.
    Tear,
    /// Yes, and well done.
    ThumbUp,
    /// I want to be held, or to hold.
    Hug,
    /// Ring me up.
    Telephone,
}

impl Picture {
    /// All of them, as a phone shows them.
    pub const ALL: [Self; 6] =
        [Self::Heart, Self::Smile, Self::Tear, Self::ThumbUp, Self::Hug, Self::Telephone];

    /// The number inside the seal.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Heart => 1,
            Self::Smile => 2,
            Self::Tear => 3,
            Self::ThumbUp => 4,
            Self::Hug => 5,
            Self::Telephone => 6,
        }
    }

    /// The picture of that number, if there is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|picture| picture.number() == number)
    }

    /// The word in arguments and in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Heart => "heart",
            Self::Smile => "smile",
            Self::Tear => "tear",
            Self::ThumbUp => "thumb-up",
            Self::Hug => "hug",
            Self::Telephone => "telephone",
        }
    }

    /// The picture of that word, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|picture| picture.name() == name)
    }
}

/// A sealed file of sound: where its bytes are, how they open, and what comes out.
#[derive(Clone, PartialEq, Eq)]
pub struct Voice {
    /// The name of the stored bytes.
    pub blob: Ref,
    /// Opens them, and nothing else.
    pub key: [u8; 32],
    /// Bytes before sealing.
    pub size: u64,
    /// How long it plays, in ms.
    pub duration_ms: u64,
    /// As a browser names it: `audio/ogg; codecs=opus`.
    pub media_type: String,
    /// SHA-256 of the stored bytes.
    pub hash: [u8; 32],
}

impl Voice {
    /// Whether a client may fetch and decode it: not too large, not too long, and a sound.
    #[must_use]
    pub fn is_within_bounds(&self) -> bool {
        (1..=bounds::MAX_VOICE).contains(&self.size)
            && (1..=bounds::MAX_VOICE_MS).contains(&self.duration_ms)
            && is_media_type(&self.media_type)
    }
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voice").field("blob", &self.blob).finish_non_exhaustive()
    }
}

/// A sound's type, as people and terminals may be shown it.
fn is_media_type(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-.;= ".contains(&byte);
    text.starts_with("audio/") && text.len() <= bounds::MAX_MEDIA_TYPE && text.bytes().all(is_plain)
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
    /// A voice note that is too large or too long, or no sound.
    #[error("the voice note is larger or longer than allowed, or no sound")]
    Voice,
    /// A picture that is none of those that there are.
    #[error("there is no such picture")]
    Picture,
    /// A kind whose content this version cannot show.
    #[error("messages of kind {0} need a newer client")]
    Kind(u32),
}

impl Text {
    /// The bytes to seal.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        if let Some(voice) = &self.voice {
            let (key, hash) = (ByteArray::from(voice.key), ByteArray::from(voice.hash));
            let Voice { blob, size, duration_ms, media_type, .. } = voice;
            let written_at = self.written_at;
            let media_type = media_type.as_str();
            return canonical::encode(&(
                VERSION,
                written_at,
                *blob,
                key,
                *size,
                *duration_ms,
                media_type,
                hash,
            ));
        }
        if let Some(picture) = self.picture {
            return canonical::encode(&(VERSION, self.written_at, picture.number()));
        }
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
        let kind = MessageKind::from_number(kind).ok_or(TextError::Kind(kind))?;
        // A newer version may have another shape, so its number is read before the rest.
        let mut peek = minicbor::Decoder::new(bytes);
        if let (Ok(_), Ok(version)) = (peek.array(), peek.u32())
            && version != VERSION
        {
            return Err(TextError::Version(version));
        }
        match kind {
            MessageKind::Voice => Self::voice_from_bytes(bytes),
            MessageKind::Picture => {
                let (_, written_at, number): (u32, Millis, u32) = canonical::decode(bytes)?;
                let picture = Picture::from_number(number).ok_or(TextError::Picture)?;
                Ok(Self::of_picture(written_at, picture))
            }
            MessageKind::Reminder => {
                let (_, written_at, content, every_ms, times): (u32, Millis, String, Millis, u32) =
                    canonical::decode(bytes)?;
                let ring = Some(Ring::new(every_ms, times).ok_or(TextError::Ring)?);
                Ok(Self { written_at, content, ring, voice: None, picture: None })
            }
            MessageKind::Text | MessageKind::Name => {
                let (_, written_at, content): (u32, Millis, String) = canonical::decode(bytes)?;
                Ok(Self { written_at, content, ring: None, voice: None, picture: None })
            }
        }
    }

    fn voice_from_bytes(bytes: &[u8]) -> Result<Self, TextError> {
        type Wire = (u32, Millis, Ref, ByteArray<32>, u64, u64, String, ByteArray<32>);
        let (_, written_at, blob, key, size, duration_ms, media_type, hash): Wire =
            canonical::decode(bytes)?;
        let (key, hash) = (key.into(), hash.into());
        let voice = Voice { blob, key, size, duration_ms, media_type, hash };
        if !voice.is_within_bounds() {
            return Err(TextError::Voice);
        }
        Ok(Self {
            written_at,
            content: String::new(),
            ring: None,
            voice: Some(voice),
            picture: None,
        })
    }

    /// The text of a picture.
    #[must_use]
    pub fn of_picture(written_at: Millis, picture: Picture) -> Self {
        let (content, picture) = (String::new(), Some(picture));
        Self { written_at, content, ring: None, voice: None, picture }
    }

    /// The text of a voice note.
    #[must_use]
    pub fn of_voice(written_at: Millis, voice: Voice) -> Self {
        Self { written_at, content: String::new(), ring: None, voice: Some(voice), picture: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reminder(every_ms: Millis, times: u32) -> Text {
        let ring = Some(Ring { every_ms, times });
        Text { written_at: 5, content: "pills".into(), ring, voice: None, picture: None }
    }

    fn voice() -> Voice {
        Voice {
            blob: Ref([1; 12]),
            key: [2; 32],
            size: 84_000,
            duration_ms: 42_000,
            media_type: "audio/ogg; codecs=opus".into(),
            hash: [3; 32],
        }
    }

    #[test]
    fn a_voice_note_says_where_it_is_in_few_bytes() {
        let text = Text::of_voice(1_790_000_000_000, voice());
        let bytes = text.to_bytes();

        assert_eq!(Text::from_bytes(2, &bytes).unwrap(), text);
        assert!(Text::from_bytes(1, &bytes).is_err());
        assert!(bytes.len() <= 160, "{}", bytes.len());
        assert!(!format!("{text:?}").contains("2, 2"), "its key is not to be seen");
    }

    #[test]
    fn a_voice_note_out_of_bounds_is_refused() {
        let cases = [
            Voice { size: 0, ..voice() },
            Voice { size: bounds::MAX_VOICE + 1, ..voice() },
            Voice { duration_ms: 0, ..voice() },
            Voice { duration_ms: bounds::MAX_VOICE_MS + 1, ..voice() },
            Voice { media_type: "text/html".into(), ..voice() },
            Voice { media_type: "audio/\u{1b}[2J".into(), ..voice() },
            Voice { media_type: format!("audio/{}", "x".repeat(43)), ..voice() },
        ];

        for voice in cases {
            let bytes = Text::of_voice(1, voice).to_bytes();
            assert!(matches!(Text::from_bytes(2, &bytes), Err(TextError::Voice)));
        }
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
    fn a_picture_is_one_of_six() {
        for picture in Picture::ALL {
            let text = Text::of_picture(5, picture);
            assert_eq!(Text::from_bytes(3, &text.to_bytes()).unwrap(), text);
            assert!(Text::from_bytes(1, &text.to_bytes()).is_err(), "no letter");
            assert_eq!(Picture::from_name(picture.name()), Some(picture));
        }
        for number in [0, 7, u32::MAX] {
            let bytes = canonical::encode(&(VERSION, 5, number));
            assert!(matches!(Text::from_bytes(3, &bytes), Err(TextError::Picture)), "{number}");
        }
        let words = Text { ring: None, ..reminder(0, 0) }.to_bytes();
        assert!(matches!(Text::from_bytes(3, &words), Err(TextError::Malformed(_))));
        assert_eq!(Picture::from_name("Heart"), None);
    }

    /// `proto/vectors/texts.json` has the kind and the bytes of each; a browser is checked against the same file. Written
    /// anew as `golden` says, which is right only for what was never sealed.
    #[test]
    fn every_kind_has_its_golden_bytes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/texts.json");
        let words = |content: &str| Text { content: content.into(), ring: None, ..reminder(0, 0) };
        let pictures =
            Picture::ALL.map(|picture| (picture.name(), 3, Text::of_picture(5, picture)));
        let texts = [
            ("text", 1, words("吃饭了吗\n妈妈")),
            ("voice", 2, Text::of_voice(1_790_000_000_000, voice())),
            ("reminder", 4, reminder(60_000, 5)),
            ("name", 5, words("外婆")),
        ];
        let made: std::collections::BTreeMap<String, (u32, String)> = texts
            .into_iter()
            .chain(pictures)
            .map(|(name, kind, text)| {
                (name.to_owned(), (kind, crate::golden::hex(&text.to_bytes())))
            })
            .collect();
        if std::env::var_os("JIASHU_WRITE_VECTORS").is_some() {
            std::fs::write(path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
        }

        let golden: std::collections::BTreeMap<String, (u32, String)> =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();

        assert_eq!(made, golden);
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

//! The address by which somebody without the app can hear a voice note: the relay learns from it which bytes are
//! wanted, and not how they open: that stands behind the #, which no program sends.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_proto::bounds;
use jiashu_proto::canonical;
use jiashu_proto::id::Ref;
use jiashu_proto::text::Voice;
use minicbor::bytes::ByteArray;

use super::file::{check_playable, sealed_length};
use crate::error::{CliError, ExitCode, Result};
use crate::http::Origin;

/// What follows a relay's address in a link.
const PATH: &str = "/v#";

/// A link to a voice note.
#[derive(Clone, PartialEq, Eq)]
pub struct VoiceLink {
    /// The relay that has the bytes.
    pub origin: Origin,
    /// What the relay made: it fetches them. Opaque.
    pub token: String,
    /// Opens them.
    pub key: [u8; 32],
    /// Bytes before sealing.
    pub size: u64,
    /// How long it plays, in ms.
    pub duration_ms: u64,
    /// Its media type.
    pub media_type: String,
}

impl std::fmt::Debug for VoiceLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoiceLink").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl VoiceLink {
    /// To a voice note, by what the relay made.
    #[must_use]
    pub fn new(origin: Origin, token: String, voice: &Voice) -> Self {
        let Voice { key, size, duration_ms, media_type, .. } = voice.clone();
        Self { origin, token, key, size, duration_ms, media_type }
    }

    /// `https://relay/v#TOKEN.WHAT-OPENS-IT`.
    #[must_use]
    pub fn address(&self) -> String {
        let opens = (ByteArray::from(self.key), self.size, self.duration_ms, &*self.media_type);
        let opens = URL_SAFE_NO_PAD.encode(canonical::encode(&opens));
        format!("{}{PATH}{}.{opens}", self.origin, self.token)
    }

    /// Reads an address.
    ///
    /// # Errors
    ///
    /// [`ExitCode::BadInput`] if it is none; nothing of it is repeated.
    pub fn parse(address: &str) -> Result<Self> {
        Self::read(address.trim()).ok_or_else(|| {
            let text =
                "this is no link to a voice note: copy all of it, with what stands behind the #";
            CliError::new(ExitCode::BadInput, text)
        })
    }

    fn read(address: &str) -> Option<Self> {
        let (origin, fragment) = address.split_once(PATH)?;
        let (token, opens) = fragment.split_once('.')?;
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if token.is_empty() || token.len() > 200 || !token.bytes().all(is_token) {
            return None;
        }
        let opens = URL_SAFE_NO_PAD.decode(opens).ok()?;
        let (key, size, duration_ms, media_type): (ByteArray<32>, u64, u64, String) =
            canonical::decode(&opens).ok()?;
        let (origin, token, key) = (origin.parse().ok()?, token.to_owned(), key.into());
        let link = Self { origin, token, key, size, duration_ms, media_type };
        link.voice().is_within_bounds().then_some(link)
    }

    /// Where the sealed bytes are fetched.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/1/v/{}", self.token)
    }

    /// Bytes as stored.
    #[must_use]
    pub fn stored_length(&self) -> u64 {
        sealed_length(self.size.min(bounds::MAX_VOICE))
    }

    /// Opens what was fetched.
    ///
    /// # Errors
    ///
    /// [`ExitCode::Unsafe`] if it is not what the link says.
    pub fn open(&self, stored: &[u8]) -> Result<Vec<u8>> {
        let not = || CliError::new(ExitCode::Unsafe, "what came is not what the link says");
        let key = jiashu_seal::BlobKey::from_bytes(self.key);
        let sound = jiashu_seal::open_blob(&key, stored).map_err(|_| not())?.to_vec();
        if sound.len() as u64 != self.size {
            return Err(not());
        }
        check_playable(&sound, &self.voice())?;
        Ok(sound)
    }

    /// As a voice note whose name nobody told.
    #[must_use]
    pub fn voice(&self) -> Voice {
        let Self { key, size, duration_ms, media_type, .. } = self.clone();
        Voice { blob: Ref([0; 12]), key, size, duration_ms, media_type, hash: [0; 32] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> VoiceLink {
        VoiceLink {
            origin: "https://relay.example.org".parse().unwrap(),
            token: "dG9rZW4_-".into(),
            key: [7; 32],
            size: 84_000,
            duration_ms: 42_000,
            media_type: "audio/ogg; codecs=opus".into(),
        }
    }

    #[test]
    fn an_address_reads_back_and_keeps_the_key_behind_the_hash() {
        let address = link().address();

        assert_eq!(VoiceLink::parse(&format!(" {address}\n")).unwrap(), link());
        let (sent, _) = address.split_once('#').unwrap();
        assert_eq!(sent, "https://relay.example.org/v");
        assert!(!link().path().contains(&URL_SAFE_NO_PAD.encode([7; 9])));
        assert!(address.len() < 200, "{}", address.len());
    }

    #[test]
    fn other_addresses_are_none_and_are_not_repeated() {
        let good = link().address();
        let long = VoiceLink { duration_ms: bounds::MAX_VOICE_MS + 1, ..link() }.address();
        let cases = [
            String::new(),
            good.replace("/v#", "/join#"),
            good.replace('.', "_"),
            good[..good.len() - 1].to_owned(),
            format!("{good}A"),
            good.replace("dG9rZW4_-", "../metrics"),
            long,
        ];

        for address in cases {
            let error = VoiceLink::parse(&address).unwrap_err();
            assert!(!error.message.contains("dG9rZW4"), "{address}");
        }
    }
}

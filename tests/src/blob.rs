//! Stored bytes over HTTP, as a phone asks for them, and as others may.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiashu_proto::entry::MessageKind;
use jiashu_proto::frame::Post;
use jiashu_proto::id::{Ref, Token};
use jiashu_proto::text::{Text, Voice};
use jiashu_roster::sha256;
use jiashu_seal::{Draft, SealedBlob, random, seal_blob};

use crate::device::RawDevice;
use crate::http::{Response, request};
use crate::raw::Raw;

/// A request for stored bytes, to be spoilt.
#[derive(Clone, Debug)]
pub struct BlobRequest {
    /// GET, HEAD, PUT, PATCH, POST.
    pub method: &'static str,
    /// As a rule `/1/blob/NAME`.
    pub path: String,
    /// In their order.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Vec<u8>,
}

impl BlobRequest {
    /// Nothing but a method and a path.
    #[must_use]
    pub fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// By whoever has that token.
    #[must_use]
    pub fn by(self, token: &Token) -> Self {
        self.with("authorization", format!("Bearer {}", URL_SAFE_NO_PAD.encode(token.to_bytes())))
    }

    /// With this header, in the place of what it was.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        request(self.method, &self.path, &headers, &self.body)
    }

    /// What the relay answers.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn ask(&self, raw: Raw) -> Response {
        raw.exchange(&self.to_bytes()).await.expect("the relay answers")
    }
}

/// Where those of that name are.
#[must_use]
pub fn path(id: Ref) -> String {
    format!("/1/blob/{id}")
}

/// Says that all of `bytes` will come, and brings `now` of them.
#[must_use]
pub fn put(token: &Token, id: Ref, bytes: &[u8], now: usize) -> BlobRequest {
    let mut put = BlobRequest::new("PUT", path(id))
        .by(token)
        .with("upload-length", bytes.len().to_string())
        .with("upload-complete", "?1")
        .with("repr-digest", format!("sha-256=:{}:", STANDARD.encode(sha256(bytes))));
    put.body = bytes[..now].to_vec();
    put
}

/// Goes on with these at `offset`.
#[must_use]
pub fn patch(token: &Token, id: Ref, offset: usize, bytes: &[u8]) -> BlobRequest {
    let mut patch = BlobRequest::new("PATCH", path(id))
        .by(token)
        .with("content-type", "application/partial-upload")
        .with("upload-offset", offset.to_string())
        .with("upload-complete", "?1");
    patch.body = bytes.to_vec();
    patch
}

impl RawDevice {
    /// Stores these bytes; their name.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub async fn store(&self, bytes: &[u8]) -> Ref {
        let id = Ref(random());
        let stored = put(&self.token, id, bytes, bytes.len()).ask(self.raw).await;
        assert_eq!(stored.status, 201, "{stored:?}");
        id
    }

    /// Seals a sound and stores it; what a note says of it.
    pub async fn store_sound(&self, sound: &[u8]) -> Voice {
        let SealedBlob { stored, key, hash, size } = seal_blob(sound).unwrap();
        let blob = self.store(&stored).await;
        let (key, media_type) = (*key.as_bytes(), "audio/ogg; codecs=opus".to_owned());
        Voice { blob, key, size, duration_ms: 1_000, media_type, hash }
    }

    /// A voice note that names stored bytes; not sent.
    #[must_use]
    pub fn voice_note(&self, voice: Voice, to: &[u32]) -> Post {
        let blob = Some(voice.blob);
        let text = Text::of_voice(crate::writing::WRITTEN_AT, voice).to_bytes();
        let fields = self.fields_of(MessageKind::Voice, to, None);
        let (epoch, entry_ref, sealed) = self.seal(Draft::new(fields.clone(), text));
        let (n, kind) = (self.n + 1, fields.kind);
        let (from, to) = (fields.from, fields.to);
        Post { n, entry_ref, epoch, from, to, kind, sealed, key: None, until: None, blob }
    }
}

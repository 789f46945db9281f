//! Sealing a voice note's file in chunks, each in its place and the last marked.

use std::fmt;

use jiashu_roster::sha256;
use zeroize::Zeroizing;

use crate::error::SealError;
use crate::primitive::{TAG_LEN, open, random, seal};

/// Length of a chunk before it is sealed, in bytes. Only the last may be shorter.
pub const CHUNK_LEN: usize = 16 * 1024;

/// Length of a chunk as stored.
pub const STORED_CHUNK_LEN: usize = CHUNK_LEN + TAG_LEN;

const AAD: &[u8] = b"jiashu/1 blob";
const NOT_OPENED: SealError = SealError::NotOpened("voice note");

/// The key of one stored file. It seals that file and no other.
#[derive(Clone, PartialEq, Eq)]
pub struct BlobKey(Zeroizing<[u8; 32]>);

impl BlobKey {
    /// A new one, from the system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random()))
    }

    /// One that a body carried.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// To be put into a body.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals the chunk at `index`, from 0. Each place of a file is sealed once.
    #[must_use]
    pub fn seal_chunk(&self, index: u32, last: bool, chunk: &[u8]) -> Vec<u8> {
        seal(&self.0, nonce(index, last), AAD, chunk)
    }

    /// Opens the chunk that was sealed at this place.
    ///
    /// # Errors
    ///
    /// [`SealError::NotOpened`] if it was sealed elsewhere, under another key, or changed.
    pub fn open_chunk(
        &self,
        index: u32,
        last: bool,
        stored: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let chunk = open(&self.0, nonce(index, last), AAD, stored).ok_or(NOT_OPENED)?;
        // A file has one form: all chunks are full but the last, which is empty only alone.
        let well_formed = match chunk.len() {
            0 => last && index == 0,
            CHUNK_LEN => true,
            len => last && len < CHUNK_LEN,
        };
        if well_formed { Ok(chunk) } else { Err(NOT_OPENED) }
    }
}

impl fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlobKey(..)")
    }
}

/// A sealed file, to be kept on disk before it is sent.
#[derive(Clone, Debug)]
pub struct SealedBlob {
    /// What the relay stores.
    pub stored: Vec<u8>,
    /// Its key, for the body.
    pub key: BlobKey,
    /// H(stored), for the body.
    pub hash: [u8; 32],
    /// Bytes before sealing, for the body.
    pub size: u64,
}

/// Seals a whole file under a key made for it.
///
/// # Errors
///
/// [`SealError::Refused`] beyond 2^32 chunks.
pub fn seal_blob(file: &[u8]) -> Result<SealedBlob, SealError> {
    seal_under(BlobKey::generate(), file)
}

pub(crate) fn seal_under(key: BlobKey, file: &[u8]) -> Result<SealedBlob, SealError> {
    const TOO_LONG: SealError = SealError::Refused("the file is too long");
    let count = file.len().div_ceil(CHUNK_LEN).max(1);
    let count = u32::try_from(count).map_err(|_| TOO_LONG)?;
    let mut chunks = file.chunks(CHUNK_LEN);
    let mut stored = Vec::new();
    for index in 0..count {
        let last = index.saturating_add(1) == count;
        // An empty file has no chunk to take, and is one empty chunk.
        stored.extend(key.seal_chunk(index, last, chunks.next().unwrap_or_default()));
    }
    let size = u64::try_from(file.len()).map_err(|_| TOO_LONG)?;
    Ok(SealedBlob { hash: sha256(&stored), stored, key, size })
}

/// Opens a whole file. Check H(stored) and the size against the body as well.
///
/// # Errors
///
/// [`SealError::NotOpened`] if a bit was changed, or a chunk moved, left out, doubled or added.
pub fn open_blob(key: &BlobKey, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let count = u32::try_from(stored.len().div_ceil(STORED_CHUNK_LEN)).map_err(|_| NOT_OPENED)?;
    if count == 0 {
        return Err(NOT_OPENED);
    }
    let mut file = Zeroizing::new(Vec::with_capacity(stored.len()));
    for (index, chunk) in (0..count).zip(stored.chunks(STORED_CHUNK_LEN)) {
        file.extend_from_slice(&key.open_chunk(index, index.saturating_add(1) == count, chunk)?);
    }
    Ok(file)
}

/// 7 zero bytes ‖ last ‖ index.
fn nonce(index: u32, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    let (front, place) = nonce.split_at_mut(8);
    if let Some(mark) = front.last_mut() {
        *mark = u8::from(last);
    }
    place.copy_from_slice(&index.to_be_bytes());
    nonce
}

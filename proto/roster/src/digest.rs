//! SHA-256, and the two hashes that stand at the relay for a secret it never keeps.

use jiashu_proto::id::{CodeHash, TokenHash};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// H of docs/sealing.md.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// What the relay and the chain keep of a token's 16 secret bytes.
#[must_use]
pub fn token_hash(secret: &[u8; 16]) -> TokenHash {
    TokenHash(sha256(secret))
}

/// What the relay keeps of an invite's code.
#[must_use]
pub fn code_hash(code: &[u8; 16]) -> CodeHash {
    CodeHash(sha256(code))
}

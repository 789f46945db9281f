//! Deterministic CBOR (RFC 8949, 4.2.1), as everything that is hashed, signed or sealed must be.
//!
//! One check covers every rule at once: what was read, written again, must be the same bytes. So
//! long forms, indefinite lengths, extra fields and trailing bytes are refused, never repaired.

use minicbor::{Decode, Encode};

/// The bytes are not the deterministic CBOR of the expected shape.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// Another shape, or cut short.
    #[error("not the expected CBOR")]
    Shape(#[source] minicbor::decode::Error),
    /// The right content, written another way than RFC 8949 4.2.1 asks, or with bytes after it.
    #[error("not deterministic CBOR")]
    NotDeterministic,
}

/// Writes `value` as CBOR. The types of this project write the shortest form in a fixed order.
#[must_use]
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    minicbor::encode(value, &mut bytes).expect("writing to memory cannot fail");
    bytes
}

/// Reads `bytes` as one value of type `T`, written deterministically, with nothing after it.
///
/// # Errors
///
/// [`CanonicalError`], if the shape or a single byte differs from what [`encode`] would write.
pub fn decode<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8]) -> Result<T, CanonicalError> {
    let value: T = minicbor::decode(bytes).map_err(CanonicalError::Shape)?;
    if encode(&value) == bytes { Ok(value) } else { Err(CanonicalError::NotDeterministic) }
}

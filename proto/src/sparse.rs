//! Fields that are mostly as they are by default, and then are not written: bytes cost money, and what
//! was written before there was such a field reads as the default.

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};

pub(crate) fn encode<T: Encode<C>, C, W: Write>(
    value: &T,
    e: &mut Encoder<W>,
    context: &mut C,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    value.encode(e, context)
}

pub(crate) fn decode<'b, T: Decode<'b, C>, C>(
    d: &mut Decoder<'b>,
    context: &mut C,
) -> Result<T, minicbor::decode::Error> {
    T::decode(d, context)
}

/// What is not written.
pub(crate) fn is_nil<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What stands for a field that is not there.
#[expect(clippy::unnecessary_wraps, reason = "minicbor asks for an option")]
pub(crate) fn nil<T: Default>() -> Option<T> {
    Some(T::default())
}

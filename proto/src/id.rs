//! Who and what is meant: numbers and bytes become types here, and travel as types behind it.
//!
//! How they look on the wire is in docs/PROTOCOL.md; nothing here knows a secret except
//! [`Token`], which never prints itself.

use std::fmt;

use minicbor::{Decode, Encode};

/// A family, a programme, or the relay itself ([`Scope::RELAY`]): that which has one log.
///
/// A family's number is random, drawn by the client that enrols it, so a card can be printed
/// before the relay has heard of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Scope(#[n(0)] pub u64);

impl Scope {
    /// The relay's own scope: its setup and its programmes.
    pub const RELAY: Self = Self(0);
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Declares a number that counts from 1 within a family and is never used again.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode,
        )]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A person in a family.
    MemberId
);
number!(
    /// A device of a family, or a member of staff of a programme: one token.
    DeviceId
);
number!(
    /// An invite of a family.
    InviteId
);

/// The number of the roster link whose key is in force; 0 before the first key.
pub type Epoch = u32;

/// A device's own counter of commands; the first is 1.
pub type N = u64;

/// A UTC instant in milliseconds since 1970, as every time on the wire.
pub type Millis = i64;

/// What a member is in the family. Parents are one side of a contact, the household the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// Works far away.
    #[n(1)]
    Parent,
    /// Lives with the child.
    #[n(2)]
    Caregiver,
    /// The child.
    #[n(3)]
    Child,
}

impl Role {
    /// Whether a device that serves such a member may change the roster.
    #[must_use]
    pub fn is_adult(self) -> bool {
        self != Self::Child
    }

    /// The word for it, as in CSV files and `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Parent => "parent",
            Self::Caregiver => "caregiver",
            Self::Child => "child",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Parent, Self::Caregiver, Self::Child]
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or(UnknownRole)
    }
}

/// The text is none of `parent`, `caregiver`, `child`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is parent, caregiver or child")]
pub struct UnknownRole;

/// Declares an identity of so many bytes, shown in hex.
macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode,
        )]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = std::array::TryFromSliceError;

            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                bytes.try_into().map(Self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0; $len];
                if text.len() != 2 * $len || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(NotHex);
                }
                for (index, byte) in bytes.iter_mut().enumerate() {
                    let pair = text.get(2 * index..2 * index + 2).ok_or(NotHex)?;
                    *byte = u8::from_str_radix(pair, 16).map_err(|_| NotHex)?;
                }
                Ok(Self(bytes))
            }
        }
    };
}

/// The text is not the hexadecimal form of an identity, or of another length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identity in hexadecimal digits")]
pub struct NotHex;

bytes_id!(
    /// The client's name for a message, and the nonce of its seal (docs/PROTOCOL.md).
    Ref, 12
);
bytes_id!(
    /// h(link) = SHA-256 of a roster link's body (docs/sealing.md).
    LinkHash, 32
);
bytes_id!(
    /// SHA-256 of a token's 16 secret bytes: all that the relay keeps of it.
    TokenHash, 32
);
bytes_id!(
    /// SHA-256 of an invite's code: all that the relay keeps of it.
    CodeHash, 32
);

impl LinkHash {
    /// `prev` of link 1.
    pub const NONE: Self = Self([0; 32]);
}

/// What lets a device (or a member of staff) in: it routes itself to its scope.
///
/// On the wire 28 bytes: scope u64, number u32, both big-endian, and the 16 secret bytes. Made by
/// the client before it joins; the relay keeps the SHA-256 of the secret alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Where it belongs.
    pub scope: Scope,
    /// Whose it is there.
    pub device: DeviceId,
    /// 128 random bits. Compare only in constant time.
    pub secret: [u8; 16],
}

impl Token {
    /// Length on the wire, in bytes.
    pub const LEN: usize = 28;

    /// The 28 bytes sent in `hello`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (scope, rest) = bytes.split_at_mut(8);
        let (device, secret) = rest.split_at_mut(4);
        scope.copy_from_slice(&self.scope.0.to_be_bytes());
        device.copy_from_slice(&self.device.0.to_be_bytes());
        secret.copy_from_slice(&self.secret);
        bytes
    }

    /// Reads [`Token::to_bytes`] back; `None` for any other length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (scope, rest) = bytes.split_first_chunk::<8>()?;
        let (device, secret) = rest.split_first_chunk::<4>()?;
        Some(Self {
            scope: Scope(u64::from_be_bytes(*scope)),
            device: DeviceId(u32::from_be_bytes(*device)),
            secret: secret.try_into().ok()?,
        })
    }
}

impl fmt::Debug for Token {
    /// Without the secret: a token in a log is a door left open.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}/{})", self.scope, self.device)
    }
}

impl<C> Encode<C> for Token {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Token {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::from_bytes(d.bytes()?)
            .ok_or_else(|| minicbor::decode::Error::message("a token is 28 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_hides_its_secret() {
        let token = Token { scope: Scope(7), device: DeviceId(3), secret: [0xab; 16] };

        let read = Token::from_bytes(&token.to_bytes());

        assert_eq!(read.as_ref(), Some(&token));
        assert!(!format!("{token:?}").contains("ab"), "the secret must not be printed");
        assert_eq!(Token::from_bytes(&[0; 27]), None);
        assert_eq!(Token::from_bytes(&[0; 29]), None);
    }

    #[test]
    fn a_ref_reads_back_from_its_hex() {
        let entry_ref = Ref([0x1f; 12]);

        assert_eq!(entry_ref.to_string().parse(), Ok(entry_ref));
        assert_eq!("1f".parse::<Ref>(), Err(NotHex));
        assert_eq!("zz".repeat(12).parse::<Ref>(), Err(NotHex));
        assert_eq!("+f".repeat(12).parse::<Ref>(), Err(NotHex));
    }
}

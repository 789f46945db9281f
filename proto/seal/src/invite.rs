//! The secret of an invite: the link that carries it, and the code that stands for it at the relay.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_proto::id::Scope;
use zeroize::Zeroizing;

use crate::error::SealError;
use crate::primitive::{derive, random};

/// Length in bytes of scope and secret together, as a link and a card of several carry them.
pub(crate) const SCOPED_LEN: usize = 24;

/// Length in characters of the same in a link.
const FRAGMENT_LEN: usize = 32;

/// S: who holds it can join. Never sent, never printed but in its link.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteSecret(Zeroizing<[u8; 16]>);

impl InviteSecret {
    /// A new one, from the system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random()))
    }

    /// One that was stored.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// To be stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// What is sent to the relay to ask for the invite. Alone it opens and uses up nothing.
    #[must_use]
    pub fn code(&self) -> [u8; 16] {
        *derive(self.0.as_slice(), "jiashu/1 code")
    }

    /// The key of the invite's blob.
    pub(crate) fn blob_key(&self) -> Zeroizing<[u8; 32]> {
        derive(self.0.as_slice(), "jiashu/1 invite")
    }

    /// scope ‖ S.
    pub(crate) fn scoped(&self, scope: Scope) -> Zeroizing<[u8; SCOPED_LEN]> {
        let mut bytes = Zeroizing::new([0; SCOPED_LEN]);
        let (first, rest) = bytes.split_at_mut(8);
        first.copy_from_slice(&scope.0.to_be_bytes());
        rest.copy_from_slice(self.0.as_slice());
        bytes
    }

    pub(crate) fn from_scoped(bytes: &[u8; SCOPED_LEN]) -> Option<(Scope, Self)> {
        let (scope, secret) = bytes.split_first_chunk::<8>()?;
        Some((Scope(u64::from_be_bytes(*scope)), Self::from_bytes(secret.try_into().ok()?)))
    }
}

impl fmt::Debug for InviteSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteSecret(..)")
    }
}

/// A link to join by, as printed on a card and shown as a QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinLink {
    /// The relay, as `https://host` or `https://host:port`; `http` for one on this network.
    pub origin: String,
    /// The family, or that of a card that opens several.
    pub scope: Scope,
    /// The secret, which browsers keep to themselves as it stands after the `#`.
    pub secret: InviteSecret,
}

impl JoinLink {
    /// Reads a link, strictly: `https://host[:port]/join#` and 32 characters.
    ///
    /// # Errors
    ///
    /// [`SealError::Refused`] for any other text.
    pub fn parse(link: &str) -> Result<Self, SealError> {
        const REFUSED: SealError = SealError::Refused("not a link to join by");
        let (origin, fragment) = link.split_once("/join#").ok_or(REFUSED)?;
        if !is_origin(origin) || fragment.len() != FRAGMENT_LEN {
            return Err(REFUSED);
        }
        let bytes = URL_SAFE_NO_PAD.decode(fragment).map(Zeroizing::new).map_err(|_| REFUSED)?;
        let bytes: &[u8; SCOPED_LEN] = bytes.as_slice().try_into().map_err(|_| REFUSED)?;
        let (scope, secret) = InviteSecret::from_scoped(bytes).ok_or(REFUSED)?;
        Ok(Self { origin: origin.to_owned(), scope, secret })
    }

    /// The whole link. Whoever sees it can join.
    #[must_use]
    pub fn to_url(&self) -> String {
        let fragment = URL_SAFE_NO_PAD.encode(self.secret.scoped(self.scope).as_slice());
        format!("{}/join#{fragment}", self.origin)
    }
}

/// Scheme, host and perhaps port, with nothing after; no user, no path.
fn is_origin(origin: &str) -> bool {
    let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let is_port =
        |port: &str| port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit());
    !host.is_empty() && host.bytes().all(is_host) && port.is_none_or(is_port)
}

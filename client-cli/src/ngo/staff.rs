//! Who this machine is to a relay: a coordinator of one programme, kept in `staff.json`.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_proto::id::{DeviceId, Scope, Token};
use serde::{Deserialize, Serialize};

use super::disk;
use crate::args::Globals;
use crate::error::{CliError, ExitCode, Result};
use crate::home::{Home, make_private_dir};
use crate::http::Origin;

/// 16 secret bytes, in base64url where they are stored.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub(super) [u8; 16]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| serde::de::Error::custom("not 16 bytes in base64url"))
    }
}

/// What `staff.json` holds. Fields that a newer version adds are lost by an older one, so it
/// refuses the file by its version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StaffFile {
    version: u32,
    /// The relay's address.
    pub(super) relay: String,
    /// Hex; drawn here by the first coordinator.
    programme: String,
    /// This member of staff in the programme, as the relay answered; until then absent.
    pub(super) number: Option<u32>,
    /// Of the token.
    pub(super) secret: Secret,
    /// SHA-256 of the setup link's secret: whether a link is the one that this was made for.
    pub(super) setup: String,
}

const VERSION: u32 = 1;

impl StaffFile {
    /// A member of staff about to be, of that programme or of a new one, by a setup link whose secret has this hash.
    pub(super) fn draw(relay: &Origin, setup: String, programme: Option<Scope>) -> Self {
        Self {
            version: VERSION,
            relay: relay.to_string(),
            programme: programme.unwrap_or_else(draw_scope).to_string(),
            number: None,
            secret: Secret(jiashu_seal::random()),
            setup,
        }
    }

    /// The programme.
    pub(super) fn programme(&self) -> Option<Scope> {
        u64::from_str_radix(&self.programme, 16).ok().map(Scope)
    }

    fn path(globals: &Globals) -> Result<PathBuf> {
        Ok(Home::find(globals.home.as_deref())?.dir().join("staff.json"))
    }

    /// Reads the file, if it is there.
    pub(super) fn read(globals: &Globals) -> Result<Option<Self>> {
        let path = Self::path(globals)?;
        let file: Option<Self> = disk::read_json(&path)?;
        let good = |file: &Self| file.version == VERSION && file.programme().is_some();
        match file {
            Some(file) if !good(&file) => {
                let text = format!("{} is of a newer version, or broken", path.display());
                Err(CliError::new(ExitCode::BadInput, text))
            }
            file => Ok(file),
        }
    }

    /// Writes it, for this user alone; it is on disk when this returns.
    pub(super) fn write(&self, globals: &Globals) -> Result<()> {
        let path = Self::path(globals)?;
        let dir = path.parent().unwrap_or(Path::new("."));
        make_private_dir(dir).map_err(|error| {
            let text = format!("cannot use the folder {}: {error}", dir.display());
            CliError::new(ExitCode::BadInput, text)
        })?;
        disk::write_json(&path, self)
    }
}

/// A number for a family or a programme; 0 is the relay's own.
pub(super) fn draw_scope() -> Scope {
    loop {
        let scope = Scope(u64::from_be_bytes(jiashu_seal::random()));
        if scope != Scope::RELAY {
            return scope;
        }
    }
}

/// A member of staff whom the relay knows.
#[derive(Clone, Debug)]
pub(super) struct Staff {
    /// The relay.
    pub(super) origin: Origin,
    /// What lets this member of staff in; its scope is the programme.
    pub(super) token: Token,
}

impl Staff {
    /// Who this folder is.
    pub(super) fn load(globals: &Globals) -> Result<Self> {
        let none = || {
            let text = "this folder is no member of staff yet: run `jiashu ngo setup LINK` first";
            CliError::new(ExitCode::NotJoined, text)
        };
        let file = StaffFile::read(globals)?.ok_or_else(none)?;
        let (number, programme) = file.number.zip(file.programme()).ok_or_else(none)?;
        let origin = file.relay.parse();
        let origin = origin.map_err(|error| CliError::new(ExitCode::BadInput, error))?;
        let device = DeviceId(number);
        Ok(Self { origin, token: Token { scope: programme, device, secret: file.secret.0 } })
    }
}

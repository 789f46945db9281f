//! How whoever runs the relay asks something of it that only they may: they can read its folder.

use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_proto::id::Millis;
use ring::hmac;
use subtle::ConstantTimeEq as _;

use crate::dice::secret;
use crate::ngo::audit::hex;

/// The file in the relay's folder that holds the key.
#[must_use]
pub fn key_file(data: &Path) -> PathBuf {
    data.join("operator-key")
}

/// The key, made where there is none yet.
///
/// # Errors
///
/// Of the file, or where the system has no random bytes.
pub fn make_key(data: &Path) -> io::Result<()> {
    let file = key_file(data);
    if read_key(data).is_ok_and(|key| !key.is_empty()) {
        return Ok(());
    }
    let secret = secret().map_err(|_| io::Error::other("no random bytes"))?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)?;
    // One that was there keeps its mode otherwise.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    writeln!(file, "{}", URL_SAFE_NO_PAD.encode(secret))?;
    file.sync_all()
}

/// The key as it stands in its file.
///
/// # Errors
///
/// Of the file.
pub fn read_key(data: &Path) -> io::Result<String> {
    Ok(std::fs::read_to_string(key_file(data))?.trim().to_owned())
}

/// So old may a request be when it comes, in ms.
const FRESH_MS: Millis = 60_000;

/// What a request shows instead of the key, which so goes over no wire: when it was made, and a tag over that and its path.
#[must_use]
pub fn shown(key: &str, path: &str, now: Millis) -> String {
    format!("{now}.{}", hex(tag(key, path, now).as_ref()))
}

fn tag(key: &str, path: &str, at: Millis) -> hmac::Tag {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hmac::sign(&key, format!("jiashu/1 operator {at} {path}").as_bytes())
}

/// Whether that was made by who can read the folder, for this path, and just now.
#[must_use]
pub fn is_shown(data: &Path, shown: &str, path: &str, now: Millis) -> bool {
    let Some((at, mac)) = shown.split_once('.') else { return false };
    let Ok(at) = at.parse::<Millis>() else { return false };
    let is_fresh = now.abs_diff(at) <= FRESH_MS.unsigned_abs();
    let key = read_key(data).ok().filter(|key| !key.is_empty() && is_fresh);
    key.is_some_and(|key| {
        bool::from(hex(tag(&key, path, at).as_ref()).as_bytes().ct_eq(mac.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_shown(folder.path(), "0.", "/x", 0), "there is none yet");

        make_key(folder.path()).unwrap();
        let key = read_key(folder.path()).unwrap();
        make_key(folder.path()).unwrap();

        assert_eq!(read_key(folder.path()).unwrap(), key);
        let made = shown(&key, "/x", 5_000);
        let holds = |shown: &str, path: &str, now| is_shown(folder.path(), shown, path, now);
        assert!(holds(&made, "/x", 5_000) && holds(&made, "/x", 65_000));
        assert!(!holds(&made, "/x", 65_001) && !holds(&made, "/y", 5_000));
        assert!(!holds(&made[..made.len() - 1], "/x", 5_000) && !holds(&key, "/x", 5_000));
        let mode = key_file(folder.path()).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

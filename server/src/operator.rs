//! How whoever runs the relay asks something of it that only they may: they can read its folder.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::dice::secret;

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

/// Whether that is the key, in constant time.
#[must_use]
pub fn is_key(data: &Path, shown: &str) -> bool {
    read_key(data)
        .is_ok_and(|key| !key.is_empty() && bool::from(key.as_bytes().ct_eq(shown.as_bytes())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_stays_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_key(folder.path(), ""), "there is none yet");

        make_key(folder.path()).unwrap();
        let key = read_key(folder.path()).unwrap();
        make_key(folder.path()).unwrap();

        assert_eq!(read_key(folder.path()).unwrap(), key);
        assert!(is_key(folder.path(), &key) && !is_key(folder.path(), &key[1..]));
        let mode = key_file(folder.path()).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

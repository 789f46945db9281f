//! Sealed files in the home: `voice/NAME`, as the relay has them. What is fetched grows in `voice/NAME.part`.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiashu_proto::bounds;
use jiashu_proto::id::Ref;
use jiashu_proto::text::Voice;
use jiashu_roster::sha256;
use jiashu_seal::{BlobKey, CHUNK_LEN, SealedBlob, TAG_LEN, open_blob, random, seal_blob};

use super::sound::{OGG_OPUS, Sound, duration_ms};
use super::transfer;
use super::way::Way;
use crate::error::{CliError, ExitCode, Result};
use crate::home::{Home, make_private_dir, private_file};
use crate::state::lane::Lane;
use crate::state::upload::Upload;

/// What a file may say of its length beyond what was announced, in ms: containers differ in how they count.
const SLACK_MS: u64 = 1_000;

/// Where the sealed file of that name stands.
#[must_use]
pub fn path(home: &Home, blob: Ref) -> PathBuf {
    home.voice().join(blob.to_string())
}

/// Where it grows while it is fetched.
#[must_use]
pub fn part(home: &Home, blob: Ref) -> PathBuf {
    home.voice().join(format!("{blob}.part"))
}

/// Bytes of a file of that size, once it is sealed.
#[must_use]
pub fn sealed_length(size: u64) -> u64 {
    let chunks = size.div_ceil(CHUNK_LEN as u64).max(1);
    size.saturating_add(chunks.saturating_mul(TAG_LEN as u64))
}

/// Seals a sound into a file that is on the disk when this returns.
///
/// # Errors
///
/// If the folder cannot be written.
pub fn seal(home: &Home, sound: &Sound) -> Result<(Voice, Upload)> {
    let sealed = seal_blob(&sound.bytes)
        .map_err(|error| CliError::new(ExitCode::General, format!("cannot seal: {error}")))?;
    let SealedBlob { stored, key, hash, size } = sealed;
    let blob = Ref(random());
    make_private_dir(&home.voice())?;
    let mut file = private_file(&part(home, blob))?;
    file.write_all(&stored)?;
    settle(home, blob, &file)?;
    let (duration_ms, media_type) = (sound.duration_ms, OGG_OPUS.to_owned());
    let voice = Voice { blob, key: *key.as_bytes(), size, duration_ms, media_type, hash };
    let upload = Upload { blob, hash, length: stored.len() as u64, begun: false };
    Ok((voice, upload))
}

/// The part is all of it: it stays, also when the power goes.
pub(super) fn settle(home: &Home, blob: Ref, part_file: &File) -> Result<()> {
    part_file.sync_all()?;
    std::fs::rename(part(home, blob), path(home, blob))?;
    Ok(File::open(home.voice())?.sync_all()?)
}

/// Whether it is here.
#[must_use]
pub fn is_here(home: &Home, voice: &Voice) -> bool {
    path(home, voice.blob).exists()
}

/// The sound of a voice note, fetched if it is not here; of what was fetched before only the rest.
///
/// # Errors
///
/// [`ExitCode::Offline`] where the line breaks; [`ExitCode::Refused`] if the relay does not have it any more;
/// [`ExitCode::Unsafe`] if something else came, which is thrown away: nothing of it is to be played.
pub async fn fetch(home: &Home, ca: Option<&Path>, lane: &Lane, voice: &Voice) -> Result<Vec<u8>> {
    make_private_dir(&home.voice())?;
    let _lock = home.lock_fetching()?;
    if is_here(home, voice) {
        return opened(&std::fs::read(path(home, voice.blob))?, voice);
    }
    let token = lane.token();
    let way = Way { origin: &lane.origin, ca, token: Some(&token) };
    let (growing, length) = (part(home, voice.blob), sealed_length(voice.size));
    let address = transfer::member_path(voice.blob);
    let file = transfer::download(way, &address, length, &growing).await?;
    match opened(&std::fs::read(&growing)?, voice) {
        Ok(sound) => {
            settle(home, voice.blob, &file)?;
            Ok(sound)
        }
        Err(error) => {
            // Not to be gone on with.
            std::fs::remove_file(&growing)?;
            Err(error)
        }
    }
}

/// Opens stored bytes and looks whether they are what the note says.
fn opened(stored: &[u8], voice: &Voice) -> Result<Vec<u8>> {
    let not = |what: &str| CliError::new(ExitCode::Unsafe, format!("the voice note {what}"));
    if stored.len() as u64 != sealed_length(voice.size) {
        return Err(not("is cut, or has another length than was said"));
    }
    if sha256(stored) != voice.hash {
        return Err(not("is not the one that was sent: it was changed on the way"));
    }
    let opened = open_blob(&BlobKey::from_bytes(voice.key), stored);
    let sound = opened.map_err(|_| not("does not open: it was changed on the way"))?.to_vec();
    check_playable(&sound, voice)?;
    Ok(sound)
}

/// A decoder is not to be given more than was said, nor more than anybody may send.
pub(super) fn check_playable(sound: &[u8], voice: &Voice) -> Result<()> {
    let not = |what: &str| CliError::new(ExitCode::Unsafe, format!("the voice note {what}"));
    if sound.len() as u64 > bounds::MAX_VOICE {
        return Err(not("is larger than 1 MiB: it is not played"));
    }
    if voice.media_type == OGG_OPUS {
        let most = voice.duration_ms.saturating_add(SLACK_MS);
        if duration_ms(sound).is_none_or(|plays| plays > most) {
            return Err(not("is not what it says to be: it is not played"));
        }
    }
    Ok(())
}

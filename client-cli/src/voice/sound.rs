//! A file of sound as it may be sent: Opus in Ogg (RFC 7845), small and short. Others are converted, where
//! ffmpeg is installed.

use std::io::Cursor;
use std::path::Path;
use std::process::Stdio;

use jiashu_proto::bounds;
use ogg::PacketReader;
use tokio::process::Command;

use super::is_installed;
use crate::error::{CliError, ExitCode, Result};

/// The type of what is sent from here, as browsers name it.
pub const OGG_OPUS: &str = "audio/ogg; codecs=opus";

/// Opus counts samples at this rate, whatever it was recorded at (RFC 7845, 4).
const SAMPLES_PER_MS: u64 = 48;

/// A file to be converted, in bytes: an hour as a phone records it.
const MAX_SOURCE: u64 = 64 * 1024 * 1024;

/// Sound that may be sent.
#[derive(Clone, Debug)]
pub struct Sound {
    /// A whole file.
    pub bytes: Vec<u8>,
    /// How long it plays, in ms.
    pub duration_ms: u64,
}

/// Reads a file, and makes it Opus if it is something else.
///
/// # Errors
///
/// [`ExitCode::BadInput`] with what to do.
pub async fn read(path: &Path) -> Result<Sound> {
    let failed =
        |error: &dyn std::fmt::Display| bad(format!("cannot read {}: {error}", path.display()));
    let length = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
    if length > MAX_SOURCE {
        return Err(too_long());
    }
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    if let Some(duration_ms) = duration_ms(&bytes)
        && bytes.len() as u64 <= bounds::MAX_VOICE
    {
        return checked(bytes, duration_ms);
    }
    let bytes = converted(path).await?;
    let duration_ms = duration_ms(&bytes)
        .ok_or_else(|| bad("there is nothing to hear in this file".to_owned()))?;
    checked(bytes, duration_ms)
}

fn checked(bytes: Vec<u8>, duration_ms: u64) -> Result<Sound> {
    if duration_ms == 0 {
        return Err(bad("there is nothing to hear in this file".to_owned()));
    }
    if duration_ms > bounds::MAX_VOICE_MS || bytes.len() as u64 > bounds::MAX_VOICE {
        return Err(too_long());
    }
    Ok(Sound { bytes, duration_ms })
}

fn too_long() -> CliError {
    bad("a voice note is at most 10 minutes and 1 MiB: send it in parts".to_owned())
}

fn bad(text: String) -> CliError {
    CliError::new(ExitCode::BadInput, text)
}

/// How long a file of Opus in Ogg plays, in ms; `None` if it is none, or damaged.
#[must_use]
pub fn duration_ms(bytes: &[u8]) -> Option<u64> {
    let mut reader = PacketReader::new(Cursor::new(bytes));
    let head = reader.read_packet().ok()??;
    let before = head.data.strip_prefix(b"OpusHead")?.get(2..4)?;
    let before = u64::from(u16::from_le_bytes(before.try_into().ok()?));
    let mut last = before;
    while let Some(packet) = reader.read_packet().ok()? {
        // A page on which no packet ends has no position.
        if packet.absgp_page() != u64::MAX {
            last = last.max(packet.absgp_page());
        }
    }
    Some(last.saturating_sub(before).div_ceil(SAMPLES_PER_MS))
}

/// What ffmpeg makes of it, a little more than may be sent at most.
async fn converted(path: &Path) -> Result<Vec<u8>> {
    if !is_installed("ffmpeg") {
        let text = "this is no Opus in Ogg, and ffmpeg, which would make it so, is not installed: \
                    apt install ffmpeg";
        return Err(bad(text.to_owned()));
    }
    let folder = tempfile::tempdir()?;
    let made = folder.path().join("note.opus");
    let seconds = (bounds::MAX_VOICE_MS / 1_000).saturating_add(1).to_string();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-loglevel", "error", "-i"]).arg(absolute(path)?);
    ffmpeg.args(["-vn", "-map_metadata", "-1", "-t", &seconds]);
    ffmpeg.args(ENCODE).arg(&made).stdin(Stdio::null()).kill_on_drop(true);
    let done = ffmpeg.output().await?;
    if !done.status.success() {
        let why = String::from_utf8_lossy(&done.stderr);
        let why = crate::say::one_line(why.lines().last().unwrap_or("no reason given"));
        return Err(bad(format!("ffmpeg cannot read {}: {why}", path.display())));
    }
    Ok(std::fs::read(made)?)
}

/// How ffmpeg encodes speech: one channel, about 12 kbit/s. Long frames and pages save 7 bytes of 100 (a minute of
/// speech is 86 KB; at 16 kbit/s and as ffmpeg does it by itself 138 KB).
pub(super) const ENCODE: [&str; 14] = [
    "-ac",
    "1",
    "-ar",
    "48000",
    "-c:a",
    "libopus",
    "-b:a",
    "12k",
    "-application",
    "voip",
    "-frame_duration",
    "60",
    "-page_duration",
    "10000000",
];

/// A path that no program takes for an option or an address.
fn absolute(path: &Path) -> Result<std::path::PathBuf> {
    Ok(std::path::absolute(path)?)
}

#[cfg(test)]
mod tests {
    use ogg::writing::{PacketWriteEndInfo, PacketWriter};

    use super::*;

    /// A file that says that it plays so many samples.
    fn opus(samples: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = PacketWriter::new(&mut bytes);
        let mut head = b"OpusHead\x01\x01\x38\x01".to_vec();
        head.extend(48_000_u32.to_le_bytes());
        head.extend([0, 0, 0]);
        let mut put = |packet: Vec<u8>, end, at| writer.write_packet(packet, 1, end, at).unwrap();
        put(head, PacketWriteEndInfo::EndPage, 0);
        put(b"OpusTags".to_vec(), PacketWriteEndInfo::EndPage, 0);
        put(vec![1; 40], PacketWriteEndInfo::NormalPacket, samples / 2);
        put(vec![2; 40], PacketWriteEndInfo::EndStream, samples + 0x138);
        bytes
    }

    #[test]
    fn a_file_tells_how_long_it_plays() {
        assert_eq!(duration_ms(&opus(42 * 48_000)), Some(42_000));
        assert_eq!(duration_ms(&opus(0)), Some(0));
    }

    #[test]
    fn what_is_no_opus_or_damaged_plays_for_no_known_time() {
        let mut damaged = opus(48_000);
        *damaged.last_mut().unwrap() ^= 1;

        for bytes in [&b""[..], b"RIFF....WAVE", &damaged, &opus(48_000)[..30]] {
            assert_eq!(duration_ms(bytes), None);
        }
    }

    #[tokio::test]
    async fn a_voice_note_is_neither_too_long_nor_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note.opus");
        for (samples, fits) in [(600_000 * 48, true), (600_001 * 48, false), (0, false), (1, true)]
        {
            std::fs::write(&path, opus(samples)).unwrap();

            assert_eq!(read(&path).await.is_ok(), fits, "{samples}");
        }
        assert!(read(&dir.path().join("no such file")).await.is_err());
    }
}

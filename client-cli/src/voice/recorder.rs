//! Records from the microphone by whichever program is there: raw sound comes in, whose level is shown, and goes on to
//! an encoder.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use jiashu_proto::bounds;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::sound::ENCODE;
use super::{is_installed, length_text};
use crate::error::{CliError, ExitCode, Result};
use crate::say::{note, one_line};

/// One channel, 48,000 samples a second, 16 bits each: what all of them can.
const BYTES_PER_MS: u64 = 96;

/// Sound that is looked at, and passed on, at once, in bytes: a tenth of a second.
const PIECE: usize = 9_600;

/// What records, and how it is told to give raw sound on its standard output.
const RECORDERS: [(&str, &[&str]); 3] = [
    ("arecord", &["-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", "48000"]),
    (
        "ffmpeg",
        &[
            "-nostdin",
            "-loglevel",
            "error",
            "-f",
            "alsa",
            "-i",
            "default",
            "-ac",
            "1",
            "-ar",
            "48000",
            "-f",
            "s16le",
            "-",
        ],
    ),
    ("sox", &["-q", "-d", "-t", "raw", "-e", "signed", "-b", "16", "-c", "1", "-r", "48000", "-"]),
];

/// Records into a file of Opus until somebody presses Enter or Ctrl-C, or for `most`.
///
/// # Errors
///
/// [`ExitCode::BadInput`] with what to install where a program is missing.
pub async fn record(to: &Path, most: Option<Duration>) -> Result<()> {
    let mut recorder = recorder()?;
    let mut encoder = encoder(to)?;
    let (Some(mut sound), Some(mut into)) = (recorder.stdout.take(), encoder.stdin.take()) else {
        return Err(CliError::new(ExitCode::General, "no way to the recorder"));
    };
    let most_ms = most.map_or(bounds::MAX_VOICE_MS, |most| {
        u64::try_from(most.as_millis()).unwrap_or(u64::MAX).min(bounds::MAX_VOICE_MS)
    });
    let ends = if std::io::stdin().is_terminal() { "Enter" } else { "Ctrl-C" };
    note(&format!("Recording: speak. {ends} ends it."));
    let mut left = most_ms.saturating_mul(BYTES_PER_MS);
    let (mut piece, mut done_ms) = (vec![0; PIECE], 0);
    let mut enter = Box::pin(ended());
    while left > 0 {
        let read = tokio::select! {
            read = sound.read(&mut piece) => read?,
            () = &mut enter => break,
        };
        let read = read.min(usize::try_from(left).unwrap_or(usize::MAX));
        let Some(heard) = piece.get(..read).filter(|heard| !heard.is_empty()) else { break };
        // An encoder that is gone says why by how it ended.
        if into.write_all(heard).await.is_err() {
            break;
        }
        left = left.saturating_sub(read as u64);
        let now_ms = most_ms.saturating_sub(left / BYTES_PER_MS);
        if now_ms / 100 != done_ms / 100 {
            show(level(heard), now_ms);
        }
        done_ms = now_ms;
    }
    drop(into);
    let _ = recorder.kill().await;
    let encoded = encoder.wait_with_output().await?;
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    if done_ms == 0 {
        let text = "nothing came from the microphone: is there one, and may this program use it?";
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    if !encoded.status.success() {
        let why = String::from_utf8_lossy(&encoded.stderr);
        let why = one_line(why.lines().last().unwrap_or("no reason given"));
        return Err(CliError::new(ExitCode::General, format!("the encoder failed: {why}")));
    }
    Ok(())
}

/// Once somebody has had enough. Where nobody can press a key, only Ctrl-C is left.
async fn ended() {
    let enter = async {
        if !std::io::stdin().is_terminal() {
            return std::future::pending().await;
        }
        let (pressed, enter) = tokio::sync::oneshot::channel();
        // A read of the terminal cannot be given up: it ends with the process.
        std::thread::spawn(move || {
            let _ = std::io::stdin().lock().read_line(&mut String::new());
            let _ = pressed.send(());
        });
        let _ = enter.await;
    };
    tokio::select! {
        () = enter => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// The loudest sample of a piece, from 0 to 1.
fn level(heard: &[u8]) -> f64 {
    let (samples, _) = heard.as_chunks::<2>();
    let loudest = samples.iter().map(|sample| i16::from_le_bytes(*sample).unsigned_abs()).max();
    f64::from(loudest.unwrap_or(0)) / f64::from(i16::MAX)
}

/// "0:07 ▮▮▮▮▮▯▯▯▯▯", in the place of what stood there.
fn show(level: f64, now_ms: u64) {
    if std::io::stderr().is_terminal() {
        eprint!("\r{} {}", length_text(now_ms), bar(level));
    }
}

/// As ears hear it: a sound of a tenth looks like half of the loudest.
fn bar(level: f64) -> String {
    const MARKS: usize = 10;
    let decibels = 20.0 * level.max(1e-4).log10();
    let share = ((decibels + 40.0) / 40.0).clamp(0.0, 1.0);
    let full = (0..MARKS).filter(|mark| (*mark as f64) < share * MARKS as f64).count();
    "▮".repeat(full) + &"▯".repeat(MARKS.saturating_sub(full))
}

fn recorder() -> Result<Child> {
    let found = RECORDERS.into_iter().find(|(name, _)| is_installed(name));
    let (name, options) = found.ok_or_else(|| {
        let text =
            "nothing that records is installed (arecord, ffmpeg, sox): apt install alsa-utils";
        CliError::new(ExitCode::BadInput, text)
    })?;
    let mut command = Command::new(name);
    command.args(options).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    // What it has to say would stand in the middle of the level.
    command.stderr(Stdio::null());
    // Ctrl-C ends the recording, not the recorder before what it has was read.
    #[cfg(unix)]
    command.process_group(0);
    Ok(command.spawn()?)
}

fn encoder(to: &Path) -> Result<Child> {
    let found = ["ffmpeg", "opusenc"].into_iter().find(|name| is_installed(name));
    let mut command = match found {
        Some("ffmpeg") => {
            let mut command = Command::new("ffmpeg");
            command.args([
                "-y",
                "-loglevel",
                "error",
                "-f",
                "s16le",
                "-ac",
                "1",
                "-ar",
                "48000",
                "-i",
                "-",
            ]);
            command.args(ENCODE).arg(to);
            command
        }
        Some(name) => {
            let mut command = Command::new(name);
            command.args(["--quiet", "--raw", "--raw-chan", "1", "--raw-rate", "48000"]);
            command.args(["--bitrate", "12", "--framesize", "60", "--max-delay", "1000"]);
            command.args(["--speech", "-"]).arg(to);
            command
        }
        None => {
            let text = "no encoder for Opus is installed: apt install ffmpeg (or opus-tools)";
            return Err(CliError::new(ExitCode::BadInput, text));
        }
    };
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    Ok(command.spawn()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_shown_as_ears_hear_it() {
        assert_eq!(bar(0.0), "▯▯▯▯▯▯▯▯▯▯");
        assert_eq!(bar(0.1), "▮▮▮▮▮▯▯▯▯▯");
        assert_eq!(bar(1.0), "▮▮▮▮▮▮▮▮▮▮");
        assert!((level(&[0, 0, 0xff, 0x7f]) - 1.0).abs() < 1e-9);
        assert!(level(&[]) < 1e-9);
    }
}

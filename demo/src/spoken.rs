//! A voice note in the story: made on the spot, sent, planned, heard, and by a link.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context;
use tokio::process::Command;

/// By this variable a process knows that it is the loudspeaker: its argument is what it plays.
pub(crate) const ROLE: &str = "JIASHU_DEMO_PLAYER";

/// Two notes of a bell, where nobody can speak on this machine.
const BELL: &[u8] = include_bytes!("chime.opus");

/// What is said.
pub(crate) const WORDS: &str = "吃饭了吗? 妈妈想你。";

/// A file to be sent, and how it was made.
pub(crate) struct Spoken {
    pub(crate) file: PathBuf,
    pub(crate) by: &'static str,
}

/// Speaks, if this machine can: espeak-ng says it, and ffmpeg makes it small when it is sent.
pub(crate) async fn speak(folder: &Path) -> anyhow::Result<Spoken> {
    let file = folder.join("spoken.wav");
    if runs("ffmpeg", &["-version"]).await {
        let wave = file.to_str().context("the folder is not UTF-8")?;
        if runs("espeak-ng", &["-v", "cmn", "-w", wave, WORDS]).await {
            return Ok(Spoken { file, by: "spoken by espeak-ng" });
        }
    }
    let file = folder.join("bell.opus");
    std::fs::write(&file, BELL)?;
    Ok(Spoken {
        file,
        by: "two notes of a bell: with espeak-ng and ffmpeg this machine would speak",
    })
}

/// Whether a program is there, and does what it is told.
async fn runs(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

/// A loudspeaker that nobody hears: it takes as long as the sound does.
pub(crate) fn play(file: Option<OsString>) -> ExitCode {
    let sound = file.and_then(|file| std::fs::read(file).ok());
    let Some(ms) = sound.and_then(|sound| jiashu_cli::voice::sound::duration_ms(&sound)) else {
        return ExitCode::FAILURE;
    };
    std::thread::sleep(Duration::from_millis(ms));
    ExitCode::SUCCESS
}

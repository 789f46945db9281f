//! Plays a sound by whichever player is there, and tells how much of it was heard.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Instant;

use tokio::process::Command;

use super::is_installed;
use crate::error::{CliError, ExitCode, Result};

/// Players and how they are told to play a file and end; the first that is installed plays.
const PLAYERS: [(&str, &[&str]); 6] = [
    ("mpv", &["--no-video", "--really-quiet", "--no-terminal", "--"]),
    ("ffplay", &["-nodisp", "-autoexit", "-loglevel", "error"]),
    ("play", &["-q"]),
    ("gst-play-1.0", &["--no-interactive", "-q"]),
    ("pw-play", &[]),
    ("paplay", &[]),
];

/// What may be at an end when a player ends: its own start and end count as played, the last samples may not.
const SLACK_MS: u64 = 500;

/// Plays a sound. The share that was played, in percent: whoever stops it has heard a part.
///
/// # Errors
///
/// [`ExitCode::BadInput`] where no player is installed, or it cannot play.
pub async fn play(sound: &[u8], duration_ms: u64, named: Option<&str>) -> Result<u8> {
    // Opened sound is for this user alone, and gone when it was played.
    let mut file = tempfile::Builder::new().prefix("jiashu-").suffix(".opus").tempfile()?;
    file.write_all(sound)?;
    file.flush()?;
    let (program, options) = player(named)?;
    let mut command = Command::new(&program);
    command.args(options).arg(file.path()).stdin(Stdio::null()).kill_on_drop(true);
    let failed = |error: &dyn std::fmt::Display| {
        let text =
            format!("{program} cannot play it ({error}): jiashu voice save keeps it as a file");
        CliError::new(ExitCode::BadInput, text)
    };
    let begun = Instant::now();
    let mut playing = command.spawn().map_err(|error| failed(&error))?;
    let ended = tokio::select! {
        ended = playing.wait() => Some(ended?),
        _ = tokio::signal::ctrl_c() => None,
    };
    let played = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    match ended {
        Some(status) if !status.success() && share(played, duration_ms) < 100 => {
            // One that ends at once has played nothing.
            if played < SLACK_MS { Err(failed(&status)) } else { Ok(share(played, duration_ms)) }
        }
        Some(_) => Ok(share(played, duration_ms)),
        None => {
            playing.kill().await?;
            Ok(share(played, duration_ms))
        }
    }
}

/// By the time that it took: players do not tell where somebody stopped them.
fn share(played_ms: u64, duration_ms: u64) -> u8 {
    if played_ms.saturating_add(SLACK_MS) >= duration_ms {
        return 100;
    }
    let percent = played_ms.saturating_mul(100).checked_div(duration_ms).unwrap_or(100);
    u8::try_from(percent).unwrap_or(100).min(100)
}

fn player(named: Option<&str>) -> Result<(String, &'static [&'static str])> {
    if let Some(named) = named {
        return Ok((named.to_owned(), &[]));
    }
    let found = PLAYERS.into_iter().find(|(name, _)| is_installed(name));
    found.map(|(name, options)| (name.to_owned(), options)).ok_or_else(|| {
        let names = PLAYERS.map(|(name, _)| name).join(", ");
        let text =
            format!("no player is installed ({names}): apt install mpv, or jiashu voice save");
        CliError::new(ExitCode::BadInput, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_by_the_time_that_it_took() {
        let cases =
            [(0, 0), (20_999, 49), (21_000, 50), (41_499, 98), (41_500, 100), (90_000, 100)];

        for (played_ms, percent) in cases {
            assert_eq!(share(played_ms, 42_000), percent, "{played_ms}");
        }
        assert_eq!(share(0, 300), 100);
    }

    #[tokio::test]
    async fn a_player_that_is_not_there_or_fails_is_named() {
        for named in ["/no/such/player", "false"] {
            let error = play(b"sound", 42_000, Some(named)).await.unwrap_err();

            assert!(error.message.contains("jiashu voice save"), "{error}");
        }
    }
}

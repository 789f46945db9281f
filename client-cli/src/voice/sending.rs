//! What waits here goes to the relay: the sealed files first, then what names them.

use std::path::Path;
use std::time::Duration;

use jiashu_proto::id::Ref;

use super::file;
use super::transfer;
use super::way::{Stopped, Way};
use crate::clock::now_ms;
use crate::connection::dice;
use crate::error::{CliError, ExitCode, Result};
use crate::home::Home;
use crate::reconnect::{Ended, Reconnect};
use crate::round;
use crate::say::note;
use crate::state::State;
use crate::state::lane::Lane;
use crate::state::outbox;
use crate::state::upload::{self, Upload};
use crate::sync;

/// How often to look for what other terminals want to be sent.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often the words that name a sound are tried, once it is up.
const WORDS_TRIES: u32 = 3;

/// Where the relay does not let us in: so long until it is asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Sends the sealed files that the relay does not have yet, one after the other; another process that does so
/// already is left to it.
///
/// # Errors
///
/// [`crate::error::ExitCode::Offline`] where the line breaks: what has arrived stays there.
pub async fn send_waiting(home: &Home, ca: Option<&Path>) -> Result<()> {
    let mut state = State::open(home)?;
    let Some(_lock) = home.try_uploader()? else { return Ok(()) };
    // Looked up again after each: another terminal may have given up what it had to say.
    while let Some(next) = upload::waiting(state.db())?.into_iter().next() {
        send_one(&mut state, home, ca, &next).await?;
    }
    Ok(())
}

/// Lets this home and the relay exchange what they have, as [`round::exchange`]: what may leave at once, then the
/// sealed files that the rest waits for, and that.
///
/// # Errors
///
/// As of [`round::exchange`].
pub async fn deliver(home: &Home, ca: Option<&Path>, refs: &[Ref]) -> Result<()> {
    let state = State::open(home)?;
    if upload::waiting(state.db())?.is_empty() {
        return round::exchange(home, ca, refs).await;
    }
    // Words do not wait for a voice; where there are none, a round is saved.
    if !outbox::ready(state.db(), 1)?.is_empty() {
        round::exchange(home, ca, &[]).await?;
    }
    let sent = send_waiting(home, ca).await;
    let mut tries = 1;
    loop {
        // Where this phone is out, this says so.
        match round::exchange(home, ca, refs).await {
            // So much went over this line just now that it pays to try a little longer.
            Err(error)
                if error.code == ExitCode::Offline && sent.is_ok() && tries < WORDS_TRIES =>
            {
                tries += 1;
                tokio::time::sleep(LOOK_EVERY).await;
            }
            done => return done.and(sent),
        }
    }
}

/// Goes on with what was cut, whatever this process was started for. A line that breaks again is no error.
///
/// # Errors
///
/// As of [`round::exchange`].
pub async fn go_on(home: &Home, ca: Option<&Path>) -> Result<()> {
    let Ok(state) = State::open(home) else { return Ok(()) };
    let is_in =
        Lane::load(state.db())?.is_some_and(|lane| lane.device.is_some() && lane.ended.is_none());
    if !is_in || upload::waiting(state.db())?.is_empty() {
        return Ok(());
    }
    match deliver(home, ca, &[]).await {
        Err(error) if error.code == ExitCode::Offline => {
            note("(a voice note is still on its way: it goes on the next time)");
            Ok(())
        }
        done => done,
    }
}

/// Sends what waits as long as this process lives, for one that stays connected.
///
/// # Errors
///
/// If the state cannot be read or written. A relay that cannot be reached is no error.
pub async fn keep_sending(home: &Home, ca: Option<&Path>) -> Result<()> {
    let mut reconnect = Reconnect::new();
    loop {
        let wait = match send_waiting(home, ca).await {
            Ok(()) => {
                reconnect = Reconnect::new();
                LOOK_EVERY
            }
            Err(error) if error.code == ExitCode::Offline => {
                LOOK_EVERY + reconnect.after(Ended::Failed, dice()).time
            }
            // The live connection hears why.
            Err(error) if error.code == ExitCode::Refused => LONGEST_WAIT,
            Err(error) => return Err(error),
        };
        tokio::time::sleep(wait).await;
    }
}

async fn send_one(state: &mut State, home: &Home, ca: Option<&Path>, next: &Upload) -> Result<()> {
    let lane = Lane::joined(state.db())?;
    let token = lane.token();
    let way = Way { origin: &lane.origin, ca, token: Some(&token) };
    let stored = file::path(home, next.blob);
    if !next.begun {
        upload::begun(state.db(), next.blob)?;
    }
    match transfer::upload(way, next, &stored).await {
        Ok(()) => upload::done(state.db(), next.blob, now_ms()),
        Err(Stopped::Refused(code, why)) => {
            refuse(state, next, &code)?;
            note(&format!("a voice note cannot be sent: {why}"));
            Ok(())
        }
        Err(Stopped::Disk(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            refuse(state, next, "lost")?;
            note("a voice note cannot be sent: its file is gone from this phone");
            Ok(())
        }
        Err(stopped) => Err(CliError::from(stopped)),
    }
}

fn refuse(state: &mut State, upload: &Upload, code: &str) -> Result<()> {
    let tx = state.begin()?;
    sync::refuse_naming(&tx, upload.blob, code)?;
    Ok(tx.commit()?)
}

//! One-shot checking: rounds of `POST /1` until both sides have what the other had to say.
//!
//! Only one process of a home talks to the relay. Where a listener does, a verb waits for it to
//! pass the verb's commands on, and reads what it wrote.

use std::path::Path;
use std::time::{Duration, Instant};

use jiashu_proto::bounds;
use jiashu_proto::frame::RelayFrame;
use jiashu_proto::id::Ref;

use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::home::Home;
use crate::http;
use crate::say::note;
use crate::state::State;
use crate::state::given;
use crate::state::lane::{self, Listener};
use crate::state::outbox::{self, Fate};
use crate::sync::{self, Applied, Engine};

/// An answer this large, in bytes, may have been cut at a page's end though it holds few entries.
const LARGE_ANSWER: usize = 64 * 1024;

/// Rounds of one verb: 16,000 entries, more than a family writes in 90 days. A relay without end
/// does not hold a verb for ever, nor fill the disk in one go.
const MAX_ROUNDS: usize = 256;

/// How long a verb waits for the process that talks to the relay.
const LISTENER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long it waits for a listener that has no connection, and tries again because we knocked.
const KNOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// How often it looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Reads all there is, hands in links that the relay lost, and sends all that may go.
///
/// # Errors
///
/// [`ExitCode::Offline`] if the relay cannot be reached; else as [`Engine::apply`].
pub async fn sync(engine: &mut Engine, ca: Option<&Path>) -> Result<()> {
    for _ in 0..MAX_ROUNDS {
        let mut frames = engine.hello().to_bytes(0);
        for command in engine.commands(now_ms())? {
            command.write_to(0, &mut frames);
        }
        let answer = http::round(&engine.lane().origin, ca, &frames).await?;
        let applied = apply_all(engine, &answer)?;
        let may_be_more = applied.taken >= bounds::MAX_ENTRIES || answer.len() >= LARGE_ANSWER;
        let progress = applied.moved || applied.settled;
        if let Some(hand_in) = engine.hand_in(!may_be_more, now_ms())? {
            let mut frames = Vec::new();
            if let Some(hello) = engine.vouches() {
                hello.write_to(0, &mut frames);
            }
            hand_in.write_to(0, &mut frames);
            let answer = http::round(&engine.lane().origin, ca, &frames).await?;
            apply_all(engine, &answer)?;
            continue;
        }
        if !(applied.moved && may_be_more || progress && engine.has_more(now_ms())?) {
            return Ok(());
        }
    }
    note("there is more to come: run the same again");
    Ok(())
}

fn apply_all(engine: &mut Engine, mut answer: &[u8]) -> Result<Applied> {
    let mut all = Applied::default();
    let mut broken = None;
    while !answer.is_empty() {
        let (lane, frame) = RelayFrame::read_from(&mut answer).map_err(|error| {
            CliError::new(ExitCode::General, format!("the relay's answer does not read: {error}"))
        })?;
        match engine.apply(frame, now_ms()) {
            Ok(applied) if lane == 0 => all.and(applied),
            Ok(_) => {}
            // What was posted before the roster broke is still to be noted.
            Err(error) if error.code == ExitCode::Unsafe => broken = Some(error),
            Err(error) => return Err(error),
        }
    }
    broken.map_or(Ok(all), Err)
}

/// Lets this home and the relay exchange what they have, itself or through a running listener,
/// until `refs` found their end or cannot for now, and what was asked for came.
///
/// # Errors
///
/// As of [`sync()`]; [`ExitCode::Refused`] if this phone is out, which is not asked again.
pub async fn exchange(home: &Home, ca: Option<&Path>, refs: &[Ref]) -> Result<()> {
    if let Some(ended) = lane::Lane::joined(State::open(home)?.db())?.ended {
        return Err(sync::ended(ended));
    }
    exchange_anyway(home, ca, refs).await
}

/// As [`exchange`], also where this phone is out as far as it knows.
///
/// # Errors
///
/// As of [`sync()`].
pub async fn exchange_anyway(home: &Home, ca: Option<&Path>, refs: &[Ref]) -> Result<()> {
    let state = State::open(home)?;
    let begun = Instant::now();
    let mut knocked = None;
    loop {
        if let Some(_lock) = home.try_sender()? {
            let mut engine = Engine::open(State::open(home)?)?;
            if lane::listener(engine.db())? != Listener::None {
                lane::set_listener(engine.db(), Listener::None)?;
            }
            return self::sync(&mut engine, ca).await;
        }
        match lane::listener(state.db())? {
            Listener::Online if all_ended(&state, refs)? || waits(&state)? => return Ok(()),
            Listener::Offline if knocked.is_none() => {
                knocked = Some(Instant::now());
                lane::knock(state.db())?;
            }
            Listener::Offline | Listener::Online | Listener::None => {}
        }
        let in_vain = knocked.is_some_and(|at| at.elapsed() >= KNOCK_TIMEOUT);
        if in_vain || begun.elapsed() >= LISTENER_TIMEOUT {
            let text = "the relay cannot be reached by the jiashu that is listening";
            return Err(CliError::new(ExitCode::Offline, text));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether the relay has said why it keeps the outbox waiting.
fn waits(state: &State) -> Result<bool> {
    Ok(lane::Lane::joined(state.db())?.waits.is_some())
}

fn all_ended(state: &State, refs: &[Ref]) -> Result<bool> {
    if !given::asked(state.db())?.is_empty() {
        return Ok(false);
    }
    for entry_ref in refs {
        if outbox::fate(state.db(), *entry_ref)? == Some(Fate::Waits) {
            return Ok(false);
        }
    }
    Ok(true)
}

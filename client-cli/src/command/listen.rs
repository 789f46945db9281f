//! `listen`: stays connected, rings and shows letters as they come.

use std::ops::ControlFlow;
use std::time::Duration;

use super::inbox::{people_of, reading};
use super::ringing::Bell;
use super::{Context, changes};
use crate::args::letters::ReaderArgs;
use crate::clock::now_ms;
use crate::connection::{self, Event};
use crate::error::{CliError, ExitCode, Result};
use crate::say;
use crate::state::State;
use crate::state::lane::{self, Listener};
use crate::sync::Engine;
use crate::voice::sending;

/// How often to try, and how long, to become the one who talks to the relay.
const TRY_EVERY: Duration = Duration::from_millis(100);
const TRIES: u32 = 100;

pub(super) async fn run(context: &mut Context<'_>, args: &ReaderArgs) -> Result<()> {
    let reading = reading(context, args)?;
    let _lock = become_sender(context).await?;
    let mut engine = Engine::open(State::open(&context.home)?)?;
    // Other terminals may wait for us from now on.
    lane::set_listener(engine.db(), Listener::Offline)?;
    let stop = stopped()?;
    let (home, ca, out) = (&context.home, context.globals.ca.as_deref(), &mut *context.out);
    let mut bell = Bell::default();
    let mut on_event = |event: Event, engine: &mut Engine| {
        match event {
            Event::Connected => say::note("connected"),
            Event::Cut(wait) => {
                say::note(&format!("no connection, next try in {} s", seconds(wait)))
            }
            Event::Changed => {}
            Event::Tick if !bell.is_due(engine.state())? => return Ok(ControlFlow::Continue(())),
            Event::Tick => {}
        }
        let people = people_of(engine)?;
        bell.look(home, engine.state(), &people, &reading, out)?;
        let (lane, family) = (engine.lane().clone(), engine.family().clone());
        changes::tell_new(engine.state(), &lane, &family, &people, reading.json, now_ms())?;
        Ok(ControlFlow::Continue(()))
    };
    let ended = tokio::select! {
        biased;
        () = stop => Ok(()),
        ended = connection::stay(&mut engine, ca, &mut on_event) => ended,
        ended = sending::keep_sending(home, ca) => ended,
    };
    lane::set_listener(engine.db(), Listener::None)?;
    ended
}

fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(1)
}

async fn become_sender(context: &Context<'_>) -> Result<crate::home::SenderLock> {
    for _ in 0..TRIES {
        if let Some(lock) = context.home.try_sender()? {
            return Ok(lock);
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
    let text = "another jiashu of this folder is listening already";
    Err(CliError::new(ExitCode::Refused, text))
}

/// Ends when a person or the system asks us to stop.
fn stopped() -> Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}

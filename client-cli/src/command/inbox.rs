//! `inbox`: what is new, once; with `--wait` also what comes soon.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::letter::{Reading, show_new};
use super::{Context, View, changes};
use crate::args::letters::{InboxArgs, ReaderArgs};
use crate::clock::now_ms;
use crate::connection::{self, Event};
use crate::error::{ExitCode, Result};
use crate::round;
use crate::say::People;
use crate::state::State;
use crate::state::lane::{self, Listener};
use crate::sync::Engine;

/// How often to look for what a running listener has received.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn run(context: &mut Context<'_>, args: &InboxArgs) -> Result<()> {
    let reading = reading(context, &args.reader)?;
    let exchanged = context.exchange_or_go_on().await;
    let mut shown = show(context, &reading)?;
    exchanged?;
    tell_changes(context, reading.json)?;
    if let (0, Some(seconds)) = (shown, args.wait) {
        shown = wait(context, &reading, Duration::from_secs(seconds)).await?;
    }
    if shown == 0 && !reading.json {
        writeln!(context.out, "Nothing new.")?;
    }
    if shown > 0 && reading.opens {
        // The writers hear of it now; offline, they will.
        match round::exchange(&context.home, context.ca(), &[]).await {
            Err(error) if error.code != ExitCode::Offline => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Who reads, and how it is shown, as it was typed.
pub(super) fn reading(context: &Context<'_>, args: &ReaderArgs) -> Result<Reading> {
    let named = args.reader.as_deref();
    let people = View::open(&context.home)?.people;
    let reader = named.map(|named| people.speaker(Some(named))).transpose()?;
    Ok(Reading { json: context.globals.json, opens: args.open || !context.globals.json, reader })
}

fn show(context: &mut Context<'_>, reading: &Reading) -> Result<usize> {
    let mut view = View::open(&context.home)?;
    show_new(&context.home, &mut view.state, &view.people, reading, context.out)
}

/// What else is new: in the family itself.
fn tell_changes(context: &Context<'_>, as_json: bool) -> Result<()> {
    let View { state, lane, family, people } = View::open(&context.home)?;
    changes::tell_new(&state, &lane, &family, &people, as_json, now_ms())
}

/// Waits for something new, connected itself or beside a listener. How many were shown.
async fn wait(context: &mut Context<'_>, reading: &Reading, most: Duration) -> Result<usize> {
    let until = Instant::now() + most;
    while Instant::now() < until {
        if let Some(_lock) = context.home.try_sender()? {
            let left = until.saturating_duration_since(Instant::now());
            return wait_connected(context, reading, left).await;
        }
        let shown = show(context, reading)?;
        if shown > 0 {
            return Ok(shown);
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(0)
}

async fn wait_connected(
    context: &mut Context<'_>,
    reading: &Reading,
    most: Duration,
) -> Result<usize> {
    let mut engine = Engine::open(State::open(&context.home)?)?;
    lane::set_listener(engine.db(), Listener::Offline)?;
    let mut shown = 0;
    let (home, ca, out) = (&context.home, context.globals.ca.as_deref(), &mut *context.out);
    let mut on_event = |event: Event, engine: &mut Engine| {
        // Connected, too: a log that was read again was read before, round by round.
        if !matches!(event, Event::Cut(_) | Event::Tick) {
            let people = people_of(engine)?;
            shown = show_new(home, engine.state(), &people, reading, out)?;
        }
        Ok(if shown > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    let ended = timeout(most, connection::stay(&mut engine, ca, &mut on_event)).await;
    lane::set_listener(engine.db(), Listener::None)?;
    ended.unwrap_or(Ok(()))?;
    Ok(shown)
}

/// The family as the engine has it.
pub(super) fn people_of(engine: &Engine) -> Result<People> {
    People::load(engine.db(), engine.lane(), engine.family())
}

//! `family accept`: a person takes the relay's list of phones where it is another than this phone's.

use serde_json::json;

use super::family::{fork_json, print_fork};
use super::{Context, View};
use crate::error::{CliError, ExitCode, Result};
use crate::round;
use crate::state::State;
use crate::state::lane::Lane;
use crate::sync::forks;

pub(super) async fn run(context: &mut Context<'_>, yes: bool) -> Result<()> {
    View::open_to_write(&context.home)?;
    // A fork fails the exchange, and that is what it is to show.
    match round::exchange(&context.home, context.ca(), &[]).await {
        Err(error) if !matches!(error.code, ExitCode::Unsafe | ExitCode::Offline) => {
            return Err(error);
        }
        _ => {}
    }
    let view = View::open(&context.home)?;
    let Some((from, roster)) = forks::shown(view.state.db())? else {
        let text =
            "the relay shows no other list of phones than this one: there is nothing to accept";
        return Err(CliError::new(ExitCode::BadInput, text));
    };
    if !forks::is_in(&roster, &view.lane) {
        let text = "this phone is not in the relay's list, so it cannot take it: ask the family for \
                    a new card; what is here can still be read and exported";
        return Err(CliError::new(ExitCode::Refused, text));
    }
    if !yes {
        print_fork(&view, from, &roster);
        let question = "Call each other first. Take the relay's list, and write to its phones?";
        Context::confirm(question, "nothing was changed, and nothing is sent from here")?;
    }
    take(context, from)?;
    match round::exchange(&context.home, context.ca(), &[]).await {
        Err(error) if error.code != ExitCode::Offline => return Err(error),
        _ => {}
    }
    if context.globals.json {
        let fork = fork_json(&view, from, &roster);
        return context.json(&json!({ "accepted": true, "fork": fork }));
    }
    writeln!(context.out, "Taken. What waited here is sent to the phones of that list.")?;
    Ok(())
}

/// No other process may be at work: it would write back what it remembers.
fn take(context: &Context<'_>, from: u32) -> Result<()> {
    let busy = "another jiashu of this folder is at work: end it first, then say it again";
    let lock = context.home.try_sender()?;
    let _lock = lock.ok_or_else(|| CliError::new(ExitCode::Refused, busy))?;
    let mut state = State::open(&context.home)?;
    let lane = Lane::joined(state.db())?;
    let tx = state.begin()?;
    forks::accept(&tx, lane, from)?;
    Ok(tx.commit()?)
}

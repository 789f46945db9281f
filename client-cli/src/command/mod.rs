//! The verbs, one a file. Answers go to `out`, all else to standard error.

use std::io::{BufRead as _, IsTerminal as _, Write};
use std::path::Path;

use serde::Serialize;

use crate::args::family::FamilyCommand;
use crate::args::voice::VoiceCommand;
use crate::args::{Cli, Globals, Verb};
use crate::error::{CliError, ExitCode, Result};
use crate::home::Home;
use crate::ngo;
use crate::round;
use crate::say::{self, People};
use crate::state::chain::Family;
use crate::state::lane::{Ended, Lane};
use crate::state::{State, told};
use crate::sync;
use crate::voice::sending;

pub mod join;

mod invited;

mod asking;

pub mod send;

pub mod leave;
mod letter;

pub mod inbox;

pub mod listen;

pub mod log;

pub mod heard;

pub mod schedule;

mod voice;

mod remind;

mod quiet;

mod calendar;

mod plan;

mod ringing;

pub mod family;

mod changes;

mod notices;

mod accept;

pub mod invite;

pub mod revoke;

mod requests;

pub mod admit;

mod turning;

mod withdraw;

mod help;

mod nudges;

mod suspensions;

pub mod status;

pub mod export;

pub mod shell;

/// Does what was typed.
///
/// # Errors
///
/// [`CliError`], to be shown as one line on standard error.
pub async fn run(cli: Cli, out: &mut dyn Write) -> Result<()> {
    let Cli { globals, verb } = cli;
    let mut context = match verb {
        Verb::Completions { shell } => return shell::completions(shell, out),
        Verb::Man => return shell::man(out),
        Verb::Ngo(command) => return ngo::run(command, &globals, out).await,
        _ => Context::new(globals, out)?,
    };
    // Those that send have tried already, and who ends a listener has had enough.
    let goes_on = !matches!(
        verb,
        Verb::Listen(_)
            | Verb::Send(_)
            | Verb::Remind(_)
            | Verb::Voice(VoiceCommand::Send(_) | VoiceCommand::Record(_))
    );
    let done = match verb {
        Verb::Join(args) => join::run(&mut context, &args).await,
        Verb::Send(args) => send::run(&mut context, &args).await,
        Verb::Inbox(args) => inbox::run(&mut context, &args).await,
        Verb::Listen(args) => listen::run(&mut context, &args.reader).await,
        Verb::Log => log::run(&mut context).await,
        Verb::Heard(args) => heard::run(&mut context, &args).await,
        Verb::Schedule(command) => schedule::run(&mut context, command).await,
        Verb::Voice(command) => voice::run(&mut context, command).await,
        Verb::Remind(args) => remind::run(&mut context, &args).await,
        Verb::Done(args) => heard::done(&mut context, &args).await,
        Verb::Quiet(args) => quiet::run(&mut context, &args),
        Verb::Calendar(args) => calendar::run(&mut context, &args).await,
        Verb::Plan { command } => plan::run(&mut context, command).await,
        Verb::Family { command: None } => family::run(&mut context).await,
        Verb::Family { command: Some(FamilyCommand::Accept { yes }) } => {
            accept::run(&mut context, yes).await
        }
        Verb::Invite(args) => invite::run(&mut context, &args).await,
        Verb::Revoke(args) => revoke::run(&mut context, &args).await,
        Verb::Admit(args) => admit::run(&mut context, &args).await,
        Verb::WhoSees => withdraw::who_sees(&mut context).await,
        Verb::Withdraw(args) => withdraw::run(&mut context, &args).await,
        Verb::Leave(args) => leave::run(&mut context, &args).await,
        Verb::AskForHelp(args) => help::ask(&mut context, &args).await,
        Verb::Reach(args) => help::reach(&mut context, &args).await,
        Verb::Status => status::run(&mut context).await,
        Verb::Export(args) => export::run(&mut context, &args).await,
        Verb::Completions { .. } | Verb::Man | Verb::Ngo(_) => Ok(()),
    };
    context.out.flush()?;
    // After what was asked for: voice notes whose way was cut go on.
    if done.is_ok() && goes_on { sending::go_on(&context.home, context.ca()).await } else { done }
}

/// What every verb works with.
pub struct Context<'a> {
    globals: Globals,
    home: Home,
    out: &'a mut dyn Write,
}

/// What a verb sees of the state.
pub struct View {
    state: State,
    lane: Lane,
    family: Family,
    people: People,
}

impl View {
    fn open(home: &Home) -> Result<Self> {
        let state = State::open(home)?;
        let lane = Lane::joined(state.db())?;
        let family = Family::load(state.db())?;
        let people = People::load(state.db(), &lane, &family)?;
        Ok(Self { state, lane, family, people })
    }

    /// To say something by: not where this phone is out, as it would wait for ever.
    fn open_to_write(home: &Home) -> Result<Self> {
        let view = Self::open(home)?;
        view.lane.ended.map_or(Ok(view), |ended| Err(sync::ended(ended)))
    }
}

impl<'a> Context<'a> {
    fn new(globals: Globals, out: &'a mut dyn Write) -> Result<Self> {
        let home = Home::find(globals.home.as_deref())?;
        Ok(Self { globals, home, out })
    }

    fn ca(&self) -> Option<&Path> {
        self.globals.ca.as_deref()
    }

    /// Exchanges with the relay what there is, and goes on without it if it cannot be reached.
    /// Whether it could.
    async fn exchange_or_go_on(&self) -> Result<bool> {
        let exchanged = round::exchange(&self.home, self.ca(), &[]).await;
        let state = State::open(&self.home)?;
        if let Some(ended) = Lane::joined(state.db())?.ended {
            self.tell_ended(&state, ended)?;
            return Ok(false);
        }
        match exchanged {
            Ok(()) => Ok(true),
            Err(error) if error.code == ExitCode::Offline => {
                say::note("(offline: this is what was known last)");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Says that this phone is out: once in red, from then on beside what it has.
    fn tell_ended(&self, state: &State, ended: Ended) -> Result<()> {
        if told::upto(state.db(), told::ENDED)? == Some(ended.at) {
            let text =
                "(this phone is out: this is what it has; jiashu status asks the relay again)";
            say::note(text);
            return Ok(());
        }
        say::warn(&format!("jiashu: {}", sync::ended(ended).message));
        told::put(state.db(), told::ENDED, ended.at)
    }

    /// Asks a person at the terminal.
    ///
    /// # Errors
    ///
    /// [`ExitCode::Refused`] with `no` for another answer than yes; [`ExitCode::BadInput`] where
    /// there is no terminal.
    pub(crate) fn confirm(question: &str, no: &str) -> Result<()> {
        if !std::io::stdin().is_terminal() {
            let text = "nobody is here to ask: say --yes to do it all the same";
            return Err(CliError::new(ExitCode::BadInput, text));
        }
        say::note(&format!("{question} [y/N]"));
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            Ok(())
        } else {
            Err(CliError::new(ExitCode::Refused, no))
        }
    }

    fn json(&mut self, value: &impl Serialize) -> Result<()> {
        Ok(writeln!(self.out, "{}", say::json_line(value)?)?)
    }
}

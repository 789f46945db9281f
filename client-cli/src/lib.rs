//! The command-line client: letters of one family, from one device, in a folder of its own.
//!
//! Read in this order: the command line (`args`) names a verb (`command`), which asks and changes
//! what is on disk (`home`, `state`) and lets the engine (`sync`) talk to the relay, in one round
//! (`round`, over `http`) or live (`connection`, which comes back as `reconnect` says). Sound goes its own way (`voice`). `say` is how it looks to people,
//! `quiet` when it is not to be heard.

pub mod args;

pub mod command;

pub mod home;

pub mod state;

pub mod sync;

pub mod round;

pub mod connection;

pub mod reconnect;

pub mod http;

pub mod voice;

pub mod say;

pub mod quiet;

pub mod icalendar;

pub mod ngo;

pub mod clock;

pub mod error;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::Cli;
use crate::error::{CliError, Result};

/// Parses the command line, does what it says, and gives the exit code.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Cli::try_parse_from(args).map_or_else(|error| not_run(&error), run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.message.is_empty() {
                say::warn(&format!("jiashu: {}", say::one_line(&error.message)));
            }
            error.code.into()
        }
    }
}

/// Shows the help where it was asked for, or nothing was; else says in one line what is wrong.
fn not_run(error: &clap::Error) -> Result<()> {
    let usage = |text: &str| Err(CliError::new(error::ExitCode::Usage, text));
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(error.print()?),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            std::io::stdout().write_all(text.as_bytes())?;
            usage("say what to do")
        }
        // The first paragraph says what is wrong, the others are the usage.
        _ => {
            let what = text.split("\n\n").next().unwrap_or_default();
            let words: Vec<_> = what.trim_start_matches("error: ").split_whitespace().collect();
            usage(&format!("{}: see jiashu --help", words.join(" ")))
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = std::io::stdout().lock();
    let done = runtime.block_on(command::run(cli, &mut out));
    let flushed = out.flush().map_err(CliError::from);
    // A look-up of the relay's name that nobody waits for any more must not hold up the end.
    runtime.shutdown_background();
    done.and(flushed)
}

//! The command-line client: letters of one family, from one device, in a folder of its own.
//!
//! Read in this order: the command line (`args`) names a verb (`command`), which asks and changes
//! what is on disk (`home`, `state`) and lets the engine (`sync`) talk to the relay, in one round
//! (`round`, over `http`) or live (`connection`). `say` is how it looks to people.

pub mod args;

pub mod command;

pub mod home;

pub mod state;

pub mod sync;

pub mod round;

pub mod connection;

pub mod http;

pub mod say;

pub mod ngo;

pub mod clock;

pub mod error;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::error::{CliError, Result};

/// Parses the command line, does what it says, and gives the exit code.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match run(Cli::parse_from(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::warn(&format!("jiashu: {}", say::one_line(&error.message)));
            error.code.into()
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = std::io::stdout().lock();
    let done = runtime.block_on(command::run(cli, &mut out));
    let flushed = out.flush().map_err(CliError::from);
    done.and(flushed)
}

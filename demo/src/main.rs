//! The story for a newcomer: a real relay, a family's real phones, and the main job happening.
//!
//! One program that starts itself again as the relay and as each phone, so that one build shows
//! all. Nothing is played back: separate processes, the real protocol, a folder that is thrown away.

#![allow(clippy::print_stdout, reason = "printing is the work here")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod line;

mod phone;

mod programme;

mod relay;

mod spoken;

mod story;

mod sundays;

/// Shows Jiashu at work: a relay, a family in Prato and in a village of Gansu, letters between them.
#[derive(Debug, Parser)]
#[command(name = "demo", version)]
struct Args {
    /// End after the story instead of staying up for other terminals.
    #[arg(long)]
    once: bool,
    /// Another thing to show.
    #[command(subcommand)]
    other: Option<Other>,
}

/// What else there is to see.
#[derive(Debug, Subcommand)]
enum Other {
    /// Make a programme of three sites and sixty families that has lived for twelve weeks, and show what its staff see
    Programme(programme::Args),
}

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default();
    let role = args.next();
    match role.as_ref().and_then(|role| role.to_str()) {
        Some(relay::ROLE) => {
            jiashu_server::command_line::main(std::iter::once(program).chain(args))
        }
        Some(sundays::ROLE) => sundays::relay(args),
        Some(phone::ROLE) => {
            phone::live_as_told();
            jiashu_cli::main(std::iter::once(program).chain(args))
        }
        // A file, for the loudspeaker.
        _ if std::env::var_os(spoken::ROLE).is_some() => spoken::play(role),
        _ => tell(&Args::parse()),
    }
}

fn tell(args: &Args) -> ExitCode {
    let told =
        tokio::runtime::Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| match &args
            .other
        {
            None => runtime.block_on(story::tell(args.once)),
            Some(Other::Programme(args)) => runtime.block_on(programme::tell(args)),
        });
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! What may be typed: the command line as types. What a verb does is in `command/`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use self::ngo::NgoCommand;
use crate::error::ExitCode;

pub mod letters;

pub mod plan;

pub mod family;

pub mod schedule;

pub mod voice;

pub mod ngo;

pub mod programme;

pub mod visit;

mod duration;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "jiashu",
    version,
    about = "Letters of one family, sealed",
    after_help = exit_codes(),
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What holds for every verb.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What holds for every verb.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Globals {
    /// Folder of this device's state [default: $JIASHU_HOME, else the system's place for data]
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// One JSON object a line on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Trust this certificate authority (PEM) besides the public ones
    #[arg(long, global = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Join your family by the link on your card
    Join(family::JoinArgs),
    /// Write a letter; offline it waits and leaves by itself later
    Send(letters::SendArgs),
    /// Show the letters that are new
    Inbox(letters::InboxArgs),
    /// Stay connected and show letters as they come
    Listen(letters::ListenArgs),
    /// Show all letters, and how far your own have come
    Log,
    /// Say that somebody heard a letter
    Heard(letters::HeardArgs),
    /// Letters that arrive at their hour
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// Remind somebody: it rings there until it is done
    Remind(Box<schedule::RemindArgs>),
    /// Say that what a reminder asked for is done: it rings nowhere any more
    Done(letters::DoneArgs),
    /// Voice notes: speak instead of writing
    #[command(subcommand)]
    Voice(voice::VoiceCommand),
    /// Hours in which nothing rings here; what comes then is shown after
    Quiet(letters::QuietArgs),
    /// When you mean to hear each other, and what of it came about
    Plan {
        /// What else.
        #[command(subcommand)]
        command: Option<plan::PlanCommand>,
    },
    /// Write what is planned into a file for any calendar program
    Calendar(schedule::CalendarArgs),
    /// Show who is in the family, their phones and open cards, and what changed
    Family {
        /// What else.
        #[command(subcommand)]
        command: Option<family::FamilyCommand>,
    },
    /// Make a card that lets one more phone in
    Invite(family::InviteArgs),
    /// Remove a phone that was lost or stolen, or close a card that nobody used
    Revoke(family::RevokeArgs),
    /// Let in a new phone that asks, once two people have compared its digits
    Admit(family::AdmitArgs),
    /// Show who sees what of your family
    WhoSees,
    /// Take back that somebody takes part, or that contact is counted
    Withdraw(family::WithdrawArgs),
    /// Leave: everything of the family is deleted at the relay, after some days in which it can be taken back
    Leave(family::LeaveArgs),
    /// Tell the staff of your programme that somebody here needs help; nobody in the family is shown it
    AskForHelp(family::HelpArgs),
    /// Give an address where a mail reminds you when contact was missed, or take it back
    Reach(family::ReachArgs),
    /// Show how this phone is doing
    Status,
    /// Write everything of your family, opened, into a folder
    Export(family::ExportArgs),
    /// For the staff of a programme
    #[command(subcommand)]
    Ngo(NgoCommand),
    /// Print the completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// The exit codes, for the help and the manual.
#[must_use]
pub fn exit_codes() -> String {
    let codes = ExitCode::ALL.map(|(code, meaning)| format!("  {}  {meaning}", code as u8));
    format!("Exit codes:\n{}", codes.join("\n"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_names_every_exit_code() {
        let help = Cli::command().render_help().to_string();

        for (code, meaning) in ExitCode::ALL {
            assert!(help.contains(&format!("{}  {meaning}", code as u8)), "{meaning}");
        }
    }
}

//! Arguments of the verbs about voice notes.

use std::path::PathBuf;

use super::duration::length_ms;
use super::schedule::{PartiesArgs, WhenArgs};

/// What can be done about voice notes.
#[derive(Debug, clap::Subcommand)]
pub enum VoiceCommand {
    /// Send a file of sound; offline it waits and leaves by itself later
    Send(Box<SendVoiceArgs>),
    /// Speak, and send it: Enter ends the recording
    Record(Box<RecordArgs>),
    /// Show the voice notes: how long, how large, whether they are here, how much was heard
    List,
    /// Play a voice note, fetching it first; who sent it sees how much was heard
    Play(PlayArgs),
    /// Keep a voice note as a file, opened
    Save(SaveArgs),
    /// Make an address by which somebody without the app can hear a voice note
    Link(LinkArgs),
    /// Play a voice note by such an address
    Open(OpenArgs),
}

/// To whom a voice note goes, and when.
#[derive(Debug, clap::Args)]
pub struct OnItsWayArgs {
    /// When, if not now.
    #[command(flatten)]
    pub when: WhenArgs,
    /// Put it into this letter bank: its id, or the beginning of it
    #[arg(long, value_name = "ID", conflicts_with_all = ["when", "to", "speaker"])]
    pub bank: Option<String>,
    /// Who speaks to whom.
    #[command(flatten)]
    pub parties: PartiesArgs,
    /// Planned, it is worth nothing after so long: 2h, 3d
    #[arg(long, value_name = "TIME", value_parser = length_ms, requires = "when")]
    pub valid_for: Option<i64>,
}

/// Arguments of `jiashu voice send`.
#[derive(Debug, clap::Args)]
pub struct SendVoiceArgs {
    /// Opus in Ogg; other sound is converted where ffmpeg is installed. Several fill a new letter bank (--every)
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where to.
    #[command(flatten)]
    pub way: OnItsWayArgs,
}

/// Arguments of `jiashu voice record`.
#[derive(Debug, clap::Args)]
pub struct RecordArgs {
    /// End by itself after so long: 30s, 2m
    #[arg(long = "for", value_name = "TIME", value_parser = length_ms)]
    pub most: Option<i64>,
    /// Keep it in this file, and send nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["when", "bank", "to", "speaker", "yes"])]
    pub out: Option<PathBuf>,
    /// Send it without a question
    #[arg(long)]
    pub yes: bool,
    /// Where to.
    #[command(flatten)]
    pub way: OnItsWayArgs,
}

/// Arguments of `jiashu voice play`.
#[derive(Debug, clap::Args)]
pub struct PlayArgs {
    /// Its number, as the log shows it [default: the first that nobody here has heard]
    pub seq: Option<u64>,
    /// Who hears it [default: the first grown-up whom it is for, else the child]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// By what.
    #[command(flatten)]
    pub player: PlayerArgs,
}

/// What plays.
#[derive(Debug, clap::Args)]
pub struct PlayerArgs {
    /// A program that plays the file it is given [default: mpv, ffplay, play, … whichever is installed]
    #[arg(long, value_name = "PROGRAM", env = "JIASHU_PLAYER")]
    pub player: Option<String>,
}

/// Arguments of `jiashu voice save`.
#[derive(Debug, clap::Args)]
pub struct SaveArgs {
    /// Its number, as the log shows it
    pub seq: u64,
    /// A new file [default: voice-SEQ.opus here]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Arguments of `jiashu voice link`.
#[derive(Debug, clap::Args)]
pub struct LinkArgs {
    /// Its number, as the log shows it
    pub seq: u64,
    /// How long it holds, at most 30d
    #[arg(long = "for", value_name = "TIME", value_parser = length_ms, default_value = "3d")]
    pub lasts_ms: i64,
}

/// Arguments of `jiashu voice open`.
#[derive(Debug, clap::Args)]
pub struct OpenArgs {
    /// The whole address, with what stands behind the #
    pub link: String,
    /// Keep it in this new file, and play nothing
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// By what.
    #[command(flatten)]
    pub player: PlayerArgs,
}

//! Arguments of the verbs that write and read letters.

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use jiashu_proto::text::Picture;

/// Arguments of `jiashu send`.
#[derive(Debug, clap::Args)]
pub struct SendArgs {
    /// For whom, by name or number; may be repeated [default: everybody]
    #[arg(long, value_name = "NAME")]
    pub to: Vec<String>,
    /// In whose name, where this phone serves several
    #[arg(long = "as", value_name = "NAME")]
    pub speaker: Option<String>,
    /// Each line of standard input is one letter
    #[arg(long, conflicts_with_all = ["text", "picture"])]
    pub lines: bool,
    /// A picture in place of a letter
    #[arg(long, value_name = "PICTURE", conflicts_with = "text", value_parser = picture())]
    pub picture: Option<Picture>,
    /// The letter
    #[arg(required_unless_present_any = ["lines", "picture"])]
    pub text: Vec<String>,
}

fn picture() -> impl clap::builder::TypedValueParser<Value = Picture> {
    let names = PossibleValuesParser::new(Picture::ALL.map(Picture::name));
    names.try_map(|name| Picture::from_name(&name).ok_or("there is no such picture"))
}

/// Arguments of `jiashu inbox`.
#[derive(Debug, clap::Args)]
pub struct InboxArgs {
    /// If there is nothing new, wait so many seconds for it
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=31_536_000))]
    pub wait: Option<u64>,
    /// Who reads.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

/// Arguments of `jiashu listen`.
#[derive(Debug, clap::Args)]
pub struct ListenArgs {
    /// Who reads.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

/// Who reads.
#[derive(Debug, clap::Args)]
pub struct ReaderArgs {
    /// With --json: tell the writers that the letters were opened (else only without it)
    #[arg(long)]
    pub open: bool,
    /// Who reads, where this phone serves several
    #[arg(long = "as", value_name = "NAME")]
    pub reader: Option<String>,
}

/// Arguments of `jiashu heard`.
#[derive(Debug, clap::Args)]
pub struct HeardArgs {
    /// Numbers of the letters, as the log shows them
    #[arg(required = true, value_name = "SEQ")]
    pub seqs: Vec<u64>,
    /// Who heard them
    #[arg(long, value_name = "NAME")]
    pub by: String,
}

/// Arguments of `jiashu done`.
#[derive(Debug, clap::Args)]
pub struct DoneArgs {
    /// Numbers of the reminders, as the log shows them
    #[arg(required = true, value_name = "SEQ")]
    pub seqs: Vec<u64>,
    /// Who did it [default: the first whom it is for of those whom this phone serves]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

/// Arguments of `jiashu quiet`.
#[derive(Debug, clap::Args)]
pub struct QuietArgs {
    /// From when to when, on this phone's clock: 21:00-07:00; or off [default: show]
    #[arg(value_name = "HH:MM-HH:MM|off")]
    pub hours: Option<String>,
}

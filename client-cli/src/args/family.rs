//! Arguments of the verbs about the family and its phones.

use std::path::PathBuf;

use jiashu_proto::id::Role;

/// Arguments of `jiashu join`.
#[derive(Debug, clap::Args)]
pub struct JoinArgs {
    /// The link on the card; not needed to go on with a request that was begun here
    pub link: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// Arguments of `jiashu invite`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("whom").required(true))]
pub struct InviteArgs {
    /// Members whom the phone will serve, by name or number, with commas
    #[arg(long = "for", value_name = "NAME", value_delimiter = ',', group = "whom")]
    pub members: Vec<String>,
    /// The name of a new member of the family
    #[arg(long, value_name = "NAME", group = "whom", requires = "role")]
    pub new: Option<String>,
    /// What the new member is: parent or caregiver
    #[arg(long, value_name = "ROLE", requires = "new")]
    pub role: Option<Role>,
    /// What the phone is to be called
    #[arg(long, value_name = "LABEL")]
    pub device: Option<String>,
    /// For how many days the card is good
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=30))]
    pub days: u8,
    /// Print the links of the open cards made here once more
    #[arg(long, group = "whom")]
    pub show: bool,
}

/// What `jiashu family` can do beside showing.
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub enum FamilyCommand {
    /// Where the relay shows another list of phones than this one: take the relay's
    Accept {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// Arguments of `jiashu revoke`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct RevokeArgs {
    /// Number of the phone, as jiashu family shows it
    #[arg(value_name = "PHONE", group = "what", value_parser = clap::value_parser!(u32).range(1..))]
    pub device: Option<u32>,
    /// Number of an open card to close instead
    #[arg(long, value_name = "CARD", group = "what", value_parser = clap::value_parser!(u32).range(1..))]
    pub card: Option<u32>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// Arguments of `jiashu admit`.
#[derive(Debug, clap::Args)]
pub struct AdmitArgs {
    /// Number of the request, as jiashu family shows it; not needed where there is one
    #[arg(value_name = "REQUEST")]
    pub request: Option<u64>,
    /// Do not ask: let it in if these are its digits, all six groups: 12345-12345-…
    #[arg(long, value_name = "DIGITS")]
    pub yes_digits: Option<String>,
    /// Do not let it in, and show it here no more
    #[arg(long, value_name = "REQUEST", conflicts_with_all = ["request", "yes_digits"])]
    pub refuse: Option<u64>,
}

/// Arguments of `jiashu export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// A folder that is new or empty
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Arguments of `jiashu withdraw`.
#[derive(Debug, clap::Args)]
pub struct WithdrawArgs {
    /// What
    pub what: WithdrawWhat,
    /// Of which child, by name or number; may be repeated [default: all; of a child's own phone itself]
    #[arg(long = "of", value_name = "NAME")]
    pub of: Vec<String>,
    /// In whose name, where this phone serves several
    #[arg(long = "as", value_name = "NAME")]
    pub speaker: Option<String>,
    /// Do not ask again
    #[arg(long)]
    pub yes: bool,
}

/// Arguments of `jiashu leave`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Before it, keep what you want to keep: jiashu export --out DIR. Deleted are the letters, voice notes, plans and
names at the relay, and all that your programme's staff see of the family. Not reached are your own phones, cards
that staff printed, and backups of the relay until their operator throws them away.")]
pub struct LeaveArgs {
    /// At once, if every parent and caregiver who has or had a phone says so too, each by the first that was theirs
    #[arg(long)]
    pub now: bool,
    /// Stay: take back that the family leaves
    #[arg(long, conflicts_with = "now")]
    pub undo: bool,
    /// In whose name, where this phone serves several
    #[arg(long = "as", value_name = "NAME")]
    pub speaker: Option<String>,
    /// Do not ask again
    #[arg(long)]
    pub yes: bool,
}

/// Arguments of `jiashu ask-for-help`.
#[derive(Debug, clap::Args)]
pub struct HelpArgs {
    /// In whose name, where this phone serves several
    #[arg(long = "as", value_name = "NAME")]
    pub speaker: Option<String>,
    /// Do not ask again
    #[arg(long)]
    pub yes: bool,
}

/// Arguments of `jiashu reach`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("where").required(true)))]
pub struct ReachArgs {
    /// An address for e-mail
    #[arg(long, value_name = "ADDRESS", group = "where")]
    pub email: Option<String>,
    /// Nowhere any more
    #[arg(long, group = "where")]
    pub none: bool,
    /// In whose name, where this phone serves several
    #[arg(long = "as", value_name = "NAME")]
    pub speaker: Option<String>,
}

/// What is agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum WithdrawWhat {
    /// That letters move.
    TakingPart,
    /// That contact is counted.
    Counting,
}

impl WithdrawWhat {
    /// The word that is typed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::TakingPart => "taking-part",
            Self::Counting => "counting",
        }
    }
}

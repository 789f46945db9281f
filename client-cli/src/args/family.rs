//! Arguments of the verbs about the family and its phones.

use std::path::PathBuf;

use jiashu_proto::id::Role;

/// Arguments of `jiashu join`.
#[derive(Debug, clap::Args)]
pub struct JoinArgs {
    /// The link on the card
    pub link: String,
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

/// Arguments of `jiashu export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// A folder that is new or empty
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

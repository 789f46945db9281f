//! Arguments of `jiashu schedule`.

/// What can be done about letters that arrive at their hour.
#[derive(Debug, clap::Subcommand)]
pub enum ScheduleCommand {
    /// Write a letter that arrives at its hour, once or again and again
    Add(AddArgs),
    /// Show what is planned
    List,
    /// End what is planned
    Cancel {
        /// Its id, or the beginning of it
        id: String,
    },
}

/// Arguments of `jiashu schedule add`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("when").required(true))]
pub struct AddArgs {
    /// Once, on the recipient's clock: "2027-03-28 19:30"
    #[arg(long, value_name = "LOCAL", group = "when")]
    pub on: Option<String>,
    /// Every week on these days: sun,wed or mon-fri, or day for every day
    #[arg(long, value_name = "DAYS", group = "when", requires = "at")]
    pub every: Option<String>,
    /// At that hour, on the recipient's clock: 19:30
    #[arg(long, value_name = "TIME", requires = "every")]
    pub at: Option<String>,
    /// The clock that counts [default: the recipient's, of all the first child's]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// For whom, by name or number; may be repeated [default: everybody]
    #[arg(long, value_name = "NAME")]
    pub to: Vec<String>,
    /// In whose name, where this phone serves several
    #[arg(long = "as", value_name = "NAME")]
    pub speaker: Option<String>,
    /// The letter
    #[arg(required = true)]
    pub text: Vec<String>,
}

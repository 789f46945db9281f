//! Arguments of `jiashu plan`.

/// What can be done about when the family intends to hear each other.
#[derive(Debug, clap::Subcommand)]
pub enum PlanCommand {
    /// Say when you mean to hear each other, in the place of what was said before
    Set(RuleArgs),
    /// One more time, beside those that stand
    Add(RuleArgs),
    /// Intend nothing any more
    Clear(AsArgs),
    /// Take what the programme's staff proposed
    Confirm(AsArgs),
    /// Stay with what stands: the proposal of the programme's staff goes
    Decline(AsArgs),
    /// Show this week: what was intended, what was kept, and by whom
    Week,
}

/// When.
#[derive(Debug, clap::Args)]
pub struct RuleArgs {
    /// On these days: sun,wed or mon-fri, or day for every day
    #[arg(long, value_name = "DAYS")]
    pub every: String,
    /// At that hour, on the child's clock: 19:30
    #[arg(long, value_name = "TIME")]
    pub at: String,
    /// The clock that counts [default: the first child's]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// How many hours late is still kept [default: 48; 12 where the next is less than two days away]
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..=168))]
    pub tolerance: Option<u32>,
    /// Who.
    #[command(flatten)]
    pub by: AsArgs,
}

/// Who says so.
#[derive(Debug, clap::Args)]
pub struct AsArgs {
    /// In whose name, where this phone serves several
    #[arg(long = "as", value_name = "NAME")]
    pub speaker: Option<String>,
}

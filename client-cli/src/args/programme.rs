//! The command line of staff: the programme, its staff, sites and figures.

/// Arguments of `jiashu ngo me`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("said").required(true).multiple(true)))]
pub struct MeArgs {
    /// How colleagues call you
    #[arg(long, group = "said")]
    pub name: Option<String>,
    /// Where your e-mail goes; "" for nowhere any more
    #[arg(long, value_name = "ADDRESS", group = "said")]
    pub email: Option<String>,
    /// In which language: en, zh-Hans, ro, lv or it
    #[arg(long, group = "said")]
    pub language: Option<String>,
}

/// Arguments of `jiashu ngo report`.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// Which week: 2026W48 [default: the last that has closed]
    #[arg(long, value_name = "WEEK", conflicts_with = "month", value_parser = crate::ngo::export::period)]
    pub week: Option<String>,
    /// Which month: 2026-11
    #[arg(long, value_name = "MONTH", value_parser = crate::ngo::export::period)]
    pub month: Option<String>,
    /// Put together by what
    #[arg(long)]
    pub by: Option<ReportBy>,
}

/// By what families are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReportBy {
    /// Where they live.
    Site,
    /// From where to where they hear each other.
    Corridor,
}

impl ReportBy {
    /// The word that the relay knows.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Corridor => "corridor",
        }
    }
}

/// Arguments of `jiashu ngo thresholds`.
#[derive(Debug, clap::Args)]
pub struct ThresholdsArgs {
    /// A set of them: weekly, the floor of China's rules; daily, where you mean to come to that
    #[arg(long)]
    pub preset: Option<Preset>,
    /// Days since both heard each other that are on track, at most
    #[arg(long, value_name = "DAYS")]
    pub on_track: Option<u32>,
    /// The same of watch
    #[arg(long, value_name = "DAYS")]
    pub watch: Option<u32>,
    /// The same of at risk
    #[arg(long, value_name = "DAYS")]
    pub at_risk: Option<u32>,
    /// The same of silent
    #[arg(long, value_name = "DAYS")]
    pub silent: Option<u32>,
    /// Missed one after the other that put a child at risk
    #[arg(long, value_name = "N")]
    pub missed: Option<u32>,
}

/// Thresholds that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// Once a week is the floor.
    Weekly,
    /// Every day is meant.
    Daily,
}

/// What can be done about staff.
#[derive(Debug, clap::Subcommand)]
pub enum StaffCommand {
    /// Show all of them
    List,
    /// Make a link by which somebody comes in
    Add(AddStaffArgs),
    /// End somebody's access at once
    Remove {
        /// Their number, as ngo staff list shows it
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        number: u32,
    },
}

/// Arguments of `jiashu ngo staff add`.
#[derive(Debug, clap::Args)]
pub struct AddStaffArgs {
    /// What they may do
    #[arg(long)]
    pub role: StaffRole,
    /// What colleagues call them
    #[arg(long)]
    pub name: String,
    /// Code of a site of theirs; may be repeated
    #[arg(long = "site", value_name = "CODE", value_delimiter = ',')]
    pub sites: Vec<String>,
    /// Where letters to staff go
    #[arg(long)]
    pub email: Option<String>,
    /// In which language: en, zh-Hans, ro, lv or it
    #[arg(long, default_value = "en", value_name = "TAG")]
    pub language: String,
}

/// What a member of staff may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum StaffRole {
    /// All of the programme.
    Coordinator,
    /// Own families; enrols at own sites.
    Caseworker,
    /// Figures and the audit log, no family.
    Auditor,
}

impl StaffRole {
    /// The word that the relay knows.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Caseworker => "caseworker",
            Self::Auditor => "auditor",
        }
    }
}

/// What can be done about sites.
#[derive(Debug, clap::Subcommand)]
pub enum SiteCommand {
    /// Show all of them
    List,
    /// Add one, or say something else of one (coordinators)
    Add {
        /// Its code: letters, digits or any of - _ .
        code: String,
        /// What staff call it
        #[arg(long)]
        name: String,
        /// Its clock: days and weeks of its families are those of this clock
        #[arg(long, value_name = "ZONE")]
        tz: String,
        /// The code of its organisation unit in DHIS2
        #[arg(long, value_name = "CODE")]
        org_unit: Option<String>,
    },
}

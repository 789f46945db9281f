//! Arguments of the verbs about what is planned.

use std::path::PathBuf;

/// What can be done about letters that arrive at their hour.
#[derive(Debug, clap::Subcommand)]
pub enum ScheduleCommand {
    /// Write a letter that arrives at its hour, once or again and again
    Add(Box<AddArgs>),
    /// Show what is planned
    List,
    /// Show one of them: when it comes next, and what it says
    Show {
        /// Its id, or the beginning of it
        id: String,
    },
    /// Show a letter bank: what is left, and when it runs out
    Bank {
        /// Its id, or the beginning of it
        id: String,
    },
    /// Put more letters into a letter bank
    Fill {
        /// Its id, or the beginning of it
        id: String,
        /// The letters, each an argument; @FILE is what stands in that file
        #[arg(required = true)]
        letters: Vec<String>,
    },
    /// Say it otherwise, or at another hour
    Edit(Box<EditArgs>),
    /// Fire nothing for now, and keep what waits
    Pause {
        /// Its id, or the beginning of it
        id: String,
    },
    /// Go on after a pause, with the next time to come
    Resume {
        /// Its id, or the beginning of it
        id: String,
    },
    /// Leave out the next time
    Skip {
        /// Its id, or the beginning of it
        id: String,
    },
    /// Go on with what the other parent planned, in your name; letters that wait stay as they are
    TakeOver {
        /// Its id, or the beginning of it
        id: String,
        /// In whose name, where this phone serves several
        #[arg(long = "as", value_name = "NAME")]
        speaker: Option<String>,
    },
    /// End what is planned
    Cancel {
        /// Its id, or the beginning of it
        id: String,
    },
}

/// When something happens.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("when"))]
pub struct WhenArgs {
    /// Once, on the recipient's clock: "2027-03-28 19:30"
    #[arg(long, value_name = "LOCAL", group = "when")]
    pub on: Option<String>,
    /// Every week on these days: sun,wed or mon-fri, or day for every day
    #[arg(long, value_name = "DAYS", group = "when", requires = "at")]
    pub every: Option<String>,
    /// At that hour, on the recipient's clock: 19:30
    #[arg(long, value_name = "TIME", conflicts_with = "on", requires = "when")]
    pub at: Option<String>,
    /// The clock that counts [default: the recipient's, of all the first child's]
    #[arg(long, value_name = "ZONE", requires = "when")]
    pub tz: Option<String>,
    /// When, as a calendar has it (RFC 5545): "FREQ=MONTHLY;BYDAY=1SU", with --at
    #[arg(long, value_name = "RRULE", group = "when", requires = "at")]
    pub rrule: Option<String>,
    /// Not before that day: 2027-03-01
    #[arg(long, value_name = "DATE", conflicts_with = "on", requires = "when")]
    pub start: Option<jiff::civil::Date>,
    /// Up to and with that day
    #[arg(long, value_name = "DATE", requires = "every", conflicts_with = "count")]
    pub until: Option<jiff::civil::Date>,
    /// So many times
    #[arg(long, value_name = "N", requires = "every")]
    pub count: Option<u32>,
    /// But not on that day; may be repeated
    #[arg(long, value_name = "DATE", conflicts_with = "on", requires = "when")]
    pub except: Vec<jiff::civil::Date>,
    /// At that time, too: "2027-04-01 18:00"; may be repeated
    #[arg(long, value_name = "LOCAL", requires = "when")]
    pub also: Vec<String>,
}

impl WhenArgs {
    /// Whether a time was said.
    #[must_use]
    pub fn is_said(&self) -> bool {
        self.on.is_some() || self.every.is_some() || self.rrule.is_some()
    }
}

/// Who speaks to whom.
#[derive(Debug, clap::Args)]
pub struct PartiesArgs {
    /// For whom, by name or number; may be repeated [default: everybody]
    #[arg(long, value_name = "NAME")]
    pub to: Vec<String>,
    /// In whose name, where this phone serves several
    #[arg(long = "as", value_name = "NAME")]
    pub speaker: Option<String>,
}

/// Arguments of `jiashu schedule add`.
#[derive(Debug, clap::Args)]
pub struct AddArgs {
    /// When.
    #[command(flatten)]
    pub when: WhenArgs,
    /// Who to whom.
    #[command(flatten)]
    pub parties: PartiesArgs,
    /// A letter that comes so much too late is worth nothing any more: 30m, 2h, 3d
    #[arg(long, value_name = "LENGTH", value_parser = super::duration::length_ms)]
    pub valid_for: Option<i64>,
    /// A letter bank: each argument is a letter, and each time the next of them goes
    #[arg(long)]
    pub bank: bool,
    /// The letter; of a letter bank the letters. @FILE is what stands in that file
    #[arg(required_unless_present = "bank")]
    pub text: Vec<String>,
}

/// Arguments of `jiashu schedule edit`.
#[derive(Debug, clap::Args)]
pub struct EditArgs {
    /// Its id, or the beginning of it
    pub id: String,
    /// When from now on.
    #[command(flatten)]
    pub when: WhenArgs,
    /// Which letter of a letter bank, as schedule bank numbers them
    #[arg(long, value_name = "N", requires = "text", value_parser = clap::value_parser!(u32).range(1..))]
    pub letter: Option<u32>,
    /// What it says from now on; @FILE is what stands in that file
    pub text: Vec<String>,
}

/// Arguments of `jiashu remind`.
#[derive(Debug, clap::Args)]
pub struct RemindArgs {
    /// When; without it the reminder goes at once.
    #[command(flatten)]
    pub when: WhenArgs,
    /// Who to whom.
    #[command(flatten)]
    pub parties: PartiesArgs,
    /// Until it is done it rings again after this time
    #[arg(long, value_name = "LENGTH", default_value = "5m", value_parser = super::duration::length_ms)]
    pub again: i64,
    /// So many times in all; then it gives up
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub rings: u32,
    /// If it comes so much too late it is worth nothing any more: 30m, 2h, 3d
    #[arg(long, value_name = "LENGTH", requires = "when", value_parser = super::duration::length_ms)]
    pub valid_for: Option<i64>,
    /// What is to be done
    #[arg(required = true)]
    pub text: Vec<String>,
}

/// Arguments of `jiashu calendar`.
#[derive(Debug, clap::Args)]
pub struct CalendarArgs {
    /// The iCalendar file to write, replacing one that is there
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How much anybody who opens it can see: nothing but the hours, the names, or also what was written here
    #[arg(long, value_name = "WHAT", default_value = "hours")]
    pub show: CalendarShows,
}

/// How much a calendar file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum CalendarShows {
    /// That a letter comes, and when.
    Hours,
    /// Also from whom and for whom.
    Names,
    /// Also what it says, if it was written on this phone.
    Text,
}

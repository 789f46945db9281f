//! Arguments of `jiashu schedule`.

/// What can be done about letters that arrive at their hour.
#[derive(Debug, clap::Subcommand)]
pub enum ScheduleCommand {
    /// Write a letter that arrives at its hour, once or again and again
    Add(Box<AddArgs>),
    /// Show what is planned
    List,
    /// Put one more letter into a letter bank
    Fill {
        /// Its id, or the beginning of it
        id: String,
        /// The letters, each an argument
        #[arg(required = true)]
        letters: Vec<String>,
    },
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
    #[arg(long, value_name = "TIME", conflicts_with = "on")]
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
    /// When, as a calendar has it (RFC 5545): "FREQ=MONTHLY;BYDAY=1SU", with --at
    #[arg(long, value_name = "RRULE", group = "when", requires = "at")]
    pub rrule: Option<String>,
    /// Not before that day: 2027-03-01
    #[arg(long, value_name = "DATE", conflicts_with = "on")]
    pub start: Option<jiff::civil::Date>,
    /// Up to and with that day
    #[arg(long, value_name = "DATE", requires = "every", conflicts_with = "count")]
    pub until: Option<jiff::civil::Date>,
    /// So many times
    #[arg(long, value_name = "N", requires = "every")]
    pub count: Option<u32>,
    /// But not on that day; may be repeated
    #[arg(long, value_name = "DATE", conflicts_with = "on")]
    pub except: Vec<jiff::civil::Date>,
    /// At that time, too: "2027-04-01 18:00"; may be repeated
    #[arg(long, value_name = "LOCAL")]
    pub also: Vec<String>,
    /// A letter that comes so much too late is worth nothing any more: 30m, 2h, 3d
    #[arg(long, value_name = "LENGTH", value_parser = super::duration::length_ms)]
    pub valid_for: Option<i64>,
    /// A letter bank: each argument is a letter, and each time the next of them goes
    #[arg(long)]
    pub bank: bool,
    /// The letter; of a letter bank the letters
    #[arg(required_unless_present = "bank")]
    pub text: Vec<String>,
}

//! The command line of noting that staff met a family.

use jiff::civil::Date;

/// Arguments of `jiashu ngo visit`.
#[derive(Debug, clap::Args)]
pub struct VisitArgs {
    /// Case code of the family
    pub case: String,
    /// How you met it
    #[arg(long, default_value = "visit")]
    pub how: VisitHow,
    /// The day: 2026-11-20 [default: today]
    #[arg(long, value_name = "DATE")]
    pub on: Option<Date>,
}

/// How staff meet a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum VisitHow {
    /// In person.
    Visit,
    /// By telephone.
    Call,
}

impl VisitHow {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Visit => "visit",
            Self::Call => "call",
        }
    }
}

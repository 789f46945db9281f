//! The command line of staff: the programme, its staff, sites and figures.

use jiashu_proto::entry::Jurisdiction;

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

/// Arguments of `jiashu ngo programme`.
#[derive(Debug, clap::Args)]
pub struct ProgrammeArgs {
    /// How many weeks [default: 12]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=53))]
    pub weeks: Option<u32>,
    /// The last of them: 2026W48 [default: the last that has closed]
    #[arg(long, value_name = "WEEK", value_parser = crate::ngo::export::period)]
    pub until: Option<String>,
    /// Only families at that site
    #[arg(long, value_name = "CODE")]
    pub site: Option<String>,
    /// Only those of that member of staff (coordinators)
    #[arg(long, value_name = "NUMBER")]
    pub worker: Option<u32>,
    /// Only those who hear each other from there to there: "Europe/Rome>Asia/Shanghai"
    #[arg(long, value_name = "FROM>TO")]
    pub corridor: Option<String>,
    /// Only children of that age: 0-2, 3-5, 6-8, 9-11, 12-14, 15-17, 18+ or unknown
    #[arg(long, value_name = "YEARS")]
    pub age: Option<String>,
    /// Only families whose children these look after: grandparents, other-parent, relatives, siblings, neighbours,
    /// boarding-school, institution, self (they live alone) or unknown
    #[arg(long, value_name = "WHO")]
    pub care: Option<String>,
    /// Only children who stand so: at_risk
    #[arg(long, value_name = "STANDING")]
    pub standing: Option<String>,
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

/// Arguments of `jiashu ngo consent-settings`.
#[derive(Debug, clap::Args)]
pub struct ConsentSettingsArgs {
    /// By whose law a child's own word is enough from some age on; none: both are needed until 18
    #[arg(long, value_name = "CODE")]
    pub jurisdiction: Option<Law>,
    /// Number of the text that is read; none: whoever records a consent says it, or nobody
    #[arg(long, alias = "text", value_name = "NUMBER", value_parser = number_or_none)]
    pub text_version: Option<OrNone>,
    /// For how many months a consent holds; none: without end
    #[arg(long, value_name = "MONTHS", value_parser = number_or_none)]
    pub valid_months: Option<OrNone>,
}

/// A number, or none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrNone(pub Option<u32>);

/// Arguments of `jiashu ngo consent-text`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
It is a model: put in your programme's name and telephone number, let your own lawyer read it, and give it a
number of your own (jiashu ngo consent-settings --text-version).")]
pub struct ConsentTextArgs {
    /// In which language: en, zh-Hans, ro, lv or it
    #[arg(long, value_name = "TAG", default_value = "en", value_parser = ["en", "zh-Hans", "ro", "lv", "it"])]
    pub language: String,
    /// Say from which age a child's own word is enough there
    #[arg(long, value_name = "CODE")]
    pub jurisdiction: Option<Law>,
    /// Save it as a page to print
    #[arg(long, value_name = "FILE")]
    pub html: Option<std::path::PathBuf>,
}

/// By whose law, or by none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Law {
    /// China: 14.
    Cn,
    /// Romania: 16.
    Ro,
    /// Moldova: 18, as nothing else is sure.
    Md,
    /// Latvia: 13.
    Lv,
    /// Italy: 14.
    It,
    /// Both are needed until 18.
    None,
}

impl Law {
    /// Whose, if it is anybody's.
    #[must_use]
    pub fn chosen(self) -> Option<Jurisdiction> {
        match self {
            Self::Cn => Some(Jurisdiction::China),
            Self::Ro => Some(Jurisdiction::Romania),
            Self::Md => Some(Jurisdiction::Moldova),
            Self::Lv => Some(Jurisdiction::Latvia),
            Self::It => Some(Jurisdiction::Italy),
            Self::None => None,
        }
    }
}

fn number_or_none(text: &str) -> Result<OrNone, String> {
    if text == "none" {
        return Ok(OrNone(None));
    }
    let number = text.parse().ok().filter(|number| *number > 0);
    number
        .map(|number| OrNone(Some(number)))
        .ok_or_else(|| "it is a number from 1 on, or none".to_owned())
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

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use jiashu_proto::entry::OF_AGE;

    use super::*;

    #[test]
    fn the_help_says_the_age_of_each_law() {
        for law in Law::value_variants() {
            let age = law.chosen().map_or(OF_AGE, Jurisdiction::own_word_age);
            let shown = law.to_possible_value().unwrap();

            let help = shown.get_help().unwrap().to_string();

            assert!(help.contains(&age.to_string()), "{help}");
            let code = law.chosen().map_or("none", Jurisdiction::name);
            assert_eq!(shown.get_name(), code);
        }
        assert_eq!(Law::value_variants().len(), Jurisdiction::ALL.len() + 1);
    }
}

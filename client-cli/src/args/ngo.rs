//! The command line of staff: families. What concerns the programme is in `programme`.

use std::path::PathBuf;

use jiashu_proto::entry::{PauseReason, SuspensionReason};
use jiff::civil::Date;

use super::programme::{
    ConsentSettingsArgs, ConsentTextArgs, MeArgs, ProgrammeArgs, ReportArgs, SiteCommand,
    StaffCommand, ThresholdsArgs,
};
use super::visit::VisitArgs;
use crate::ngo::{CodebookOf, Dhis2Args, ExportArgs};

/// What staff of an NGO programme can do.
#[derive(Debug, clap::Subcommand)]
pub enum NgoCommand {
    /// Come in: as the first coordinator by the link that the relay printed at its first start, or by
    /// the link that a coordinator gave you
    Setup(SetupArgs),
    /// Enrol the families of a list and print their cards
    Enrol(EnrolArgs),
    /// Record a date of consent or assent that was missing
    Consent(Box<ConsentArgs>),
    /// Show or set what holds of consent where nobody says otherwise: by whose law, by which text, for how long
    ConsentSettings(ConsentSettingsArgs),
    /// Print a text to read out, to the guardian and to the child, before they agree
    ConsentText(ConsentTextArgs),
    /// Make phones or cards of a family useless at once; the family's own phones then close them
    Void(VoidArgs),
    /// Make a link by which a new phone can ask its family to be let in
    Reissue(ReissueArgs),
    /// Show which family to ring first: how each stands, and what is planned next
    Worklist {
        /// So many families at most [default: 200]
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
    },
    /// Show all that staff see of one family: its weeks, plan, pauses, members, phones. It is noted who looked
    Family {
        /// Case code of the family
        case: String,
    },
    /// Show what is to be done: who asked for help, of whom contact was missed again and again
    Tasks {
        /// What else.
        #[command(subcommand)]
        command: Option<TasksCommand>,
    },
    /// Show e-mails that did not arrive (coordinators)
    Mail,
    /// Say how colleagues call you, where your e-mail goes and in which language
    Me(MeArgs),
    /// Print a link that signs in with a browser, once, within an hour: the same as here, to look at
    SignIn {
        /// For somebody else, by the number that ngo staff list shows (coordinators)
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
        staff: Option<u32>,
    },
    /// Expect nothing of a family for a while: it counts as neither kept nor missed
    Pause(PauseArgs),
    /// Expect again what is planned, from today on
    Resume {
        /// Case code of the family
        case: String,
    },
    /// Note that you visited or rang a family: how and on which day, nothing of what was said
    Visit(VisitArgs),
    /// Suspend a parent or caregiver, as a court may order: given nothing that is written from then on
    Suspend(SuspendArgs),
    /// Let a suspended member back
    Unsuspend {
        /// Case code of the family
        case: String,
        /// The member's number
        member: u32,
    },
    /// Delete a family, after some days in which that can be taken back (coordinators)
    Erase(EraseArgs),
    /// Propose to a family when they could hear each other; it confirms with jiashu plan confirm
    Plan(PlanArgs),
    /// Show what came of contact in a week or month: of all, of each site, of each corridor
    Report(ReportArgs),
    /// Show how families do over some weeks: all of them, or those of a site, a worker, a corridor, an age
    Programme(ProgrammeArgs),
    /// Save figures as a file: of families under pseudonyms (coordinators), or of sites
    Export(ExportArgs),
    /// Show what the columns of a file mean
    Codebook {
        /// Of which file
        file: CodebookOf,
    },
    /// Make a data value set for DHIS2, and send it there
    Dhis2(Box<Dhis2Args>),
    /// Show or set where one standing ends and the next begins
    Thresholds(ThresholdsArgs),
    /// Who works for the programme (coordinators)
    #[command(subcommand)]
    Staff(StaffCommand),
    /// Say whose a family is: it stands on their worklist (coordinators)
    Assign {
        /// Case code of the family
        case: String,
        /// Number of a member of staff, as ngo staff list shows it
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        staff: u32,
    },
    /// Let a family go to another site, or to another programme, which has to take it (coordinators)
    Transfer(TransferArgs),
    /// The places of the programme
    #[command(subcommand)]
    Site(SiteCommand),
    /// Show who of the staff asked for what (coordinators, auditors)
    Audit,
}

/// Arguments of `jiashu ngo suspend`.
#[derive(Debug, clap::Args)]
pub struct SuspendArgs {
    /// Case code of the family
    pub case: String,
    /// The member's number, as on the list
    pub member: u32,
    /// Why
    #[arg(long)]
    pub reason: SuspendWhy,
}

/// Why somebody is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SuspendWhy {
    /// A court says so.
    CourtOrder,
    /// To protect somebody of the family.
    Safeguarding,
    /// The member asked for it.
    OwnWish,
}

impl SuspendWhy {
    pub(crate) fn reason(self) -> SuspensionReason {
        match self {
            Self::CourtOrder => SuspensionReason::CourtOrder,
            Self::Safeguarding => SuspensionReason::Safeguarding,
            Self::OwnWish => SuspensionReason::OwnWish,
        }
    }
}

/// Under `jiashu ngo tasks`.
#[derive(Debug, clap::Subcommand)]
pub enum TasksCommand {
    /// Note that you have seen to one
    Done {
        /// Case code of the family
        case: String,
        /// What it was
        kind: TaskWhat,
        /// The member's number, as ngo tasks shows it
        member: u32,
    },
}

/// What staff are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TaskWhat {
    /// Somebody asked for help.
    Help,
    /// Contact was missed again and again.
    Missed,
}

impl TaskWhat {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Help => "help",
            Self::Missed => "missed",
        }
    }
}

/// Arguments of `jiashu ngo transfer`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(group = clap::ArgGroup::new("where").required(true))]
#[command(after_long_help = "\
A programme does not get a family, and does not lose one, by what the other does alone: you offer it by the
other programme's number (they see theirs by jiashu ngo transfer list), they take it, or you take it back.
What was counted stays with you in the weeks that have ended, and nothing is counted there before it is
agreed to anew. Letters go on, and the family sees whose it is.")]
pub struct TransferArgs {
    /// What else.
    #[command(subcommand)]
    pub command: Option<TransferCommand>,
    /// Case code of the family
    #[arg(required = true)]
    pub case: Option<String>,
    /// To this site of the programme, at once
    #[arg(long, value_name = "SITE", group = "where")]
    pub to_site: Option<String>,
    /// Offer it to the programme of that number
    #[arg(long, value_name = "NUMBER", group = "where")]
    pub to_programme: Option<String>,
    /// Take an offer back
    #[arg(long, group = "where")]
    pub take_back: bool,
}

/// Under `jiashu ngo transfer`.
#[derive(Debug, clap::Subcommand)]
pub enum TransferCommand {
    /// Show what is offered, to you and by you
    List,
    /// Take a family that another programme offers
    Accept {
        /// The offer, as ngo transfer list shows it
        offer: String,
        /// The case code that it has with you
        #[arg(long, value_name = "CASE")]
        case: String,
        /// The code of its site
        #[arg(long, value_name = "SITE")]
        site: Option<String>,
    },
}

/// Arguments of `jiashu ngo pause`.
#[derive(Debug, clap::Args)]
pub struct PauseArgs {
    /// Case code of the family
    pub case: String,
    /// Why
    #[arg(long)]
    pub reason: PauseReasonArg,
    /// The last day: 2027-02-20
    #[arg(long, value_name = "DATE")]
    pub until: Date,
    /// The first day [default: today]
    #[arg(long, value_name = "DATE")]
    pub from: Option<Date>,
}

/// Arguments of `jiashu ngo erase`.
#[derive(Debug, clap::Args)]
pub struct EraseArgs {
    /// Case code of the family
    pub case: String,
    /// At once: the family asked for it, and knows what it means
    #[arg(long)]
    pub family_asked: bool,
    /// Take back what staff asked for
    #[arg(long, conflicts_with = "family_asked")]
    pub undo: bool,
    /// Do not ask again
    #[arg(long)]
    pub yes: bool,
}

/// Why nothing is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PauseReasonArg {
    /// A parent is at home.
    ParentHome,
    /// The child is with a parent abroad.
    JoinedParent,
    /// Exams.
    Exams,
    /// The phone is broken or lost.
    PhoneBroken,
}

impl PauseReasonArg {
    /// The reason.
    #[must_use]
    pub fn reason(self) -> PauseReason {
        match self {
            Self::ParentHome => PauseReason::ParentHome,
            Self::JoinedParent => PauseReason::JoinedParent,
            Self::Exams => PauseReason::Exams,
            Self::PhoneBroken => PauseReason::PhoneBroken,
        }
    }
}

/// Arguments of `jiashu ngo plan`.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// Case code of the family
    pub case: String,
    /// On which days they could hear each other: sun,wed or mon-fri, or day for every day
    #[arg(long, value_name = "DAYS")]
    pub every: String,
    /// At that hour, on the child's clock: 19:30
    #[arg(long, value_name = "TIME")]
    pub at: String,
    /// How many hours late is still kept [default: 48; 12 where the next is less than two days away]
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..=168))]
    pub tolerance: Option<u32>,
}

/// Arguments of `jiashu ngo setup`.
#[derive(Debug, clap::Args)]
pub struct SetupArgs {
    /// The relay's one-time setup link
    pub link: String,
}

/// Arguments of `jiashu ngo enrol`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The list is a CSV file, one row a member, with these columns in any order:
case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on
and, where they are known: born_on,counting_on,counting_assent_on,site,plan,
consent_text,consent_how,consent_witness,consent_until,care

consent_text is the number of your programme's text that was read, in the row's language; consent_how
is written, oral-with-witness, thumbprint, telephone or online; consent_witness yes or no;
consent_until the day from which on it holds no more.

care says who looks after the family's children: grandparents, other-parent, relatives, siblings,
neighbours, boarding-school, institution or self. One row of the family is enough.

plan is when the family means to hear each other, on the child's clock: sun,wed 19:30. The family
confirms it. counting_on and counting_assent_on say that contact of the family may be counted.

member counts 1, 2, 3 in each family; role is parent, caregiver or child. Members of a family
with the same device share that phone and its card. A child needs the guardian's consent_on, or
assent_on alone once its own word is enough by jiashu ngo consent-settings.
Only case code, site, plan, member numbers, roles, zones, languages and dates leave this machine; of a
child's day of birth its month, and that only where your programme has a jurisdiction.

A repeat is safe: families that are enrolled keep their cards, new ones are added.")]
pub struct EnrolArgs {
    /// The list of families (CSV)
    #[arg(value_name = "FAMILIES.CSV")]
    pub list: PathBuf,
    /// Folder for the cards to print; made if it is not there
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    pub out: Option<PathBuf>,
    /// Leave out families with a faulty row, enrol the others
    #[arg(long)]
    pub skip_bad: bool,
    /// Check the list only: write nothing, send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Case codes of families of which no phone is left: they begin anew, with new cards. Phones
    /// that are found again stay out, and keep what they had
    #[arg(long, value_name = "CASE", value_delimiter = ',')]
    pub again: Vec<String>,
}

/// Arguments of `jiashu ngo consent`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("dates").required(true).multiple(true))]
pub struct ConsentArgs {
    /// Case code of the family
    pub case: String,
    /// Number of the member in the family
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub member: u32,
    /// Date of the consent, of a child the guardian's: 2026-03-31
    #[arg(long, alias = "taking-part-on", value_name = "DATE", group = "dates")]
    pub consent_on: Option<String>,
    /// Date of the child's own assent: 2026-03-31
    #[arg(long, value_name = "DATE", group = "dates")]
    pub assent_on: Option<String>,
    /// Date of the consent to counting contact, of a child the guardian's: 2026-03-31
    #[arg(long, value_name = "DATE", group = "dates")]
    pub counting_on: Option<String>,
    /// Date of the child's own assent to counting: 2026-03-31
    #[arg(long, value_name = "DATE", group = "dates")]
    pub counting_assent_on: Option<String>,
    /// Date on which the child, or you do not know who, refused or took back taking part: it wins
    /// until all who are needed have agreed on a later day
    #[arg(long, value_name = "DATE", group = "dates")]
    pub refused_on: Option<String>,
    /// The same of counting
    #[arg(long, value_name = "DATE", group = "dates")]
    pub counting_refused_on: Option<String>,
    /// Date on which the guardian refused or took back taking part: heard until the child's own word
    /// is enough
    #[arg(long, value_name = "DATE", group = "dates")]
    pub guardian_refused_on: Option<String>,
    /// The same of counting
    #[arg(long, value_name = "DATE", group = "dates")]
    pub counting_guardian_refused_on: Option<String>,
    /// Day of birth of a child, of which the relay is told the month: 2011-05-09
    #[arg(long, value_name = "DATE", group = "dates")]
    pub born_on: Option<String>,
    /// By what consent was given
    #[command(flatten)]
    pub terms: TermsArgs,
}

/// By what consent was given: of taking part where its date is said, of counting where that is. What is not said is as
/// the programme's settings have it.
#[derive(Debug, clap::Args)]
pub struct TermsArgs {
    /// Number of your programme's text that was read
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub text_version: Option<u32>,
    /// Language in which it was read: ro, zh-Hans
    #[arg(long, value_name = "TAG")]
    pub language: Option<String>,
    /// How consent was given: written, oral-with-witness, thumbprint, telephone, online
    #[arg(long)]
    pub how: Option<String>,
    /// A witness was there
    #[arg(long)]
    pub witness: bool,
    /// Day from which on it holds no more: until it is renewed no letter moves then, or nothing is
    /// counted
    #[arg(long, value_name = "DATE")]
    pub until: Option<String>,
}

/// Arguments of `jiashu ngo void`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
#[command(after_long_help = "\
The family sees what was voided and that staff asked for it, for 30 days. Numbers of phones and cards
are those that jiashu family shows. Where the family can do it itself, it should: jiashu revoke.")]
pub struct VoidArgs {
    /// Case code of the family
    pub case: String,
    /// Number of a phone; may be repeated
    #[arg(long = "device", value_name = "NUMBER", group = "what", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub devices: Vec<u32>,
    /// Number of an open card; may be repeated
    #[arg(long = "card", value_name = "NUMBER", group = "what", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub cards: Vec<u32>,
    /// Why
    #[arg(long)]
    pub reason: VoidReason,
}

/// Why staff void something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum VoidReason {
    /// Nobody knows where it is.
    Lost,
    /// Somebody has it who must not.
    Stolen,
    /// A court or an authority says so.
    Court,
    /// It was given to the wrong person.
    Mistake,
}

impl VoidReason {
    /// The word that is typed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Stolen => "stolen",
            Self::Court => "court",
            Self::Mistake => "mistake",
        }
    }
}

/// Arguments of `jiashu ngo reissue`.
#[derive(Debug, clap::Args)]
pub struct ReissueArgs {
    /// Case code of the family
    pub case: String,
    /// Numbers of the members whom the phone will serve, with commas
    #[arg(long = "for", value_name = "MEMBER", value_delimiter = ',', required = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub members: Vec<u32>,
    /// For how many days the link is good
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=30))]
    pub days: u8,
}

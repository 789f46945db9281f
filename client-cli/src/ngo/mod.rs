//! What staff of a programme do: set it up, enrol families, record consent, help where phones were
//! lost.
//!
//! Read in this order: the first coordinator (`setup`, kept in `staff`); a list of families is read
//! (`sheet`, `cell`) and checked whole (`check`); each family is drawn (`draw`), kept in a folder
//! (`folder`, `disk`), sent (`enrol`, `send`) and printed (`page`, `wording`); what was missing is
//! recorded later (`consent`), as the programme has settled (`consent_settings`) and read out
//! (`consent_text`). Phones and cards are made useless (`void`), a new phone gets a link to
//! ask by (`reissue`), a family of which no phone is left begins anew (`enrol --again`). Staff see no
//! names but those of the list they hold themselves, and of that list no name leaves the machine.
//!
//! What staff see of contact and do about it is asked of the relay as JSON (`api`): whom to ring first (`worklist`), a
//! plan that the family may confirm (`plan`), days on which nothing is expected (`pause`), that somebody met it (`visit`), who works for the programme
//! (`people`), where (`site`), where a family goes (`transfer`), what came of contact (`figures`), and over several weeks (`programme`), by what it is judged
//! (`thresholds`), and who asked for what (`audit`). Figures are saved as files (`export`) and sent to DHIS2 from here
//! (`dhis2`).

mod setup;
mod staff;

mod cell;
mod sheet;

mod check;

mod draw;

mod disk;
mod folder;

mod enrol;
mod erase;
mod report;
mod send;

mod page;
mod wording;

mod dhis2;
pub(crate) mod export;

mod consent;
mod consent_settings;
mod consent_text;

mod reissue;
mod void;

mod api;
mod audit;
mod case;
mod figures;
mod pause;
mod people;
mod plan;
mod programme;
mod site;
mod suspend;
mod tasks;
mod thresholds;
mod transfer;
mod visit;
mod worklist;

#[doc(hidden)]
pub mod trial;

use std::io::Write;

use jiff::civil::Date;
use jiff::tz::Offset;

pub use self::dhis2::{Dhis2Args, Dhis2Format};
pub use self::export::{CodebookOf, ExportArgs, ExportFile, SpanArgs};
use crate::args::Globals;
use crate::args::ngo::*;
use crate::args::programme::*;
use crate::clock;
use crate::error::Result;

/// Does what staff asked; the answer goes to `out`, all else to standard error.
///
/// # Errors
///
/// [`crate::error::CliError`], which says what to do next.
pub async fn run(command: NgoCommand, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    match command {
        NgoCommand::Setup(args) => setup::run(&args.link, globals, out).await,
        NgoCommand::Enrol(args) => enrol::run(&args, globals, out).await,
        NgoCommand::Consent(args) => consent::run(&args, globals, out).await,
        NgoCommand::ConsentSettings(args) => consent_settings::run(&args, globals, out).await,
        NgoCommand::ConsentText(args) => consent_text::run(&args, globals, out),
        NgoCommand::Void(args) => void::run(&args, globals, out).await,
        NgoCommand::Reissue(args) => reissue::run(&args, globals, out).await,
        NgoCommand::Worklist { limit } => worklist::run(limit, globals, out).await,
        NgoCommand::Family { case } => case::run(&case, globals, out).await,
        NgoCommand::Tasks { command } => tasks::run(command.as_ref(), globals, out).await,
        NgoCommand::Mail => tasks::mail(globals, out).await,
        NgoCommand::Me(args) => people::me(args, globals, out).await,
        NgoCommand::SignIn { staff } => people::sign_in(staff, globals, out).await,
        NgoCommand::Erase(args) => erase::run(&args, globals, out).await,
        NgoCommand::Pause(args) => pause::pause(&args, globals, out).await,
        NgoCommand::Resume { case } => pause::resume(&case, globals, out).await,
        NgoCommand::Suspend(args) => suspend::suspend(&args, globals, out).await,
        NgoCommand::Unsuspend { case, member } => suspend::lift(&case, member, globals, out).await,
        NgoCommand::Visit(args) => visit::run(&args, globals, out).await,
        NgoCommand::Plan(args) => plan::run(&args, globals, out).await,
        NgoCommand::Report(args) => figures::run(&args, globals, out).await,
        NgoCommand::Programme(args) => programme::run(&args, globals, out).await,
        NgoCommand::Export(args) => export::run(&args, globals, out).await,
        NgoCommand::Codebook { file } => export::codebook(file, globals, out).await,
        NgoCommand::Dhis2(args) => dhis2::run(&args, globals, out).await,
        NgoCommand::Thresholds(args) => thresholds::run(&args, globals, out).await,
        NgoCommand::Staff(command) => people::run(&command, globals, out).await,
        NgoCommand::Assign { case, staff } => people::assign(&case, staff, globals, out).await,
        NgoCommand::Transfer(args) => transfer::run(&args, globals, out).await,
        NgoCommand::Site(command) => site::run(&command, globals, out).await,
        NgoCommand::Audit => audit::run(globals, out).await,
    }
}

/// The latest date that has begun somewhere: a worker in Asia may be a day ahead of UTC.
fn today() -> Date {
    Offset::constant(14).to_datetime(clock::now()).date()
}

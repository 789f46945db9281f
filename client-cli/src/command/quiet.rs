//! `quiet`: the hours in which nothing rings here.

use rusqlite::Connection;
use serde_json::json;

use super::{Context, View};
use crate::args::letters::QuietArgs;
use crate::error::{CliError, ExitCode, Result};
use crate::quiet::Quiet;
use crate::state::setting;

pub(super) fn run(context: &mut Context<'_>, args: &QuietArgs) -> Result<()> {
    let view = View::open(&context.home)?;
    let db = view.state.db();
    match args.hours.as_deref() {
        None => {}
        Some("off") => setting::put(db, setting::QUIET, None)?,
        Some(typed) => {
            let quiet: Quiet =
                typed.parse().map_err(|error| CliError::new(ExitCode::BadInput, error))?;
            setting::put(db, setting::QUIET, Some(&quiet.to_string()))?;
        }
    }
    let (hours, zone) = (hours(db)?, view.people.tz().iana_name().unwrap_or("UTC"));
    if context.globals.json {
        let hours = hours.map(|hours| hours.to_string());
        return context.json(&json!({ "quiet": hours, "zone": zone }));
    }
    match hours {
        Some(hours) => writeln!(
            context.out,
            "Quiet {hours}, on the clocks of {zone}: what comes then is shown after. To end it: jiashu quiet off"
        )?,
        None => writeln!(context.out, "No quiet hours. To set them: jiashu quiet 21:00-07:00")?,
    }
    Ok(())
}

/// The hours set here. What an older or newer version wrote and this cannot read is none.
pub(super) fn hours(db: &Connection) -> Result<Option<Quiet>> {
    let set = setting::get(db, setting::QUIET)?;
    Ok(set.and_then(|set| set.parse().ok()))
}

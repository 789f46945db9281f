//! `calendar`: what is planned, as a file for any calendar program.

use std::io::Write as _;
use std::path::Path;

use jiashu_proto::entry::{Schedule, ScheduleState};
use serde_json::json;

use super::schedule::listed;
use super::{Context, View};
use crate::args::schedule::{CalendarArgs, CalendarShows};
use crate::clock::now;
use crate::error::{CliError, ExitCode, Result};
use crate::icalendar::{self, Planned};
use crate::state::planned;

pub(super) async fn run(context: &mut Context<'_>, args: &CalendarArgs) -> Result<()> {
    context.exchange_or_go_on().await?;
    let view = View::open(&context.home)?;
    let mut events = Vec::new();
    for schedule in planned::running(view.state.db())? {
        if schedule.state == ScheduleState::Active {
            events.push(event(&view, schedule, args.show)?);
        }
    }
    write(&args.out, &icalendar::write(&events, now()))?;
    let (count, file) = (events.len(), args.out.display());
    if context.globals.json {
        return context.json(&json!({ "out": file.to_string(), "planned": count }));
    }
    let shown = match args.show {
        CalendarShows::Hours => "who opens it sees the hours, and nothing else",
        CalendarShows::Names => "who opens it sees the names, too",
        CalendarShows::Text => "who opens it sees what was written on this phone, too",
    };
    Ok(writeln!(context.out, "What is planned, {count} in all, is in {file}: {shown}.")?)
}

fn event(view: &View, schedule: Schedule, shows: CalendarShows) -> Result<Planned> {
    let listed = listed(view, &schedule)?;
    let summary = match shows {
        CalendarShows::Hours => "A letter (Jiashu)".to_owned(),
        CalendarShows::Names | CalendarShows::Text => format!("{} (Jiashu)", listed.parties()),
    };
    let description = listed.text.filter(|_| shows == CalendarShows::Text && !schedule.bank);
    Ok(Planned { id: schedule.id, rule: schedule.rule, summary, description })
}

/// In the place of one that is there, once all of it is written.
fn write(path: &Path, text: &str) -> Result<()> {
    let failed = |error: std::io::Error| {
        let text = format!("cannot write {}: {error}", path.display());
        CliError::new(ExitCode::BadInput, text)
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

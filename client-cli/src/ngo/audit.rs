//! `jiashu ngo audit`: who of the staff asked for what.

use std::io::Write;

use jiashu_api::audit::Log;

use super::api;
use super::staff::Staff;
use crate::args::Globals;
use crate::error::Result;
use crate::say::{json_line, note, one_line};

/// Shows it, the oldest first.
pub(super) async fn run(globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let staff = Staff::load(globals)?;
    let mut after = 0;
    loop {
        let log: Log = api::get(&staff, globals, &format!("/api/v1/audit?after={after}")).await?;
        for entry in &log.entries {
            if globals.json {
                writeln!(out, "{}", json_line(entry)?)?;
                continue;
            }
            let words = [entry.subject.as_deref(), entry.detail.as_deref()];
            let words: Vec<_> = words.into_iter().flatten().map(one_line).collect();
            let refused = if entry.allowed { "" } else { "  REFUSED" };
            let (number, at, staff, action) = (entry.number, &entry.at, entry.staff, &entry.action);
            writeln!(out, "{number}  {at}  staff {staff}  {action} {}{refused}", words.join(" "))?;
        }
        let Some(last) =
            log.entries.last().map(|entry| entry.number).filter(|last| *last < log.length)
        else {
            note(&format!("The newest entry is known by {}: note it elsewhere.", log.hash));
            return Ok(());
        };
        after = last;
    }
}

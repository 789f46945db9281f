//! `jiashu ngo pause CASE` and `jiashu ngo resume CASE`: days on which nothing is expected.

use std::io::Write;

use jiashu_api::family::Pause;
use serde_json::json;

use super::staff::Staff;
use super::{PauseArgs, api, cell};
use crate::args::Globals;
use crate::error::{CliError, ExitCode, Result};

/// Enters a pause.
pub(super) async fn pause(args: &PauseArgs, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let case_code = case_code(&args.case)?;
    if args.from.is_some_and(|from| args.until < from) {
        let text = "--until is before --from: a pause ends on its first day or later";
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    let staff = Staff::load(globals)?;
    let reason = args.reason.reason().name().to_owned();
    let wish = Pause { reason, first: args.from, until: args.until };
    api::post(&staff, globals, &api::of_family(&case_code, "pause"), &wish).await?;
    let Pause { reason, until, .. } = wish;
    if globals.json {
        let answer = json!({ "case_code": case_code, "reason": reason, "until": until });
        return Ok(writeln!(out, "{answer}")?);
    }
    writeln!(
        out,
        "Paused up to and with {until}. The family sees it. Before that day: jiashu ngo resume {case_code}"
    )?;
    Ok(())
}

/// Ends it today.
pub(super) async fn resume(case: &str, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let case_code = case_code(case)?;
    let staff = Staff::load(globals)?;
    api::delete(&staff, globals, &api::of_family(&case_code, "pause")).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json!({ "case_code": case_code }))?);
    }
    writeln!(out, "From today on what is planned is expected again.")?;
    Ok(())
}

/// As it was typed, if it is one.
pub(super) fn case_code(typed: &str) -> Result<String> {
    cell::case_code(typed).map_err(|reason| CliError::new(ExitCode::BadInput, reason))
}

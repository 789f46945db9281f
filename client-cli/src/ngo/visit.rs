//! `jiashu ngo visit CASE`: that somebody of the staff saw or rang a family.

use std::io::Write;

use jiashu_api::family::Visit;
use serde_json::json;

use super::pause::case_code;
use super::staff::Staff;
use super::{api, today};
use crate::args::Globals;
use crate::args::visit::VisitArgs;
use crate::error::{CliError, ExitCode, Result};

/// Notes it.
pub(super) async fn run(args: &VisitArgs, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let case_code = case_code(&args.case)?;
    if args.on.is_some_and(|on| today() < on) {
        let text = "--on is still to come: note a visit when it was made";
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    let staff = Staff::load(globals)?;
    let wish = Visit { how: args.how.word().to_owned(), on: args.on };
    api::post(&staff, globals, &api::of_family(&case_code, "visits"), &wish).await?;
    let Visit { how, on } = wish;
    if globals.json {
        return Ok(writeln!(out, "{}", json!({ "case_code": case_code, "how": how, "on": on }))?);
    }
    let on = on.map_or_else(|| "today".to_owned(), |on| on.to_string());
    writeln!(
        out,
        "Noted of {case_code}: {how}, {on}. jiashu ngo family {case_code} shows all of them"
    )?;
    Ok(())
}

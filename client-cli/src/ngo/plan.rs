//! `jiashu ngo plan CASE`: a proposal, which the family confirms or does not.

use std::io::Write;

use jiashu_api::family::{Plan, Rule};
use jiashu_recurrence::parse_every;
use serde_json::json;

use super::pause::case_code;
use super::staff::Staff;
use super::{PlanArgs, api};
use crate::args::Globals;
use crate::clock::now;
use crate::error::{CliError, ExitCode, Result};
use crate::say::rule_in_words;

/// Proposes it.
pub(super) async fn run(args: &PlanArgs, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let case_code = case_code(&args.case)?;
    // From a day on that has begun everywhere; which it is in the family, only the relay knows.
    let today = jiff::tz::TimeZone::UTC.to_datetime(now()).date();
    let every = parse_every(&args.every, &args.at, today)
        .map_err(|error| CliError::new(ExitCode::BadInput, error))?;
    let tolerance_min = args.tolerance.map(|hours| hours.saturating_mul(60));
    let words = rule_in_words(&every.start, Some(&every.rrule));
    let (start, rrule) = (every.start, Some(every.rrule));
    let plan = Plan { rules: vec![Rule { start, zone: None, rrule, tolerance_min }] };
    let staff = Staff::load(globals)?;
    api::post(&staff, globals, &api::of_family(&case_code, "plan"), &plan).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json!({ "case_code": case_code, "proposed": plan }))?);
    }
    writeln!(
        out,
        "Proposed: {words}. It holds once a parent or caregiver has typed: jiashu plan confirm"
    )?;
    Ok(())
}

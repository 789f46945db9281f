//! `jiashu ngo erase CASE`: a family is deleted, after a time in which that can be taken back.

use std::io::Write;

use jiashu_api::family::{Erase, Leaves};
use jiashu_recurrence::utc_text;
use serde_json::json;

use super::pause::case_code;
use super::staff::Staff;
use super::{EraseArgs, api};
use crate::args::Globals;
use crate::clock::timestamp;
use crate::command::Context;
use crate::error::Result;
use crate::say;

/// Asks for it, or takes it back.
pub(super) async fn run(args: &EraseArgs, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let case_code = case_code(&args.case)?;
    let staff = Staff::load(globals)?;
    let path = api::of_family(&case_code, "erasure");
    if args.undo {
        api::delete(&staff, globals, &path).await?;
        if globals.json {
            let answer = json!({ "case_code": case_code, "erased_at": null });
            return Ok(writeln!(out, "{answer}")?);
        }
        return Ok(writeln!(out, "{case_code} stays: nothing is deleted.")?);
    }
    if !args.yes {
        let when = if args.family_asked { "at once" } else { "when some days have passed" };
        let question = format!(
            "Everything of {case_code} is deleted {when}: its letters, and all figures of it, those of weeks that \
             were reported too. Nobody can bring it back. Cards that you printed and files that you exported are \
             yours to destroy. Delete {case_code}?"
        );
        Context::confirm(&question, "nothing was asked for")?;
    }
    let wish = Erase { family_asked: args.family_asked };
    let Leaves { until } = api::ask_for(&staff, globals, &path, &wish).await?;
    if globals.json {
        let answer = json!({ "case_code": case_code, "erased_at": utc_text(timestamp(until)) });
        return Ok(writeln!(out, "{answer}")?);
    }
    if args.family_asked {
        return Ok(writeln!(out, "Everything of {case_code} is being deleted.")?);
    }
    writeln!(
        out,
        "Everything of {case_code} is deleted on {}; its phones say so. Until then: jiashu ngo erase {case_code} --undo",
        say::day(until)
    )?;
    Ok(())
}

//! `jiashu ngo suspend CASE MEMBER` and `jiashu ngo unsuspend CASE MEMBER`.

use std::io::Write;

use jiashu_api::family::Suspend;
use serde_json::json;

use super::pause::case_code;
use super::staff::Staff;
use super::{SuspendArgs, api};
use crate::args::Globals;
use crate::error::Result;

/// Suspends a member.
pub(super) async fn suspend(
    args: &SuspendArgs,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let (case_code, member) = (case_code(&args.case)?, args.member);
    let staff = Staff::load(globals)?;
    let wish = Suspend { reason: args.reason.reason().name().to_owned() };
    api::put(&staff, globals, &path(&case_code, member), &wish).await?;
    if globals.json {
        let reason = wish.reason;
        let answer = json!({ "case_code": case_code, "member": member, "reason": reason });
        return Ok(writeln!(out, "{answer}")?);
    }
    writeln!(
        out,
        "Member {member} of {case_code} is given nothing that is written from now on, and writes nothing.\n\
         What that phone has it keeps, and its key stays the same: to take the phone out as well,\n\
         jiashu ngo void. The family sees it. To let the member back: jiashu ngo unsuspend {case_code} {member}"
    )?;
    Ok(())
}

/// Lets a member back.
pub(super) async fn lift(
    case: &str,
    member: u32,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let case_code = case_code(case)?;
    let staff = Staff::load(globals)?;
    api::delete(&staff, globals, &path(&case_code, member)).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json!({ "case_code": case_code, "member": member }))?);
    }
    writeln!(out, "What is written from now on comes to member {member} of {case_code} again.")?;
    Ok(())
}

fn path(case_code: &str, member: u32) -> String {
    api::of_family(case_code, &format!("suspensions/{member}"))
}

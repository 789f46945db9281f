//! `jiashu ngo transfer`: a family goes to another site, or to another programme, which has to take it.

use std::io::Write;

use jiashu_api::family::Move;
use jiashu_api::transfer::{Accept, Offer, Offered, Transfers};
use serde_json::json;

use super::pause::case_code;
use super::staff::Staff;
use super::{TransferArgs, TransferCommand, api, cell};
use crate::args::Globals;
use crate::error::{CliError, ExitCode, Result};
use crate::say::{json_line, one_line};

/// Does what was typed.
pub(super) async fn run(args: &TransferArgs, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    match &args.command {
        Some(TransferCommand::List) => list(globals, out).await,
        Some(TransferCommand::Accept { offer, case, site }) => {
            accept(offer, case, site.as_deref(), globals, out).await
        }
        None => {
            let case_code = case_code(args.case.as_deref().unwrap_or_default())?;
            match (&args.to_site, &args.to_programme) {
                (Some(site), _) => to_site(&case_code, site, globals, out).await,
                (None, Some(programme)) => to_programme(&case_code, programme, globals, out).await,
                (None, None) => take_back(&case_code, globals, out).await,
            }
        }
    }
}

async fn to_site(
    case_code: &str,
    site: &str,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let site = self::site(site)?;
    let staff = Staff::load(globals)?;
    let path = api::of_family(case_code, "site");
    api::put(&staff, globals, &path, &Move { site: site.clone() }).await?;
    if globals.json {
        let answer = json!({ "case_code": case_code, "site": site });
        return Ok(writeln!(out, "{answer}")?);
    }
    writeln!(
        out,
        "{case_code} is at {site} from now on, in the figures of this week as well. Weeks that have ended stay\n\
         where it was. The family sees it: jiashu who-sees"
    )?;
    Ok(())
}

async fn to_programme(
    case_code: &str,
    programme: &str,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let staff = Staff::load(globals)?;
    let path = api::of_family(case_code, "transfer");
    let wish = Offer { programme: programme.to_owned() };
    let offered: Offered = api::ask_for(&staff, globals, &path, &wish).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json_line(&offered)?)?);
    }
    writeln!(
        out,
        "{case_code} is offered, and stays yours until a coordinator of the other programme types:\n\n  \
         jiashu ngo transfer accept {} --case THEIR-CODE --site THEIR-SITE\n\n\
         Until then you may take it back: jiashu ngo transfer {case_code} --take-back",
        one_line(&offered.offer)
    )?;
    Ok(())
}

async fn take_back(case_code: &str, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let staff = Staff::load(globals)?;
    api::delete(&staff, globals, &api::of_family(case_code, "transfer")).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json!({ "case_code": case_code, "taken_back": true }))?);
    }
    writeln!(out, "{case_code} is not offered any more, and stays yours.")?;
    Ok(())
}

async fn accept(
    offer: &str,
    case: &str,
    site: Option<&str>,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let case_code = case_code(case)?;
    let site = site.map(self::site).transpose()?;
    if offer.len() != 16 || !offer.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let text = "an offer is 16 hexadecimal digits: jiashu ngo transfer list shows them";
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    let staff = Staff::load(globals)?;
    let wish = Accept { case_code: case_code.clone(), site: site.clone() };
    api::post(&staff, globals, &format!("/api/v1/transfers/{offer}"), &wish).await?;
    if globals.json {
        let answer = json!({ "offer": offer, "case_code": case_code, "site": site });
        return Ok(writeln!(out, "{answer}")?);
    }
    writeln!(
        out,
        "{case_code} is yours. Its letters go on. Contact is not counted until the guardian and each child agree to\n\
         that in your programme: jiashu ngo consent {case_code} MEMBER --counting-on DATE --counting-assent-on DATE"
    )?;
    Ok(())
}

async fn list(globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let staff = Staff::load(globals)?;
    let all: Transfers = api::get(&staff, globals, "/api/v1/transfers").await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json_line(&all)?)?);
    }
    writeln!(out, "Your programme is {}.", one_line(&all.programme))?;
    for Offered { offer, case_code, programme, since } in &all.received {
        let (case, since) = (one_line(case_code), day(since));
        writeln!(out, "offered to you  {offer}  {case} of programme {programme}, since {since}")?;
    }
    for Offered { case_code, programme, since, .. } in &all.given {
        let (case, since) = (one_line(case_code), day(since));
        writeln!(out, "offered by you  {case} to programme {programme}, since {since}")?;
    }
    if !all.received.is_empty() {
        writeln!(
            out,
            "To take one: jiashu ngo transfer accept OFFER --case YOUR-CODE --site SITE"
        )?;
    }
    Ok(())
}

/// Of an instant in RFC 3339.
fn day(instant: &str) -> String {
    one_line(instant.get(..10).unwrap_or_default())
}

fn site(typed: &str) -> Result<String> {
    cell::site(typed).map_err(|reason| CliError::new(ExitCode::BadInput, reason))
}

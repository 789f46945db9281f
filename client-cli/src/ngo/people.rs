//! `jiashu ngo staff`: who works for the programme, and whose each family is.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_api::staff::{Assign, Invited, Me, Member, New, SignInLink, Status};
use jiashu_roster::code_hash;
use serde_json::json;

use super::pause::case_code;
use super::staff::Staff;
use super::{AddStaffArgs, MeArgs, StaffCommand, api};
use crate::args::Globals;
use crate::error::Result;
use crate::say::{self, json_line};

/// Does what was typed.
pub(super) async fn run(
    command: &StaffCommand,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let staff = Staff::load(globals)?;
    match command {
        StaffCommand::List => list(&staff, globals, out).await,
        StaffCommand::Add(args) => add(args, &staff, globals, out).await,
        StaffCommand::Remove { number } => {
            api::delete(&staff, globals, &format!("/api/v1/staff/{number}")).await?;
            if globals.json {
                return Ok(writeln!(out, "{}", json!({ "number": number, "status": "left" }))?);
            }
            writeln!(out, "Number {number} is out: nothing is answered to them any more.")?;
            Ok(())
        }
    }
}

/// Says whose a family is.
pub(super) async fn assign(
    case: &str,
    number: u32,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let case_code = case_code(case)?;
    let staff = Staff::load(globals)?;
    let wish = Assign { staff: number };
    api::put(&staff, globals, &api::of_family(&case_code, "worker"), &wish).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json!({ "case_code": case_code, "staff": number }))?);
    }
    writeln!(out, "{case_code} is in the hands of number {number}.")?;
    Ok(())
}

/// Says something of oneself.
pub(super) async fn me(args: MeArgs, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let staff = Staff::load(globals)?;
    let MeArgs { name, email, language } = args;
    let me = Me { name, email, language };
    api::put(&staff, globals, "/api/v1/staff/me", &me).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json_line(&me)?)?);
    }
    writeln!(out, "Noted. Who has an address is sent the digest on Mondays, and calls for help.")?;
    Ok(())
}

/// A link for a browser, one's own or somebody else's.
pub(super) async fn sign_in(
    number: Option<u32>,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let staff = Staff::load(globals)?;
    let whose = number.map_or_else(|| "me".to_owned(), |number| number.to_string());
    let path = format!("/api/v1/staff/{whose}/sign-in-link");
    let made: SignInLink = api::ask_for(&staff, globals, &path, &()).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json_line(&made)?)?);
    }
    say::note("open it within an hour; it works once, for whoever comes first:");
    Ok(writeln!(out, "{}", made.link)?)
}

async fn list(staff: &Staff, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let members: Vec<Member> = api::get(staff, globals, "/api/v1/staff").await?;
    for member in &members {
        if globals.json {
            writeln!(out, "{}", json_line(member)?)?;
            continue;
        }
        let status = match member.status {
            Status::Invited => ", has not come in yet",
            Status::Active => "",
            Status::Left => ", left",
        };
        let name = if member.name.is_empty() { "(no name)" } else { &member.name };
        let sites = match member.sites.as_slice() {
            [] => String::new(),
            sites => format!(" at {}", sites.join(", ")),
        };
        let families = match member.families {
            0 => String::new(),
            1 => ", 1 family".to_owned(),
            families => format!(", {families} families"),
        };
        let (number, role) = (member.number, &member.role);
        writeln!(out, "{number}  {}: {role}{sites}{families}{status}", say::one_line(name))?;
    }
    Ok(())
}

async fn add(
    args: &AddStaffArgs,
    staff: &Staff,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let secret: [u8; 16] = jiashu_seal::random();
    let new = New {
        role: args.role.word().to_owned(),
        name: args.name.clone(),
        email: args.email.clone(),
        language: args.language.clone(),
        sites: args.sites.clone(),
        code_hash: code_hash(&secret).to_string(),
    };
    let invited: Invited = api::ask_for(staff, globals, "/api/v1/staff", &new).await?;
    let fragment = [&staff.token.scope.0.to_be_bytes()[..], &secret].concat();
    let link = format!("{}/setup#{}", staff.origin, URL_SAFE_NO_PAD.encode(fragment));
    if globals.json {
        let answer =
            json!({ "number": invited.number, "link": link, "expires_at": invited.expires_at });
        return Ok(writeln!(out, "{answer}")?);
    }
    let until = say::day(invited.expires_at);
    writeln!(out, "{link}")?;
    writeln!(out)?;
    writeln!(
        out,
        "By this link {} comes in as number {}, once, up to {until}: jiashu ngo setup LINK\n\
         Whoever has it is let in: give it to them alone.",
        args.name, invited.number
    )?;
    Ok(())
}

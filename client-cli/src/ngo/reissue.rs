//! `jiashu ngo reissue CASE --for MEMBER`: a link by which a new phone may ask a family to be let in.
//!
//! It opens nothing: the phone makes keys of its own, and somebody of the family lets them in once
//! two people have compared their digits.

use std::io::Write;

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Reissue};
use jiashu_proto::id::MemberId;
use jiashu_roster::code_hash;
use jiashu_seal::{InviteSecret, JoinLink};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::json;

use super::send::{self, Answer};
use super::staff::Staff;
use super::{ReissueArgs, cell};
use crate::args::Globals;
use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::say;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Has the relay take one request, and prints the link for it. A repeat makes another link.
pub(super) async fn run(args: &ReissueArgs, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let case_code = cell::case_code(&args.case);
    let case_code = case_code.map_err(|reason| CliError::new(ExitCode::BadInput, reason))?;
    let mut members: Vec<_> = args.members.iter().copied().map(MemberId).collect();
    members.sort_unstable();
    members.dedup();
    let staff = Staff::load(globals)?;
    let secret = InviteSecret::generate();
    let expires_at = now_ms().saturating_add(i64::from(args.days).saturating_mul(DAY_MS));
    let frame = ClientFrame::Reissue(Reissue {
        case_code,
        members,
        code_hash: code_hash(&secret.code()),
        expires_at,
    });
    let scope = match send::one(&staff, globals, &frame).await? {
        Answer::Enrolled(enrolled) => enrolled.family,
        Answer::Refused(no) if no.code == ErrorCode::Unknown => {
            let text = format!("no such family or member, {}: {}", args.case, no.text);
            return Err(CliError::new(ExitCode::Refused, text));
        }
        Answer::Refused(no) => {
            let text = format!("the relay refused: {}", no.text);
            return Err(CliError::new(ExitCode::Refused, text));
        }
    };
    let link = JoinLink { origin: staff.origin.to_string(), scope, secret }.to_url();
    tell(args, &link, expires_at, globals, out)
}

fn tell(
    args: &ReissueArgs,
    link: &str,
    expires_at: i64,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let until = say::day(expires_at);
    if globals.json {
        let (case_code, members) = (&args.case, &args.members);
        let answer = json!({
            "case_code": case_code, "members": members, "link": link, "expires_on": until,
        });
        return Ok(writeln!(out, "{answer}")?);
    }
    if let Ok(code) = QrCode::new(link) {
        writeln!(out, "{}", code.render::<Dense1x2>().build())?;
    }
    writeln!(out, "{link}")?;
    writeln!(out, "A link to ask by, good once until {until}. On the new phone:")?;
    writeln!(out, "  1. jiashu join LINK   it shows six groups of digits")?;
    writeln!(out, "  2. they call a parent or caregiver and read the digits to them")?;
    writeln!(out, "  3. whose screen shows the same, lets it in: jiashu admit")?;
    writeln!(out, "  4. jiashu join")?;
    Ok(())
}

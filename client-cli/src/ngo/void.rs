//! `jiashu ngo void CASE`: phones and cards of a family that must let nobody in any more.

use std::io::Write;

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, ToClose, Void};
use jiashu_proto::id::{DeviceId, InviteId};
use serde_json::json;

use super::send::{self, Answer};
use super::staff::Staff;
use super::{VoidArgs, cell};
use crate::args::Globals;
use crate::error::{CliError, ExitCode, Result};

/// Voids them; a repeat changes nothing. The reason is for the one who types it to have thought of:
/// the relay keeps none yet, so none is sent.
pub(super) async fn run(args: &VoidArgs, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let case_code = cell::case_code(&args.case);
    let case_code = case_code.map_err(|reason| CliError::new(ExitCode::BadInput, reason))?;
    let to_close = ToClose {
        devices: ascending(&args.devices).into_iter().map(DeviceId).collect(),
        invites: ascending(&args.cards).into_iter().map(InviteId).collect(),
    };
    let staff = Staff::load(globals)?;
    let frame = ClientFrame::Void(Void { case_code, to_close: to_close.clone() });
    match send::one(&staff, globals, &frame).await? {
        Answer::Enrolled(_) => tell(args, &to_close, globals, out),
        Answer::Refused(no) if no.code == ErrorCode::Unknown => {
            let text = format!("nothing was voided in {}: {}", args.case, no.text);
            Err(CliError::new(ExitCode::Refused, text))
        }
        Answer::Refused(no) => {
            Err(CliError::new(ExitCode::Refused, format!("the relay refused: {}", no.text)))
        }
    }
}

fn ascending(numbers: &[u32]) -> Vec<u32> {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn tell(args: &VoidArgs, to_close: &ToClose, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    if globals.json {
        let devices: Vec<_> = to_close.devices.iter().map(|device| device.0).collect();
        let cards: Vec<_> = to_close.invites.iter().map(|invite| invite.0).collect();
        let (case_code, reason) = (&args.case, args.reason.word());
        let answer = json!({
            "case_code": case_code, "devices": devices, "cards": cards, "reason": reason,
        });
        return Ok(writeln!(out, "{answer}")?);
    }
    writeln!(out, "Void: they open nothing at the relay any more.")?;
    writeln!(
        out,
        "The family's letters wait until a parent's or caregiver's phone has closed them: it does so \
         by itself the next time it is on."
    )?;
    Ok(())
}

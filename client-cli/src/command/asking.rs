//! How a phone asks to be let in, by a link that staff gave for a re-issued card: keys that it made
//! itself, on disk before they are sent, and digits that two people compare by telephone.

use jiashu_proto::frame::{ClientFrame, Request, Requested};
use jiashu_proto::id::Scope;
use jiashu_roster::{code_hash, compare_groups};
use jiashu_seal::{KeyPairs, random};
use serde::Serialize;

use super::Context;
use super::letter::utc;
use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::http::Origin;
use crate::say::{day, note};
use crate::state::State;
use crate::state::request::{self, OwnRequest, RequestAnswer};

/// What `join --json` says while nobody has let this phone in.
#[derive(Serialize)]
struct AskedJson {
    waiting: bool,
    digits: String,
    members: Vec<u32>,
    expires_at: String,
}

/// Draws what is asked by, and keeps it.
pub(super) fn draw(
    state: &State,
    origin: Origin,
    scope: Scope,
    link_code: [u8; 16],
) -> Result<OwnRequest> {
    let (keys, code) = (KeyPairs::generate(), random());
    let request = OwnRequest { origin, scope, link_code, keys, code, answer: None };
    request.store(state.db())?;
    Ok(request)
}

/// What is sent; a repeat gets the first answer.
pub(super) fn frame(request: &OwnRequest) -> ClientFrame {
    ClientFrame::Request(Request {
        scope: request.scope,
        code: request.link_code,
        sign_pub: request.keys.sign.public().0,
        hpke_pub: request.keys.hpke.public().0,
        code_hash: code_hash(&request.code),
    })
}

/// Keeps the answer: its digits are those that are compared.
pub(super) fn answered(
    state: &State,
    mut request: OwnRequest,
    requested: Requested,
) -> Result<OwnRequest> {
    let Requested { first_link, members, expires_at } = requested;
    request.answer = Some(RequestAnswer { first_link, members, expires_at });
    request.store(state.db())?;
    Ok(request)
}

/// The request, which nobody has let in yet.
///
/// # Errors
///
/// [`ExitCode::Refused`] if its time is over; it is then forgotten.
pub(super) fn still_waits(state: &State, request: &OwnRequest) -> Result<OwnRequest> {
    let expires_at = request.answer.as_ref().map_or(0, |answer| answer.expires_at);
    if expires_at > now_ms() {
        return Ok(request.clone());
    }
    forget(state)?;
    let text = "nobody let this phone in while the link was good: ask the programme's staff for a \
                new one";
    Err(CliError::new(ExitCode::Refused, text))
}

/// There is no such request.
pub(super) fn forget(state: &State) -> Result<()> {
    request::forget(state.db())
}

/// Shows the digits, and what two people do with them.
pub(super) fn show(context: &mut Context<'_>, request: &OwnRequest) -> Result<()> {
    let Some(answer) = &request.answer else { return Ok(()) };
    let keys = &request.keys;
    let digits = compare_groups(answer.first_link, &keys.sign.public(), &keys.hpke.public());
    if context.globals.json {
        let members = answer.members.iter().map(|member| member.0).collect();
        let (digits, expires_at) = (digits.join("-"), utc(answer.expires_at));
        return context.json(&AskedJson { waiting: true, digits, members, expires_at });
    }
    note("The family must let this phone in. Call somebody of it and read these digits to them:");
    writeln!(context.out, "\n    {}\n", digits.join(" "))?;
    note("If theirs are the same, they type: jiashu admit   and then you, here: jiashu join");
    note(&format!("This holds until {}.", day(answer.expires_at)));
    Ok(())
}

//! `jiashu ngo consent CASE MEMBER`: records a date that was missing when the family was enrolled.

use std::io::Write;

use jiashu_proto::entry::{Consent, How, Terms};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, RecordConsent};
use jiashu_proto::id::MemberId;
use serde_json::json;

use super::send::{self, Answer};
use super::staff::Staff;
use super::{ConsentArgs, TermsArgs, cell, today};
use crate::args::Globals;
use crate::error::{CliError, ExitCode, Result};

/// Sends the dates; one that is absent leaves what is recorded, a repeat changes nothing.
pub(super) async fn run(args: &ConsentArgs, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let bad = |reason: String| CliError::new(ExitCode::BadInput, reason);
    let date = |option: &Option<String>| {
        option.as_deref().map(|text| cell::date(text, today())).transpose().map_err(bad)
    };
    let case_code = cell::case_code(&args.case).map_err(bad)?;
    let terms = terms(&args.terms).map_err(bad)?;
    let is_of_part = args.consent_on.is_some() || args.assent_on.is_some();
    let is_of_counting = args.counting_on.is_some() || args.counting_assent_on.is_some();
    if terms.is_some() && !is_of_part && !is_of_counting {
        let text = "by what consent was given goes with its date: say --consent-on or --counting-on too, \
                    or --assent-on of a child whose own word is enough";
        return Err(bad(text.to_owned()));
    }
    let born_on = args.born_on.as_deref().map(|text| cell::born(text, today())).transpose();
    let consent = Consent {
        consent_on: date(&args.consent_on)?,
        assent_on: date(&args.assent_on)?,
        counting_on: date(&args.counting_on)?,
        counting_assent_on: date(&args.counting_assent_on)?,
        withdrawn_on: date(&args.refused_on)?,
        counting_withdrawn_on: date(&args.counting_refused_on)?,
        guardian_withdrawn_on: date(&args.guardian_refused_on)?,
        counting_guardian_withdrawn_on: date(&args.counting_guardian_refused_on)?,
        born_in: born_on.map_err(bad)?.map(cell::month),
        terms: terms.clone().filter(|_| is_of_part).map(Box::new),
        counting_terms: terms.filter(|_| is_of_counting).map(Box::new),
        ..Consent::none(MemberId(args.member))
    };
    let staff = Staff::load(globals)?;
    let frame = ClientFrame::RecordConsent(RecordConsent { case_code, consent }).to_bytes(0);
    let mut answers = Vec::new();
    send::commands(&staff, globals, &[&frame], |batch| answers = batch).await?;

    match answers.pop() {
        Some(Answer::Enrolled(enrolled)) => {
            if globals.json {
                let (case_code, member) = (&args.case, args.member);
                let active = enrolled.active;
                let answer = json!({ "case_code": case_code, "member": member, "active": active });
                writeln!(out, "{answer}")?;
            } else if enrolled.active {
                writeln!(out, "Recorded. Letters of {} move from now on.", args.case)?;
            } else {
                writeln!(
                    out,
                    "Recorded. No letter of {} moves yet: each child needs the",
                    args.case
                )?;
                writeln!(
                    out,
                    "guardian's consent and its own assent; its assent alone from the age on"
                )?;
                writeln!(out, "that jiashu ngo consent-settings shows.")?;
            }
            Ok(())
        }
        Some(Answer::Refused(no)) if no.code == ErrorCode::Unknown => {
            let text = format!("no member {} in a family {}: {}", args.member, args.case, no.text);
            Err(CliError::new(ExitCode::Refused, text))
        }
        Some(Answer::Refused(no)) => {
            Err(CliError::new(ExitCode::Refused, format!("the relay refused: {}", no.text)))
        }
        None => Err(CliError::new(ExitCode::Refused, "the relay gave no answer: try again")),
    }
}

/// As they were typed; `None` where nothing was.
fn terms(args: &TermsArgs) -> std::result::Result<Option<Terms>, String> {
    let how = args.how.as_deref().map(cell::how).transpose()?;
    let terms = Terms {
        version: args.text_version,
        language: args.language.as_deref().map(cell::language).transpose()?,
        how,
        // Who says how says whether: a witness who was there is never forgotten by it.
        witnessed: (args.witness || how == Some(How::OralWithWitness)).then_some(true),
        until: args.until.as_deref().map(|text| cell::until(text, today())).transpose()?,
    };
    Ok(Some(terms).filter(|terms| *terms != Terms::default()))
}

//! `jiashu ngo enrol`: the steps in their order. A list is checked, its families are drawn, kept,
//! then sent; whatever breaks in between, the same command again goes on from there.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use jiashu_proto::entry::Jurisdiction;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::Enrol;
use jiashu_proto::id::Scope;

use super::cell::Settled;
use super::check::{Checked, Family, check, check_by, shared_phones};
use super::draw::{CARD_LIFE_MS, Drawn, draw, fingerprint};
use super::folder::Folder;
use super::report::{self, Progress, Tally, consent_commands};
use super::send::{self, Answer};
use super::staff::Staff;
use super::{EnrolArgs, consent_settings, site, today};
use crate::args::Globals;
use crate::clock;
use crate::error::{CliError, ExitCode, Result};
use crate::say::note;

/// A list larger than this is another file: 10,000 families need a tenth of it.
const MAX_LIST: u64 = 32 * 1024 * 1024;

/// Enrols the families of a list.
pub(super) async fn run(args: &EnrolArgs, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let list = read_list(&args.list)?;
    let mut checked = check(&list, today());
    if checked.asks_what_is_settled() {
        checked = check_by(&list, today(), &settled(args, globals).await?);
    }
    report::faults(&checked.faults, globals.json);
    stop_if_bad(&checked, args)?;
    check_again(&checked, args)?;
    if args.dry_run {
        if !globals.json {
            report::warnings(&checked.warnings);
            report::shared(&shared_phones(&checked.families));
        }
        return report::dry_run(&checked, globals.json, out);
    }
    let Some(dir) = &args.out else {
        return Err(CliError::new(ExitCode::BadInput, "--out says where the cards go"));
    };
    let staff = Staff::load(globals)?;
    // Before anything is written: a relay that is away, or knows us no more, leaves no half work.
    send::hello(&staff, globals).await?;
    let mut folder = Folder::open(dir, &staff)?;
    let mut tally = keep(&checked, &args.again, &mut folder, &staff, globals.json)?;
    folder.save()?;

    let mut sent = submit(&checked.families, &mut folder, &mut tally, &staff, globals).await;
    if sent.is_ok() && !args.again.is_empty() {
        // Of some of them only the relay knew the number.
        let anew = keep_anew(&checked, &args.again, &mut folder, &mut tally, &staff)?;
        folder.save()?;
        sent = submit(&anew, &mut folder, &mut tally, &staff, globals).await;
    }
    folder.save()?;
    folder.write_page()?;
    sent.map_err(|error| {
        let text = format!(
            "{error}; {} of {} families are enrolled: run the same again for the rest",
            tally.families,
            checked.families.len()
        );
        CliError::new(error.code, text)
    })?;
    finish(&checked, &folder, &tally, globals, out)
}

/// What the programme has; nothing is known of it where a list is only looked at, and nobody can be asked.
async fn settled(args: &EnrolArgs, globals: &Globals) -> Result<Settled> {
    let asked = async {
        let staff = Staff::load(globals)?;
        let sites = site::all(&staff, globals).await?.into_iter().map(|site| site.code).collect();
        let settings = consent_settings::settings(&staff, globals).await?;
        let jurisdiction = settings.jurisdiction.as_deref().and_then(Jurisdiction::from_name);
        let own_word_age = jurisdiction.map(Jurisdiction::own_word_age);
        Ok(Settled { sites: Some(sites), own_word_age })
    };
    match asked.await {
        Ok(settled) => Ok(settled),
        Err(error) if args.dry_run => {
            note(&format!("(what the programme has settled could not be looked up: {error})"));
            Ok(Settled::default())
        }
        Err(error) => Err(error),
    }
}

fn read_list(path: &Path) -> Result<Vec<u8>> {
    let bad = |reason: &dyn std::fmt::Display| {
        CliError::new(ExitCode::BadInput, format!("cannot read {}: {reason}", path.display()))
    };
    let size = std::fs::metadata(path).map_err(|error| bad(&error))?.len();
    if size > MAX_LIST {
        return Err(bad(&"it is too large for a list of families"));
    }
    std::fs::read(path).map_err(|error| bad(&error))
}

fn stop_if_bad(checked: &Checked, args: &EnrolArgs) -> Result<()> {
    let faults = checked.faults.len();
    let word = if faults == 1 { "fault" } else { "faults" };
    let list = args.list.display();
    if faults > 0 && (checked.families.is_empty() || !args.skip_bad) {
        let hint = match checked.families.len() {
            0 => String::new(),
            sound => format!(" (--skip-bad would enrol the {sound} families without any)"),
        };
        let text = format!("{faults} {word} in {list}: nothing was enrolled{hint}");
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    Ok(())
}

/// Who is to begin anew must be on the list.
fn check_again(checked: &Checked, args: &EnrolArgs) -> Result<()> {
    let listed = |code: &&String| checked.families.iter().any(|it| it.case_code == **code);
    match args.again.iter().find(|code| !listed(code)) {
        None => Ok(()),
        Some(code) => {
            let text = format!("{code} is not a sound family of the list: nothing was enrolled");
            Err(CliError::new(ExitCode::BadInput, text))
        }
    }
}

/// Draws what is new, finds what was drawn before, and says what is to be known of either.
fn keep(
    checked: &Checked,
    again: &[String],
    folder: &mut Folder,
    staff: &Staff,
    as_json: bool,
) -> Result<Tally> {
    let shared = shared_phones(&checked.families);
    let mut tally = Tally { skipped: checked.faulty, shared, ..Tally::default() };
    let mut new = BTreeSet::new();
    for family in &checked.families {
        let rows = fingerprint(family, &staff.token.secret);
        if again.contains(&family.case_code)
            && let Some(old) = to_replace(folder, &family.case_code)?
        {
            folder.drop_family(&family.case_code);
            folder.add(drawn(family, staff, Some(old))?, rows);
            continue;
        }
        match folder.find(&family.case_code) {
            Some(planned) => {
                tally.already += usize::from(planned.enrolled);
                if planned.rows != rows {
                    tally.changed.push(family.case_code.clone());
                }
            }
            None => {
                folder.add(drawn(family, staff, None)?, rows);
                new.insert(&*family.case_code);
            }
        }
    }
    if !as_json {
        let of_new = |code: &Option<String>| code.as_deref().is_some_and(|code| new.contains(code));
        report::warnings(checked.warnings.iter().filter(|warning| of_new(&warning.case_code)));
    }
    if !as_json && !new.is_empty() {
        report::shared(&tally.shared);
    }
    Ok(tally)
}

fn drawn(family: &Family, staff: &Staff, replaces: Option<Scope>) -> Result<Drawn> {
    let expires_at = clock::now_ms().saturating_add(CARD_LIFE_MS);
    draw(family, &staff.origin, expires_at, replaces).map_err(|error| {
        let text = format!("{}: no cards can be made: {error}", family.case_code);
        CliError::new(ExitCode::BadInput, text)
    })
}

/// The number that a family which is to begin anew had until now, as this folder knows it. `None`
/// where the relay must be asked, and where it has begun anew already: an answer that was lost, or a
/// command typed twice while its new cards are still here, makes no third family.
fn to_replace(folder: &Folder, case_code: &str) -> Result<Option<Scope>> {
    let Some(planned) = folder.find(case_code) else { return Ok(None) };
    let (_, enrol) = planned.frame()?;
    let is_done = enrol.replaces.is_some() && folder.has_cards_of(case_code);
    Ok((planned.enrolled && !is_done).then_some(enrol.family))
}

/// Draws the families that begin anew and that were enrolled from elsewhere, by the numbers that the
/// relay has told.
fn keep_anew(
    checked: &Checked,
    again: &[String],
    folder: &mut Folder,
    tally: &mut Tally,
    staff: &Staff,
) -> Result<Vec<Family>> {
    let mut anew = Vec::new();
    let elsewhere = std::mem::take(&mut tally.elsewhere);
    for (code, old) in elsewhere {
        let family = checked.families.iter().find(|family| family.case_code == code);
        match family.filter(|_| again.contains(&code)) {
            Some(family) => {
                let rows = fingerprint(family, &staff.token.secret);
                folder.add(drawn(family, staff, Some(old))?, rows);
                anew.push(family.clone());
            }
            None => tally.elsewhere.push((code, old)),
        }
    }
    Ok(anew)
}

/// Sends every family of the list, and notes in folder and tally what became of each.
async fn submit(
    families: &[Family],
    folder: &mut Folder,
    tally: &mut Tally,
    staff: &Staff,
    globals: &Globals,
) -> Result<()> {
    let mut frames = Vec::new();
    for family in families {
        let planned = folder.find(&family.case_code).expect("each family was drawn or found");
        frames.push(planned.frame()?);
    }
    let bytes: Vec<_> = frames.iter().map(|(bytes, _)| &**bytes).collect();
    let mut asked = families.iter().zip(frames.iter().map(|(_, enrol)| enrol));
    let mut progress = Progress::new(families.len());
    send::commands(staff, globals, &bytes, |answers| {
        progress.advance(answers.len());
        for (answer, (family, enrol)) in answers.into_iter().zip(asked.by_ref()) {
            settle(answer, family, enrol, folder, tally);
        }
    })
    .await
}

fn settle(answer: Answer, family: &Family, enrol: &Enrol, folder: &mut Folder, tally: &mut Tally) {
    let code = &family.case_code;
    let was_ours = folder.find(code).is_some_and(|planned| planned.enrolled);
    match answer {
        Answer::Enrolled(enrolled)
            if enrolled.family == enrol.family && enrolled.case_code == *code =>
        {
            folder.confirm(code);
            if enrol.replaces.is_some() && !was_ours {
                tally.anew.push(code.clone());
            }
            tally.families += 1;
            tally.members += family.members.len();
            if !enrolled.active {
                tally.not_active.push((code.clone(), consent_commands(family, &enrol.consents)));
            }
        }
        Answer::Enrolled(enrolled) => {
            tally.already -= usize::from(was_ours);
            tally.elsewhere.push((code.clone(), enrolled.family));
            folder.drop_family(code);
        }
        Answer::Refused(no) => {
            tally.already -= usize::from(was_ours);
            // A relay that has no time may have taken the family in a try whose answer was lost.
            let for_good = !matches!(no.code, ErrorCode::SlowDown | ErrorCode::Unavailable);
            if for_good && !was_ours {
                folder.drop_family(code);
            }
            tally.refused.push((code.clone(), no.text));
        }
    }
}

fn finish(
    checked: &Checked,
    folder: &Folder,
    tally: &Tally,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let listed: BTreeSet<_> = checked.families.iter().map(|family| &*family.case_code).collect();
    let cards = folder.count_cards(|code| listed.contains(code));
    report::summary(tally, folder, cards, globals.json, out)?;
    let left: Vec<_> = folder.unconfirmed();
    if !left.is_empty() {
        eprintln!(
            "note: the relay has not confirmed these, so their cards are not on the page: {}",
            left.join(", ")
        );
    }
    match tally.refused.len() {
        0 => Ok(()),
        refused => {
            let text =
                format!("the relay refused {refused} of {} families", checked.families.len());
            Err(CliError::new(ExitCode::Refused, text))
        }
    }
}

#[cfg(test)]
mod tests;

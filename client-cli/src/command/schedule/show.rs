//! One schedule, looked at: when it comes next, what it says, what a letter bank has left.

use jiashu_proto::entry::{Schedule, ScheduleState};
use jiashu_recurrence::{Rule, occurrences, utc_text};
use jiff::Timestamp;
use serde::Serialize;

use super::super::{Context, View};
use super::held::{self, HeldLetter};
use super::when::{PREVIEW, PreviewJson, dates, print_preview};
use super::{Listed, PHONE_REMOVED, bad_rule, find, listed, own, short};
use crate::clock::now;
use crate::error::{CliError, ExitCode, Result};
use crate::say::{first_line, on_clock, one_line, rule_in_words};

/// What `schedule show --json` says.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    listed: Listed,
    also: Vec<String>,
    except: Vec<String>,
    version: u32,
    preview: Vec<PreviewJson>,
    /// What is held, where this phone may know.
    letters: Vec<LetterJson>,
}

/// A letter that waits, with its date, in `--json`.
#[derive(Serialize)]
struct LetterJson {
    number: usize,
    goes_at: Option<String>,
    from: String,
    text: Option<String>,
    valid_for_s: Option<i64>,
}

pub(super) async fn show(context: &mut Context<'_>, id: &str) -> Result<()> {
    let fresh = held::ask(context, id).await?;
    let view = View::open(&context.home)?;
    let schedule = find(&view, id)?;
    let letters = held::letters(&view, &schedule, fresh)?;
    let rule = active_rule(&schedule)?;
    // A program is told the author's clock, a person their own.
    let zone = match context.globals.json {
        true => view.people.zone(schedule.from),
        false => view.people.tz().iana_name(),
    };
    let entries = match &rule {
        Some(rule) => dates(rule, zone.unwrap_or(rule.zone()), PREVIEW)?,
        None => Vec::new(),
    };
    let listed = listed(&view, &schedule)?;
    if context.globals.json {
        let letters = numbered(&view, &schedule, &letters, rule.as_ref());
        let preview = entries.iter().map(PreviewJson::of).collect();
        let (also, except) = (schedule.rule.also.clone(), schedule.rule.except.clone());
        let version = schedule.version;
        return context.json(&Shown { listed, also, except, version, preview, letters });
    }
    let bank = if schedule.bank { ", a letter bank" } else { "" };
    let gone = if listed.phone_removed { PHONE_REMOVED } else { "" };
    let (id, parties, state) = (short(schedule.id), listed.parties(), listed.state);
    writeln!(context.out, "{id}  {parties}{bank}, {state}{gone}")?;
    writeln!(context.out, "{}", in_words(&schedule))?;
    match letters.as_slice() {
        [HeldLetter { text: Some(text), .. }] if !schedule.bank => {
            writeln!(context.out, "    {}", first_line(&text.content))?;
        }
        letters if schedule.bank && view.people.served().contains(&schedule.from) => {
            writeln!(context.out, "Letters in the bank: {}", letters.len())?;
        }
        _ => {}
    }
    if entries.is_empty() { Ok(()) } else { print_preview(context, &entries) }
}

pub(super) async fn bank(context: &mut Context<'_>, id: &str) -> Result<()> {
    let fresh = held::ask(context, id).await?;
    let view = View::open(&context.home)?;
    let schedule = own(&view, id)?;
    if !schedule.bank {
        let text = "this is no letter bank: it says the same each time";
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    let letters = held::letters(&view, &schedule, fresh)?;
    let rule = active_rule(&schedule)?;
    if context.globals.json {
        for letter in numbered(&view, &schedule, &letters, rule.as_ref()) {
            context.json(&letter)?;
        }
        return Ok(());
    }
    let mut dates = rule.iter().flat_map(|rule| to_come(rule).map(|at| on_clock(at, rule.tz())));
    for (place, letter) in letters.iter().enumerate() {
        let goes = dates.next().unwrap_or_else(|| "no time planned".to_owned());
        let text = letter.text.as_ref().map(|text| first_line(&text.content));
        let text = text.unwrap_or_else(|| "(its key has not come yet)".to_owned());
        writeln!(context.out, "{:>3}  {goes:<18}  {text}", place.saturating_add(1))?;
    }
    let next = dates.next();
    Ok(writeln!(context.out, "{}", runs_out(&schedule, letters.is_empty(), next.as_deref()))?)
}

/// Its rule; none of what is paused.
fn active_rule(schedule: &Schedule) -> Result<Option<Rule>> {
    let active = schedule.state == ScheduleState::Active;
    active.then(|| Rule::of(&schedule.rule).map_err(bad_rule)).transpose()
}

fn to_come(rule: &Rule) -> impl Iterator<Item = Timestamp> + '_ {
    occurrences(rule, now()).map(|occurrence| occurrence.at)
}

fn numbered(
    view: &View,
    schedule: &Schedule,
    letters: &[HeldLetter],
    rule: Option<&Rule>,
) -> Vec<LetterJson> {
    let mut dates = rule.into_iter().flat_map(to_come);
    let first = dates.next();
    let mut goes = first;
    let mut numbered = Vec::with_capacity(letters.len());
    for (place, letter) in letters.iter().enumerate() {
        // Without a bank the one letter goes each time.
        numbered.push(LetterJson {
            number: place.saturating_add(1),
            goes_at: if schedule.bank { goes } else { first }.map(utc_text),
            from: view.people.name(letter.from),
            text: letter.text.as_ref().map(|text| text.content.clone()),
            valid_for_s: letter.valid_for.map(|ms| ms.div_euclid(1_000)),
        });
        goes = dates.next();
    }
    numbered
}

/// When the bank has nothing left to give; `next` is the first time without a letter.
fn runs_out(schedule: &Schedule, is_empty: bool, next: Option<&str>) -> String {
    let id = short(schedule.id);
    let fill = format!("jiashu schedule fill {id} \"…\"");
    match next {
        _ if schedule.state == ScheduleState::Paused => {
            format!("It is paused, and keeps them. To go on: jiashu schedule resume {id}")
        }
        Some(next) if is_empty => {
            format!("The letter bank is empty: on {next} there is no letter. To fill it: {fill}")
        }
        Some(next) => format!("From {next} on there is no letter any more. To fill it: {fill}"),
        None => "There is a letter for each time that is planned.".to_owned(),
    }
}

/// "Asia/Shanghai, on Sunday at 19:30 from 2027-03-07 on, but not 2027-04-04 19:30".
fn in_words(schedule: &Schedule) -> String {
    let rule = &schedule.rule;
    let typed = |times: &[String]| {
        let times: Vec<_> = times.iter().map(|time| on_paper(time)).collect();
        times.join(", ")
    };
    let mut words = match &rule.rrule {
        Some(rrule) => {
            let (when, first) = (rule_in_words(&rule.start, Some(rrule)), rule.start.get(..10));
            format!("{}, {when} from {} on", rule.zone, first.unwrap_or_default())
        }
        None => format!("{}, once, on {}", rule.zone, on_paper(&rule.start)),
    };
    if !rule.also.is_empty() {
        words.push_str(&format!(", also {}", typed(&rule.also)));
    }
    if !rule.except.is_empty() {
        words.push_str(&format!(", but not {}", typed(&rule.except)));
    }
    one_line(&words)
}

/// "2027-03-28 19:30" of a civil time.
fn on_paper(civil: &str) -> String {
    civil.strip_suffix(":00").unwrap_or(civil).replacen('T', " ", 1)
}

//! When: what was typed becomes a rule, and a rule becomes dates on both clocks.

use jiashu_proto::entry::RuleText;
use jiashu_proto::id::{MemberId, Role};
use jiashu_recurrence::{
    Adjust, PreviewEntry, Rule, next_occurrence, occurrences, parse_every, preview, utc_text,
};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::super::Context;
use super::bad_rule;
use crate::args::schedule::WhenArgs;
use crate::clock::now;
use crate::error::{CliError, ExitCode, Result};
use crate::say::{self, People};

/// How many occurrences are shown.
pub(super) const PREVIEW: usize = 8;

/// An occurrence as `--json` has it.
#[derive(Serialize)]
pub(super) struct PreviewJson {
    at: String,
    recipient_local: String,
    sender_local: String,
    adjust: Option<&'static str>,
}

impl PreviewJson {
    pub(super) fn of(entry: &PreviewEntry) -> Self {
        Self {
            at: utc_text(entry.occurrence.at),
            recipient_local: clock(entry, 0),
            sender_local: clock(entry, 1),
            adjust: entry.occurrence.adjust.map(Adjust::name),
        }
    }
}

/// The next so many, on the clock that counts and on one more.
pub(super) fn dates(rule: &Rule, zone: &str, count: usize) -> Result<Vec<PreviewEntry>> {
    preview(rule, &[rule.zone(), zone], now(), count).map_err(bad_rule)
}

/// The rule that was typed.
pub(super) fn rule(args: &WhenArgs, zone: &str) -> Result<Rule> {
    let today = say::zone(zone).to_datetime(now()).date();
    let from_today = plain(args, zone, args.start.unwrap_or(today))?;
    let begun =
        occurrences(&from_today, Timestamp::MIN).next().is_some_and(|first| first.at <= now());
    // "Ten times" are ten to come: today's hour may be past. A calendar's rule may go by its first day,
    // and keeps it.
    let plain = match (args.start, args.every.is_some() && begun, today.tomorrow()) {
        (None, true, Ok(tomorrow)) => plain(args, zone, tomorrow)?,
        _ => from_today,
    };
    with_single_dates(plain, args, zone)
}

/// That something of it is to come.
pub(super) fn check_to_come(rule: &Rule) -> Result<()> {
    if next_occurrence(rule, now()).is_some() {
        return Ok(());
    }
    let text = format!("this is past already, on the clocks of {}", rule.zone());
    Err(CliError::new(ExitCode::BadInput, text))
}

/// The rule without single dates, from that day on.
fn plain(args: &WhenArgs, zone: &str, first: Date) -> Result<Rule> {
    let (start, rrule) = match (&args.on, &args.every, &args.rrule, &args.at) {
        (Some(on), ..) => (typed(on), None),
        (None, Some(days), _, Some(at)) => {
            let every = parse_every(days, at, first).map_err(bad_rule)?;
            (every.start, Some(every.rrule))
        }
        (None, None, Some(rrule), Some(at)) => (format!("{first}T{at}"), Some(rrule.clone())),
        _ => {
            let text = "say when: --on, --every with --at, or --rrule with --at";
            return Err(CliError::new(ExitCode::Usage, text));
        }
    };
    let until = args.until.map(|until| format!(";UNTIL={}", until.strftime("%Y%m%d")));
    let count = args.count.map(|count| format!(";COUNT={count}"));
    let end = until.or(count).unwrap_or_default();
    let rrule = rrule.map(|rrule| rrule + &end);
    Rule::parse(&start, zone, rrule.as_deref()).map_err(bad_rule)
}

fn with_single_dates(plain: Rule, args: &WhenArgs, zone: &str) -> Result<Rule> {
    let also = args.also.iter().map(|also| {
        let also = Rule::parse(&typed(also), zone, None).map_err(bad_rule)?;
        Ok(also.start_text())
    });
    let mut also = also.collect::<Result<Vec<_>>>()?;
    also.sort_unstable();
    also.dedup();
    let with = Rule::of(&RuleText { also, ..plain.text() }).map_err(bad_rule)?;
    let mut except = Vec::new();
    for day in &args.except {
        let times = with.planned_on_day(*day);
        if times.is_empty() {
            let text = format!("nothing is planned on {day}, so it cannot be left out");
            return Err(CliError::new(ExitCode::BadInput, text));
        }
        except.extend(times);
    }
    except.sort_unstable();
    except.dedup();
    Rule::of(&RuleText { except, ..with.text() }).map_err(bad_rule)
}

/// A local time as people type it, with a blank for the `T`.
fn typed(local: &str) -> String {
    local.trim().replacen(' ', "T", 1)
}

/// Bedtime is the child's: the zone of whom it is for, of all the first child's.
pub(super) fn recipient_zone(people: &People, from: MemberId, to: &[MemberId]) -> Result<String> {
    let others = || people.roles().iter().filter(|(member, _)| **member != from);
    let child = others().find(|(_, role)| **role == Role::Child);
    let recipient = to.first().or(child.map(|(member, _)| member));
    let recipient = recipient.or_else(|| others().next().map(|(member, _)| member));
    let zone = recipient.and_then(|member| people.zone(*member));
    zone.map(ToOwned::to_owned).ok_or_else(|| {
        CliError::new(ExitCode::BadInput, "whose clock counts is not known yet: say --tz ZONE")
    })
}

/// The instant on the recipient's clock, 0, or the sender's, 1.
pub(super) fn clock(entry: &PreviewEntry, number: usize) -> String {
    entry.clocks.get(number).map(|clock| clock.local.clone()).unwrap_or_default()
}

/// Both clocks side by side.
pub(super) fn print_preview(context: &mut Context<'_>, entries: &[PreviewEntry]) -> Result<()> {
    writeln!(context.out, "{:<18}  {:<18}", "their clock", "your clock")?;
    for entry in entries {
        let gap = match entry.occurrence.adjust {
            Some(Adjust::Gap) => "  the clocks jump over this hour: later",
            Some(Adjust::Overlap) => "  this hour comes twice: the first",
            None => "",
        };
        let shifts = entry.clocks.last().is_some_and(|clock| clock.shifts);
        let shift = if shifts { "  another hour for you from here on" } else { "" };
        let (theirs, yours) = (local(&clock(entry, 0)), local(&clock(entry, 1)));
        writeln!(context.out, "{theirs:<18}  {yours:<18}{gap}{shift}")?;
    }
    Ok(())
}

/// "Sun 28 Mar 19:30" of `2027-03-28T19:30:00+08:00`.
pub(super) fn local(text: &str) -> String {
    let civil = text.get(..19).and_then(|civil| civil.parse::<jiff::civil::DateTime>().ok());
    civil.map_or_else(|| text.to_owned(), |civil| civil.strftime("%a %-d %b %H:%M").to_string())
}

//! A new schedule: what was typed becomes a rule, shown on both clocks before it counts.

use jiashu_proto::entry::RuleText;
use jiashu_proto::id::{MemberId, Ref, Role};
use jiashu_recurrence::{
    Adjust, PreviewEntry, Rule, next_occurrence, occurrences, parse_every, preview, utc_text,
};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::super::{Context, View};
use super::{bad_rule, short};
use crate::args::schedule::AddArgs;
use crate::clock::{now, now_ms};
use crate::error::{CliError, ExitCode, Result};
use crate::round;
use crate::say::{self, People};
use crate::state::outbox::{self, Fate};
use crate::sync::draft::{self, Parties};

/// How many occurrences are shown.
const PREVIEW: usize = 8;

/// What `schedule add --json` says.
#[derive(Serialize)]
struct Added {
    id: String,
    next: Option<String>,
    preview: Vec<PreviewJson>,
}

#[derive(Serialize)]
struct PreviewJson {
    at: String,
    recipient_local: String,
    sender_local: String,
    adjust: Option<&'static str>,
}

pub(super) async fn add(context: &mut Context<'_>, args: &AddArgs) -> Result<()> {
    let mut view = View::open_to_write(&context.home)?;
    let people = &view.people;
    let from = people.speaker(args.speaker.as_deref())?;
    let to = people.addressees(&args.to)?;
    let zone = match &args.tz {
        Some(zone) => zone.clone(),
        None => recipient_zone(people, from, &to)?,
    };
    let rule = rule(args, &zone)?;
    if next_occurrence(&rule, now()).is_none() {
        return Err(CliError::new(
            ExitCode::BadInput,
            format!("this is past already, on the clocks of {zone}"),
        ));
    }
    let sender_zone = people.zone(from).unwrap_or(rule.zone());
    let entries = preview(&rule, &[rule.zone(), sender_zone], now(), PREVIEW).map_err(bad_rule)?;
    let texts = if args.bank { args.text.clone() } else { vec![args.text.join(" ")] };
    let ahead = draft::Ahead { texts: &texts, bank: args.bank, valid_for: args.valid_for };
    let tx = view.state.begin()?;
    let id = draft::schedule(&tx, Parties { from, to }, rule.text(), &ahead, now_ms())?;
    tx.commit()?;
    let exchanged = round::exchange(&context.home, context.ca(), &[id]).await;
    let fate = outbox::fate(view.state.db(), id)?;
    if let Some(Fate::Refused(code)) = &fate {
        return Err(CliError::new(ExitCode::Refused, format!("the relay refused it ({code})")));
    }
    if context.globals.json {
        context.json(&added(id, &entries))?;
    } else {
        print_preview(context, &entries)?;
        let waits = if fate == Some(Fate::Waits) {
            " It waits on this phone until the relay can be reached."
        } else {
            ""
        };
        if args.bank {
            writeln!(context.out, "{}", in_the_bank(texts.len(), &entries))?;
        }
        writeln!(context.out, "Planned.{waits} To end it: jiashu schedule cancel {}", short(id))?;
    }
    match exchanged {
        Err(error) if error.code != ExitCode::Offline => Err(error),
        _ => Ok(()),
    }
}

fn rule(args: &AddArgs, zone: &str) -> Result<Rule> {
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

/// The rule without single dates, from that day on.
fn plain(args: &AddArgs, zone: &str, first: Date) -> Result<Rule> {
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

fn with_single_dates(plain: Rule, args: &AddArgs, zone: &str) -> Result<Rule> {
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
fn recipient_zone(people: &People, from: MemberId, to: &[MemberId]) -> Result<String> {
    let others = || people.roles().iter().filter(|(member, _)| **member != from);
    let child = others().find(|(_, role)| **role == Role::Child);
    let recipient = to.first().or(child.map(|(member, _)| member));
    let recipient = recipient.or_else(|| others().next().map(|(member, _)| member));
    let zone = recipient.and_then(|member| people.zone(*member));
    zone.map(ToOwned::to_owned).ok_or_else(|| {
        CliError::new(ExitCode::BadInput, "whose clock counts is not known yet: say --tz ZONE")
    })
}

/// How many letters there are, and when the last of them goes.
fn in_the_bank(letters: usize, entries: &[PreviewEntry]) -> String {
    let last = letters.checked_sub(1).and_then(|last| entries.get(last));
    let last = last.map(|last| format!(", the last goes on {}", local(&clock(last, 0))));
    format!("Letters in the bank: {letters}{}.", last.unwrap_or_default())
}

fn added(id: Ref, entries: &[PreviewEntry]) -> Added {
    let preview: Vec<_> = entries
        .iter()
        .map(|entry| PreviewJson {
            at: utc_text(entry.occurrence.at),
            recipient_local: clock(entry, 0),
            sender_local: clock(entry, 1),
            adjust: entry.occurrence.adjust.map(Adjust::name),
        })
        .collect();
    let next = preview.first().map(|entry| entry.at.clone());
    Added { id: id.to_string(), next, preview }
}

/// The instant on the recipient's clock, 0, or the sender's, 1.
fn clock(entry: &PreviewEntry, number: usize) -> String {
    entry.clocks.get(number).map(|clock| clock.local.clone()).unwrap_or_default()
}

fn print_preview(context: &mut Context<'_>, entries: &[PreviewEntry]) -> Result<()> {
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
fn local(text: &str) -> String {
    let civil = text.get(..19).and_then(|civil| civil.parse::<jiff::civil::DateTime>().ok());
    civil.map_or_else(|| text.to_owned(), |civil| civil.strftime("%a %-d %b %H:%M").to_string())
}

//! Saying it otherwise, or at another hour.

use jiashu_proto::entry::Schedule;
use jiashu_proto::id::Ref;
use jiashu_proto::text::Text;

use super::super::{Context, View};
use super::held::{self, HeldLetter};
use super::when::{self, PREVIEW, dates, print_preview};
use super::{change, own, typed_texts};
use crate::args::schedule::EditArgs;
use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::sync::draft::{self, Parties};

pub(super) async fn edit(context: &mut Context<'_>, args: &EditArgs) -> Result<()> {
    if args.text.is_empty() && !args.when.is_said() {
        let text = "say what it says from now on, or when: --every, --on or --rrule";
        return Err(CliError::new(ExitCode::Usage, text));
    }
    let text = typed_texts(&args.text)?.join(" ");
    let fresh = held::ask(context, &args.id).await?;
    let mut view = View::open_to_write(&context.home)?;
    let schedule = own(&view, &args.id)?;
    let id = schedule.id;
    let exchanged = if args.text.is_empty() {
        None
    } else {
        let old = which(&view, &schedule, fresh, args.letter)?;
        Some((old, text))
    };
    let rule = if args.when.is_said() {
        let zone = args.when.tz.as_deref().unwrap_or(&schedule.rule.zone);
        let rule = when::rule(&args.when, zone)?;
        when::check_to_come(&rule)?;
        Some(rule)
    } else {
        None
    };
    if let Some(rule) = rule.as_ref().filter(|_| !context.globals.json) {
        let zone = view.people.zone(schedule.from).unwrap_or(rule.zone());
        print_preview(context, &dates(rule, zone, PREVIEW)?)?;
    }
    let tx = view.state.begin()?;
    let mut refs: Vec<Ref> = Vec::new();
    if let Some((HeldLetter { body_ref, from, to, text: was, valid_for }, content)) = exchanged {
        let ring = was.and_then(|was| was.ring);
        let text = Text { written_at: now_ms(), content, ring, voice: None, picture: None };
        let parties = Parties { from, to };
        refs.push(draft::exchange(&tx, parties, id, body_ref, text, valid_for, now_ms())?);
    }
    if let Some(rule) = rule {
        let (from, state) = (schedule.from, schedule.state);
        refs.push(draft::change(&tx, schedule, from, rule.text(), state, now_ms())?);
    }
    tx.commit()?;
    change::settle(context, &view, id, &refs, "Changed.").await
}

/// The letter that is meant.
fn which(view: &View, schedule: &Schedule, fresh: bool, number: Option<u32>) -> Result<HeldLetter> {
    let bad = |text: &str| CliError::new(ExitCode::BadInput, text);
    let held = held::letters(view, schedule, fresh)?;
    if schedule.bank && number.is_none() {
        let text =
            "a letter bank holds several: say --letter, as jiashu schedule bank numbers them";
        return Err(bad(text));
    }
    let place = usize::try_from(number.unwrap_or(1)).unwrap_or(usize::MAX).saturating_sub(1);
    let letter = held.into_iter().nth(place);
    let letter =
        letter.ok_or_else(|| bad("it holds no such letter; it may have gone meanwhile"))?;
    if view.people.served().contains(&letter.from) {
        return Ok(letter);
    }
    let name = view.people.name(letter.from);
    Err(CliError::new(ExitCode::Refused, format!("{name} wrote this letter: only they change it")))
}

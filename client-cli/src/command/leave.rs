//! `leave`: everything of the family is deleted at the relay, unless somebody takes that back in time.

use jiashu_proto::entry::{Content, LEAVING_KEY, Leaving};
use jiashu_proto::frame::LeaveWhat;
use jiashu_proto::id::MemberId;
use rusqlite::Connection;
use serde_json::json;

use super::changes::line;
use super::letter::utc;
use super::{Context, View};
use crate::args::family::LeaveArgs;
use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::round;
use crate::say::{self, People};
use crate::state::lane::EndedBy;
use crate::state::outbox::{self, Fate};
use crate::state::{fact, told};
use crate::sync::draft;
use crate::voice::sending;

pub(super) async fn run(context: &mut Context<'_>, args: &LeaveArgs) -> Result<()> {
    let mut view = View::open_to_write(&context.home)?;
    let from = speaker(&view.people, args)?;
    if !args.yes && !args.undo {
        Context::confirm(question(args.now), "nothing was asked for")?;
    }
    let what = match (args.undo, args.now) {
        (true, _) => LeaveWhat::Stay,
        (false, true) => LeaveWhat::Now,
        (false, false) => LeaveWhat::InTime,
    };
    let tx = view.state.begin()?;
    let written = draft::leave(&tx, from, what, now_ms())?;
    tx.commit()?;
    let mut exchanged = sending::deliver(&context.home, context.ca(), &[written]).await;
    if exchanged.is_ok() {
        // What came of it stands in the log, or there is none any more.
        exchanged = round::exchange(&context.home, context.ca(), &[]).await;
    }
    let view = View::open(&context.home)?;
    if view.lane.ended.is_some_and(|ended| ended.by == EndedBy::Erased) {
        return tell_erased(context);
    }
    let fate = outbox::fate(view.state.db(), written)?;
    if let Some(Fate::Refused(code)) = &fate {
        return Err(CliError::new(ExitCode::Refused, refused(code)));
    }
    let queued = fate == Some(Fate::Waits);
    let leaving = standing(view.state.db())?.map(|(leaving, _)| leaving);
    tell(context, leaving.as_ref(), queued)?;
    match exchanged {
        Err(error) if error.code != ExitCode::Offline => Err(error),
        _ => Ok(()),
    }
}

fn question(now: bool) -> &'static str {
    if now {
        "All letters, voice notes, plans and names of the family are deleted at the relay, for all of you, as soon as \
         every parent and caregiver who has or had a phone has said so, each by the first that was theirs; nobody can \
         bring them back. What is on your phones stays: jiashu export --out DIR keeps it in a folder. Leave?"
    } else {
        "All letters, voice notes, plans and names of the family are deleted at the relay, for all of you, when some \
         days have passed; nobody can bring them back then. Until then any parent or caregiver can take it back. What \
         is on your phones stays: jiashu export --out DIR keeps it in a folder. Leave?"
    }
}

/// A parent or caregiver.
fn speaker(people: &People, args: &LeaveArgs) -> Result<MemberId> {
    let adult = people.served().iter().copied().find(|member| people.is_adult(*member));
    match (&args.speaker, adult) {
        (Some(named), _) => people.speaker(Some(named)),
        (None, Some(adult)) => Ok(adult),
        (None, None) => {
            let text = "a parent or caregiver says so; a child may take back that it takes part: \
                        jiashu withdraw taking-part";
            Err(CliError::new(ExitCode::BadInput, text))
        }
    }
}

fn refused(code: &str) -> String {
    match code {
        "unknown" => "the family does not leave: there is nothing to take back".to_owned(),
        "not_allowed" => "only a parent or caregiver may say so".to_owned(),
        code => format!("the relay refused it ({code})"),
    }
}

fn tell_erased(context: &mut Context<'_>) -> Result<()> {
    if context.globals.json {
        return context.json(&json!({ "leaves_at": null, "erased": true, "queued": false }));
    }
    writeln!(
        context.out,
        "Everything of the family is deleted at the relay. What is on this phone stays here: jiashu log shows it, \
         jiashu export keeps it."
    )?;
    Ok(())
}

fn tell(context: &mut Context<'_>, leaving: Option<&Leaving>, queued: bool) -> Result<()> {
    let until = leaving.and_then(|leaving| leaving.until);
    if context.globals.json {
        let at = until.map(utc);
        return context.json(&json!({ "leaves_at": at, "erased": false, "queued": queued }));
    }
    match (queued, until) {
        (true, _) => {
            writeln!(context.out, "It waits on this phone until the relay can be reached.")?
        }
        (false, None) => writeln!(context.out, "The family stays: nothing is deleted.")?,
        (false, Some(until)) => writeln!(
            context.out,
            "The family leaves: everything of it is deleted at the relay on {}. Until then any parent or caregiver \
             can take it back: jiashu leave --undo. To keep the letters: jiashu export --out DIR",
            say::day(until)
        )?,
    }
    Ok(())
}

/// Whether the family leaves, as this phone knows it, and the place where that stands.
fn standing(db: &Connection) -> Result<Option<(Leaving, i64)>> {
    Ok(fact::find(db, LEAVING_KEY)?.and_then(|fact| match fact.content {
        Content::Leaving(leaving) => Some((leaving, fact.seq.cast_signed())),
        _ => None,
    }))
}

/// Says on standard error, once, that the family leaves, or stays after all.
pub(super) fn tell_new(db: &Connection, people: &People, as_json: bool) -> Result<()> {
    let Some((leaving, seq)) = standing(db)? else { return Ok(()) };
    if told::upto(db, told::LEAVING)?.is_some_and(|upto| upto >= seq) {
        return Ok(());
    }
    told::put(db, told::LEAVING, seq)?;
    let who = if leaving.by == Leaving::STAFF {
        "The staff of your programme".to_owned()
    } else {
        people.name(leaving.by)
    };
    let text = match leaving.until {
        None => format!("{who} took back that the family leaves: nothing is deleted."),
        Some(until) => format!(
            "{who} asked that everything of the family be deleted at the relay on {}. A parent or caregiver can take \
             that back: jiashu leave --undo. To keep the letters: jiashu export --out DIR",
            say::day(until)
        ),
    };
    let object = json!({ "leaving": leaving.until.map(utc), "by": leaving.by.0, "text": text });
    line(&object, &text, as_json);
    Ok(())
}

//! `ask-for-help`: tells the programme's staff that somebody asks for help; and `reach`: where a parent may be written to.

use jiashu_proto::id::{MemberId, Ref};
use serde_json::json;

use super::{Context, View};
use crate::args::family::{HelpArgs, ReachArgs};
use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::state::outbox::{self, Fate};
use crate::sync::draft;
use crate::voice::sending;

pub(super) async fn ask(context: &mut Context<'_>, args: &HelpArgs) -> Result<()> {
    let mut view = View::open_to_write(&context.home)?;
    let from = view.people.speaker(args.speaker.as_deref())?;
    if !args.yes {
        let question = "The staff of your programme are told at once that help is asked for here. Nobody in the \
                        family is shown it. Ask for help?";
        Context::confirm(question, "nobody was told")?;
    }
    let tx = view.state.begin()?;
    let written = draft::ask_for_help(&tx, from, now_ms())?;
    tx.commit()?;
    if sent(context, &view, written, json!({ "asked_for_help": true })).await? {
        writeln!(
            context.out,
            "The staff of your programme are told now. If somebody is in danger, call the emergency number as well."
        )?;
    }
    Ok(())
}

pub(super) async fn reach(context: &mut Context<'_>, args: &ReachArgs) -> Result<()> {
    let mut view = View::open_to_write(&context.home)?;
    let people = &view.people;
    let adult = people.served().iter().copied().find(|member| people.is_adult(*member));
    let from: MemberId = match (&args.speaker, adult) {
        (Some(named), _) => people.speaker(Some(named))?,
        (None, Some(adult)) => adult,
        (None, None) => {
            let text = "an address is a parent's or caregiver's: this phone serves none";
            return Err(CliError::new(ExitCode::BadInput, text));
        }
    };
    let tx = view.state.begin()?;
    let written = draft::reach(&tx, from, args.email.clone(), now_ms())?;
    tx.commit()?;
    if sent(context, &view, written, json!({ "email": args.email })).await? {
        match &args.email {
            Some(_) => writeln!(
                context.out,
                "When contact was missed, a mail reminds you there; it names nobody and says nothing of your letters.\n\
                 Neither your family nor the staff see the address."
            )?,
            None => writeln!(context.out, "Nothing is sent to you any more.")?,
        }
    }
    Ok(())
}

/// Whether it came to the relay; else it is said what became of it.
async fn sent(
    context: &mut Context<'_>,
    view: &View,
    written: Ref,
    answer: serde_json::Value,
) -> Result<bool> {
    let exchanged = sending::deliver(&context.home, context.ca(), &[written]).await;
    let fate = outbox::fate(view.state.db(), written)?;
    if let Some(Fate::Refused(code)) = &fate {
        return Err(CliError::new(ExitCode::Refused, format!("the relay refused it ({code})")));
    }
    let is_queued = fate == Some(Fate::Waits);
    if context.globals.json {
        let mut answer = answer;
        if let Some(fields) = answer.as_object_mut() {
            let _ = fields.insert("queued".to_owned(), json!(is_queued));
        }
        context.json(&answer)?;
    } else if is_queued {
        writeln!(context.out, "It waits on this phone until the relay can be reached.")?;
    }
    match exchanged {
        Err(error) if error.code != ExitCode::Offline => Err(error),
        _ => Ok(!is_queued && !context.globals.json),
    }
}

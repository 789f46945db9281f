//! `log`: all letters in order, one's own with how far they came.

use jiashu_proto::entry::Rung;
use jiashu_proto::frame::ClientFrame;
use jiashu_proto::text::Text;
use serde::Serialize;

use super::letter::{Letter, heading, said, text_of, utc};
use super::notices::{self, Told};
use super::{Context, View};
use crate::error::Result;
use crate::say::{People, one_line};
use crate::state::message::{self, Stored};
use crate::state::outbox;
use crate::state::receipt::{self, HALF, Heard};

/// One line of `log --json`.
#[derive(Serialize)]
pub(super) struct Logged {
    #[serde(flatten)]
    letter: Letter,
    receipts: Vec<HeardJson>,
}

/// How far a letter came with one member, in `--json`.
#[derive(Serialize)]
pub(super) struct HeardJson {
    member: String,
    rung: &'static str,
    at: String,
    /// Of a played one: how much, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<u8>,
}

impl HeardJson {
    /// "Lili heard 80 %", once something of a voice note was heard.
    pub(super) fn of_voice(&self) -> Option<String> {
        let Self { member, rung, share, .. } = self;
        match share {
            Some(share) => Some(format!("{member} heard {share} %")),
            None if *rung == Rung::Shown.name() => Some(format!("{member} heard it")),
            None => None,
        }
    }
}

pub(super) async fn run(context: &mut Context<'_>) -> Result<()> {
    context.exchange_or_go_on().await?;
    let view = View::open(&context.home)?;
    let mut told = notices::all(view.state.db(), &view.people)?.into_iter().peekable();
    let generation = view.lane.cursor.map(|cursor| cursor.generation);
    for stored in message::all(view.state.db())? {
        // Letters of a former life of the log stand before all others.
        let passed = |told: &Told| generation == Some(stored.generation) && told.seq < stored.seq;
        while let Some(told) = told.next_if(passed) {
            print_told(context, &told)?;
        }
        if !context.globals.json {
            print(context, &view, &stored)?;
        } else if let Some(logged) = logged(&view, &stored)? {
            context.json(&logged)?;
        }
    }
    for told in told {
        print_told(context, &told)?;
    }
    if !context.globals.json {
        print_waiting(context, &view)?;
    }
    Ok(())
}

/// What the relay told this phone's people, where they read on their own; for `--json` it is in the export.
fn print_told(context: &mut Context<'_>, told: &Told) -> Result<()> {
    if context.globals.json {
        return Ok(());
    }
    Ok(writeln!(context.out, "{told}\n")?)
}

/// The letter with its receipts, if it was opened.
pub(super) fn logged(view: &View, stored: &Stored) -> Result<Option<Logged>> {
    let Some(letter) = Letter::of(stored, &view.people) else { return Ok(None) };
    Ok(Some(Logged { letter, receipts: receipts_of(view, stored)? }))
}

/// How far a letter came, a member each.
pub(super) fn receipts_of(view: &View, stored: &Stored) -> Result<Vec<HeardJson>> {
    let heard = receipt::of(view.state.db(), stored.message.entry_ref)?.into_iter();
    let receipts = heard.map(|heard| HeardJson {
        member: view.people.name(heard.member),
        rung: heard.rung.name(),
        at: utc(heard.at),
        share: heard.share,
    });
    Ok(receipts.collect())
}

fn print(context: &mut Context<'_>, view: &View, stored: &Stored) -> Result<()> {
    writeln!(context.out, "{}", heading(stored, &view.people))?;
    match (&stored.text, &stored.refused) {
        (_, Some(reason)) => writeln!(context.out, "    NOT SHOWN: {}", one_line(reason))?,
        (Some(_), None) => writeln!(context.out, "{}", text_of(stored))?,
        (None, None) => writeln!(context.out, "    (its key has not come yet)")?,
    }
    for heard in receipt::of(view.state.db(), stored.message.entry_ref)? {
        writeln!(context.out, "    {}", in_words(&heard, stored, &view.people))?;
    }
    Ok(writeln!(context.out)?)
}

/// "✓✓ Lili heard it, 19:42".
fn in_words(heard: &Heard, stored: &Stored, people: &People) -> String {
    let (name, at) = (people.name(heard.member), people.clock_beside(heard.at, stored.at));
    match heard.rung {
        Rung::Device => format!("✓ on {name}'s phone, {at}"),
        Rung::Opened => format!("✓✓ {name} opened it, {at}"),
        Rung::Played => match heard.share {
            Some(share @ ..HALF) => format!("✓ {name} heard {share} % of it, {at}"),
            Some(share) => format!("✓✓ {name} heard it ({share} %), {at}"),
            None => format!("✓ {name} began to play it, {at}"),
        },
        Rung::Shown => format!("✓✓ {name} heard it, {at}"),
        Rung::Done => format!("✓✓ {name} has done it, {at}"),
    }
}

fn print_waiting(context: &mut Context<'_>, view: &View) -> Result<()> {
    for command in outbox::waiting_posts(view.state.db())? {
        let ClientFrame::Post(post) = &command.frame else { continue };
        let Ok(text) = Text::from_bytes(post.kind, &post.sealed) else { continue };
        let at = view.people.clock(command.at);
        writeln!(context.out, "waits  {at}  {}", view.people.name(post.from))?;
        writeln!(context.out, "    {}\n", said(&text).replace('\n', "\n    "))?;
    }
    Ok(())
}

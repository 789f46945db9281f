//! `voice`: sound instead of words. How it travels is `crate::voice`'s.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiashu_proto::entry::Rung;
use jiashu_proto::frame::ClientFrame;
use jiashu_proto::text::{Text, Voice};
use serde::Serialize;

use super::heard::at_place;
use super::letter::{VoiceJson, opened_by, utc};
use super::log::{HeardJson, receipts_of};
use super::schedule::{add, change};
use super::{Context, View, send};
use crate::args::voice::{
    LinkArgs, OnItsWayArgs, OpenArgs, PlayArgs, RecordArgs, SaveArgs, SendVoiceArgs, VoiceCommand,
};
use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::home::private_file;
use crate::say;
use crate::state::message::{self, Stored};
use crate::state::{outbox, receipt, upload};
use crate::sync::draft::{self, Ahead, Manner, Parties, Said};
use crate::voice::link::VoiceLink;
use crate::voice::sound::{self, Sound};
use crate::voice::transfer;
use crate::voice::way::Way;
use crate::voice::{file, length_text, player, recorder, sending, size_text};

pub(super) async fn run(context: &mut Context<'_>, command: VoiceCommand) -> Result<()> {
    match command {
        VoiceCommand::Send(args) => send_files(context, &args).await,
        VoiceCommand::Record(args) => record(context, &args).await,
        VoiceCommand::List => list(context).await,
        VoiceCommand::Play(args) => play(context, &args).await,
        VoiceCommand::Save(args) => save(context, &args).await,
        VoiceCommand::Link(args) => link(context, &args).await,
        VoiceCommand::Open(args) => open(context, &args).await,
    }
}

/// "voice, 0:42, 84 KB".
pub(super) fn described(voice: &Voice) -> String {
    format!("voice, {}, {}", length_text(voice.duration_ms), size_text(voice.size))
}

async fn send_files(context: &mut Context<'_>, args: &SendVoiceArgs) -> Result<()> {
    let way = &args.way;
    let several = args.files.len() > 1;
    if several && !way.when.is_said() && way.bank.is_none() {
        let text =
            "several go into a letter bank, one a time: say when (--every), or which (--bank ID)";
        return Err(CliError::new(ExitCode::Usage, text));
    }
    check_way(context, way)?;
    let mut sounds = Vec::new();
    for path in &args.files {
        sounds.push(sound::read(path).await?);
    }
    send_sounds(context, way, &sounds).await
}

/// What is wrong with it is said before anybody speaks.
fn check_way(context: &Context<'_>, way: &OnItsWayArgs) -> Result<()> {
    let view = View::open_to_write(&context.home)?;
    view.people.speaker(way.parties.speaker.as_deref())?;
    view.people.addressees(&way.parties.to).map(|_| ())
}

async fn send_sounds(
    context: &mut Context<'_>,
    way: &OnItsWayArgs,
    sounds: &[Sound],
) -> Result<()> {
    let letters = seal_all(context, sounds)?;
    if let Some(bank) = &way.bank {
        return change::fill_with(context, bank, &letters).await;
    }
    if way.when.is_said() {
        let manner = Manner { valid_for: way.valid_for, ring: None };
        let ahead = Ahead { letters: &letters, bank: letters.len() > 1, manner };
        return add::plan(context, &way.when, &way.parties, &ahead).await;
    }
    let view = View::open_to_write(&context.home)?;
    let from = view.people.speaker(way.parties.speaker.as_deref())?;
    let parties = Parties { from, to: view.people.addressees(&way.parties.to)? };
    let mut state = view.state;
    send::send(context, &mut state, &parties, &letters, None).await
}

/// On the disk, and noted, before anything names them.
fn seal_all(context: &Context<'_>, sounds: &[Sound]) -> Result<Vec<Said>> {
    let mut view = View::open_to_write(&context.home)?;
    let mut letters = Vec::new();
    for sound in sounds {
        let (voice, sealed) = file::seal(&context.home, sound)?;
        let tx = view.state.begin()?;
        upload::put(&tx, &sealed)?;
        tx.commit()?;
        say::note(&format!("{}.", described(&voice)));
        letters.push(Said::Voice(voice));
    }
    Ok(letters)
}

async fn record(context: &mut Context<'_>, args: &RecordArgs) -> Result<()> {
    if args.out.is_none() {
        check_way(context, &args.way)?;
    }
    let folder = tempfile::tempdir()?;
    let recorded = folder.path().join("note.opus");
    let most = args.most.map(|most| Duration::from_millis(most.unsigned_abs()));
    recorder::record(&recorded, most).await?;
    let sound = sound::read(&recorded).await?;
    if let Some(out) = &args.out {
        return keep(context, &sound.bytes, out);
    }
    if std::io::stdin().is_terminal() && !args.yes {
        let length = length_text(sound.duration_ms);
        let size = size_text(sound.bytes.len() as u64);
        Context::confirm(&format!("{length}, {size}. Send it?"), "not sent")?;
    }
    send_sounds(context, &args.way, &[sound]).await
}

/// Writes opened sound into a new file.
fn keep(context: &mut Context<'_>, sound: &[u8], out: &Path) -> Result<()> {
    if out.exists() {
        let text = format!("{} is there already: name a new file by --out", out.display());
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    let failed = |error: std::io::Error| {
        CliError::new(ExitCode::BadInput, format!("cannot write {}: {error}", out.display()))
    };
    let mut file = private_file(out).map_err(failed)?;
    file.write_all(sound).and_then(|()| file.sync_all()).map_err(failed)?;
    if context.globals.json {
        return context.json(&serde_json::json!({ "out": out.display().to_string() }));
    }
    Ok(writeln!(context.out, "{}", out.display())?)
}

/// One line of `voice list --json`.
#[derive(Serialize)]
struct Listed {
    seq: Option<u64>,
    at: String,
    from: String,
    to: Vec<String>,
    voice: VoiceJson,
    /// Whether its sealed file is on this phone.
    here: bool,
    receipts: Vec<HeardJson>,
}

async fn list(context: &mut Context<'_>) -> Result<()> {
    context.exchange_or_go_on().await?;
    let view = View::open(&context.home)?;
    for stored in message::all(view.state.db())? {
        let Some(voice) = voice_of(&stored).filter(|_| stored.refused.is_none()) else { continue };
        let people = &view.people;
        let listed = Listed {
            seq: Some(stored.seq),
            at: utc(stored.at),
            from: people.name(stored.message.from),
            to: stored.message.to.iter().map(|member| people.name(*member)).collect(),
            voice: VoiceJson::of(voice),
            here: file::is_here(&context.home, voice),
            receipts: receipts_of(&view, &stored)?,
        };
        print_listed(context, &listed, &people.clock(stored.at), voice)?;
    }
    for command in outbox::waiting_posts(view.state.db())? {
        let ClientFrame::Post(post) = &command.frame else { continue };
        let text = Text::from_bytes(post.kind, &post.sealed).ok();
        let Some(voice) = text.and_then(|text| text.voice) else { continue };
        let listed = Listed {
            seq: None,
            at: utc(command.at),
            from: view.people.name(post.from),
            to: post.to.iter().map(|member| view.people.name(*member)).collect(),
            voice: VoiceJson::of(&voice),
            here: true,
            receipts: Vec::new(),
        };
        print_listed(context, &listed, &view.people.clock(command.at), &voice)?;
    }
    Ok(())
}

fn print_listed(context: &mut Context<'_>, listed: &Listed, at: &str, voice: &Voice) -> Result<()> {
    if context.globals.json {
        return context.json(listed);
    }
    let Listed { seq, from, to, here, receipts, .. } = listed;
    let number = seq.map_or_else(|| "waits".to_owned(), |seq| format!("#{seq}"));
    let to = if to.is_empty() { "everybody".to_owned() } else { to.join(", ") };
    let here = if *here { "" } else { ", not fetched yet" };
    let heard: Vec<_> = receipts.iter().filter_map(HeardJson::of_voice).collect();
    let heard = if heard.is_empty() { String::new() } else { format!("  {}", heard.join(", ")) };
    let what = described(voice);
    Ok(writeln!(context.out, "{number}  {at}  {from} to {to}  {what}{here}{heard}")?)
}

fn voice_of(stored: &Stored) -> Option<&Voice> {
    stored.text.as_ref()?.voice.as_ref()
}

/// The voice note of that number, with what it says.
async fn find(context: &mut Context<'_>, seq: u64) -> Result<(View, Stored, Voice)> {
    let found = |view: &View| -> Result<(Stored, Voice)> {
        let stored = at_place(view, seq)?;
        let voice = voice_of(&stored).filter(|_| stored.refused.is_none()).cloned();
        let text = format!("letter {seq} is no voice note: see jiashu voice list");
        let voice = voice.ok_or_else(|| CliError::new(ExitCode::BadInput, text))?;
        Ok((stored, voice))
    };
    let view = View::open(&context.home)?;
    if let Ok((stored, voice)) = found(&view) {
        return Ok((view, stored, voice));
    }
    // Perhaps it came just now.
    drop(view);
    context.exchange_or_go_on().await?;
    let view = View::open(&context.home)?;
    let (stored, voice) = found(&view)?;
    Ok((view, stored, voice))
}

/// The first voice note for somebody here, or for who is named, that they have not heard.
async fn first_unheard(context: &mut Context<'_>, by: Option<&str>) -> Result<Option<u64>> {
    context.exchange_or_go_on().await?;
    let View { state, people, .. } = View::open(&context.home)?;
    let named = by.map(|by| people.speaker(Some(by))).transpose()?;
    let here = people.served();
    for stored in message::all(state.db())? {
        let is_voice = voice_of(&stored).is_some() && stored.refused.is_none();
        let was_said_here = here.contains(&stored.message.from);
        if !is_voice || was_said_here || opened_by(&stored, &people, named).is_none() {
            continue;
        }
        let is_one = |member| named.map_or(here.contains(&member), |named| named == member);
        let mut heard = receipt::of(state.db(), stored.message.entry_ref)?.into_iter();
        if !heard.any(|heard| is_one(heard.member) && heard.has_listened()) {
            return Ok(Some(stored.seq));
        }
    }
    Ok(None)
}

async fn play(context: &mut Context<'_>, args: &PlayArgs) -> Result<()> {
    let seq = match args.seq {
        Some(seq) => seq,
        None => match first_unheard(context, args.by.as_deref()).await? {
            Some(seq) => seq,
            None if context.globals.json => return Ok(()),
            None => return Ok(writeln!(context.out, "All was heard: see jiashu voice list.")?),
        },
    };
    let (mut view, stored, voice) = find(context, seq).await?;
    let named = args.by.as_deref().map(|by| view.people.speaker(Some(by))).transpose()?;
    let sound = file::fetch(&context.home, context.ca(), &view.lane, &voice).await?;
    let share = player::play(&sound, voice.duration_ms, args.player.player.as_deref()).await?;
    let Some(by) = opened_by(&stored, &view.people, named) else {
        return said_played(context, seq, share, None);
    };
    let tx = view.state.begin()?;
    let report = draft::report(&tx, &stored, by, Rung::Played, Some(share), now_ms())?;
    tx.commit()?;
    match sending::deliver(&context.home, context.ca(), &[report]).await {
        Err(error) if error.code != ExitCode::Offline => return Err(error),
        _ => {}
    }
    let author = view.people.name(stored.message.from);
    said_played(context, seq, share, Some(&author))
}

fn said_played(context: &mut Context<'_>, seq: u64, share: u8, author: Option<&str>) -> Result<()> {
    if context.globals.json {
        return context.json(&serde_json::json!({ "seq": seq, "share": share }));
    }
    let sees = author.map(|author| format!(" {author} will see it.")).unwrap_or_default();
    Ok(writeln!(context.out, "Played {share} %.{sees}")?)
}

async fn save(context: &mut Context<'_>, args: &SaveArgs) -> Result<()> {
    let (view, stored, voice) = find(context, args.seq).await?;
    let sound = file::fetch(&context.home, context.ca(), &view.lane, &voice).await?;
    let out = args.out.clone();
    let out = out.unwrap_or_else(|| PathBuf::from(format!("voice-{}.opus", stored.seq)));
    keep(context, &sound, &out)
}

async fn link(context: &mut Context<'_>, args: &LinkArgs) -> Result<()> {
    let (view, _, voice) = find(context, args.seq).await?;
    let token = view.lane.token();
    let way = Way { origin: &view.lane.origin, ca: context.ca(), token: Some(&token) };
    let seconds = args.lasts_ms.unsigned_abs().div_ceil(1_000);
    let lent = transfer::ask_link(way, voice.blob, seconds).await?;
    let address = VoiceLink::new(view.lane.origin.clone(), lent.token, &voice).address();
    if context.globals.json {
        let expires_at = utc(lent.expires_at);
        let fetched = lent.fetched;
        return context.json(&serde_json::json!({
            "link": address, "expires_at": expires_at, "fetched": fetched
        }));
    }
    writeln!(context.out, "{address}")?;
    let until = view.people.clock(lent.expires_at);
    say::note(&format!(
        "Whoever has it can hear this note until {until}. It was fetched {:.0} times so far.",
        lent.fetched
    ));
    Ok(())
}

async fn open(context: &mut Context<'_>, args: &OpenArgs) -> Result<()> {
    let link = VoiceLink::parse(&args.link)?;
    let voice = link.voice();
    say::note(&format!("{}.", described(&voice)));
    let folder = tempfile::tempdir()?;
    let part = folder.path().join("note.part");
    let way = Way { origin: &link.origin, ca: context.ca(), token: None };
    transfer::download(way, &link.path(), link.stored_length(), &part).await?;
    let sound = link.open(&std::fs::read(&part)?)?;
    if let Some(out) = &args.out {
        return keep(context, &sound, out);
    }
    let share = player::play(&sound, voice.duration_ms, args.player.player.as_deref()).await?;
    if context.globals.json {
        return context.json(&serde_json::json!({ "share": share }));
    }
    Ok(writeln!(context.out, "Played {share} %.")?)
}

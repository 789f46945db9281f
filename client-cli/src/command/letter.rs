//! How a letter that arrived is shown, and that it is shown once.
//!
//! A letter is marked before and after it is printed: where a process ended in between, the next
//! prints it again and says so.

use std::io::Write;

use jiashu_proto::entry::{MessageKind, Rung};
use jiashu_proto::id::{MemberId, Millis};
use jiashu_proto::text::{Picture, Ring, Text, Voice};
use jiashu_recurrence::utc_text;
use serde::Serialize;

use super::voice::described;
use crate::clock::{now_ms, timestamp};
use crate::error::Result;
use crate::home::Home;
use crate::say::{self, People, one_line, plain};
use crate::state::State;
use crate::state::message::{self, Shown, Stored};
use crate::sync::draft;
use crate::sync::is_for;

/// A letter that fired so much after its hour is late, in ms.
const LATE_MS: i64 = 60_000;

/// One line of `inbox --json` and `listen --json`; `log --json` adds to it.
#[derive(Serialize)]
pub(super) struct Letter {
    seq: u64,
    #[serde(rename = "ref")]
    entry_ref: String,
    at: String,
    from: String,
    role: Option<&'static str>,
    to: Vec<String>,
    kind: &'static str,
    text: String,
    scheduled_for: Option<String>,
    late: bool,
    adjust: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    perhaps_shown: bool,
    /// Of a reminder: how it rings until it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    rings: Option<RingsJson>,
    /// Of a voice note: what there is to hear.
    #[serde(skip_serializing_if = "Option::is_none")]
    voice: Option<VoiceJson>,
    /// Of a picture: which.
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<&'static str>,
}

/// A voice note before it is fetched, in `--json`.
#[derive(Serialize)]
pub(super) struct VoiceJson {
    duration_ms: u64,
    size: u64,
    media_type: String,
}

impl VoiceJson {
    pub(super) fn of(voice: &Voice) -> Self {
        let Voice { duration_ms, size, media_type, .. } = voice.clone();
        Self { duration_ms, size, media_type }
    }
}

/// How a reminder rings, in `--json`.
#[derive(Serialize)]
struct RingsJson {
    every_s: i64,
    times: u32,
}

impl RingsJson {
    fn of(ring: Ring) -> Self {
        Self { every_s: ring.every_ms().div_euclid(1_000), times: ring.times() }
    }
}

impl Letter {
    /// The letter, if it was opened and is one.
    pub(super) fn of(stored: &Stored, people: &People) -> Option<Self> {
        let (message, text) = (&stored.message, stored.text.as_ref()?);
        let fired = message.fired.as_ref();
        Some(Self {
            seq: stored.seq,
            entry_ref: message.entry_ref.to_string(),
            at: utc(stored.at),
            from: people.name(message.from),
            role: people.role(message.from).map(|role| role.name()),
            to: message.to.iter().map(|member| people.name(*member)).collect(),
            kind: MessageKind::from_number(stored.kind)?.name(),
            text: text.content.clone(),
            scheduled_for: fired.map(|fired| utc(fired.due_at)),
            late: is_late(stored),
            adjust: fired.and_then(|fired| fired.adjust).map(|adjust| adjust.name()),
            perhaps_shown: stored.perhaps_shown,
            rings: text.ring.map(RingsJson::of),
            voice: text.voice.as_ref().map(VoiceJson::of),
            picture: text.picture.map(Picture::name),
        })
    }
}

/// An instant of the wire as `--json` has it: `2027-03-28T01:30:00Z`.
pub(super) fn utc(at: Millis) -> String {
    utc_text(timestamp(at))
}

fn is_late(stored: &Stored) -> bool {
    let fired = stored.message.fired.as_ref();
    fired.is_some_and(|fired| stored.at.saturating_sub(fired.due_at) > LATE_MS)
}

/// Who reads, and how it is shown.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// As objects rather than words.
    pub json: bool,
    /// Reading counts as opened.
    pub opens: bool,
    /// Who reads, if it was said.
    pub reader: Option<MemberId>,
}

/// Prints what is new and for this device's members, each once. How many.
pub(super) fn show_new(
    home: &Home,
    state: &mut State,
    people: &People,
    reading: &Reading,
    out: &mut dyn Write,
) -> Result<usize> {
    if new_ones(state, people)?.is_empty() {
        return Ok(0);
    }
    let _lock = home.show()?;
    // Looked up again: another terminal may have shown them while we waited for the lock.
    let new = new_ones(state, people)?;
    mark_all(state, &new, Shown::Printing)?;
    let mut count = 0_usize;
    for stored in &new {
        if print(stored, people, reading, out)? {
            count = count.saturating_add(1);
        }
    }
    out.flush()?;
    let tx = state.begin()?;
    for stored in &new {
        message::mark(&tx, stored.message.entry_ref, Shown::Printed)?;
        let reader = opened_by(stored, people, reading.reader).filter(|_| reading.opens);
        // A voice note is opened by playing it.
        let is_words = stored.text.as_ref().is_some_and(|text| text.voice.is_none());
        if let Some(reader) = reader.filter(|_| is_words) {
            draft::report(&tx, stored, reader, Rung::Opened, None, now_ms())?;
        }
    }
    tx.commit()?;
    Ok(count)
}

/// What is new, and for this device's members.
pub(super) fn new_ones(state: &State, people: &People) -> Result<Vec<Stored>> {
    let mut new = message::not_shown(state.db(), people.me())?;
    new.retain(|stored| people.served().iter().any(|member| is_for(&stored.message, *member)));
    Ok(new)
}

fn mark_all(state: &mut State, new: &[Stored], shown: Shown) -> Result<()> {
    let tx = state.begin()?;
    for stored in new {
        message::mark(&tx, stored.message.entry_ref, shown)?;
    }
    Ok(tx.commit()?)
}

/// For whom an opened letter counts: who reads, else the first adult it is for, else the child.
pub(super) fn opened_by(
    stored: &Stored,
    people: &People,
    reader: Option<MemberId>,
) -> Option<MemberId> {
    let is_for = |member: &MemberId| is_for(&stored.message, *member);
    if reader.is_some() {
        return reader.filter(is_for);
    }
    let for_here = || people.served().iter().copied().filter(is_for);
    for_here().find(|member| people.is_adult(*member)).or_else(|| for_here().next())
}

/// Whether it was printed as a letter.
fn print(stored: &Stored, people: &People, reading: &Reading, out: &mut dyn Write) -> Result<bool> {
    if let Some(reason) = &stored.refused {
        let (at, reason) = (people.clock(stored.at), one_line(reason));
        say::warn(&format!("A message of {at} is not shown: {reason}."));
        return Ok(false);
    }
    if reading.json {
        let Some(letter) = Letter::of(stored, people) else { return Ok(false) };
        writeln!(out, "{}", say::json_line(&letter)?)?;
    } else {
        let again = if stored.perhaps_shown { "  (perhaps shown before)" } else { "" };
        writeln!(out, "{}{again}", heading(stored, people))?;
        writeln!(out, "{}\n", text_of(stored))?;
    }
    Ok(true)
}

/// "#12  Sun 28 Mar 19:30  Mama to Lili".
pub(super) fn heading(stored: &Stored, people: &People) -> String {
    let message = &stored.message;
    let to = match message.to.as_slice() {
        [] => "everybody".to_owned(),
        to => people.names(to),
    };
    let (seq, at, from) = (stored.seq, people.clock(stored.at), people.name(message.from));
    let mut heading = format!("#{seq}  {at}  {from} to {to}");
    if let Some(fired) = &message.fired {
        let due = people.clock_beside(fired.due_at, stored.at);
        let late = if is_late(stored) { format!(", late: for {due}") } else { String::new() };
        let shifted = if fired.adjust.is_some() { ", the clocks changed" } else { "" };
        heading.push_str(&format!("  (planned{late}{shifted})"));
    }
    if stored.text.as_ref().is_some_and(|text| text.ring.is_some()) {
        let is_ours = people.served().iter().any(|member| is_for(message, *member));
        let hint =
            if is_ours { format!("; once it is done: jiashu done {seq}") } else { String::new() };
        heading.push_str(&format!("  (reminder{hint})"));
    }
    heading
}

/// The lines of a letter, indented, so that no letter can look like a heading.
pub(super) fn text_of(stored: &Stored) -> String {
    let text = stored.text.as_ref().map(said).unwrap_or_default();
    let hint = match stored.text.as_ref().and_then(|text| text.voice.as_ref()) {
        Some(_) => format!("  (to hear it: jiashu voice play {})", stored.seq),
        None => String::new(),
    };
    format!("    {}{hint}", text.replace('\n', "\n    "))
}

/// What a text says, safe to print: its lines, of a voice note what there is to hear, or which picture it is.
pub(super) fn said(text: &Text) -> String {
    match (&text.voice, text.picture) {
        (Some(voice), _) => described(voice),
        (None, Some(picture)) => format!("picture: {}", picture.name()),
        (None, None) => plain(&text.content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::outbox;
    use crate::sync::Engine;
    use crate::sync::testing::{HOUSE, LILI, MAMA, NAINAI, NOON, PHONE, World};

    const READING: Reading = Reading { json: true, opens: true, reader: None };

    fn show(engine: &mut Engine, home: &Home, reading: &Reading) -> String {
        let people = People::load(engine.db(), engine.lane(), engine.family()).unwrap();
        let mut out = Vec::new();
        show_new(home, engine.state(), &people, reading, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::find(Some(dir.path())).unwrap();
        (dir, home)
    }

    #[test]
    fn a_letter_is_shown_once_and_the_writer_hears_of_it() {
        let mut world = World::new();
        world.letter(PHONE, MAMA, "吃饭了吗");
        let (mut engine, (_dir, home)) = (world.synced(HOUSE), home());

        let first = show(&mut engine, &home, &READING);
        let second = show(&mut engine, &home, &READING);

        assert!(first.contains("\"text\":\"吃饭了吗\""), "{first}");
        assert!(!first.contains("perhaps_shown"));
        assert_eq!(second, "");
        assert_eq!(outbox::waiting_count(engine.db()).unwrap().0, 1, "one receipt");
    }

    #[test]
    fn a_letter_that_was_being_printed_is_printed_again_and_says_so() {
        let mut world = World::new();
        world.letter(PHONE, MAMA, "cut off");
        let (mut engine, (_dir, home)) = (world.synced(HOUSE), home());
        message::mark(engine.db(), world.refs[0], Shown::Printing).unwrap();

        let words = show(&mut engine, &home, &Reading { json: false, ..READING });

        assert!(words.contains("(perhaps shown before)"), "{words}");
        assert!(words.contains("    cut off"));
    }

    #[test]
    fn own_letters_and_those_for_others_are_not_new() {
        let mut world = World::new();
        world.letter(HOUSE, NAINAI, "written here");
        let (mut engine, (_dir, home)) = (world.synced(HOUSE), home());

        assert_eq!(show(&mut engine, &home, &READING), "");
    }

    #[test]
    fn what_is_refused_is_never_shown_as_a_letter() {
        let mut world = World::new();
        world.letter(PHONE, NAINAI, "in another's name");
        let (mut engine, (_dir, home)) = (world.synced(HOUSE), home());

        let shown = show(&mut engine, &home, &READING);

        assert_eq!(shown, "");
        assert_eq!(outbox::waiting_count(engine.db()).unwrap().0, 0);
    }

    #[test]
    fn who_opened_it_is_who_reads_else_the_grown_up_else_the_child() {
        let mut world = World::new();
        world.letter(PHONE, MAMA, "to all");
        let engine = world.synced(HOUSE);
        let people = People::load(engine.db(), engine.lane(), engine.family()).unwrap();
        let mut stored = message::all(engine.db()).unwrap().remove(0);

        let to_all = opened_by(&stored, &people, None);
        let by_child = opened_by(&stored, &people, Some(LILI));
        stored.message.to = vec![LILI];
        let to_child = opened_by(&stored, &people, None);
        let not_to_her = opened_by(&stored, &people, Some(NAINAI));

        assert_eq!((to_all, by_child), (Some(NAINAI), Some(LILI)));
        assert_eq!((to_child, not_to_her), (Some(LILI), None));
    }

    #[test]
    fn a_letter_is_late_a_minute_after_its_hour() {
        let mut world = World::new();
        let fired = world.fired(PHONE, MAMA, "2027-03-28T19:30:00");
        world.push_message(fired);
        let engine = world.synced(HOUSE);
        let mut stored = message::all(engine.db()).unwrap().remove(0);

        for (after_ms, late) in [(0, false), (LATE_MS, false), (LATE_MS + 1, true)] {
            stored.at = NOON + after_ms;
            assert_eq!(is_late(&stored), late, "{after_ms}");
        }
    }
}

//! What rings while somebody listens: new letters once, reminders until they are done, and nothing in
//! quiet hours, after which what came in them is shown.

use std::io::Write;

use jiashu_proto::id::Millis;
use serde_json::json;

use super::changes::line;
use super::letter::{Reading, new_ones, show_new};
use super::quiet;
use crate::clock::now;
use crate::error::Result;
use crate::home::Home;
use crate::say::{self, People, one_line};
use crate::state::State;
use crate::state::message::{self, Ringing};
use crate::sync::is_for;

/// When to look again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bell {
    wake_at: Option<Millis>,
    version: Option<i64>,
    /// Until when it was said that it is quiet.
    said_quiet: Option<Millis>,
}

impl Bell {
    /// Whether a look is due although nothing came: a reminder rings again, the quiet hours end, or
    /// somebody in another terminal did something.
    pub(super) fn is_due(&mut self, state: &State) -> Result<bool> {
        let version = state.version()?;
        let changed = self.version.replace(version) != Some(version);
        Ok(changed || self.wake_at.is_some_and(|at| at <= now().as_millisecond()))
    }

    /// Shows what is new and rings what is to ring.
    pub(super) fn look(
        &mut self,
        home: &Home,
        state: &mut State,
        people: &People,
        reading: &Reading,
        out: &mut dyn Write,
    ) -> Result<()> {
        let now = now();
        let hours = quiet::hours(state.db())?;
        if let Some(end) = hours.and_then(|hours| hours.ends(now, people.tz())) {
            let end = end.as_millisecond();
            self.wake_at = Some(end);
            if self.said_quiet != Some(end) && !new_ones(state, people)?.is_empty() {
                let until = people.clock_beside(end, now.as_millisecond());
                say::note(&format!("quiet until {until}: what comes is shown then"));
                self.said_quiet = Some(end);
            }
            return Ok(());
        }
        let before = open(state, people, now.as_millisecond())?;
        let shown = show_new(home, state, people, reading, out)?;
        let rings = ring(state, people, &before, reading.json, now.as_millisecond())?;
        if shown > 0 || rings > 0 {
            say::ring();
            say::notify(if rings > 0 { "A reminder: see Jiashu" } else { "A letter has come" });
        }
        self.wake_at = next(state, people)?;
        Ok(())
    }
}

/// Rings the reminders whose time it is, and names those again that have not just been shown. How many.
fn ring(
    state: &mut State,
    people: &People,
    before: &[Ringing],
    as_json: bool,
    now: Millis,
) -> Result<usize> {
    let mut due = open(state, people, now)?;
    due.retain(|one| one.rings_at() <= now);
    let tx = state.begin()?;
    for Ringing { stored, rang, .. } in &due {
        let entry_ref = stored.message.entry_ref;
        message::rang(&tx, entry_ref, now)?;
        let is_known = before.iter().any(|one| one.stored.message.entry_ref == entry_ref);
        let Some(text) = stored.text.as_ref().filter(|_| is_known) else { continue };
        let (seq, number) = (stored.seq, rang.saturating_add(1));
        let times = text.ring.map_or(0, |ring| ring.times());
        let last = if number == times { ", the last time" } else { "" };
        let words = one_line(&text.content);
        line(
            &json!({ "rings": seq, "time": number, "of": times, "text": text.content }),
            &format!("#{seq} rings{last}: {words}  (once it is done: jiashu done {seq})"),
            as_json,
        );
    }
    tx.commit()?;
    Ok(due.len())
}

/// When the next of them rings.
fn next(state: &State, people: &People) -> Result<Option<Millis>> {
    let now = now().as_millisecond();
    Ok(open(state, people, now)?.iter().map(Ringing::rings_at).min())
}

/// Reminders for those whom this phone serves that were shown here, are not done, and have not given up.
fn open(state: &State, people: &People, now: Millis) -> Result<Vec<Ringing>> {
    let mut open = message::ringing(state.db())?;
    open.retain(|Ringing { stored, .. }| {
        let message = &stored.message;
        people.served().iter().any(|member| is_for(message, *member))
            && message.until.is_none_or(|until| now < until)
    });
    Ok(open)
}

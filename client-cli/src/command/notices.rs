//! What the relay tells this phone's people alone: what was missed, has expired or runs low, and what
//! was handed out no more. A line each, said once, where letters are read.

use std::fmt;

use jiashu_proto::entry::{Content, Notice, Noticed, Seq, Tombstone};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::json;

use super::changes::line;
use super::letter::utc;
use crate::error::Result;
use crate::say::People;
use crate::state::fact::{self, Fact};
use crate::state::told;

/// Says on standard error what came since it was last said.
pub(super) fn tell_new(db: &Connection, people: &People, as_json: bool) -> Result<()> {
    let upto = told::upto(db, told::NOTICE)?.unwrap_or(0);
    let mut new = all(db, people)?;
    new.retain(|told| told.seq.cast_signed() > upto);
    let Some(last) = new.last().map(|told| told.seq) else { return Ok(()) };
    told::put(db, told::NOTICE, last.cast_signed())?;
    for Told { at, notice, text, .. } in new {
        let object = json!({ "at": at, "notice": notice, "text": text });
        line(&object, &text, as_json);
    }
    Ok(())
}

/// A notice in the log.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Told {
    /// Its place in the log.
    pub(super) seq: Seq,
    at: String,
    notice: &'static str,
    text: String,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}  {}", self.seq, self.text)
    }
}

/// All that stand in the log as it is now, in order.
pub(super) fn all(db: &Connection, people: &People) -> Result<Vec<Told>> {
    let mut facts = fact::with_prefix(db, fact::NOTICES)?;
    facts.extend(fact::with_prefix(db, fact::TOMBSTONES)?);
    facts.sort_by_key(|fact| fact.seq);
    let told = facts.into_iter().filter_map(|Fact { seq, at, content, .. }| {
        let (notice, text) = in_words(&content, people)?;
        Some(Told { seq, at: utc(at), notice, text })
    });
    Ok(told.collect())
}

fn in_words(content: &Content, people: &People) -> Option<(&'static str, String)> {
    match content {
        Content::Notice(notice) => Some((notice.what.name(), of_notice(notice, people))),
        Content::Tombstone(stone) => Some(("gone", of_tombstone(stone, people))),
        _ => None,
    }
}

fn of_notice(notice: &Notice, people: &People) -> String {
    let when = notice.due_at.map(|at| format!(" for {}", people.clock(at))).unwrap_or_default();
    let id: String = notice.schedule.map(|id| id.to_string()).unwrap_or_default();
    let id = id.get(..8).unwrap_or_default();
    let fill = format!("jiashu schedule fill {id} \"…\"");
    match (notice.what, notice.left) {
        (Noticed::Missed, _) => {
            format!("There was no letter{when}: the letter bank is empty. To fill it: {fill}")
        }
        (Noticed::Expired, _) if !notice.members.is_empty() => {
            let names = people.names(&notice.members);
            format!("A letter{when} came too late for {names}: it is worth nothing any more.")
        }
        (Noticed::Expired, _) => {
            format!("A letter{when} could not go in time. In a letter bank it waits for the next.")
        }
        (Noticed::Stopped, _) => {
            format!(
                "A letter{when} did not go: taking part is not agreed to (jiashu who-sees), or who wrote it is suspended."
            )
        }
        (Noticed::Low, Some(0) | None) => {
            format!("The last letter of a letter bank has gone{when}. To fill it: {fill}")
        }
        (Noticed::Low, Some(left)) => {
            format!("A letter bank has {left} letters left. To fill it: {fill}")
        }
    }
}

fn of_tombstone(stone: &Tombstone, people: &People) -> String {
    let from = people.name(stone.from);
    let when = stone.due_at.map(|at| format!(" for {}", people.clock(at))).unwrap_or_default();
    format!(
        "A letter of {from}{when} came too late: it was good until {}.",
        people.clock(stone.until)
    )
}

//! What the relay tells this phone's people alone: what was missed, has expired or runs low, and what
//! was handed out no more. A line each, said once, where letters are read.

use jiashu_proto::entry::{Content, Notice, Noticed, Tombstone};
use rusqlite::Connection;
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
    let mut new = fact::with_prefix(db, fact::NOTICES)?;
    new.extend(fact::with_prefix(db, fact::TOMBSTONES)?);
    new.retain(|fact| fact.seq.cast_signed() > upto);
    new.sort_by_key(|fact| fact.seq);
    let Some(last) = new.last().map(|fact| fact.seq) else { return Ok(()) };
    told::put(db, told::NOTICE, last.cast_signed())?;
    for Fact { at, content, .. } in new {
        let Some((what, words)) = in_words(&content, people) else { continue };
        let object = json!({ "at": utc(at), "notice": what, "text": words });
        line(&object, &words, as_json);
    }
    Ok(())
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

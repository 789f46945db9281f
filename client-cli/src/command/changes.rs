//! What changed in the family, in words: shown for 30 days by `family`, and said once, a line each,
//! where letters are read.

use jiashu_proto::id::Millis;
use jiashu_roster::{Asked, Event};
use serde::Serialize;
use serde_json::json;

use super::letter::utc;
use super::{leave, notices, nudges, requests, suspensions};
use crate::error::Result;
use crate::say::{self, People};
use crate::state::chain::Family;
use crate::state::lane::Lane;
use crate::state::{State, chain, told};

/// For how long every change is shown, in ms.
const SHOWN_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// A change as `--json` has it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ChangeJson {
    /// When.
    pub(super) at: String,
    /// In words.
    pub(super) what: String,
}

/// What changed in the last 30 days.
pub(super) fn recent(state: &State, people: &People, now: Millis) -> Result<Vec<ChangeJson>> {
    let since = now.saturating_sub(SHOWN_MS);
    let changes = chain::changes(state.db())?.into_iter();
    let recent = changes.filter(|(_, at)| *at >= since).flat_map(|(change, at)| {
        let events = change.events.into_iter();
        let lines = events.map(|event| in_words(&event, people));
        lines.map(|what| ChangeJson { at: utc(at), what }).collect::<Vec<_>>()
    });
    Ok(recent.collect())
}

/// Says on standard error, once, what changed since it was last said, what the relay tells this
/// phone's people, and which new phones ask.
///
/// A phone that has just joined is not told what was before it.
pub(super) fn tell_new(
    state: &State,
    lane: &Lane,
    family: &Family,
    people: &People,
    as_json: bool,
    now: Millis,
) -> Result<()> {
    let head = i64::from(family.roster.number());
    let upto = told::upto(state.db(), told::LINK)?;
    if upto != Some(head) {
        let news = match upto {
            Some(upto) => since(state, people, upto)?,
            None => Vec::new(),
        };
        told::put(state.db(), told::LINK, head)?;
        for ChangeJson { at, what } in news {
            line(&json!({ "at": at, "family": what }), &format!("Family: {what}."), as_json);
        }
    }
    notices::tell_new(state.db(), people, as_json)?;
    nudges::tell_new(state.db(), people, as_json)?;
    suspensions::tell_new(state.db(), people, as_json)?;
    leave::tell_new(state.db(), people, as_json)?;
    requests::tell_new(state, lane, family, people, as_json, now)
}

/// A line beside the letters.
pub(super) fn line(object: &serde_json::Value, words: &str, as_json: bool) {
    let object = say::json_line(object).ok().filter(|_| as_json);
    say::note(object.as_deref().unwrap_or(words));
}

fn since(state: &State, people: &People, upto: i64) -> Result<Vec<ChangeJson>> {
    let changes = chain::changes(state.db())?.into_iter();
    let new = changes.filter(|(change, _)| i64::from(change.number) > upto);
    let lines = new.flat_map(|(change, at)| {
        let events = change.events.into_iter();
        events.map(move |event| (event, at)).collect::<Vec<_>>()
    });
    Ok(lines
        .map(|(event, at)| ChangeJson { at: utc(at), what: in_words(&event, people) })
        .collect())
}

fn in_words(event: &Event, people: &People) -> String {
    match event {
        Event::MemberAdded { member, role } => {
            format!("{} belongs to the family, as {role}", people.name(*member))
        }
        Event::InviteMade { invite, members, .. } => {
            format!("card {invite} was made, for {}", people.names(members))
        }
        Event::Joined { device, members, .. } => {
            format!("phone {device} joined, for {}", people.names(members))
        }
        Event::Removed { device, members, asked, .. } => {
            format!("phone {device} of {} was removed{}", people.names(members), by(*asked))
        }
        Event::InviteClosed { invite, members, asked } => {
            let names = people.names(members);
            format!("card {invite} for {names} was closed unused{}", by(*asked))
        }
        Event::ServesNow { device, members, .. } => {
            format!("phone {device} is now for {}", people.names(members))
        }
    }
}

fn by(asked: Asked) -> &'static str {
    match asked {
        Asked::ByFamily => "",
        Asked::ByRelay => ", as the relay asked",
    }
}

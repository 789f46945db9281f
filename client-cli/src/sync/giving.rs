//! Held letters given back to their author's phones: to be shown and changed, and to be taken on where
//! the phone that wrote them was removed.

use std::collections::BTreeSet;

use jiashu_proto::entry::Message;
use jiashu_proto::frame::{ClientFrame, GivenBack};
use jiashu_proto::id::{DeviceId, MemberId, Millis, Ref};
use jiashu_proto::text::Text;
use rusqlite::Connection;

use super::draft::{self, Parties};
use super::opening::{self, Opened};
use super::{Applied, Engine};
use crate::error::Result;
use crate::state::chain::Family;
use crate::state::lane::Lane;
use crate::state::outbox::{self, Fate};
use crate::state::{given, message, planned, told};

/// A letter that waits for its hour.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its name.
    pub body_ref: Ref,
    /// As the relay holds it.
    pub message: Message,
    /// What it says; `None` while its key is not here.
    pub text: Option<Text>,
}

/// What a schedule held when it was given back last, opened, in the order of release.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn waiting(db: &Connection, family: &Family, schedule: Ref) -> Result<Vec<Waiting>> {
    let held = given::of(db, schedule)?.into_iter();
    let ours = held.filter_map(|(kind, message)| {
        let body_ref = message.fired.as_ref().filter(|fired| fired.schedule == schedule)?.body_ref;
        let text = match opening::open(family, kind, &message) {
            Opened::Text(text) => Some(text),
            Opened::NotYet | Opened::Refused(_) => None,
        };
        Some(Waiting { body_ref, message, text })
    });
    Ok(ours.collect())
}

impl Engine {
    /// What is to be asked for on this connection, each once.
    pub(super) fn asks(&mut self) -> Result<Vec<ClientFrame>> {
        let mut asks = given::asked(self.db())?;
        asks.retain(|ask| self.flight.asked.insert((ask.schedule, ask.after)));
        Ok(asks.into_iter().map(ClientFrame::GiveBack).collect())
    }

    pub(super) fn given_back(&mut self, given: &GivenBack, now: Millis) -> Result<Applied> {
        // Answered: who asks for it later on this connection is to be heard.
        self.flight.asked.retain(|(schedule, _)| *schedule != given.schedule);
        let tx = self.state.begin()?;
        if given::put(&tx, given)? {
            take_on(&tx, &self.lane, &self.family, given.schedule, now)?;
        }
        tx.commit()?;
        Ok(Applied { settled: true, ..Applied::default() })
    }
}

/// Asks for what the schedules hold of those members whose letters this phone is to take on: once after
/// each removal of all, and of those just `met`, as by a phone that has joined since, that a removed phone
/// wrote.
pub(super) fn ask_after_removal(
    db: &Connection,
    lane: &Lane,
    family: &Family,
    met: &BTreeSet<Ref>,
) -> Result<()> {
    let closing = i64::from(family.last_closing());
    let is_new = told::upto(db, told::TAKEN_ON)?.unwrap_or(0) < closing;
    if !is_new && (closing == 0 || met.is_empty()) {
        return Ok(());
    }
    for schedule in planned::running(db)? {
        let concerns = is_new || (met.contains(&schedule.id) && !is_in(family, schedule.device));
        if concerns && is_elected(lane, family, schedule.from) {
            given::ask(db, schedule.id)?;
        }
    }
    told::put(db, told::TAKEN_ON, closing)
}

fn is_in(family: &Family, device: DeviceId) -> bool {
    family.roster.devices().contains_key(&device)
}

/// Whether this phone has the lowest number of those that serve the member: one of them is enough.
fn is_elected(lane: &Lane, family: &Family, member: MemberId) -> bool {
    let mut devices = family.roster.devices().iter();
    let first = devices.find(|(_, device)| device.members.contains(&member));
    first.is_some_and(|(number, _)| *number == lane.me())
}

/// Writes the letters of phones that were removed anew, as this phone's own: who was shut out has the key
/// that they are under, and nobody else could seal them again.
fn take_on(
    db: &Connection,
    lane: &Lane,
    family: &Family,
    schedule: Ref,
    now: Millis,
) -> Result<()> {
    let under_way = exchanges(db, schedule)?;
    let is_bank = planned::running(db)?.iter().any(|one| one.id == schedule && one.bank);
    for Waiting { body_ref, message: held, text } in waiting(db, family, schedule)? {
        let Some(text) = text.filter(|_| !is_in(family, held.device)) else { continue };
        if !is_elected(lane, family, held.from) || under_way.contains(&body_ref) {
            continue;
        }
        // A relay that gives back what it has released would have it said once more, in the author's name.
        if is_bank && message::has_fired(db, schedule, body_ref)? {
            continue;
        }
        let parties = Parties { from: held.from, to: held.to };
        let valid_for = held.fired.and_then(|fired| fired.valid_for);
        draft::exchange(db, parties, schedule, body_ref, text, valid_for, now)?;
    }
    Ok(())
}

/// The letters of a schedule in whose place others are on their way from here.
fn exchanges(db: &Connection, schedule: Ref) -> Result<BTreeSet<Ref>> {
    let mut under_way = BTreeSet::new();
    for command in outbox::about(db, schedule)? {
        let fate = outbox::fate(db, command.entry_ref)?;
        if let (ClientFrame::Hold(hold), Some(Fate::Waits)) = (command.frame, fate) {
            under_way.extend(hold.replaces);
        }
    }
    Ok(under_way)
}

//! Whether a sealed entry is what it says, and what it says. Pure.

use jiashu_proto::entry::{Fired, Message, MessageKind, Schedule, name_key};
use jiashu_proto::id::{Epoch, Millis};
use jiashu_proto::text::{Text, TextError};
use jiashu_recurrence::{Rule, occurrence_at};
use jiashu_roster::occurrence_ref;
use jiashu_seal::{BodyFields, open_body};

use crate::state::chain::Family;

/// What became of a sealed body.
#[derive(Debug)]
pub(super) enum Opened {
    /// Its key is not here yet, or it needs a newer client.
    NotYet,
    /// It says this.
    Text(Text),
    /// It is not shown as a letter, for this reason.
    Refused(String),
}

/// Why an entry that arrives while `in_force` is the epoch is not shown, if there is a reason.
pub(super) fn refusal(family: &Family, in_force: Epoch, message: &Message) -> Option<String> {
    let reason = match &message.fired {
        Some(fired) => {
            let expected = occurrence_ref(fired.body_ref, fired.schedule, &fired.planned);
            let known = family.roster.members().contains_key(&message.from);
            if expected != Some(message.entry_ref) {
                "it does not come from its schedule"
            } else if !known {
                "nobody of the family wrote it"
            } else {
                return None;
            }
        }
        None if message.epoch != in_force => "it is sealed under a key that was not in force",
        None if !serves(family, message) => "its phone may not write in that name",
        None => return None,
    };
    Some(reason.to_owned())
}

/// Why a letter of a letter bank is not shown that was released before.
pub(super) const A_SECOND_TIME: &str = "its letter bank released it a second time";

/// A relay may know other zones than this phone, and be some hours off; not a day.
const OFF_MS: Millis = 24 * 60 * 60 * 1_000;

/// Why a letter did not fire as its schedule plans, if it did not.
pub(super) fn off_rule(schedule: &Schedule, fired: &Fired) -> Option<String> {
    // A rule that only a newer version can read says nothing here.
    let rule = Rule::of(&schedule.rule).ok()?;
    let near = |at: Millis| at.saturating_sub(fired.due_at).saturating_abs() < OFF_MS;
    let planned = occurrence_at(&rule, &fired.planned);
    let follows = planned.is_some_and(|planned| near(planned.at.as_millisecond()));
    (!follows).then(|| "its schedule does not plan it for then".to_owned())
}

fn serves(family: &Family, message: &Message) -> bool {
    let device = family.roster.devices().get(&message.device);
    device.is_some_and(|device| device.members.contains(&message.from))
}

/// Opens a body, if its key is here.
pub(super) fn open(family: &Family, kind: u32, message: &Message) -> Opened {
    let key = family.keys.get(&message.epoch);
    let (Some(key), Some(link)) = (key, family.roster.hash_of(message.epoch)) else {
        // A key that the chain has gone beyond cannot come any more, save with the newest wraps.
        return Opened::NotYet;
    };
    let Some(fields) = fields(kind, message) else {
        return Opened::Refused("its time of validity makes no sense".to_owned());
    };
    let nonce = message.fired.as_ref().map_or(message.entry_ref, |fired| fired.body_ref);
    let opened = match open_body(key, link, nonce, &fields, &message.sealed) {
        Ok(text) => text,
        Err(error) => return Opened::Refused(error.to_string()),
    };
    if !keyed_as_its_kind(family, kind, message) {
        return Opened::Refused("its key is not one of its kind".to_owned());
    }
    match Text::from_bytes(kind, &opened) {
        Ok(text) => Opened::Text(text),
        Err(
            error @ (TextError::Malformed(_)
            | TextError::Ring
            | TextError::Voice
            | TextError::Picture),
        ) => Opened::Refused(error.to_string()),
        // It stays sealed on disk, for the day when this client is newer.
        Err(TextError::Version(_) | TextError::Kind(_)) => Opened::NotYet,
    }
}

/// Names are facts of a member, all else is none.
fn keyed_as_its_kind(family: &Family, kind: u32, message: &Message) -> bool {
    match (&message.key, MessageKind::from_number(kind)) {
        (Some(key), Some(MessageKind::Name)) => {
            family.roster.members().keys().any(|member| *key == name_key(*member))
        }
        (key, kind) => key.is_none() && kind != Some(MessageKind::Name),
    }
}

/// The clear fields as they were sealed: of a fired one those of the held body.
fn fields(kind: u32, message: &Message) -> Option<BodyFields> {
    let until = match &message.fired {
        Some(fired) => fired.valid_for,
        None => message.until,
    };
    Some(BodyFields {
        device: message.device,
        from: message.from,
        kind,
        to: message.to.clone(),
        key: message.key.clone(),
        until: until.map(u64::try_from).transpose().ok()?,
        schedule: message.fired.as_ref().map(|fired| fired.schedule),
    })
}

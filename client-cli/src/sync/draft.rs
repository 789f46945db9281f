//! What people say, as commands for the outbox; and such a command, sealed, as a frame to send.
//!
//! In the outbox a command is its frame without n, epoch and seal: the text stands where the seal
//! will. So the draft is on disk before it is sealed, and sealing never changes it.

use jiashu_proto::bounds;
use jiashu_proto::entry::{MessageKind, RuleText, Rung, Schedule, ScheduleState, name_key};
use jiashu_proto::frame::{Card, ClientFrame, Hold, Plan, Post, Report, Turn};
use jiashu_proto::id::{Epoch, MemberId, Millis, N, Ref};
use jiashu_proto::text::{Ring, Text};
use jiashu_seal::{BodyFields, Draft, FamilyKey, TAG_LEN, random};
use rusqlite::Connection;

use crate::error::{CliError, ExitCode, Result};
use crate::state::chain::Family;
use crate::state::lane::Lane;
use crate::state::message::Stored;
use crate::state::outbox::{self, Command, Queued};
use crate::state::receipt::{self, Heard};

/// Who speaks to whom: `to` ascending, empty for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// The member who speaks; served by this device.
    pub from: MemberId,
    /// For whom.
    pub to: Vec<MemberId>,
}

/// Queues a letter. Its name.
///
/// # Errors
///
/// [`ExitCode::BadInput`] if there is nothing to send, or too much.
pub fn letter(db: &Connection, parties: Parties, text: &str, now: Millis) -> Result<Ref> {
    let sealed = sealed_text(text, None, now)?;
    post(db, parties, MessageKind::Text, None, sealed, now)
}

/// Queues a reminder that rings from its arrival. Its name.
///
/// # Errors
///
/// As of [`letter`].
pub fn reminder(
    db: &Connection,
    parties: Parties,
    text: &str,
    ring: Ring,
    now: Millis,
) -> Result<Ref> {
    let sealed = sealed_text(text, Some(ring), now)?;
    post(db, parties, MessageKind::Reminder, None, sealed, now)
}

/// Queues a member's name, for all.
///
/// # Errors
///
/// [`ExitCode::BadInput`] if it is too long.
pub fn name(db: &Connection, from: MemberId, of: MemberId, name: &str, now: Millis) -> Result<Ref> {
    let sealed = sealed_text(name, None, now)?;
    let parties = Parties { from, to: Vec::new() };
    post(db, parties, MessageKind::Name, Some(name_key(of)), sealed, now)
}

fn sealed_text(text: &str, ring: Option<Ring>, now: Millis) -> Result<Vec<u8>> {
    if text.trim().is_empty() {
        return Err(CliError::new(
            ExitCode::BadInput,
            "there is nothing to send: write a few words",
        ));
    }
    let bytes = Text { written_at: now, content: text.to_owned(), ring }.to_bytes();
    let most = bounds::MAX_SEALED.saturating_sub(TAG_LEN);
    if bytes.len() > most {
        let text =
            format!("too long by {} bytes: send it in parts", bytes.len().saturating_sub(most));
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    Ok(bytes)
}

fn post(
    db: &Connection,
    Parties { from, to }: Parties,
    kind: MessageKind,
    key: Option<String>,
    sealed: Vec<u8>,
    now: Millis,
) -> Result<Ref> {
    let entry_ref = Ref(random());
    let kind = kind.number();
    let post =
        Post { n: 0, entry_ref, epoch: 0, from, to, kind, sealed, key, until: None, blob: None };
    queue(db, entry_ref, &ClientFrame::Post(post), None, now)?;
    Ok(entry_ref)
}

/// What a schedule will say.
#[derive(Clone, Debug)]
pub struct Ahead<'a> {
    /// Its letter; of a bank its letters, perhaps none yet.
    pub texts: &'a [String],
    /// Whether each occurrence releases the next of them.
    pub bank: bool,
    /// What holds for each of them.
    pub manner: Manner,
}

/// How a letter goes that is held for its hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// How long after its hour it is worth something, in ms.
    pub valid_for: Option<Millis>,
    /// Of a reminder: how it rings.
    pub ring: Option<Ring>,
}

/// Queues a schedule with its letters, the letters first. The schedule's id.
///
/// # Errors
///
/// As of [`letter`].
pub fn schedule(
    db: &Connection,
    parties: Parties,
    rule: RuleText,
    ahead: &Ahead<'_>,
    now: Millis,
) -> Result<Ref> {
    let id = Ref(random());
    for text in ahead.texts {
        hold(db, parties.clone(), id, text, ahead.manner, now)?;
    }
    let Parties { from, to } = parties;
    let (state, bank) = (ScheduleState::Active, ahead.bank);
    let (schedule, seen) = (None, None);
    let plan = Plan { n: 0, entry_ref: id, from, to, rule, state, schedule, bank, seen };
    queue(db, id, &ClientFrame::Plan(plan), Some(id), now)?;
    Ok(id)
}

/// Queues one more letter for a letter bank. The command's name.
///
/// # Errors
///
/// As of [`letter`].
pub fn hold(
    db: &Connection,
    parties: Parties,
    schedule: Ref,
    text: &str,
    manner: Manner,
    now: Millis,
) -> Result<Ref> {
    let sealed = sealed_text(text, manner.ring, now)?;
    hold_text(db, parties, schedule, sealed, manner, None, now)
}

/// Queues a letter in the place of one that is held. The command's name.
///
/// # Errors
///
/// As of [`letter`].
pub fn exchange(
    db: &Connection,
    parties: Parties,
    schedule: Ref,
    old: Ref,
    text: &Text,
    valid_for: Option<Millis>,
    now: Millis,
) -> Result<Ref> {
    let Text { written_at, content, ring } = text;
    let sealed = sealed_text(content, *ring, *written_at)?;
    let manner = Manner { valid_for, ring: *ring };
    hold_text(db, parties, schedule, sealed, manner, Some(old), now)
}

fn hold_text(
    db: &Connection,
    Parties { from, to }: Parties,
    schedule: Ref,
    sealed: Vec<u8>,
    Manner { valid_for, ring }: Manner,
    replaces: Option<Ref>,
    now: Millis,
) -> Result<Ref> {
    let body_ref = Ref(random());
    let kind = if ring.is_some() { MessageKind::Reminder } else { MessageKind::Text };
    let hold = Hold {
        n: 0,
        body_ref,
        epoch: 0,
        from,
        to,
        kind: kind.number(),
        sealed,
        schedule,
        valid_for,
        blob: None,
        again: None,
        replaces,
    };
    queue(db, body_ref, &ClientFrame::Hold(hold), Some(schedule), now)?;
    Ok(body_ref)
}

/// Queues a held letter once more, to be sealed under the key in force then. The command's name.
///
/// # Errors
///
/// If the state cannot be written.
pub(super) fn again(db: &Connection, hold: Hold, now: Millis) -> Result<Ref> {
    let entry_ref = Ref(random());
    let hold = Hold { again: Some(entry_ref), ..hold };
    queue(db, entry_ref, &ClientFrame::Hold(hold), None, now)?;
    Ok(entry_ref)
}

/// Queues a change of a schedule, which stands as `was`, in the name of `from`. The command's name.
///
/// # Errors
///
/// If the state cannot be written.
pub fn change(
    db: &Connection,
    was: Schedule,
    from: MemberId,
    rule: RuleText,
    state: ScheduleState,
    now: Millis,
) -> Result<Ref> {
    let entry_ref = Ref(random());
    let Schedule { id, to, bank, version, .. } = was;
    let (schedule, seen) = (Some(id), Some(version));
    let plan = Plan { n: 0, entry_ref, from, to, rule, state, schedule, bank, seen };
    queue(db, entry_ref, &ClientFrame::Plan(plan), Some(id), now)?;
    Ok(entry_ref)
}

/// Notes and queues that a message came so far with `member`, whom this device serves.
///
/// # Errors
///
/// If the state cannot be written.
pub fn report(
    db: &Connection,
    stored: &Stored,
    member: MemberId,
    rung: Rung,
    now: Millis,
) -> Result<Ref> {
    let (entry_ref, message) = (Ref(random()), &stored.message);
    let report = Report {
        n: 0,
        entry_ref,
        from: member,
        of: message.entry_ref,
        to: message.from,
        rung,
        at: now,
        share: None,
    };
    receipt::note(db, message.entry_ref, Heard { member, rung, at: now })?;
    queue(db, entry_ref, &ClientFrame::Report(report), None, now)?;
    Ok(entry_ref)
}

/// Queues a link that is signed and sealed already. The command's name.
///
/// # Errors
///
/// If the state cannot be written.
pub fn turn(
    db: &Connection,
    link: Vec<u8>,
    wraps: Vec<u8>,
    cards: Vec<Card>,
    now: Millis,
) -> Result<Ref> {
    let entry_ref = Ref(random());
    let turn = Turn { n: 0, entry_ref, link, wraps, cards };
    queue(db, entry_ref, &ClientFrame::Turn(turn), None, now)?;
    Ok(entry_ref)
}

fn queue(
    db: &Connection,
    entry_ref: Ref,
    frame: &ClientFrame,
    about: Option<Ref>,
    at: Millis,
) -> Result<()> {
    outbox::queue(db, &Queued { entry_ref, frame, about, at })
}

/// The command as it is sent with that counter, and the epoch it is sealed in (0 if it has no
/// seal). `None` while the key for it is not here.
pub(super) fn sealed(
    lane: &Lane,
    family: &Family,
    key: Option<(Epoch, &FamilyKey)>,
    command: &Command,
    n: N,
) -> Result<Option<(Epoch, ClientFrame)>> {
    let mut frame = command.frame.clone();
    let epoch = match &mut frame {
        ClientFrame::Post(post) => {
            let fields = BodyFields {
                device: lane.me(),
                from: post.from,
                kind: post.kind,
                to: post.to.clone(),
                key: post.key.clone(),
                until: post.until.and_then(|until| u64::try_from(until).ok()),
                schedule: None,
            };
            let Some(epoch) = seal(family, key, post.entry_ref, fields, &mut post.sealed)? else {
                return Ok(None);
            };
            (post.n, post.epoch) = (n, epoch);
            epoch
        }
        ClientFrame::Hold(hold) => {
            let fields = BodyFields {
                device: lane.me(),
                from: hold.from,
                kind: hold.kind,
                to: hold.to.clone(),
                key: None,
                until: hold.valid_for.and_then(|length| u64::try_from(length).ok()),
                schedule: Some(hold.schedule),
            };
            let Some(epoch) = seal(family, key, hold.body_ref, fields, &mut hold.sealed)? else {
                return Ok(None);
            };
            (hold.n, hold.epoch) = (n, epoch);
            epoch
        }
        ClientFrame::Report(report) => unsealed(&mut report.n, n),
        ClientFrame::Plan(plan) => unsealed(&mut plan.n, n),
        ClientFrame::Turn(turn) => unsealed(&mut turn.n, n),
        other => {
            let text = format!("the outbox holds a {}, which is no command", other.name());
            return Err(CliError::new(ExitCode::General, text));
        }
    };
    Ok(Some((epoch, frame)))
}

fn unsealed(place: &mut N, n: N) -> Epoch {
    *place = n;
    0
}

/// Puts the seal where the text was. The epoch, or `None` while there is no key.
fn seal(
    family: &Family,
    key: Option<(Epoch, &FamilyKey)>,
    body_ref: Ref,
    fields: BodyFields,
    text: &mut Vec<u8>,
) -> Result<Option<Epoch>> {
    let Some((epoch, key)) = key else { return Ok(None) };
    let Some(link) = family.roster.hash_of(epoch) else { return Ok(None) };
    let draft = Draft::from_stored(body_ref, fields, std::mem::take(text));
    *text = draft
        .seal(key, link)
        .map_err(|error| CliError::new(ExitCode::General, format!("cannot seal: {error}")))?;
    Ok(Some(epoch))
}

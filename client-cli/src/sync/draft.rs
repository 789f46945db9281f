//! What people say, as commands for the outbox; and such a command, sealed, as a frame to send.
//!
//! In the outbox a command is its frame without n, epoch and seal: the text stands where the seal
//! will. So the draft is on disk before it is sealed, and sealing never changes it.

use jiashu_proto::bounds;
use jiashu_proto::entry::{
    IntendedRule, MessageKind, RuleText, Rung, Schedule, ScheduleState, Seq, name_key,
};
use jiashu_proto::frame::{
    Agreement, AskForHelp, Card, ClientFrame, Hold, Intend, Leave, LeaveWhat, Plan, Post, Reach,
    Report, Turn, Withdraw,
};
use jiashu_proto::id::{Epoch, MemberId, Millis, N, Ref};
use jiashu_proto::text::{Picture, Ring, Text, Voice};
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

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A few lines.
    Words(String),
    /// A voice note, whose sealed file is on the disk.
    Voice(Voice),
    /// A picture.
    Picture(Picture),
}

/// What goes into a seal, and what stands beside it.
struct Body {
    kind: MessageKind,
    text: Vec<u8>,
    blob: Option<Ref>,
}

/// Queues a letter, or a reminder that rings from its arrival. Its name.
///
/// # Errors
///
/// [`ExitCode::BadInput`] if there is nothing to send, or too much.
pub fn letter(
    db: &Connection,
    parties: Parties,
    letter: &Said,
    ring: Option<Ring>,
    now: Millis,
) -> Result<Ref> {
    post(db, parties, None, said(letter, ring, now)?, now)
}

/// Queues a member's name, for all.
///
/// # Errors
///
/// [`ExitCode::BadInput`] if it is too long.
pub fn name(db: &Connection, from: MemberId, of: MemberId, name: &str, now: Millis) -> Result<Ref> {
    let parties = Parties { from, to: Vec::new() };
    post(db, parties, Some(name_key(of)), words(MessageKind::Name, name, None, now)?, now)
}

fn said(said: &Said, ring: Option<Ring>, now: Millis) -> Result<Body> {
    match said {
        Said::Words(text) => {
            let kind = if ring.is_some() { MessageKind::Reminder } else { MessageKind::Text };
            words(kind, text, ring, now)
        }
        Said::Voice(voice) => Ok(of_voice(voice.clone(), now)),
        Said::Picture(picture) => {
            let text = Text::of_picture(now, *picture).to_bytes();
            Ok(Body { kind: MessageKind::Picture, text, blob: None })
        }
    }
}

fn of_voice(voice: Voice, now: Millis) -> Body {
    let blob = Some(voice.blob);
    Body { kind: MessageKind::Voice, text: Text::of_voice(now, voice).to_bytes(), blob }
}

fn words(kind: MessageKind, text: &str, ring: Option<Ring>, now: Millis) -> Result<Body> {
    if text.trim().is_empty() {
        return Err(CliError::new(
            ExitCode::BadInput,
            "there is nothing to send: write a few words",
        ));
    }
    let text = Text { written_at: now, content: text.to_owned(), ring, voice: None, picture: None };
    let bytes = text.to_bytes();
    let most = bounds::MAX_SEALED.saturating_sub(TAG_LEN);
    if bytes.len() > most {
        let text =
            format!("too long by {} bytes: send it in parts", bytes.len().saturating_sub(most));
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    Ok(Body { kind, text: bytes, blob: None })
}

fn post(
    db: &Connection,
    Parties { from, to }: Parties,
    key: Option<String>,
    Body { kind, text: sealed, blob }: Body,
    now: Millis,
) -> Result<Ref> {
    let entry_ref = Ref(random());
    let kind = kind.number();
    let post = Post { n: 0, entry_ref, epoch: 0, from, to, kind, sealed, key, until: None, blob };
    queue(db, entry_ref, &ClientFrame::Post(post), None, now)?;
    Ok(entry_ref)
}

/// What a schedule will say.
#[derive(Clone, Debug)]
pub struct Ahead<'a> {
    /// Its letter; of a bank its letters, perhaps none yet.
    pub letters: &'a [Said],
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
    for letter in ahead.letters {
        hold(db, parties.clone(), id, letter, ahead.manner, now)?;
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
    letter: &Said,
    manner: Manner,
    now: Millis,
) -> Result<Ref> {
    let body = said(letter, manner.ring, now)?;
    hold_body(db, parties, schedule, body, manner.valid_for, None, now)
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
    text: Text,
    valid_for: Option<Millis>,
    now: Millis,
) -> Result<Ref> {
    let Text { written_at, content, ring, voice, picture } = text;
    let letter = match (voice, picture) {
        (Some(voice), _) => Said::Voice(voice),
        (None, Some(picture)) => Said::Picture(picture),
        (None, None) => Said::Words(content),
    };
    let body = said(&letter, ring, written_at)?;
    hold_body(db, parties, schedule, body, valid_for, Some(old), now)
}

fn hold_body(
    db: &Connection,
    Parties { from, to }: Parties,
    schedule: Ref,
    Body { kind, text: sealed, blob }: Body,
    valid_for: Option<Millis>,
    replaces: Option<Ref>,
    now: Millis,
) -> Result<Ref> {
    let body_ref = Ref(random());
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
        blob,
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

/// Queues when the family intends to hear each other, over the plan that stands at that place. The command's name.
///
/// # Errors
///
/// If the state cannot be written.
pub fn intend(
    db: &Connection,
    from: MemberId,
    rules: Vec<IntendedRule>,
    seen: Option<Seq>,
    now: Millis,
) -> Result<Ref> {
    let entry_ref = Ref(random());
    let intend = Intend { n: 0, entry_ref, from, rules, seen };
    queue(db, entry_ref, &ClientFrame::Intend(intend), None, now)?;
    Ok(entry_ref)
}

/// Queues that somebody asks for help. The command's name.
///
/// # Errors
///
/// If the state cannot be written.
pub fn ask_for_help(db: &Connection, from: MemberId, now: Millis) -> Result<Ref> {
    let entry_ref = Ref(random());
    let ask = AskForHelp { n: 0, entry_ref, from };
    queue(db, entry_ref, &ClientFrame::AskForHelp(ask), None, now)?;
    Ok(entry_ref)
}

/// Queues that all of the family be deleted, or that it be not. The command's name.
///
/// # Errors
///
/// If the state cannot be written.
pub fn leave(db: &Connection, from: MemberId, what: LeaveWhat, now: Millis) -> Result<Ref> {
    let entry_ref = Ref(random());
    let leave = Leave { n: 0, entry_ref, from, what };
    queue(db, entry_ref, &ClientFrame::Leave(leave), None, now)?;
    Ok(entry_ref)
}

/// Queues where somebody may be written to. The command's name.
///
/// # Errors
///
/// If the state cannot be written.
pub fn reach(db: &Connection, from: MemberId, email: Option<String>, now: Millis) -> Result<Ref> {
    let entry_ref = Ref(random());
    let reach = Reach { n: 0, entry_ref, from, email };
    queue(db, entry_ref, &ClientFrame::Reach(reach), None, now)?;
    Ok(entry_ref)
}

/// Queues that an agreement is taken back. The command's name.
///
/// # Errors
///
/// If the state cannot be written.
pub fn withdraw(
    db: &Connection,
    from: MemberId,
    of: Vec<MemberId>,
    what: Agreement,
    on: String,
    now: Millis,
) -> Result<Ref> {
    let entry_ref = Ref(random());
    let withdraw = Withdraw { n: 0, entry_ref, from, of, what, on };
    queue(db, entry_ref, &ClientFrame::Withdraw(withdraw), None, now)?;
    Ok(entry_ref)
}

/// Notes and queues that a message came so far with `member`, whom this device serves; of a voice note that was
/// played with the share, in percent.
///
/// # Errors
///
/// If the state cannot be written.
pub fn report(
    db: &Connection,
    stored: &Stored,
    member: MemberId,
    rung: Rung,
    share: Option<u8>,
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
        share,
    };
    receipt::note(db, message.entry_ref, Heard { member, rung, at: now, share })?;
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
        ClientFrame::Intend(intend) => unsealed(&mut intend.n, n),
        ClientFrame::Withdraw(withdraw) => unsealed(&mut withdraw.n, n),
        ClientFrame::AskForHelp(ask) => unsealed(&mut ask.n, n),
        ClientFrame::Reach(reach) => unsealed(&mut reach.n, n),
        ClientFrame::Leave(leave) => unsealed(&mut leave.n, n),
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

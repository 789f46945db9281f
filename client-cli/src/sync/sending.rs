//! What leaves: commands get their counters, are sealed under the key in force, and are answered.
//!
//! A counter is on disk before its command is sent. After any refusal nothing more is sent until
//! all answers are in; then the counters of all that waits are given anew, from the relay's last.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Agreed, Content, Message};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Posted, ToClose};
use jiashu_proto::id::{MemberId, Millis, N, Ref};
use jiashu_proto::text::Text;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::Connection;

use super::{Applied, Engine, closing, draft, resealing};
use crate::error::Result;
use crate::state::fact;
use crate::state::lane::Lane;
use crate::state::message::{self, Place, Shown};
use crate::state::outbox::{self, Command};
use crate::state::{chain, given, held, upload};

/// How long to wait where the relay names no time, in ms.
const PAUSE_MS: i64 = 15_000;

/// The longest that is believed, in ms: a clock set wrong meanwhile must not silence a phone.
const PAUSE_MAX_MS: i64 = 10 * 60 * 1000;

/// Until everybody's consent is recorded, which the log tells: so long it is not asked again, in ms.
const CONSENT_PAUSE_MS: i64 = 10 * 60 * 1000;

/// Links that are written one after the other because the relay asked and took none of them: a relay
/// that asks for ever must not keep a phone writing.
const MAX_ASKED_LINKS: u32 = 4;

/// Bytes sent at once, beyond the first command: a slow line must get through in a round's time.
const SENT_AT_ONCE: usize = 32 * 1024;

/// What the relay said instead of doing it.
#[derive(Clone, Debug)]
pub(super) struct No {
    pub(super) code: ErrorCode,
    pub(super) retry_after_ms: Option<u32>,
    pub(super) last_n: Option<N>,
    pub(super) to_close: Option<ToClose>,
}

impl Engine {
    /// What to send now: commands, at most so many that no more than 16 are unanswered, and what the relay
    /// is asked for.
    ///
    /// # Errors
    ///
    /// If the state cannot be read or written.
    pub fn commands(&mut self, now: Millis) -> Result<Vec<ClientFrame>> {
        let settling = self.flight.settling && !self.flight.unanswered.is_empty();
        let mut frames = match settling || !self.may_send(now)? {
            true => Vec::new(),
            false => self.numbered(now)?,
        };
        frames.extend(self.asks()?);
        Ok(frames)
    }

    fn numbered(&mut self, now: Millis) -> Result<Vec<ClientFrame>> {
        let paused = self.is_paused(now);
        let tx = self.state.begin()?;
        if self.flight.settling {
            outbox::free_numbers(&tx)?;
        }
        let waiting = outbox::ready(&tx, bounds::MAX_UNANSWERED)?;
        let mut last = waiting.iter().filter_map(|command| command.n).max().unwrap_or(0);
        last = last.max(self.lane.last_n);
        let mut frames: Vec<ClientFrame> = Vec::new();
        let mut sent = Vec::new();
        let mut bytes = 0_usize;
        for command in waiting {
            let under_way = command.n.is_some_and(|n| self.flight.unanswered.contains_key(&n));
            if under_way {
                continue;
            }
            if paused && !matches!(command.frame, ClientFrame::Turn(_)) {
                break;
            }
            // While the relay keeps us waiting one command finds out whether it still does.
            if self.lane.waits.is_some() && !frames.is_empty() {
                break;
            }
            let n = command.n.unwrap_or(last.saturating_add(1));
            let key = self
                .family
                .key_in_force()
                .filter(|(epoch, _)| self.flight.epoch_old.is_none_or(|old| *epoch > old));
            let Some((epoch, frame)) = draft::sealed(&self.lane, &self.family, key, &command, n)?
            else {
                break;
            };
            bytes = bytes.saturating_add(frame.to_bytes(0).len());
            if bytes > SENT_AT_ONCE && !frames.is_empty() {
                break;
            }
            last = last.max(n);
            outbox::number(&tx, command.id, n, epoch)?;
            let turns = matches!(frame, ClientFrame::Turn(_));
            frames.push(frame);
            sent.push((n, (command.id, epoch)));
            if turns {
                // What goes behind it is sealed under the key that it brings.
                break;
            }
        }
        tx.commit()?;
        self.flight.settling = false;
        self.flight.unanswered.extend(sent);
        Ok(frames)
    }

    /// Whether something could be sent at once, were there a round for it.
    ///
    /// # Errors
    ///
    /// If the state cannot be read.
    pub fn has_more(&self, now: Millis) -> Result<bool> {
        Ok(self.may_send(now)? || !given::asked(self.db())?.is_empty())
    }

    fn may_send(&self, now: Millis) -> Result<bool> {
        let waiting = outbox::ready(self.db(), bounds::MAX_UNANSWERED)?;
        let paused = self.is_paused(now);
        let may_go = |c: &Command| !paused || matches!(c.frame, ClientFrame::Turn(_));
        let may_speak = self.lane.broken.is_none() && !self.lacks_links();
        Ok(may_speak && waiting.iter().any(may_go))
    }

    fn is_paused(&self, now: Millis) -> bool {
        let until = self.flight.paused_until;
        until.is_some_and(|until| now < until && until.saturating_sub(now) <= PAUSE_MAX_MS)
    }

    /// Whether a pause that the relay asked for has just ended.
    pub fn pause_is_over(&mut self, now: Millis) -> bool {
        self.flight.paused_until.take_if(|until| *until <= now).is_some()
    }

    pub(super) fn posted(&mut self, posted: Posted) -> Result<Applied> {
        let mut lane = self.lane.clone();
        lane.last_n = lane.last_n.max(posted.n);
        (lane.waits, lane.retry_at) = (None, None);
        let tx = self.state.begin()?;
        let command = outbox::find(&tx, posted.entry_ref)?;
        if let Some(command) = &command {
            if let ClientFrame::Hold(hold) = &command.frame {
                held::note(&tx, hold.body_ref, outbox::first_epoch(&tx, command.id)?)?;
                resealing::queue_due(&tx, &lane, &self.family, posted.at)?;
            }
            outbox::posted(&tx, command.id, posted.n, posted.seq, posted.at)?;
            if matches!(command.frame, ClientFrame::Turn(_)) {
                self.flight.asked_links = 0;
            }
            if let Some(cursor) = lane.cursor {
                let place = Place { generation: cursor.generation, seq: posted.seq, at: posted.at };
                keep_own(&tx, &lane, command, place)?;
            }
        }
        lane.store(&tx)?;
        tx.commit()?;
        self.lane = lane;
        // A command known by its ref is answered with the counter that it had the first time.
        let id = command.map(|command| command.id);
        self.flight.unanswered.retain(|n, (sent, _)| *n != posted.n && Some(*sent) != id);
        Ok(Applied { settled: true, ..Applied::default() })
    }

    pub(super) fn refused(&mut self, n: N, no: No, now: Millis) -> Result<Applied> {
        let Some((id, epoch)) = self.flight.unanswered.remove(&n) else {
            return Ok(Applied::default());
        };
        self.flight.settling = true;
        let mut lane = self.lane.clone();
        let tx = self.state.begin()?;
        let command = outbox::waiting(&tx, bounds::MAX_UNANSWERED)?;
        let command = command.into_iter().find(|command| command.id == id);
        let blob = command.as_ref().and_then(|c| outbox::blob_of(&c.frame));
        let is_turn = command.as_ref().is_some_and(|c| matches!(c.frame, ClientFrame::Turn(_)));
        let is_change = command
            .as_ref()
            .is_some_and(|c| matches!(c.frame, ClientFrame::Plan(_) | ClientFrame::Intend(_)));
        let mut settled = false;
        match no.code {
            ErrorCode::Renumber => {
                let last_n = no.last_n.unwrap_or(lane.last_n);
                settled = last_n != lane.last_n;
                lane.last_n = last_n;
            }
            ErrorCode::EpochOld => {
                outbox::forget_epoch(&tx, id)?;
                self.flight.epoch_old = self.flight.epoch_old.max(Some(epoch));
            }
            ErrorCode::TurnFirst => {
                if is_turn {
                    // Whoever wrote it writes it anew, on what stands then.
                    refuse_for_good(&tx, id, command.as_ref(), ErrorCode::Stale)?;
                }
                let asked = no.to_close.as_ref();
                if self.flight.asked_links < MAX_ASKED_LINKS
                    && closing::queue(&tx, &lane, &self.family, asked, now)?
                {
                    self.flight.asked_links = self.flight.asked_links.saturating_add(1);
                    settled = true;
                } else {
                    self.flight.asked_links = 0;
                    self.flight.paused_until = Some(now.saturating_add(PAUSE_MAX_MS));
                    lane.waits = Some(why_it_waits(no.code).to_owned());
                }
            }
            ErrorCode::Unknown if is_again(command.as_ref()) => {
                resealing::fired_meanwhile(&tx, command.as_ref(), now)?;
                settled = true;
            }
            // The relay lost the bytes, or they waited too long there for what names them.
            ErrorCode::StoreFirst if let Some(blob) = blob => {
                upload::again(&tx, blob)?;
                settled = true;
            }
            ErrorCode::NotActive
            | ErrorCode::SlowDown
            | ErrorCode::Unavailable
            | ErrorCode::Newer => {
                let usual =
                    if no.code == ErrorCode::NotActive { CONSENT_PAUSE_MS } else { PAUSE_MS };
                let pause = no.retry_after_ms.map_or(usual, i64::from).min(PAUSE_MAX_MS);
                self.flight.paused_until = Some(now.saturating_add(pause));
                if no.code == ErrorCode::SlowDown {
                    // The next process would not know, and ask again at once.
                    lane.retry_at = self.flight.paused_until;
                }
                lane.waits = Some(match no.code {
                    ErrorCode::NotActive => why_not_active(&tx, now)?.to_owned(),
                    code => why_it_waits(code).to_owned(),
                });
            }
            // Whoever changed a schedule or a plan looks at it again, and decides anew.
            ErrorCode::Stale if !is_turn && !is_change => {
                self.flight.paused_until = Some(now.saturating_add(PAUSE_MS));
            }
            code => {
                refuse_for_good(&tx, id, command.as_ref(), code)?;
                settled = true;
            }
        }
        lane.store(&tx)?;
        tx.commit()?;
        self.lane = lane;
        Ok(Applied { settled, ..Applied::default() })
    }
}

fn why_it_waits(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::SlowDown => "too much was sent at once",
        ErrorCode::Newer => "the relay is newer than this jiashu: update it",
        ErrorCode::TurnFirst => {
            "a parent's or caregiver's phone must first close what the programme's staff voided, \
             or a card that expired: it does so by itself, once it is on"
        }
        _ => "the relay cannot write just now",
    }
}

/// Why no letter moves, as far as this phone knows what was agreed to. The day is the relay's, in Greenwich.
fn why_not_active(db: &Connection, now: Millis) -> Result<&'static str> {
    let now = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
    let today = TimeZone::UTC.to_datetime(now).date().to_string();
    let agreed: Vec<_> = fact::with_prefix(db, "consent/")?
        .into_iter()
        .filter_map(|fact| match fact.content {
            Content::Consent(consent) => Some(consent.taking_part(&today)),
            _ => None,
        })
        .collect();
    Ok(if agreed.iter().any(|one| matches!(one, Agreed::Withdrawn | Agreed::Refused)) {
        "that somebody takes part was refused or taken back (jiashu who-sees)"
    } else if agreed.contains(&Agreed::Expired) {
        "the time for which it was agreed to is over: ask the programme's staff to renew it"
    } else {
        "the programme has not recorded yet that everybody takes part"
    })
}

fn is_again(command: Option<&Command>) -> bool {
    matches!(command.map(|c| &c.frame), Some(ClientFrame::Hold(hold)) if hold.again.is_some())
}

/// The relay will never take these stored bytes: nor what names them.
///
/// # Errors
///
/// If the state cannot be written.
pub fn refuse_naming(db: &Connection, blob: Ref, code: &str) -> Result<()> {
    for command in outbox::naming(db, blob)? {
        refuse_with(db, command.id, Some(&command), code)?;
    }
    Ok(())
}

fn refuse_for_good(
    db: &Connection,
    id: i64,
    command: Option<&Command>,
    code: ErrorCode,
) -> Result<()> {
    refuse_with(db, id, command, code.name())
}

fn refuse_with(db: &Connection, id: i64, command: Option<&Command>, code: &str) -> Result<()> {
    outbox::refuse(db, id, code)?;
    // A schedule without its letter would fire nothing.
    if let Some(Command { frame: ClientFrame::Hold(hold), .. }) = command
        && let Some(plan) = outbox::find(db, hold.schedule)?
        && outbox::fate(db, hold.schedule)? == Some(outbox::Fate::Waits)
    {
        outbox::refuse(db, plan.id, code)?;
    }
    Ok(())
}

/// What this device wrote stands in its own log from the moment that the relay has it.
fn keep_own(db: &Connection, lane: &Lane, command: &Command, place: Place) -> Result<()> {
    let ClientFrame::Post(post) = &command.frame else { return Ok(()) };
    let message = Message {
        device: lane.me(),
        from: post.from,
        entry_ref: post.entry_ref,
        epoch: post.epoch,
        to: post.to.clone(),
        sealed: Vec::new(),
        key: post.key.clone(),
        until: post.until,
        blob: post.blob,
        fired: None,
    };
    let Ok(text) = Text::from_bytes(post.kind, &post.sealed) else { return Ok(()) };
    let content = Content::Message(post.kind, message.clone()).to_bytes();
    message::put(db, place, &content, &message, None)?;
    message::opened(db, post.entry_ref, &text)?;
    if let Some(member) = named(post.key.as_deref()) {
        chain::put_name(db, member, &text.content)?;
    }
    message::mark(db, post.entry_ref, Shown::Printed)
}

/// The member whose name is the fact of that key.
fn named(key: Option<&str>) -> Option<MemberId> {
    key?.strip_prefix("name/")?.parse().ok().map(MemberId)
}

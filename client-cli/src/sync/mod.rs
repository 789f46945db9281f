//! The engine: frames of the relay go in, the state changes, frames to send come out.
//!
//! One engine serves the one-shot `POST /1` and the live WebSocket alike; neither the network nor
//! the clock is known here. Each frame is applied in one transaction, entries and cursor together.
//! Read in this order: what arrives (`reading`, which opens by `opening` and counts by `receipts`),
//! then what leaves (`sending`). Where something is wrong: another chain than ours (`forks`), links
//! that the relay lost or does not take (`recovery`), what it asks to be closed first (`closing`),
//! held letters that are sealed again after a removal (`resealing`), or given back (`giving`).

use std::collections::{BTreeMap, BTreeSet};

use jiashu_proto::entry::Cursor;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Ack, ClientFrame, Hello, Refused, RelayFrame, Welcome};
use jiashu_proto::id::{Epoch, Millis, N, Ref};
use rusqlite::Connection;

use self::recovery::HandIn;
use crate::error::{CliError, ExitCode, Result};
use crate::state::State;
use crate::state::chain::Family;
use crate::state::lane::Lane;
use crate::state::{fact, outbox, receipt, told};

mod reading;

mod opening;

mod receipts;

mod sending;

mod closing;

mod resealing;

pub mod giving;

pub mod forks;

mod recovery;

pub mod draft;

pub(crate) use receipts::is_for;
pub use recovery::ended;
pub use sending::refuse_naming;

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod reading_tests;

#[cfg(test)]
mod sending_tests;

#[cfg(test)]
mod recovery_tests;

#[cfg(test)]
mod resealing_tests;

/// One device at work. There is at most one of a home: who makes it holds the sender's lock.
#[derive(Debug)]
pub struct Engine {
    state: State,
    lane: Lane,
    family: Family,
    flight: Flight,
}

/// What is under way on this connection; the next one begins with nothing.
#[derive(Clone, Debug, Default)]
struct Flight {
    /// Sent and not answered: which command, and the key it was sealed under.
    unanswered: BTreeMap<N, (i64, Epoch)>,
    /// Something was refused: counters are given anew once all answers are in.
    settling: bool,
    /// The relay wants a newer key than this one.
    epoch_old: Option<Epoch>,
    /// Until then only the roster may be written.
    paused_until: Option<Millis>,
    /// How it stands with links that the relay lost.
    hand_in: HandIn,
    /// Links written because the relay asked, since it last took one.
    asked_links: u32,
    /// Held letters that the relay was asked for: of which schedule, after which.
    asked: BTreeSet<(Ref, Option<Ref>)>,
}

/// What a frame has changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// To be sent on a live connection; a round says the same by its next hello.
    pub reply: Option<ClientFrame>,
    /// The cursor has moved.
    pub moved: bool,
    /// Entries taken; where they fill a page there may be more.
    pub taken: usize,
    /// A command found its end.
    pub settled: bool,
}

impl Applied {
    /// Both together.
    pub fn and(&mut self, other: Self) {
        self.moved |= other.moved;
        self.taken = self.taken.saturating_add(other.taken);
        self.settled |= other.settled;
        self.reply = other.reply.or(self.reply.take());
    }
}

impl Engine {
    /// Takes up where the state stands.
    ///
    /// # Errors
    ///
    /// [`ExitCode::NotJoined`] if there is no device.
    pub fn open(state: State) -> Result<Self> {
        let lane = Lane::joined(state.db())?;
        let family = Family::load(state.db())?;
        // What an earlier process left numbered may have to let a link go first.
        let flight = Flight { paused_until: lane.retry_at, settling: true, ..Flight::default() };
        Ok(Self { state, lane, family, flight })
    }

    /// The state, to read from and to queue in.
    pub fn state(&mut self) -> &mut State {
        &mut self.state
    }

    /// What stands on disk.
    #[must_use]
    pub fn db(&self) -> &Connection {
        self.state.db()
    }

    /// The device.
    #[must_use]
    pub fn lane(&self) -> &Lane {
        &self.lane
    }

    /// The family.
    #[must_use]
    pub fn family(&self) -> &Family {
        &self.family
    }

    /// The first frame of a connection or round. What was unanswered is open again.
    pub fn hello(&mut self) -> ClientFrame {
        let paused_until = self.flight.paused_until;
        let Flight { settling, hand_in, asked_links, .. } = self.flight;
        self.flight = Flight { paused_until, settling, hand_in, asked_links, ..Flight::default() };
        ClientFrame::Hello(Hello {
            token: self.lane.token(),
            cursor: self.lane.cursor,
            cursors_at: self.lane.cursors_at,
        })
    }

    /// Applies one frame. All of its effects stand together, or none.
    ///
    /// # Errors
    ///
    /// [`ExitCode::Unsafe`] if the family's roster fails a check: reading and sealing have then
    /// stopped. [`ExitCode::Refused`] if the relay does not know this device any more.
    pub fn apply(&mut self, frame: RelayFrame, now: Millis) -> Result<Applied> {
        match frame {
            RelayFrame::Welcome(welcome) => self.welcome(welcome, now),
            RelayFrame::Entries(entries) => self.read(&entries, now),
            RelayFrame::Cursors(cursors) => self.note_cursors(&cursors),
            RelayFrame::Posted(posted) => self.posted(posted),
            RelayFrame::Refused(Refused {
                n: Some(n),
                code,
                retry_after_ms,
                last_n,
                to_close,
                ..
            }) if !matches!(
                code,
                ErrorCode::Unauthorised | ErrorCode::NewChain | ErrorCode::Erased
            ) =>
            {
                self.refused(n, sending::No { code, retry_after_ms, last_n, to_close }, now)
            }
            RelayFrame::Refused(refused) => self.turned_away(&refused, now),
            RelayFrame::HandedIn(_) => Ok(self.handed_in()),
            RelayFrame::GivenBack(given) => self.given_back(&given, now),
            RelayFrame::Invited(_)
            | RelayFrame::Joined(_)
            | RelayFrame::Staffed(_)
            | RelayFrame::Enrolled(_)
            | RelayFrame::Requested(_)
            | RelayFrame::Previewed(_)
            | RelayFrame::Beaten(_)
            | RelayFrame::Unknown(_) => Ok(Applied::default()),
        }
    }

    fn welcome(&mut self, welcome: Welcome, now: Millis) -> Result<Applied> {
        let mut lane = self.lane.clone();
        let restart = welcome.restart == Some(true);
        let tx = self.state.begin()?;
        if restart || lane.cursor.is_none() {
            lane.cursor = Some(Cursor { generation: welcome.generation, seq: 0, tag: 0 });
            lane.log_epoch = 0;
        }
        if restart {
            lane.cursors_at = None;
            receipt::forget_reached(&tx)?;
            // The log numbers them anew: better told twice than not.
            told::forget(&tx, told::NOTICE)?;
            fact::forget(&tx, fact::NOTICES)?;
            fact::forget(&tx, fact::TOMBSTONES)?;
        }
        if welcome.last_n < lane.last_n {
            // The relay lost the end of its log: what it had acknowledged is said again.
            outbox::replay_after(&tx, welcome.last_n)?;
            self.flight.settling = true;
        }
        lane.last_n = welcome.last_n;
        lane.synced_at = Some(now);
        lane.ended = None;
        lane.store(&tx)?;
        outbox::prune(&tx, now)?;
        tx.commit()?;
        self.lane = lane;
        Ok(Applied { moved: restart, ..Applied::default() })
    }

    /// Where this device stands, for a relay that sent entries from elsewhere.
    fn ack(&self) -> Option<ClientFrame> {
        let cursor = self.lane.cursor?;
        Some(ClientFrame::Ack(Ack { seq: cursor.seq, tag: cursor.tag }))
    }
}

/// The roster failed a check.
#[must_use]
pub fn broken(reason: &str) -> CliError {
    let text = format!(
        "the family's list of phones does not check: {reason}; nothing is sent from here, what \
         waits is kept; call each other and tell the programme's staff"
    );
    CliError::new(ExitCode::Unsafe, text)
}

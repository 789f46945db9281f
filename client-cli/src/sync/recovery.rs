//! A relay that knows less than this phone: it lost links, or knows the phone itself no more.
//!
//! Links prove themselves, so whoever has them hands them in, before all else, and nothing is sealed
//! until the relay's chain is as long as ours. A relay that does not take them keeps them back.

use jiashu_proto::bounds;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, HandIn as HandInFrame, Refused};
use jiashu_proto::id::{Epoch, Millis};

use super::{Applied, Engine, broken};
use crate::error::{CliError, ExitCode, Result};
use crate::say;
use crate::state::chain;
use crate::state::lane::{Ended, EndedBy};

/// How it stands with links that the relay lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum HandIn {
    /// Nothing was handed in.
    #[default]
    NotYet,
    /// The relay does not know this phone: perhaps it lost the link that let it in.
    Unknown,
    /// Sent and not answered; whether because the phone is unknown.
    Sent { unknown: bool },
    /// It has them, it says.
    Done,
}

/// Room for all of a frame of links but the links, in bytes.
const ROOM_AROUND: usize = 64;

impl Engine {
    /// Whether our own chain goes on beyond what was read of the relay's.
    #[must_use]
    pub fn lacks_links(&self) -> bool {
        self.lane.log_epoch < self.family.roster.number()
    }

    /// Whether the log is to be read to its head, round by round, before anything is sent.
    #[must_use]
    pub fn must_catch_up(&self) -> bool {
        self.lacks_links() || self.flight.hand_in == HandIn::Unknown
    }

    /// What is to be said before all else, `at_head` of the relay's log: links that it lost.
    ///
    /// # Errors
    ///
    /// [`ExitCode::Unsafe`] if it had them handed in before, and still keeps them back.
    pub fn hand_in(&mut self, at_head: bool, now: Millis) -> Result<Option<ClientFrame>> {
        let unknown = self.flight.hand_in == HandIn::Unknown;
        let short = at_head && self.lacks_links() && self.lane.broken.is_none();
        if !unknown && !short {
            return Ok(None);
        }
        let from = if unknown { 2 } else { self.lane.log_epoch.saturating_add(1) };
        let frame = match self.flight.hand_in {
            HandIn::Done => None,
            _ => self.lost_links(from, unknown)?,
        };
        match frame {
            Some(frame) => {
                self.flight.hand_in = HandIn::Sent { unknown };
                Ok(Some(frame))
            }
            None if unknown => Err(self.end(EndedBy::Removal, now)?),
            None => Err(self.kept_back()?),
        }
    }

    /// What goes before the links that are handed in: a hello, as some are taken only on the word of
    /// a phone that the relay knows. `None` where it does not know this one.
    pub fn vouches(&mut self) -> Option<ClientFrame> {
        (self.flight.hand_in == HandIn::Sent { unknown: false }).then(|| self.hello())
    }

    /// Our links from that number on with the newest wraps, or the last of them that find room if
    /// the first need not be among them. `None` without the wraps, or room.
    fn lost_links(&self, from: Epoch, may_begin_later: bool) -> Result<Option<ClientFrame>> {
        let Some(wraps) = chain::wraps(self.db(), self.family.roster.number())? else {
            return Ok(None);
        };
        let mut room = bounds::MAX_FRAME.saturating_sub(wraps.len()).saturating_sub(ROOM_AROUND);
        let before = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        let lost = chain::links(self.db())?.into_iter().skip(before).map(|(link, _)| link);
        let mut links = Vec::new();
        for link in lost.rev() {
            let Some(left) = room.checked_sub(link.len().saturating_add(3)) else {
                if may_begin_later {
                    break;
                }
                return Ok(None);
            };
            room = left;
            links.push(link.into());
        }
        links.reverse();
        let scope = self.lane.scope;
        Ok(Some(ClientFrame::HandIn(HandInFrame { scope, links, wraps })))
    }

    pub(super) fn handed_in(&mut self) -> Applied {
        self.flight.hand_in = HandIn::Done;
        Applied { settled: true, ..Applied::default() }
    }

    /// The relay's chain is as long as ours: another time it may be handed in again.
    pub(super) fn note_caught_up(&mut self) {
        if !self.lacks_links() {
            self.flight.hand_in = HandIn::NotYet;
        }
    }

    /// A refusal of the lane itself, or of what was handed in, rather than of a command.
    pub(super) fn turned_away(&mut self, refused: &Refused, now: Millis) -> Result<Applied> {
        let hand_in = self.flight.hand_in;
        match (refused.code, hand_in) {
            (ErrorCode::SlowDown | ErrorCode::Unavailable, _) => {
                if matches!(hand_in, HandIn::Sent { .. }) {
                    self.flight.hand_in = HandIn::NotYet;
                }
                let text = "the relay is busy: try again in a minute";
                Err(CliError::new(ExitCode::Offline, text))
            }
            (ErrorCode::NewChain, _) => Err(self.end(EndedBy::NewChain, now)?),
            (ErrorCode::Erased, _) => Err(self.end(EndedBy::Erased, now)?),
            (_, HandIn::Sent { unknown: true }) => Err(self.end(EndedBy::Removal, now)?),
            (code, HandIn::Sent { unknown: false }) if code != ErrorCode::Unauthorised => {
                Err(self.kept_back()?)
            }
            (ErrorCode::Unauthorised, HandIn::NotYet | HandIn::Unknown) if self.is_in() => {
                self.flight.hand_in = HandIn::Unknown;
                Ok(Applied::default())
            }
            (ErrorCode::Unauthorised, _) => Err(self.end(EndedBy::Removal, now)?),
            // The commands behind a hello that was not taken.
            (ErrorCode::HelloFirst, HandIn::Unknown) => Ok(Applied::default()),
            (_, _) => {
                let text = format!("the relay refused: {}", refused.text);
                Err(CliError::new(ExitCode::General, text))
            }
        }
    }

    fn is_in(&self) -> bool {
        self.family.roster.devices().contains_key(&self.lane.me())
    }

    /// Notes that this phone is out. What it has stays, and can be read.
    fn end(&mut self, by: EndedBy, at: Millis) -> Result<CliError> {
        let mut lane = self.lane.clone();
        let ended = lane.ended.filter(|ended| ended.by == by).unwrap_or(Ended { by, at });
        lane.ended = Some(ended);
        let tx = self.state.begin()?;
        lane.store(&tx)?;
        tx.commit()?;
        self.lane = lane;
        self.flight.hand_in = HandIn::NotYet;
        Ok(self::ended(ended))
    }

    /// Notes that the relay has an older list than ours and stays with it.
    fn kept_back(&mut self) -> Result<CliError> {
        let (theirs, ours) = (self.lane.log_epoch, self.family.roster.number());
        let reason = format!(
            "the relay's ends with its change {theirs} and does not take what came later, up to {ours}"
        );
        let mut lane = self.lane.clone();
        lane.broken = Some(reason.clone());
        let tx = self.state.begin()?;
        lane.store(&tx)?;
        tx.commit()?;
        self.lane = lane;
        Ok(broken(&reason))
    }
}

/// The relay does not let this phone in any more.
#[must_use]
pub fn ended(ended: Ended) -> CliError {
    let text = match ended.by {
        EndedBy::Removal => {
            "this phone was removed from the family, or the relay does not know it: \
                             ask the family for a new card; what is here can still be read and \
                             exported"
                .to_owned()
        }
        EndedBy::Erased => format!(
            "the family has left, as this phone heard on {}: everything of it is deleted at the relay; what is on \
             this phone stays here, and can be read and exported",
            say::day(ended.at)
        ),
        EndedBy::NewChain => format!(
            "the family began anew without this phone, which heard so on {}: letters until then \
             stay here and can be exported; ask for a new card",
            say::day(ended.at)
        ),
    };
    CliError::new(ExitCode::Refused, text)
}

//! Letters and receipts that came together are committed together, and answered in their order.
//!
//! A phone that comes back hands in its whole outbox; one commit after the other would wait for the
//! disk each time. Only commands that are decided without a look at the log are taken in hand: any
//! other frame first waits for those before it.

use futures_util::future::join_all;
use jiashu_proto::bounds;
use jiashu_proto::frame::{ClientFrame, Lane, Posted, Refused, RelayFrame};
use jiashu_proto::id::Scope;

use super::{Session, ends_lane, hello_first};
use crate::execute;
use crate::family::Sender;

/// Commands in hand; as many as a client leaves unanswered on a lane.
const MOST: usize = bounds::MAX_UNANSWERED;

/// A command that waits for its turn.
#[derive(Debug)]
pub(super) struct InHand {
    /// Where it came from.
    pub(super) lane: Lane,
    /// Its family.
    pub(super) scope: Scope,
    /// Who it is on that lane.
    pub(super) sender: Sender,
    /// What it asks.
    pub(super) command: ClientFrame,
}

/// Whether it may be taken in hand. A voice note is not: whether its bytes are stored is looked up first.
pub(super) fn may_wait(command: &ClientFrame) -> bool {
    match command {
        ClientFrame::Post(post) => post.blob.is_none(),
        ClientFrame::Report(_) => true,
        _ => false,
    }
}

impl Session {
    /// Takes a letter or a receipt in hand; [`Session::finish`] does it.
    pub(super) fn take_in_hand(&mut self, command: InHand) {
        self.in_hand.push(command);
    }

    /// Whether no more is taken in hand before it is done.
    pub(super) fn is_hand_full(&self) -> bool {
        self.in_hand.len() >= MOST
    }

    /// Does what is in hand. Handed to the store in order, so that its counters follow each other.
    pub(crate) async fn finish(&mut self) {
        if self.in_hand.is_empty() {
            return;
        }
        let (relay, mut in_hand) = (self.relay.clone(), std::mem::take(&mut self.in_hand));
        let commands = in_hand.drain(..).map(|InHand { lane, scope, sender, command }| {
            let relay = &relay;
            async move { (lane, execute::command(relay, scope, &sender, command).await) }
        });
        // Boxed: most sessions are quiet most of the time.
        for (lane, done) in Box::pin(join_all(commands)).await {
            self.answer_command(lane, done);
        }
        self.in_hand = in_hand;
    }

    pub(super) fn answer_command(&mut self, lane: Lane, done: Option<Result<Posted, Refused>>) {
        match done {
            Some(Ok(posted)) => {
                self.relay.metrics.commands.inc();
                if let Some(open) = self.lanes.get_mut(&lane) {
                    open.note_answer(posted.seq);
                }
                self.answer(lane, RelayFrame::Posted(posted));
            }
            Some(Err(refused)) => {
                let ends = ends_lane(refused.code);
                self.answer(lane, RelayFrame::Refused(refused));
                if ends {
                    self.close_lane(lane);
                }
            }
            None => self.refuse(lane, hello_first()),
        }
    }
}

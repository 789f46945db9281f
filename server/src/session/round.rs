//! One round of a session over `POST /1`: frames in, frames out, done.

use std::sync::Arc;

use jiashu_proto::bounds;
use jiashu_proto::frame::{ClientFrame, FrameError};

use super::Session;
use crate::relay::Relay;

/// Answers the frames of one request, then adds what waits in each lane's log, one page a lane.
///
/// The next hello's cursor is the ack. Frames behind one that cannot be read are not looked at.
pub async fn round(relay: Arc<Relay>, body: &[u8]) -> Vec<u8> {
    relay.metrics.rounds.inc();
    let mut session = Session::new(relay, None);
    let mut rest = body;
    while !rest.is_empty() {
        let before = rest.len();
        let read = ClientFrame::read_from(&mut rest);
        let read = read.and_then(|frame| {
            let within = before - rest.len() <= bounds::MAX_FRAME;
            if within { Ok(frame) } else { Err(FrameError::TooLarge) }
        });
        match read {
            Ok((lane, frame)) => session.handle(lane, frame).await,
            Err(error) => {
                session.refuse_malformed(error);
                break;
            }
        }
    }
    for lane in session.lane_numbers() {
        session.pump(lane).await;
        session.tell_cursors(lane).await;
    }
    let mut out = Vec::new();
    for (lane, frame) in session.take_answers() {
        frame.write_to(lane, &mut out);
    }
    out
}

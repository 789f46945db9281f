//! One round of a session over `POST /1`: frames in, frames out, done.

use std::sync::Arc;

use jiashu_proto::bounds;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, FrameError};

use super::Session;
use crate::family::Refusal;
use crate::limits::guests::Ticket;
use crate::relay::Relay;

/// Once an answer is so long nothing more is asked for it, in bytes: a lane's page or a roster fits
/// behind it, and the whole stays within [`bounds::MAX_ANSWER`], which clients hold us to.
const ENOUGH: usize = bounds::MAX_ANSWER / 2;

/// Frames of one request: a hello and 16 commands for each of 64 lanes, and room. Small ones cost
/// more to answer than to send.
const MAX_FRAMES: usize = 2_048;

/// Answers the frames of one request, then adds what waits in each lane's log, one page a lane.
///
/// The next hello's cursor is the ack. Frames behind one that cannot be read are not looked at, nor
/// those for which there is no room; lanes for which there is none have their page the next time.
pub async fn round(relay: Arc<Relay>, ticket: Arc<Ticket>, body: &[u8]) -> Vec<u8> {
    relay.metrics.rounds.inc();
    let mut session = Session::new(relay, ticket, None);
    let mut out = Vec::new();
    let mut rest = body;
    let mut frames = 0;
    while !rest.is_empty() {
        frames += 1;
        let before = rest.len();
        let read = ClientFrame::read_from(&mut rest);
        let read = read.and_then(|frame| {
            let within = before - rest.len() <= bounds::MAX_FRAME;
            if within { Ok(frame) } else { Err(FrameError::TooLarge) }
        });
        match read {
            Ok((lane, _)) if out.len() > ENOUGH || frames > MAX_FRAMES => {
                session.refuse(lane, Refusal::new(ErrorCode::TooLarge, "ask for less at once"));
                break;
            }
            Ok((lane, frame)) => session.handle(lane, frame).await,
            Err(error) => {
                session.refuse_malformed(error);
                break;
            }
        }
        session.write_answers(&mut out);
    }
    session.finish().await;
    session.write_answers(&mut out);
    for lane in session.lane_numbers() {
        if out.len() > ENOUGH {
            break;
        }
        session.pump(lane).await;
        session.pay(lane);
        session.tell_cursors(lane).await;
        session.write_answers(&mut out);
    }
    out
}

impl Session {
    fn write_answers(&mut self, out: &mut Vec<u8>) {
        for (lane, frame) in self.take_answers() {
            frame.write_to(lane, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::frame::{Hello, RelayFrame, ToClose, Void};
    use jiashu_proto::id::{DeviceId, Token};
    use jiashu_roster::token_hash;

    use super::*;
    use crate::contact::tests::{PROGRAMME, Weeks};
    use crate::limits::address::Address;
    use crate::store::{Batch, Change};

    #[tokio::test]
    async fn commands_of_staff_are_paced_as_what_they_ask_over_http() {
        let mut weeks = Weeks::begin().await;
        weeks.relay.config.limits.posts_burst = 3;
        weeks.relay.limits = crate::limits::Limits::new(&weeks.relay.config.limits);
        let (device, secret) = (DeviceId(2), [7; 16]);
        let token_hash = token_hash(&secret);
        let seat = Change::AddSeat { device, token_hash, members: Vec::new() };
        let batch = Batch { changes: vec![seat], ..Batch::new(0) };
        weeks.relay.store.commit(PROGRAMME, batch).await.unwrap();
        let token = Token { scope: PROGRAMME, device, secret };
        let hello = ClientFrame::Hello(Hello { token, cursor: None, cursors_at: None });
        let void = Void { case_code: "GS-404".into(), to_close: ToClose::default() };
        let frames = std::iter::once(hello).chain((0..5).map(|_| ClientFrame::Void(void.clone())));
        let body: Vec<u8> = frames.flat_map(|frame| frame.to_bytes(0)).collect();
        let relay = Arc::new(weeks.relay);
        let address = Address::from("192.0.2.1".parse::<std::net::IpAddr>().unwrap());
        let ticket = relay.limits.guests.enter(address).unwrap();

        let out = round(relay, ticket, &body).await;

        let (mut rest, mut codes) = (&out[..], Vec::new());
        while !rest.is_empty() {
            if let RelayFrame::Refused(no) = RelayFrame::read_from(&mut rest).unwrap().1 {
                codes.push((no.code, no.retry_after_ms.is_some()));
            }
        }
        let (unknown, slow) = ((ErrorCode::Unknown, false), (ErrorCode::SlowDown, true));
        assert_eq!(codes, [unknown, unknown, unknown, slow, slow]);
    }
}

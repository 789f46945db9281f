//! A session on a WebSocket: the core loop.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use jiashu_proto::error::close;
use jiashu_proto::frame::{ClientFrame, Lane};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite;
use tokio_util::sync::CancellationToken;

use super::Session;
use crate::hub::{Mail, Mailbox};
use crate::relay::Relay;

/// Cursors of others are told at most once in this time: hints, and somebody pays for the bytes.
const CURSORS_EVERY: Duration = Duration::from_secs(1);

/// Clients come back after a restart spread over this time, in ms.
const RESTART_SPREAD_MS: u32 = 30_000;

/// Why a conversation ends.
#[derive(Debug)]
enum End {
    /// The other end closed, or the network did.
    Gone,
    /// We close, with this code and reason.
    Close(u16, String),
}

/// Serves one WebSocket until either end closes it.
pub async fn serve(relay: Arc<Relay>, socket: WebSocket, stop: CancellationToken) {
    let mailbox = Arc::new(Mailbox::default());
    let slot = relay.hub.connect(&mailbox);
    relay.metrics.connections.inc();
    let mut live = Live {
        session: Session::new(relay.clone(), Some(mailbox.clone())),
        relay: relay.clone(),
        socket,
        cursors: 0,
        tell_cursors_at: None,
    };
    let end = live.run(&mailbox, &stop).await;
    if let Err(End::Close(code, reason)) = end {
        live.close(code, reason).await;
    }
    drop(live);
    relay.hub.disconnect(&mailbox, slot);
    relay.metrics.connections.dec();
}

struct Live {
    relay: Arc<Relay>,
    session: Session,
    socket: WebSocket,
    /// Lanes that are to be told of cursors, a bit each, and when.
    cursors: u64,
    tell_cursors_at: Option<Instant>,
}

impl Live {
    async fn run(&mut self, mailbox: &Mailbox, stop: &CancellationToken) -> Result<(), End> {
        self.first_frame(stop).await?;
        loop {
            let tell_cursors = self.tell_cursors_at;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(restart()),
                message = self.socket.recv() => self.on_message(message).await?,
                // Falling behind loses hints, never entries: the log has them all.
                mail = mailbox.take() => self.on_mail(mail).await?,
                () = at(tell_cursors) => self.tell_cursors().await?,
            }
        }
    }

    /// Who connects and says nothing is not waited for; a ping says nothing.
    async fn first_frame(&mut self, stop: &CancellationToken) -> Result<(), End> {
        let socket = &mut self.socket;
        let first = async {
            loop {
                match socket.recv().await {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    message => break message,
                }
            }
        };
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(restart()),
            first = timeout(self.relay.config.first_frame(), first) => first,
        };
        match first {
            Ok(message) => self.on_message(message).await,
            Err(_) => Err(End::Close(close::TOO_SLOW_TO_START, "no frame came in time".into())),
        }
    }

    async fn on_message(
        &mut self,
        message: Option<Result<Message, axum::Error>>,
    ) -> Result<(), End> {
        match message {
            Some(Ok(Message::Binary(bytes))) => {
                match ClientFrame::from_bytes(&bytes) {
                    Ok((lane, frame)) => {
                        let opens = matches!(frame, ClientFrame::Hello(_));
                        let acks = matches!(frame, ClientFrame::Ack(_));
                        self.session.handle(lane, frame).await;
                        // What a command adds to the log comes with its wake.
                        if opens || (acks && self.session.may_have_more(lane)) {
                            self.session.pump(lane).await;
                        }
                        if opens {
                            self.session.tell_cursors(lane).await;
                        }
                    }
                    Err(error) => self.session.refuse_malformed(error),
                }
                self.flush().await?;
                self.end_if_unauthorised()
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Text(_))) => {
                Err(End::Close(axum::extract::ws::close_code::UNSUPPORTED, "binary only".into()))
            }
            Some(Err(error)) if is_too_large(&error) => {
                Err(End::Close(axum::extract::ws::close_code::SIZE, "a frame is too large".into()))
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
        }
    }

    async fn on_mail(&mut self, mail: Mail) -> Result<(), End> {
        for lane in lanes_in(mail.replaced) {
            self.session.close_lane(lane);
        }
        if mail.replaced != 0 && self.session.is_empty() {
            return Err(End::Close(close::REPLACED, "a newer connection took over".into()));
        }
        // At a heartbeat every lane looks, whatever the hints said.
        let grown = if mail.heartbeat { u64::MAX } else { mail.grown };
        for lane in self.session.lane_numbers().into_iter().filter(|lane| has(grown, *lane)) {
            self.session.pump(lane).await;
        }
        if mail.cursors != 0 {
            self.cursors |= mail.cursors;
            self.tell_cursors_at.get_or_insert_with(|| Instant::now() + CURSORS_EVERY);
        }
        self.flush().await?;
        self.end_if_unauthorised()?;
        if mail.heartbeat {
            if self.session.is_stuck(self.relay.config.no_progress()) {
                return Err(no_progress());
            }
            self.write(Message::Ping(axum::body::Bytes::new())).await?;
        }
        Ok(())
    }

    async fn tell_cursors(&mut self) -> Result<(), End> {
        self.tell_cursors_at = None;
        let told = std::mem::take(&mut self.cursors);
        for lane in self.session.lane_numbers().into_iter().filter(|lane| has(told, *lane)) {
            self.session.tell_cursors(lane).await;
        }
        self.flush().await
    }

    /// The connection ends with its last lane.
    fn end_if_unauthorised(&self) -> Result<(), End> {
        if self.session.is_turned_away() {
            Err(End::Close(close::UNAUTHORISED, "the token does not hold".into()))
        } else {
            Ok(())
        }
    }

    async fn flush(&mut self) -> Result<(), End> {
        for (lane, frame) in self.session.take_answers() {
            self.write(Message::Binary(frame.to_bytes(lane).into())).await?;
        }
        Ok(())
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.relay.config.no_progress(), self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(no_progress()),
        }
    }

    async fn close(&mut self, code: u16, reason: String) {
        let frame = CloseFrame { code, reason: reason.into() };
        // A courtesy: who does not take it in a second goes without.
        let courtesy = self.socket.send(Message::Close(Some(frame)));
        let _ = timeout(Duration::from_secs(1), courtesy).await;
    }
}

/// Whether what came was over the limits that the upgrade set. It has not been read.
fn is_too_large(error: &axum::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(tungstenite::Error::Capacity(_)))
}

fn no_progress() -> End {
    End::Close(close::NO_PROGRESS, "nothing was read for too long".into())
}

fn restart() -> End {
    End::Close(close::RESTART, restart_after())
}

fn restart_after() -> String {
    use ring::rand::SecureRandom;
    let mut bytes = [0; 4];
    let drawn = ring::rand::SystemRandom::new().fill(&mut bytes).is_ok();
    let after = if drawn { u32::from_be_bytes(bytes) % RESTART_SPREAD_MS } else { 0 };
    after.to_string()
}

fn has(bits: u64, lane: Lane) -> bool {
    bits & (1 << (lane % 64)) != 0
}

fn lanes_in(bits: u64) -> impl Iterator<Item = Lane> {
    (0..64).filter(move |lane| has(bits, *lane))
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

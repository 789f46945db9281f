//! A session on a WebSocket: the core loop.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jiashu_proto::bounds;
use jiashu_proto::error::close;
use jiashu_proto::frame::{ClientFrame, Lane};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_util::sync::CancellationToken;

use super::Session;
use crate::dice;
use crate::hub::{Mail, Mailbox};
use crate::limits::guests::Ticket;
use crate::listener::watch::Misconduct;
use crate::relay::Relay;

/// Cursors of others are told at most once in this time: hints, and somebody pays for the bytes.
const CURSORS_EVERY: Duration = Duration::from_secs(1);

/// Clients come back after a restart spread over this time, in ms.
const RESTART_SPREAD_MS: u32 = 30_000;

/// Frames at once, after a rest, in seconds' worth: an outbox of 300, and its acks.
const BURST: NonZeroU32 = NonZeroU32::new(20).expect("it is not 0");

/// Messages that are taken together, if so many have come; then others have their turn.
const MOST_TOGETHER: usize = 2 * bounds::MAX_UNANSWERED;

/// How long a peer has to take our goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a session goes over: the messages of a WebSocket, both ways.
pub trait Wire:
    Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Send + Unpin
{
    /// Takes what the peer still sends behind our goodbye, and throws it away.
    fn linger(&mut self) -> impl Future<Output = ()> + Send;
}

/// Why a conversation ends.
#[derive(Debug)]
enum End {
    /// The other end closed, or the network did.
    Gone,
    /// We close, with this code and reason.
    Close(u16, String),
}

/// Serves one WebSocket until either end closes it.
///
/// No `async fn`: that would keep room for the socket twice.
pub fn serve(
    relay: Arc<Relay>,
    ticket: Arc<Ticket>,
    wire: impl Wire,
    stop: CancellationToken,
) -> impl Future<Output = ()> {
    let mailbox = Arc::new(Mailbox::default());
    let slot = relay.hub.connect(&mailbox);
    relay.metrics.connections.inc();
    let mut live = Box::new(Live {
        session: Session::new(relay.clone(), ticket, Some(mailbox.clone())),
        pace: pace(relay.config.limits.frames_per_second),
        stranger_until: Some(Instant::now() + relay.config.limits.stranger()),
        relay: relay.clone(),
        wire,
        tell_cursors_at: None,
    });
    async move {
        let end = live.run(&mailbox, &stop).await;
        if let Err(End::Close(code, reason)) = end {
            if let Some(limit) = limit_of(code) {
                relay.metrics.limit(limit);
            }
            Box::pin(live.close(code, reason)).await;
        }
        drop(live);
        relay.hub.disconnect(&mailbox, slot);
        relay.metrics.connections.dec();
    }
}

fn pace(frames_per_second: u32) -> DefaultDirectRateLimiter {
    let rate = NonZeroU32::new(frames_per_second).unwrap_or(NonZeroU32::MIN);
    RateLimiter::direct(Quota::per_second(rate).allow_burst(rate.saturating_mul(BURST)))
}

struct Live<W> {
    relay: Arc<Relay>,
    session: Session,
    wire: W,
    /// How fast its frames are read.
    pace: DefaultDirectRateLimiter,
    /// When somebody must have said a hello that holds, unless somebody has.
    stranger_until: Option<Instant>,
    /// When lanes are to be told of cursors, or their own moved.
    tell_cursors_at: Option<Instant>,
}

impl<W: Wire> Live<W> {
    async fn run(&mut self, mailbox: &Mailbox, stop: &CancellationToken) -> Result<(), End> {
        // Boxed, as all below: the room it takes is not kept for every quiet connection.
        Box::pin(self.first_frame(stop)).await?;
        loop {
            let deadline = self.deadline();
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(restart()),
                message = self.wire.next() => Box::pin(self.on_paced(message)).await?,
                // Falling behind loses hints, never entries: the log has them all.
                mail = mailbox.take() => Box::pin(self.on_mail(mail)).await?,
                () = at(deadline) => Box::pin(self.on_deadline(mailbox)).await?,
            }
        }
    }

    /// When something is to be done though nothing comes.
    fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.tell_cursors_at, self.stranger_until, self.stuck_at()];
        deadlines.into_iter().flatten().min()
    }

    /// When the client must have acked something.
    fn stuck_at(&self) -> Option<Instant> {
        let since = self.session.unread_since()?;
        Some(since + self.relay.config.limits.no_progress())
    }

    async fn on_deadline(&mut self, mailbox: &Mailbox) -> Result<(), End> {
        let now = Instant::now();
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        if is_due(self.stuck_at()) {
            return Err(no_progress());
        }
        if is_due(self.stranger_until) {
            let text = "nobody said who it is in time";
            return Err(End::Close(close::TOO_SLOW_TO_START, text.into()));
        }
        if is_due(self.tell_cursors_at) {
            self.tell_cursors(mailbox).await?;
        }
        Ok(())
    }

    /// Who sends too fast is read more slowly, and so sends more slowly.
    async fn keep_pace(&mut self) {
        while let Err(until) = self.pace.check() {
            let wait = until.wait_time_from(DefaultClock::default().now());
            tokio::time::sleep(wait).await;
        }
    }

    /// Who connects and says nothing is not waited for; a ping says nothing.
    async fn first_frame(&mut self, stop: &CancellationToken) -> Result<(), End> {
        let wire = &mut self.wire;
        let first = async {
            loop {
                match wire.next().await {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    message => break message,
                }
            }
        };
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(restart()),
            first = timeout(self.relay.config.limits.first_frame(), first) => first,
        };
        match first {
            Ok(message) => self.on_paced(message).await,
            Err(_) => Err(End::Close(close::TOO_SLOW_TO_START, "no frame came in time".into())),
        }
    }

    async fn on_paced(&mut self, first: Option<Result<Message, Error>>) -> Result<(), End> {
        self.keep_pace().await;
        self.on_message(first).await
    }

    /// Takes this message and those that have come behind it: commands are done together, and the
    /// answers leave together.
    async fn on_message(&mut self, first: Option<Result<Message, Error>>) -> Result<(), End> {
        let mut taken = self.take(first).await;
        for _ in 1..MOST_TOGETHER {
            if taken.is_err() || self.session.is_turned_away() {
                break;
            }
            let Some(next) = self.wire.next().now_or_never() else { break };
            if self.pace.check().is_err() {
                // What was asked before need not wait.
                self.answer().await?;
                self.keep_pace().await;
            }
            taken = self.take(next).await;
        }
        self.answer().await?;
        taken?;
        self.end_if_unauthorised()
    }

    async fn answer(&mut self) -> Result<(), End> {
        self.session.finish().await;
        if self.session.owes() {
            self.tell_cursors_soon();
        }
        self.flush().await
    }

    fn tell_cursors_soon(&mut self) {
        self.tell_cursors_at.get_or_insert_with(|| Instant::now() + CURSORS_EVERY);
    }

    async fn take(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        match message {
            Some(Ok(Message::Binary(bytes))) => {
                match ClientFrame::from_bytes(&bytes) {
                    Ok((lane, frame)) => self.frame(lane, frame).await,
                    Err(error) => {
                        self.session.finish().await;
                        self.session.refuse_malformed(error);
                    }
                }
                Ok(())
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Text(_))) => Err(End::Close(close::BINARY_ONLY, "binary only".into())),
            Some(Err(error)) => Err(why_unread(&error)),
            Some(Ok(Message::Close(_))) => {
                // The library has the answer ready, and sends it with the next look (RFC 6455, 5.5.1).
                let _ = timeout(GOODBYE, self.wire.next()).await;
                Err(End::Gone)
            }
            Some(Ok(Message::Frame(_))) | None => Err(End::Gone),
        }
    }

    async fn frame(&mut self, lane: Lane, frame: ClientFrame) {
        let opens = matches!(frame, ClientFrame::Hello(_));
        let acks = matches!(frame, ClientFrame::Ack(_));
        self.session.handle(lane, frame).await;
        // What a command adds to the log comes with its wake.
        if acks {
            self.session.pump_waiting(lane).await;
        }
        if opens {
            self.session.pump(lane).await;
            self.session.tell_cursors(lane).await;
            self.stranger_until.take_if(|_| !self.session.is_strangers());
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
        if mail.cursors || self.session.owes() {
            self.tell_cursors_soon();
        }
        self.flush().await?;
        self.end_if_unauthorised()?;
        if mail.heartbeat {
            self.write(Message::Ping(Bytes::new())).await?;
        }
        Ok(())
    }

    async fn tell_cursors(&mut self, mailbox: &Mailbox) -> Result<(), End> {
        self.tell_cursors_at = None;
        let told = mailbox.take_cursors();
        for lane in self.session.lane_numbers() {
            self.session.pay(lane);
            if has(told, lane) {
                self.session.tell_cursors(lane).await;
            }
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
        let answers = self.session.take_answers();
        if answers.is_empty() {
            return Ok(());
        }
        for (lane, frame) in answers {
            let message = Message::Binary(frame.to_bytes(lane).into());
            self.wire.feed(message).await.map_err(|error| why_unread(&error))?;
        }
        self.wire.flush().await.map_err(|error| why_unread(&error))
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        self.wire.send(message).await.map_err(|error| why_unread(&error))
    }

    async fn close(&mut self, code: u16, reason: String) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        let courtesy = async {
            self.wire.send(Message::Close(Some(frame))).await.ok()?;
            self.wire.linger().await;
            Some(())
        };
        // A courtesy: who does not take it in a second goes without.
        let _ = timeout(GOODBYE, courtesy).await;
    }
}

/// Why nothing more is read from, or written to, a socket.
fn why_unread(error: &Error) -> End {
    match error {
        Error::Capacity(_) => End::Close(close::TOO_LARGE, "a message is too large".into()),
        Error::Io(error) => match Misconduct::in_error(error) {
            Some(Misconduct::NoProgress) => no_progress(),
            Some(misconduct) => End::Close(close::MISCONDUCT, misconduct.to_string()),
            None => End::Gone,
        },
        Error::Utf8(_) => End::Close(close::NOT_UTF8, "not UTF-8".into()),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Gone,
        Error::Protocol(_) => End::Close(close::PROTOCOL, "not as RFC 6455 has it".into()),
        _ => End::Gone,
    }
}

/// The limit that closes a socket with this code, by its key.
fn limit_of(code: u16) -> Option<&'static str> {
    match code {
        close::TOO_LARGE => Some("message_bytes"),
        close::MISCONDUCT => Some("fragments"),
        close::TOO_SLOW_TO_START => Some("first_frame_ms"),
        close::NO_PROGRESS => Some("no_progress_ms"),
        close::REPLACED => Some("connections_per_device"),
        _ => None,
    }
}

fn no_progress() -> End {
    End::Close(close::NO_PROGRESS, "nothing was read for too long".into())
}

fn restart() -> End {
    End::Close(close::RESTART, dice::below(RESTART_SPREAD_MS).to_string())
}

fn has(bits: u64, lane: Lane) -> bool {
    bits & (1 << (lane % 64)) != 0
}

fn lanes_in(bits: u64) -> impl Iterator<Item = Lane> {
    (0..64).filter(move |lane| has(bits, *lane))
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        // Boxed: a quiet connection waits for no time, and keeps no room for it.
        Some(deadline) => Box::pin(tokio::time::sleep_until(deadline)).await,
        None => std::future::pending().await,
    }
}

//! The live connection: hello, then frames both ways, and coming back after it was cut.
//!
//! What frames mean is the engine's; here is only when to connect and what to send when.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use jiashu_proto::bounds;
use jiashu_proto::error::close;
use jiashu_proto::frame::{ClientFrame, RelayFrame};
use jiashu_seal::random;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::http::{self, BoxedStream};
use crate::reconnect::{Ended, FIRST_RETRY, Reconnect, Wait};
use crate::round;
use crate::state::lane::{self, Listener};
use crate::sync::Engine;

/// The upgrade must be done by then.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(15);

/// The relay pings every 4 minutes; a connection silent for longer than two of them is dead.
const SILENCE_MAX: Duration = Duration::from_secs(600);

/// How often to look for what other terminals have put into the outbox.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often whoever listens may do what the clock asks for.
const TICK: Duration = Duration::from_secs(1);

/// What happens to a connection, for who shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The relay has welcomed us.
    Connected,
    /// Something arrived.
    Changed,
    /// The connection is gone; the next try is after so long.
    Cut(Duration),
    /// A second has passed, or another terminal has changed something.
    Tick,
}

/// Told of every event; breaks to end the connection.
pub type OnEvent<'a> = dyn FnMut(Event, &mut Engine) -> Result<ControlFlow<()>> + 'a;

/// How one connection ended.
enum Over {
    /// It was asked to.
    Enough,
    /// What it said is to be looked into round by round: a log that is read again from its start, or
    /// that it does not know this phone.
    CatchUp,
    /// It comes back.
    Interrupted(Ended),
}

/// For no reason that we know.
const CUT: Over = Over::Interrupted(Ended::Cut);

/// The relay says when to come back.
fn come_back(wait: Duration) -> Over {
    Over::Interrupted(Ended::ComeBack(wait))
}

/// Stays connected until `on_event` breaks, coming back after every cut.
///
/// # Errors
///
/// [`ExitCode::Refused`] if another process of this device took over, or it was removed;
/// [`ExitCode::Unsafe`] as of [`Engine::apply`]. A relay that cannot be reached is no error here.
pub async fn stay(
    engine: &mut Engine,
    ca: Option<&Path>,
    on_event: &mut OnEvent<'_>,
) -> Result<()> {
    let mut reconnect = Reconnect::new();
    let mut catch_up = engine.must_catch_up();
    loop {
        let over = match caught_up(engine, ca, catch_up).await {
            Ok(socket) => Live { socket, engine, on_event }.serve().await?,
            Err(Failed::Here(error)) => return Err(error),
            Err(Failed::ComeBack(wait)) => come_back(wait),
            Err(Failed::There) => Over::Interrupted(Ended::Failed),
        };
        let caught_up = catch_up;
        catch_up = matches!(over, Over::CatchUp) || engine.must_catch_up();
        let ended = match over {
            Over::Enough => return Ok(()),
            Over::CatchUp if !caught_up => continue,
            // A relay that says the same again is not to be asked without a pause.
            Over::CatchUp => Ended::Cut,
            Over::Interrupted(ended) => ended,
        };
        let Wait { time: wait, may_be_cut } = reconnect.after(ended, dice());
        lane::set_listener(engine.db(), Listener::Offline)?;
        if on_event(Event::Cut(wait), engine)?.is_break() {
            return Ok(());
        }
        if pause(engine, wait, may_be_cut, on_event).await?.is_break() {
            return Ok(());
        }
    }
}

/// Waits, but tries at once when a person does something in another terminal; not where the relay
/// said how long.
async fn pause(
    engine: &mut Engine,
    wait: Duration,
    may_be_cut: bool,
    on_event: &mut OnEvent<'_>,
) -> Result<ControlFlow<()>> {
    let version = engine.state().version()?;
    let until = Instant::now() + wait;
    let mut ticked = Instant::now();
    while Instant::now() < until {
        tokio::time::sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now()))).await;
        if may_be_cut && engine.state().version()? != version {
            break;
        }
        if ticked.elapsed() >= TICK {
            ticked = Instant::now();
            if on_event(Event::Tick, engine)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Anything from 0 up to 1.
pub(crate) fn dice() -> f64 {
    f64::from(u32::from_be_bytes(random())) / (f64::from(u32::MAX) + 1.0)
}

/// Why there is no connection.
enum Failed {
    /// Trying again will not help.
    Here(CliError),
    /// The relay is full and says when to come.
    ComeBack(Duration),
    /// Not reached, or not answered.
    There,
}

/// A connection, once the log was read to its head and what the relay lost was handed in.
async fn caught_up(
    engine: &mut Engine,
    ca: Option<&Path>,
    catch_up: bool,
) -> std::result::Result<WebSocketStream<BoxedStream>, Failed> {
    if catch_up {
        round::sync(engine, ca).await.map_err(|error| {
            if error.code == ExitCode::Offline { Failed::There } else { Failed::Here(error) }
        })?;
    }
    connect(engine, ca).await
}

async fn connect(
    engine: &Engine,
    ca: Option<&Path>,
) -> std::result::Result<WebSocketStream<BoxedStream>, Failed> {
    let origin = &engine.lane().origin;
    let stream = http::connect_stream(origin, ca).await.map_err(|error| {
        let error = CliError::from(error);
        if error.code == ExitCode::Offline { Failed::There } else { Failed::Here(error) }
    })?;
    let scheme = if origin.tls { "wss" } else { "ws" };
    let url = format!("{scheme}://{}/1", origin.authority());
    let request = url.into_client_request().map_err(|_| Failed::There)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_message_size(Some(bounds::MAX_ANSWER))
        .max_frame_size(Some(bounds::MAX_ANSWER));
    let upgrade = client_async_with_config(request, stream, Some(config));
    match timeout(UPGRADE_TIMEOUT, upgrade).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(tungstenite::Error::Http(response))) => {
            let after = response.headers().get("retry-after").and_then(|after| after.to_str().ok());
            let seconds = after.and_then(|after| after.parse().ok());
            Err(seconds.map_or(Failed::There, |s| Failed::ComeBack(Duration::from_secs(s))))
        }
        Ok(Err(_)) | Err(_) => Err(Failed::There),
    }
}

struct Live<'a, 'b> {
    socket: WebSocketStream<BoxedStream>,
    engine: &'a mut Engine,
    on_event: &'a mut OnEvent<'b>,
}

impl Live<'_, '_> {
    async fn serve(mut self) -> Result<Over> {
        let hello = self.engine.hello();
        if !self.send(&hello).await || !self.send_commands().await? {
            return Ok(CUT);
        }
        let mut version = self.engine.state().version()?;
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut silent, mut ticked) = (Duration::ZERO, Instant::now());
        loop {
            let going = tokio::select! {
                biased;
                message = self.socket.next() => {
                    silent = Duration::ZERO;
                    match message {
                        Some(Ok(message)) => match self.take(message).await? {
                            ControlFlow::Continue(going) => going,
                            ControlFlow::Break(over) => return Ok(over),
                        },
                        Some(Err(_)) | None => false,
                    }
                }
                _ = look.tick() => {
                    silent = silent.saturating_add(LOOK_EVERY);
                    let seen = std::mem::replace(&mut version, self.engine.state().version()?);
                    let changed = seen != version;
                    let tick = changed || ticked.elapsed() >= TICK;
                    if tick {
                        ticked = Instant::now();
                        if (self.on_event)(Event::Tick, self.engine)?.is_break() {
                            return self.enough().await;
                        }
                    }
                    let wake = tick || self.engine.pause_is_over(now_ms());
                    silent < SILENCE_MAX && (!wake || self.send_commands().await?)
                }
            };
            if !going {
                return Ok(CUT);
            }
        }
    }

    /// Whether the connection still stands, or how it ended.
    async fn take(&mut self, message: Message) -> Result<ControlFlow<Over, bool>> {
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Close(frame) => return closed(frame).map(ControlFlow::Break),
            _ => return Ok(ControlFlow::Continue(true)),
        };
        let Ok((_, frame)) = RelayFrame::from_bytes(&bytes) else {
            return Ok(ControlFlow::Continue(false));
        };
        let event = match &frame {
            RelayFrame::Welcome(_) => {
                lane::set_listener(self.engine.db(), Listener::Online)?;
                Event::Connected
            }
            _ => Event::Changed,
        };
        let applied = match self.engine.apply(frame, now_ms()) {
            Ok(_) if self.engine.must_catch_up() => {
                return Ok(ControlFlow::Break(Over::CatchUp));
            }
            // A relay in trouble: it may be out of it the next time.
            Err(error) if error.code == ExitCode::Offline => {
                return Ok(ControlFlow::Break(come_back(FIRST_RETRY.mul_f64(dice()))));
            }
            applied => applied?,
        };
        if let Some(reply) = &applied.reply
            && !self.send(reply).await
        {
            return Ok(ControlFlow::Continue(false));
        }
        if (self.on_event)(event, self.engine)?.is_break() {
            return Ok(ControlFlow::Break(self.enough().await?));
        }
        Ok(ControlFlow::Continue(self.send_commands().await?))
    }

    /// Ends as asked. What showing something has put into the outbox goes along.
    async fn enough(&mut self) -> Result<Over> {
        let _gone_is_fine = self.send_commands().await?;
        let _ = self.socket.close(None).await;
        Ok(Over::Enough)
    }

    async fn send_commands(&mut self) -> Result<bool> {
        for command in self.engine.commands(now_ms())? {
            if !self.send(&command).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn send(&mut self, frame: &ClientFrame) -> bool {
        let sent = self.socket.send(Message::Binary(frame.to_bytes(0).into()));
        // A dead line takes no more bytes and says nothing.
        matches!(timeout(SILENCE_MAX, sent).await, Ok(Ok(())))
    }
}

fn closed(frame: Option<CloseFrame>) -> Result<Over> {
    let Some(frame) = frame else { return Ok(CUT) };
    match u16::from(frame.code) {
        close::REPLACED => Err(CliError::new(
            ExitCode::Refused,
            "another connection of this phone took over: is its folder used twice?",
        )),
        // Whether it was removed, and by whom, the answer to a hello says.
        close::UNAUTHORISED => Ok(Over::CatchUp),
        close::RESTART => {
            let wait = frame.reason.parse().map(Duration::from_millis);
            Ok(wait.map_or(CUT, come_back))
        }
        _ => Ok(CUT),
    }
}

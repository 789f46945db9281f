//! A connection without a socket: messages that take their time, stall, and are lost when it is cut.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Sink, Stream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::weather::Weather;
use crate::session::live::Wire;

/// The relay's end.
#[derive(Debug)]
pub(super) struct RelayEnd {
    incoming: UnboundedReceiver<Message>,
    outgoing: UnboundedSender<Message>,
}

/// The phone's end.
#[derive(Debug)]
pub(super) struct PhoneEnd {
    pub(super) incoming: UnboundedReceiver<Message>,
    pub(super) outgoing: UnboundedSender<Message>,
    cut: CancellationToken,
}

/// When the phone goes, what is under way goes too.
impl Drop for PhoneEnd {
    fn drop(&mut self) {
        self.cut.cancel();
    }
}

/// A new connection.
pub(super) fn connect(weather: &Weather) -> (PhoneEnd, RelayEnd) {
    let cut = CancellationToken::new();
    let (phone, up) = unbounded_channel();
    let (up_end, relay_incoming) = unbounded_channel();
    let (relay, down) = unbounded_channel();
    let (down_end, phone_incoming) = unbounded_channel();
    tokio::spawn(carry(up, up_end, weather.clone(), cut.clone()));
    tokio::spawn(carry(down, down_end, weather.clone(), cut.clone()));
    let relay_end = RelayEnd { incoming: relay_incoming, outgoing: relay };
    (PhoneEnd { incoming: phone_incoming, outgoing: phone, cut }, relay_end)
}

/// Messages arrive in order.
async fn carry(
    mut from: UnboundedReceiver<Message>,
    to: UnboundedSender<Message>,
    weather: Weather,
    cut: CancellationToken,
) {
    let carried = async {
        while let Some(message) = from.recv().await {
            weather.pass(40).await;
            weather.delay(3, 8_000).await;
            if to.send(message).is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = cut.cancelled() => {}
        () = carried => {}
    }
    // A peer that has gone may be missed late.
    weather.delay(50, 30_000).await;
}

impl Stream for RelayEnd {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.incoming.poll_recv(cx).map(|message| message.map(Ok))
    }
}

impl Sink<Message> for RelayEnd {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.outgoing.send(message).map_err(|_| Error::ConnectionClosed)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }
}

impl Wire for RelayEnd {
    async fn linger(&mut self) {}
}

//! Frames over a WebSocket.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use jiashu_proto::frame::{ClientFrame, Lane, RelayFrame};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::http::Stream;
use crate::until::DEADLINE;

/// One open WebSocket.
pub struct RawSocket {
    stream: WebSocketStream<Box<dyn Stream>>,
}

impl std::fmt::Debug for RawSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawSocket")
    }
}

impl RawSocket {
    /// Opens one at the relay that listens there, without an Origin, as the command line does.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the relay listens");
        Self::over(stream, &[]).await.expect("the upgrade is accepted")
    }

    /// Upgrades a connection, with more headers.
    ///
    /// # Errors
    ///
    /// The status with which the relay refused.
    pub async fn over(stream: impl Stream, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = "ws://relay/1".into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream: Box<dyn Stream> = Box::new(stream);
        match timeout(DEADLINE, client_async(request, stream)).await.expect("an answer comes") {
            Ok((stream, _)) => Ok(Self { stream }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("the upgrade failed: {error}"),
        }
    }

    /// Sends a frame on a lane.
    pub async fn send_on(&mut self, lane: Lane, frame: &ClientFrame) {
        self.send_bytes(frame.to_bytes(lane)).await;
    }

    /// Sends a frame on lane 0.
    pub async fn send(&mut self, frame: ClientFrame) {
        self.send_on(0, &frame).await;
    }

    /// Sends anything as one binary message. That the relay has closed shows at the next read.
    pub async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.send_message(Message::binary(bytes)).await;
    }

    /// Sends any message.
    pub async fn send_message(&mut self, message: Message) {
        let sent = timeout(DEADLINE, self.stream.send(message)).await;
        let _ = sent.expect("the relay reads");
    }

    /// The next frame and its lane, or with what code and reason the relay has closed.
    pub async fn next_or_close(&mut self) -> Result<(Lane, RelayFrame), (u16, String)> {
        loop {
            let message = timeout(DEADLINE, self.stream.next()).await;
            match message.expect("a frame or a close comes within the deadline") {
                Some(Ok(Message::Binary(bytes))) => {
                    return Ok(RelayFrame::from_bytes(&bytes).expect("a frame of this protocol"));
                }
                Some(Ok(Message::Close(Some(close)))) => {
                    return Err((close.code.into(), close.reason.to_string()));
                }
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Err((0, "cut".into())),
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next frame and its lane.
    pub async fn next(&mut self) -> (Lane, RelayFrame) {
        self.next_or_close().await.expect("the connection stands")
    }

    /// The first frame for which `pick` gives something; those before it are passed over.
    pub async fn wait_for<T>(&mut self, mut pick: impl FnMut(Lane, &RelayFrame) -> Option<T>) -> T {
        loop {
            let (lane, frame) = self.next().await;
            if let Some(picked) = pick(lane, &frame) {
                return picked;
            }
        }
    }

    /// Reads until the relay closes: the code and the reason.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Err(closed) = self.next_or_close().await {
                return closed;
            }
        }
    }
}

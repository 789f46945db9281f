//! Frames over `POST /1`, a round at a time.

use std::net::{Ipv4Addr, SocketAddr};

use jiashu_proto::frame::{Beat, ClientFrame, Lane, RelayFrame};
use jiashu_proto::id::Millis;
use tokio::net::{TcpSocket, TcpStream};

use crate::http::{self, Response};

/// When the relay went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nobody listened.
    NotSent,
    /// After the connection stood: what was sent is done, or not.
    AnswerLost,
}

/// Speaks to one relay; each round is a connection of its own.
#[derive(Clone, Copy, Debug)]
pub struct Raw {
    address: SocketAddr,
    from: Option<Ipv4Addr>,
}

impl Raw {
    /// For the relay that listens there.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, from: None }
    }

    /// As from that address of this machine; all of 127.0.0.0/8 are.
    #[must_use]
    pub fn from(self, from: Ipv4Addr) -> Self {
        Self { from: Some(from), ..self }
    }

    /// A connection.
    ///
    /// # Errors
    ///
    /// Nobody listens there.
    pub async fn connect(&self) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if let Some(from) = self.from {
            socket.bind(SocketAddr::from((from, 0)))?;
        }
        socket.connect(self.address).await
    }

    /// Sends these bytes as a request; `None` if there is no whole answer, or no relay.
    pub async fn exchange(&self, request: &[u8]) -> Option<Response> {
        http::exchange(self.connect().await.ok()?, request).await
    }

    /// Sends these bytes as the body of a round.
    pub async fn post(&self, body: &[u8]) -> Response {
        let request = http::request("POST", "/1", &[], body);
        self.exchange(&request).await.expect("the relay answers")
    }

    /// Asks this path to do what it does, with nothing to say to it.
    pub async fn post_to(&self, path: &str) -> Response {
        let request = http::request("POST", path, &[], &[]);
        self.exchange(&request).await.expect("the relay answers")
    }

    /// What stands at this path.
    pub async fn get(&self, path: &str) -> Response {
        self.get_accepting(path, "*/*").await
    }

    /// The same, for who takes these types.
    pub async fn get_accepting(&self, path: &str, types: &str) -> Response {
        let request = http::request("GET", path, &[("accept", types)], &[]);
        self.exchange(&request).await.expect("the relay answers")
    }

    /// One round.
    ///
    /// # Errors
    ///
    /// [`Cut`], if the relay is gone before all of its answer has come.
    pub async fn try_round(
        &self,
        frames: &[(Lane, ClientFrame)],
    ) -> Result<Vec<(Lane, RelayFrame)>, Cut> {
        let body: Vec<u8> = frames.iter().flat_map(|(lane, frame)| frame.to_bytes(*lane)).collect();
        let request = http::request("POST", "/1", &[], &body);
        let stream = self.connect().await.map_err(|_| Cut::NotSent)?;
        let response = http::exchange(stream, &request).await.ok_or(Cut::AnswerLost)?;
        assert_eq!(response.status, 200, "{}", response.head);
        Ok(read_all(&response.body))
    }

    /// One round.
    pub async fn round(&self, frames: &[(Lane, ClientFrame)]) -> Vec<(Lane, RelayFrame)> {
        self.try_round(frames).await.expect("the relay answers")
    }

    /// One round on lane 0.
    pub async fn ask(&self, frames: Vec<ClientFrame>) -> Vec<RelayFrame> {
        let frames: Vec<_> = frames.into_iter().map(|frame| (0, frame)).collect();
        self.round(&frames).await.into_iter().map(|(_, frame)| frame).collect()
    }

    /// The one answer to one frame.
    pub async fn one(&self, frame: ClientFrame) -> RelayFrame {
        let mut answers = self.ask(vec![frame]).await;
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers.remove(0)
    }

    /// What time it is at the relay, in ms: tests ask no clock of their own.
    pub async fn now(&self) -> Millis {
        match self.one(ClientFrame::Beat(Beat {})).await {
            RelayFrame::Beaten(beaten) => beaten.now,
            other => panic!("a beat is answered, not {other:?}"),
        }
    }
}

/// All the relay's frames in these bytes.
#[must_use]
pub fn read_all(mut bytes: &[u8]) -> Vec<(Lane, RelayFrame)> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        frames.push(RelayFrame::read_from(&mut bytes).expect("the relay sends whole frames"));
    }
    frames
}

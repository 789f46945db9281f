//! A phone on a WebSocket, for the load loop: hello, post, ack.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use jiashu_proto::entry::{Content, Cursor};
use jiashu_proto::frame::{Ack, ClientFrame, Hello, Post, RelayFrame};
use jiashu_proto::id::{MemberId, Ref, Token};

use crate::seed::EPOCH;
use crate::websocket::{self, Message};
use crate::wire::{Event, Wire, body, number_of};

/// One device of a family.
#[derive(Debug)]
pub(crate) struct Phone {
    address: SocketAddr,
    token: Token,
    cursor: Option<Cursor>,
    member: MemberId,
    upgraded: bool,
    n: u64,
}

impl Phone {
    /// A device that has read up to there, and written nothing yet.
    pub(crate) fn new(address: SocketAddr, token: Token, cursor: Option<Cursor>) -> Self {
        let member = MemberId(token.device.0);
        Self { address, token, cursor, member, upgraded: false, n: 0 }
    }

    fn hello(&self) -> ClientFrame {
        let cursors_at = Some(i64::MAX);
        ClientFrame::Hello(Hello { token: self.token.clone(), cursor: self.cursor, cursors_at })
    }

    /// The answer to the upgrade, and then hello.
    fn upgrade(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize> {
        let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(0);
        };
        if !input.starts_with(b"HTTP/1.1 101") {
            let head = input.get(..end).unwrap_or_default();
            bail!("the upgrade was refused: {}", String::from_utf8_lossy(head));
        }
        self.upgraded = true;
        websocket::write_binary(&self.hello().to_bytes(0), out);
        Ok(end + 4)
    }

    fn frame(
        &mut self,
        bytes: &[u8],
        ack: &mut Option<Ack>,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        match RelayFrame::from_bytes(bytes)?.1 {
            RelayFrame::Welcome(welcome) => {
                anyhow::ensure!(welcome.restart.is_none(), "the cursor does not hold");
                self.n = welcome.last_n;
                events.push(Event::Ready);
            }
            RelayFrame::Posted(_) => events.push(Event::Taken(1)),
            RelayFrame::Entries(entries) => {
                for entry in &entries.entries {
                    if let Content::Message(_, message) = Content::from_bytes(&entry.content)? {
                        let number = number_of(&message.sealed).context("a short body")?;
                        events.push(Event::Delivered(number));
                    }
                }
                *ack = Some(Ack { seq: entries.upto, tag: entries.tag });
            }
            RelayFrame::Cursors(_) => {}
            other => bail!("unexpected: {other:?}"),
        }
        Ok(())
    }
}

impl Wire for Phone {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        out.extend(websocket::upgrade(&self.address.to_string()));
    }

    fn take(&mut self, input: &[u8], out: &mut Vec<u8>, events: &mut Vec<Event>) -> Result<usize> {
        let mut taken = if self.upgraded { 0 } else { self.upgrade(input, out)? };
        let mut rest = input.get(taken..).unwrap_or_default();
        // One ack for all that came together: it names the last.
        let mut ack = None;
        while self.upgraded
            && let Some((message, behind)) = websocket::read(rest)
        {
            match message {
                Message::Binary(bytes) => self.frame(bytes, &mut ack, events)?,
                Message::Ping(payload) => websocket::write_pong(payload, out),
                Message::Close(code) => bail!("the relay closed with {code}"),
                Message::Other => {}
            }
            taken += rest.len() - behind.len();
            rest = behind;
        }
        if let Some(ack) = ack {
            websocket::write_binary(&ClientFrame::Ack(ack).to_bytes(0), out);
        }
        Ok(taken)
    }

    fn send(&mut self, number: u64, out: &mut Vec<u8>) {
        self.n += 1;
        let mut entry_ref = [0x33; 12];
        if let Some((head, _)) = entry_ref.split_first_chunk_mut() {
            *head = (self.n ^ (u64::from(self.member.0) << 56)).to_be_bytes();
        }
        let post = Post {
            n: self.n,
            entry_ref: Ref(entry_ref),
            epoch: EPOCH,
            from: self.member,
            to: Vec::new(),
            kind: 1,
            sealed: body(number).to_vec(),
            key: None,
            until: None,
            blob: None,
        };
        websocket::write_binary(&ClientFrame::Post(post).to_bytes(0), out);
    }
}

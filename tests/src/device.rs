//! A phone, as far as the protocol goes: its keys, its counter, its copy of the log. What it writes
//! is in `writing`.

use jiashu_proto::frame::{ClientFrame, Entries, Hello, Posted, Refused, RelayFrame, Welcome};
use jiashu_proto::id::{DeviceId, MemberId, N, Token};
use jiashu_seal::KeyPairs;

use crate::log::FamilyLog;
use crate::raw::Raw;

/// One device of a family.
#[derive(Clone, Debug)]
pub struct RawDevice {
    /// Its relay.
    pub raw: Raw,
    /// Lets it in.
    pub token: Token,
    /// Signs its links, opens its wraps.
    pub keys: KeyPairs,
    /// The last counter that was used.
    pub n: N,
    /// What it has read.
    pub log: FamilyLog,
}

impl RawDevice {
    /// A device that has joined and read nothing.
    #[must_use]
    pub fn new(raw: Raw, token: Token, keys: KeyPairs) -> Self {
        let log = FamilyLog::new(token.device, keys.hpke.clone());
        Self { raw, token, keys, n: 0, log }
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> DeviceId {
        self.token.device
    }

    /// The first member whom it serves.
    ///
    /// # Panics
    ///
    /// If it has not read the roster.
    #[must_use]
    pub fn member(&self) -> MemberId {
        self.log.roster.devices()[&self.number()].members[0]
    }

    /// Its hello, with its cursor.
    #[must_use]
    pub fn hello(&self) -> ClientFrame {
        let cursor = (self.log.cursor.seq > 0).then_some(self.log.cursor);
        ClientFrame::Hello(Hello { token: self.token.clone(), cursor, cursors_at: None })
    }

    /// Says hello and then these; the answers behind the welcome.
    pub async fn ask(&self, frames: Vec<ClientFrame>) -> Vec<RelayFrame> {
        let hello = std::iter::once(self.hello());
        let mut answers = self.raw.ask(hello.chain(frames).collect()).await;
        assert!(matches!(answers.first(), Some(RelayFrame::Welcome(_))), "{answers:?}");
        answers.remove(0);
        answers
    }

    /// What the relay says to its hello.
    ///
    /// # Errors
    ///
    /// The relay's refusal.
    pub async fn welcome(&self) -> Result<Welcome, Refused> {
        match self.raw.ask(vec![self.hello()]).await.into_iter().next() {
            Some(RelayFrame::Welcome(welcome)) => Ok(welcome),
            Some(RelayFrame::Refused(refused)) => Err(refused),
            other => panic!("a hello is answered, not {other:?}"),
        }
    }

    /// Reads on until there is no more. Returns the frames it took.
    pub async fn sync(&mut self) -> Vec<Entries> {
        let mut taken = Vec::new();
        loop {
            let answers = self.raw.ask(vec![self.hello()]).await;
            let before = taken.len();
            for answer in answers {
                match answer {
                    RelayFrame::Welcome(Welcome { generation, restart, .. }) => {
                        assert_eq!(restart, None, "the cursor holds");
                        self.log.cursor.generation = generation;
                    }
                    RelayFrame::Entries(entries) => {
                        assert!(self.log.take(&entries), "it joins on: {entries:?}");
                        taken.push(entries);
                    }
                    RelayFrame::Cursors(_) => {}
                    other => panic!("unexpected at a hello: {other:?}"),
                }
            }
            if taken.len() == before {
                return taken;
            }
        }
    }

    /// Sends a command; an accepted one moves the counter.
    ///
    /// # Errors
    ///
    /// The relay's refusal.
    pub async fn command(&mut self, frame: ClientFrame) -> Result<Posted, Refused> {
        for answer in self.ask(vec![frame]).await {
            match answer {
                RelayFrame::Posted(posted) => {
                    self.n = self.n.max(posted.n);
                    return Ok(posted);
                }
                RelayFrame::Refused(refused) => return Err(refused),
                _ => {}
            }
        }
        panic!("a command is answered")
    }
}

//! What is measured: the relay, and a peer in the same run.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::phone::Phone;
use crate::redis::Server;
use crate::relay::Relay;
use crate::seed::{Family, seed};
use crate::wire::Wire;

/// Something that carries messages from one of a pair to the other.
pub(crate) trait System {
    /// Its column.
    fn name(&self) -> &'static str;

    /// Starts one with so many pairs, and so many messages waiting for the second of each.
    fn start(&self, pairs: u64, waiting: u64) -> Result<Box<dyn Running>>;
}

/// One that runs, until it is dropped.
pub(crate) trait Running {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// The number of its process.
    fn pid(&self) -> u32;

    /// A client: who posts, or who is given it, in pair `pair`.
    fn wire(&self, pair: usize, gives: bool) -> Box<dyn Wire>;
}

/// Both clients of every pair.
pub(crate) fn both(running: &dyn Running, pairs: usize) -> Vec<Box<dyn Wire>> {
    (0..pairs).flat_map(|pair| [true, false].map(|gives| running.wire(pair, gives))).collect()
}

/// The relay, in a new folder each time.
pub(crate) struct Jiashu {
    /// What is run.
    pub(crate) binary: PathBuf,
    /// Its column.
    pub(crate) name: &'static str,
}

/// A relay with its families.
pub(crate) struct RunningRelay {
    pub(crate) relay: Relay,
    pub(crate) families: Vec<Family>,
    /// Where it keeps its letters, if not in its folder. It ends after the relay.
    pub(crate) _server: Option<Server>,
    pub(crate) _folder: tempfile::TempDir,
}

impl System for Jiashu {
    fn name(&self) -> &'static str {
        self.name
    }

    fn start(&self, pairs: u64, waiting: u64) -> Result<Box<dyn Running>> {
        let folder = tempfile::tempdir()?;
        let families = seed(folder.path(), pairs, waiting, false)?;
        let relay = Relay::start(&self.binary, folder.path(), &[])?;
        Ok(Box::new(RunningRelay { relay, families, _server: None, _folder: folder }))
    }
}

impl Running for RunningRelay {
    fn address(&self) -> SocketAddr {
        self.relay.address
    }

    fn pid(&self) -> u32 {
        self.relay.pid()
    }

    fn wire(&self, pair: usize, gives: bool) -> Box<dyn Wire> {
        let family = self.families.get(pair).expect("a family was written for each pair");
        let token = family.token(if gives { 1 } else { 2 });
        Box::new(Phone::new(self.address().to_string(), token, Some(family.cursor)))
    }
}

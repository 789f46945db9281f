//! What is measured: the relay, and a peer in the same run.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::machine::Held;
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
    /// The numbers of its processes.
    fn pids(&self) -> Vec<u32>;

    /// The number of its store's, where that is a process of its own.
    fn store_pid(&self) -> Option<u32> {
        None
    }

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

/// Relays with their families.
pub(crate) struct RunningRelays {
    pub(crate) relays: Vec<Relay>,
    /// What holds them to a share of a processor; it ends after them.
    pub(crate) _held: Vec<Held>,
    pub(crate) families: Vec<Family>,
    /// Where they keep their letters, if not in their folder. It ends after them.
    pub(crate) server: Option<Server>,
    pub(crate) _folder: tempfile::TempDir,
}

impl RunningRelays {
    /// Half of the pairs are both at one relay, half at two.
    fn address(&self, pair: usize, gives: bool) -> SocketAddr {
        let turn = if gives { pair } else { pair / 2 };
        let relay = self.relays.get(turn.checked_rem(self.relays.len()).unwrap_or(0));
        relay.expect("there is one at least").address
    }
}

impl System for Jiashu {
    fn name(&self) -> &'static str {
        self.name
    }

    fn start(&self, pairs: u64, waiting: u64) -> Result<Box<dyn Running>> {
        let folder = tempfile::tempdir()?;
        let families = seed(folder.path(), pairs, waiting, false)?;
        let relay = Relay::start(&self.binary, folder.path(), &[])?;
        Ok(Box::new(RunningRelays {
            relays: vec![relay],
            _held: Vec::new(),
            families,
            server: None,
            _folder: folder,
        }))
    }
}

impl Running for RunningRelays {
    fn pids(&self) -> Vec<u32> {
        self.relays.iter().map(Relay::pid).collect()
    }

    fn store_pid(&self) -> Option<u32> {
        self.server.as_ref().map(Server::pid)
    }

    fn wire(&self, pair: usize, gives: bool) -> Box<dyn Wire> {
        let family = self.families.get(pair).expect("a family was written for each pair");
        let token = family.token(if gives { 1 } else { 2 });
        Box::new(Phone::new(self.address(pair, gives), token, Some(family.cursor)))
    }
}

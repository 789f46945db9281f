//! Relays that share a store, end without a word, and come back.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiashu_proto::id::Millis;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::link::{self, PhoneEnd};
use super::store::{BadLine, Shared};
use super::weather::Weather;
use crate::clock::Clock;
use crate::config::Config;
use crate::relay::Relay;
use crate::session::live;
use crate::start_loops;

/// How far apart the relays' clocks are, in ms, as long as nobody sets them.
const SKEW: u64 = 3_000;

/// In ms.
const DAY: Millis = 24 * 3_600_000;

/// A clock that is so far ahead, in ms, is set forth no more.
const MOST_AHEAD: Millis = 3 * DAY;

/// One relay, as long as it runs.
#[derive(Debug)]
struct Running {
    relay: Arc<Relay>,
    tasks: JoinSet<()>,
    /// Asks its sessions to end.
    stop: CancellationToken,
}

/// Where a relay runs, or will again.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) clock: Clock,
    running: Mutex<Option<Running>>,
    panics: AtomicUsize,
}

impl Site {
    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often something of a relay panicked here.
    pub(super) fn panics(&self) -> usize {
        self.panics.load(Ordering::Relaxed)
    }
}

/// All relays of a simulation.
#[derive(Clone, Debug)]
pub(super) struct Relays {
    pub(super) sites: Arc<[Site]>,
    shared: Arc<Shared>,
    weather: Weather,
    /// What the clocks showed when all began, in ms.
    begins: Millis,
}

fn config() -> Config {
    // What a lost hint hid is found within that.
    let mut config = Config { heartbeat_ms: 60_000, ..Config::defaults() };
    // They go by real time, of which none passes.
    let limits = &mut config.limits;
    limits.frames_per_second = 100_000;
    (limits.posts_per_minute, limits.posts_burst) = (1_000_000, 1_000_000);
    limits.family_posts_per_minute = 1_000_000;
    (limits.strangers_per_address, limits.connections_per_address) = (1_000, 1_000);
    config
}

impl Relays {
    pub(super) fn new(count: usize, shared: Arc<Shared>, weather: Weather, begins: Millis) -> Self {
        let site = |_| {
            let skew = Millis::try_from(weather.below(SKEW)).unwrap_or(0);
            let clock = Clock::simulated(begins + skew);
            Site { clock, running: Mutex::default(), panics: AtomicUsize::default() }
        };
        let sites: Vec<_> = (0..count).map(site).collect();
        Self { sites: sites.into(), shared, weather, begins }
    }

    /// Runs the relay of a site, ends it and runs it again while the weather is bad; then it stays.
    pub(super) async fn keep(self, site: usize, end: Instant) {
        let Some(site) = self.sites.get(site) else { return };
        while Instant::now() < end {
            self.start(site);
            while Instant::now() < end && (self.weather.is_calm() || !self.weather.strikes(2)) {
                sleep(Duration::from_secs(2)).await;
                self.set_clock(site);
            }
            if self.weather.strikes(30) {
                // In an orderly way, which takes a moment.
                if let Some(running) = &*site.running() {
                    running.stop.cancel();
                }
                self.weather.pass(5_000).await;
            }
            self.kill(site).await;
            self.weather.pass(15_000).await;
        }
    }

    /// Somebody sets the clock, by an hour back or a day forth.
    fn set_clock(&self, site: &Site) {
        if self.weather.strikes(1) {
            let forth = self.weather.below(4) == 0 && site.clock.now() < self.begins + MOST_AHEAD;
            site.clock.leap(if forth { DAY } else { -DAY / 24 });
        }
    }

    fn start(&self, site: &Site) {
        let line = BadLine::to(&self.shared);
        // No voice notes are sent here, so nothing is ever kept there.
        let blobs = crate::blobs::open(&config()).expect("a folder is a place");
        let relay = Arc::new(Relay::new(config(), Arc::new(line), blobs, site.clock.clone()));
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        for task in start_loops(&relay, &CancellationToken::new()) {
            tasks.spawn(aborting(task));
        }
        *site.running() = Some(Running { relay, tasks, stop });
    }

    /// As `kill -9` does: what is under way at the store may come about, and nobody hears of it.
    async fn kill(&self, site: &Site) {
        let Some(mut running) = site.running().take() else { return };
        running.tasks.abort_all();
        while let Some(ended) = running.tasks.join_next().await {
            if ended.is_err_and(|error| error.is_panic()) {
                site.panics.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// All relays end.
    pub(super) async fn kill_all(&self) {
        for site in &*self.sites {
            self.kill(site).await;
        }
    }

    /// A connection to some relay, if that runs.
    pub(super) fn connect(&self) -> Option<PhoneEnd> {
        let index = usize::try_from(self.weather.below(self.sites.len() as u64)).unwrap_or(0);
        let site = self.sites.get(index)?;
        let mut running = site.running();
        let running = running.as_mut()?;
        let address = std::net::IpAddr::V4(Ipv4Addr::LOCALHOST).into();
        let ticket = running.relay.limits.guests.enter(address).ok()?;
        let (phone, wire) = link::connect(&self.weather);
        let (relay, stop) = (running.relay.clone(), running.stop.clone());
        running.tasks.spawn(live::serve(relay, ticket, wire, stop));
        Some(phone)
    }

    /// The least that any relay's clock shows.
    pub(super) fn earliest(&self) -> Millis {
        self.sites.iter().map(|site| site.clock.now()).min().unwrap_or(0)
    }

    /// All clocks are set to one time, at which all that was planned has been due, and nothing is due
    /// soon.
    pub(super) fn set_all_clocks(&self) {
        for site in &*self.sites {
            site.clock.leap(self.begins + 2 * MOST_AHEAD - DAY / 2 - site.clock.now());
        }
    }
}

/// Ends a task with the one that waits for it; a panic of it is this one's too.
async fn aborting(task: tokio::task::JoinHandle<()>) {
    struct Abort(tokio::task::AbortHandle);
    impl Drop for Abort {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let _abort = Abort(task.abort_handle());
    if let Err(error) = task.await
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

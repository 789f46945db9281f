//! A relay whose clock is moved by hand: what is due on the way happens in its order, each at its time.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use jiashu_cli::clock::live_at;
use jiashu_server::clock::Clock;
use jiashu_server::config::Config;
use jiashu_server::notify::mailer::Mailer;
use jiashu_server::relay::Relay;
use jiashu_server::store::Store;
use jiashu_server::store::embedded::{EmbeddedStore, Options};
use jiashu_server::{blobs, listener, notify, scheduler, setup};
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// As good as none: weeks pass in seconds, and nobody here is a stranger.
const NO_LIMIT: u32 = 1_000_000;

/// The relay and the time it is, for it and for all phones of this process.
#[derive(Debug)]
pub(super) struct World {
    relay: Arc<Relay>,
    clock: Clock,
    listening: JoinHandle<()>,
    stop: CancellationToken,
    /// The first coordinator's link.
    pub(super) setup_link: String,
}

impl World {
    /// On an empty folder, at that time; its e-mail lands in another.
    pub(super) async fn begin(
        data: &Path,
        mail: &Path,
        listen: SocketAddr,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let mail = format!("folder:{}", mail.display());
        let mut config = Config { listen, mail, data: data.to_owned(), ..Config::defaults() };
        let limits = &mut config.limits;
        (limits.posts_per_minute, limits.posts_burst) = (NO_LIMIT, NO_LIMIT);
        (limits.family_posts_per_minute, limits.knocks_per_minute) = (NO_LIMIT, NO_LIMIT);
        limits.strangers_per_address = limits.strangers;
        let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(data, Options::default())?);
        let clock = Clock::manual(now.as_millisecond());
        live_at(now);
        let socket = listener::bind(listen)
            .with_context(|| format!("cannot listen on {listen}: choose another by --listen"))?;
        let origin = listener::own_origin(socket.local_addr()?, false);
        let link = setup::offer_link(&*store, &origin, data, false, clock.now()).await?;
        let blobs = blobs::open(&config)?;
        let mailer = Mailer::open(&config)?;
        let relay = Relay { origin, mailer, ..Relay::new(config, store, blobs, clock.clone()) };
        let (relay, stop) = (Arc::new(relay), CancellationToken::new());
        let listening = tokio::spawn(listener::run(relay.clone(), socket, None, stop.clone()));
        let setup_link = link.context("the folder holds a programme already")?;
        Ok(Self { relay, clock, listening, stop, setup_link })
    }

    /// Lets the time pass until then.
    pub(super) async fn move_to(&self, at: Timestamp) -> anyhow::Result<()> {
        let until = at.as_millisecond();
        loop {
            let due = self.relay.store.next_due().await?.filter(|due| *due <= until);
            let Some(due) = due else { break };
            let now = due.max(self.clock.now());
            self.clock.set(now);
            live_at(Timestamp::from_millisecond(now)?);
            scheduler::catch_up(&self.relay).await?;
            notify::catch_up(&self.relay).await;
            let next = self.relay.store.next_due().await?;
            ensure!(next.is_none_or(|next| next > now), "what was due at {now} was not done");
        }
        self.clock.set(until);
        live_at(at);
        Ok(())
    }

    /// When it is.
    pub(super) fn now(&self) -> anyhow::Result<Timestamp> {
        Ok(Timestamp::from_millisecond(self.clock.now())?)
    }

    /// Stops it; all that it knows is in its folder.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.listening.await?;
        self.relay.store.close().await;
        Ok(())
    }
}

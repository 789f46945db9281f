//! The Jiashu relay: keeps every family's entries until each of its devices has them.
//!
//! Read in this order: `command_line` starts [`serve`]; a socket arrives (`listener`), becomes a conversation (`session`) with
//! somebody (`access`), whose commands are decided (`family`) and committed (`store`) by `execute`;
//! `hub` wakes those who are behind, `scheduler` fires what is due. `setup` lets the first
//! coordinator in; `blobs` keeps the bytes of voice notes; `limits` says who may come and how much each may ask; `backup` carries all of a store elsewhere.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub mod command_line;

pub mod listener;

pub mod session;

pub mod access;

pub mod execute;

pub mod family;

pub mod programme;

pub mod contact;

pub mod store;

pub mod blobs;

pub mod backup;

pub mod hub;

pub mod links;

pub mod scheduler;

pub mod notify;

pub mod erasing;

pub mod cleaning;

pub mod ngo;

pub mod dashboard;

pub mod setup;

pub mod status;

pub mod limits;

pub mod clock;
pub mod config;
pub mod dice;
pub mod markup;
pub mod metrics;
pub mod operator;
pub mod relay;
pub mod rosters;
pub mod tls;
pub mod wording;

#[cfg(test)]
mod simulation;

use crate::clock::Clock;
use crate::config::Config;
use crate::hub::WHEEL_SLOTS;
use crate::notify::mailer::Mailer;
use crate::relay::Relay;
use crate::store::Store;

/// How often what is kept in memory is looked through for what is of no use any more.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Why a relay could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {listen}: is a relay running there already?")]
    Listen {
        /// The address.
        listen: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate's files.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The setup link.
    #[error(transparent)]
    Setup(#[from] setup::SetupError),
    /// The operator's key.
    #[error("cannot write the operator's key into the data folder")]
    OperatorKey(#[source] std::io::Error),
    /// Where e-mail goes.
    #[error(transparent)]
    Mail(#[from] notify::mailer::MailError),
    /// Where voice notes are kept.
    #[error("blobs: voice notes cannot be kept there")]
    Blobs(#[from] blobs::BlobError),
}

/// What is known once a relay listens.
#[derive(Clone, Debug)]
pub struct Started {
    /// Where it listens.
    pub listen: std::net::SocketAddr,
    /// The first coordinator's link, until it is used.
    pub setup_link: Option<String>,
}

/// Runs a relay until `stop`, and calls `started` once it listens.
///
/// # Errors
///
/// [`ServeError`], if it cannot begin.
pub async fn serve(
    config: Config,
    store: Arc<dyn Store>,
    clock: Clock,
    stop: CancellationToken,
    started: impl FnOnce(Started),
) -> Result<(), ServeError> {
    let tls = match (&config.tls_cert, &config.tls_key) {
        (Some(cert), Some(key)) => Some(tls::acceptor(cert, key)?),
        _ => None,
    };
    let listen = config.listen;
    let socket = listener::bind(listen);
    let socket = socket.map_err(|source| ServeError::Listen { listen, source })?;
    let listen = socket.local_addr().map_err(|source| ServeError::Listen { listen, source })?;
    let origin = config.public_url.clone();
    let origin = origin.unwrap_or_else(|| listener::own_origin(listen, tls.is_some()));
    let setup_link =
        setup::offer_link(&*store, &origin, &config.data, config.is_shared(), clock.now()).await?;
    operator::make_key(&config.data).map_err(ServeError::OperatorKey)?;
    let blobs = blobs::open(&config)?;
    let mailer = Mailer::open(&config)?;
    let relay = Arc::new(Relay { origin, mailer, ..Relay::new(config, store, blobs, clock) });
    started(Started { listen, setup_link });
    let loops = CancellationToken::new();
    let background = start_loops(&relay, &loops);
    listener::run(relay.clone(), socket, tls, stop).await;
    loops.cancel();
    for task in background {
        // A panic in a loop has been logged where it happened; stopping goes on.
        let _ = task.await;
    }
    relay.store.close().await;
    Ok(())
}

/// What a relay does that nobody asked for just now.
fn start_loops(relay: &Arc<Relay>, stop: &CancellationToken) -> [JoinHandle<()>; 6] {
    [
        tokio::spawn(pass_on_wakes(relay.clone(), stop.clone())),
        tokio::spawn(turn_wheel(relay.clone(), stop.clone())),
        tokio::spawn(sweep(relay.clone(), stop.clone())),
        tokio::spawn(scheduler::run(relay.clone(), stop.clone())),
        tokio::spawn(notify::run(relay.clone(), stop.clone())),
        tokio::spawn(scheduler::zones::keep_up(relay.clone(), stop.clone())),
    ]
}

/// Carries the store's hints to the sessions.
async fn pass_on_wakes(relay: Arc<Relay>, stop: CancellationToken) {
    let mut wakes = relay.store.wakes();
    loop {
        let wake = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            wake = wakes.recv() => wake,
        };
        match wake {
            Ok(wake) => relay.hub.wake(wake.scope),
            Err(broadcast::error::RecvError::Lagged(_)) => relay.hub.wake_all(),
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// One wheel for all heartbeats, not a timer a socket.
async fn turn_wheel(relay: Arc<Relay>, stop: CancellationToken) {
    let slots = u32::try_from(WHEEL_SLOTS).unwrap_or(1);
    let mut step = tokio::time::interval(relay.config.heartbeat() / slots);
    step.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for slot in (0..WHEEL_SLOTS).cycle() {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = step.tick() => relay.hub.turn_wheel(slot),
        }
    }
}

/// Forgets addresses and counts that have no more effect, and weeks that have changed.
async fn sweep(relay: Arc<Relay>, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
        relay.limits.sweep();
        relay.kept_weeks.sweep(&*relay.store, relay.clock.now()).await;
    }
}

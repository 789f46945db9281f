//! What every part of a running relay shares.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use tokio::sync::Semaphore;

use crate::blobs::Blobs;
use crate::blobs::uploads::Uploads;
use crate::clock::Clock;
use crate::config::Config;
use crate::execute::link::KnownKeys;
use crate::hub::Hub;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::ngo::overview::kept::Kept;
use crate::notify::Notify;
use crate::notify::mailer::Mailer;
use crate::rosters::Rosters;
use crate::status::Latest;
use crate::store::Store;

/// One relay process.
#[derive(Debug)]
pub struct Relay {
    /// How it is set.
    pub config: Config,
    /// Where people reach it, as it stands in links; empty where nobody listens.
    pub origin: String,
    /// The logs.
    pub store: Arc<dyn Store>,
    /// The bytes of voice notes.
    pub blobs: Arc<dyn Blobs>,
    /// Who is adding to them.
    pub uploads: Uploads,
    /// How many are being handed some.
    pub fetching: AtomicUsize,
    /// What time it is.
    pub clock: Clock,
    /// Who is connected.
    pub hub: Hub,
    /// Who may come, and how much each may ask.
    pub limits: Limits,
    /// What links to voice notes are signed by.
    pub link_keys: KnownKeys,
    /// Who takes e-mail; absent where none is sent.
    pub mailer: Option<Mailer>,
    /// E-mails on their way to that.
    pub notify: Notify,
    /// Whose chains were checked already.
    pub rosters: Rosters,
    /// What the rows of weeks that have closed say.
    pub kept_weeks: Kept,
    /// What is counted.
    pub metrics: Metrics,
    /// What the operator was told last.
    pub status: Latest,
    /// Whose turn it is to have links to sign in sent: strangers ask for that.
    pub sign_ins: Semaphore,
    /// When this process began.
    pub began: Instant,
}

impl Relay {
    /// One to which nobody has come yet.
    #[must_use]
    pub fn new(config: Config, store: Arc<dyn Store>, blobs: Arc<dyn Blobs>, clock: Clock) -> Self {
        Self {
            hub: Hub::new(config.limits.connections_per_device),
            limits: Limits::new(&config.limits),
            uploads: Uploads::default(),
            fetching: AtomicUsize::new(0),
            link_keys: KnownKeys::default(),
            mailer: None,
            notify: Notify::default(),
            rosters: Rosters::default(),
            kept_weeks: Kept::default(),
            metrics: Metrics::new(),
            status: Latest::default(),
            sign_ins: Semaphore::new(1),
            began: Instant::now(),
            config,
            origin: String::new(),
            store,
            blobs,
            clock,
        }
    }
}

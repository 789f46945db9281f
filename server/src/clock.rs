//! The only place that asks what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiashu_proto::id::Millis;

/// Tells the time in ms UTC; a test sets it by hand.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// One that stands at `now` until it is set.
    #[must_use]
    pub fn manual(now: Millis) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now))))
    }

    /// Sets a manual clock; the machine's stays as it is.
    pub fn set(&self, now: Millis) {
        if let Some(manual) = &self.0 {
            manual.store(now, Ordering::SeqCst);
        }
    }

    /// What time it is, in ms UTC.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub fn now(&self) -> Millis {
        match &self.0 {
            Some(manual) => manual.load(Ordering::SeqCst),
            None => jiff::Timestamp::now().as_millisecond(),
        }
    }
}

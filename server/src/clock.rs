//! The only place that asks what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiashu_proto::id::Millis;
use jiashu_recurrence::utc_text;
use jiff::Timestamp;

/// An instant that stands as ms UTC; what no calendar holds is 1970.
#[must_use]
pub fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The same as text, in UTC.
#[must_use]
pub fn text(at: Millis) -> String {
    utc_text(timestamp(at))
}

/// Tells the time in ms UTC; a test sets it by hand.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
    /// Goes with tokio's time, from what it shows when that begins.
    #[cfg(test)]
    Simulated(tokio::time::Instant, Arc<AtomicI64>),
}

impl Clock {
    /// The machine's.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// One that stands at `now` until it is set.
    #[must_use]
    pub fn manual(now: Millis) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(now))))
    }

    /// One that shows `now` and goes with tokio's time, which a test may let pass as it likes.
    #[cfg(test)]
    pub(crate) fn simulated(now: Millis) -> Self {
        Self(Source::Simulated(tokio::time::Instant::now(), Arc::new(AtomicI64::new(now))))
    }

    /// Somebody sets a simulated clock forward, or back.
    #[cfg(test)]
    pub(crate) fn leap(&self, by: Millis) {
        if let Source::Simulated(_, from) = &self.0 {
            from.fetch_add(by, Ordering::SeqCst);
        }
    }

    /// Sets a manual clock; the machine's stays as it is.
    pub fn set(&self, now: Millis) {
        if let Source::Manual(manual) = &self.0 {
            manual.store(now, Ordering::SeqCst);
        }
    }

    /// What time it is, in ms UTC.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub fn now(&self) -> Millis {
        match &self.0 {
            Source::System => jiff::Timestamp::now().as_millisecond(),
            Source::Manual(manual) => manual.load(Ordering::SeqCst),
            #[cfg(test)]
            Source::Simulated(began, from) => {
                let passed = Millis::try_from(began.elapsed().as_millis()).unwrap_or(Millis::MAX);
                from.load(Ordering::SeqCst).saturating_add(passed)
            }
        }
    }
}

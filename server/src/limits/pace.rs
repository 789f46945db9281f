//! How fast: token buckets for what is posted and for what strangers ask, by the governor crate.
//!
//! A key that has rested until its bucket is full again is forgotten, so memory is bounded by who
//! asked of late.

use std::fmt::Debug;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use jiashu_proto::id::{DeviceId, Scope};

use super::address::Address;
use crate::config::Limits as Config;

/// Keys of one limit, about 100 bytes each. With more, those at rest are forgotten at once; if that
/// does not help, who is not known yet waits.
const MOST_KEYS: usize = 100_000;

/// So long waits who is not known while too many are, in ms.
const CROWD_MS: u32 = 60_000;

/// What is asked too fast: which limit says so, and after how many ms it would pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast {
    /// Its name in figures and in the log.
    pub limit: &'static str,
    /// In ms, rounded up.
    pub retry_after_ms: u32,
}

/// So many at once, and so many a minute.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// A minute, in the long run.
    pub per_minute: NonZeroU32,
    /// At once, after a rest.
    pub burst: NonZeroU32,
}

/// A bucket for each key.
struct Buckets<K: Hash + Eq + Clone, C: Clock = DefaultClock> {
    name: &'static str,
    limiter: RateLimiter<K, DashMapStateStore<K>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
}

impl<K: Hash + Eq + Clone, C: Clock> Debug for Buckets<K, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buckets").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> Buckets<K, C> {
    fn new(name: &'static str, rate: Rate, clock: C) -> Self {
        let quota = Quota::per_minute(rate.per_minute).allow_burst(rate.burst);
        let limiter = RateLimiter::dashmap_with_clock(quota, clock.clone());
        Self { name, limiter, clock }
    }

    fn take(&self, key: &K) -> Result<(), TooFast> {
        let too_fast = |retry_after_ms| TooFast { limit: self.name, retry_after_ms };
        if self.limiter.len() >= MOST_KEYS {
            self.limiter.retain_recent();
            if self.limiter.len() >= MOST_KEYS {
                return Err(too_fast(CROWD_MS));
            }
        }
        self.limiter.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now()) + Duration::from_nanos(999_999);
            too_fast(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1))
        })
    }

    fn sweep(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

/// All buckets of a relay.
#[derive(Debug)]
pub struct Pace {
    devices: Buckets<(Scope, DeviceId)>,
    families: Buckets<Scope>,
    knocks: Buckets<Address>,
}

impl Pace {
    /// All full.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let clock = DefaultClock::default();
        Self {
            devices: Buckets::new("posts_per_minute", config.posts(), clock.clone()),
            families: Buckets::new("family_posts_per_minute", config.family_posts(), clock.clone()),
            knocks: Buckets::new("knocks_per_minute", config.knocks(), clock),
        }
    }

    /// A device's command. One that turns the roster asks its device's bucket alone: a removed
    /// phone's flood must not keep a family from removing it.
    ///
    /// # Errors
    ///
    /// [`TooFast`]. What a device's own limit refuses costs its family nothing.
    pub fn post(&self, scope: Scope, device: DeviceId, turns: bool) -> Result<(), TooFast> {
        self.devices.take(&(scope, device))?;
        if turns { Ok(()) } else { self.families.take(&scope) }
    }

    /// What somebody asks who need not have said who he is, and which costs the relay work.
    ///
    /// # Errors
    ///
    /// [`TooFast`].
    pub fn knock(&self, address: Option<Address>) -> Result<(), TooFast> {
        address.map_or(Ok(()), |address| self.knocks.take(&address))
    }

    /// Forgets who has rested.
    pub fn sweep(&self) {
        self.devices.sweep();
        self.families.sweep();
        self.knocks.sweep();
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn buckets(per_minute: u32, burst: u32) -> (Buckets<u8, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let number = |number| NonZeroU32::new(number).unwrap();
        let rate = Rate { per_minute: number(per_minute), burst: number(burst) };
        (Buckets::new("of_a_test", rate, clock.clone()), clock)
    }

    fn passing(buckets: &Buckets<u8, FakeRelativeClock>, key: u8) -> usize {
        (0..10_000).take_while(|_| buckets.take(&key).is_ok()).count()
    }

    #[test]
    fn three_hundred_pass_at_once_then_a_hundred_a_minute() {
        let (buckets, clock) = buckets(100, 300);

        assert_eq!(passing(&buckets, 1), 300);
        assert_eq!(passing(&buckets, 2), 300, "another has a bucket of its own");
        for minute in 0..3 {
            clock.advance(Duration::from_secs(60));
            assert_eq!(passing(&buckets, 1), 100, "in minute {minute}");
        }
        clock.advance(Duration::from_secs(3600));
        assert_eq!(passing(&buckets, 1), 300, "after a rest");
    }

    #[test]
    fn the_time_to_wait_is_true() {
        let (buckets, clock) = buckets(100, 1);
        buckets.take(&1).unwrap();

        let TooFast { limit, retry_after_ms } = buckets.take(&1).unwrap_err();

        assert_eq!((limit, retry_after_ms), ("of_a_test", 600));
        clock.advance(Duration::from_millis(599));
        assert_eq!(buckets.take(&1).unwrap_err().retry_after_ms, 1);
        clock.advance(Duration::from_millis(1));
        assert_eq!(buckets.take(&1), Ok(()));
    }

    #[test]
    fn who_has_rested_is_forgotten() {
        let (buckets, clock) = buckets(100, 300);
        for key in 0..=255 {
            buckets.take(&key).unwrap();
        }

        buckets.sweep();
        let before = buckets.limiter.len();
        clock.advance(Duration::from_secs(2));
        buckets.sweep();

        assert_eq!((before, buckets.limiter.len()), (256, 0));
    }
}

//! The luck of a simulation: rolled from its seed, and good from some moment on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiashu_tests::dice::Dice;

/// Faults come as the dice fall, until it is calm.
#[derive(Clone, Debug)]
pub(super) struct Weather(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    dice: Dice,
    calm: bool,
    faults: u64,
}

impl Weather {
    pub(super) fn of_seed(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner { dice: Dice::new(seed), calm: false, faults: 0 })))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on there are no faults.
    pub(super) fn calm(&self) {
        self.with(|inner| inner.calm = true);
    }

    pub(super) fn is_calm(&self) -> bool {
        self.with(|inner| inner.calm)
    }

    /// How many faults there were.
    pub(super) fn faults(&self) -> u64 {
        self.with(|inner| inner.faults)
    }

    /// Whether something that goes wrong in so many of a hundred cases does so now.
    pub(super) fn strikes(&self, percent: u64) -> bool {
        self.with(|inner| {
            let struck = inner.dice.below(100) < percent && !inner.calm;
            inner.faults += u64::from(struck);
            struck
        })
    }

    /// Any number below that, in any weather.
    pub(super) fn below(&self, end: u64) -> u64 {
        self.with(|inner| inner.dice.below(end))
    }

    /// Any time shorter than that, in any weather.
    pub(super) fn within(&self, longest: Duration) -> Duration {
        Duration::from_millis(self.below(u64::try_from(longest.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Dice of somebody's own.
    pub(super) fn dice(&self) -> Dice {
        Dice::new(self.below(u64::MAX))
    }

    /// In so many of a hundred cases a delay of up to so many ms.
    pub(super) async fn delay(&self, percent: u64, most_ms: u64) {
        if self.strikes(percent) {
            self.pass(most_ms).await;
        }
    }

    /// Lets up to so many ms pass.
    pub(super) async fn pass(&self, most_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.below(most_ms))).await;
    }
}

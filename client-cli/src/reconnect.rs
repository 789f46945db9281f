//! When to try again: pure, so that a whole village of clients can be driven through an outage.
//!
//! After an outage everybody must come back by himself, and not all in one second. A relay that
//! comes back is busiest then; each try in vain costs it, or whoever starts it, a little more.

use std::time::Duration;

/// After an unexplained cut the first try comes within this time: all of a village, spread. The
/// tries after it have this as their first ceiling; a shorter one would let those who tried early
/// press on in the seconds in which the others come for the first time.
pub const FIRST_RETRY: Duration = Duration::from_secs(15);

/// The first ceiling for who was not connected, as at a person's start; it doubles.
const RETRY_MIN: Duration = Duration::from_secs(1);

/// The last ceiling, and the longest that a relay's word is obeyed.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// A relay that is full names whole seconds: who was told the same is spread over the next.
const SPREAD: Duration = Duration::from_secs(1);

/// How one connection, or one try to have it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It stood, and was cut for no reason that we know.
    Cut,
    /// It did not come about.
    Failed,
    /// The relay says when to come back.
    ComeBack(Duration),
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// So long.
    pub time: Duration,
    /// Whether a person who does something meanwhile is served at once. Not where the relay said
    /// how long.
    pub may_be_cut: bool,
}

/// What is remembered between tries.
#[derive(Clone, Copy, Debug)]
pub struct Reconnect {
    ceiling: Duration,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self { ceiling: RETRY_MIN }
    }
}

impl Reconnect {
    /// Nothing was tried yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The wait after what ended so. `dice` is anything from 0 up to 1, another each time: full
    /// jitter, as half of it would still leave a village in one half of the time.
    pub fn after(&mut self, ended: Ended, dice: f64) -> Wait {
        let dice = dice.clamp(0.0, 1.0);
        match ended {
            Ended::Cut => {
                self.ceiling = FIRST_RETRY;
                Wait { time: FIRST_RETRY.mul_f64(dice), may_be_cut: true }
            }
            Ended::Failed => {
                let time = self.ceiling.mul_f64(dice);
                self.ceiling = self.ceiling.saturating_mul(2).min(RETRY_MAX);
                Wait { time, may_be_cut: true }
            }
            Ended::ComeBack(told) => {
                // Who was told has been heard: what failed before says nothing any more.
                self.ceiling = FIRST_RETRY;
                let time = told.min(RETRY_MAX).saturating_add(SPREAD.mul_f64(dice));
                Wait { time, may_be_cut: false }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same numbers in every run. Source: splitmix64, public domain.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let high = u32::try_from((z ^ (z >> 31)) >> 32).unwrap();
            f64::from(high) / (f64::from(u32::MAX) + 1.0)
        }
    }

    /// When each of a village tries, after all were cut at 0 by a relay that is gone so long.
    fn tries(clients: usize, outage: Duration) -> Vec<Vec<Duration>> {
        let mut dice = Dice(1);
        let mut client = || {
            let mut reconnect = Reconnect::new();
            let mut tries = vec![reconnect.after(Ended::Cut, dice.roll()).time];
            while *tries.last().unwrap() < outage {
                let wait = reconnect.after(Ended::Failed, dice.roll());
                tries.push(*tries.last().unwrap() + wait.time);
            }
            tries
        };
        (0..clients).map(|_| client()).collect()
    }

    #[test]
    fn a_village_comes_back_by_itself_and_not_in_one_second() {
        for outage in [0, 1, 2, 5, 10, 20] {
            let tries = tries(2_000, Duration::from_secs(outage));

            let mut seconds = [0_usize; 100];
            for at in tries.iter().flatten() {
                seconds[usize::try_from(at.as_secs()).unwrap()] += 1;
            }
            let all: usize = seconds.iter().sum();
            let most = *seconds.iter().max().unwrap();
            assert!(most * 10 <= all, "{outage} s away: {most} of {all} tries in one second");
            let first = |second: u64| tries.iter().filter(|t| t[0].as_secs() == second).count();
            assert!((0..15).all(|second| first(second) >= 80), "first tries are spread");
            let back = tries.iter().filter_map(|tries| tries.last()).max().unwrap();
            assert!(*back < Duration::from_secs(90), "{outage} s away: the last after {back:?}");
        }
    }

    #[test]
    fn the_wait_grows_to_a_minute_and_no_further() {
        let mut reconnect = Reconnect::new();

        let waits: Vec<_> =
            (0..8).map(|_| reconnect.after(Ended::Failed, 1.0).time.as_secs()).collect();

        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(reconnect.after(Ended::Cut, 1.0).time, FIRST_RETRY);
        assert_eq!(reconnect.after(Ended::Failed, 1.0).time, FIRST_RETRY);
        assert_eq!(reconnect.after(Ended::Failed, 0.0).time, Duration::ZERO);
    }

    #[test]
    fn what_the_relay_says_is_obeyed_within_reason_and_nobody_cuts_it_short() {
        let mut reconnect = Reconnect::new();
        let told = |seconds| Ended::ComeBack(Duration::from_secs(seconds));

        let soon = reconnect.after(told(7), 0.5);
        let never = reconnect.after(told(86_400), 0.0);

        assert_eq!(soon, Wait { time: Duration::from_millis(7_500), may_be_cut: false });
        assert_eq!(never.time, RETRY_MAX);
    }
}

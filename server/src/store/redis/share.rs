//! Which relay looks at which buckets of what is due: a hint, so that N relays do not do the work N times.
//!
//! Each bucket goes to the live relay that has the highest number for it (rendezvous hashing, Thaler and
//! Ravishankar 1998): where a relay comes or goes only its own buckets move. What stays due is looked at by all,
//! and correctness stays with the preconditions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::Script;
use tokio_util::sync::CancellationToken;

use super::answer::all_bytes;
use super::layout::{BUCKETS, Damaged, RELAYS};
use super::link::{Failure, Link};
use crate::store::status::ShareStatus;

/// How often a relay says that it lives.
const BEAT: Duration = Duration::from_secs(2);

/// For how many seconds one counts that is not heard.
pub(super) const COUNTS_S: u64 = 7;

/// The buckets of this relay.
pub(super) struct Share {
    link: Link,
    me: u64,
    own: Mutex<Arc<[bool]>>,
    /// Relays that were heard of last, this one among them.
    live: AtomicUsize,
}

impl Share {
    /// All of them, until others are heard of.
    pub(super) fn new(link: Link, me: u64) -> Arc<Self> {
        let own = vec![true; usize::try_from(BUCKETS).unwrap_or(0)];
        let live = AtomicUsize::new(1);
        Arc::new(Self { link, me, own: Mutex::new(own.into()), live })
    }

    /// Whether each bucket is this relay's.
    pub(super) fn own(&self) -> Arc<[bool]> {
        Arc::clone(&super::lock(&self.own))
    }

    /// For the operator.
    pub(super) fn status(&self) -> ShareStatus {
        let own = self.own();
        let own_buckets = own.iter().filter(|own| **own).count();
        ShareStatus { relays: self.live.load(Ordering::Relaxed), own_buckets, buckets: own.len() }
    }

    /// Says that this relay lives, until `stop`.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let beat = Script::new(include_str!("share.lua"));
        loop {
            // Whoever hears of nobody looks at all.
            let live = self.hear(&beat).await.unwrap_or_default();
            self.live.store(live.len().max(1), Ordering::Relaxed);
            *super::lock(&self.own) = owned(self.me, &live);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(BEAT) => {}
            }
        }
        // Those who stay need not wait until this one counts no more.
        let mut pipe = redis::pipe();
        pipe.cmd("ZREM").arg(RELAYS).arg(self.me);
        let _ = self.link.ask(&pipe).await;
    }

    async fn hear(&self, beat: &Script) -> Result<Vec<u64>, Failure> {
        let args = [self.me, COUNTS_S].map(|number| number.to_string().into_bytes());
        let live = all_bytes(self.link.script(beat, &[RELAYS], &args).await?)?;
        let number = |bytes: &Vec<u8>| std::str::from_utf8(bytes).ok()?.parse().ok();
        let live: Option<Vec<u64>> = live.iter().map(number).collect();
        Ok(live.ok_or(Damaged("the relays"))?)
    }
}

/// Of each bucket whether it is `me`'s, of these and `me`.
fn owned(me: u64, live: &[u64]) -> Arc<[bool]> {
    let mine = |bucket| live.iter().all(|other| weight(bucket, *other) <= weight(bucket, me));
    (0..BUCKETS).map(mine).collect()
}

/// A number for a bucket and a relay that tells nothing of the next (splitmix64's last steps).
fn weight(bucket: u64, relay: u64) -> u64 {
    let mut mixed = relay ^ bucket.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_has_one_relay_and_only_those_of_the_one_that_goes_move() {
        let relays = [11, 22, 33];
        let of = |relays: &[u64]| -> Vec<u64> {
            let shares: Vec<_> = relays.iter().map(|me| owned(*me, relays)).collect();
            let owner = |bucket: usize| {
                let mut owners = relays.iter().zip(&shares).filter(|(_, own)| own[bucket]);
                let (owner, _) = owners.next().unwrap();
                assert!(owners.next().is_none(), "one alone");
                *owner
            };
            (0..256).map(owner).collect()
        };

        let (three, two) = (of(&relays), of(&relays[..2]));

        for (before, after) in three.iter().zip(&two) {
            assert!(before == after || *before == 33, "the others stay where they are");
        }
        for relay in relays {
            let count = three.iter().filter(|owner| **owner == relay).count();
            assert!((50..=120).contains(&count), "about a third: {count}");
        }
        assert!(owned(11, &[]).iter().all(|own| *own), "alone it has all");
    }
}

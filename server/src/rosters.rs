//! Rosters that were checked already, so that a link costs one signature and not the whole chain.
//!
//! A chain of ten links takes 1.5 ms to check, and whoever holds a card, or a phone, may ask for it
//! with twenty bytes. The hash of the newest link stands for all before it: a roster that is kept is
//! right as long as the store names the same, and of no use as soon as it names another.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiashu_proto::id::{LinkHash, Scope};
use jiashu_roster::Roster;

/// Rosters that are kept: some 4 KiB each, so a megabyte.
const MAX_KEPT: usize = 256;

/// The rosters of families that were asked for lately.
#[derive(Debug, Default)]
pub struct Rosters {
    kept: Mutex<BTreeMap<Scope, Roster>>,
}

impl Rosters {
    /// The roster of a family whose newest link has this hash, if it was checked before.
    #[must_use]
    pub fn at(&self, family: Scope, head: LinkHash) -> Option<Roster> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&family).filter(|roster| roster.head() == head).cloned()
    }

    /// Keeps a roster that was checked. Where there are too many another gives way.
    pub fn keep(&self, family: Scope, roster: &Roster) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT && !kept.contains_key(&family) {
            // The next above, or the first: family numbers are random, so any is as good.
            let next = kept.range(family..).next().or_else(|| kept.iter().next());
            let next = next.map(|(family, _)| *family);
            next.and_then(|family| kept.remove(&family));
        }
        kept.insert(family, roster.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roster_is_given_for_its_head_alone() {
        let rosters = Rosters::default();
        rosters.keep(Scope(7), &Roster::new());

        assert_eq!(rosters.at(Scope(7), LinkHash::NONE), Some(Roster::new()));
        assert_eq!(rosters.at(Scope(7), LinkHash([1; 32])), None);
        assert_eq!(rosters.at(Scope(8), LinkHash::NONE), None);
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let rosters = Rosters::default();

        for family in 0..2 * MAX_KEPT as u64 {
            rosters.keep(Scope(family), &Roster::new());
        }

        assert_eq!(rosters.kept.lock().unwrap().len(), MAX_KEPT);
        let newest = Scope(2 * MAX_KEPT as u64 - 1);
        assert!(rosters.at(newest, LinkHash::NONE).is_some());
    }
}

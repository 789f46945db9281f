//! When a child and its parents last heard each other.

use jiff::{SignedDuration, Timestamp};

use crate::ledger::{Contact, Way};

/// How far apart both ways may lie.
pub const WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The instants at which both ways had been heard within [`WITHIN`], of one child's contacts in order.
pub fn moments(contacts: &[Contact]) -> impl Iterator<Item = Timestamp> + '_ {
    let (mut home, mut away) = (None, None);
    contacts.iter().filter_map(move |contact| {
        let at = contact.heard_at;
        let (own, other) = match contact.way {
            Way::Home => (&mut home, &away),
            Way::Away => (&mut away, &home),
        };
        *own = Some(at);
        other.filter(|other: &Timestamp| at.duration_since(*other) <= WITHIN).map(|_| at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, by_turns, heard};

    #[test]
    fn both_ways_within_a_week_are_two_way_and_one_way_is_not() {
        let last = |contacts: &[Contact]| moments(contacts).last();

        assert_eq!(last(&[]), None);
        let home = ["2026-11-01T19:00", "2026-11-02T19:00"].map(|civil| heard(Way::Home, civil));
        assert_eq!(last(&home), None);
        let week = by_turns(&["2026-11-01T19:00", "2026-11-08T19:00"]);
        assert_eq!(last(&week), Some(at("2026-11-08T19:00")));
        let longer = by_turns(&["2026-11-01T19:00", "2026-11-08T19:01"]);
        assert_eq!(last(&longer), None);
    }
}

//! What must hold for any bytes that a stranger may send.

use proptest::prelude::*;
use proptest::sample::Index;

use crate::vectors::{cases, hex, vectors};
use crate::{Link, LinkBody, Roster, Wraps};

proptest! {
    #[test]
    fn any_bytes_are_read_back_as_they_were_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        if let Ok(link) = Link::parse(&bytes) {
            prop_assert_eq!(link.to_bytes(), &bytes[..]);
        }
        if let Ok(body) = LinkBody::parse(&bytes) {
            prop_assert_eq!(body.to_bytes(), &bytes[..]);
        }
        if let Ok(wraps) = Wraps::parse(&bytes) {
            prop_assert_eq!(wraps.to_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn a_link_with_bytes_changed_cut_or_added_never_follows(
        (at, place, byte, cut) in any::<(Index, Index, u8, Index)>(),
    ) {
        let roster_json = vectors(include_str!("../../vectors/roster.json"));
        let links: Vec<_> =
            cases(&roster_json, "links", 12).iter().map(|link| hex(&link["link"])).collect();
        let at = at.index(links.len());
        let (mut roster, _) = Roster::replay(&links[..at]).unwrap();
        let (before, good) = (roster.clone(), &links[at]);
        let (mut changed, mut longer) = (good.clone(), good.clone());
        changed[place.index(good.len())] ^= byte.max(1);
        longer.insert(place.index(good.len() + 1), byte);
        let shorter = &good[..cut.index(good.len())];

        for bad in [&changed[..], &longer, shorter] {
            prop_assert!(roster.follow(bad).is_err());
            prop_assert_eq!(&roster, &before);
        }
        prop_assert!(roster.follow(good).is_ok());
    }
}

//! Links as a stranger may send them: nobody without a key in the chain gets one to follow.

use jiashu_roster::{Link, LinkBody, Wraps};

use crate::vectors::chain;

/// The first byte names the place in the good chain, the others are the link. A second form, from
/// 0x80 on, edits the good link of that place: pairs of place and byte.
pub fn any_link(bytes: &[u8]) {
    let Some((place, rest)) = bytes.split_first() else { return };
    reads_back_or_is_refused(rest);
    let chain = chain();
    let at = usize::from(place & 0x7f) % chain.links.len();
    if place & 0x80 == 0 {
        follows_only_if_signed(at, rest);
    } else {
        follows_only_if_signed(at, &edited(&chain.links[at], rest));
        let wraps = chain.wraps[at].as_deref().unwrap_or_default();
        only_its_own_wraps_are_taken(at, &edited(wraps, rest));
    }
}

fn edited(good: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut link = good.to_vec();
    for edit in edits.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % (link.len() + 1);
        match link.get_mut(place) {
            Some(byte) => *byte = edit[2],
            None => link.push(edit[2]),
        }
    }
    link
}

fn reads_back_or_is_refused(bytes: &[u8]) {
    if let Ok(link) = Link::parse(bytes) {
        assert_eq!(link.to_bytes(), bytes);
    }
    if let Ok(body) = LinkBody::parse(bytes) {
        assert_eq!(body.to_bytes(), bytes);
    }
    if let Ok(wraps) = Wraps::parse(bytes) {
        assert_eq!(wraps.to_bytes(), bytes);
    }
}

fn follows_only_if_signed(at: usize, bytes: &[u8]) {
    let chain = chain();
    let mut roster = chain.rosters[at].clone();

    let taken = roster.follow(bytes);

    // Link 1 is by a key of its own: anybody may found a family. Some of the links that must be
    // refused were signed by the family, and are at fault only where keys or a place tell.
    let known = Link::parse(bytes).is_ok_and(|link| {
        let negative = || chain.negative.iter().filter_map(|(_, bytes)| Link::parse(bytes).ok());
        at == 0
            || chain.bodies.contains(&link.body)
            || negative().any(|signed| signed.body == link.body)
    });
    match taken {
        Ok(change) => {
            assert!(known, "a link that nobody of the chain has signed");
            assert_eq!(usize::try_from(change.number).unwrap(), at + 1);
        }
        Err(_) => assert_eq!(roster, chain.rosters[at], "what is refused changes nothing"),
    }
}

fn only_its_own_wraps_are_taken(at: usize, wraps: &[u8]) {
    let chain = chain();
    let good = chain.wraps[at].as_deref() == Some(wraps);
    assert_eq!(chain.rosters[at + 1].check_wraps(wraps).is_ok(), good);
}

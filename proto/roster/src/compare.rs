//! The digits that two people read to each other before a re-issued card is let in.

use jiashu_proto::id::LinkHash;

use crate::digest::sha256;
use crate::key::PublicKey;

/// Six groups of five digits, zeros kept, that both screens show for a re-issued card.
///
/// They bind the family (by the hash of its link 1) and both keys of the request. Source:
/// docs/sealing.md.
#[must_use]
pub fn compare_groups(link1: LinkHash, sign_pub: &PublicKey, hpke_pub: &PublicKey) -> [String; 6] {
    let hash =
        sha256(&[b"jiashu/1 compare", &link1.0[..], &sign_pub.0[..], &hpke_pub.0[..]].concat());
    let mut groups = hash.chunks_exact(5).map(|five| {
        let number = five.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{:05}", number % 100_000)
    });
    std::array::from_fn(|_| groups.next().expect("32 bytes hold six groups of five"))
}

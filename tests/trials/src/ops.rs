//! What a member with a key may write into a link: any list of ops, well signed.

use jiashu_proto::id::{DeviceId, InviteId};
use jiashu_roster::{Author, LinkBody, Op, Roster};
use jiashu_seal::{NewLink, Signer, write_link};

use crate::vectors::chain;

/// The first byte names the place in the good chain, the second the author, the others are the CBOR
/// of the ops. What the roster would take is signed, taken, and leaves a roster that makes sense.
pub fn any_ops(bytes: &[u8]) {
    let [place, author, rest @ ..] = bytes else { return };
    let Ok(ops) = minicbor::decode::<Vec<Op>>(rest) else { return };
    let chain = chain();
    let at = 1 + usize::from(*place) % chain.links.len();
    let (before, number) = (&chain.rosters[at], u32::from(author & 0x0f));
    let (author, whose) = if author & 0x80 == 0 {
        (Author::Device(DeviceId(number)), format!("device {number}"))
    } else {
        (Author::Invite(InviteId(number)), format!("invite {number}"))
    };
    let Ok(recipients) = before.recipients_after(&author, &ops) else { return };
    let Some(pair) = chain.signing(&whose) else { panic!("{whose} has a key in the vectors") };
    let signer = match author {
        Author::Device(device) => Signer::Device(device, &pair),
        Author::Invite(invite) => Signer::Invite(invite, &pair),
        Author::Founder(_) => return,
    };

    let NewLink { link, wraps, roster, .. } =
        write_link(before, signer, ops, chain.keys[at - 1].as_ref()).expect("it may follow");

    assert_eq!(roster.recipients(), recipients);
    assert_eq!(roster.number(), before.number() + 1);
    makes_sense(&roster);
    if let Author::Device(device) = author {
        let serves = roster.devices()[&device].members.iter();
        assert!(serves.map(|member| roster.members()[member]).any(|role| role.is_adult()));
    }
    let mut again = before.clone();
    again.append(&link, Some(&wraps)).expect("everybody takes what its author took");
    assert_eq!(again, roster);
    let body = jiashu_roster::Link::parse(&link).unwrap().body;
    assert_eq!(LinkBody::parse(&body).unwrap().to_bytes(), body);
}

fn makes_sense(roster: &Roster) {
    let devices = roster.devices().values().map(|device| &device.members);
    let invites = roster.invites().values().map(|invite| &invite.members);
    for members in devices.chain(invites) {
        assert!(!members.is_empty() && members.is_sorted_by(|one, next| one < next));
        assert!(members.iter().all(|member| roster.members().contains_key(member)));
    }
    assert!(roster.devices().keys().all(|device| *device < roster.next_device()));
    assert!(roster.invites().keys().all(|invite| *invite < roster.next_invite()));
    let mut keys: Vec<_> =
        roster.devices().values().flat_map(|it| [it.sign_pub, it.hpke_pub]).collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count, "no two devices have a key in common");
}

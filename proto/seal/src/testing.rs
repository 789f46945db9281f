//! A family for tests: its chain, and everybody's keys in one place.

use std::collections::BTreeMap;

use jiashu_proto::id::{DeviceId, InviteId, MemberId, Role};
use jiashu_roster::{Op, Roster, token_hash};

use crate::{FamilyKey, FirstLink, KeyPairs, NewLink, SealError, Signer, random};
use crate::{write_first_link, write_link};

pub(crate) struct Family {
    pub(crate) roster: Roster,
    pub(crate) links: Vec<Vec<u8>>,
    pub(crate) key: Option<FamilyKey>,
    pub(crate) devices: BTreeMap<DeviceId, KeyPairs>,
    pub(crate) invites: BTreeMap<InviteId, KeyPairs>,
}

impl Family {
    /// Parent 1 and child 2, with a card for each.
    pub(crate) fn founded() -> Self {
        let (parent, child) = (MemberId(1), MemberId(2));
        let cards = [(InviteId(1), KeyPairs::generate()), (InviteId(2), KeyPairs::generate())];
        let mut ops = vec![
            Op::AddMember { member: parent, role: Role::Parent },
            Op::AddMember { member: child, role: Role::Child },
        ];
        for ((invite, keys), member) in cards.iter().zip([parent, child]) {
            ops.push(invite_op(*invite, keys, vec![member]));
        }
        let FirstLink { link, roster, .. } = write_first_link(ops).unwrap();
        let (links, devices, invites) = (vec![link], BTreeMap::new(), cards.into());
        Self { roster, links, key: None, devices, invites }
    }

    /// The same, with the parent's phone as device 1 and the child's as device 2.
    pub(crate) fn joined() -> Self {
        let mut family = Self::founded();
        family.join(InviteId(1)).unwrap();
        family.join(InviteId(2)).unwrap();
        family
    }

    pub(crate) fn join(&mut self, invite: InviteId) -> Result<NewLink, SealError> {
        let keys = KeyPairs::generate();
        let device = self.roster.next_device();
        let join = Op::Join {
            device,
            sign_pub: keys.sign.public(),
            hpke_pub: keys.hpke.public(),
            token_hash: token_hash(&random()),
        };
        let signer = Signer::Invite(invite, &self.invites[&invite].sign);
        let new = write_link(&self.roster, signer, vec![join], self.key.as_ref())?;
        self.devices.insert(device, keys);
        self.take(&new);
        Ok(new)
    }

    pub(crate) fn write(&mut self, by: DeviceId, ops: Vec<Op>) -> Result<NewLink, SealError> {
        let signer = Signer::Device(by, &self.devices[&by].sign);
        let new = write_link(&self.roster, signer, ops, self.key.as_ref())?;
        self.take(&new);
        Ok(new)
    }

    fn take(&mut self, new: &NewLink) {
        self.roster = new.roster.clone();
        self.key = Some(new.key.clone());
        self.links.push(new.link.clone());
    }
}

pub(crate) fn invite_op(invite: InviteId, keys: &KeyPairs, members: Vec<MemberId>) -> Op {
    let (sign_pub, hpke_pub) = (keys.sign.public(), keys.hpke.public());
    Op::AddInvite { invite, sign_pub, hpke_pub, members, expires_at: 1_800_000_000_000 }
}

//! What each op does to the roster, and when it may not.
//!
//! The author was judged by the state before the link; ops apply in order, each on the state that
//! the one before left.

use jiashu_proto::id::{DeviceId, InviteId, MemberId};

use crate::change::Event;
use crate::error::LinkError;
use crate::key::PublicKey;
use crate::link::{Asked, Author, Op};
use crate::roster::{Device, Invite, Roster};

impl Roster {
    /// Applies the ops of the link that is being taken, and checks what must hold after them.
    pub(crate) fn apply(&mut self, author: &Author, ops: &[Op]) -> Result<Vec<Event>, LinkError> {
        check_mix(author, ops)?;
        let events = ops.iter().map(|op| self.apply_op(author, op)).collect::<Result<_, _>>()?;
        if let Author::Device(device) = author {
            let device = self.devices.get(device);
            self.check_serves_adult(
                device.ok_or(LinkError::Refused("a device does not remove itself"))?,
            )?;
        }
        Ok(events)
    }

    fn apply_op(&mut self, author: &Author, op: &Op) -> Result<Event, LinkError> {
        match op {
            Op::AddMember { member, role } => {
                check_next(*member, self.next_member())?;
                self.members.insert(*member, *role);
                Ok(Event::MemberAdded { member: *member, role: *role })
            }
            Op::AddInvite { invite, sign_pub, hpke_pub, members, expires_at } => {
                let made = Invite {
                    sign_pub: *sign_pub,
                    hpke_pub: *hpke_pub,
                    members: members.clone(),
                    expires_at: *expires_at,
                    made_by: author.device(),
                    made: self.number(),
                };
                self.add_invite(*invite, made)
            }
            Op::Join { device, sign_pub, hpke_pub, token_hash } => {
                let Author::Invite(by) = author else {
                    return Err(LinkError::Refused("a join is by its invite"));
                };
                let used = self.invites.remove(by);
                let used = used.ok_or(LinkError::Refused("the invite is not open"))?;
                let joined = Device {
                    sign_pub: *sign_pub,
                    hpke_pub: *hpke_pub,
                    token_hash: *token_hash,
                    members: used.members,
                    joined: self.number(),
                    invite: *by,
                };
                self.join(*device, joined)
            }
            Op::RemoveDevice { device, asked } => self.remove(author, *device, *asked),
            Op::CloseInvite { invite, asked } => {
                let closed = self.invites.remove(invite);
                let closed = closed.ok_or(LinkError::Refused("the invite is not open"))?;
                Ok(Event::InviteClosed { invite: *invite, members: closed.members, asked: *asked })
            }
            Op::SetMembers { device, members } => self.set_members(*device, members),
        }
    }

    fn add_invite(&mut self, id: InviteId, invite: Invite) -> Result<Event, LinkError> {
        check_next(id, self.next_invite())?;
        self.check_members(&invite.members)?;
        self.take_public_keys(&invite.sign_pub, &invite.hpke_pub)?;
        let (members, expires_at) = (invite.members.clone(), invite.expires_at);
        self.last_invite = id.0;
        self.invites.insert(id, invite);
        Ok(Event::InviteMade { invite: id, members, expires_at })
    }

    fn join(&mut self, id: DeviceId, device: Device) -> Result<Event, LinkError> {
        check_next(id, self.next_device())?;
        self.take_public_keys(&device.sign_pub, &device.hpke_pub)?;
        let (invite, members) = (device.invite, device.members.clone());
        self.last_device = id.0;
        self.devices.insert(id, device);
        Ok(Event::Joined { device: id, invite, members })
    }

    fn set_members(&mut self, id: DeviceId, members: &[MemberId]) -> Result<Event, LinkError> {
        self.check_members(members)?;
        let device = self.devices.get_mut(&id);
        let device = device.ok_or(LinkError::Refused("the device is not live"))?;
        let before = std::mem::replace(&mut device.members, members.to_vec());
        Ok(Event::ServesNow { device: id, before, members: members.to_vec() })
    }

    fn remove(
        &mut self,
        author: &Author,
        device: DeviceId,
        asked: Asked,
    ) -> Result<Event, LinkError> {
        if *author == Author::Device(device) {
            // It would know the new key, having made it.
            return Err(LinkError::Refused("a device does not remove itself"));
        }
        let removed = self.devices.remove(&device);
        let removed = removed.ok_or(LinkError::Refused("the device is not live"))?;
        let mut invites: Vec<InviteId> = Vec::new();
        self.invites.retain(|id, invite| {
            let void = invite.made_by == Some(device);
            if void {
                invites.push(*id);
            }
            !void
        });
        Ok(Event::Removed { device, members: removed.members, invites, asked })
    }

    pub(crate) fn check_serves_adult(&self, device: &Device) -> Result<(), LinkError> {
        let adult = |member| self.members.get(member).is_some_and(|role| role.is_adult());
        if device.members.iter().any(adult) {
            Ok(())
        } else {
            Err(LinkError::Refused("its author serves no parent or caregiver"))
        }
    }

    fn check_members(&self, members: &[MemberId]) -> Result<(), LinkError> {
        if members.is_empty() || !members.is_sorted_by(|one, next| one < next) {
            return Err(LinkError::Refused("members are at least one, ascending, each once"));
        }
        if !members.iter().all(|member| self.members.contains_key(member)) {
            return Err(LinkError::Refused("a member is not of the family"));
        }
        Ok(())
    }

    /// Both keys of a new device or invite: points of the curve, and new to the chain.
    fn take_public_keys(
        &mut self,
        sign_pub: &PublicKey,
        hpke_pub: &PublicKey,
    ) -> Result<(), LinkError> {
        for key in [sign_pub, hpke_pub] {
            if !key.is_on_curve() {
                return Err(LinkError::Refused("a public key is not a point of P-256"));
            }
            if !self.public_keys.insert(*key) {
                return Err(LinkError::Refused("a public key stands in the chain twice"));
            }
        }
        Ok(())
    }
}

/// Which ops an author may write together.
fn check_mix(author: &Author, ops: &[Op]) -> Result<(), LinkError> {
    let (allowed, reason) = match author {
        Author::Founder(_) => (
            !ops.is_empty()
                && ops.iter().all(|op| matches!(op, Op::AddMember { .. } | Op::AddInvite { .. })),
            "link 1 adds members and invites only",
        ),
        Author::Device(_) => {
            (!ops.iter().any(|op| matches!(op, Op::Join { .. })), "a join is by its invite")
        }
        Author::Invite(_) => (matches!(ops, [Op::Join { .. }]), "an invite's only op is its join"),
    };
    if allowed { Ok(()) } else { Err(LinkError::Refused(reason)) }
}

fn check_next<T: PartialEq>(number: T, next: T) -> Result<(), LinkError> {
    if number == next { Ok(()) } else { Err(LinkError::Refused("a number is not the next")) }
}

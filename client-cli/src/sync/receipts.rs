//! The rung that nobody sends: *on the device*, which follows from how far a device has read.

use jiashu_proto::entry::{Message, Rung};
use jiashu_proto::id::MemberId;
use rusqlite::Connection;

use crate::error::Result;
use crate::state::chain::Family;
use crate::state::lane::Lane;
use crate::state::message;
use crate::state::receipt::{self, Heard};

/// Notes for this device's own messages whose phones have them by now, and since when.
pub(super) fn derive(db: &Connection, lane: &Lane, family: &Family) -> Result<()> {
    let Some(cursor) = lane.cursor else { return Ok(()) };
    for ahead in receipt::ahead(db, cursor.seq)? {
        let members = family.roster.devices().get(&ahead.device).map(|device| &device.members);
        for stored in message::by_device(db, lane.me(), ahead.after, ahead.upto)? {
            let message = &stored.message;
            for member in members.into_iter().flatten().filter(|member| is_for(message, **member)) {
                let heard =
                    Heard { member: *member, rung: Rung::Device, at: ahead.at, share: None };
                receipt::note(db, message.entry_ref, heard)?;
            }
        }
        receipt::derived(db, ahead.device, ahead.upto)?;
    }
    Ok(())
}

/// Whether the message speaks to that member.
pub(crate) fn is_for(message: &Message, member: MemberId) -> bool {
    message.from != member && (message.to.is_empty() || message.to.contains(&member))
}

//! How far each message came with each member: the best rung, and since when.

use jiashu_proto::entry::{Rung, Seq};
use jiashu_proto::frame::Reached;
use jiashu_proto::id::{DeviceId, MemberId, Millis, Ref};
use rusqlite::{Connection, Row};

use super::fixed;
use crate::error::Result;

/// How far one message came with one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The member.
    pub member: MemberId,
    /// The best rung.
    pub rung: Rung,
    /// Since when.
    pub at: Millis,
    /// Of a played one: the largest share, in percent.
    pub share: Option<u8>,
}

/// The share of a voice that is heard, at least, in percent: less was only begun.
pub const HALF: u8 = 50;

impl Heard {
    /// Whether a voice has come to their ears.
    #[must_use]
    pub fn has_listened(&self) -> bool {
        match self.rung {
            Rung::Played => self.share.is_some_and(|share| share >= HALF),
            Rung::Shown | Rung::Done => true,
            Rung::Device | Rung::Opened => false,
        }
    }
}

const RUNGS: [Rung; 5] = [Rung::Device, Rung::Opened, Rung::Played, Rung::Shown, Rung::Done];

pub(super) fn number(rung: Rung) -> u32 {
    match rung {
        Rung::Device => 1,
        Rung::Opened => 2,
        Rung::Played => 3,
        Rung::Shown => 4,
        Rung::Done => 5,
    }
}

/// Notes a rung. A lower one than stands changes nothing, nor does the same again, but for a larger share.
///
/// # Errors
///
/// If the state cannot be written.
pub fn note(db: &Connection, of: Ref, heard: Heard) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO receipt VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (ref, member)
         DO UPDATE SET rung = excluded.rung, at = excluded.at, share = excluded.share
         WHERE excluded.rung > rung OR excluded.rung = rung AND excluded.share > share",
    )?
    .execute((of.0, heard.member.0, number(heard.rung), heard.at, heard.share))?;
    Ok(())
}

/// How far each letter that stands here came with each member, and who wrote it.
///
/// # Errors
///
/// If the state cannot be read.
pub fn of_letters(db: &Connection) -> Result<Vec<(MemberId, Heard)>> {
    let mut query = db.prepare_cached(
        "SELECT message.author, receipt.* FROM receipt JOIN message USING (ref)
         WHERE message.key IS NULL",
    )?;
    let rows = query.query_map([], |row| {
        let author = MemberId(row.get("author")?);
        Ok(from_row(row)?.map(|heard| (author, heard)))
    })?;
    Ok(rows.filter_map(rusqlite::Result::transpose).collect::<rusqlite::Result<_>>()?)
}

/// A row of the table; `None` of a rung that this version does not know.
fn from_row(row: &Row<'_>) -> rusqlite::Result<Option<Heard>> {
    let stored: u32 = row.get("rung")?;
    let rung = RUNGS.into_iter().find(|rung| number(*rung) == stored);
    let (member, at, share) = (MemberId(row.get("member")?), row.get("at")?, row.get("share")?);
    Ok(rung.map(|rung| Heard { member, rung, at, share }))
}

/// How far that message came, a member each.
///
/// # Errors
///
/// If the state cannot be read.
pub fn of(db: &Connection, of: Ref) -> Result<Vec<Heard>> {
    let mut query = db.prepare_cached("SELECT * FROM receipt WHERE ref = ?1 ORDER BY member")?;
    let rows = query.query_map([of.0], from_row)?;
    Ok(rows.filter_map(rusqlite::Result::transpose).collect::<rusqlite::Result<_>>()?)
}

/// Notes how far another device has read. A place that goes back changes nothing.
///
/// # Errors
///
/// If the state cannot be written.
pub fn note_reached(db: &Connection, reached: Reached) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO reached (device, seq, at) VALUES (?1, ?2, ?3) ON CONFLICT (device)
         DO UPDATE SET seq = excluded.seq, at = excluded.at WHERE excluded.seq > seq",
    )?
    .execute((reached.device.0, reached.seq.cast_signed(), reached.at))?;
    Ok(())
}

/// A log of another generation counts its places anew.
///
/// # Errors
///
/// If the state cannot be written.
pub fn forget_reached(db: &Connection) -> Result<()> {
    db.execute("DELETE FROM reached", [])?;
    Ok(())
}

/// A device that read beyond what its receipts say.
#[derive(Clone, Copy, Debug)]
pub struct Ahead {
    /// The device.
    pub device: DeviceId,
    /// Messages after this place were not looked at.
    pub after: Seq,
    /// It has all up to here.
    pub upto: Seq,
    /// Since when.
    pub at: Millis,
}

/// The devices that read on, as far as `cursor`, beyond which we know no message.
///
/// # Errors
///
/// If the state cannot be read.
pub fn ahead(db: &Connection, cursor: Seq) -> Result<Vec<Ahead>> {
    let mut query = db.prepare_cached(
        "SELECT device, derived, min(seq, ?1) AS upto, at FROM reached
         WHERE min(seq, ?1) > derived",
    )?;
    let rows = query.query_map([cursor.cast_signed()], |row| {
        Ok(Ahead {
            device: DeviceId(row.get("device")?),
            after: row.get::<_, i64>("derived")?.cast_unsigned(),
            upto: row.get::<_, i64>("upto")?.cast_unsigned(),
            at: row.get("at")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The messages up to that place were looked at.
///
/// # Errors
///
/// If the state cannot be written.
pub fn derived(db: &Connection, device: DeviceId, upto: Seq) -> Result<()> {
    let row = (device.0, upto.cast_signed());
    db.execute("UPDATE reached SET derived = ?2 WHERE device = ?1", row)?;
    Ok(())
}

/// Refs of the messages of a place by which a receipt may be asked for.
///
/// # Errors
///
/// If the state cannot be read.
pub fn at_place(db: &Connection, seq: Seq) -> Result<Vec<Ref>> {
    let mut query = db.prepare_cached("SELECT ref FROM message WHERE seq = ?1 AND key IS NULL")?;
    let rows = query.query_map([seq.cast_signed()], |row| fixed(row, "ref").map(Ref))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;
    use crate::state::State;

    #[test]
    fn the_higher_rung_stands() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::create(&Home::find(Some(dir.path())).unwrap()).unwrap();
        let heard = |rung, at| Heard { member: MemberId(3), rung, at, share: None };

        for (rung, at) in [(Rung::Device, 1), (Rung::Shown, 2), (Rung::Opened, 3), (Rung::Shown, 4)]
        {
            note(state.db(), Ref([1; 12]), heard(rung, at)).unwrap();
        }

        assert_eq!(of(state.db(), Ref([1; 12])).unwrap(), [heard(Rung::Shown, 2)]);
    }

    #[test]
    fn of_what_was_played_the_largest_share_stands() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::create(&Home::find(Some(dir.path())).unwrap()).unwrap();
        let played =
            |share, at| Heard { member: MemberId(3), rung: Rung::Played, at, share: Some(share) };

        for (share, at) in [(30, 1), (80, 2), (50, 3), (80, 4)] {
            note(state.db(), Ref([1; 12]), played(share, at)).unwrap();
        }

        assert_eq!(of(state.db(), Ref([1; 12])).unwrap(), [played(80, 2)]);
    }
}

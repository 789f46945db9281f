//! Who is in the family: the links as received, the family's keys, the names. What a link means is
//! for `jiashu-roster`, when it may be trusted for `sync`.

use std::collections::BTreeMap;

use jiashu_proto::entry::{Content, MemberFact};
use jiashu_proto::id::{Epoch, MemberId, Millis, Role};
use jiashu_roster::{Change, Link, LinkBody, LinkError, Op, Roster};
use jiashu_seal::FamilyKey;
use rusqlite::{Connection, OptionalExtension as _};

use super::{damaged, fact, fixed};
use crate::error::Result;

/// The family as this device has checked it.
#[derive(Clone, Debug, Default)]
pub struct Family {
    /// Who is in.
    pub roster: Roster,
    /// All links from link 1, read.
    pub links: Vec<LinkBody>,
    /// The keys opened so far.
    pub keys: BTreeMap<Epoch, FamilyKey>,
}

impl Family {
    /// Replays what was taken before.
    ///
    /// # Errors
    ///
    /// If the state cannot be read, or is damaged.
    pub fn load(db: &Connection) -> Result<Self> {
        let mut family = Self::default();
        for (link, _) in links(db)? {
            family.roster.follow(&link).map_err(damaged)?;
            family.links.push(read(&link).map_err(damaged)?);
        }
        let mut query = db.prepare("SELECT epoch, key FROM family_key")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            family.keys.insert(row.get("epoch")?, FamilyKey::from_bytes(fixed(row, "key")?));
        }
        Ok(family)
    }

    /// The key in force and its epoch; `None` while the newest link's is not opened.
    #[must_use]
    pub fn key_in_force(&self) -> Option<(Epoch, &FamilyKey)> {
        let epoch = self.roster.number();
        Some((epoch, self.keys.get(&epoch)?))
    }

    /// The body of that link.
    #[must_use]
    pub fn link(&self, number: Epoch) -> Option<&LinkBody> {
        self.links.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// The newest link that removed a phone or closed a card; 0 if none has.
    #[must_use]
    pub fn last_closing(&self) -> Epoch {
        let closes = |op: &Op| matches!(op, Op::RemoveDevice { .. } | Op::CloseInvite { .. });
        let closing = self.links.iter().rev().find(|link| link.ops.iter().any(closes));
        closing.map_or(0, |link| link.number)
    }

    /// Takes the link that follows.
    ///
    /// # Errors
    ///
    /// [`LinkError`]; the family is then as it was.
    pub fn follow(&mut self, link: &[u8]) -> std::result::Result<(), LinkError> {
        let body = read(link)?;
        self.roster.follow(link)?;
        self.links.push(body);
        Ok(())
    }

    /// What that member is.
    #[must_use]
    pub fn role(&self, member: MemberId) -> Option<Role> {
        self.roster.members().get(&member).copied()
    }
}

fn read(link: &[u8]) -> std::result::Result<LinkBody, LinkError> {
    Link::parse(link)?.read()
}

/// All links as received, from link 1, each with the time of its commit.
///
/// # Errors
///
/// If the state cannot be read.
pub fn links(db: &Connection) -> Result<Vec<(Vec<u8>, Millis)>> {
    let mut query = db.prepare("SELECT link, at FROM link ORDER BY number")?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What every link changed, and when.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn changes(db: &Connection) -> Result<Vec<(Change, Millis)>> {
    let links = links(db)?;
    let (_, changes) = Roster::replay(links.iter().map(|(link, _)| link)).map_err(damaged)?;
    Ok(changes.into_iter().zip(links.iter().map(|(_, at)| *at)).collect())
}

/// Forgets a chain that proved to be another family's, and its keys.
///
/// # Errors
///
/// If the state cannot be written.
pub fn forget(db: &Connection) -> Result<()> {
    cut(db, 0)
}

/// Forgets the chain from that link on, and the keys that came with it.
///
/// # Errors
///
/// If the state cannot be written.
pub fn cut(db: &Connection, from: Epoch) -> Result<()> {
    db.execute("DELETE FROM link WHERE number >= ?1", [from])?;
    db.execute("DELETE FROM family_key WHERE epoch >= ?1", [from])?;
    db.execute("DELETE FROM wraps WHERE number >= ?1", [from])?;
    Ok(())
}

/// Keeps the newest link's wraps as they were received, in the place of those before.
///
/// # Errors
///
/// If the state cannot be written.
pub fn put_wraps(db: &Connection, number: Epoch, wraps: &[u8]) -> Result<()> {
    db.execute("DELETE FROM wraps WHERE number <> ?1", [number])?;
    db.execute("INSERT OR REPLACE INTO wraps VALUES (?1, ?2)", (number, wraps))?;
    Ok(())
}

/// The wraps of that link, if they are here.
///
/// # Errors
///
/// If the state cannot be read.
pub fn wraps(db: &Connection, number: Epoch) -> Result<Option<Vec<u8>>> {
    let mut query = db.prepare("SELECT wraps FROM wraps WHERE number = ?1")?;
    Ok(query.query_row([number], |row| row.get(0)).optional()?)
}

/// Forgets the names of a card that let nobody in.
///
/// # Errors
///
/// If the state cannot be written.
pub fn forget_names(db: &Connection) -> Result<()> {
    Ok(db.execute_batch("DELETE FROM name;")?)
}

/// Keeps a link that was taken.
///
/// # Errors
///
/// If the state cannot be written.
pub fn put_link(db: &Connection, number: Epoch, link: &[u8], at: Millis) -> Result<()> {
    db.execute("INSERT OR REPLACE INTO link VALUES (?1, ?2, ?3)", (number, link, at))?;
    Ok(())
}

/// Keeps a key that was opened.
///
/// # Errors
///
/// If the state cannot be written.
pub fn put_key(db: &Connection, epoch: Epoch, key: &FamilyKey) -> Result<()> {
    let bytes = key.as_bytes().as_slice();
    db.execute("INSERT OR REPLACE INTO family_key VALUES (?1, ?2)", (epoch, bytes))?;
    Ok(())
}

/// Keeps a member's name.
///
/// # Errors
///
/// If the state cannot be written.
pub fn put_name(db: &Connection, member: MemberId, name: &str) -> Result<()> {
    db.execute("INSERT OR REPLACE INTO name VALUES (?1, ?2)", (member.0, name))?;
    Ok(())
}

/// All names known.
///
/// # Errors
///
/// If the state cannot be read.
pub fn names(db: &Connection) -> Result<BTreeMap<MemberId, String>> {
    let mut query = db.prepare("SELECT member, name FROM name")?;
    let rows = query.query_map([], |row| Ok((MemberId(row.get(0)?), row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Zone and language of each member of whom they are known.
///
/// # Errors
///
/// If the state cannot be read.
pub fn members(db: &Connection) -> Result<BTreeMap<MemberId, MemberFact>> {
    let facts = fact::with_prefix(db, "member/")?;
    let members = facts.into_iter().filter_map(|fact| match fact.content {
        Content::Member(member) => Some((member.member, member)),
        _ => None,
    });
    Ok(members.collect())
}

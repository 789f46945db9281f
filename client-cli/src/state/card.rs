//! Cards that this device made: what makes their links can be printed again while they are open.

use jiashu_proto::id::{InviteId, LinkHash, Ref};
use jiashu_seal::InviteSecret;
use rusqlite::Connection;

use super::fixed;
use crate::error::Result;

/// A card made here.
#[derive(Debug)]
pub struct MadeCard {
    /// The command that made it.
    pub entry_ref: Ref,
    /// Its number, if the command was the one let in.
    pub invite: InviteId,
    /// Hash of the link that holds it.
    pub hash: LinkHash,
    /// What its link carries.
    pub secret: InviteSecret,
}

/// Keeps a card before its link is sent.
///
/// # Errors
///
/// If the state cannot be written.
pub fn put(db: &Connection, card: &MadeCard) -> Result<()> {
    let row = (card.entry_ref.0, card.invite.0, card.hash.0, card.secret.as_bytes());
    db.execute("INSERT INTO card VALUES (?1, ?2, ?3, ?4)", row)?;
    Ok(())
}

/// All cards made here.
///
/// # Errors
///
/// If the state cannot be read.
pub fn all(db: &Connection) -> Result<Vec<MadeCard>> {
    let mut query = db.prepare("SELECT ref, invite, hash, secret FROM card ORDER BY invite")?;
    let rows = query.query_map([], |row| {
        Ok(MadeCard {
            entry_ref: Ref(fixed(row, "ref")?),
            invite: InviteId(row.get("invite")?),
            hash: LinkHash(fixed(row, "hash")?),
            secret: InviteSecret::from_bytes(fixed(row, "secret")?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

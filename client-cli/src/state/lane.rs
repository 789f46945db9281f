//! Who this device is, and how far it has read and sent: the one row of `lane`.

use jiashu_proto::entry::Cursor;
use jiashu_proto::id::{DeviceId, Epoch, LinkHash, Millis, N, Scope, Token};
use jiashu_seal::KeyPairs;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use super::{damaged, fixed};
use crate::error::Result;
use crate::http::Origin;

/// A home holds one device for now; a phone of several families has more.
const LANE: i64 = 0;

/// One device: its secrets and its places.
#[derive(Clone, Debug)]
pub struct Lane {
    /// The relay.
    pub origin: Origin,
    /// The family.
    pub scope: Scope,
    /// Code of the invite by which it came, or comes, in.
    pub code: [u8; 16],
    /// Of the token.
    pub secret: [u8; 16],
    /// It signs and opens with these.
    pub keys: KeyPairs,
    /// Its number; `None` until the relay has let it in.
    pub device: Option<DeviceId>,
    /// The join as sent, until it is let in.
    pub join_frame: Option<Vec<u8>>,
    /// Hash of the link by which it joined, and so of the whole chain that it checked before: a log
    /// in which another link lets it in is not this family's.
    pub join_hash: LinkHash,
    /// How far it has read; `None` before the first entry.
    pub cursor: Option<Cursor>,
    /// The last link met on the way to the cursor: the epoch in force there.
    pub log_epoch: Epoch,
    /// The last counter that the relay is known to have used.
    pub last_n: N,
    /// Latest time of the cursors told.
    pub cursors_at: Option<Millis>,
    /// Why nothing is sealed; `None` if all is well.
    pub broken: Option<String>,
    /// Why the relay keeps the outbox waiting, in words for the person.
    pub waits: Option<String>,
    /// The relay wants nothing of the outbox before.
    pub retry_at: Option<Millis>,
    /// When the relay was last heard.
    pub synced_at: Option<Millis>,
    /// That the relay does not let it in any more; what it has can be read and exported.
    pub ended: Option<Ended>,
}

/// Why a relay does not let a device in any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// It was removed, or the relay does not know it.
    Removal,
    /// The family began a new chain without it.
    NewChain,
    /// All of the family was deleted.
    Erased,
}

/// That a device is out, and when it heard so, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub by: EndedBy,
    /// Since when this device knows.
    pub at: Millis,
}

impl EndedBy {
    /// The word in `--json` and in the state.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Removal => "removed",
            Self::NewChain => "new_chain",
            Self::Erased => "erased",
        }
    }

    fn of_word(word: &str) -> Self {
        [Self::NewChain, Self::Erased]
            .into_iter()
            .find(|known| known.word() == word)
            .unwrap_or(Self::Removal)
    }
}

impl Lane {
    /// The lane of this home, joined or about to; `None` before the first join.
    ///
    /// # Errors
    ///
    /// If the state cannot be read, or is damaged.
    pub fn load(db: &Connection) -> Result<Option<Self>> {
        let mut query = db.prepare_cached("SELECT * FROM lane WHERE lane = ?1")?;
        Ok(query.query_row([LANE], Self::from_row).optional()?)
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let generation: Option<u32> = row.get("generation")?;
        let (seq, tag) = (row.get::<_, i64>("seq")?.cast_unsigned(), row.get("tag")?);
        Ok(Self {
            origin: row.get::<_, String>("origin")?.parse().map_err(damaged)?,
            scope: Scope(row.get::<_, i64>("scope")?.cast_unsigned()),
            code: fixed(row, "code")?,
            secret: fixed(row, "secret")?,
            keys: KeyPairs::from_bytes(&fixed(row, "keys")?).map_err(damaged)?,
            device: row.get::<_, Option<u32>>("device")?.map(DeviceId),
            join_frame: row.get("join_frame")?,
            join_hash: LinkHash(fixed(row, "join_hash")?),
            cursor: generation.map(|generation| Cursor { generation, seq, tag }),
            log_epoch: row.get("log_epoch")?,
            last_n: row.get::<_, i64>("last_n")?.cast_unsigned(),
            cursors_at: row.get("cursors_at")?,
            broken: row.get("broken")?,
            waits: row.get("waits")?,
            retry_at: row.get("retry_at")?,
            synced_at: row.get("synced_at")?,
            ended: ended(row)?,
        })
    }

    /// The lane of a device that the relay has let in.
    ///
    /// # Errors
    ///
    /// [`crate::error::ExitCode::NotJoined`] if there is none.
    pub fn joined(db: &Connection) -> Result<Self> {
        Self::load(db)?.filter(|lane| lane.device.is_some()).ok_or_else(super::not_joined)
    }

    /// Its number; 0, which no device has, before it joined.
    #[must_use]
    pub fn me(&self) -> DeviceId {
        self.device.unwrap_or(DeviceId(0))
    }

    /// What opens the relay to it.
    #[must_use]
    pub fn token(&self) -> Token {
        Token { scope: self.scope, device: self.me(), secret: self.secret }
    }

    /// Writes all of it.
    ///
    /// # Errors
    ///
    /// If the state cannot be written.
    pub fn store(&self, db: &Connection) -> Result<()> {
        let cursor = self.cursor.unwrap_or_default();
        db.prepare_cached(
            "INSERT OR REPLACE INTO lane (lane, origin, scope, code, secret, keys, device,
                 join_frame, join_hash, generation, seq, tag, log_epoch, last_n, cursors_at, broken,
                 waits, retry_at, synced_at, ended, ended_at, listener)
             VALUES (:lane, :origin, :scope, :code, :secret, :keys, :device,
                 :join_frame, :join_hash, :generation, :seq, :tag, :log_epoch, :last_n,
                 :cursors_at, :broken, :waits, :retry_at, :synced_at, :ended, :ended_at,
                 coalesce((SELECT listener FROM lane WHERE lane = :lane), 0))",
        )?
        .execute(named_params! {
            ":lane": LANE,
            ":origin": self.origin.to_string(),
            ":scope": self.scope.0.cast_signed(),
            ":code": self.code,
            ":secret": self.secret,
            ":keys": self.keys.to_bytes().as_slice(),
            ":device": self.device.map(|device| device.0),
            ":join_frame": self.join_frame,
            ":join_hash": self.join_hash.0,
            ":generation": self.cursor.map(|cursor| cursor.generation),
            ":seq": cursor.seq.cast_signed(),
            ":tag": cursor.tag,
            ":log_epoch": self.log_epoch,
            ":last_n": self.last_n.cast_signed(),
            ":cursors_at": self.cursors_at,
            ":broken": self.broken,
            ":waits": self.waits,
            ":retry_at": self.retry_at,
            ":synced_at": self.synced_at,
            ":ended": self.ended.map(|ended| ended.by.word()),
            ":ended_at": self.ended.map(|ended| ended.at),
        })?;
        Ok(())
    }
}

fn ended(row: &Row<'_>) -> rusqlite::Result<Option<Ended>> {
    let word: Option<String> = row.get("ended")?;
    let at: Option<Millis> = row.get("ended_at")?;
    Ok(word.map(|word| Ended { by: EndedBy::of_word(&word), at: at.unwrap_or_default() }))
}

/// What a running `listen` or `inbox --wait` of this home is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// There is none, or it ended without a word.
    None = 0,
    /// It waits before it tries again.
    Offline = 1,
    /// The relay has welcomed it.
    Online = 2,
}

/// Stands in the place of [`Listener::Offline`] once somebody knocked: where a row would stay as it
/// is, SQLite writes nothing.
const KNOCKED: i64 = 3;

/// What the listener is at.
///
/// # Errors
///
/// If the state cannot be read.
pub fn listener(db: &Connection) -> Result<Listener> {
    let query = db.query_row("SELECT listener FROM lane WHERE lane = ?1", [LANE], |row| row.get(0));
    Ok(match query.optional()? {
        Some(2) => Listener::Online,
        Some(1 | KNOCKED) => Listener::Offline,
        Some(_) | None => Listener::None,
    })
}

/// Asks a listener without a connection to try at once: it sees that something was written.
///
/// # Errors
///
/// If the state cannot be written.
pub fn knock(db: &Connection) -> Result<()> {
    let sql = "UPDATE lane SET listener = ?2 WHERE lane = ?1 AND listener = ?3";
    db.execute(sql, (LANE, KNOCKED, Listener::Offline as u8))?;
    Ok(())
}

/// Notes what the listener is at.
///
/// # Errors
///
/// If the state cannot be written.
pub fn set_listener(db: &Connection, listener: Listener) -> Result<()> {
    db.execute("UPDATE lane SET listener = ?2 WHERE lane = ?1", (LANE, listener as u8))?;
    Ok(())
}

//! What this device has to say, on disk before it is sent, and 30 days after as its journal.
//!
//! A row is never changed but for its counter and its end. Which counter it gets and when it goes
//! is decided in `sync`.

use jiashu_proto::entry::Seq;
use jiashu_proto::frame::{ClientFrame, Plan};
use jiashu_proto::id::{Epoch, Millis, N, Ref};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{damaged, fixed};
use crate::error::Result;

/// How long what was posted stays as a journal, in ms.
const JOURNAL_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// A command on its way.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its place among the commands.
    pub id: i64,
    /// Its name.
    pub entry_ref: Ref,
    /// The frame without n, epoch and seal: where the sealed body goes stands the text.
    pub frame: ClientFrame,
    /// The schedule or message it speaks of.
    pub about: Option<Ref>,
    /// When it was given.
    pub at: Millis,
    /// Its counter, if it was sent or is about to be.
    pub n: Option<N>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It waits for the relay.
    Waits,
    /// Done, at that place (0 where it adds no entry).
    Posted(Seq),
    /// Refused for good: the word of the code.
    Refused(String),
}

/// A command that is about to be queued.
#[derive(Clone, Debug)]
pub struct Queued<'a> {
    /// Its name.
    pub entry_ref: Ref,
    /// The frame, with the text in the place of its seal.
    pub frame: &'a ClientFrame,
    /// The schedule or message it speaks of.
    pub about: Option<Ref>,
    /// When it was given.
    pub at: Millis,
}

const COLUMNS: &str = "id, ref, frame, about, at, n";

/// Keeps a command until the relay has it. Roster commands go before all others.
///
/// # Errors
///
/// If the state cannot be written.
pub fn queue(db: &Connection, queued: &Queued<'_>) -> Result<()> {
    let first = if matches!(queued.frame, ClientFrame::Turn(_)) { 0 } else { 1 };
    let about = queued.about.map(|about| about.0);
    let blob = blob_of(queued.frame).map(|blob| blob.0);
    db.prepare_cached(
        "INSERT INTO outbox (ref, first, frame, about, at, blob) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((queued.entry_ref.0, first, queued.frame.to_bytes(0), about, queued.at, blob))?;
    Ok(())
}

/// The stored bytes that a command names.
#[must_use]
pub fn blob_of(frame: &ClientFrame) -> Option<Ref> {
    match frame {
        ClientFrame::Post(post) => post.blob,
        ClientFrame::Hold(hold) => hold.blob,
        _ => None,
    }
}

/// What waits for the relay: first what has a counter, by it, then the rest as it shall go.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn waiting(db: &Connection, limit: usize) -> Result<Vec<Command>> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE posted IS NULL AND refused IS NULL
         ORDER BY n IS NULL, n, first, id LIMIT ?1"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = query.query_map([limit], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Of what waits that which may go: not a voice note whose bytes the relay does not have yet, nor what was
/// said after it of the same schedule. Letters overtake it.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn ready(db: &Connection, limit: usize) -> Result<Vec<Command>> {
    let mut query = db.prepare_cached(&format!(
        "WITH stuck AS (
             SELECT id, about FROM outbox
             WHERE posted IS NULL AND refused IS NULL
                 AND blob IN (SELECT blob FROM upload WHERE done IS NULL))
         SELECT {COLUMNS} FROM outbox
         WHERE posted IS NULL AND refused IS NULL AND NOT EXISTS (
             SELECT 1 FROM stuck
             WHERE stuck.id = outbox.id OR stuck.about = outbox.about AND stuck.id < outbox.id)
         ORDER BY n IS NULL, n, first, id LIMIT ?1"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = query.query_map([limit], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What waits and names these stored bytes.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn naming(db: &Connection, blob: Ref) -> Result<Vec<Command>> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox
         WHERE blob = ?1 AND posted IS NULL AND refused IS NULL ORDER BY id"
    ))?;
    let rows = query.query_map([blob.0], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many wait, and since when the oldest does.
///
/// # Errors
///
/// If the state cannot be read.
pub fn waiting_count(db: &Connection) -> Result<(u64, Option<Millis>)> {
    let sql = "SELECT count(*), min(at) FROM outbox WHERE posted IS NULL AND refused IS NULL";
    Ok(db.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)))?)
}

/// The letters that wait, in order.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn waiting_posts(db: &Connection) -> Result<Vec<Command>> {
    let waiting = waiting(db, usize::MAX)?.into_iter();
    let is_letter = |post: &jiashu_proto::frame::Post| post.key.is_none();
    Ok(waiting.filter(|c| matches!(&c.frame, ClientFrame::Post(post) if is_letter(post))).collect())
}

/// What was refused for good, the newest last: the command and the word of the code.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn refused(db: &Connection) -> Result<Vec<(Command, String)>> {
    let mut query = db.prepare(&format!(
        "SELECT {COLUMNS}, refused FROM outbox WHERE refused IS NOT NULL ORDER BY id"
    ))?;
    let rows = query.query_map([], |row| Ok((from_row(row)?, row.get("refused")?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The commands of a kind that speak of `about`, whatever became of them.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn about(db: &Connection, about: Ref) -> Result<Vec<Command>> {
    let mut query =
        db.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE about = ?1 ORDER BY id"))?;
    let rows = query.query_map([about.0], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The changes of a schedule, in order, that the relay is not known to have refused, and that do not
/// stand in the log up to `seq`: they wait, or were taken and not read back yet.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn changes_of(db: &Connection, schedule: Ref, seq: Seq) -> Result<Vec<Plan>> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE about = ?1 AND refused IS NULL
             AND (posted IS NULL OR seq > ?2) ORDER BY id"
    ))?;
    let rows = query.query_map((schedule.0, seq.cast_signed()), from_row)?;
    let commands = rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter();
    Ok(commands
        .filter_map(|command| match command.frame {
            ClientFrame::Plan(plan) if plan.schedule == Some(schedule) => Some(plan),
            _ => None,
        })
        .collect())
}

/// The command of that name, whatever became of it.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn find(db: &Connection, entry_ref: Ref) -> Result<Option<Command>> {
    let mut query = db.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE ref = ?1"))?;
    Ok(query.query_row([entry_ref.0], from_row).optional()?)
}

/// What became of a command; `None` if it is not known.
///
/// # Errors
///
/// If the state cannot be read.
pub fn fate(db: &Connection, entry_ref: Ref) -> Result<Option<Fate>> {
    let mut query = db.prepare_cached("SELECT seq, posted, refused FROM outbox WHERE ref = ?1")?;
    let fate = query.query_row([entry_ref.0], |row| {
        let refused: Option<String> = row.get("refused")?;
        let posted: Option<Millis> = row.get("posted")?;
        let seq: Option<i64> = row.get("seq")?;
        Ok(match (refused, posted) {
            (Some(code), _) => Fate::Refused(code),
            (None, Some(_)) => Fate::Posted(seq.unwrap_or_default().cast_unsigned()),
            (None, None) => Fate::Waits,
        })
    });
    Ok(fate.optional()?)
}

/// Gives a command its counter, and notes the first key it was sealed under: before it is sent.
///
/// # Errors
///
/// If the state cannot be written.
pub fn number(db: &Connection, id: i64, n: N, epoch: Epoch) -> Result<()> {
    let sql = "UPDATE outbox SET n = ?2, epoch = coalesce(epoch, ?3) WHERE id = ?1";
    db.prepare_cached(sql)?.execute((id, n.cast_signed(), epoch))?;
    Ok(())
}

/// The first key under which the relay may have the command; 0 if it has no seal or is not known.
///
/// # Errors
///
/// If the state cannot be read.
pub fn first_epoch(db: &Connection, id: i64) -> Result<Epoch> {
    let mut query = db.prepare_cached("SELECT coalesce(epoch, 0) FROM outbox WHERE id = ?1")?;
    Ok(query.query_row([id], |row| row.get(0)).optional()?.unwrap_or_default())
}

/// The relay has it under none of the keys so far.
///
/// # Errors
///
/// If the state cannot be written.
pub fn forget_epoch(db: &Connection, id: i64) -> Result<()> {
    db.execute("UPDATE outbox SET epoch = NULL WHERE id = ?1", [id])?;
    Ok(())
}

/// Takes the counters of all that waits back: they are given anew.
///
/// # Errors
///
/// If the state cannot be written.
pub fn free_numbers(db: &Connection) -> Result<()> {
    let sql = "UPDATE outbox SET n = NULL WHERE posted IS NULL AND refused IS NULL";
    db.execute(sql, [])?;
    Ok(())
}

/// The relay has it.
///
/// # Errors
///
/// If the state cannot be written.
pub fn posted(db: &Connection, id: i64, n: N, seq: Seq, at: Millis) -> Result<()> {
    db.prepare_cached("UPDATE outbox SET n = ?2, seq = ?3, posted = ?4 WHERE id = ?1")?
        .execute((id, n.cast_signed(), seq.cast_signed(), at))?;
    Ok(())
}

/// The relay will never take it.
///
/// # Errors
///
/// If the state cannot be written.
pub fn refuse(db: &Connection, id: i64, code: &str) -> Result<()> {
    db.execute("UPDATE outbox SET n = NULL, refused = ?2 WHERE id = ?1", (id, code))?;
    Ok(())
}

/// The relay lost what came after `last_n`: the journal says it again, in order. How many.
///
/// # Errors
///
/// If the state cannot be written.
pub fn replay_after(db: &Connection, last_n: N) -> Result<usize> {
    Ok(db.execute(
        "UPDATE outbox SET n = NULL, seq = NULL, posted = NULL, epoch = NULL
             WHERE posted IS NOT NULL AND n > ?1",
        [last_n.cast_signed()],
    )?)
}

/// Forgets everything: what was written for a join that did not come about.
///
/// # Errors
///
/// If the state cannot be written.
pub fn clear(db: &Connection) -> Result<()> {
    db.execute("DELETE FROM outbox", [])?;
    Ok(())
}

/// Forgets what was posted or refused long ago, but for held letters, which their author must be
/// able to seal again.
///
/// # Errors
///
/// If the state cannot be written.
pub fn prune(db: &Connection, now: Millis) -> Result<()> {
    db.execute(
        "DELETE FROM outbox WHERE at < ?1 AND about IS NULL
             AND (posted < ?1 OR refused IS NOT NULL)",
        [now.saturating_sub(JOURNAL_MS)],
    )?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Command> {
    let (_, frame) = ClientFrame::from_bytes(row.get_ref("frame")?.as_blob()?).map_err(damaged)?;
    let about = match row.get_ref("about")? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(Ref(fixed(row, "about")?)),
    };
    Ok(Command {
        id: row.get("id")?,
        entry_ref: Ref(fixed(row, "ref")?),
        frame,
        about,
        at: row.get("at")?,
        n: row.get::<_, Option<i64>>("n")?.map(i64::cast_unsigned),
    })
}

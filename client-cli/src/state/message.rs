//! Sealed entries: as received, and as opened. A ref stands here once, however often it comes.

use jiashu_proto::entry::{Content, Generation, Message, MessageKind, Rung, Seq};
use jiashu_proto::id::{DeviceId, Millis, Ref};
use jiashu_proto::text::{Picture, Ring, Text};
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use super::{damaged, receipt};
use crate::error::Result;

/// A sealed entry and what became of it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Life of the log that `seq` counts in.
    pub generation: Generation,
    /// Its place.
    pub seq: Seq,
    /// When it was committed.
    pub at: Millis,
    /// [`jiashu_proto::entry::MessageKind`].
    pub kind: u32,
    /// As received.
    pub message: Message,
    /// Once opened.
    pub text: Option<Text>,
    /// Why it is not shown as a letter.
    pub refused: Option<String>,
    /// Whether it was being printed when a process ended.
    pub perhaps_shown: bool,
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Life of the log.
    pub generation: Generation,
    /// Its place in it.
    pub seq: Seq,
    /// When it was committed.
    pub at: Millis,
}

const COLUMNS: &str =
    "generation, seq, at, content, text, written_at, refused, shown, ring_every, ring_times, voice";

/// Notes a message's new place, if it is known. Whether it was.
///
/// What it says stays as it came first: a relay that sends the ref again with another author or
/// addressee changes nothing.
///
/// # Errors
///
/// If the state cannot be written.
pub fn move_known(db: &Connection, known: Ref, place: Place) -> Result<bool> {
    let changed = db
        .prepare_cached("UPDATE message SET generation = ?2, seq = ?3, at = ?4 WHERE ref = ?1")?
        .execute((known.0, place.generation, place.seq.cast_signed(), place.at))?;
    Ok(changed > 0)
}

/// Keeps a message that is new, perhaps with its reason not to show it.
///
/// # Errors
///
/// If the state cannot be written.
pub fn put(
    db: &Connection,
    place: Place,
    content: &[u8],
    message: &Message,
    refused: Option<&str>,
) -> Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO message
             (ref, generation, seq, at, content, key, device, author, refused, schedule, body)
         VALUES (:ref, :generation, :seq, :at, :content, :key, :device, :author, :refused,
                 :schedule, :body)",
    )?
    .execute(named_params! {
        ":ref": message.entry_ref.0,
        ":generation": place.generation,
        ":seq": place.seq.cast_signed(),
        ":at": place.at,
        ":content": content,
        ":key": message.key,
        ":device": message.device.0,
        ":author": message.from.0,
        ":refused": refused,
        ":schedule": message.fired.as_ref().map(|fired| fired.schedule.0),
        ":body": message.fired.as_ref().map(|fired| fired.body_ref.0),
    })?;
    Ok(())
}

/// Keeps the opened text.
///
/// # Errors
///
/// If the state cannot be written.
pub fn opened(db: &Connection, opened: Ref, text: &Text) -> Result<()> {
    let ring = text.ring.map(|ring| (ring.every_ms(), ring.times())).unzip();
    let voice = text.voice.as_ref().map(|_| text.to_bytes());
    // A picture stands there by its name.
    let words = match text.picture {
        Some(picture) => picture.name(),
        None => &text.content,
    };
    db.prepare_cached(
        "UPDATE message SET text = ?2, written_at = ?3, ring_every = ?4, ring_times = ?5, voice = ?6
         WHERE ref = ?1",
    )?
    .execute((opened.0, words, text.written_at, ring.0, ring.1, voice))?;
    Ok(())
}

/// Notes why it is not shown as a letter.
///
/// # Errors
///
/// If the state cannot be written.
pub fn refuse(db: &Connection, refused: Ref, reason: &str) -> Result<()> {
    db.prepare_cached("UPDATE message SET refused = ?2 WHERE ref = ?1")?
        .execute((refused.0, reason))?;
    Ok(())
}

/// Notes of a schedule's open letters why those are not shown whose body is there already: of each
/// body one stays, that which was shown, or else came first.
///
/// # Errors
///
/// If the state cannot be written.
pub fn refuse_repeats(db: &Connection, schedule: Ref, reason: &str) -> Result<()> {
    db.prepare_cached(
        "UPDATE message SET refused = ?2
         WHERE schedule = ?1 AND text IS NOT NULL AND refused IS NULL AND ref <>
             (SELECT kept.ref FROM message AS kept
              WHERE kept.schedule = ?1 AND kept.body = message.body
                  AND kept.text IS NOT NULL AND kept.refused IS NULL
              ORDER BY kept.shown DESC, kept.rowid LIMIT 1)",
    )?
    .execute((schedule.0, reason))?;
    Ok(())
}

/// Whether a schedule has released that body.
///
/// # Errors
///
/// If the state cannot be read.
pub fn has_fired(db: &Connection, schedule: Ref, body: Ref) -> Result<bool> {
    let sql = "SELECT 1 FROM message WHERE schedule = ?1 AND body = ?2";
    Ok(db.prepare_cached(sql)?.exists((schedule.0, body.0))?)
}

/// The message of that ref.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn find(db: &Connection, of: Ref) -> Result<Option<Stored>> {
    let mut query = db.prepare_cached(&format!("SELECT {COLUMNS} FROM message WHERE ref = ?1"))?;
    Ok(query.query_row([of.0], from_row).optional()?)
}

/// Those that wait for their key, in order.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn sealed(db: &Connection) -> Result<Vec<Stored>> {
    select(db, "text IS NULL AND refused IS NULL")
}

/// Letters, not names, of other devices that were not yet shown here, in order.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn not_shown(db: &Connection, me: DeviceId) -> Result<Vec<Stored>> {
    let wanted = format!("shown < 2 AND key IS NULL AND device <> {me}");
    select(db, &format!("{wanted} AND (text IS NOT NULL OR refused IS NOT NULL)"))
}

/// A reminder that rings.
#[derive(Clone, Debug)]
pub struct Ringing {
    /// The reminder.
    pub stored: Stored,
    /// How often it has rung here.
    pub rang: u32,
    /// When last.
    pub rang_at: Option<Millis>,
}

impl Ringing {
    /// When it rings next; the first time at once.
    #[must_use]
    pub fn rings_at(&self) -> Millis {
        let ring = self.stored.text.as_ref().and_then(|text| text.ring);
        let every = ring.map_or(0, Ring::every_ms);
        self.rang_at.map_or(Millis::MIN, |at| at.saturating_add(every))
    }
}

/// Reminders that were shown here, that nobody has done, and that have not rung as often as they shall.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn ringing(db: &Connection) -> Result<Vec<Ringing>> {
    let sql = format!(
        "SELECT {COLUMNS}, rang, rang_at FROM message
         WHERE ring_every IS NOT NULL AND rang < ring_times AND shown = 2 AND refused IS NULL
             AND NOT EXISTS (SELECT 1 FROM receipt WHERE receipt.ref = message.ref AND rung = {})
         ORDER BY seq",
        receipt::number(Rung::Done)
    );
    let mut query = db.prepare_cached(&sql)?;
    let rows = query.query_map([], |row| {
        let (rang, rang_at) = (row.get("rang")?, row.get("rang_at")?);
        Ok(Ringing { stored: from_row(row)?, rang, rang_at })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// It rang here once more.
///
/// # Errors
///
/// If the state cannot be written.
pub fn rang(db: &Connection, rang: Ref, now: Millis) -> Result<()> {
    db.prepare_cached("UPDATE message SET rang = rang + 1, rang_at = ?2 WHERE ref = ?1")?
        .execute((rang.0, now))?;
    Ok(())
}

/// All letters, in order; those of a former life of the log first.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn all(db: &Connection) -> Result<Vec<Stored>> {
    select(db, "key IS NULL")
}

/// Letters written for one member after one place, up to another, in order.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn by_device(db: &Connection, me: DeviceId, after: Seq, upto: Seq) -> Result<Vec<Stored>> {
    select(db, &format!("key IS NULL AND device = {me} AND seq > {after} AND seq <= {upto}"))
}

fn select(db: &Connection, wanted: &str) -> Result<Vec<Stored>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM message WHERE {wanted}
         ORDER BY generation <> (SELECT coalesce(generation, 0) FROM lane) DESC, seq"
    );
    let mut query = db.prepare_cached(&sql)?;
    let rows = query.query_map([], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let content = Content::from_bytes(row.get_ref("content")?.as_blob()?).map_err(damaged)?;
    let Content::Message(kind, message) = content else { return Err(damaged(std::fmt::Error)) };
    let text: Option<String> = row.get("text")?;
    let written_at: Option<Millis> = row.get("written_at")?;
    let every_ms: Option<Millis> = row.get("ring_every")?;
    let ring = every_ms.zip(row.get("ring_times")?);
    let ring = ring.and_then(|(every_ms, times)| Ring::new(every_ms, times));
    let voice: Option<Vec<u8>> = row.get("voice")?;
    let voice = voice.map(|voice| Text::from_bytes(MessageKind::Voice.number(), &voice));
    let voice = voice.transpose().map_err(damaged)?.and_then(|text| text.voice);
    let text = text.zip(written_at).map(|(content, written_at)| {
        let picture = Picture::from_name(&content);
        match picture.filter(|_| kind == MessageKind::Picture.number()) {
            Some(picture) => Text::of_picture(written_at, picture),
            None => Text { written_at, content, ring, voice, picture: None },
        }
    });
    Ok(Stored {
        generation: row.get("generation")?,
        seq: row.get::<_, i64>("seq")?.cast_unsigned(),
        at: row.get("at")?,
        kind,
        message,
        text,
        refused: row.get("refused")?,
        perhaps_shown: row.get::<_, u8>("shown")? == 1,
    })
}

/// How far a message is with being shown on this device.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// It is about to be printed: who finds it so later knows that a process ended in between.
    Printing = 1,
    /// It was printed.
    Printed = 2,
}

/// Notes how far a message is with being shown.
///
/// # Errors
///
/// If the state cannot be written.
pub fn mark(db: &Connection, marked: Ref, shown: Shown) -> Result<()> {
    db.prepare_cached("UPDATE message SET shown = ?2 WHERE ref = ?1")?
        .execute((marked.0, shown as u8))?;
    Ok(())
}

//! Held letters that the relay gave back: what it is asked for, and what came.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Content, Message};
use jiashu_proto::frame::{GiveBack, GivenBack};
use jiashu_proto::id::Ref;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _};

use super::{damaged, fixed};
use crate::error::Result;

/// Asks for what a schedule holds, from the first on.
///
/// # Errors
///
/// If the state cannot be written.
pub fn ask(db: &Connection, schedule: Ref) -> Result<()> {
    db.execute("INSERT OR REPLACE INTO asked VALUES (?1, NULL)", [schedule.0])?;
    Ok(())
}

/// What the relay is asked for and has not given back yet.
///
/// # Errors
///
/// If the state cannot be read.
pub fn asked(db: &Connection) -> Result<Vec<GiveBack>> {
    let mut query = db.prepare_cached("SELECT schedule, after FROM asked")?;
    let rows = query.query_map([], |row| {
        let after = match row.get_ref("after")? {
            ValueRef::Null => None,
            _ => Some(Ref(fixed(row, "after")?)),
        };
        Ok(GiveBack { schedule: Ref(fixed(row, "schedule")?), after })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Keeps what came, in the place of what came before. Whether that is all of it, and was asked for.
///
/// # Errors
///
/// If the state cannot be written.
pub fn put(db: &Connection, given: &GivenBack) -> Result<bool> {
    let GivenBack { schedule, bodies, more } = given;
    let mut query = db.prepare_cached("SELECT after IS NULL FROM asked WHERE schedule = ?1")?;
    let first: Option<bool> = query.query_row([schedule.0], |row| row.get(0)).optional()?;
    let Some(first) = first else { return Ok(false) };
    if first {
        db.execute("DELETE FROM given WHERE schedule = ?1", [schedule.0])?;
    }
    let mut last = None;
    for body in bodies {
        let Ok(Content::Message(_, message)) = Content::from_bytes(body) else { continue };
        last = message.fired.map(|fired| fired.body_ref);
        db.prepare_cached(
            "INSERT INTO given SELECT ?1, coalesce(max(place), 0) + 1, ?2
                 FROM given WHERE schedule = ?1",
        )?
        .execute((schedule.0, body.as_slice()))?;
    }
    // A relay that has more and gives none, or more than may be held, would be asked for ever.
    let sql = "SELECT count(*) FROM given WHERE schedule = ?1";
    let kept: i64 = db.query_row(sql, [schedule.0], |row| row.get(0))?;
    let has_room = usize::try_from(kept).is_ok_and(|kept| kept < bounds::MAX_HELD);
    match last.filter(|_| *more && has_room) {
        Some(last) => {
            db.execute("UPDATE asked SET after = ?2 WHERE schedule = ?1", (schedule.0, last.0))?;
            Ok(false)
        }
        None => {
            db.execute("DELETE FROM asked WHERE schedule = ?1", [schedule.0])?;
            Ok(true)
        }
    }
}

/// What the schedule held when it was given back last, in the order of release: kind and message.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn of(db: &Connection, schedule: Ref) -> Result<Vec<(u32, Message)>> {
    let mut query =
        db.prepare_cached("SELECT content FROM given WHERE schedule = ?1 ORDER BY place")?;
    let rows = query.query_map([schedule.0], |row| {
        match Content::from_bytes(row.get_ref("content")?.as_blob()?).map_err(damaged)? {
            Content::Message(kind, message) => Ok((kind, message)),
            _ => Err(damaged(std::fmt::Error)),
        }
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use jiashu_proto::entry::Fired;
    use jiashu_proto::id::{DeviceId, MemberId};

    use super::*;
    use crate::home::Home;
    use crate::state::State;

    const SCHEDULE: Ref = Ref([3; 12]);

    fn body(number: u8) -> Vec<u8> {
        let body_ref = Ref([number; 12]);
        let fired = Fired {
            body_ref,
            schedule: SCHEDULE,
            planned: String::new(),
            due_at: 0,
            adjust: None,
            valid_for: None,
            version: 0,
        };
        let message = Message {
            device: DeviceId(1),
            from: MemberId(1),
            entry_ref: body_ref,
            epoch: 2,
            to: Vec::new(),
            sealed: vec![0; 20],
            key: None,
            until: None,
            blob: None,
            fired: Some(fired),
        };
        Content::Message(1, message).to_bytes()
    }

    fn given(numbers: &[u8], more: bool) -> GivenBack {
        let bodies = numbers.iter().map(|number| body(*number).into()).collect();
        GivenBack { schedule: SCHEDULE, bodies, more }
    }

    fn held(db: &Connection) -> Vec<Ref> {
        of(db, SCHEDULE).unwrap().into_iter().map(|(_, message)| message.entry_ref).collect()
    }

    #[test]
    fn it_is_asked_for_page_by_page_and_each_time_anew() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::create(&Home::find(Some(dir.path())).unwrap()).unwrap();
        let db = state.db();

        assert!(!put(db, &given(&[9], false)).unwrap(), "nobody asked");
        ask(db, SCHEDULE).unwrap();
        assert!(!put(db, &given(&[1, 2], true)).unwrap());
        let next = GiveBack { schedule: SCHEDULE, after: Some(Ref([2; 12])) };
        assert_eq!(asked(db).unwrap(), [next]);
        assert!(put(db, &given(&[3], false)).unwrap());
        assert_eq!(
            (held(db), asked(db).unwrap()),
            ([1, 2, 3].map(|n| Ref([n; 12])).into(), vec![])
        );

        ask(db, SCHEDULE).unwrap();
        assert!(put(db, &given(&[3], false)).unwrap());
        assert_eq!(held(db), [Ref([3; 12])]);
    }

    #[test]
    fn a_relay_that_never_ends_is_not_asked_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::create(&Home::find(Some(dir.path())).unwrap()).unwrap();
        let db = state.db();

        ask(db, SCHEDULE).unwrap();
        assert!(put(db, &given(&[], true)).unwrap(), "more, and none of it");
        ask(db, SCHEDULE).unwrap();
        let pages = (0..).find(|_| put(db, &given(&[1; 100], true)).unwrap()).unwrap();
        assert!(pages * 100 <= bounds::MAX_HELD, "{pages}");
    }
}

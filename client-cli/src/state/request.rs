//! New phones that ask to be let in: what was said of others' requests, and this phone's own.

use jiashu_proto::id::{CodeHash, LinkHash, MemberId, Millis, Scope};
use jiashu_seal::KeyPairs;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{damaged, fixed};
use crate::error::Result;
use crate::http::Origin;

/// A phone asks once at a time.
const REQUEST: i64 = 0;

/// This phone's request, as it stands on disk before it is sent.
#[derive(Clone, Debug)]
pub struct OwnRequest {
    /// The relay.
    pub origin: Origin,
    /// The family.
    pub scope: Scope,
    /// Code of the link that staff gave.
    pub link_code: [u8; 16],
    /// By these the family lets it in; the device's own are made when it joins.
    pub keys: KeyPairs,
    /// By this it will join.
    pub code: [u8; 16],
    /// What the relay answered; `None` until it has.
    pub answer: Option<RequestAnswer>,
}

/// What a relay answers to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestAnswer {
    /// Hash of the family's first link, which the digits bind.
    pub first_link: LinkHash,
    /// Whom this phone will serve.
    pub members: Vec<MemberId>,
    /// Until when the request stands, in ms.
    pub expires_at: Millis,
}

impl OwnRequest {
    /// This phone's request, if it made one.
    ///
    /// # Errors
    ///
    /// If the state cannot be read, or is damaged.
    pub fn load(db: &Connection) -> Result<Option<Self>> {
        let mut query = db.prepare("SELECT * FROM request WHERE request = ?1")?;
        Ok(query.query_row([REQUEST], Self::from_row).optional()?)
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let first_link: Option<Vec<u8>> = row.get("first_link")?;
        let answer = match first_link {
            None => None,
            Some(_) => Some(RequestAnswer {
                first_link: LinkHash(fixed(row, "first_link")?),
                members: numbers(&row.get::<_, String>("members")?)?,
                expires_at: row.get("expires_at")?,
            }),
        };
        Ok(Self {
            origin: row.get::<_, String>("origin")?.parse().map_err(damaged)?,
            scope: Scope(row.get::<_, i64>("scope")?.cast_unsigned()),
            link_code: fixed(row, "link_code")?,
            keys: KeyPairs::from_bytes(&fixed(row, "keys")?).map_err(damaged)?,
            code: fixed(row, "code")?,
            answer,
        })
    }

    /// Keeps it, in the place of one before.
    ///
    /// # Errors
    ///
    /// If the state cannot be written.
    pub fn store(&self, db: &Connection) -> Result<()> {
        let answer = self.answer.as_ref();
        let members = answer.map(|answer| {
            let numbers: Vec<_> = answer.members.iter().map(ToString::to_string).collect();
            numbers.join(",")
        });
        db.execute(
            "INSERT OR REPLACE INTO request VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            (
                REQUEST,
                self.origin.to_string(),
                self.scope.0.cast_signed(),
                self.link_code,
                self.keys.to_bytes().as_slice(),
                self.code,
                answer.map(|answer| answer.first_link.0),
                members,
                answer.map(|answer| answer.expires_at),
            ),
        )?;
        Ok(())
    }
}

fn numbers(text: &str) -> rusqlite::Result<Vec<MemberId>> {
    text.split(',').map(|number| number.parse().map(MemberId).map_err(damaged)).collect()
}

/// Forgets this phone's request.
///
/// # Errors
///
/// If the state cannot be written.
pub fn forget(db: &Connection) -> Result<()> {
    db.execute("DELETE FROM request", [])?;
    Ok(())
}

/// What somebody here knows of another phone's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was said once.
    Told,
    /// It is not to be shown again.
    Refused,
}

/// What is known here of that request; `None` if it was never said.
///
/// # Errors
///
/// If the state cannot be read.
pub fn seen(db: &Connection, request: CodeHash) -> Result<Option<Seen>> {
    let mut query = db.prepare_cached("SELECT refused FROM request_seen WHERE code_hash = ?1")?;
    let refused: Option<bool> = query.query_row([request.0], |row| row.get(0)).optional()?;
    Ok(refused.map(|refused| if refused { Seen::Refused } else { Seen::Told }))
}

/// Notes what is known here of that request.
///
/// # Errors
///
/// If the state cannot be written.
pub fn mark(db: &Connection, request: CodeHash, seen: Seen) -> Result<()> {
    let row = (request.0, seen == Seen::Refused);
    db.execute("INSERT OR REPLACE INTO request_seen VALUES (?1, ?2)", row)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;
    use crate::state::State;

    #[test]
    fn a_request_reads_back_before_and_after_its_answer() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::create(&Home::find(Some(dir.path())).unwrap()).unwrap();
        let mut request = OwnRequest {
            origin: "https://relay.example".parse().unwrap(),
            scope: Scope(u64::MAX),
            link_code: [1; 16],
            keys: KeyPairs::generate(),
            code: [2; 16],
            answer: None,
        };

        request.store(state.db()).unwrap();
        let before = OwnRequest::load(state.db()).unwrap().unwrap();
        request.answer = Some(RequestAnswer {
            first_link: LinkHash([3; 32]),
            members: vec![MemberId(2), MemberId(3)],
            expires_at: 7,
        });
        request.store(state.db()).unwrap();
        let after = OwnRequest::load(state.db()).unwrap().unwrap();

        assert_eq!((before.answer, before.scope), (None, Scope(u64::MAX)));
        assert_eq!(after.answer, request.answer);
        assert_eq!(after.keys.to_bytes(), request.keys.to_bytes());
    }
}

//! What a family is called in files of rows: the same in every file of a programme, and no way back to the family for who
//! has the file alone.

use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{Millis, Scope};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::execute::Failure;
use crate::family::Refusal;
use crate::ngo::audit::hex;
use crate::store::{Batch, Change, LedgerRow, Store};

/// The book that holds the programme's secret: one row.
const SECRET: &str = "pseudonyms";

/// Bytes of a pseudonym: two of a hundred thousand families are alike once in ten billion programmes.
const LENGTH: usize = 10;

/// What names are made by.
pub struct Pseudonyms(hmac::Key);

impl Pseudonyms {
    /// Those of a programme; its secret is drawn at first use.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub async fn of(store: &dyn Store, programme: Scope, now: Millis) -> Result<Self, Failure> {
        loop {
            if let Some(row) = store.book(programme, SECRET).await?.first() {
                return Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &row.value)));
            }
            let mut secret = [0; 32];
            SystemRandom::new().fill(&mut secret).map_err(|_| {
                Refusal::new(ErrorCode::Unavailable, "the relay has no random bytes just now")
            })?;
            let row = LedgerRow {
                book: SECRET.to_owned(),
                name: Vec::new(),
                // Of two who draw at once the first is kept.
                version: (1, 0),
                value: secret.to_vec(),
            };
            let changes = vec![Change::Enter(row)];
            store.commit(programme, Batch { changes, ..Batch::new(now) }).await?;
        }
    }

    /// What a family is called: HMAC-SHA256 of its number. Never read as a number by a spreadsheet.
    #[must_use]
    pub fn name(&self, family: Scope) -> String {
        let tag = hmac::sign(&self.0, &family.0.to_be_bytes());
        format!("F{}", hex(tag.as_ref().get(..LENGTH).unwrap_or_default()))
    }
}

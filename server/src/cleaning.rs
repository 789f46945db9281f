//! What was deleted goes from the store's files; where that cannot be done, the operator is told until it can.
//!
//! That it could not be done stands in the relay's own scope, so every relay of a shared store tells it, also after a
//! restart.

use std::error::Error;

use jiashu_proto::id::{Millis, Scope};
use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::execute::Failure;
use crate::relay::Relay;
use crate::store::{Batch, Change, Cleaning, LedgerRow, Store, StoreError};

/// The book that has one row while files are not clean.
const BOOK: &str = "unclean";

/// The name of that row.
const ROW: &[u8] = b"store";

/// What a server says of itself is cut off here, in bytes.
const MOST_WHY: usize = 300;

/// Since when what was deleted cannot be cleaned from the store's files, and why.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Unclean {
    /// When that failed first, in ms.
    #[n(0)]
    pub since: Millis,
    /// Why it failed last, in a line.
    #[n(1)]
    pub why: String,
}

/// What could not be cleaned yet; `None` where the last cleaning was done, or none was asked for.
///
/// # Errors
///
/// [`StoreError`].
pub async fn unclean(store: &dyn Store) -> Result<Option<Unclean>, StoreError> {
    let row = store.row(Scope::RELAY, BOOK, ROW).await?;
    Ok(row.and_then(|row| minicbor::decode(&row.value).ok()))
}

/// Begins to clean, or tells what came of what was `begun`; `None` where it failed, which is noted for the operator.
///
/// # Errors
///
/// [`Failure`], if that cannot be noted.
pub async fn clean(relay: &Relay, begun: Option<&str>) -> Result<Option<Cleaning>, Failure> {
    let before = unclean(&*relay.store).await?;
    match relay.store.clean(begun).await {
        Ok(Cleaning::Done) => {
            if before.is_some() {
                note(relay, None).await?;
                tracing::info!("what was deleted is cleaned from the store's files again");
            }
            Ok(Some(Cleaning::Done))
        }
        Ok(under_way) => Ok(Some(under_way)),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn Error,
                "what was deleted cannot be cleaned from the store's files yet"
            );
            let since = before.map_or(relay.clock.now(), |before| before.since);
            note(relay, Some(&Unclean { since, why: reason(&error) })).await?;
            Ok(None)
        }
    }
}

/// In place of what was noted before.
async fn note(relay: &Relay, unclean: Option<&Unclean>) -> Result<(), StoreError> {
    let (book, name) = (BOOK.to_owned(), ROW.to_vec());
    let mut changes = vec![Change::Strike(book.clone(), name.clone())];
    if let Some(unclean) = unclean {
        let value = minicbor::to_vec(unclean).expect("writing to memory cannot fail");
        changes.push(Change::Enter(LedgerRow { book, name, version: (0, 0), value }));
    }
    let batch = Batch { changes, ..Batch::new(relay.clock.now()) };
    relay.store.commit(Scope::RELAY, batch).await.map(|_| ())
}

/// All causes in one line.
fn reason(error: &StoreError) -> String {
    let first: &dyn Error = error;
    let causes = std::iter::successors(Some(first), |error| (*error).source());
    let mut why = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    why.truncate(why.floor_char_boundary(MOST_WHY));
    why
}

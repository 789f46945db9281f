//! A family that leaves is deleted: its scope, its stored bytes, its rows in its programme's ledger, and its case.
//!
//! Several scopes change, each in one step. First every programme that knows of it notes what is to be deleted, with a due
//! item: from then on a crash stops nothing. Then the family's scope is erased, which its phones are told at once, and not
//! before all have noted it, as only the family itself says who they are. What the programmes knew of it follows. After a while all of it is done once more, for what was under way meanwhile, and the store cleans its
//! files (`cleaning`). Each step may be repeated.

use std::collections::BTreeMap;

use jiashu_contact::week::Week;
use jiashu_proto::entry::{Content, LEAVING_KEY, Leaving, PLACEMENT_KEY, Placement, Seq};
use jiashu_proto::id::{Millis, Scope};
use jiff::tz::TimeZone;
use minicbor::{Decode, Encode};

use crate::cleaning;
use crate::clock::timestamp;
use crate::contact::rows::{FAMILIES, changed, week_book};
use crate::contact::{enrolled_at, placed, placement};
use crate::execute::Failure;
use crate::family::enrolment::{case_key, read_case};
use crate::family::ledger::{LEFT, read_left};
use crate::ngo::caseload::CASELOAD;
use crate::ngo::visits::VISITS;
use crate::notify::undelivered;
use crate::programme::{OfferFact, OfferedFact, find_at, offer_key, offered_key};
use crate::relay::Relay;
use crate::store::{
    Batch, Change, Cleaning, Due, DueItem, LedgerRow, Precondition, Store, StoreError,
};

pub mod again;

/// The book of what is being deleted, by the family's number.
const BOOK: &str = "erasing";

/// The book of families that began anew: of each by its number what followed on it.
const FORMER: &str = "former";

/// What the store could not clean is tried again after this time at most, in ms: sooner where it is cleaned sooner.
const CLEAN_AGAIN_MS: Millis = 10 * 60 * 1000;

/// While the store cleans its files it is looked at so often, in ms.
const CLEAN_LOOK_MS: Millis = 2_000;

/// A programme that has noted it looks so often whether the family is erased, in ms: that follows at once, save for a crash.
const ERASED_LOOK_MS: Millis = 1_000;

/// What must be known of a family once it says nothing itself any more.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Erasing {
    /// Its case; `None` if its programme is not known, as of an older relay.
    #[n(0)]
    case_code: Option<String>,
    /// Since when it was there, in ms.
    #[n(1)]
    since: Millis,
    /// Whether it ended before, when the family began anew.
    #[n(2)]
    former: bool,
    /// What the store answered when it began to clean its files; `None` until then.
    #[n(3)]
    cleaning: Option<String>,
    /// Other codes that it had in the same programme, as it went and came back.
    #[n(4)]
    #[cbor(default)]
    earlier_codes: Vec<String>,
}

/// How far a family's own end has come.
enum End {
    /// Since then it is erased.
    Erased(Millis),
    /// It is about to be.
    ToCome,
    /// It stays.
    Not,
}

/// Notes in the programme that another family took the place of this one, so that it goes with that.
#[must_use]
pub fn follows(former: Scope, on: Scope) -> Change {
    Change::Enter(row(FORMER, former, &on))
}

/// That a family leaves, as it stands, with its place.
///
/// # Errors
///
/// [`StoreError`].
pub async fn leaving(
    store: &dyn Store,
    family: Scope,
) -> Result<Option<(Seq, Leaving)>, StoreError> {
    let record = store.fact(family, LEAVING_KEY).await?;
    Ok(record.and_then(|record| match Content::from_bytes(&record.content) {
        Ok(Content::Leaving(leaving)) => Some((record.seq, leaving)),
        _ => None,
    }))
}

/// The next step of deleting `family`: the first where it is due in the family itself.
///
/// # Errors
///
/// [`Failure`].
pub async fn on_due(relay: &Relay, due: &Due, family: Scope) -> Result<(), Failure> {
    if due.scope == family {
        return begin(relay, due).await;
    }
    let (store, keeper, now) = (&*relay.store, due.scope, relay.clock.now());
    let Some(noted) = noted(store, keeper, family).await? else {
        return done(relay, due, Vec::new()).await;
    };
    if noted.cleaning.is_some() {
        let changes = clean(relay, due, family, noted, now).await?;
        return commit_next(relay, due, changes).await;
    }
    let erased_at = match end(relay, family, noted.former).await? {
        End::Erased(at) => at,
        End::ToCome => {
            let look = Change::SetDue(due.item.clone(), now.saturating_add(ERASED_LOOK_MS));
            return commit_next(relay, due, vec![look]).await;
        }
        // It was taken back between two looks.
        End::Not => {
            let strike = Change::Strike(BOOK.to_owned(), name(family));
            return done(relay, due, vec![strike]).await;
        }
    };
    relay.blobs.remove_all(family).await?;
    let mut changes = forget(store, keeper, family, &noted, now).await?;
    changes.extend(formers(store, keeper, family, now).await?);
    let clean_at = erased_at.saturating_add(relay.config.clean_ms());
    if now < clean_at {
        changes.push(Change::SetDue(due.item.clone(), clean_at));
    } else {
        changes.extend(clean(relay, due, family, noted, now).await?);
    }
    commit_next(relay, due, changes).await
}

/// The last step: the files. What of it goes on, or failed, is looked at again.
async fn clean(
    relay: &Relay,
    due: &Due,
    family: Scope,
    noted: Erasing,
    now: Millis,
) -> Result<Vec<Change>, Failure> {
    let strike = |book: &str| Change::Strike(book.to_owned(), name(family));
    let cleaning = cleaning::clean(relay, noted.cleaning.as_deref()).await?;
    let (begun, again_ms) = match cleaning {
        Some(Cleaning::Done) => {
            tracing::info!(family.id = %family, "what a family left behind is cleaned up");
            return Ok(vec![strike(BOOK), strike(FORMER), Change::ClearDue(due.item.clone())]);
        }
        Some(Cleaning::Begun(begun)) => (Some(begun), CLEAN_LOOK_MS),
        None => (None, relay.config.clean_ms().clamp(CLEAN_LOOK_MS, CLEAN_AGAIN_MS)),
    };
    let noted = Change::Enter(row(BOOK, family, &Erasing { cleaning: begun, ..noted }));
    Ok(vec![strike(BOOK), noted, Change::SetDue(due.item.clone(), now.saturating_add(again_ms))])
}

/// Step one, and then at once the family's own end.
async fn begin(relay: &Relay, due: &Due) -> Result<(), Failure> {
    let (store, family, now) = (&*relay.store, due.scope, relay.clock.now());
    let until = |leaving: &Leaving| leaving.until.filter(|until| *until <= now);
    let Some((seq, _)) = leaving(store, family).await?.filter(|(_, it)| until(it).is_some()) else {
        return done(relay, due, Vec::new()).await;
    };
    let placed = placed(store, family).await?;
    let (place, home) = (placed.as_ref().map(|(seq, _)| *seq), placed.map(|(_, home)| home));
    let since = enrolled_at(store, family).await?;
    let keepers = keepers(store, family, home.as_ref()).await?;
    for (keeper, codes) in keepers {
        let changes = vec![note(family, codes, since, false), soon(family, now)];
        store.commit(keeper, Batch { changes, ..Batch::new(now) }).await?;
    }
    // Another programme may have taken it meanwhile, which has noted nothing.
    let requires = vec![
        Precondition::FactAt(LEAVING_KEY.to_owned(), Some(seq)),
        Precondition::FactAt(PLACEMENT_KEY.to_owned(), place),
    ];
    erase(store, family, requires, now).await?;
    tracing::info!(family.id = %family, "a family left: all of it is deleted");
    Ok(())
}

/// All programmes that know of a family, each with the codes that it has or had there; the relay itself keeps what no programme
/// is known of.
async fn keepers(
    store: &dyn Store,
    family: Scope,
    home: Option<&Placement>,
) -> Result<BTreeMap<Scope, Vec<String>>, StoreError> {
    let mut keepers: BTreeMap<Scope, Vec<String>> = BTreeMap::new();
    let keeper = home.map_or(Scope::RELAY, |home| home.programme);
    keepers.entry(keeper).or_default().extend(home.map(|home| home.case_code.clone()));
    for (programme, case_code) in store.book(family, LEFT).await?.iter().filter_map(read_left) {
        keepers.entry(programme).or_default().push(case_code);
    }
    // To whom it is offered.
    if let Some((_, offer)) = find_at::<OfferFact>(store, keeper, &offer_key(family)).await? {
        let offered = find_at::<OfferedFact>(store, offer.to, &offered_key(family)).await?;
        let taken = offered.and_then(|(_, offered)| offered.taken);
        keepers.entry(offer.to).or_default().extend(taken.map(|taken| taken.case_code));
    }
    Ok(keepers)
}

/// What a keeper notes of a family that is to be deleted.
fn note(family: Scope, codes: Vec<String>, since: Millis, former: bool) -> Change {
    let mut codes = codes.into_iter();
    let case_code = codes.next();
    let earlier_codes = codes.collect();
    let noted = Erasing { case_code, since, former, cleaning: None, earlier_codes };
    Change::Enter(row(BOOK, family, &noted))
}

/// That what was noted is looked at.
fn soon(family: Scope, now: Millis) -> Change {
    Change::SetDue(DueItem::Erasure(family), now)
}

/// How far the family's own end has come, and again what came about since; of one that ended before it is done here.
async fn end(relay: &Relay, family: Scope, former: bool) -> Result<End, Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    let Some(state) = store.state(family).await? else { return Ok(End::Erased(now)) };
    if state.erased_at.is_some() || former && state.superseded {
        erase(store, family, Vec::new(), now).await?;
        return Ok(End::Erased(state.erased_at.unwrap_or(now)));
    }
    let leaving = leaving(store, family).await?.and_then(|(_, leaving)| leaving.until);
    let is_to_come = state.superseded || leaving.is_some_and(|until| until <= now);
    Ok(if is_to_come { End::ToCome } else { End::Not })
}

async fn erase(
    store: &dyn Store,
    family: Scope,
    requires: Vec<Precondition>,
    now: Millis,
) -> Result<(), StoreError> {
    let changes = vec![Change::Erase];
    store.commit(family, Batch { requires, changes, ..Batch::new(now) }).await?;
    Ok(())
}

/// What a programme knew of the family goes: its case, whose it was, how it stood, when staff met it, every week.
async fn forget(
    store: &dyn Store,
    programme: Scope,
    family: Scope,
    noted: &Erasing,
    now: Millis,
) -> Result<Vec<Change>, StoreError> {
    let strike = |book: String| Change::Strike(book, name(family));
    let mut changes: Vec<_> =
        [FAMILIES, CASELOAD, VISITS].map(|book| strike(book.to_owned())).into();
    changes.extend(weeks(noted.since, now).map(|week| strike(week_book(week))));
    changes.push(changed(None, now));
    if noted.former {
        // What it was called is what follows on it is called.
        return Ok(changes);
    }
    changes.extend([offer_key(family), offered_key(family)].map(Change::DropFact));
    changes.push(Change::ClearDue(DueItem::Transfer(family)));
    for case_code in noted.case_code.iter().chain(&noted.earlier_codes) {
        changes.extend(forget_case(store, programme, family, case_code).await?);
    }
    Ok(changes)
}

/// What stands under one of its codes goes, where that is not another family's by now.
async fn forget_case(
    store: &dyn Store,
    programme: Scope,
    family: Scope,
    case_code: &str,
) -> Result<Vec<Change>, StoreError> {
    let key = case_key(case_code);
    let given = find_at::<OfferFact>(store, programme, &key).await?;
    if given.is_some_and(|(_, given)| given.family == family) {
        // It went to another programme, and this was left in the place of its case.
        return Ok(vec![Change::DropFact(key)]);
    }
    let case = store.fact(programme, &key).await?;
    // Another family may have been enrolled under that code since.
    if case.and_then(|case| read_case(&case.content).ok()).is_none_or(|it| it.family != family) {
        return Ok(Vec::new());
    }
    let enrolment = DueItem::Enrolment(case_code.to_owned());
    let mut changes = vec![Change::DropFact(key), Change::ClearDue(enrolment)];
    changes.extend(undelivered::strike_case(store, programme, case_code).await?);
    Ok(changes)
}

/// Every week in which it may have been counted.
fn weeks(since: Millis, now: Millis) -> impl Iterator<Item = Week> {
    let at = |at| {
        let at = timestamp(at);
        Week::at(at, &TimeZone::UTC)
    };
    let last = at(now).next();
    std::iter::successors(Some(at(since).before()), |week| Some(week.next()))
        .take_while(move |week| *week <= last)
}

/// Those that it followed on are deleted too: other programmes that know of them note it first, then this one.
async fn formers(
    store: &dyn Store,
    programme: Scope,
    family: Scope,
    now: Millis,
) -> Result<Vec<Change>, StoreError> {
    let mut changes = Vec::new();
    for row in store.book(programme, FORMER).await? {
        let (Some(former), Ok(on)) = (family_of(&row), minicbor::decode::<Scope>(&row.value))
        else {
            continue;
        };
        if on != family || noted(store, programme, former).await?.is_some() {
            continue;
        }
        let (home, since) = (placement(store, former).await?, enrolled_at(store, former).await?);
        let mut keepers = keepers(store, former, home.as_ref()).await?;
        let codes = keepers.remove(&programme).unwrap_or_default();
        for (keeper, codes) in keepers {
            let changes = vec![note(former, codes, since, false), soon(former, now)];
            store.commit(keeper, Batch { changes, ..Batch::new(now) }).await?;
        }
        changes.extend([note(former, codes, since, true), soon(former, now)]);
    }
    Ok(changes)
}

async fn noted(
    store: &dyn Store,
    keeper: Scope,
    family: Scope,
) -> Result<Option<Erasing>, StoreError> {
    let rows = store.book(keeper, BOOK).await?;
    let row = rows.into_iter().find(|row| family_of(row) == Some(family));
    Ok(row.and_then(|row| minicbor::decode(&row.value).ok()))
}

async fn done(relay: &Relay, due: &Due, mut changes: Vec<Change>) -> Result<(), Failure> {
    changes.push(Change::ClearDue(due.item.clone()));
    commit_next(relay, due, changes).await
}

/// Writes what a step changed in its keeper, if no other relay was first.
async fn commit_next(relay: &Relay, due: &Due, changes: Vec<Change>) -> Result<(), Failure> {
    let requires = vec![Precondition::DueAt(due.item.clone(), due.at)];
    let batch = Batch { requires, changes, ..Batch::new(relay.clock.now()) };
    relay.store.commit(due.scope, batch).await?;
    Ok(())
}

fn name(family: Scope) -> Vec<u8> {
    family.0.to_be_bytes().to_vec()
}

fn family_of(row: &LedgerRow) -> Option<Scope> {
    Some(Scope(u64::from_be_bytes(row.name.as_slice().try_into().ok()?)))
}

fn row<T: Encode<()>>(book: &str, family: Scope, value: &T) -> LedgerRow {
    let value = minicbor::to_vec(value).expect("writing to memory cannot fail");
    LedgerRow { book: book.to_owned(), name: name(family), version: (0, 0), value }
}

#[cfg(test)]
mod tests;

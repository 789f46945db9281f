//! A family that leaves is deleted: its scope, its stored bytes, its rows in its programme's ledger, and its case.
//!
//! Several scopes change, each in one step. First the programme notes what is to be deleted, with a due item: from then on
//! a crash stops nothing. Then the family's scope is erased, which its phones are told at once; what the programme knew of
//! it follows. After a while all of it is done once more, for what was under way meanwhile, and the store cleans its
//! files (`cleaning`). Each step may be repeated.

use jiashu_contact::week::Week;
use jiashu_proto::entry::{Content, LEAVING_KEY, Leaving, Placement, Seq};
use jiashu_proto::id::{Millis, Scope};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use minicbor::{Decode, Encode};

use crate::cleaning;
use crate::contact::rows::{FAMILIES, week_book};
use crate::contact::{enrolled_at, placement};
use crate::execute::Failure;
use crate::family::enrolment::{case_key, read_case};
use crate::family::ledger::{LEFT, read_left};
use crate::ngo::caseload::CASELOAD;
use crate::notify::undelivered;
use crate::programme::{OfferFact, find_at};
use crate::relay::Relay;
use crate::store::{
    Batch, Change, Cleaning, Due, DueItem, LedgerRow, Precondition, ScopeState, Store, StoreError,
};

/// The book of what is being deleted, by the family's number.
const BOOK: &str = "erasing";

/// The book of families that began anew: of each by its number what followed on it.
const FORMER: &str = "former";

/// What the store could not clean is tried again after this time at most, in ms: sooner where it is cleaned sooner.
const CLEAN_AGAIN_MS: Millis = 10 * 60 * 1000;

/// While the store cleans its files it is looked at so often, in ms.
const CLEAN_LOOK_MS: Millis = 2_000;

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
    let Some(erased_at) = erase(relay, family, noted.former).await? else {
        // It was taken back between two looks.
        return done(relay, due, vec![Change::Strike(BOOK.to_owned(), name(family))]).await;
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
    let (store, family) = (&*relay.store, due.scope);
    let placement = since_enrolled(store, family).await?;
    let keeper = placement.as_ref().map_or(Scope::RELAY, |placement| placement.programme);
    let now = relay.clock.now();
    let changes = note(family, placement.as_ref(), false, now).into();
    store.commit(keeper, Batch { changes, ..Batch::new(now) }).await?;
    // Programmes whose it was before have rows of it.
    let since = enrolled_at(store, family).await?;
    for (programme, case_code) in store.book(family, LEFT).await?.iter().filter_map(read_left) {
        let left = Placement { programme, case_code, site: None, since };
        let changes = note(family, Some(&left), false, now).into();
        store.commit(programme, Batch { changes, ..Batch::new(now) }).await?;
    }
    if erase(relay, family, false).await?.is_none() {
        let requires = vec![Precondition::DueAt(due.item.clone(), due.at)];
        let changes = vec![Change::ClearDue(due.item.clone())];
        store.commit(family, Batch { requires, changes, ..Batch::new(now) }).await?;
    }
    Ok(())
}

/// Whose it is; it may have been counted at another site before, so `since` is since it was enrolled.
async fn since_enrolled(store: &dyn Store, family: Scope) -> Result<Option<Placement>, StoreError> {
    let since = enrolled_at(store, family).await?;
    Ok(placement(store, family).await?.map(|placement| Placement { since, ..placement }))
}

/// What its keeper notes of a family that is to be deleted.
fn note(family: Scope, placement: Option<&Placement>, former: bool, now: Millis) -> [Change; 2] {
    let case_code = placement.map(|placement| placement.case_code.clone());
    let since = placement.map_or(now, |placement| placement.since);
    let noted = Erasing { case_code, since, former, cleaning: None };
    [Change::Enter(row(BOOK, family, &noted)), Change::SetDue(DueItem::Erasure(family), now)]
}

/// Erases its scope, if it leaves or has ended before. Since when it is erased; `None` if it is not.
async fn erase(relay: &Relay, family: Scope, former: bool) -> Result<Option<Millis>, Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    let Some(state) = store.state(family).await? else { return Ok(Some(now)) };
    let requires = match leaving(store, family).await? {
        _ if state.erased_at.is_some() => Vec::new(),
        Some((seq, Leaving { until: Some(until), .. })) if until <= now => {
            vec![Precondition::FactAt(LEAVING_KEY.to_owned(), Some(seq))]
        }
        _ if former && state.superseded => Vec::new(),
        _ => return Ok(None),
    };
    let changes = vec![Change::Erase];
    store.commit(family, Batch { requires, changes, ..Batch::new(now) }).await?;
    if state.erased_at.is_none() {
        tracing::info!(family.id = %family, "a family left: all of it is deleted");
    }
    Ok(Some(erased_at(store.state(family).await?.as_deref(), now)))
}

fn erased_at(state: Option<&ScopeState>, now: Millis) -> Millis {
    state.and_then(|state| state.erased_at).unwrap_or(now)
}

/// What a programme knew of the family goes: its case, whose it was, how it stood, every week.
async fn forget(
    store: &dyn Store,
    programme: Scope,
    family: Scope,
    noted: &Erasing,
    now: Millis,
) -> Result<Vec<Change>, StoreError> {
    let strike = |book: String| Change::Strike(book, name(family));
    let mut changes = vec![strike(FAMILIES.to_owned()), strike(CASELOAD.to_owned())];
    changes.extend(weeks(noted.since, now).map(|week| strike(week_book(week))));
    let Some(case_code) = noted.case_code.as_ref().filter(|_| !noted.former) else {
        return Ok(changes);
    };
    let key = case_key(case_code);
    let given = find_at::<OfferFact>(store, programme, &key).await?;
    if given.is_some_and(|(_, given)| given.family == family) {
        // It went to another programme, and this was left in the place of its case.
        changes.push(Change::DropFact(key.clone()));
    }
    let case = store.fact(programme, &key).await?;
    // Another family may have been enrolled under that code since.
    if case.and_then(|case| read_case(&case.content).ok()).is_some_and(|it| it.family == family) {
        changes.push(Change::DropFact(key));
        changes.push(Change::ClearDue(DueItem::Enrolment(case_code.clone())));
        changes.extend(undelivered::strike_case(store, programme, case_code).await?);
    }
    Ok(changes)
}

/// Every week in which it may have been counted.
fn weeks(since: Millis, now: Millis) -> impl Iterator<Item = Week> {
    let at = |at| {
        let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
        Week::at(at, &TimeZone::UTC)
    };
    let last = at(now).next();
    std::iter::successors(Some(at(since).before()), |week| Some(week.next()))
        .take_while(move |week| *week <= last)
}

/// Those that it followed on are deleted too.
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
        if on == family && noted(store, programme, former).await?.is_none() {
            let placement = since_enrolled(store, former).await?;
            changes.extend(note(former, placement.as_ref(), true, now));
        }
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
mod tests {
    use jiashu_proto::frame::{ClientFrame, Leave, LeaveWhat};
    use jiashu_proto::id::{DeviceId, Ref};

    use super::*;
    use crate::contact::tests::{MOTHER, PROGRAMME, Weeks};
    use crate::execute;
    use crate::family::Sender;
    use crate::family::leaving::{Household, decide_leave};
    use crate::scheduler;

    const NEW: Scope = Scope(0x1234);

    /// Lili's mother asks for it, or takes it back; she has the only phone.
    async fn leave(weeks: &Weeks, what: LeaveWhat) {
        let (store, family, now) = (&*weeks.relay.store, weeks.family, weeks.relay.clock.now());
        let state = store.state(family).await.unwrap().unwrap();
        let standing = leaving(store, family).await.unwrap();
        let household = Household {
            family,
            state: &state,
            standing: standing.as_ref(),
            grace_ms: weeks.relay.config.leaving_ms(),
        };
        let phone = Sender { device: DeviceId(1), members: vec![MOTHER] };
        let asked = Leave { n: 1, entry_ref: Ref([1; 12]), from: MOTHER, what };
        let role = |_| Some(jiashu_proto::id::Role::Parent);
        let batch = decide_leave(&phone, &asked, &household, role, now).unwrap();
        store.commit(family, Batch { author: None, ..batch }).await.unwrap();
    }

    /// Names of books in which the programme has a row of that family.
    async fn books(weeks: &Weeks, family: Scope) -> Vec<String> {
        let snapshot = weeks.relay.store.snapshot(PROGRAMME).await.unwrap().unwrap();
        let of_family = snapshot.ledger.iter().filter(|row| row.name == name(family));
        of_family.map(|row| row.book.clone()).collect()
    }

    #[tokio::test]
    async fn who_does_not_take_it_back_in_seven_days_is_gone_with_every_week_of_it() {
        let mut weeks = Weeks::begin().await;
        weeks.until("2026-11-03T19:40").await;
        weeks.both_ways("2026-11-03T19:40").await;
        leave(&weeks, LeaveWhat::InTime).await;
        weeks.until("2026-11-05T12:00").await;
        leave(&weeks, LeaveWhat::Stay).await;
        weeks.until("2026-11-20T09:00").await;
        let family = weeks.family;
        assert!(books(&weeks, family).await.contains(&"week/2026W45".to_owned()));

        leave(&weeks, LeaveWhat::InTime).await;
        weeks.until("2026-11-27T08:00").await;
        assert!(books(&weeks, family).await.len() > 2, "it is there to the last");
        weeks.until("2026-11-27T09:00").await;
        assert_eq!(books(&weeks, family).await, [BOOK], "what is left to do is noted");
        let state = weeks.relay.store.state(family).await.unwrap().unwrap();
        assert!(state.erased_at.is_some() && state.seats.is_empty());
        weeks.until("2026-11-27T11:00").await;
        assert!(books(&weeks, family).await.is_empty());
        let programme = weeks.relay.store.snapshot(PROGRAMME).await.unwrap().unwrap();
        assert!(programme.facts.iter().all(|fact| !fact.key.starts_with("case/")));
        assert!(programme.due.iter().all(|due| !matches!(due.item, DueItem::Erasure(_))));
    }

    #[tokio::test]
    async fn what_it_had_before_it_began_anew_goes_too() {
        let weeks = Weeks::begin().await;
        let (old, now) = (weeks.family, weeks.relay.clock.now());
        let again = jiashu_tests::FamilySpec::li().draw("GS-001", now).0;
        let again = jiashu_proto::frame::Enrol { family: NEW, replaces: Some(old), ..again };
        let again = ClientFrame::Enrol(again);
        execute::staff::command(&weeks.relay, PROGRAMME, DeviceId(1), again).await.unwrap();
        let mut weeks = weeks;
        weeks.family = NEW;

        leave(&weeks, LeaveWhat::Now).await;
        scheduler::settle_all(&weeks.relay).await;

        for family in [old, NEW] {
            let state = weeks.relay.store.state(family).await.unwrap().unwrap();
            assert!(state.erased_at.is_some(), "{family}");
        }
        weeks.until("2026-11-02T12:00").await;
        for family in [old, NEW] {
            assert!(books(&weeks, family).await.is_empty(), "{family}");
        }
    }

    #[tokio::test]
    async fn a_note_of_one_that_stays_deletes_nothing() {
        let weeks = Weeks::begin().await;
        let (store, family, now) = (&*weeks.relay.store, weeks.family, weeks.relay.clock.now());
        let placement = placement(store, family).await.unwrap();
        for former in [false, true] {
            let changes = note(family, placement.as_ref(), former, now).into();
            store.commit(PROGRAMME, Batch { changes, ..Batch::new(now) }).await.unwrap();
            scheduler::settle_all(&weeks.relay).await;
        }

        let state = store.state(family).await.unwrap().unwrap();
        assert_eq!(state.erased_at, None);
        assert!(!books(&weeks, family).await.contains(&BOOK.to_owned()));
    }
}

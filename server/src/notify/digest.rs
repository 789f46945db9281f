//! The Monday's digest: figures of the week that closed last, of the one before it, and of the one that has just ended.
//!
//! They are reckoned once for a zone and stand in the programme's ledger, so that whoever is sent them is told the same;
//! and they leave the programme's house, so that what would single somebody out is left out (`lines`), as in a file.

use std::collections::{BTreeMap, BTreeSet};

use jiashu_contact::week::Week;
use jiashu_proto::id::{DeviceId, Millis, Scope};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use minicbor::{Decode, Encode};

use super::lines::{Line, Rows, lines};
use super::outbox::{About, Mail, Recipient, id_of};
use crate::clock::timestamp;
use crate::contact::rows::{WeekRow, week_book};
use crate::execute::Failure;
use crate::programme::{self, SiteFact, StaffFact};
use crate::relay::Relay;
use crate::store::{Batch, Change, Due, DueItem, LedgerRow, Precondition, Store, StoreError};

/// The hour of the clock at which it leaves.
const HOUR: i8 = 8;

/// The book of which Monday each member of staff was seen to last. It is the member's, not a clock's: whose clock changes
/// on a Monday, as a site comes or goes, is sent that week once all the same.
const MONDAYS: &str = "digest/seen-to";

/// The book of figures that are being sent.
const FIGURES: &str = "digest/figures";

/// What is sent of some weeks.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Figures {
    /// The week that has just ended.
    #[n(0)]
    pub ended: String,
    /// The last one that has closed.
    #[n(1)]
    pub closed: String,
    /// On whose clock, IANA.
    #[n(2)]
    pub zone: String,
    /// When they were reckoned, in ms.
    #[n(3)]
    pub as_of: Millis,
    /// Of the closed one: a line a site, and the last of all together.
    #[n(4)]
    pub of_closed: Vec<Line>,
    /// Of the one that has ended.
    #[n(5)]
    pub of_ended: Vec<Line>,
}

async fn rows(store: &dyn Store, programme: Scope, week: Week) -> Result<Rows, StoreError> {
    let rows = store.book(programme, &week_book(week)).await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.name.clone(), WeekRow::read(&row)?))).collect())
}

async fn reckon(
    store: &dyn Store,
    programme: Scope,
    zone: &str,
    ended: Week,
    now: Millis,
) -> Result<Figures, StoreError> {
    let closed = ended.before();
    let of_ended = rows(store, programme, ended).await?;
    let of_closed = rows(store, programme, closed).await?;
    let earlier = rows(store, programme, closed.before()).await?;
    Ok(Figures {
        ended: ended.to_string(),
        closed: closed.to_string(),
        zone: zone.to_owned(),
        as_of: now,
        of_closed: lines(closed, &of_closed, &earlier, now),
        of_ended: lines(ended, &of_ended, &of_closed, now),
    })
}

/// What stands there under that name.
///
/// # Errors
///
/// [`StoreError`].
pub async fn figures(
    store: &dyn Store,
    programme: Scope,
    name: &str,
) -> Result<Option<Figures>, StoreError> {
    let row = store.row(programme, FIGURES, name.as_bytes()).await?;
    Ok(row.and_then(|row| minicbor::decode(&row.value).ok()))
}

/// Eight o'clock of the Monday of that week on that clock.
fn leaves(week: Week, zone: &TimeZone) -> Timestamp {
    let eight = week.first().at(HOUR, 0, 0, 0);
    zone.to_ambiguous_timestamp(eight).compatible().unwrap_or(Timestamp::MAX)
}

/// The last Monday at eight until then, and the next.
fn mondays(now: Timestamp, zone: &TimeZone) -> (Date, Timestamp) {
    let this = Week::at(now, zone);
    if leaves(this, zone) <= now {
        (this.first(), leaves(this.next(), zone))
    } else {
        (this.before().first(), leaves(this, zone))
    }
}

fn zone_of(name: &str) -> TimeZone {
    jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap_or(TimeZone::UTC)
}

/// The clocks of a programme's sites, and whose digest leaves by which: an empty programme has that of Greenwich.
struct Clocks {
    /// By site, ascending by code.
    sites: Vec<(String, String)>,
}

impl Clocks {
    async fn of(store: &dyn Store, programme: Scope) -> Result<Self, StoreError> {
        let sites: Vec<(String, SiteFact)> = programme::all(store, programme).await?;
        Ok(Self { sites: sites.into_iter().map(|(code, site)| (code, site.zone)).collect() })
    }

    /// The next Monday at eight on any of them.
    fn next(&self, now: Timestamp) -> Timestamp {
        let zones: BTreeSet<_> = self.sites.iter().map(|(_, zone)| zone.as_str()).collect();
        let zones = if zones.is_empty() { BTreeSet::from(["UTC"]) } else { zones };
        let next = zones.into_iter().map(|zone| mondays(now, &zone_of(zone)).1).min();
        next.unwrap_or(Timestamp::MAX)
    }

    /// That of a caseworker's first site; of who has all, of the programme's first.
    fn of_staff(&self, fact: &StaffFact) -> &str {
        let own = self.sites.iter().find(|(code, _)| fact.sites.contains(code));
        own.or(self.sites.first()).map_or("UTC", |(_, zone)| zone)
    }
}

/// Who is staff now.
async fn staff(
    store: &dyn Store,
    programme: Scope,
) -> Result<Vec<(DeviceId, StaffFact)>, StoreError> {
    let staff: Vec<(String, StaffFact)> = programme::all(store, programme).await?;
    let here = staff.into_iter().filter(|(_, fact)| !fact.left);
    Ok(here.filter_map(|(number, fact)| Some((DeviceId(number.parse().ok()?), fact))).collect())
}

fn seen_to(number: DeviceId, monday: Date) -> Change {
    let days = monday.duration_since(Date::constant(1, 1, 1)).as_hours() / 24;
    Change::Enter(LedgerRow {
        book: MONDAYS.to_owned(),
        name: number.0.to_be_bytes().to_vec(),
        version: (u64::try_from(days).unwrap_or(0), 0),
        value: monday.to_string().into_bytes(),
    })
}

/// The last Monday of each.
async fn all_seen_to(
    store: &dyn Store,
    programme: Scope,
) -> Result<BTreeMap<DeviceId, Date>, StoreError> {
    let rows = store.book(programme, MONDAYS).await?;
    let read = |row: LedgerRow| {
        let number = row.name.try_into().ok().map(u32::from_be_bytes)?;
        Some((DeviceId(number), std::str::from_utf8(&row.value).ok()?.parse().ok()?))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Sees to it that digests leave: after a site or somebody's address came in. Those of who is new begin with the next
/// Monday.
///
/// # Errors
///
/// [`StoreError`].
pub async fn arrange(relay: &Relay, programme: Scope) -> Result<(), StoreError> {
    let (store, now) = (&*relay.store, relay.clock.now());
    let clocks = Clocks::of(store, programme).await?;
    let last = all_seen_to(store, programme).await?;
    let at = timestamp(now);
    let mut changes = Vec::new();
    let mut next = clocks.next(at);
    for (number, fact) in staff(store, programme).await? {
        let (monday, _) = mondays(at, &zone_of(clocks.of_staff(&fact)));
        match last.get(&number) {
            None => changes.push(seen_to(number, monday)),
            Some(last) if *last < monday => next = at,
            Some(_) => {}
        }
    }
    changes.push(Change::SetDue(DueItem::Digest, next.as_millisecond()));
    store.commit(programme, Batch { changes, ..Batch::new(now) }).await?;
    Ok(())
}

/// Puts the digests into the outbox that a Monday asks for.
///
/// # Errors
///
/// [`Failure`]; [`StoreError::Stale`] where another relay was first.
pub async fn on_due(relay: &Relay, due: &Due) -> Result<(), Failure> {
    let (store, programme, now) = (&*relay.store, due.scope, relay.clock.now());
    let at = timestamp(now);
    let clocks = Clocks::of(store, programme).await?;
    let last = all_seen_to(store, programme).await?;
    let mut changes = Vec::new();
    let mut told: BTreeMap<(&str, Date), Vec<DeviceId>> = BTreeMap::new();
    for (number, fact) in staff(store, programme).await? {
        let clock = clocks.of_staff(&fact);
        let (monday, _) = mondays(at, &zone_of(clock));
        if last.get(&number).is_some_and(|last| *last >= monday) {
            continue;
        }
        changes.push(seen_to(number, monday));
        if fact.email.is_some() && relay.mailer.is_some() {
            told.entry((clock, monday)).or_default().push(number);
        }
    }
    for ((zone, monday), told) in told {
        let figures = reckon(store, programme, zone, Week::of(monday).before(), now).await?;
        changes.extend(asked_for(programme, &figures, &told, now));
    }
    changes.push(Change::SetDue(DueItem::Digest, clocks.next(at).as_millisecond()));
    let requires = vec![Precondition::DueAt(DueItem::Digest, due.at)];
    store.commit(programme, Batch { requires, changes, ..Batch::new(now) }).await?;
    Ok(())
}

/// One each, of the same figures.
fn asked_for(programme: Scope, figures: &Figures, told: &[DeviceId], now: Millis) -> Vec<Change> {
    let name = format!("{} {}", figures.ended, figures.zone);
    let row = LedgerRow {
        book: FIGURES.to_owned(),
        name: name.clone().into_bytes(),
        version: (1, 0),
        value: minicbor::to_vec(figures).expect("writing to memory cannot fail"),
    };
    // Those of a fortnight ago are in no letter that is still being tried.
    let ended: Option<Week> = figures.ended.parse().ok();
    let old = ended.map(|ended| format!("{} {}", ended.before().before(), figures.zone));
    let old = old.map(|old| Change::Strike(FIGURES.to_owned(), old.into_bytes()));
    let mut changes: Vec<_> = [Change::Enter(row)].into_iter().chain(old).collect();
    for number in told {
        let parts = [&programme.0.to_be_bytes()[..], &number.0.to_be_bytes(), name.as_bytes()];
        let mail = Mail::new(Recipient::Staff(*number), About::Digest(name.clone()), now);
        changes.extend(mail.put(id_of(&parts), now));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monday_begins_at_eight_on_its_own_clock() {
        let zone = zone_of("Asia/Shanghai");
        let at = |civil: &str| zone.to_timestamp(civil.parse().unwrap()).unwrap();
        let monday = Date::constant(2026, 11, 30);

        let before = mondays(at("2026-11-30T07:59:59"), &zone);
        assert_eq!(before, (Date::constant(2026, 11, 23), at("2026-11-30T08:00")));
        assert_eq!(mondays(at("2026-11-30T08:00"), &zone), (monday, at("2026-12-07T08:00")));
        assert_eq!(mondays(at("2026-12-06T23:59"), &zone), (monday, at("2026-12-07T08:00")));
        // Over the end of a year of 53 weeks.
        assert_eq!(mondays(at("2027-01-03T12:00"), &zone).0, Date::constant(2026, 12, 28));
    }
}

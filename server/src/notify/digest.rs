//! The Monday's digest: figures of the week that closed last, of the one before it, and of the one that has just ended.
//!
//! They are reckoned once for a zone and stand in the programme's ledger, so that whoever is sent them is told the same;
//! and they leave the programme's house, so that counts below [`OUTSIDE`] are left out, as in a file.

use std::collections::{BTreeMap, BTreeSet};

use jiashu_api::report::Group;
use jiashu_contact::standing::Standing;
use jiashu_contact::suppress::{Table, suppress_within};
use jiashu_contact::week::Week;
use jiashu_proto::id::{DeviceId, MemberId, Millis, Scope};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use minicbor::{Decode, Encode};

use super::outbox::{About, Mail, Recipient, id_of};
use crate::contact::rows::{WeekRow, week_book};
use crate::execute::Failure;
use crate::ngo::report::{By, OUTSIDE, Period, shown, sum};
use crate::programme::{self, Role, SiteFact, StaffFact};
use crate::relay::Relay;
use crate::store::{Batch, Change, Due, DueItem, LedgerRow, Precondition, Store, StoreError};

/// The hour of the clock at which it leaves.
const HOUR: i8 = 8;

/// The book of which Monday was the last on each clock.
const MONDAYS: &str = "digest/mondays";

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

/// The figures of a site; what is absent is not shown.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Line {
    /// Its code; absent: families without one, or in the last line all together.
    #[n(0)]
    pub site: Option<String>,
    /// That are counted.
    #[n(1)]
    pub children: Option<u32>,
    /// Occurrences of plans.
    #[n(2)]
    pub expected: Option<u32>,
    /// Of these, kept.
    #[n(3)]
    pub kept: Option<u32>,
    /// The same in percent.
    #[n(4)]
    pub adherence: Option<f64>,
    /// What of that the week before had less, in points.
    #[n(5)]
    pub change: Option<f64>,
    /// Children at risk at the end.
    #[n(6)]
    pub at_risk: Option<u32>,
    /// Children of whom nothing was heard for longer.
    #[n(7)]
    pub silent: Option<u32>,
    /// Children who stand so now and did not a week before.
    #[n(8)]
    pub newly: Option<u32>,
    /// Phones of households.
    #[n(9)]
    pub shared_phones: Option<u32>,
    /// Of these, idle.
    #[n(10)]
    pub idle_phones: Option<u32>,
}

/// Whether a child stands so that somebody should ask.
fn is_at_risk(standing: Standing) -> bool {
    standing >= Standing::AtRisk
}

/// The rows of a week by family.
type Rows = BTreeMap<Vec<u8>, WeekRow>;

/// The figures of a week beside those of the one before. Pure.
#[must_use]
pub fn lines(week: Week, rows: &Rows, before: &Rows, now: Millis) -> Vec<Line> {
    let report = |week: Week, rows: &Rows| {
        let rows: Vec<WeekRow> = rows.values().cloned().collect();
        shown(&Period::week(week), By::Site, &sum(&[rows], By::Site), Some(OUTSIDE), now)
    };
    let (this, last) = (report(week, rows), report(week.before(), before));
    let newly = newly(&this.groups, rows, before);
    let groups = this.groups.iter().chain([&this.total]);
    let line = |(place, group): (usize, &Group)| {
        let earlier = match this.groups.get(place) {
            Some(group) => last.groups.iter().find(|earlier| earlier.name == group.name),
            None => Some(&last.total),
        };
        let earlier = earlier.and_then(|earlier| earlier.adherence);
        let newly = newly.get(place).copied().flatten();
        line(group, earlier, newly)
    };
    groups.enumerate().map(line).collect()
}

fn line(group: &Group, earlier: Option<f64>, newly: Option<u32>) -> Line {
    let standing = |names: &[Standing]| {
        let count = |name: &Standing| {
            group.standing.iter().find(|count| count.name == name.name()).and_then(|one| one.count)
        };
        names.iter().map(count).sum::<Option<u32>>()
    };
    Line {
        site: group.name.clone(),
        children: group.children,
        expected: group.expected,
        kept: group.kept,
        adherence: group.adherence,
        change: group.adherence.zip(earlier).map(|(now, earlier)| now - earlier),
        at_risk: standing(&[Standing::AtRisk]),
        silent: standing(&[Standing::Silent, Standing::Dormant]),
        newly,
        shared_phones: group.shared_phones,
        idle_phones: group.idle_phones,
    }
}

/// Children of each group who stand worse than a week before, and of all together, as far as that may be shown.
fn newly(groups: &[Group], rows: &Rows, before: &Rows) -> Vec<Option<u32>> {
    let mut counts: BTreeMap<Option<&str>, [u32; 2]> = BTreeMap::new();
    for (family, row) in rows {
        let was = before.get(family);
        let stood = |child: MemberId| {
            was.and_then(|was| was.children.iter().find(|one| one.member == child))
                .is_some_and(|one| is_at_risk(one.standing))
        };
        for child in &row.children {
            let is_new = is_at_risk(child.standing) && !stood(child.member);
            let [new, others] = counts.entry(row.site.as_deref()).or_default();
            if is_new {
                *new += 1
            } else {
                *others += 1
            };
        }
    }
    let of = |group: &Group| counts.get(&group.name.as_deref()).copied().unwrap_or_default();
    let table = Table { rows: groups.iter().map(|group| of(group).to_vec()).collect() };
    let hidden: Vec<_> = groups.iter().map(|group| group.children.is_none()).collect();
    let shown = suppress_within(&table, &hidden, OUTSIDE);
    let first = |cells: &Vec<Option<u32>>| cells.first().copied().flatten();
    shown.rows.iter().chain([&shown.column_sums]).map(first).collect()
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

    fn all(&self) -> BTreeSet<&str> {
        let zones: BTreeSet<_> = self.sites.iter().map(|(_, zone)| zone.as_str()).collect();
        if zones.is_empty() { BTreeSet::from(["UTC"]) } else { zones }
    }

    /// That of a caseworker's first site; of who has all, of the programme's first.
    fn of_staff(&self, fact: &StaffFact) -> &str {
        let own = self.sites.iter().find(|(code, _)| fact.sites.contains(code));
        own.or(self.sites.first()).map_or("UTC", |(_, zone)| zone)
    }
}

fn monday_row(zone: &str, monday: Date) -> Change {
    let days = monday.duration_since(Date::constant(1, 1, 1)).as_hours() / 24;
    Change::Enter(LedgerRow {
        book: MONDAYS.to_owned(),
        name: zone.as_bytes().to_vec(),
        version: (u64::try_from(days).unwrap_or(0), 0),
        value: monday.to_string().into_bytes(),
    })
}

/// The last Monday that left on each clock.
async fn left(store: &dyn Store, programme: Scope) -> Result<BTreeMap<String, Date>, StoreError> {
    let rows = store.book(programme, MONDAYS).await?;
    let read = |row: LedgerRow| {
        let zone = String::from_utf8(row.name).ok()?;
        Some((zone, std::str::from_utf8(&row.value).ok()?.parse().ok()?))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Sees to it that digests leave: after a site or somebody's address came in. The Mondays of a new clock begin with the
/// next one.
///
/// # Errors
///
/// [`StoreError`].
pub async fn arrange(relay: &Relay, programme: Scope) -> Result<(), StoreError> {
    let (store, now) = (&*relay.store, relay.clock.now());
    let (clocks, left) = (Clocks::of(store, programme).await?, left(store, programme).await?);
    let at = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut changes = Vec::new();
    let mut next = Timestamp::MAX;
    for name in clocks.all() {
        let (monday, following) = mondays(at, &zone_of(name));
        let is_owed = left.get(name).is_some_and(|last| *last < monday);
        if !left.contains_key(name) {
            changes.push(monday_row(name, monday));
        }
        next = next.min(if is_owed { at } else { following });
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
    let at = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
    let (clocks, left) = (Clocks::of(store, programme).await?, left(store, programme).await?);
    let staff: Vec<(String, StaffFact)> = programme::all(store, programme).await?;
    let mut changes = Vec::new();
    let mut next = Timestamp::MAX;
    for name in clocks.all() {
        let (monday, following) = mondays(at, &zone_of(name));
        next = next.min(following);
        if left.get(name).is_some_and(|last| *last >= monday) {
            continue;
        }
        let told = staff.iter().filter_map(|(number, fact)| {
            let is_told = !fact.left && fact.email.is_some() && clocks.of_staff(fact) == name;
            is_told.then(|| number.parse().ok().map(DeviceId)).flatten()
        });
        let told: Vec<_> = told.collect();
        if !told.is_empty() && relay.mailer.is_some() {
            let ended = Week::of(monday).before();
            let figures = reckon(store, programme, name, ended, now).await?;
            changes.extend(asked_for(programme, &figures, &told, now));
        }
        changes.push(monday_row(name, monday));
    }
    changes.push(Change::SetDue(DueItem::Digest, next.as_millisecond()));
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

/// What a member of staff is shown of it: all, or the own sites.
#[must_use]
pub fn seen_by(fact: &StaffFact, mut lines: Vec<Line>) -> Vec<Line> {
    if fact.role != Role::Caseworker {
        return lines;
    }
    // The last is of all together.
    let _ = lines.pop();
    lines.retain(|line| line.site.as_ref().is_some_and(|site| fact.sites.contains(site)));
    lines
}

#[cfg(test)]
mod tests {
    use jiashu_contact::figures::Band;

    use super::*;
    use crate::contact::rows::ChildWeek;

    fn child(member: u32, standing: Standing, kept: u32) -> ChildWeek {
        ChildWeek {
            member: MemberId(member),
            expected: 7,
            kept,
            both_ways: 0,
            home: kept,
            away: 0,
            late: 0,
            days: kept,
            longest_gap_h: 30,
            standing,
            band: Band::Weekly,
        }
    }

    /// So many families of one child each.
    fn families(of: &[(&str, usize, Standing, u32)]) -> Rows {
        let mut rows = Rows::new();
        for (site, count, standing, kept) in of {
            for _ in 0..*count {
                let row = WeekRow {
                    site: Some((*site).to_owned()),
                    home_zone: None,
                    away_zone: None,
                    children: vec![child(3, *standing, *kept)],
                    shared_phones: 1,
                    idle_phones: 0,
                    closed: true,
                    as_of: 5,
                };
                rows.insert(u64::try_from(rows.len()).unwrap().to_be_bytes().to_vec(), row);
            }
        }
        rows
    }

    fn week() -> Week {
        "2026W48".parse().unwrap()
    }

    #[test]
    fn a_line_says_how_a_site_does_and_how_that_changed() {
        let before = families(&[("a", 30, Standing::OnTrack, 7), ("b", 40, Standing::OnTrack, 7)]);
        let now = families(&[("a", 30, Standing::AtRisk, 0), ("b", 40, Standing::OnTrack, 7)]);

        let lines = lines(week(), &now, &before, 5);

        let [a, b, all] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((a.site.as_deref(), a.children, a.at_risk), (Some("a"), Some(30), Some(30)));
        assert_eq!((a.adherence, a.change, a.newly), (Some(0.0), Some(-100.0), Some(30)));
        assert_eq!((b.change, b.newly, b.silent), (Some(0.0), Some(0), Some(0)));
        assert_eq!((all.site.as_deref(), all.children, all.newly), (None, Some(70), Some(30)));
        assert_eq!((all.shared_phones, all.idle_phones), (Some(70), Some(0)));
    }

    #[test]
    fn what_would_single_somebody_out_is_left_out() {
        let before = families(&[("a", 30, Standing::OnTrack, 7), ("b", 40, Standing::OnTrack, 7)]);
        let mut now = before.clone();
        let first = now.first_entry().unwrap().into_mut();
        first.children[0].standing = Standing::AtRisk;

        let lines = lines(week(), &now, &before, 5);

        assert_eq!((lines[0].at_risk, lines[0].newly), (None, None));
        assert_eq!((lines[2].at_risk, lines[2].newly), (None, None));
        assert_eq!(lines[0].children, Some(30));
    }

    #[test]
    fn a_caseworker_is_sent_the_own_sites_alone() {
        let line = |site: Option<&str>| Line { site: site.map(str::to_owned), ..Line::default() };
        let lines = vec![line(None), line(Some("a")), line(Some("b")), line(None)];
        let staff = |role, sites: &[&str]| StaffFact {
            role,
            sites: sites.iter().map(|site| (*site).to_owned()).collect(),
            name: String::new(),
            email: None,
            language: "en".into(),
            left: false,
        };

        assert_eq!(seen_by(&staff(Role::Caseworker, &["b"]), lines.clone()), [line(Some("b"))]);
        assert_eq!(seen_by(&staff(Role::Auditor, &[]), lines.clone()), lines);
    }

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

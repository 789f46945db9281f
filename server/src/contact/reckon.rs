//! From what is known of a family to how it stands and what its weeks say, and until when that holds. Pure.

use std::collections::BTreeMap;

use jiashu_contact::age::AgeBand;
use jiashu_contact::escalation::Step;
use jiashu_contact::figures::Band;
use jiashu_contact::keeping::{Outcome, kept, missed_in_a_row};
use jiashu_contact::ledger::{Contact, Way, of_child};
use jiashu_contact::plan::{Pause, Plan};
use jiashu_contact::standing::{Child, Thresholds};
use jiashu_contact::two_way::moments;
use jiashu_contact::week::{Week, Weekly};
use jiashu_proto::id::{MemberId, Millis, Role};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

use super::known::{Counted, Known};
use super::rows::{ChildRow, ChildWeek, Edges, FamilyRow, PhoneRow, WeekRow};
use super::stays::Stays;
use super::uses::Uses;
use crate::clock::timestamp;

/// Days without use after which a shared phone is idle.
const IDLE: i64 = 42;

/// Weeks that are made up for after an outage: as long as the figures look back at all.
const MOST_WEEKS: usize = 60;

/// Over so many ms after midnight the looks of a Monday are spread: before the digest of eight in the morning.
const SPREAD_MS: u64 = 6 * 60 * 60 * 1000;

/// What the programme says.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// The clocks of the sites where the family is and was, IANA, by their codes; where there is none: the clock at home.
    pub zones: BTreeMap<String, String>,
    /// Where one standing ends and the next begins.
    pub thresholds: Thresholds,
    /// In which ms after a midnight the family has its turn.
    pub turn: u64,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reckoned {
    /// How it stands.
    pub row: FamilyRow,
    /// Who is asked because of each child.
    pub steps: BTreeMap<MemberId, Step>,
    /// What its weeks say that have not closed before, in order.
    pub weeks: Vec<(Week, WeekRow)>,
    /// When something of it changes if nothing happens, in ms; absent: never.
    pub next: Option<Millis>,
}

/// What a family is reckoned by.
struct Family<'a> {
    known: &'a Known,
    setting: &'a Setting,
    stays: Stays,
    /// The clock where it is.
    zone: TimeZone,
    plan: Plan,
    counted: Vec<Counted>,
    /// The same without whether they came late.
    ledger: Vec<Contact>,
    now: Timestamp,
}

/// How a family stands then.
#[must_use]
pub fn reckon(known: &Known, setting: &Setting, now: Millis) -> Reckoned {
    let home_zone = known.zone_of(Role::Child).map(str::to_owned);
    let stays = known.stays(&setting.zones);
    let zone = stays.present().zone.clone();
    let counted = known.contacts(&stays);
    let ledger = counted.iter().map(|counted| counted.contact).collect();
    let now_at = timestamp(now);
    let plan = known.plan(now_at, &zone);
    let family = Family { known, setting, stays, zone, plan, counted, ledger, now: now_at };
    let intended = family.plan.expected(now_at, &family.zone).next().map(|next| next.at);
    let row = FamilyRow {
        case_code: known.placement.case_code.clone(),
        site: known.placement.site.clone(),
        active: known.active,
        counted: known.counted_since.is_some(),
        children: known.children().map(|member| family.child(member)).collect(),
        next: millis(intended),
        away_zone: known.zone_of(Role::Parent).map(str::to_owned),
        home_zone,
        phones: phones(known),
        as_of: now,
        tasks: Vec::new(),
        agreed_until: None,
        leaves_at: None,
        zone: None,
        pauses: Vec::new(),
    };
    let row = family.on_its_clock(row);
    let step = |child: &ChildRow| {
        let missed = child.missed_in_a_row;
        (child.member, Step::of(child.standing, missed, &setting.thresholds))
    };
    let steps = row.children.iter().map(step).collect();
    let weeks = family.weeks(&row);
    let next = known.counted_since.and_then(|_| family.next_look(intended));
    Reckoned { row, steps, weeks, next: next.map(Timestamp::as_millisecond) }
}

impl Family<'_> {
    fn of_child(&self, member: MemberId) -> Child<'_> {
        self.of_child_there(member, &self.zone)
    }

    fn of_child_there<'a>(&'a self, member: MemberId, zone: &'a TimeZone) -> Child<'a> {
        let since = self.known.since();
        let (plan, ledger, thresholds) = (&self.plan, &self.ledger, &self.setting.thresholds);
        Child { member, since, plan, ledger, thresholds, zone }
    }

    /// With what its days are counted by: they go on while nobody looks.
    fn on_its_clock(&self, row: FamilyRow) -> FamilyRow {
        let zone = self.zone.iana_name().filter(|zone| row.home_zone.as_deref() != Some(zone));
        let heard = |child: &ChildRow| [child.two_way_at, child.home_at, child.away_at];
        let first = row.children.iter().flat_map(heard).flatten().min();
        let first = first.map(|first| self.zone.to_datetime(timestamp(first)).date());
        let counts = |pause: &&Pause| first.is_some_and(|first| first < pause.last);
        let pauses = self.plan.pauses.iter().filter(counts);
        let pauses =
            pauses.map(|pause| (pause.first.to_string(), pause.last.to_string())).collect();
        FamilyRow { zone: zone.map(str::to_owned), pauses, ..row }
    }

    fn child(&self, member: MemberId) -> ChildRow {
        let child = self.of_child(member);
        let contacts = of_child(&self.ledger, member);
        let missed = child
            .since
            .map_or(0, |since| missed_in_a_row(&self.plan, &contacts, since, self.now, &self.zone));
        let last = |way| contacts.iter().filter(|one| one.way == way).map(|one| one.heard_at).max();
        ChildRow {
            member,
            standing: child.standing(self.now),
            band: Band::of(&contacts, self.zone.to_datetime(self.now).date(), &self.zone),
            missed_in_a_row: missed,
            since: millis(child.since),
            two_way_at: millis(moments(&contacts).filter(|at| child.since <= Some(*at)).last()),
            home_at: millis(last(Way::Home)),
            away_at: millis(last(Way::Away)),
        }
    }

    /// From the first that has not closed before to the one that it is.
    fn weeks(&self, row: &FamilyRow) -> Vec<(Week, WeekRow)> {
        let Some(since) = self.known.since() else { return Vec::new() };
        let current = self.stays.week_at(self.now);
        // Weeks in which it was not counted have no row, whichever has closed before.
        let first = self.known.closed.map(Week::next).max(Some(self.stays.week_at(since)));
        let all = std::iter::successors(Some(current), |week| Some(week.before()));
        let mut weeks: Vec<_> =
            all.take_while(|week| Some(*week) >= first).take(MOST_WEEKS).collect();
        weeks.reverse();
        weeks.into_iter().map(|week| (week, self.week(week, row))).collect()
    }

    fn week(&self, week: Week, row: &FamilyRow) -> WeekRow {
        let ends = self.stays.ends(week).min(self.now);
        // A phone that joined later was none of that week's.
        let joined = |phone: &PhoneRow| self.known.joined(phone.device);
        let was_in = |phone: &PhoneRow| joined(phone).is_none_or(|joined| joined < ends);
        let shared = row.phones.iter().filter(|phone| phone.is_shared() && was_in(phone));
        // Not by when it was used last, which may be in a later week.
        let used = self.known.used(ends.as_millisecond());
        let is_idle = |phone: &&PhoneRow| {
            let used = used.get(&phone.device).copied().flatten().map(timestamp);
            // What was before it was counted is not known, and nothing was before it joined.
            let used = used.max(self.known.since()).max(joined(phone));
            used.is_none_or(|at| ends.duration_since(at) >= SignedDuration::from_hours(24 * IDLE))
        };
        let shared: Vec<_> = shared.collect();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let stay = self.stays.of(week, self.now);
        let devices: Vec<_> = shared.iter().map(|phone| phone.device).collect();
        let uses = self.known.uses(&devices, (self.stays.begins(week), ends));
        WeekRow {
            site: stay.site.clone(),
            home_zone: row.home_zone.clone(),
            away_zone: row.away_zone.clone(),
            children: self
                .known
                .children()
                .filter_map(|member| self.child_week(member, week))
                .collect(),
            shared_phones: count(shared.len()),
            idle_phones: count(shared.into_iter().filter(is_idle).count()),
            closed: self.stays.closes(week) <= self.now,
            as_of: row.as_of,
            uses: Uses::of(uses.map(|at| hour_of_week(at, &stay.zone))),
            care: self.known.placement.care,
        }
    }

    /// `None` of a child that was not counted yet.
    fn child_week(&self, member: MemberId, week: Week) -> Option<ChildWeek> {
        let (begins, ends) = (self.stays.begins(week), self.stays.ends(week));
        let zone = &self.stays.of(week, self.now).zone;
        let child = self.of_child_there(member, zone);
        let since = child.since.filter(|since| *since < ends)?;
        // The last instant of it, or what it is now.
        let then = ends.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(ends).min(self.now);
        let contacts = of_child(&self.ledger, member);
        let Weekly { tally, home, away, days, longest_gap, first_gap, last_gap } =
            Weekly::between((begins, ends), &self.plan, &contacts, since, self.now, zone);
        let late = self.counted.iter().filter(|counted| {
            let Contact { heard_at, child, .. } = counted.contact;
            counted.late && child == member && begins <= heard_at && heard_at < ends
        });
        let today = zone.to_datetime(then).date();
        let minutes = |gap: SignedDuration| u32::try_from(gap.as_mins()).unwrap_or(0);
        Some(ChildWeek {
            member,
            expected: tally.expected,
            kept: tally.kept,
            both_ways: tally.both_ways,
            home,
            away,
            late: u32::try_from(late.count()).unwrap_or(u32::MAX),
            days,
            longest_gap_h: u32::try_from(longest_gap.as_hours()).unwrap_or(0),
            standing: child.standing(then),
            band: Band::of(&contacts, today, zone),
            age: self.known.born_in(member).and_then(|born_in| AgeBand::of(born_in, today)),
            edges: Some(Edges { first_min: minutes(first_gap), last_min: minutes(last_gap) }),
        })
    }

    /// When something of all this changes if nothing happens.
    fn next_look(&self, intended: Option<Timestamp>) -> Option<Timestamp> {
        let mut all: Vec<Timestamp> = intended.into_iter().collect();
        for member in self.known.children() {
            let child = self.of_child(member);
            all.extend(child.next_change(self.now));
            let Some(since) = child.since else { continue };
            let contacts = of_child(&self.ledger, member);
            let open = kept(&self.plan, &contacts, since, self.now, &self.zone).into_iter();
            let open = open.filter(|(_, outcome)| *outcome == Outcome::Open);
            let over = SignedDuration::from_millis(1);
            all.extend(open.filter_map(|(expected, _)| expected.until.saturating_add(over).ok()));
        }
        // Every Monday one week begins and another closes; not for all families in the same minute. This Monday's turn may
        // be still to come, and a week that ended on another clock closes at another hour.
        let current = self.stays.week_at(self.now);
        let before = [current.before(), current.before().before()];
        let edges = [self.stays.begins(current), self.stays.ends(current)].into_iter();
        let edges = edges.chain(before.map(|week| self.stays.closes(week)));
        let turn = i64::try_from(self.setting.turn % SPREAD_MS).unwrap_or(0);
        all.extend(
            edges.filter_map(|at| at.saturating_add(SignedDuration::from_millis(turn)).ok()),
        );
        all.into_iter().filter(|at| *at > self.now).min()
    }
}

fn phones(known: &Known) -> Vec<PhoneRow> {
    let roster = &known.roster;
    let serves = |members: &[MemberId]| {
        let role = |member: &MemberId| roster.members().get(member).map(|role| (*member, *role));
        members.iter().filter_map(role).collect()
    };
    let used = known.used(Millis::MAX).into_iter();
    let phone = used.filter_map(|(device, used_at)| {
        let members = &roster.devices().get(&device)?.members;
        Some(PhoneRow { device, serves: serves(members), used_at })
    });
    phone.collect()
}

/// Which hour of its week that is there, from 0.
fn hour_of_week(at: Timestamp, zone: &TimeZone) -> usize {
    let there = zone.to_datetime(at);
    let day = there.weekday().to_monday_zero_offset();
    usize::try_from(i32::from(day) * 24 + i32::from(there.hour())).unwrap_or(0)
}

pub(super) fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

fn millis(at: Option<Timestamp>) -> Option<Millis> {
    at.map(Timestamp::as_millisecond)
}

//! From what is known of a family to how it stands, and until when. Pure.

use jiashu_contact::figures::Band;
use jiashu_contact::keeping::{kept, missed_in_a_row};
use jiashu_contact::ledger::{Way, of_child};
use jiashu_contact::standing::{Child, Thresholds};
use jiashu_contact::two_way::moments;
use jiashu_proto::id::{MemberId, Millis, Role};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::known::{Known, timestamp};
use super::rows::{ChildRow, FamilyRow, PhoneRow};

/// What the programme says.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// The clock of the family's site, IANA; absent: the clock at home.
    pub zone: Option<String>,
    /// Where one standing ends and the next begins.
    pub thresholds: Thresholds,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reckoned {
    /// For the programme.
    pub row: FamilyRow,
    /// When something of it changes if nothing happens, in ms; absent: never.
    pub next: Option<Millis>,
}

/// How a family stands then.
#[must_use]
pub fn reckon(known: &Known, setting: &Setting, now: Millis) -> Reckoned {
    let home_zone = known.zone_of(Role::Child).map(str::to_owned);
    let zone = setting.zone.as_deref().or(home_zone.as_deref()).and_then(zone);
    let zone = zone.unwrap_or(TimeZone::UTC);
    let at = timestamp(now);
    let (plan, ledger) = (known.plan(), known.contacts());
    let mut next: Option<Timestamp> = None;
    let child = |member: MemberId| {
        let since = known.since(member, &zone);
        let contacts = of_child(&ledger, member);
        let thresholds = &setting.thresholds;
        let child = Child { member, since, plan: &plan, ledger: &ledger, thresholds, zone: &zone };
        next = [next, child.next_change(at)].into_iter().flatten().min();
        let missed =
            since.map_or(0, |since| missed_in_a_row(&kept(&plan, &contacts, since, at, &zone)));
        let last = |way| contacts.iter().filter(|one| one.way == way).map(|one| one.heard_at).max();
        ChildRow {
            member,
            standing: child.standing(at),
            band: Band::of(&contacts, zone.to_datetime(at).date(), &zone),
            missed_in_a_row: missed,
            since: millis(since),
            two_way_at: millis(moments(&contacts).last()),
            home_at: millis(last(Way::Home)),
            away_at: millis(last(Way::Away)),
        }
    };
    let children = known.children().map(child).collect();
    let intended = plan.expected(at, &zone).next().map(|next| next.at);
    let next = [next, intended.filter(|_| known.counted)].into_iter().flatten().min();
    let row = FamilyRow {
        case_code: known.placement.case_code.clone(),
        site: known.placement.site.clone(),
        active: known.active,
        counted: known.counted,
        children,
        next: millis(intended),
        away_zone: known.zone_of(Role::Parent).map(str::to_owned),
        home_zone,
        phones: phones(known),
        as_of: now,
    };
    Reckoned { row, next: millis(next) }
}

fn phones(known: &Known) -> Vec<PhoneRow> {
    let roster = &known.roster;
    let serves = |members: &[MemberId]| {
        let role = |member: &MemberId| roster.members().get(member).map(|role| (*member, *role));
        members.iter().filter_map(role).collect()
    };
    let used = known.used().into_iter();
    let phone = used.filter_map(|(device, used_at)| {
        let members = &roster.devices().get(&device)?.members;
        Some(PhoneRow { device, serves: serves(members), used_at })
    });
    phone.collect()
}

pub(super) fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

fn millis(at: Option<Timestamp>) -> Option<Millis> {
    at.map(Timestamp::as_millisecond)
}

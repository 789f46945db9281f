//! Which family to ring first.

use jiashu_api::worklist::{Child, Counting, Family, Next, Phone, Use, Worklist};
use jiashu_contact::standing::Standing;
use jiashu_proto::id::{Millis, Scope};
use jiashu_recurrence::{local_text, utc_text};
use jiff::Timestamp;

use super::audit::Asked;
use super::caseload::caseload;
use super::staff::{Staff, Wants, allow_quietly};
use super::tasks;
use crate::contact::rows::{ChildRow, FAMILIES, FamilyRow, PhoneRow};
use crate::execute::Failure;
use crate::family::tasks::TaskKind;
use crate::relay::Relay;

/// Milliseconds of a day.
const DAY_MS: Millis = 24 * 60 * 60 * 1000;

/// Days without use after which a shared phone is quiet, and idle.
const QUIET_AND_IDLE: (i64, i64) = (14, 42);

/// Families that are shown where nobody says how many: more than anybody rings in a week.
pub const USUAL: usize = 200;

/// So many at most.
pub const MOST: usize = 100_000;

/// The families of a member of staff, the first so many.
///
/// # Errors
///
/// [`Failure`].
pub async fn worklist(relay: &Relay, staff: &Staff, most: usize) -> Result<Worklist, Failure> {
    let asked = Asked { action: "worklist", ..Asked::default() };
    allow_quietly(relay, staff, Wants::Families, asked).await?;
    let now = relay.clock.now();
    let caseload = caseload(&*relay.store, staff.programme).await?;
    let rows = relay.store.book(staff.programme, FAMILIES).await?;
    let own = rows.iter().filter_map(|row| {
        let family = Scope(u64::from_be_bytes(row.name.as_slice().try_into().ok()?));
        let read = FamilyRow::read(row)?;
        staff.owns(caseload.get(&family).copied(), read.site.as_deref()).then_some(read)
    });
    let mut rows: Vec<_> = own.collect();
    // Who asks for help comes first. Of equals whom nothing was heard of for longer; then by code, so that the list stands still.
    rows.sort_by_cached_key(|row| {
        let asks_for_help = row.tasks.iter().any(|task| task.kind == TaskKind::Help);
        let standing = (asks_for_help, row.standing());
        (std::cmp::Reverse(standing), longest_ago(row), row.case_code.clone())
    });
    let families = rows.iter().take(most).map(|row| listed(row, now)).collect();
    Ok(Worklist { as_of: text(now), total: rows.len(), families })
}

/// When both had last heard each other, of the child for whom that is longest ago; of one that never was, since when
/// it is counted.
fn longest_ago(row: &FamilyRow) -> Millis {
    let since = |child: &ChildRow| child.two_way_at.or(child.since).unwrap_or(Millis::MAX);
    row.children.iter().map(since).min().unwrap_or(Millis::MAX)
}

/// A row as staff see it then.
#[must_use]
pub fn listed(row: &FamilyRow, now: Millis) -> Family {
    let days_of = row.days(now);
    let days = |at: Option<Millis>| at.map(|at| i64::from(days_of(at)));
    let never = row.children.iter().any(|child| child.two_way_at.is_none());
    let two_way = row.children.iter().filter_map(|child| child.two_way_at).min();
    let child = |child: &ChildRow| Child {
        member: child.member.0,
        standing: child.standing.name().to_owned(),
        band: child.band.name().to_owned(),
        missed_in_a_row: child.missed_in_a_row,
        days_since_two_way: days(child.two_way_at),
        days_since_home: days(child.home_at),
        days_since_away: days(child.away_at),
    };
    let standing = if row.active { row.standing() } else { Standing::NotActive };
    Family {
        case_code: row.case_code.clone(),
        site: row.site.clone(),
        counting: match (row.active, row.counted) {
            (false, _) => Counting::NotActive,
            (true, false) => Counting::NotCounted,
            (true, true) => Counting::Counted,
        },
        standing: standing.name().to_owned(),
        days_since_two_way: days(two_way).filter(|_| !never),
        missed_in_a_row: row.children.iter().map(|child| child.missed_in_a_row).max().unwrap_or(0),
        next: row.next.map(|at| next(row, at)),
        children: row.children.iter().map(child).collect(),
        phones: row.phones.iter().map(|phone| listed_phone(phone, row.counted, now)).collect(),
        as_of: text(row.as_of),
        agreed_until: row.agreed_until.clone(),
        leaves_at: row.leaves_at.map(text),
        tasks: row.tasks.iter().map(|task| tasks::listed(task, &row.case_code)).collect(),
    }
}

fn next(row: &FamilyRow, at: Millis) -> Next {
    let instant = timestamp(at);
    let local =
        |zone: &Option<String>| zone.as_deref().and_then(|zone| local_text(instant, zone).ok());
    Next { at: text(at), home: local(&row.home_zone), away: local(&row.away_zone) }
}

fn listed_phone(phone: &PhoneRow, counted: bool, now: Millis) -> Phone {
    let days = phone.used_at.map(|at| now.saturating_sub(at).max(0) / DAY_MS);
    let (quiet, idle) = QUIET_AND_IDLE;
    Phone {
        device: phone.device.0,
        serves: phone.serves.iter().map(|(_, role)| role.name().to_owned()).collect(),
        shared: phone.is_shared(),
        in_use: match days {
            _ if !counted => Use::NotCounted,
            None => Use::Never,
            Some(days) if days >= idle => Use::Idle,
            Some(days) if days >= quiet => Use::Quiet,
            Some(_) => Use::Used,
        },
        days_unused: days,
    }
}

fn text(at: Millis) -> String {
    utc_text(timestamp(at))
}

fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use jiashu_proto::entry::Terms;
    use jiashu_proto::id::DeviceId;

    use super::*;
    use crate::contact::tests::{PROGRAMME, Weeks};

    #[tokio::test]
    async fn once_counting_has_lapsed_nobody_sees_when_they_heard_each_other() {
        let mut weeks = Weeks::begin().await;
        let until = Terms { until: Some("2026-11-12".into()), ..Terms::default() };
        weeks.consent(|consent| consent.counting_terms = Some(Box::new(until.clone()))).await;
        weeks.until("2026-11-05T19:40").await;
        weeks.both_ways("2026-11-05T19:40").await;
        weeks.until("2026-11-09T09:00").await;
        let seen = async |weeks: &Weeks| {
            let staff = Staff::load(&*weeks.relay.store, PROGRAMME, DeviceId(1)).await.unwrap();
            worklist(&weeks.relay, &staff, 1).await.unwrap().families.remove(0)
        };
        let before = seen(&weeks).await;
        assert_eq!(before.children[0].days_since_home, Some(3));
        assert_eq!(before.days_since_two_way, Some(3));

        weeks.until("2026-11-12T09:00").await;

        let family = seen(&weeks).await;
        assert_eq!((family.counting, family.days_since_two_way), (Counting::NotCounted, None));
        let Child { band, days_since_two_way, days_since_home, days_since_away, .. } =
            &family.children[0];
        assert_eq!([days_since_two_way, days_since_home, days_since_away], [&None; 3]);
        assert_eq!(band, "none");
        assert!(family.phones.iter().all(|phone| phone.days_unused.is_none()));
        let rows = weeks.relay.store.book(PROGRAMME, FAMILIES).await.unwrap();
        let row = FamilyRow::read(&rows[0]).unwrap();
        assert_eq!((row.children[0].home_at, row.children[0].two_way_at), (None, None));
    }

    #[test]
    fn what_an_older_relay_entered_of_a_family_that_is_not_counted_is_not_shown() {
        let child = ChildRow {
            member: jiashu_proto::id::MemberId(3),
            standing: Standing::NotActive,
            band: jiashu_contact::figures::Band::Weekly,
            missed_in_a_row: 0,
            since: None,
            two_way_at: Some(5),
            home_at: Some(7),
            away_at: Some(5),
        };
        let phone = PhoneRow { device: DeviceId(1), serves: Vec::new(), used_at: Some(7) };
        let row = FamilyRow {
            case_code: "GS-001".into(),
            site: None,
            active: true,
            counted: false,
            children: vec![child],
            next: None,
            home_zone: None,
            away_zone: None,
            phones: vec![phone],
            as_of: 10,
            tasks: Vec::new(),
            agreed_until: None,
        };
        let row = crate::store::LedgerRow {
            book: FAMILIES.into(),
            name: Vec::new(),
            version: (1, 1),
            value: row.to_bytes(),
        };

        let seen = listed(&FamilyRow::read(&row).unwrap(), 9 * DAY_MS);

        assert_eq!((seen.days_since_two_way, seen.children[0].days_since_home), (None, None));
        assert_eq!((seen.children[0].band.as_str(), seen.phones[0].days_unused), ("none", None));
    }
}

//! Which family to ring first.

use std::cmp::Reverse;

use jiashu_api::worklist::{Child, Counting, Family, Next, Phone, Use, Worklist};
use jiashu_contact::standing::Standing;
use jiashu_proto::id::Millis;
use jiashu_recurrence::local_text;

use super::audit::Asked;
use super::caseload::Own;
use super::staff::{Staff, Wants, allow_quietly};
use super::tasks;
use crate::clock::{text, timestamp};
use crate::contact::glance::Glance;
use crate::contact::rows::{ChildRow, FAMILIES, FamilyRow, PhoneRow};
use crate::execute::Failure;
use crate::relay::Relay;
use crate::store::Book;

/// Milliseconds of a day.
const DAY_MS: Millis = 24 * 60 * 60 * 1000;

/// Days without use after which a shared phone is quiet, and idle.
const QUIET_AND_IDLE: (i64, i64) = (14, 42);

/// Families that are shown where nobody says how many: more than anybody rings in a week.
pub const USUAL: usize = 200;

/// So many at most.
pub const MOST: usize = 100_000;

/// Which families of somebody are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Which {
    /// So many at most.
    pub most: usize,
    /// So many before them are passed over.
    pub after: usize,
    /// Those of this site alone.
    pub site: Option<String>,
    /// Those that stand so alone, by the word in JSON.
    pub standing: Option<String>,
}

impl Which {
    /// The first so many of all.
    #[must_use]
    pub fn first(most: usize) -> Self {
        Self { most, after: 0, site: None, standing: None }
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        let site = self.site.as_deref();
        let standing = self.standing.as_deref();
        site.is_none_or(|site| glance.site == Some(site))
            && standing.is_none_or(|standing| glance.standing().name() == standing)
    }
}

/// The families of a member of staff: those of them that are asked for, and how many there are of these.
///
/// # Errors
///
/// [`Failure`].
pub async fn worklist(relay: &Relay, staff: &Staff, which: &Which) -> Result<Worklist, Failure> {
    let asked = Asked { action: "worklist", ..Asked::default() };
    allow_quietly(relay, staff, Wants::Families, asked).await?;
    let now = relay.clock.now();
    let own = Own::of(relay, staff).await?;
    let book = relay.store.whole_book(staff.programme, FAMILIES).await?;
    let (first, total) = first(&book, &own, which);
    let families = first.iter().map(|row| listed(row, now)).collect();
    Ok(Worklist { as_of: text(now), total, families })
}

/// Those in the book that are somebody's own and asked for, and how many fit. What all are put in order by is
/// read where it stands; only those that are shown are read as a whole.
fn first(book: &Book, own: &Own<'_>, which: &Which) -> (Vec<FamilyRow>, usize) {
    let keyed = book.iter().enumerate().filter_map(|(place, row)| {
        let glance = own.glance(row).filter(|glance| which.fits(glance))?;
        // Who asks for help comes first. Of those that stand alike, those where somebody is to ring: a child that a parent
        // never hears may hear that parent every week. Then whom nothing was heard of for longer; then by code, so that the
        // list stands still.
        let standing =
            Reverse((glance.asks_for_help(), glance.standing(), !glance.tasks.is_empty()));
        Some((standing, glance.longest_ago(), glance.case_code, place))
    });
    let mut keyed: Vec<_> = keyed.collect();
    let total = keyed.len();
    let upto = which.after.saturating_add(which.most);
    if upto < total {
        keyed.select_nth_unstable(upto);
        keyed.truncate(upto);
    }
    keyed.sort_unstable();
    let asked = keyed.iter().skip(which.after);
    let rows = asked.filter_map(|(.., place)| FamilyRow::from_bytes(book.get(*place)?.value));
    (rows.collect(), total)
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

#[cfg(test)]
mod tests {
    use jiashu_contact::figures::Band;
    use jiashu_proto::entry::Terms;
    use jiashu_proto::id::{DeviceId, MemberId, Role, Scope};
    use proptest::prelude::*;

    use super::*;
    use crate::contact::tests::{PROGRAMME, Weeks};
    use crate::family::tasks::{Task, TaskKind};
    use crate::programme;
    use crate::store::BookRow;

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
            worklist(&weeks.relay, &staff, &Which::first(1)).await.unwrap().families.remove(0)
        };
        let before = seen(&weeks).await;
        assert_eq!(before.children[0].days_since_home, Some(4));
        assert_eq!(before.days_since_two_way, Some(4));

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
            leaves_at: None,
            zone: None,
            pauses: Vec::new(),
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

    /// As it was before rows were read at a glance: all are read, and all are put in order.
    fn oracle(rows: &[Vec<u8>], sites: Option<&[String]>, most: usize) -> (Vec<FamilyRow>, usize) {
        let is_own = |row: &FamilyRow| {
            sites.is_none_or(|sites| row.site.as_ref().is_some_and(|site| sites.contains(site)))
        };
        let mut rows: Vec<_> = rows.iter().filter_map(|row| FamilyRow::from_bytes(row)).collect();
        rows.retain(is_own);
        let longest_ago = |row: &FamilyRow| {
            let since = |child: &ChildRow| child.two_way_at.or(child.since).unwrap_or(Millis::MAX);
            row.children.iter().map(since).min().unwrap_or(Millis::MAX)
        };
        rows.sort_by_cached_key(|row| {
            let asks_for_help = row.tasks.iter().any(|task| task.kind == TaskKind::Help);
            let standing = Reverse((asks_for_help, row.standing(), !row.tasks.is_empty()));
            (standing, longest_ago(row), row.case_code.clone())
        });
        let total = rows.len();
        rows.truncate(most);
        (rows, total)
    }

    fn child() -> impl Strategy<Value = ChildRow> {
        let at = || proptest::option::of(-3..3_i64);
        (0..8_usize, 0..5_usize, at(), at()).prop_map(|(standing, band, since, two_way_at)| {
            ChildRow {
                member: MemberId(3),
                standing: Standing::ALL[standing],
                band: Band::ALL[band],
                missed_in_a_row: 1,
                since,
                two_way_at,
                home_at: since,
                away_at: None,
            }
        })
    }

    fn family() -> impl Strategy<Value = FamilyRow> {
        let site = proptest::option::of("[ab]");
        let tasks = proptest::sample::subsequence(TaskKind::ALL.to_vec(), 0..=2);
        let phone = PhoneRow {
            device: DeviceId(2),
            serves: vec![(MemberId(2), Role::Caregiver), (MemberId(3), Role::Child)],
            used_at: Some(9),
        };
        let phones = proptest::collection::vec(Just(phone), 0..2);
        let children = proptest::collection::vec(child(), 0..3);
        ("[a-c]", site, children, tasks, phones).prop_map(
            |(case_code, site, children, tasks, phones)| FamilyRow {
                case_code,
                active: true,
                counted: true,
                children,
                next: Some(8),
                home_zone: site.clone(),
                away_zone: None,
                phones,
                as_of: 10,
                tasks: tasks.into_iter().map(|kind| Task::open(kind, MemberId(3), 5)).collect(),
                agreed_until: site.clone(),
                leaves_at: Some(11),
                zone: site.clone(),
                pauses: site.iter().map(|site| (site.clone(), site.clone())).collect(),
                site,
            },
        )
    }

    /// Bytes of a row, some of them not as they were written.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let broken = proptest::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
        (family(), broken).prop_map(|(family, broken)| {
            let mut bytes = family.to_bytes();
            if let Some((at, byte)) = broken {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        })
    }

    proptest! {
        #[test]
        fn the_list_is_as_if_all_were_read_and_put_in_order(
            rows in proptest::collection::vec(bytes(), 0..40),
            most in 0..45_usize,
            is_caseworker: bool,
        ) {
            let mut book = Book::default();
            for (number, value) in (0_u64..).zip(&rows) {
                book.push(BookRow { name: &number.to_be_bytes(), version: (1, 1), value });
            }
            let sites = vec!["a".to_owned()];
            let role =
                if is_caseworker { programme::Role::Caseworker } else { programme::Role::Coordinator };
            let (programme, number) = (Scope(7), DeviceId(1));
            let staff = Staff { programme, number, role, sites: sites.clone() };

            let own = Own::whose(&staff);
            let listed = first(&book, &own, &Which::first(most));

            let expected = oracle(&rows, is_caseworker.then_some(&sites[..]), most);
            prop_assert_eq!(&listed, &expected);
            // Over two pages they are the same.
            let half = most / 2;
            let mut pages = first(&book, &own, &Which::first(half)).0;
            pages.extend(first(&book, &own, &Which { after: half, ..Which::first(most - half) }).0);
            prop_assert_eq!(pages, expected.0);
        }

        #[test]
        fn a_row_reads_at_a_glance_just_where_it_reads(row in bytes()) {
            let whole = FamilyRow::from_bytes(&row);

            let glance = Glance::from_bytes(&row);

            prop_assert_eq!(glance.is_some(), whole.is_some());
        }
    }
}

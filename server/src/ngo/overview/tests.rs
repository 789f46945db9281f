//! The programme's page beside its reports, and what is kept of its weeks.

use std::collections::BTreeMap;

use jiashu_api::programme::{Filters, Programme};
use jiashu_contact::figures::Band;
use jiashu_proto::id::{DeviceId, MemberId, Scope, TokenHash};
use proptest::prelude::*;
use tempfile::TempDir;

use super::kept::Kept;
use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::contact::rows::{ChildWeek, Edges, WeekRow, changed, week_book};
use crate::contact::uses::Uses;
use crate::ngo::caseload::own;
use crate::ngo::report::{By, report};
use crate::programme::{StaffFact, entry, staff_key};
use crate::store::embedded::{EmbeddedStore, Options};
use crate::store::{Batch, Change, LedgerRow, Precondition, ScopeKind};

const PROGRAMME: Scope = Scope(70);
const LAST: &str = "2026W47";

struct Page {
    relay: Relay,
    _folder: TempDir,
}

/// A week of a child who was not heard.
pub(super) fn child(standing: Standing) -> ChildWeek {
    let week_min = 7 * 24 * 60;
    ChildWeek {
        member: MemberId(3),
        expected: 7,
        kept: 4,
        both_ways: 2,
        home: 0,
        away: 0,
        late: 0,
        days: 0,
        longest_gap_h: 168,
        standing,
        band: Band::Weekly,
        age: Some(AgeBand::UpTo8),
        edges: Some(Edges { first_min: week_min, last_min: week_min }),
    }
}

pub(super) fn row(site: &str, children: Vec<ChildWeek>) -> WeekRow {
    WeekRow {
        site: Some(site.to_owned()),
        home_zone: Some("Asia/Shanghai".into()),
        away_zone: Some("Europe/Rome".into()),
        children,
        shared_phones: 1,
        idle_phones: 0,
        closed: true,
        as_of: 5,
        uses: Uses::of([20, 20].into_iter()),
        care: None,
    }
}

impl Page {
    /// On Tuesday, 8 December 2026.
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data: folder.path().to_owned(), ..Config::defaults() };
        let store = EmbeddedStore::open(folder.path(), Options::default()).unwrap();
        let blobs = crate::blobs::open(&config).unwrap();
        let now: jiff::Timestamp = "2026-12-08T12:00:00Z".parse().unwrap();
        let clock = Clock::manual(now.as_millisecond());
        let relay = Relay::new(config, Arc::new(store), blobs, clock);
        let seat = |device| Change::AddSeat {
            device: DeviceId(device),
            token_hash: TokenHash([1; 32]),
            members: Vec::new(),
        };
        let batch = Batch {
            requires: vec![Precondition::Absent],
            changes: vec![Change::Create(ScopeKind::Programme), seat(1), seat(2)],
            ..Batch::new(relay.clock.now())
        };
        relay.store.commit(PROGRAMME, batch).await.unwrap();
        Self { relay, _folder: folder }
    }

    async fn change(&self, changes: Vec<Change>) {
        let batch = Batch { changes, ..Batch::new(self.relay.clock.now()) };
        self.relay.store.commit(PROGRAMME, batch).await.unwrap();
    }

    /// What a week says of families, from 0.
    async fn week(&self, week: &str, rows: impl IntoIterator<Item = WeekRow>) {
        let book = week_book(week.parse().unwrap());
        let row = |(family, row): (u64, WeekRow)| {
            let (book, name) = (book.clone(), family.to_be_bytes().to_vec());
            Change::Enter(LedgerRow { book, name, version: (1, 1), value: row.to_bytes() })
        };
        self.change((0..).zip(rows).map(row).collect()).await;
    }

    async fn ask(&self, role: Role, weeks: usize, filters: Filters) -> Result<Programme, Failure> {
        let staff = Staff { programme: PROGRAMME, number: DeviceId(1), role, sites: Vec::new() };
        let query = Query { weeks: Some(weeks), until: LAST.parse().ok(), filters };
        overview(&self.relay, &staff, &query).await
    }

    async fn all(&self, weeks: usize) -> Programme {
        self.ask(Role::Coordinator, weeks, Filters::default()).await.unwrap()
    }

    async fn of(&self, filters: Filters) -> Programme {
        self.ask(Role::Coordinator, 1, filters).await.unwrap()
    }
}

fn counts(counts: &[Count]) -> BTreeMap<&str, Option<u32>> {
    counts.iter().map(|count| (count.name.as_str(), count.count)).collect()
}

#[tokio::test]
async fn the_page_and_the_report_say_the_same_to_the_last_digit() {
    let page = Page::open().await;
    for (week, more) in [("2026W46", 0), (LAST, 7)] {
        let rows = (0..60_u32 + more).map(|place| {
            let mut one = child(Standing::ALL[place as usize % 8]);
            (one.kept, one.home, one.away, one.late) = (place % 8, place % 5, place % 3, place % 2);
            let other =
                ChildWeek { member: MemberId(4), expected: place % 2, ..child(Standing::New) };
            let site = ["a", "b", "c", "c"][place as usize % 4];
            let children = if place % 5 == 0 { vec![one, other] } else { vec![one] };
            WeekRow { idle_phones: place % 2, ..row(site, children) }
        });
        page.week(week, rows).await;
    }

    for role in [Role::Coordinator, Role::Auditor] {
        let staff = Staff { programme: PROGRAMME, number: DeviceId(1), role, sites: Vec::new() };
        let shown = page.ask(role, 1, Filters::default()).await.unwrap();
        let period = Period::week(LAST.parse().unwrap());
        let report = report(&page.relay, &staff, &period, By::Site).await.unwrap();
        assert_eq!((&shown.total, &shown.sites), (&report.total, &report.groups), "{role:?}");
        assert_eq!(shown.suppressed_below, report.suppressed_below);
        assert_eq!(shown.weeks[0].figures, report.total);
        assert!(shown.weeks[0].closed && report.closed);

        let both = page.ask(role, 2, Filters::default()).await.unwrap();
        let month = Period {
            name: "202611".into(),
            weeks: vec!["2026W46".parse().unwrap(), LAST.parse().unwrap()],
        };
        let report = crate::ngo::report::report(&page.relay, &staff, &month, By::Site).await;
        let report = report.unwrap();
        assert_eq!((&both.total, &both.sites), (&report.total, &report.groups), "{role:?}");
        assert_eq!(both.weeks[1], shown.weeks[0]);
    }
    let total = page.all(2).await.total;
    assert!(total.interval.unwrap().low < total.adherence.unwrap());
}

#[tokio::test]
async fn a_silence_goes_on_from_one_week_to_the_next() {
    let page = Page::open().await;
    let day = 24 * 60;
    let heard = |first_min, last_min, longest_gap_h| ChildWeek {
        home: 1,
        edges: Some(Edges { first_min, last_min }),
        longest_gap_h,
        ..child(Standing::OnTrack)
    };
    let old = || ChildWeek { edges: None, ..child(Standing::OnTrack) };
    let children = |week: usize| {
        [
            // 2 and 7 and 5 days: 14.
            [heard(5 * day, 2 * day, 120), child(Standing::Watch), heard(5 * day, day, 120)][week]
                .clone(),
            // A row of an older relay joins nothing.
            [child(Standing::Watch), old(), child(Standing::Watch)][week].clone(),
            // 21 days, and nothing was heard.
            child(Standing::Silent),
            // Every other day.
            heard(day, day, 48),
        ]
    };
    for (place, week) in ["2026W45", "2026W46", LAST].into_iter().enumerate() {
        page.week(week, children(place).map(|child| row("a", vec![child]))).await;
    }

    let gaps = page.all(3).await.gaps;

    let some = |count| Some(count);
    let expected = [("0-2", 1), ("3-7", 1), ("8-14", 1), ("15-28", 1), ("29-42", 0), ("43+", 0)];
    assert_eq!(counts(&gaps), expected.map(|(name, count)| (name, some(count))).into());
    assert_eq!(counts(&page.all(1).await.gaps)["3-7"], Some(3));
    assert_eq!(page.all(3).await.hours.unwrap()[0][20], Some(3 * 4 * 2));
}

#[tokio::test]
async fn filters_meet_and_a_few_are_not_told_on_a_screen() {
    let page = Page::open().await;
    let worker = StaffFact {
        role: Role::Caseworker,
        sites: vec!["b".into()],
        name: "Chen".into(),
        email: None,
        language: "en".into(),
        left: false,
    };
    let entries = vec![entry(staff_key(DeviceId(2)), &worker)];
    let batch = Batch { entries, ..Batch::new(page.relay.clock.now()) };
    page.relay.store.commit(PROGRAMME, batch).await.unwrap();
    page.change(vec![own(Scope(0), DeviceId(2), (1, 1)), own(Scope(1), DeviceId(1), (1, 1))]).await;
    // Thirty at a, of whom three are at risk; thirty at b, in another corridor, of whom twelve are.
    let rows = (0..60_usize).map(|place| {
        let at_a = place < 30;
        let at_risk = if at_a { place < 3 } else { place < 42 };
        let standing = if at_risk { Standing::AtRisk } else { Standing::OnTrack };
        let age = Some(if place % 2 == 0 { AgeBand::UpTo8 } else { AgeBand::UpTo11 });
        let one = ChildWeek { age, ..child(standing) };
        let away_zone = Some(if at_a { "Europe/Rome" } else { "Europe/Riga" }.to_owned());
        let care = (place % 3 == 0).then_some(Care::Grandparents);
        WeekRow { away_zone, care, ..row(if at_a { "a" } else { "b" }, vec![one]) }
    });
    page.week(LAST, rows).await;
    let filters = || Filters::default();
    let word = |word: &str| Some(word.to_owned());

    let whole = page.all(1).await;
    assert_eq!((whole.suppressed_below, whole.total.children), (None, Some(60)));
    assert_eq!(counts(&whole.sites[0].standing)["at_risk"], Some(3), "who may open them sees them");
    assert_eq!(whole.choices.workers.len(), 1);
    assert_eq!(whole.choices.corridors.len(), 2);
    assert_eq!(whole.choices.cares, ["grandparents", UNKNOWN]);

    let at_b = page.of(Filters { site: word("b"), ..filters() }).await;
    assert_eq!((at_b.total.children, at_b.sites.len(), at_b.too_few), (Some(30), 1, false));
    assert_eq!(counts(&at_b.total.standing)["at_risk"], Some(12));
    let at_a = page.of(Filters { corridor: word("Europe/Rome>Asia/Shanghai"), ..filters() }).await;
    assert_eq!(at_a.total.children, Some(30));
    let standing = counts(&at_a.total.standing);
    assert_eq!((standing["at_risk"], standing["on_track"], standing["new"]), (None, None, Some(0)));
    let of_age = Filters { site: word("b"), age: word("6-8"), ..filters() };
    let of_age = page.of(of_age).await;
    assert_eq!((of_age.total.children, of_age.total.expected), (Some(15), Some(105)));
    let of_care = async |care| page.of(Filters { care: word(care), ..filters() }).await.total;
    assert_eq!(of_care("grandparents").await.children, Some(20));
    assert_eq!(of_care(UNKNOWN).await.children, Some(40));
    assert_eq!(of_care("self").await.children, Some(0));
    let of_chen = page.of(Filters { worker: Some(2), ..filters() }).await;
    assert_eq!(of_chen.total.children, Some(31), "by name, and those of nobody at her site");

    let few = Filters { site: word("a"), standing: word("at_risk"), ..filters() };
    let few = page.of(few).await;
    assert!(few.too_few);
    assert_eq!((few.total.children, few.total.kept, few.hours), (None, None, None));
    assert!(few.gaps.iter().all(|count| count.count.is_none()));
    let nobody = page.of(Filters { site: word("x"), ..filters() }).await;
    assert_eq!((nobody.too_few, nobody.total.children), (false, Some(0)));

    for bad in [
        Filters { age: word("7"), ..filters() },
        Filters { standing: word("well"), ..filters() },
        Filters { care: word("nobody"), ..filters() },
        Filters { worker: Some(9), ..filters() },
        Filters { site: word(""), ..filters() },
        Filters { site: Some("x".repeat(101)), ..filters() },
    ] {
        assert!(page.ask(Role::Coordinator, 1, bad).await.is_err());
    }
    assert!(page.ask(Role::Coordinator, 0, filters()).await.is_err());
    assert!(page.ask(Role::Coordinator, MOST + 1, filters()).await.is_err());
}

#[tokio::test]
async fn an_auditor_sets_one_filter_at_a_time_and_a_caseworker_has_no_such_page() {
    let page = Page::open().await;
    page.week(LAST, (0..40).map(|_| row("a", vec![child(Standing::OnTrack)]))).await;
    let word = |word: &str| Some(word.to_owned());
    let refused = async |role, filters| match page.ask(role, 1, filters).await {
        Err(Failure::Refused(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    };

    let site = || Filters { site: word("a"), ..Filters::default() };
    let shown = page.ask(Role::Auditor, 1, site()).await.unwrap();
    assert_eq!((shown.total.children, shown.sites.len()), (Some(40), 0));
    assert_eq!(shown.choices.workers, []);
    let by_age = Filters { age: word("6-8"), ..Filters::default() };
    let by_age = page.ask(Role::Auditor, 1, by_age).await.unwrap();
    assert_eq!((by_age.total.children, by_age.total.families), (Some(40), None));
    assert_eq!((by_age.total.shared_phones, by_age.hours), (None, None));
    let second = Filters { age: word("6-8"), ..site() };
    assert_eq!(refused(Role::Auditor, second).await, ErrorCode::NotAllowed);
    let worker = Filters { worker: Some(2), ..Filters::default() };
    assert_eq!(refused(Role::Auditor, worker).await, ErrorCode::NotAllowed);
    assert_eq!(refused(Role::Caseworker, Filters::default()).await, ErrorCode::NotAllowed);
    let chain = audit::read(&*page.relay.store, PROGRAMME).await.unwrap().unwrap();
    let noted: Vec<_> =
        chain.entries.iter().map(|entry| (entry.action.as_str(), entry.allowed)).collect();
    assert_eq!(noted, [("programme", false); 3]);
}

#[tokio::test]
async fn an_hour_in_which_few_households_used_a_phone_is_left_out() {
    let page = Page::open().await;
    // Twelve at a, all of whom speak in the evening, and one at night; those after them on Sunday, six in each week.
    let rows = |week: usize| {
        (0..24_usize).map(move |place| {
            let at_night = (place == 0).then_some(24 + 3);
            let on_sunday = (place / 6 == week).then_some(6 * 24);
            let hours = [20].into_iter().chain(at_night).chain(on_sunday);
            let site = if place < 12 { "a" } else { "b" };
            WeekRow { uses: Uses::of(hours), ..row(site, vec![child(Standing::OnTrack)]) }
        })
    };
    page.week("2026W46", rows(0)).await;
    page.week(LAST, rows(1)).await;
    let site = || Filters { site: Some("a".to_owned()), ..Filters::default() };
    let hours = async |role, weeks, filters| {
        let shown = page.ask(role, weeks, filters).await.unwrap().hours.unwrap();
        [shown[0][20], shown[1][3], shown[6][0], shown[3][4]]
    };

    let of_site = hours(Role::Auditor, 1, site()).await;
    assert_eq!(of_site, [Some(12), None, None, Some(0)]);
    let of_all = hours(Role::Auditor, 1, Filters::default()).await;
    assert_eq!(of_all, [Some(24), None, None, Some(0)]);
    let both = hours(Role::Auditor, 2, site()).await;
    assert_eq!(both, [Some(24), None, None, Some(0)], "two weeks less one are the other");
    let both = hours(Role::Coordinator, 2, site()).await;
    assert_eq!(both, [Some(24), None, Some(12), Some(0)], "households of both weeks");
    let whole = hours(Role::Coordinator, 1, Filters::default()).await;
    assert_eq!(whole, [Some(24), Some(1), Some(6), Some(0)], "who may open them sees them");
}

#[tokio::test]
async fn an_hour_of_one_site_goes_with_that_of_another_that_would_follow() {
    let page = Page::open().await;
    // At eight in the evening of Monday twelve at a and three at b, of twenty each.
    let rows = (0..40_usize).map(|place| {
        let (site, speak) = if place < 20 { ("a", place < 12) } else { ("b", place < 23) };
        let uses = Uses::of(speak.then_some(20).into_iter());
        WeekRow { uses, ..row(site, vec![child(Standing::OnTrack)]) }
    });
    page.week(LAST, rows).await;
    let hour = async |role, site: Option<&str>| {
        let filters = Filters { site: site.map(str::to_owned), ..Filters::default() };
        page.ask(role, 1, filters).await.unwrap().hours.unwrap()[0][20]
    };

    assert_eq!(hour(Role::Auditor, None).await, Some(15));
    assert_eq!(hour(Role::Auditor, Some("b")).await, None);
    assert_eq!(hour(Role::Auditor, Some("a")).await, None, "15 less 12 are those of b");
    assert_eq!(hour(Role::Coordinator, Some("a")).await, Some(12));
}

#[tokio::test]
async fn a_family_that_was_struck_is_in_no_figure_and_out_of_memory() {
    let page = Page::open().await;
    let rows = || (0..20).map(|_| row("a", vec![child(Standing::OnTrack)]));
    page.week(LAST, rows()).await;
    page.week("2026W48", rows().map(|row| WeekRow { closed: false, ..row })).await;
    let strike = |family: u64| {
        let name = family.to_be_bytes().to_vec();
        let strike = Change::Strike(week_book(LAST.parse().unwrap()), name);
        vec![strike, changed(None, page.relay.clock.now())]
    };
    let wait = |minutes: i64| page.relay.clock.set(page.relay.clock.now() + minutes * 60_000);
    let kept = &page.relay.kept_weeks;

    assert_eq!(page.all(1).await.total.children, Some(20));
    assert_eq!(kept.len().await, 1);
    page.change(strike(3)).await;
    assert_eq!(page.all(1).await.total.children, Some(19));
    // In the same moment, which the note of it cannot tell from the last: for a minute at most.
    page.change(strike(4)).await;
    wait(1);
    assert_eq!(page.all(1).await.total.children, Some(18));
    wait(2);
    page.all(1).await;
    wait(2);
    page.change(strike(5)).await;
    kept.sweep(&*page.relay.store, page.relay.clock.now()).await;
    assert_eq!(kept.len().await, 0, "nobody asked, and it is gone");
    page.all(1).await;
    wait(3);
    kept.sweep(&*page.relay.store, page.relay.clock.now()).await;
    assert_eq!(kept.len().await, 0, "it was read so soon after a change that it is read again");
    page.all(1).await;
    wait(3);
    kept.sweep(&*page.relay.store, page.relay.clock.now()).await;
    assert_eq!(kept.len().await, 1);
    wait(10);
    kept.sweep(&*page.relay.store, page.relay.clock.now()).await;
    assert_eq!(kept.len().await, 0, "nobody asks any more");

    let staff = Staff {
        programme: PROGRAMME,
        number: DeviceId(1),
        role: Role::Coordinator,
        sites: Vec::new(),
    };
    let open = Query { weeks: Some(1), until: "2026W48".parse().ok(), ..Query::default() };
    assert!(!overview(&page.relay, &staff, &open).await.unwrap().weeks[0].closed);
    assert_eq!(kept.len().await, 0, "a week that has not closed is read each time");
}

#[tokio::test]
async fn one_at_a_time_holds_more_weeks_than_are_kept() {
    let mut page = Page::open().await;
    page.week(LAST, [row("a", vec![child(Standing::OnTrack)])]).await;
    page.relay.kept_weeks = Kept::of_at_most(1);
    let (store, now) = (&*page.relay.store, page.relay.clock.now());
    let weeks = [LAST.parse().unwrap()];
    let ask = || page.relay.kept_weeks.weeks(store, PROGRAMME, &weeks, now);

    let held = ask().await.unwrap();
    let second = ask();
    tokio::pin!(second);
    let waits = tokio::time::timeout(std::time::Duration::from_millis(200), &mut second).await;
    assert!(waits.is_err(), "the first still counts");
    drop(held);
    assert_eq!(second.await.unwrap().columns.len(), 1);
    assert_eq!(page.all(1).await.total.children, Some(1), "it gives back what it held");
    assert_eq!(page.all(1).await.total.children, Some(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn columns_say_what_the_rows_say(
        families in prop::collection::vec((0..3_usize, prop::collection::vec((0..8_usize, 0..9_u32, 0..8_usize), 0..4)), 0..20),
    ) {
        let rows: Vec<_> = families
            .iter()
            .map(|(site, children)| {
                let of = |(place, (standing, count, age)): (u32, &(usize, u32, usize))| ChildWeek {
                    member: MemberId(place),
                    expected: *count,
                    kept: count / 2,
                    both_ways: count / 3,
                    late: count % 2,
                    home: count * 40,
                    age: AgeBand::ALL.get(*age).copied(),
                    edges: (count % 3 > 0).then_some(Edges { first_min: 5, last_min: *count }),
                    ..child(Standing::ALL[*standing])
                };
                row(["a", "b", "c"][*site], (0..).zip(children).map(of).collect())
            })
            .collect();
        let mut book = crate::store::Book::default();
        for (family, row) in (0_u64..).zip(&rows) {
            let (name, value) = (family.to_be_bytes(), row.to_bytes());
            book.push(crate::store::BookRow { name: &name, version: (1, 1), value: &value });
        }

        let columns = Columns::of(&book);

        let read: Vec<_> = columns.households().map(|household| WeekRow {
            site: columns.sites[household.site].clone(),
            children: household.children.iter().map(columns::ChildCells::figures).collect(),
            ..row("", Vec::new())
        }).collect();
        prop_assert_eq!(&read, &rows);
        let (groups, total) = Filter::default().within(&columns).sums(Dimension::Site);
        let summed = crate::ngo::sums::sum(&[rows], By::Site);
        prop_assert_eq!(&groups, &summed.groups);
        prop_assert_eq!(total, summed.total());
    }
}

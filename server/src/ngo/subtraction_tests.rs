//! Whoever has all screens, files and digests of some weeks and their month, and adds and subtracts them as they like, has no
//! count of a few children.

use std::collections::BTreeMap;

use jiashu_api::report::{Group, Report};
use jiashu_contact::figures::Band;
use jiashu_contact::standing::Standing;
use jiashu_contact::week::Week;
use jiashu_proto::id::MemberId;
use proptest::prelude::*;

use super::report::{By, LEAST, Period, shown, sum};
use crate::contact::rows::{ChildWeek, WeekRow};
use crate::contact::uses::Uses;
use crate::notify::lines::{Line, lines};

const WEEKS: usize = 3;
const SITES: usize = 3;
const STANDINGS: [Standing; 4] =
    [Standing::OnTrack, Standing::Watch, Standing::AtRisk, Standing::Silent];

/// Families of one child each who live alike.
#[derive(Clone, Debug)]
struct Alike {
    site: usize,
    /// In each week, of [`STANDINGS`].
    stood: [usize; WEEKS],
    has_plan: bool,
    came_late: bool,
    count: u32,
}

fn alike() -> impl Strategy<Value = Alike> {
    let stood = prop::array::uniform3(0..STANDINGS.len());
    let of = (0..SITES, stood, prop::bool::weighted(0.7), prop::bool::weighted(0.1), 1_u32..25);
    of.prop_map(|(site, stood, has_plan, came_late, count)| Alike {
        site,
        stood,
        has_plan,
        came_late,
        count,
    })
}

impl Alike {
    fn row(&self, week: usize) -> WeekRow {
        let child = ChildWeek {
            member: MemberId(3),
            expected: if self.has_plan { 7 } else { 0 },
            kept: 0,
            both_ways: 0,
            home: 0,
            away: 0,
            late: u32::from(self.came_late),
            days: 0,
            longest_gap_h: 30,
            standing: STANDINGS[self.stood[week]],
            band: Band::Weekly,
            age: None,
            edges: None,
        };
        WeekRow {
            site: Some(format!("s{}", self.site)),
            home_zone: None,
            away_zone: None,
            children: vec![child],
            shared_phones: 0,
            idle_phones: 0,
            closed: true,
            as_of: 5,
            uses: Uses::default(),
            care: None,
        }
    }
}

/// What nobody is shown by itself, by its place in an equation.
#[derive(Clone, Copy)]
enum Atom {
    Stands(usize, usize, usize),
    Newly(usize, usize),
    Expected(usize, usize),
    Late(usize, usize),
}

const ATOMS: usize = WEEKS * SITES * 7;

impl Atom {
    fn place(self) -> usize {
        let (week, site, kind) = match self {
            Self::Stands(week, site, standing) => (week, site, standing),
            Self::Newly(week, site) => (week, site, 4),
            Self::Expected(week, site) => (week, site, 5),
            Self::Late(week, site) => (week, site, 6),
        };
        (week * SITES + site) * 7 + kind
    }
}

/// How often each atom is in a sum, in the field of [`PRIME`].
pub(super) type Sum = Vec<u64>;

const PRIME: u64 = 2_147_483_647;

fn sum_of(atoms: impl IntoIterator<Item = Atom>) -> Sum {
    let mut sum = vec![0; ATOMS];
    atoms.into_iter().for_each(|atom| sum[atom.place()] += 1);
    sum
}

fn less(from: &Sum, times: u64, what: &Sum) -> Sum {
    from.iter().zip(what).map(|(from, what)| (from + (PRIME - times) * what) % PRIME).collect()
}

/// All that follows from some sums by adding and subtracting.
#[derive(Default)]
pub(super) struct Known(Vec<(usize, Sum)>);

impl Known {
    fn rest(&self, sum: Sum) -> Sum {
        self.0.iter().fold(sum, |sum, (place, known)| less(&sum, sum[*place], known))
    }

    pub(super) fn learn(&mut self, sum: Sum) {
        let rest = self.rest(sum);
        let Some(place) = rest.iter().position(|times| *times != 0) else { return };
        let (mut inverse, mut base, mut power) = (1, rest[place], PRIME - 2);
        while power > 0 {
            if power % 2 == 1 {
                inverse = inverse * base % PRIME;
            }
            (base, power) = (base * base % PRIME, power / 2);
        }
        self.0.push((place, rest.iter().map(|times| times * inverse % PRIME).collect()));
    }

    fn learn_where(&mut self, is_shown: bool, atoms: impl IntoIterator<Item = Atom>) {
        if is_shown {
            self.learn(sum_of(atoms));
        }
    }

    pub(super) fn follows(&self, sum: &Sum) -> bool {
        self.rest(sum.clone()).iter().all(|times| *times == 0)
    }

    /// A row of a report of these weeks, at these sites.
    fn read_group(&mut self, weeks: &[usize], sites: &[usize], group: &Group) {
        let over = |atom: fn(usize, usize) -> Atom, weeks: &[usize]| {
            let pairs = weeks.iter().flat_map(|week| sites.iter().map(|site| (*week, *site)));
            pairs.map(|(week, site)| atom(week, site)).collect::<Vec<_>>()
        };
        let last = *weeks.last().unwrap();
        let stand = |place: usize| sites.iter().map(move |site| Atom::Stands(last, *site, place));
        self.learn_where(group.children.is_some(), (0..STANDINGS.len()).flat_map(stand));
        for (place, standing) in STANDINGS.iter().enumerate() {
            let count = group.standing.iter().find(|count| count.name == standing.name()).unwrap();
            self.learn_where(count.count.is_some(), stand(place));
        }
        self.learn_where(group.expected.is_some(), over(Atom::Expected, weeks));
        self.learn_where(group.late.is_some(), over(Atom::Late, weeks));
    }

    fn read_report(&mut self, weeks: &[usize], report: &Report) {
        for site in 0..SITES {
            let name = format!("s{site}");
            match report.groups.iter().find(|group| group.name.as_ref() == Some(&name)) {
                Some(group) => self.read_group(weeks, &[site], group),
                None if report.by == "site" => {
                    let weeks = weeks.iter();
                    let nobody = weeks.flat_map(|week| (0..7).map(move |kind| (*week, kind)));
                    nobody.for_each(|(week, kind)| {
                        let mut sum = vec![0; ATOMS];
                        sum[Atom::Stands(week, site, kind).place()] = 1;
                        self.learn(sum);
                    });
                }
                None => {}
            }
        }
        self.read_group(weeks, &[0, 1, 2], &report.total);
    }

    fn read_line(&mut self, week: usize, line: &Line, is_total: bool) {
        let sites: Vec<_> = if is_total {
            (0..SITES).collect()
        } else {
            let is_it = |site: &usize| line.site == Some(format!("s{site}"));
            (0..SITES).filter(is_it).collect()
        };
        let stand = |place: usize| sites.iter().map(move |site| Atom::Stands(week, *site, place));
        self.learn_where(line.children.is_some(), (0..STANDINGS.len()).flat_map(stand));
        self.learn_where(line.at_risk.is_some(), stand(2));
        self.learn_where(line.silent.is_some(), stand(3));
        self.learn_where(line.newly.is_some(), sites.iter().map(|site| Atom::Newly(week, *site)));
        let expected = sites.iter().map(|site| Atom::Expected(week, *site));
        self.learn_where(line.expected.is_some(), expected);
    }
}

/// Counts of children that these sums are of, at one site or at all.
fn counts(all: &[Alike], sites: &[usize]) -> Vec<(String, u32, Sum)> {
    let here = |alike: &&Alike| sites.contains(&alike.site);
    let count = |is_it: &dyn Fn(&Alike) -> bool| -> u32 {
        all.iter().filter(here).filter(|alike| is_it(alike)).map(|alike| alike.count).sum()
    };
    let mut counts = Vec::new();
    for week in 0..WEEKS {
        let at = |places: &[usize]| {
            let pairs =
                places.iter().flat_map(|place| sites.iter().map(move |site| (*site, *place)));
            sum_of(pairs.map(|(site, place)| Atom::Stands(week, site, place)))
        };
        let mut add = |name: &str, count, sum| counts.push((format!("{name} {week}"), count, sum));
        for (place, standing) in STANDINGS.iter().enumerate() {
            let stands = count(&|alike| alike.stood[week] == place);
            add(standing.name(), stands, at(&[place]));
        }
        add("children", count(&|_| true), at(&[0, 1, 2, 3]));
        let expected = sum_of(sites.iter().map(|site| Atom::Expected(week, *site)));
        add("with a plan", count(&|alike| alike.has_plan), expected);
        let late = sum_of(sites.iter().map(|site| Atom::Late(week, *site)));
        add("late", count(&|alike| alike.came_late), late);
        let Some(before) = week.checked_sub(1) else { continue };
        let newly = sum_of(sites.iter().map(|site| Atom::Newly(week, *site)));
        let still = less(&at(&[2, 3]), 1, &newly);
        let worse_before =
            sum_of([2, 3].iter().flat_map(|place| {
                sites.iter().map(move |site| Atom::Stands(before, *site, *place))
            }));
        let moved = |was: bool, is: bool| {
            count(&|alike| (alike.stood[before] > 1) == was && (alike.stood[week] > 1) == is)
        };
        add("newly", moved(false, true), newly);
        add("still", moved(true, true), still.clone());
        add("no more", moved(true, false), less(&worse_before, 1, &still));
    }
    counts
}

/// The counts of a few children that follow from all reports of the weeks together.
fn leaks(all: &[Alike]) -> Vec<String> {
    let families = |week: usize| {
        all.iter().flat_map(move |alike| (0..alike.count).map(move |_| alike.row(week)))
    };
    let rows: Vec<Vec<WeekRow>> = (0..WEEKS).map(|week| families(week).collect()).collect();
    let first: Week = "2026W45".parse().unwrap();
    let names = [first, first.next(), first.next().next()];
    let mut known = Known::default();
    let mut periods: Vec<_> =
        (0..WEEKS).map(|week| (vec![week], Period::week(names[week]))).collect();
    let month = Period { name: "202611".into(), weeks: names.to_vec() };
    periods.push(((0..WEEKS).collect(), month));
    for (weeks, period) in &periods {
        let of_period = &rows[weeks[0]..=*weeks.last().unwrap()];
        for by in [By::Site, By::Programme] {
            let report = shown(period, by, &sum(of_period, by), Some(LEAST), 5);
            known.read_report(weeks, &report);
        }
    }
    let by_family = |week: usize| -> BTreeMap<Vec<u8>, WeekRow> {
        (0_u64..).map(|number| number.to_be_bytes().to_vec()).zip(families(week)).collect()
    };
    for (before, week) in (1..WEEKS).enumerate() {
        let lines = lines(names[week], &by_family(week), &by_family(before), 5);
        let (total, sites) = lines.split_last().unwrap();
        sites.iter().for_each(|line| known.read_line(week, line, false));
        known.read_line(week, total, true);
    }

    let mut leaks = Vec::new();
    for sites in [&[0][..], &[1], &[2], &[0, 1, 2]] {
        for (what, count, sum) in counts(all, sites) {
            if 0 < count && count < LEAST && known.follows(&sum) {
                leaks.push(format!("{what} at {sites:?} is {count}"));
            }
        }
    }
    leaks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_few_children_follow_from_all_reports_together(
        all in prop::collection::vec(alike(), 1..10),
    ) {
        let leaks = leaks(&all);
        prop_assert!(leaks.is_empty(), "{:?}", leaks);
    }
}

//! An auditor who has the page of all families and of each filter, of each week and of both, and adds and subtracts them
//! all as they like, has no count of a few children or phones.

use jiashu_api::report::Group;
use proptest::prelude::*;

use super::tests::{child, row};
use super::*;
use crate::contact::rows::{ChildWeek, WeekRow};
use crate::contact::uses::Uses;
use crate::ngo::subtraction_tests::{Known, Sum};
use crate::store::{Book, BookRow};

const WEEKS: [&str; 2] = ["2026W46", "2026W47"];
const SITES: [&str; 3] = ["a", "b", "c"];
const ZONES: [&str; 2] = ["Europe/Rome", "Europe/Riga"];
const AGES: [Option<AgeBand>; 2] = [Some(AgeBand::UpTo8), None];
const CARES: [Option<Care>; 2] = [Some(Care::Grandparents), None];
const STANDINGS: [Standing; 3] = [Standing::OnTrack, Standing::AtRisk, Standing::Silent];

/// What a family of one child is in a week, by its place in each of these.
type Cell = [usize; 5];

const SIZES: Cell = [SITES.len(), ZONES.len(), AGES.len(), STANDINGS.len(), CARES.len()];

/// What is counted of a cell.
const KINDS: usize = 6;
const CHILDREN: usize = 0;
const PLANNED: usize = 1;
const LATE: usize = 2;
const PHONES: usize = 3;
const IDLE: usize = 4;
const USED: usize = 5;

fn cells() -> impl Iterator<Item = Cell> {
    (0..SIZES.iter().product()).map(|place| {
        let mut rest = place;
        // The last goes round the fastest, as in `place_of`.
        let mut cell = SIZES;
        for (at, size) in cell.iter_mut().zip(SIZES).rev() {
            (*at, rest) = (rest % size, rest / size);
        }
        cell
    })
}

/// In which phones were used, if they were.
const HOUR: usize = 20;

/// Families that live alike, in both weeks.
#[derive(Clone, Debug)]
struct Alike {
    cells: [Cell; 2],
    has: [bool; KINDS],
    count: u32,
}

fn alike() -> impl Strategy<Value = Alike> {
    let cell =
        || (0..SITES.len(), 0..ZONES.len(), 0..AGES.len(), 0..STANDINGS.len(), 0..CARES.len());
    let (most, few) = (prop::bool::weighted(0.7), prop::bool::weighted(0.2));
    let of = (cell(), cell(), any::<bool>(), (most, few, most, few, most), 1_u32..25);
    of.prop_map(|(first, second, moves, (plan, late, phone, idle, used), count)| {
        let of = |(site, zone, age, standing, care)| [site, zone, age, standing, care];
        let cells = [of(first), of(if moves { second } else { first })];
        Alike { cells, has: [true, plan, late, phone, phone && idle, phone && used], count }
    })
}

impl Alike {
    fn row(&self, week: usize) -> WeekRow {
        let [site, zone, age, standing, care] = self.cells[week];
        let child = ChildWeek {
            expected: if self.has[PLANNED] { 7 } else { 0 },
            kept: 0,
            late: u32::from(self.has[LATE]),
            age: AGES[age],
            ..child(STANDINGS[standing])
        };
        WeekRow {
            away_zone: Some(ZONES[zone].into()),
            shared_phones: u32::from(self.has[PHONES]),
            idle_phones: u32::from(self.has[IDLE]),
            care: CARES[care],
            uses: Uses::of(self.has[USED].then_some(HOUR).into_iter()),
            ..row(SITES[site], vec![child])
        }
    }
}

fn place_of(week: usize, cell: Cell) -> usize {
    cell.into_iter().zip(SIZES).fold(week, |place, (at, size)| place * size + at)
}

/// Of some weeks, those cells.
fn of(weeks: &[usize], is_in: &dyn Fn(Cell) -> bool) -> Sum {
    let mut sum = vec![0; WEEKS.len() * SIZES.iter().product::<usize>()];
    for week in weeks {
        cells().filter(|cell| is_in(*cell)).for_each(|cell| sum[place_of(*week, cell)] += 1);
    }
    sum
}

/// Of each kind, as no sum is of two.
type All = [Known; KINDS];

/// Learns what is shown of those cells.
fn read(known: &mut All, group: &Group, weeks: &[usize], is_in: &dyn Fn(Cell) -> bool) {
    let last = &weeks[weeks.len() - 1..];
    let mut learn = |is_shown: bool, kind: usize, sum: Sum| {
        if is_shown {
            known[kind].learn(sum);
        }
    };
    learn(group.children.is_some(), CHILDREN, of(last, is_in));
    for (place, standing) in STANDINGS.iter().enumerate() {
        let count = group.standing.iter().find(|count| count.name == standing.name()).unwrap();
        let stand = |cell: Cell| cell[3] == place && is_in(cell);
        learn(count.count.is_some(), CHILDREN, of(last, &stand));
    }
    learn(group.expected.is_some(), PLANNED, of(weeks, is_in));
    learn(group.late.is_some(), LATE, of(weeks, is_in));
    learn(group.shared_phones.is_some(), PHONES, of(last, is_in));
    learn(group.idle_phones.is_some(), IDLE, of(last, is_in));
}

/// What a filter says, and which cells it takes.
fn filters() -> Vec<(api::Filters, Option<(usize, usize)>)> {
    let mut filters = vec![(api::Filters::default(), None)];
    let none = api::Filters::default;
    for (place, site) in SITES.iter().enumerate() {
        let site = Some((*site).to_owned());
        filters.push((api::Filters { site, ..none() }, Some((0, place))));
    }
    for (place, zone) in ZONES.iter().enumerate() {
        let corridor = Some(format!("{zone}>Asia/Shanghai"));
        filters.push((api::Filters { corridor, ..none() }, Some((1, place))));
    }
    for (place, age) in AGES.iter().enumerate() {
        let age = Some(age.map_or(UNKNOWN, AgeBand::name).to_owned());
        filters.push((api::Filters { age, ..none() }, Some((2, place))));
    }
    for (place, standing) in STANDINGS.iter().enumerate() {
        let standing = Some(standing.name().to_owned());
        filters.push((api::Filters { standing, ..none() }, Some((3, place))));
    }
    for (place, care) in CARES.iter().enumerate() {
        let care = Some(care.map_or(UNKNOWN, Care::name).to_owned());
        filters.push((api::Filters { care, ..none() }, Some((4, place))));
    }
    filters
}

fn shown(columns: &[Arc<Columns>], weeks: &[usize], filters: &api::Filters) -> api::Programme {
    let view = View::of(Role::Auditor, filters).unwrap();
    let counting = Counting {
        view,
        filters: filters.clone(),
        filter: Filter::by_words(filters).unwrap(),
        columns: weeks.iter().map(|week| columns[*week].clone()).collect(),
    };
    let names: Vec<_> = weeks.iter().map(|week| WEEKS[*week].parse().unwrap()).collect();
    let query = Query { filters: filters.clone(), ..Query::default() };
    counting.count().shown(view, &names, &query, api::Choices::default(), 5)
}

fn learn_all(columns: &[Arc<Columns>]) -> All {
    let mut known = All::default();
    for weeks in [&[0][..], &[1], &[0, 1]] {
        for (filters, takes) in filters() {
            let page = shown(columns, weeks, &filters);
            let is_in = |cell: Cell| takes.is_none_or(|(of, place)| cell[of] == place);
            read(&mut known, &page.total, weeks, &is_in);
            if page.hours.is_some_and(|hours| hours[0][HOUR].is_some()) {
                known[USED].learn(of(weeks, &is_in));
            }
            for (week, of_week) in weeks.iter().zip(&page.weeks) {
                read(&mut known, &of_week.figures, &[*week], &is_in);
            }
            for (place, site) in SITES.iter().enumerate().filter(|_| takes.is_none()) {
                let is_in = |cell: Cell| cell[0] == place;
                match page.sites.iter().find(|group| group.name.as_deref() == Some(site)) {
                    Some(group) => read(&mut known, group, weeks, &is_in),
                    // It has nobody, as everybody sees.
                    None => cells().filter(|cell| is_in(*cell)).for_each(|nobody| {
                        for week in weeks {
                            let sum = of(&[*week], &|cell| cell == nobody);
                            known.iter_mut().for_each(|known| known.learn(sum.clone()));
                        }
                    }),
                }
            }
        }
    }
    known
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_few_children_or_phones_follow_from_all_pages_together(
        all in prop::collection::vec(alike(), 1..12),
    ) {
        let columns: Vec<_> = (0..WEEKS.len()).map(|week| {
            let mut book = Book::default();
            let rows = all.iter().flat_map(|alike| (0..alike.count).map(move |_| alike.row(week)));
            for (family, row) in (0_u64..).zip(rows) {
                let (name, value) = (family.to_be_bytes(), row.to_bytes());
                book.push(BookRow { name: &name, version: (1, 1), value: &value });
            }
            Arc::new(Columns::of(&book))
        }).collect();

        let known = learn_all(&columns);

        // Of each group, of each two of different kinds, and of all.
        let groups = (0..SIZES.len()).flat_map(|of| (0..SIZES[of]).map(move |place| (of, place)));
        let groups: Vec<_> = groups.collect();
        let mut few = Vec::new();
        for one in groups.iter().map(Some).chain([None]) {
            for other in groups.iter().map(Some).chain([None]) {
                let is_in = |cell: Cell| {
                    one.into_iter().chain(other).all(|(of, place)| cell[*of] == *place)
                };
                for week in 0..WEEKS.len() {
                    for (kind, known) in known.iter().enumerate() {
                        let counted = all.iter().filter(|alike| alike.has[kind] && is_in(alike.cells[week]));
                        let count: u32 = counted.map(|alike| alike.count).sum();
                        if (1..LEAST).contains(&count) && known.follows(&of(&[week], &is_in)) {
                            few.push((week, kind, one, other, count));
                        }
                    }
                }
            }
        }
        prop_assert!(few.is_empty(), "{:?}", few);
    }
}

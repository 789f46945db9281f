//! Which figures of a report may be seen.
//!
//! Decided for each week by itself. What a period of several shows is added up of figures that its weeks show, or is one of
//! them, so that of a month and its weeks nothing follows that the weeks leave out. Pure.

use std::collections::BTreeMap;

use jiashu_contact::standing::Standing;
use jiashu_contact::suppress::{Shown, Table, suppress_within};

use super::sums::{Groups, Summed, Sums};

/// Which figures of a group may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cells {
    /// How many families and children there are. Where not even that is seen, nothing is.
    pub(super) people: bool,
    /// Children by standing.
    pub(super) standing: [bool; 8],
    /// Children by band.
    pub(super) band: [bool; 5],
    /// Phones of households.
    pub(super) shared_phones: bool,
    /// Of these, the idle ones.
    pub(super) idle_phones: bool,
    /// What was expected, and what of it was kept.
    pub(super) plans: bool,
    /// How often somebody was heard.
    pub(super) heard: bool,
    /// What of that came late.
    pub(super) late: bool,
}

impl Cells {
    /// Of a group that a week has nothing of, which everybody sees.
    const ALL: Self = Self {
        people: true,
        standing: [true; 8],
        band: [true; 5],
        shared_phones: true,
        idle_phones: true,
        plans: true,
        heard: true,
        late: true,
    };

    const NONE: Self = Self {
        people: false,
        standing: [false; 8],
        band: [false; 5],
        shared_phones: false,
        idle_phones: false,
        plans: false,
        heard: false,
        late: false,
    };

    /// Where children are put together by what is theirs, the phones of their families are of no group.
    pub(super) fn of_children(self) -> Self {
        Self { shared_phones: false, idle_phones: false, ..self }
    }

    /// As [`Sums::then`]: what is added up is seen where each part is; of what stands, what is seen then.
    pub(super) fn then(self, later: &Self) -> Self {
        Self {
            plans: self.plans && later.plans,
            heard: self.heard && later.heard,
            late: self.late && later.late,
            ..*later
        }
    }
}

/// Which figures may be seen of each group, and of all together.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    groups: BTreeMap<Option<String>, Cells>,
    pub(super) total: Cells,
}

impl Seen {
    /// Of a period, where counts of children below `least` are not seen.
    pub(super) fn of_period(summed: &Summed, least: u32) -> Self {
        let weeks: Vec<_> = summed.weeks.iter().map(|week| Self::of_week(week, least)).collect();
        Self::over(&weeks, summed)
    }

    /// Of a period, by what of its weeks may be seen.
    pub(super) fn over(weeks: &[Self], summed: &Summed) -> Self {
        let of_group = |name: &Option<String>| {
            let cells = weeks.iter().map(|week| week.group(name));
            (name.clone(), cells.fold(Cells::ALL, |cells, later| cells.then(&later)))
        };
        Self {
            groups: summed.groups.keys().map(of_group).collect(),
            total: weeks.iter().fold(Cells::ALL, |cells, later| cells.then(&later.total)),
        }
    }

    /// Of one of the groups.
    pub(super) fn group(&self, name: &Option<String>) -> Cells {
        self.groups.get(name).copied().unwrap_or(Cells::ALL)
    }

    /// Where who asks may open each family, but others see the screen: small counts are left out of each group as if it were
    /// the only one.
    pub(super) fn each_alone(groups: &Groups, least: u32) -> Self {
        let alone = |sums: &Sums| Self::of_week(&Groups::from([(None, sums.clone())]), least).total;
        let total = groups.values().fold(Sums::default(), Sums::and);
        Self {
            groups: groups.iter().map(|(name, sums)| (name.clone(), alone(sums))).collect(),
            total: alone(&total),
        }
    }

    /// Of children put together by how they stand, each group by the name of its standing. Of these counts all together
    /// show which may be seen. That none of a group stands otherwise everybody knows, so it hides nothing.
    pub(super) fn by_standing(groups: &Groups, total: Cells, least: u32) -> Self {
        let place = |name: &Option<String>| {
            let is_it = |standing: &Standing| Some(standing.name()) == name.as_deref();
            Standing::ALL.iter().position(is_it)
        };
        let stands = |name: &Option<String>| {
            let seen = place(name).and_then(|place| total.standing.get(place));
            total.people && seen == Some(&true)
        };
        let hidden: Vec<_> = groups.keys().map(|name| !stands(name)).collect();
        let table = |count: fn(&Sums) -> u32| {
            let rows = groups.values().map(|sums| vec![count(sums)]).collect();
            suppress_within(&Table { rows }, &hidden, least)
        };
        let (plans, late) = (table(|sums| sums.planned), table(|sums| sums.late_children));
        let cells = |(at, name): (usize, &Option<String>)| {
            let people = stands(name);
            let cells = Cells {
                people,
                standing: std::array::from_fn(|other| people || Some(other) != place(name)),
                band: [false; 5],
                shared_phones: false,
                idle_phones: false,
                plans: people && is_sum_shown(&plans, at),
                heard: people,
                late: people && is_sum_shown(&late, at),
            };
            (name.clone(), cells)
        };
        Self { groups: groups.keys().enumerate().map(cells).collect(), total }
    }

    /// Nothing of any group, where not even all together may be seen.
    pub(super) fn within(mut self, total: Cells) -> Self {
        if !total.people {
            self.groups.values_mut().for_each(|cells| *cells = Cells::NONE);
        }
        Self { total, ..self }
    }

    /// Of one week.
    pub(super) fn of_week(groups: &Groups, least: u32) -> Self {
        let table = |cells: &dyn Fn(&Sums) -> Vec<u32>| Table {
            rows: groups.values().map(cells).collect(),
        };
        let people = [
            table(&|sums| vec![sums.children()]),
            table(&|sums| vec![sums.families]),
            table(&|sums| sums.standing.to_vec()),
            table(&|sums| sums.band.to_vec()),
        ];
        // A group that one table hides all of is hidden in all of them: else one would give away what the other does not
        // say.
        let mut hidden = vec![false; groups.len()];
        let people = loop {
            let shown = people.each_ref().map(|table| suppress_within(table, &hidden, least));
            let is_hidden =
                |place| shown.iter().any(|table| table.row_sums.get(place) == Some(&None));
            let again: Vec<_> = (0..groups.len()).map(is_hidden).collect();
            if again == hidden {
                break shown;
            }
            hidden = again;
        };
        let [_, _, standing, band] = &people;
        let within = |table: Table| suppress_within(&table, &hidden, least);
        let phones =
            within(table(&|sums| vec![sums.idle_phones, sums.shared_phones - sums.idle_phones]));
        // What came about is no count of children. It is seen where it is of none or of enough of them.
        let plans = within(table(&|sums| vec![sums.planned]));
        let late = within(table(&|sums| vec![sums.late_children]));
        let cells = |place: usize| {
            let all = match hidden.get(place) {
                Some(is_hidden) => !is_hidden,
                None => people.iter().all(|table| table.sum.is_some()),
            };
            let is_seen = |table: &Shown| all && is_sum_shown(table, place);
            let shared_phones = is_seen(&phones);
            let [idle_phones, _] = shown_cells(&phones, place);
            Cells {
                people: all,
                standing: shown_cells(standing, place),
                band: shown_cells(band, place),
                shared_phones,
                idle_phones: shared_phones && idle_phones,
                plans: is_seen(&plans),
                heard: all,
                late: is_seen(&late),
            }
        };
        let names = groups.keys().cloned().enumerate();
        Self {
            groups: names.map(|(place, name)| (name, cells(place))).collect(),
            total: cells(groups.len()),
        }
    }
}

/// Whether the sum of that row is shown; behind the last one, that of all.
pub(super) fn is_sum_shown(table: &Shown, place: usize) -> bool {
    table.row_sums.get(place).unwrap_or(&table.sum).is_some()
}

/// Which cells of that row are shown; behind the last one, of the sums of columns.
fn shown_cells<const N: usize>(table: &Shown, place: usize) -> [bool; N] {
    let row = table.rows.get(place).unwrap_or(&table.column_sums);
    std::array::from_fn(|column| row.get(column).is_some_and(Option::is_some))
}

//! Which figures of a report may be seen.
//!
//! Decided for each week by itself. What a period of several shows is added up of figures that its weeks show, or is one of
//! them, so that of a month and its weeks nothing follows that the weeks leave out. Pure.

use std::collections::BTreeMap;

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

    /// As [`Sums::then`]: what is added up is seen where each part is; of what stands, what is seen then.
    fn then(self, later: &Self) -> Self {
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

    fn of_week(groups: &Groups, least: u32) -> Self {
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
fn is_sum_shown(table: &Shown, place: usize) -> bool {
    table.row_sums.get(place).unwrap_or(&table.sum).is_some()
}

/// Which cells of that row are shown; behind the last one, of the sums of columns.
fn shown_cells<const N: usize>(table: &Shown, place: usize) -> [bool; N] {
    let row = table.rows.get(place).unwrap_or(&table.column_sums);
    std::array::from_fn(|column| row.get(column).is_some_and(Option::is_some))
}

//! What of a table of counts may be shown where a reader could single out a child: small cells are left out, and with
//! them as many others as it takes that nobody reckons them from the rest.
//!
//! After Hundepool et al., *Statistical Disclosure Control* (2012), chapter 4: primary suppression by a least frequency,
//! then complementary suppression until each sum has at least two unknowns, which together are not small either, and until
//! no small cell follows from several sums together (Gusfield, *A graph theoretic approach to statistical data security*,
//! 1988).

use std::collections::BTreeSet;
use std::ops::Range;

/// A table of counts, a row a group: of all groups the sum is known, and of each group the sum of its cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// As many cells in each row.
    pub rows: Vec<Vec<u32>>,
}

/// A table of which some cells are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The cells; `None` where one is left out, which is never the same as 0.
    pub rows: Vec<Vec<Option<u32>>>,
    /// The sum of each row.
    pub row_sums: Vec<Option<u32>>,
    /// The sum of each column.
    pub column_sums: Vec<Option<u32>>,
    /// The sum of all.
    pub sum: Option<u32>,
}

/// What may be shown of a table where a count of at least `least` singles out nobody. A count of 0 is shown: it says of
/// nobody what they are.
#[must_use]
pub fn suppress(table: &Table, least: u32) -> Shown {
    suppress_within(table, &[], least)
}

/// The same, where of some rows nothing is shown whatever they hold.
///
/// What of the sums of columns is shown is decided by these sums alone, as if there were no groups: the same children put
/// together otherwise, or not at all, show the same sums, and nobody subtracts one table from the other.
#[must_use]
pub fn suppress_within(table: &Table, hidden_rows: &[bool], least: u32) -> Shown {
    let mut grid = Grid::of(table);
    grid.settle_sums(least);
    let groups = 0..grid.height - 1;
    for row in groups.clone() {
        for column in 0..grid.width {
            let count = grid.count(row, column);
            if (0 < count && count < least) || hidden_rows.get(row) == Some(&true) {
                grid.hide((row, column));
            }
        }
    }
    // Each time at least one more is left out, so it ends.
    let sums: Vec<_> = grid.sums().collect();
    while sums.iter().any(|cells| grid.hide_one_more(cells, &groups, least))
        || grid.close_one_ring(&groups, least)
    {}
    grid.shown()
}

/// A row or a column of a table with its sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Row(usize),
    Column(usize),
}

/// The table with its sums in a last row and a last column.
struct Grid {
    height: usize,
    width: usize,
    counts: Vec<u32>,
    hidden: Vec<bool>,
}

impl Grid {
    fn of(table: &Table) -> Self {
        let columns = table.rows.iter().map(Vec::len).max().unwrap_or(0);
        let (height, width) = (table.rows.len() + 1, columns + 1);
        let mut grid = Self {
            height,
            width,
            counts: vec![0; height * width],
            hidden: vec![false; height * width],
        };
        for (row, cells) in table.rows.iter().enumerate() {
            for (column, count) in cells.iter().enumerate() {
                for (row, column) in
                    [(row, column), (row, columns), (height - 1, column), (height - 1, columns)]
                {
                    if let Some(cell) = grid.counts.get_mut(row * width + column) {
                        *cell = cell.saturating_add(*count);
                    }
                }
            }
        }
        grid
    }

    fn count(&self, row: usize, column: usize) -> u32 {
        self.counts.get(row * self.width + column).copied().unwrap_or(0)
    }

    fn is_hidden(&self, (row, column): (usize, usize)) -> bool {
        self.hidden.get(row * self.width + column).copied().unwrap_or(false)
    }

    /// Leaves a cell out, unless it is one of a sum that shows 0: of these everybody knows that they are 0.
    fn hide(&mut self, (row, column): (usize, usize)) {
        let is_known = self.count(self.height - 1, column) == 0;
        if let Some(cell) = self.hidden.get_mut(row * self.width + column) {
            *cell = !is_known;
        }
    }

    /// Leaves out of the sums of columns what is small, and what it follows from, as if they were all there is.
    fn settle_sums(&mut self, least: u32) {
        let last = self.height - 1;
        let sums: Vec<_> = (0..self.width).map(|column| (last, column)).collect();
        for (row, column) in &sums {
            if self.count(*row, *column) < least {
                self.hide((*row, *column));
            }
        }
        while self.hide_one_more(&sums, &(last..self.height), least) {}
    }

    /// Every sum but that of the sums, as its parts and behind them itself.
    fn sums(&self) -> impl Iterator<Item = Vec<(usize, usize)>> + use<> {
        let (height, width) = (self.height, self.width);
        let rows = (0..height - 1).map(move |row| (0..width).map(|column| (row, column)).collect());
        let columns = (0..width).map(move |column| (0..height).map(|row| (row, column)).collect());
        rows.chain(columns)
    }

    /// Of a sum that gives something away one more cell goes, of these rows. Whether there was one.
    fn hide_one_more(&mut self, cells: &[(usize, usize)], rows: &Range<usize>, least: u32) -> bool {
        let hidden: Vec<_> = cells.iter().filter(|cell| self.is_hidden(**cell)).collect();
        let Some(sum) = cells.last() else { return false };
        let parts = hidden.iter().filter(|cell| **cell != sum);
        let known: u32 = parts.map(|(row, column)| self.count(*row, *column)).sum();
        // Where the sum itself is left out, what is left out of its parts is not known even together.
        let gives_away =
            hidden.len() == 1 || (!hidden.is_empty() && !self.is_hidden(*sum) && known < least);
        if !gives_away {
            return false;
        }
        // The smallest tells least; what is 0 goes only where there is nothing else.
        let may_go = cells.iter().filter(|cell| rows.contains(&cell.0) && !self.is_hidden(**cell));
        let may_go = may_go.filter(|(_, column)| self.count(self.height - 1, *column) > 0);
        let next = may_go.min_by_key(|(row, column)| {
            let count = self.count(*row, *column);
            (count == 0, (*row, *column) == *sum, count)
        });
        next.copied().is_some_and(|cell| {
            self.hide(cell);
            true
        })
    }

    /// Of what follows from several sums together, though it was left out, one cell no longer does, as one more of these rows
    /// goes. Whether there was one. It is looked for small cells, and for sums of rows: other tables have them too.
    ///
    /// What is left out joins its row and its column. A cell follows from the sums just where nothing else joins the two,
    /// over however many others: without a ring through it all the rest cancels out.
    fn close_one_ring(&mut self, rows: &Range<usize>, least: u32) -> bool {
        let cells = |rows: Range<usize>| {
            rows.flat_map(|row| (0..self.width).map(move |column| (row, column)))
        };
        let must_not_follow = |(row, column): &(usize, usize)| {
            *column == self.width - 1 || (1..least).contains(&self.count(*row, *column))
        };
        let mut hidden =
            cells(0..self.height).filter(|cell| self.is_hidden(*cell) && must_not_follow(cell));
        let next = hidden.find_map(|cell| {
            let near = self.joined(Line::Row(cell.0), cell);
            if near.contains(&Line::Column(cell.1)) {
                return None;
            }
            let far = self.joined(Line::Column(cell.1), cell);
            let closes = |(row, column): &(usize, usize)| {
                let ends = [Line::Row(*row), Line::Column(*column)];
                ends.iter().any(|end| near.contains(end))
                    && ends.iter().any(|end| far.contains(end))
            };
            let may_go = cells(rows.clone())
                .filter(|cell| !self.is_hidden(*cell) && closes(cell))
                .filter(|(_, column)| self.count(self.height - 1, *column) > 0);
            may_go.min_by_key(|(row, column)| {
                let count = self.count(*row, *column);
                (count == 0, *column == self.width - 1, count)
            })
        });
        next.is_some_and(|cell| {
            self.hide(cell);
            true
        })
    }

    /// What a row or column is joined with by cells that are left out, but for one of them.
    fn joined(&self, first: Line, but: (usize, usize)) -> BTreeSet<Line> {
        let mut joined = BTreeSet::from([first]);
        let mut next = vec![first];
        while let Some(line) = next.pop() {
            let across: Vec<_> = match line {
                Line::Row(row) => (0..self.width).map(|column| (row, column)).collect(),
                Line::Column(column) => (0..self.height).map(|row| (row, column)).collect(),
            };
            for cell in across.into_iter().filter(|cell| *cell != but && self.is_hidden(*cell)) {
                let other = match line {
                    Line::Row(_) => Line::Column(cell.1),
                    Line::Column(_) => Line::Row(cell.0),
                };
                if joined.insert(other) {
                    next.push(other);
                }
            }
        }
        joined
    }

    fn shown(&self) -> Shown {
        let cell = |row, column| (!self.is_hidden((row, column))).then(|| self.count(row, column));
        let (last_row, last_column) = (self.height - 1, self.width - 1);
        Shown {
            rows: (0..last_row)
                .map(|row| (0..last_column).map(|column| cell(row, column)).collect())
                .collect(),
            row_sums: (0..last_row).map(|row| cell(row, last_column)).collect(),
            column_sums: (0..last_column).map(|column| cell(last_row, column)).collect(),
            sum: cell(last_row, last_column),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(rows: &[&[u32]], least: u32) -> Shown {
        suppress(&Table { rows: rows.iter().map(|row| row.to_vec()).collect() }, least)
    }

    #[test]
    fn what_singles_out_nobody_is_shown() {
        let shown = of(&[&[12, 0, 7], &[9, 30, 0]], 5);

        assert_eq!(shown.rows, [[Some(12), Some(0), Some(7)], [Some(9), Some(30), Some(0)]]);
        assert_eq!((shown.row_sums, shown.sum), (vec![Some(19), Some(39)], Some(58)));
    }

    #[test]
    fn a_small_cell_takes_its_complements_with_it() {
        let shown = of(&[&[12, 3, 7], &[9, 30, 8]], 5);

        assert_eq!(shown.rows[0][1], None);
        let hidden = |cells: &[Option<u32>]| cells.iter().filter(|cell| cell.is_none()).count();
        assert!(hidden(&shown.rows[0]) >= 2, "else it follows from the row's sum: {shown:?}");
        let column = [shown.rows[0][1], shown.rows[1][1], shown.column_sums[1]];
        assert!(hidden(&column) >= 2, "and from the column's: {shown:?}");
        assert_eq!(shown.sum, Some(69));
    }

    #[test]
    fn what_follows_from_several_sums_together_is_left_out_with_one_more() {
        // Of each line two are left out; and yet the five follow, where nothing leads round them.
        let rows: [&[u32]; 3] = [&[10, 0, 0, 5], &[0, 10, 0, 0], &[0, 0, 9, 1]];
        let shown = of(&rows, 10);

        assert_eq!(shown.rows[0][3], None);
        let grid = left_out(&Table { rows: rows.map(<[u32]>::to_vec).to_vec() }, &shown);
        assert!(grid.joined(Line::Row(0), (0, 3)).contains(&Line::Column(3)), "{shown:?}");
    }

    fn left_out(table: &Table, shown: &Shown) -> Grid {
        let rows = shown.rows.iter().zip(&shown.row_sums);
        let cells = rows.flat_map(|(row, sum)| row.iter().chain([sum]));
        let cells = cells.chain(&shown.column_sums).chain([&shown.sum]);
        Grid { hidden: cells.map(Option::is_none).collect(), ..Grid::of(table) }
    }

    #[test]
    fn a_site_of_a_few_families_cannot_be_had_from_the_programme_less_the_others() {
        let shown = of(&[&[2, 1], &[40, 30], &[50, 20]], 10);

        assert_eq!((&shown.rows[0], shown.row_sums[0]), (&vec![None, None], None));
        assert!(shown.row_sums[1..].contains(&None), "one of the others, too: {shown:?}");
    }

    /// The least and the most that a reader can know each cell to be, by the sums alone, again and again.
    fn known(shown: &Shown) -> Vec<(u32, u32)> {
        let (height, width) = (shown.rows.len() + 1, shown.column_sums.len() + 1);
        let mut cells = Vec::new();
        for (row, sum) in shown.rows.iter().zip(&shown.row_sums) {
            cells.extend(row.iter().chain([sum]).copied());
        }
        cells.extend(shown.column_sums.iter().chain([&shown.sum]).copied());
        let mut bounds: Vec<_> =
            cells.iter().map(|cell| cell.map_or((0, 10_000), |count| (count, count))).collect();
        let mut sums: Vec<Vec<usize>> = Vec::new();
        for row in 0..height {
            sums.push((0..width).map(|column| row * width + column).collect());
        }
        for column in 0..width {
            sums.push((0..height).map(|row| row * width + column).collect());
        }
        for _ in 0..100 {
            let before = bounds.clone();
            for sum in &sums {
                let (total, parts) = sum.split_last().unwrap();
                let low: u32 = parts.iter().map(|cell| bounds[*cell].0).sum();
                let high: u32 = parts.iter().map(|cell| bounds[*cell].1).sum();
                bounds[*total] = (bounds[*total].0.max(low), bounds[*total].1.min(high));
                for part in parts {
                    let (others_low, others_high) = (low - bounds[*part].0, high - bounds[*part].1);
                    let least = bounds[*total].0.saturating_sub(others_high);
                    let most = bounds[*total].1.saturating_sub(others_low);
                    bounds[*part] = (bounds[*part].0.max(least), bounds[*part].1.min(most));
                }
                if bounds != before {
                    break;
                }
            }
            if bounds == before {
                break;
            }
        }
        bounds
    }

    proptest! {
        #[test]
        fn nobody_reckons_a_small_cell_from_what_is_shown(
            rows in (1_usize..6).prop_flat_map(|columns| {
                prop::collection::vec(prop::collection::vec(0_u32..25, columns), 1..6)
            }),
            least in prop::sample::select(vec![5_u32, 10]),
        ) {
            let table = Table { rows };
            let shown = suppress(&table, least);
            let bounds = known(&shown);
            let sums = (0..shown.column_sums.len())
                .map(|column| table.rows.iter().map(|row| row[column]).sum());
            let together = suppress(&Table { rows: vec![sums.collect()] }, least);
            prop_assert_eq!(
                (&shown.column_sums, shown.sum),
                (&together.column_sums, together.sum),
                "or one table is subtracted from the other"
            );
            let width = shown.column_sums.len() + 1;
            for (row, cells) in table.rows.iter().enumerate() {
                for (column, count) in cells.iter().enumerate() {
                    let (low, high) = bounds[row * width + column];
                    match shown.rows[row][column] {
                        Some(shown) => prop_assert_eq!(shown, *count),
                        None => prop_assert!(low < high, "cell {},{} is {}: {:?}", row, column, low, shown),
                    }
                    if 0 < *count && *count < least {
                        prop_assert!(low < high);
                        let joined = left_out(&table, &shown).joined(Line::Row(row), (row, column));
                        prop_assert!(joined.contains(&Line::Column(column)), "{:?}", shown);
                    }
                }
            }
            for (row, sum) in shown.row_sums.iter().enumerate() {
                let count: u32 = table.rows[row].iter().sum();
                prop_assert!(sum.is_none_or(|sum| sum == count && (count == 0 || count >= least)));
            }
        }
    }
}

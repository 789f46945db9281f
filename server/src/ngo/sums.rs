//! Figures of families, added up.

use std::collections::{BTreeMap, BTreeSet};

use jiashu_contact::figures::{Band, Tally};
use jiashu_contact::standing::Standing;
use jiashu_proto::id::Scope;

use super::period::{By, Period};
use crate::contact::rows::{ChildWeek, WeekRow, week_book};
use crate::store::{Store, StoreError};

/// The sums of a group. Of what stands for a moment, those of the last week.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Families that are counted.
    pub families: u32,
    /// Children, by [`Standing::ALL`].
    pub standing: [u32; 8],
    /// Children, by [`Band::ALL`].
    pub band: [u32; 5],
    /// What was expected, and what of it was kept.
    pub tally: Tally,
    /// How often a parent was heard at home.
    pub home: u32,
    /// How often a child was heard by a parent.
    pub away: u32,
    /// Of these two, what came late.
    pub late: u32,
    /// Phones of households.
    pub shared_phones: u32,
    /// Of these, the idle ones.
    pub idle_phones: u32,
    /// Children of whom something was expected in the last week.
    pub planned: u32,
    /// Children of whom something came late in the last week.
    pub late_children: u32,
}

impl Sums {
    fn add(&mut self, row: &WeekRow) {
        self.add_household(!row.children.is_empty(), row.shared_phones, row.idle_phones);
        row.children.iter().for_each(|child| self.add_child(child));
    }

    /// A family, if a child of it is counted, and its phones.
    pub(super) fn add_household(&mut self, is_counted: bool, shared_phones: u32, idle_phones: u32) {
        self.families += u32::from(is_counted);
        self.shared_phones += shared_phones;
        self.idle_phones += idle_phones;
    }

    /// A child of a family.
    pub(super) fn add_child(&mut self, child: &ChildWeek) {
        let (expected, kept, both_ways) = (child.expected, child.kept, child.both_ways);
        self.tally = self.tally.and(Tally { expected, kept, both_ways });
        self.home += child.home;
        self.away += child.away;
        self.late += child.late;
        self.planned += u32::from(child.expected > 0);
        self.late_children += u32::from(child.late > 0);
        let standing = Standing::ALL.iter().position(|one| *one == child.standing);
        let band = Band::ALL.iter().position(|one| *one == child.band);
        if let Some(count) = standing.and_then(|place| self.standing.get_mut(place)) {
            *count += 1;
        }
        if let Some(count) = band.and_then(|place| self.band.get_mut(place)) {
            *count += 1;
        }
    }

    /// How many children.
    #[must_use]
    pub fn children(&self) -> u32 {
        self.standing.iter().sum()
    }

    /// The same group a week later: what came about is added up, what stands is as it stands then.
    #[must_use]
    pub fn then(self, later: &Self) -> Self {
        Self {
            tally: self.tally.and(later.tally),
            home: self.home + later.home,
            away: self.away + later.away,
            late: self.late + later.late,
            ..later.clone()
        }
    }

    /// The two together.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.families += other.families;
        self.tally = self.tally.and(other.tally);
        self.home += other.home;
        self.away += other.away;
        self.late += other.late;
        self.shared_phones += other.shared_phones;
        self.idle_phones += other.idle_phones;
        self.planned += other.planned;
        self.late_children += other.late_children;
        self.standing.iter_mut().zip(other.standing).for_each(|(sum, count)| *sum += count);
        self.band.iter_mut().zip(other.band).for_each(|(sum, count)| *sum += count);
        self
    }
}

/// Sums by the name of a group; what has none is the first.
pub type Groups = BTreeMap<Option<String>, Sums>;

/// What a period comes to, a group each, and whether all of it has closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summed {
    /// Of all its weeks together.
    pub groups: Groups,
    /// Whether it will stay so.
    pub closed: bool,
    /// Each of its weeks by itself: what is left out of one of them is not told by all together.
    pub weeks: Vec<Groups>,
}

impl Summed {
    /// Of the weeks of a period, in order.
    pub(super) fn of(weeks: Vec<Groups>, closed: bool) -> Self {
        let names: BTreeSet<_> = weeks.iter().flat_map(Groups::keys).cloned().collect();
        let none = Sums::default();
        let of_period = |name: Option<String>| {
            let of_group = weeks.iter().map(|week| week.get(&name).unwrap_or(&none));
            let sums = of_group.fold(Sums::default(), Sums::then);
            (name, sums)
        };
        Self { groups: names.into_iter().map(of_period).collect(), closed, weeks }
    }

    /// All of its groups together.
    #[must_use]
    pub fn total(&self) -> Sums {
        self.groups.values().fold(Sums::default(), Sums::and)
    }
}

/// Sums up the weeks of a period.
#[must_use]
pub fn sum(weeks: &[Vec<WeekRow>], by: By) -> Summed {
    let closed = weeks.iter().flatten().all(|row| row.closed);
    Summed::of(weeks.iter().map(|week| of_week(week, by)).collect(), closed)
}

fn of_week(week: &[WeekRow], by: By) -> Groups {
    let mut groups = Groups::new();
    for row in week {
        groups.entry(by.group(row)).or_default().add(row);
    }
    groups
}

/// The rows of each week of a period.
///
/// # Errors
///
/// [`StoreError`].
pub async fn rows(
    store: &dyn Store,
    programme: Scope,
    period: &Period,
) -> Result<Vec<Vec<WeekRow>>, StoreError> {
    let mut weeks = Vec::new();
    for week in &period.weeks {
        let book = store.whole_book(programme, &week_book(*week)).await?;
        weeks.push(book.iter().filter_map(|row| WeekRow::from_bytes(row.value)).collect());
    }
    Ok(weeks)
}

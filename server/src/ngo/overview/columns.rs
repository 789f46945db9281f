//! A week of all families in columns: what its rows say, some sixty bytes a family of two children, so that a page that
//! asks for twelve weeks of 100,000 families need not read them again for each filter.

use std::collections::HashMap;

use jiashu_contact::age::AgeBand;
use jiashu_contact::figures::Band;
use jiashu_contact::standing::Standing;
use jiashu_proto::entry::Care;
use jiashu_proto::id::{MemberId, Scope};

use crate::contact::glance::WeekGlance;
use crate::contact::rows::{ChildWeek, Edges};
use crate::ngo::period::corridor;
use crate::store::Book;

/// A week.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Whether all of its rows have closed.
    pub(super) closed: bool,
    /// The codes of its sites, by the places that its families name.
    pub(super) sites: Vec<Option<String>>,
    /// Its corridors, likewise.
    pub(super) corridors: Vec<Option<String>>,
    /// Of which families there are, by [`care_place`].
    pub(super) cares: [bool; CARES],
    families: Vec<FamilyCells>,
    children: Vec<ChildCells>,
    uses: Vec<(u8, u8)>,
}

/// Counts are cut off at the most that their cells hold, far beyond a family's.
#[derive(Debug)]
struct FamilyCells {
    family: Scope,
    site: u32,
    corridor: u32,
    children: u16,
    shared_phones: u16,
    idle_phones: u16,
    uses: u8,
    care: u8,
}

/// A child's figures of a week, cut off likewise.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChildCells {
    pub(super) member: MemberId,
    expected: u16,
    kept: u16,
    both_ways: u16,
    home: u16,
    away: u16,
    late: u16,
    /// Minutes up to the first contact; [`UNKNOWN`].
    first_min: u16,
    /// Minutes since the last.
    last_min: u16,
    longest_gap_h: u8,
    standing: u8,
    band: u8,
    age: u8,
}

/// Of edges that a row does not tell.
const UNKNOWN: u16 = u16::MAX;

/// All of [`Care::ALL`], and what is not known.
pub(super) const CARES: usize = Care::ALL.len() + 1;

/// The place in [`Care::ALL`], behind which is what is not known.
pub(super) fn care_place(care: Option<Care>) -> usize {
    let place = Care::ALL.iter().position(|one| Some(*one) == care);
    place.unwrap_or(Care::ALL.len())
}

/// A family of a week.
#[derive(Clone, Copy, Debug)]
pub(super) struct Household<'a> {
    pub(super) family: Scope,
    /// Its place in [`Columns::sites`].
    pub(super) site: usize,
    /// Its place in [`Columns::corridors`].
    pub(super) corridor: usize,
    /// Who looks after its children, by [`care_place`].
    pub(super) care: usize,
    pub(super) shared_phones: u32,
    pub(super) idle_phones: u32,
    pub(super) children: &'a [ChildCells],
    /// Hours of the week in which its phones were used, and how often.
    pub(super) uses: &'a [(u8, u8)],
}

impl Columns {
    /// Of a book of a week; rows that do not read are left out.
    pub(super) fn of(book: &Book) -> Self {
        let mut columns = Self { closed: true, ..Self::default() };
        columns.families.reserve_exact(book.len());
        let (mut sites, mut corridors) = (Names::default(), Names::default());
        for row in book.iter() {
            let family = row.name.try_into().map(u64::from_be_bytes).map(Scope);
            let Some((family, row)) = family.ok().zip(WeekGlance::from_bytes(row.value)) else {
                continue;
            };
            columns.closed &= row.closed;
            let care = care_place(row.care);
            if let Some(is_there) = columns.cares.get_mut(care) {
                *is_there = true;
            }
            columns.families.push(FamilyCells {
                family,
                site: sites.place(row.site.map(str::to_owned)),
                corridor: corridors.place(corridor(row.away_zone, row.home_zone)),
                children: u16::try_from(row.children.len()).unwrap_or(u16::MAX),
                shared_phones: cut(row.shared_phones),
                idle_phones: cut(row.idle_phones),
                uses: u8::try_from(row.uses.hours().len()).unwrap_or(u8::MAX),
                care: u8::try_from(care).unwrap_or(u8::MAX),
            });
            columns.children.extend(row.children.iter().map(ChildCells::of));
            columns.uses.extend_from_slice(row.uses.hours());
        }
        columns.children.shrink_to_fit();
        columns.uses.shrink_to_fit();
        (columns.sites, columns.corridors) = (sites.list, corridors.list);
        columns
    }

    /// Its families, ascending.
    pub(super) fn households(&self) -> impl Iterator<Item = Household<'_>> {
        let (mut children, mut uses) = (&self.children[..], &self.uses[..]);
        self.families.iter().map(move |cells| Household {
            family: cells.family,
            site: cells.site as usize,
            corridor: cells.corridor as usize,
            care: usize::from(cells.care),
            shared_phones: u32::from(cells.shared_phones),
            idle_phones: u32::from(cells.idle_phones),
            children: take(&mut children, usize::from(cells.children)),
            uses: take(&mut uses, usize::from(cells.uses)),
        })
    }

    /// How much memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        size_of_val(&self.families[..]) + size_of_val(&self.children[..]) + 2 * self.uses.len()
    }
}

fn take<'a, T>(rest: &mut &'a [T], count: usize) -> &'a [T] {
    let (taken, left) = rest.split_at_checked(count).unwrap_or_default();
    *rest = left;
    taken
}

fn cut(count: u32) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

impl ChildCells {
    fn of(child: &ChildWeek) -> Self {
        let edge = |minutes: fn(&Edges) -> u32| {
            child.edges.as_ref().map_or(UNKNOWN, |edges| cut(minutes(edges)))
        };
        Self {
            member: child.member,
            expected: cut(child.expected),
            kept: cut(child.kept),
            both_ways: cut(child.both_ways),
            home: cut(child.home),
            away: cut(child.away),
            late: cut(child.late),
            first_min: edge(|edges| edges.first_min),
            last_min: edge(|edges| edges.last_min),
            longest_gap_h: u8::try_from(child.longest_gap_h).unwrap_or(u8::MAX),
            standing: place(&Standing::ALL, child.standing),
            band: place(&Band::ALL, child.band),
            age: child.age.map_or(u8::MAX, |age| place(&AgeBand::ALL, age)),
        }
    }

    /// As it stood in the row, but for the days on which something was heard, which no sum needs.
    pub(super) fn figures(&self) -> ChildWeek {
        ChildWeek {
            member: self.member,
            expected: u32::from(self.expected),
            kept: u32::from(self.kept),
            both_ways: u32::from(self.both_ways),
            home: u32::from(self.home),
            away: u32::from(self.away),
            late: u32::from(self.late),
            days: 0,
            longest_gap_h: u32::from(self.longest_gap_h),
            standing: self.standing(),
            band: Band::ALL.get(usize::from(self.band)).copied().unwrap_or(Band::None),
            age: self.age(),
            edges: self.edges(),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        Standing::ALL.get(usize::from(self.standing)).copied().unwrap_or(Standing::NotActive)
    }

    pub(super) fn age(&self) -> Option<AgeBand> {
        AgeBand::ALL.get(usize::from(self.age)).copied()
    }

    /// Its standing's place in [`Standing::ALL`].
    pub(super) fn standing_place(&self) -> usize {
        usize::from(self.standing)
    }

    /// Its age's place in [`AgeBand::ALL`], behind which is what is not known.
    pub(super) fn age_place(&self) -> usize {
        usize::from(self.age).min(AgeBand::ALL.len())
    }

    pub(super) fn edges(&self) -> Option<Edges> {
        let known = self.first_min != UNKNOWN;
        let (first_min, last_min) = (u32::from(self.first_min), u32::from(self.last_min));
        known.then_some(Edges { first_min, last_min })
    }

    /// Whether there was any contact.
    pub(super) fn was_heard(&self) -> bool {
        self.home + self.away > 0
    }

    pub(super) fn longest_gap_min(&self) -> u32 {
        u32::from(self.longest_gap_h) * 60
    }
}

fn place<T: PartialEq>(all: &[T], one: T) -> u8 {
    all.iter()
        .position(|other| *other == one)
        .and_then(|place| u8::try_from(place).ok())
        .unwrap_or(u8::MAX)
}

/// Names, each once, by the order in which they came.
#[derive(Default)]
struct Names {
    list: Vec<Option<String>>,
    places: HashMap<Option<String>, u32>,
}

impl Names {
    fn place(&mut self, name: Option<String>) -> u32 {
        if let Some(place) = self.places.get(&name) {
            return *place;
        }
        let place = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(name.clone());
        self.places.insert(name, place);
        place
    }
}

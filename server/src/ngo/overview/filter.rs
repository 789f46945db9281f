//! Which families and children are asked about, and by what they are put together.

use std::collections::HashMap;

use jiashu_api::programme::Filters;
use jiashu_contact::age::AgeBand;
use jiashu_contact::standing::Standing;
use jiashu_proto::entry::Care;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{DeviceId, Scope};

use super::columns::{ChildCells, Columns, Household, care_place};
use crate::execute::Failure;
use crate::family::Refusal;
use crate::ngo::caseload::{caseload, workers};
use crate::ngo::staff::{Staff, no_such_staff};
use crate::ngo::sums::{Groups, Sums};
use crate::programme::Role;
use crate::relay::Relay;

/// What is said of children of whom it is not known.
pub(super) const UNKNOWN: &str = "unknown";

/// The longest value of a filter, in bytes: two names of zones.
const MAX_VALUE: usize = 100;

/// All that must hold of a family or child.
#[derive(Debug, Default)]
pub(super) struct Filter {
    site: Option<String>,
    corridor: Option<String>,
    worker: Option<Worker>,
    age: Option<Option<AgeBand>>,
    /// By its place.
    care: Option<usize>,
    standing: Option<Standing>,
}

/// Whose families are asked about, and whose each is.
#[derive(Debug)]
struct Worker {
    staff: Staff,
    caseload: HashMap<Scope, DeviceId>,
}

/// By what families or children are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    Site,
    Corridor,
    Age,
    Care,
    Standing,
}

impl Filter {
    /// As somebody asks for it.
    pub(super) async fn of(
        relay: &Relay,
        programme: Scope,
        asked: &Filters,
    ) -> Result<Self, Failure> {
        let worker = match asked.worker {
            Some(number) => Some(Worker::of(relay, programme, DeviceId(number)).await?),
            None => None,
        };
        Ok(Self { worker, ..Self::by_words(asked)? })
    }

    /// The same without whose the families are.
    pub(super) fn by_words(asked: &Filters) -> Result<Self, Refusal> {
        let malformed = |text: &str| Refusal::new(ErrorCode::Malformed, text);
        let texts = [&asked.site, &asked.corridor, &asked.age, &asked.care, &asked.standing];
        if texts.into_iter().flatten().any(|text| !(1..=MAX_VALUE).contains(&text.len())) {
            return Err(malformed("what a filter says is 1 to 100 bytes long"));
        }
        let age = asked.age.as_deref().map(|word| match word {
            UNKNOWN => Ok(None),
            word => one_of(&AgeBand::ALL, AgeBand::name, word).map(Some),
        });
        let care = asked.care.as_deref().map(|word| match word {
            UNKNOWN => Ok(None),
            word => one_of(&Care::ALL, Care::name, word).map(Some),
        });
        let care = care.transpose().map_err(|()| malformed("no such care"))?;
        let standing = asked.standing.as_deref();
        let standing = standing.map(|word| one_of(&Standing::ALL, Standing::name, word));
        Ok(Self {
            site: asked.site.clone(),
            corridor: asked.corridor.clone(),
            worker: None,
            age: age.transpose().map_err(|()| malformed("no such age"))?,
            care: care.map(care_place),
            standing: standing.transpose().map_err(|()| malformed("no such standing"))?,
        })
    }

    /// Whether it is about single children, of whom a family may have others.
    fn is_by_child(&self) -> bool {
        self.age.is_some() || self.standing.is_some()
    }

    /// What it takes of a week.
    pub(super) fn within<'a>(&'a self, columns: &'a Columns) -> Within<'a> {
        let wanted = |wanted: &Option<String>, names: &[Option<String>]| match wanted {
            None => Wanted::Any,
            some => names.iter().position(|name| name == some).map_or(Wanted::None, Wanted::At),
        };
        Within {
            filter: self,
            columns,
            site: wanted(&self.site, &columns.sites),
            corridor: wanted(&self.corridor, &columns.corridors),
        }
    }
}

fn one_of<T: Copy>(all: &[T], name: fn(T) -> &'static str, word: &str) -> Result<T, ()> {
    all.iter().copied().find(|one| name(*one) == word).ok_or(())
}

impl Worker {
    async fn of(relay: &Relay, programme: Scope, number: DeviceId) -> Result<Self, Failure> {
        let store = &*relay.store;
        let workers = workers(store, programme).await?;
        let found = workers.into_iter().find(|(of, _)| *of == number);
        let (_, fact) = found.ok_or_else(no_such_staff)?;
        // A coordinator may open every family, but theirs are those that are so by name.
        let sites = if fact.role == Role::Caseworker { fact.sites } else { Vec::new() };
        let staff = Staff { programme, number, role: Role::Caseworker, sites };
        Ok(Self { staff, caseload: caseload(store, programme).await? })
    }

    fn has(&self, family: Scope, site: Option<&str>) -> bool {
        self.staff.owns(self.caseload.get(&family).copied(), site)
    }
}

/// Which place of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Any,
    At(usize),
    None,
}

impl Wanted {
    fn is(self, place: usize) -> bool {
        self == Self::Any || self == Self::At(place)
    }
}

/// What a filter takes of a week.
pub(super) struct Within<'a> {
    filter: &'a Filter,
    columns: &'a Columns,
    site: Wanted,
    corridor: Wanted,
}

impl<'a> Within<'a> {
    /// The families of which something is taken.
    pub(super) fn households(&self) -> impl Iterator<Item = Household<'a>> {
        let worker = self.filter.worker.as_ref();
        let is_theirs = move |household: &Household<'_>| {
            let site = self.columns.sites.get(household.site).and_then(Option::as_deref);
            worker.is_none_or(|worker| worker.has(household.family, site))
        };
        let by_child = self.filter.is_by_child();
        self.columns.households().filter(move |household| {
            self.site.is(household.site)
                && self.corridor.is(household.corridor)
                && self.filter.care.is_none_or(|care| care == household.care)
                && is_theirs(household)
                && (!by_child || self.children(household).next().is_some())
        })
    }

    /// The children of a family that are taken.
    pub(super) fn children<'b>(
        &self,
        household: &Household<'b>,
    ) -> impl Iterator<Item = &'b ChildCells> {
        let (age, standing) = (self.filter.age, self.filter.standing);
        household.children.iter().filter(move |child| {
            age.is_none_or(|age| age == child.age())
                && standing.is_none_or(|standing| standing == child.standing())
        })
    }

    /// Added up, and all of it together. Of children put together by what is theirs, a family is in each group that has a
    /// child of it, and its phones are in none.
    pub(super) fn sums(&self, by: Dimension) -> (Groups, Sums) {
        let names = by.names(self.columns);
        let mut groups: Vec<Option<Sums>> = vec![None; names.len()];
        let mut families = Sums::default();
        for household in self.households() {
            let (shared, idle) = (household.shared_phones, household.idle_phones);
            let mut is_counted = false;
            let mut is_in = [false; MOST_KINDS];
            for child in self.children(&household) {
                is_counted = true;
                let place = by.place(&household, child);
                if let Some(sums) = groups.get_mut(place) {
                    sums.get_or_insert_default().add_child(&child.figures());
                }
                if let Some(is_in) = is_in.get_mut(place) {
                    *is_in = true;
                }
            }
            families.add_household(is_counted, shared, idle);
            if let Some(place) = by.place_of_family(&household) {
                if let Some(sums) = groups.get_mut(place) {
                    sums.get_or_insert_default().add_household(is_counted, shared, idle);
                }
                continue;
            }
            for (sums, _) in groups.iter_mut().zip(is_in).filter(|(_, is_in)| *is_in) {
                sums.get_or_insert_default().add_household(true, 0, 0);
            }
        }
        let total = groups.iter().flatten().fold(Sums::default(), Sums::and);
        let Sums { families, shared_phones, idle_phones, .. } = families;
        let named = names.into_iter().zip(groups);
        let groups = named.filter_map(|(name, sums)| Some((name, sums?))).collect();
        (groups, Sums { families, shared_phones, idle_phones, ..total })
    }
}

/// Kinds of children, at most.
const MOST_KINDS: usize = 8;

// One more for those whose age is not known.
const _: () = assert!(Standing::ALL.len() <= MOST_KINDS && AgeBand::ALL.len() < MOST_KINDS);

impl Dimension {
    /// The one by which a filter asks, where it asks by one.
    pub(super) fn of(filters: &Filters) -> Option<Self> {
        let Filters { site, worker: _, corridor, age, care, standing } = filters;
        let by = [
            (site, Self::Site),
            (corridor, Self::Corridor),
            (age, Self::Age),
            (care, Self::Care),
            (standing, Self::Standing),
        ];
        by.into_iter().find(|(value, _)| value.is_some()).map(|(_, by)| by)
    }

    /// The name of the group that a filter asks for; what is not known has none.
    pub(super) fn wanted(self, filters: &Filters) -> Option<String> {
        match self {
            Self::Site => filters.site.clone(),
            Self::Corridor => filters.corridor.clone(),
            Self::Age => filters.age.clone().filter(|age| age != UNKNOWN),
            Self::Care => filters.care.clone().filter(|care| care != UNKNOWN),
            Self::Standing => filters.standing.clone(),
        }
    }

    /// Whether a family is in one group with all of its children.
    pub(super) fn is_of_families(self) -> bool {
        matches!(self, Self::Site | Self::Corridor | Self::Care)
    }

    /// The groups of a week by their places; what is not known has no name.
    pub(super) fn names(self, columns: &Columns) -> Vec<Option<String>> {
        let named = |name: &str| Some(name.to_owned());
        match self {
            Self::Site => columns.sites.clone(),
            Self::Corridor => columns.corridors.clone(),
            Self::Age => {
                let known = AgeBand::ALL.into_iter().map(|age| named(age.name()));
                known.chain([None]).collect()
            }
            Self::Care => {
                let known = Care::ALL.into_iter().map(|care| named(care.name()));
                known.chain([None]).collect()
            }
            Self::Standing => {
                Standing::ALL.into_iter().map(|standing| named(standing.name())).collect()
            }
        }
    }

    /// Its group, where it is in one with all of its children.
    pub(super) fn place_of_family(self, household: &Household<'_>) -> Option<usize> {
        match self {
            Self::Site => Some(household.site),
            Self::Corridor => Some(household.corridor),
            Self::Care => Some(household.care),
            Self::Age | Self::Standing => None,
        }
    }

    fn place(self, household: &Household<'_>, child: &ChildCells) -> usize {
        let of_child = || match self {
            Self::Age => child.age_place(),
            _ => child.standing_place(),
        };
        self.place_of_family(household).unwrap_or_else(of_child)
    }
}

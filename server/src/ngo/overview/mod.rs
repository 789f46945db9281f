//! The programme as its page shows it: how families do over some weeks, all of them or those that a filter takes.
//!
//! `columns` is what the rows of a week say, of which `kept` keeps those that have closed; `filter` takes families and
//! children of them and puts them together, `gaps` follows a child from week to week, `hours` are those of shared phones.
//! Added up is as in every report (`sums`), and what may be seen is decided as in every report (`seen`).

use std::sync::Arc;

use self::columns::Columns;
use self::filter::{Dimension, Filter, UNKNOWN};
use self::gaps::{BUCKETS, gaps};
use self::hours::{SeenHours, seen_alone, seen_in_week, uses};
use self::kept::{Held, aside};
use super::audit::{self, Asked};
use super::caseload::workers;
use super::period::Period;
use super::report::{LEAST, group};
use super::seen::{Cells, Seen};
use super::staff::{Staff, Wants, allow_quietly};
use super::sums::{Summed, Sums};
use crate::clock::text;
use crate::contact::uses::HOURS;
use crate::execute::Failure;
use crate::family::Refusal;
use crate::programme::{self, Role, SiteFact};
use crate::relay::Relay;
use crate::store::StoreError;
use jiashu_api::programme as api;
use jiashu_api::report::Count;
use jiashu_contact::age::AgeBand;
use jiashu_contact::standing::Standing;
use jiashu_contact::suppress::{Table, suppress};
use jiashu_contact::week::Week;
use jiashu_proto::entry::Care;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::Millis;

mod columns;

pub mod kept;

mod filter;

mod gaps;

mod hours;

/// Weeks that are looked at where nobody says how many.
pub const USUAL: usize = 12;

/// The most weeks that are looked at: a year.
pub const MOST: usize = 53;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// How many weeks, up to [`MOST`]; absent: [`USUAL`].
    pub weeks: Option<usize>,
    /// The last of them; absent: the last that has closed.
    pub until: Option<Week>,
    /// Of which families and children.
    pub filters: api::Filters,
}

/// Who is shown what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// A coordinator: everything, as everything may be opened.
    Whole,
    /// A coordinator who set a filter: others may see the screen, so few are not told.
    Filtered,
    /// Who may open no family: few are not told, nor follow from all that is told; by what a filter puts together.
    Guarded(Option<Dimension>),
}

/// The figures, for a member of staff.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::NotAllowed`], which is noted, for who may not, and of an auditor for a second filter, or one by
/// worker: of several that overlap a single family could follow.
pub async fn overview(
    relay: &Relay,
    staff: &Staff,
    query: &Query,
) -> Result<api::Programme, Failure> {
    let asked = Asked { action: "programme", ..Asked::default() };
    allow_quietly(relay, staff, Wants::Figures, asked.clone()).await?;
    let Some(view) = View::of(staff.role, &query.filters) else {
        audit::note(relay, staff.programme, staff.number, &asked, false).await?;
        let text =
            "one filter at a time, and none by worker: of several a single family could follow";
        return Err(Refusal::new(ErrorCode::NotAllowed, text).into());
    };
    let now = relay.clock.now();
    let weeks = weeks(query, now)?;
    let filter = Filter::of(relay, staff.programme, &query.filters).await?;
    let store = &*relay.store;
    let Held { columns, large } =
        relay.kept_weeks.weeks(store, staff.programme, &weeks, now).await?;
    let choices = choices(relay, staff, &columns).await?;
    let counting = Counting { view, filters: query.filters.clone(), filter, columns };
    let counted = aside(move || {
        let counted = counting.count();
        // Both at once, and also where nobody waits for it any more: only then may somebody else hold as much.
        drop((counting, large));
        counted
    })
    .await?;
    Ok(counted.shown(view, &weeks, query, choices, now))
}

fn weeks(query: &Query, now: Millis) -> Result<Vec<Week>, Refusal> {
    let malformed = |text: &str| Refusal::new(ErrorCode::Malformed, text);
    let count = query.weeks.unwrap_or(USUAL);
    if !(1..=MOST).contains(&count) {
        return Err(malformed("1 to 53 weeks"));
    }
    let until = query.until.or(Period::last_closed(now).weeks.last().copied());
    let until = until.filter(|week| Period::week(*week).has_begun(now));
    let until = until.ok_or_else(|| malformed("that has not begun yet"))?;
    let mut weeks: Vec<_> =
        std::iter::successors(Some(until), |week| Some(week.before())).take(count).collect();
    weeks.reverse();
    Ok(weeks)
}

async fn choices(
    relay: &Relay,
    staff: &Staff,
    columns: &[Arc<Columns>],
) -> Result<api::Choices, StoreError> {
    let store = &*relay.store;
    let sites: Vec<(String, SiteFact)> = programme::all(store, staff.programme).await?;
    let workers = match staff.role {
        Role::Coordinator => workers(store, staff.programme).await?,
        Role::Caseworker | Role::Auditor => Vec::new(),
    };
    let corridors = columns.iter().flat_map(|week| &week.corridors).flatten();
    let mut corridors: Vec<_> = corridors.cloned().collect();
    corridors.sort_unstable();
    corridors.dedup();
    let ages = AgeBand::ALL.map(AgeBand::name).into_iter().chain([UNKNOWN]);
    Ok(api::Choices {
        sites: sites.into_iter().map(|(code, site)| api::Place { code, name: site.name }).collect(),
        workers: workers
            .into_iter()
            .map(|(number, fact)| api::Worker { number: number.0, name: fact.name })
            .collect(),
        corridors,
        ages: ages.map(str::to_owned).collect(),
        cares: cares(columns),
        standings: Standing::ALL.map(|standing| standing.name().to_owned()).to_vec(),
    })
}

/// Those of families of these weeks; none where nobody said it of any.
fn cares(columns: &[Arc<Columns>]) -> Vec<String> {
    let is_there = |place: &usize| columns.iter().any(|week| week.cares.get(*place) == Some(&true));
    let names = Care::ALL.map(Care::name).into_iter().chain([UNKNOWN]).enumerate();
    let names = names.filter(|(place, _)| is_there(place)).map(|(_, name)| name.to_owned());
    let names: Vec<_> = names.collect();
    if names == [UNKNOWN] { Vec::new() } else { names }
}

impl View {
    /// `None` where somebody asks for more than they may.
    fn of(role: Role, filters: &api::Filters) -> Option<Self> {
        let api::Filters { site, worker, corridor, age, care, standing } = filters;
        let texts = [site, corridor, age, care, standing].into_iter().flatten().count();
        match role {
            Role::Coordinator if texts == 0 && worker.is_none() => Some(Self::Whole),
            Role::Coordinator => Some(Self::Filtered),
            Role::Caseworker | Role::Auditor if texts > 1 || worker.is_some() => None,
            Role::Caseworker | Role::Auditor => Some(Self::Guarded(Dimension::of(filters))),
        }
    }

    fn least(self) -> u32 {
        if self == Self::Whole { 0 } else { LEAST }
    }
}

/// What is counted.
struct Counting {
    view: View,
    filters: api::Filters,
    filter: Filter,
    columns: Vec<Arc<Columns>>,
}

/// What came out, and what of it may be seen.
struct Counted {
    closed: Vec<bool>,
    /// Each week by itself.
    weeks: Vec<(Sums, Cells)>,
    total: (Sums, Cells),
    sites: Vec<(Option<String>, Sums, Cells)>,
    gaps: [u32; BUCKETS.len()],
    /// None where it is left out.
    hours: [Option<u32>; HOURS],
    /// Whether a family is counted by what it is itself, not by a child of it.
    of_families: bool,
}

impl Counting {
    fn count(&self) -> Counted {
        let (by, everything) = match self.view {
            View::Guarded(Some(by)) => (by, Some(Filter::default())),
            View::Guarded(None) | View::Whole | View::Filtered => (Dimension::Site, None),
        };
        // A filter of who may open no family names one group of all of them, which are looked at together.
        let filter = everything.as_ref().unwrap_or(&self.filter);
        let (mut groups, mut totals, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for week in &self.columns {
            let (of_week, total) = filter.within(week).sums(by);
            seen.push(self.seen(by, &of_week, &total));
            groups.push(of_week);
            totals.push(total);
        }
        let summed = Summed::of(groups, self.columns.iter().all(|week| week.closed));
        let over = Seen::over(&seen, &summed);
        let hours_seen = self.hours_seen(by, &seen);
        let named = |seen: &Seen, name: &Option<String>| seen.group(name);
        let (weeks, total, sites) = match self.view {
            View::Guarded(Some(by)) => {
                let name = by.wanted(&self.filters);
                let of_weeks = summed.weeks.iter().zip(&seen).map(|(week, seen)| {
                    (week.get(&name).cloned().unwrap_or_default(), named(seen, &name))
                });
                let total = summed.groups.get(&name).cloned().unwrap_or_default();
                (of_weeks.collect(), (total, named(&over, &name)), Vec::new())
            }
            View::Guarded(None) | View::Whole | View::Filtered => {
                let total = totals.iter().fold(Sums::default(), Sums::then);
                let weeks = totals.into_iter().zip(seen.iter().map(|seen| seen.total)).collect();
                let sites = summed.groups.iter();
                let sites =
                    sites.map(|(name, sums)| (name.clone(), sums.clone(), named(&over, name)));
                (weeks, (total, over.total), sites.collect())
            }
        };
        Counted {
            closed: self.columns.iter().map(|week| week.closed).collect(),
            weeks,
            total,
            sites,
            gaps: gaps(&self.columns, &self.filter),
            hours: self.hours(&hours_seen),
            of_families: everything.is_none() || by.is_of_families(),
        }
    }

    fn seen(&self, by: Dimension, groups: &super::sums::Groups, total: &Sums) -> Seen {
        let least = self.view.least();
        match self.view {
            View::Filtered => Seen::each_alone(groups, least),
            View::Whole | View::Guarded(None) => Seen::of_week(groups, least),
            View::Guarded(Some(_)) => {
                let whole = Seen::of_week(&[(None, total.clone())].into(), least).total;
                match by {
                    Dimension::Standing => Seen::by_standing(groups, whole, least),
                    _ => Seen::of_week(groups, least).within(whole),
                }
            }
        }
    }

    fn hours_seen(&self, by: Dimension, seen: &[Seen]) -> SeenHours {
        let least = self.view.least();
        let group = match self.view {
            View::Whole => return [true; HOURS],
            View::Filtered => return seen_alone(&self.columns, &self.filter, least),
            View::Guarded(None) => None,
            View::Guarded(Some(by)) => Some(by.wanted(&self.filters)),
        };
        let mut hours = [true; HOURS];
        for (week, seen) in self.columns.iter().zip(seen) {
            let of_week = seen_in_week(week, by, seen, group.as_ref(), least);
            hours.iter_mut().zip(of_week).for_each(|(hour, is_seen)| *hour &= is_seen);
        }
        hours
    }

    fn hours(&self, seen: &SeenHours) -> [Option<u32>; HOURS] {
        let mut hours = uses(&self.columns, &self.filter).map(Some);
        let left_out = hours.iter_mut().zip(seen).filter(|(_, is_seen)| !**is_seen);
        left_out.for_each(|(hour, _)| *hour = None);
        hours
    }
}

impl Counted {
    fn shown(
        self,
        view: View,
        weeks: &[Week],
        query: &Query,
        choices: api::Choices,
        now: Millis,
    ) -> api::Programme {
        let (sums, cells) = &self.total;
        let shown = |name: Option<String>, sums: &Sums, cells: &Cells| {
            let cells = if self.of_families { *cells } else { cells.of_children() };
            let mut shown = group(name, sums, &cells);
            shown.families = shown.families.filter(|_| self.of_families);
            shown
        };
        let used = self.of_families && self.weeks.iter().all(|(_, cells)| cells.shared_phones);
        let of_week =
            |((week, (sums, cells)), closed): ((&Week, &(Sums, Cells)), &bool)| api::Week {
                week: week.to_string(),
                closed: Period::week(*week).has_closed(*closed, now),
                figures: shown(None, sums, cells),
            };
        let hours = self.hours.chunks(24).map(<[Option<u32>]>::to_vec).collect();
        api::Programme {
            as_of: text(now),
            suppressed_below: Some(view.least()).filter(|least| *least > 0),
            too_few: !cells.people,
            filters: query.filters.clone(),
            choices,
            weeks: weeks.iter().zip(&self.weeks).zip(&self.closed).map(of_week).collect(),
            total: shown(None, sums, cells),
            sites: self
                .sites
                .iter()
                .map(|(name, sums, cells)| shown(name.clone(), sums, cells))
                .collect(),
            gaps: shown_gaps(view, self.gaps, weeks.len(), cells),
            hours: used.then_some(hours),
        }
    }
}

/// Of who may open no family: only of all families, and over one number of weeks. Whoever has those of twelve weeks and of
/// thirteen knows of how many children the thirteenth made a difference.
fn shown_gaps(view: View, gaps: [u32; BUCKETS.len()], weeks: usize, cells: &Cells) -> Vec<Count> {
    let may_be = match view {
        View::Whole | View::Filtered => cells.people,
        View::Guarded(by) => cells.people && by.is_none() && weeks == USUAL,
    };
    let shown = suppress(&Table { rows: vec![gaps.to_vec()] }, view.least()).column_sums;
    let named = BUCKETS.iter().zip(shown);
    let count = |((name, _), count): (&(&str, u32), Option<u32>)| Count {
        name: (*name).to_owned(),
        count: count.filter(|_| may_be),
    };
    named.map(count).collect()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod subtraction_tests;

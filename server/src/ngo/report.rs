//! What came of contact, summed up: the one place where figures of families become figures of many. A screen, an
//! e-mail and a file are all made of this, so they cannot differ.

use std::collections::BTreeMap;

use jiashu_api::report as api;
use jiashu_contact::figures::{Band, Tally};
use jiashu_contact::standing::Standing;
use jiashu_contact::suppress::{Table, suppress_within};
use jiashu_contact::week::Week;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{Millis, Scope};
use jiashu_recurrence::utc_text;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

use super::audit::Asked;
use super::staff::{Staff, Wants, allow_quietly};
use crate::contact::rows::{WeekRow, week_book};
use crate::execute::Failure;
use crate::family::Refusal;
use crate::programme::Role;
use crate::relay::Relay;
use crate::store::{Store, StoreError};

/// Counts below this are not shown to readers who may not open the rows.
pub const WITHIN: u32 = 5;

/// Counts below this leave nowhere.
pub const OUTSIDE: u32 = 10;

/// A stretch of whole weeks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// As DHIS2 names it.
    pub name: String,
    /// In order; never empty.
    pub weeks: Vec<Week>,
}

impl Period {
    /// One week.
    #[must_use]
    pub fn week(week: Week) -> Self {
        Self { name: week.to_string(), weeks: vec![week] }
    }

    /// The last week that has closed everywhere, then.
    #[must_use]
    pub fn last_closed(now: Millis) -> Self {
        // Midnight comes last to the west, twelve hours after Greenwich's.
        let west = TimeZone::fixed(Offset::constant(-12));
        let now = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
        Self::week(Week::at(now, &west).before().before())
    }

    /// The weeks whose Thursday is in a month, `2026-11` or `202611`.
    #[must_use]
    pub fn month(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let is_month = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let (year, month) = digits.split_at_checked(4).filter(|_| is_month)?;
        let first = Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()?;
        let weeks = std::iter::successors(Some(Week::of(first)), |week| Some(week.next()));
        let of_month = |week: &Week| {
            let thursday = week.thursday();
            (thursday.year(), thursday.month()) == (first.year(), first.month())
        };
        let weeks = weeks.skip_while(|week| !of_month(week)).take_while(of_month).collect();
        Some(Self { name: digits, weeks })
    }
}

/// By what families are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// All of them.
    Programme,
    /// Where they live.
    Site,
    /// From where to where they hear each other.
    Corridor,
}

impl By {
    /// The word in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Programme => "programme",
            Self::Site => "site",
            Self::Corridor => "corridor",
        }
    }

    /// What that word means.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Programme, Self::Site, Self::Corridor].into_iter().find(|by| by.name() == name)
    }

    fn group(self, row: &WeekRow) -> Option<String> {
        match self {
            Self::Programme => None,
            Self::Site => row.site.clone(),
            Self::Corridor => {
                Some(format!("{}>{}", row.away_zone.as_deref()?, row.home_zone.as_deref()?))
            }
        }
    }
}

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
}

impl Sums {
    fn add_flow(&mut self, row: &WeekRow) {
        for child in &row.children {
            let (expected, kept, both_ways) = (child.expected, child.kept, child.both_ways);
            self.tally = self.tally.and(Tally { expected, kept, both_ways });
            self.home += child.home;
            self.away += child.away;
            self.late += child.late;
        }
    }

    fn add_stock(&mut self, row: &WeekRow) {
        self.families += u32::from(!row.children.is_empty());
        self.shared_phones += row.shared_phones;
        self.idle_phones += row.idle_phones;
        for child in &row.children {
            let standing = Standing::ALL.iter().position(|one| *one == child.standing);
            let band = Band::ALL.iter().position(|one| *one == child.band);
            if let Some(count) = standing.and_then(|place| self.standing.get_mut(place)) {
                *count += 1;
            }
            if let Some(count) = band.and_then(|place| self.band.get_mut(place)) {
                *count += 1;
            }
        }
    }

    fn children(&self) -> u32 {
        self.standing.iter().sum()
    }

    fn and(mut self, other: &Self) -> Self {
        self.families += other.families;
        self.tally = self.tally.and(other.tally);
        self.home += other.home;
        self.away += other.away;
        self.late += other.late;
        self.shared_phones += other.shared_phones;
        self.idle_phones += other.idle_phones;
        self.standing.iter_mut().zip(other.standing).for_each(|(sum, count)| *sum += count);
        self.band.iter_mut().zip(other.band).for_each(|(sum, count)| *sum += count);
        self
    }
}

/// What a period comes to, a group each, and whether all of it has closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summed {
    /// By name; what has none is the first.
    pub groups: BTreeMap<Option<String>, Sums>,
    /// Whether it will stay so.
    pub closed: bool,
}

/// Sums up the weeks of a period.
#[must_use]
pub fn sum(weeks: &[Vec<WeekRow>], by: By) -> Summed {
    let rows = weeks.iter().flatten();
    let mut summed = Summed { groups: BTreeMap::new(), closed: rows.clone().all(|row| row.closed) };
    for row in rows {
        summed.groups.entry(by.group(row)).or_default().add_flow(row);
    }
    for row in weeks.last().into_iter().flatten() {
        summed.groups.entry(by.group(row)).or_default().add_stock(row);
    }
    summed
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
        let rows = store.book(programme, &week_book(*week)).await?;
        weeks.push(rows.iter().filter_map(WeekRow::read).collect());
    }
    Ok(weeks)
}

/// The figures of a period, for a member of staff.
///
/// # Errors
///
/// [`Failure`].
pub async fn report(
    relay: &Relay,
    staff: &Staff,
    period: &Period,
    by: By,
) -> Result<api::Report, Failure> {
    allow_quietly(relay, staff, Wants::Figures, Asked::of("report", &*period.name)).await?;
    let now = relay.clock.now();
    let has_closed = |week: &Week| week.closes(&TimeZone::UTC).as_millisecond() < now;
    if period
        .weeks
        .first()
        .is_some_and(|week| week.begins(&TimeZone::UTC).as_millisecond() > now + DAY_MS)
    {
        return Err(Refusal::new(ErrorCode::Malformed, "that has not begun yet").into());
    }
    let rows = rows(&*relay.store, staff.programme, period).await?;
    let mut summed = sum(&rows, by);
    summed.closed &= period.weeks.iter().all(has_closed);
    // Who may open the rows is spared nothing by a gap here.
    let least = (staff.role != Role::Coordinator).then_some(WITHIN);
    Ok(shown(period, by, &summed, least, now))
}

/// Milliseconds of a day: somewhere it may be tomorrow.
const DAY_MS: Millis = 24 * 60 * 60 * 1000;

/// What may be seen of it where counts below `least` single out somebody.
#[must_use]
pub fn shown(
    period: &Period,
    by: By,
    summed: &Summed,
    least: Option<u32>,
    now: Millis,
) -> api::Report {
    let groups: Vec<_> = summed.groups.iter().collect();
    let total = groups.iter().fold(Sums::default(), |sum, (_, sums)| sum.and(sums));
    let seen = Seen::of(&groups, least.unwrap_or(0));
    let place =
        |place: usize, name: &Option<String>, sums: &Sums| seen.group(place, name.clone(), sums);
    api::Report {
        period: period.name.clone(),
        weeks: period.weeks.iter().map(Week::to_string).collect(),
        closed: summed.closed,
        by: by.name().to_owned(),
        suppressed_below: least,
        as_of: utc_text(Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH)),
        groups: match by {
            By::Programme => Vec::new(),
            _ => {
                groups.iter().enumerate().map(|(at, (name, sums))| place(at, name, sums)).collect()
            }
        },
        total: place(groups.len(), &None, &total),
    }
}

/// Which counts may be seen: a row a group, the last of all together.
struct Seen {
    /// Of a group of which not even the number of its children is shown, nothing is.
    children: Vec<bool>,
    families: Vec<bool>,
    phones: Vec<[bool; 2]>,
    standing: Vec<Vec<bool>>,
    band: Vec<Vec<bool>>,
}

impl Seen {
    fn of(groups: &[(&Option<String>, &Sums)], least: u32) -> Self {
        let table = |cells: &dyn Fn(&Sums) -> Vec<u32>| Table {
            rows: groups.iter().map(|(_, sums)| cells(sums)).collect(),
        };
        let tables = [
            table(&|sums| vec![sums.children()]),
            table(&|sums| vec![sums.families]),
            table(&|sums| sums.standing.to_vec()),
            table(&|sums| sums.band.to_vec()),
            table(&|sums| vec![sums.idle_phones, sums.shared_phones - sums.idle_phones]),
        ];
        // A group that one table hides all of is hidden in all of them: else one would give away what the other does not
        // say.
        let mut hidden = vec![false; groups.len()];
        loop {
            let shown: Vec<_> =
                tables.iter().map(|table| suppress_within(table, &hidden, least)).collect();
            let is_hidden = |place: usize| {
                shown.iter().take(4).any(|table| table.row_sums.get(place) == Some(&None))
            };
            let again: Vec<_> = (0..groups.len()).map(is_hidden).collect();
            if again != hidden {
                hidden = again;
                continue;
            }
            let [children, families, standing, band, phones] = &shown[..] else {
                return Self::nothing(groups.len());
            };
            let cells = |of: &jiashu_contact::suppress::Shown| -> Vec<Vec<bool>> {
                let seen = |row: &Vec<Option<u32>>| row.iter().map(Option::is_some).collect();
                of.rows.iter().chain([&of.column_sums]).map(seen).collect()
            };
            // All together likewise: what one table hides all of is not seen in any.
            let is_seen = shown.iter().take(4).all(|table| table.sum.is_some());
            let first = |of: &jiashu_contact::suppress::Shown| -> Vec<bool> {
                let rows = of.row_sums.iter().map(Option::is_some);
                rows.chain([is_seen && of.sum.is_some()]).collect()
            };
            let idle = cells(phones).into_iter().map(|row| row.first() == Some(&true));
            return Self {
                children: first(children),
                families: first(families),
                phones: idle.zip(first(phones)).map(|(idle, all)| [idle, all]).collect(),
                standing: cells(standing),
                band: cells(band),
            };
        }
    }

    fn nothing(groups: usize) -> Self {
        let none = vec![false; groups + 1];
        Self {
            children: none.clone(),
            families: none,
            phones: vec![[false; 2]; groups + 1],
            standing: Vec::new(),
            band: Vec::new(),
        }
    }

    fn group(&self, place: usize, name: Option<String>, sums: &Sums) -> api::Group {
        let seen = |of: &[bool]| of.get(place).copied().unwrap_or(false);
        let all = seen(&self.children);
        let figure = |count: u32| all.then_some(count);
        let [idle, shared] = self.phones.get(place).copied().unwrap_or_default();
        let Tally { expected, kept, both_ways } = sums.tally;
        api::Group {
            name,
            families: (all && seen(&self.families)).then_some(sums.families),
            children: figure(sums.children()),
            standing: counts(
                &Standing::ALL.map(Standing::name),
                &sums.standing,
                self.standing.get(place),
            ),
            band: counts(&Band::ALL.map(Band::name), &sums.band, self.band.get(place)),
            expected: figure(expected),
            kept: figure(kept),
            missed: figure(sums.tally.missed()),
            both_ways: figure(both_ways),
            adherence: sums.tally.adherence().filter(|_| all).map(one_decimal),
            two_way_adherence: sums.tally.two_way_adherence().filter(|_| all).map(one_decimal),
            home: figure(sums.home),
            away: figure(sums.away),
            late: figure(sums.late),
            shared_phones: shared.then_some(sums.shared_phones),
            idle_phones: (shared && idle).then_some(sums.idle_phones),
        }
    }
}

fn counts(names: &[&str], counts: &[u32], seen: Option<&Vec<bool>>) -> Vec<api::Count> {
    let seen = |place: usize| seen.and_then(|seen| seen.get(place)).copied().unwrap_or(false);
    let count = |(place, (name, count)): (usize, (&&str, &u32))| api::Count {
        name: (*name).to_owned(),
        count: seen(place).then_some(*count),
    };
    names.iter().zip(counts).enumerate().map(count).collect()
}

/// Half away from zero, as people round.
fn one_decimal(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::MemberId;
    use proptest::prelude::*;

    use super::*;
    use crate::contact::rows::ChildWeek;

    fn child(standing: Standing, expected: u32, kept: u32) -> ChildWeek {
        ChildWeek {
            member: MemberId(3),
            expected,
            kept,
            both_ways: kept / 2,
            home: kept,
            away: 1,
            late: 0,
            days: kept,
            longest_gap_h: 30,
            standing,
            band: Band::Weekly,
        }
    }

    fn row(site: &str, children: Vec<ChildWeek>) -> WeekRow {
        WeekRow {
            site: Some(site.to_owned()),
            home_zone: Some("Asia/Shanghai".into()),
            away_zone: Some("Europe/Rome".into()),
            children,
            shared_phones: 1,
            idle_phones: 0,
            closed: true,
            as_of: 5,
        }
    }

    #[test]
    fn a_month_is_the_weeks_whose_thursday_is_in_it() {
        let november = Period::month("2026-11").unwrap();
        let weeks: Vec<_> = november.weeks.iter().map(Week::to_string).collect();
        assert_eq!(
            (november.name.as_str(), weeks),
            ("202611", ["2026W45", "2026W46", "2026W47", "2026W48"].map(String::from).to_vec())
        );
        let december = Period::month("202612").unwrap();
        assert_eq!(december.weeks.last().unwrap().to_string(), "2026W53");
        assert_eq!(Period::month("2027-01").unwrap().weeks[0].to_string(), "2027W1");
        assert!(
            ["2026-13", "2026", "20261", "2026-1a", ""]
                .iter()
                .all(|bad| Period::month(bad).is_none())
        );
    }

    #[test]
    fn flows_are_summed_over_weeks_and_standings_are_those_of_the_last() {
        let first = vec![row("a", vec![child(Standing::OnTrack, 7, 5)]), row("b", vec![])];
        let second = vec![row("a", vec![child(Standing::Watch, 7, 2), child(Standing::New, 7, 0)])];
        let summed = sum(&[first, second], By::Site);

        let a = &summed.groups[&Some("a".into())];
        assert_eq!((a.families, a.children(), a.tally.expected, a.tally.kept), (1, 2, 21, 7));
        assert_eq!(a.standing, [0, 0, 0, 1, 1, 0, 0, 0]);
        let period = Period::month("2026-11").unwrap();
        let report = shown(&period, By::Site, &summed, None, 5);
        assert_eq!(report.groups[0].adherence, Some(33.3));
        assert_eq!(report.total.children, Some(2));
        assert_eq!(shown(&period, By::Programme, &summed, None, 5).groups, []);
    }

    #[test]
    fn a_site_of_two_children_is_left_out_and_so_is_another() {
        let of = |site: &str, count: usize| {
            (0..count).map(|_| row(site, vec![child(Standing::OnTrack, 7, 5)])).collect::<Vec<_>>()
        };
        let rows = [of("few", 2), of("many", 40), of("more", 60)].concat();
        let summed = sum(&[rows], By::Site);
        let report =
            shown(&Period::week("2026W48".parse().unwrap()), By::Site, &summed, Some(5), 5);

        let children: Vec<_> = report.groups.iter().map(|group| group.children).collect();
        assert_eq!(children, [None, None, Some(60)]);
        assert_eq!(report.groups[0].kept, None);
        assert_eq!(report.groups[1].kept, None, "or the few follow from the total");
        assert_eq!((report.total.children, report.total.kept), (Some(102), Some(510)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_figure_of_a_group_that_is_left_out_follows_from_the_others(
            sites in prop::collection::vec(prop::collection::vec(0_usize..8, 0..14), 1..5),
        ) {
            let rows: Vec<_> = sites
                .iter()
                .enumerate()
                .flat_map(|(site, children)| {
                    children.iter().map(move |standing| {
                        row(&format!("s{site}"), vec![child(Standing::ALL[*standing], 7, 3)])
                    })
                })
                .collect();
            let week = Period::week("2026W48".parse().unwrap());
            let weeks = [rows];
            let report = shown(&week, By::Site, &sum(&weeks, By::Site), Some(5), 5);
            let whole = shown(&week, By::Programme, &sum(&weeks, By::Programme), Some(5), 5);
            prop_assert_eq!(&whole.total, &report.total, "or one is subtracted from the other");
            let hidden: Vec<_> =
                report.groups.iter().filter(|group| group.children.is_none()).collect();
            prop_assert!(hidden.len() != 1 || report.total.children.is_none());
            for group in &report.groups {
                prop_assert_eq!(group.children.is_none(), group.kept.is_none());
                prop_assert!(group.children.is_none_or(|count| count == 0 || count >= 5));
                let shown: Vec<_> = group.standing.iter().map(|count| count.count).collect();
                prop_assert!(shown.iter().flatten().all(|count| *count == 0 || *count >= 5));
                if group.children.is_some() {
                    prop_assert!(shown.iter().filter(|count| count.is_none()).count() != 1);
                }
            }
        }
    }
}

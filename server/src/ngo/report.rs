//! What came of contact, summed up, and what of that may be seen: the one place where figures of families become figures
//! of many. A screen, an e-mail and a file are all made of this, so they cannot differ.

use jiashu_api::report as api;
use jiashu_contact::figures::{Band, Tally};
use jiashu_contact::standing::Standing;
use jiashu_contact::suppress::{Table, suppress_within};
use jiashu_contact::week::Week;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::Millis;
use jiashu_recurrence::utc_text;
use jiff::Timestamp;

use super::audit::Asked;
pub use super::period::{By, Period};
use super::staff::{Staff, Wants, allow_quietly};
pub use super::sums::{Summed, Sums, rows, sum};
use crate::execute::Failure;
use crate::family::Refusal;
use crate::programme::Role;
use crate::relay::Relay;

/// Counts below this are not shown to readers who may not open the rows.
pub const WITHIN: u32 = 5;

/// Counts below this leave nowhere.
pub const OUTSIDE: u32 = 10;

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
    if !period.has_begun(now) {
        return Err(Refusal::new(ErrorCode::Malformed, "that has not begun yet").into());
    }
    let rows = rows(&*relay.store, staff.programme, period).await?;
    let mut summed = sum(&rows, by);
    summed.closed = period.has_closed(summed.closed, now);
    // Who may open the rows is spared nothing by a gap here.
    let least = (staff.role != Role::Coordinator).then_some(WITHIN);
    Ok(shown(period, by, &summed, least, now))
}

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
    let seen = Seen::of_period(summed, &groups, least.unwrap_or(0));
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
    /// A group that is left out of one of the weeks is left out of all together, or the others tell what that week says.
    fn of_period(summed: &Summed, groups: &[(&Option<String>, &Sums)], least: u32) -> Self {
        let mut hidden = vec![false; groups.len() + 1];
        for week in &summed.weeks {
            let none = Sums::default();
            let of_week = |(name, _): &(&Option<String>, _)| week.get(*name).unwrap_or(&none);
            let of_week: Vec<_> = groups.iter().map(|group| (group.0, of_week(group))).collect();
            let seen = Self::of(&of_week, &vec![false; groups.len() + 1], least);
            let seen = seen.children.iter().map(|seen| !seen);
            hidden.iter_mut().zip(seen).for_each(|(hidden, also)| *hidden |= also);
        }
        Self::of(groups, &hidden, least)
    }

    /// `before` says which groups are left out whatever they hold, and last whether all together are.
    fn of(groups: &[(&Option<String>, &Sums)], before: &[bool], least: u32) -> Self {
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
        let mut hidden: Vec<_> = before.iter().copied().take(groups.len()).collect();
        loop {
            let shown: Vec<_> =
                tables.iter().map(|table| suppress_within(table, &hidden, least)).collect();
            let is_hidden = |place: usize| {
                before.get(place) == Some(&true)
                    || shown.iter().take(4).any(|table| table.row_sums.get(place) == Some(&None))
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
            let is_seen = before.last() != Some(&true)
                && shown.iter().take(4).all(|table| table.sum.is_some());
            let first = |of: &jiashu_contact::suppress::Shown| -> Vec<bool> {
                let rows = of.row_sums.iter().zip(&hidden);
                let rows = rows.map(|(sum, hidden)| sum.is_some() && !hidden);
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
    use crate::contact::rows::{ChildWeek, WeekRow};

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

    #[test]
    fn a_month_does_not_tell_what_one_of_its_weeks_leaves_out() {
        let of = |site: &str, count: usize| {
            (0..count).map(|_| row(site, vec![child(Standing::OnTrack, 7, 5)])).collect::<Vec<_>>()
        };
        // Few in its first week; moved away before its last; enough all the time.
        let weeks = [
            [of("grows", 4), of("leaves", 3), of("stays", 40), of("other", 50)].concat(),
            [of("grows", 20), of("stays", 40), of("other", 50)].concat(),
        ];
        let month = Period::month("202611").unwrap();
        let month = Period { weeks: month.weeks[..2].to_vec(), ..month };
        let report = shown(&month, By::Site, &sum(&weeks, By::Site), Some(5), 5);
        let kept = report.groups.iter().map(|group| (group.name.as_deref().unwrap(), group.kept));
        assert_eq!(
            kept.collect::<Vec<_>>(),
            [("grows", None), ("leaves", None), ("other", Some(500)), ("stays", Some(400))]
        );
        assert_eq!(report.total.kept, Some(5 * (97 + 110)));

        // The whole programme was small, once; then there was nobody.
        let weeks = [of("one", 3), Vec::new()];
        let report = shown(&month, By::Site, &sum(&weeks, By::Site), Some(5), 5);
        assert_eq!((report.groups[0].kept, report.total.kept), (None, None));
        let report = shown(&month, By::Site, &sum(&weeks, By::Site), None, 5);
        assert_eq!((report.groups[0].kept, report.total.kept), (Some(15), Some(15)));
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

        #[test]
        fn no_week_of_a_group_that_is_left_out_follows_from_the_month(
            weeks in prop::collection::vec(prop::collection::vec(0_usize..12, 4), 2..5),
        ) {
            // So many families at each of four sites, each week others.
            let rows: Vec<Vec<WeekRow>> = weeks
                .iter()
                .map(|sites| {
                    let of_site = |(site, count): (usize, &usize)| {
                        let one = move |_| row(&format!("s{site}"), vec![child(Standing::New, 7, 3)]);
                        (0..*count).map(one).collect::<Vec<_>>()
                    };
                    sites.iter().enumerate().flat_map(of_site).collect()
                })
                .collect();
            let month = Period::month("202611").unwrap();
            let all = shown(&month, By::Site, &sum(&rows, By::Site), Some(5), 5);
            for (week, of) in rows.iter().zip(&month.weeks) {
                let of = Period::week(*of);
                let week = std::slice::from_ref(week);
                let week = shown(&of, By::Site, &sum(week, By::Site), Some(5), 5);
                for group in week.groups.iter().filter(|group| group.kept.is_none()) {
                    let whole = all.groups.iter().find(|whole| whole.name == group.name);
                    prop_assert_eq!(whole.unwrap().kept, None);
                }
                prop_assert!(week.total.kept.is_some() || all.total.kept.is_none());
            }
        }
    }
}

//! What came of contact, summed up, and what of that may be seen: the one place where figures of families become figures
//! of many. A screen, an e-mail and a file are all made of this, so they cannot differ.

use jiashu_api::report as api;
use jiashu_contact::figures::Band;
use jiashu_contact::standing::Standing;
use jiashu_contact::week::Week;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::Millis;

use super::audit::Asked;
pub use super::period::{By, Period};
use super::seen::{Cells, Seen};
use super::staff::{Staff, Wants, allow_quietly};
pub use super::sums::{Summed, Sums, rows, sum};
use crate::clock::text;
use crate::execute::Failure;
use crate::family::Refusal;
use crate::programme::Role;
use crate::relay::Relay;

/// Counts below this are not shown to readers who may not open the rows, and leave nowhere. One number for both: of two, a
/// table with the lower less one with the higher tells what the higher left out.
pub const LEAST: u32 = 10;

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
    let least = (staff.role != Role::Coordinator).then_some(LEAST);
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
    let seen = Seen::of_period(summed, least.unwrap_or(0));
    let groups = summed.groups.iter();
    api::Report {
        period: period.name.clone(),
        weeks: period.weeks.iter().map(Week::to_string).collect(),
        closed: summed.closed,
        by: by.name().to_owned(),
        suppressed_below: least,
        as_of: text(now),
        groups: match by {
            By::Programme => Vec::new(),
            _ => groups.map(|(name, sums)| group(name.clone(), sums, &seen.group(name))).collect(),
        },
        total: group(None, &summed.total(), &seen.total),
    }
}

/// Of a group, as far as it may be seen.
pub(super) fn group(name: Option<String>, sums: &Sums, seen: &Cells) -> api::Group {
    let figure = |is_seen: bool, count: u32| is_seen.then_some(count);
    let percent = |percent: Option<f64>| percent.filter(|_| seen.plans).map(one_decimal);
    api::Group {
        name,
        families: figure(seen.people, sums.families),
        children: figure(seen.people, sums.children()),
        standing: counts(Standing::ALL.map(Standing::name), sums.standing, seen.standing),
        band: counts(Band::ALL.map(Band::name), sums.band, seen.band),
        expected: figure(seen.plans, sums.tally.expected),
        kept: figure(seen.plans, sums.tally.kept),
        missed: figure(seen.plans, sums.tally.missed()),
        both_ways: figure(seen.plans, sums.tally.both_ways),
        adherence: percent(sums.tally.adherence()),
        interval: sums.tally.interval().filter(|_| seen.plans).map(|interval| api::Interval {
            low: one_decimal(interval.low),
            high: one_decimal(interval.high),
        }),
        two_way_adherence: percent(sums.tally.two_way_adherence()),
        home: figure(seen.heard, sums.home),
        away: figure(seen.heard, sums.away),
        late: figure(seen.late, sums.late),
        shared_phones: figure(seen.shared_phones, sums.shared_phones),
        idle_phones: figure(seen.idle_phones, sums.idle_phones),
    }
}

fn counts<const N: usize>(names: [&str; N], counts: [u32; N], seen: [bool; N]) -> Vec<api::Count> {
    let count = |((name, count), is_seen): ((&str, u32), bool)| api::Count {
        name: name.to_owned(),
        count: is_seen.then_some(count),
    };
    names.into_iter().zip(counts).zip(seen).map(count).collect()
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
    use crate::contact::uses::Uses;

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
            age: None,
            edges: None,
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
            uses: Uses::default(),
            care: None,
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

    #[test]
    fn a_month_shows_of_how_children_stand_what_its_last_week_shows() {
        let of = |site: &str, standing: Standing, count: usize| {
            (0..count).map(|_| row(site, vec![child(standing, 7, 5)])).collect::<Vec<_>>()
        };
        let of_site = |site: &str, on_track, at_risk| {
            [of(site, Standing::OnTrack, on_track), of(site, Standing::AtRisk, at_risk)].concat()
        };
        let weeks = [
            [of_site("a", 3, 0), of_site("b", 30, 0), of_site("c", 62, 0)].concat(),
            [of_site("a", 50, 20), of_site("b", 40, 3), of_site("c", 30, 12)].concat(),
        ];
        let month = Period::month("202611").unwrap();
        let month = Period { weeks: month.weeks[..2].to_vec(), ..month };

        let of_month = shown(&month, By::Site, &sum(&weeks, By::Site), Some(5), 5);
        let last = Period::week(month.weeks[1]);
        let of_last = shown(&last, By::Site, &sum(&weeks[1..], By::Site), Some(5), 5);

        for (group, last) in of_month.groups.iter().zip(&of_last.groups) {
            assert_eq!((&group.standing, &group.band), (&last.standing, &last.band));
            assert_eq!(group.children, last.children);
        }
        assert_eq!(of_month.total.standing, of_last.total.standing);
        assert_eq!(of_month.groups[0].kept, None, "as in its first week");
    }

    #[test]
    fn what_came_about_is_not_shown_where_it_is_of_a_few_children() {
        let children = |expected: u32, count: usize| {
            (0..count).map(move |_| row("a", vec![child(Standing::OnTrack, expected, 0)]))
        };
        let of = |planned: usize| -> Vec<WeekRow> {
            children(7, planned).chain(children(0, 40 - planned)).collect()
        };
        let week = Period::week("2026W48".parse().unwrap());
        let seen = |rows: Vec<WeekRow>| {
            shown(&week, By::Site, &sum(&[rows], By::Site), Some(LEAST), 5).groups.remove(0)
        };

        let few = seen(of(9));
        assert_eq!((few.children, few.expected, few.missed), (Some(40), None, None));
        assert_eq!((few.kept, few.both_ways, few.adherence), (None, None, None));
        assert_eq!((few.away, few.late), (Some(40), Some(0)), "any child may be heard");
        let many = seen(of(10));
        assert_eq!((many.expected, many.missed, many.adherence), (Some(70), Some(70), Some(0.0)));
        let mut late = of(40);
        late[0].children[0].late = 1;
        assert_eq!(seen(late).late, None);
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

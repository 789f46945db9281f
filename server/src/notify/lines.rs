//! A line of figures for each site: those of a report, how they have changed in a week, and who is newly at risk. Pure.

use std::collections::BTreeMap;

use jiashu_api::report::{Group, Report};
use jiashu_contact::standing::Standing;
use jiashu_contact::suppress::{Table, suppress_within};
use jiashu_contact::week::Week;
use jiashu_proto::id::{MemberId, Millis};
use minicbor::{Decode, Encode};

use crate::contact::rows::WeekRow;
use crate::ngo::report::{By, LEAST, Period, shown, sum};
use crate::programme::{Role, StaffFact};

/// The figures of a site; what is absent is not shown.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Line {
    /// Its code; absent: families without one, or in the last line all together.
    #[n(0)]
    pub site: Option<String>,
    /// That are counted.
    #[n(1)]
    pub children: Option<u32>,
    /// Occurrences of plans.
    #[n(2)]
    pub expected: Option<u32>,
    /// Of these, kept.
    #[n(3)]
    pub kept: Option<u32>,
    /// The same in percent.
    #[n(4)]
    pub adherence: Option<f64>,
    /// What of that the week before had less, in points.
    #[n(5)]
    pub change: Option<f64>,
    /// Children at risk at the end.
    #[n(6)]
    pub at_risk: Option<u32>,
    /// Children of whom nothing was heard for longer.
    #[n(7)]
    pub silent: Option<u32>,
    /// Children who stand so now and did not a week before.
    #[n(8)]
    pub newly: Option<u32>,
    /// Phones of households.
    #[n(9)]
    pub shared_phones: Option<u32>,
    /// Of these, idle.
    #[n(10)]
    pub idle_phones: Option<u32>,
}

/// How a child stands of whom somebody should ask.
const AT_RISK: [Standing; 3] = [Standing::AtRisk, Standing::Silent, Standing::Dormant];

/// The rows of a week by family.
pub type Rows = BTreeMap<Vec<u8>, WeekRow>;

/// The figures of a week beside those of the one before. Pure.
#[must_use]
pub fn lines(week: Week, rows: &Rows, before: &Rows, now: Millis) -> Vec<Line> {
    let report = |week: Week, rows: &Rows| {
        let rows: Vec<WeekRow> = rows.values().cloned().collect();
        shown(&Period::week(week), By::Site, &sum(&[rows], By::Site), Some(LEAST), now)
    };
    let (this, last) = (report(week, rows), report(week.before(), before));
    let newly = Newly::of(&this, rows, before);
    let of_site = |group: &Group| {
        let earlier = last.groups.iter().find(|earlier| earlier.name == group.name);
        line(group, earlier, newly.at(&group.name))
    };
    let total = line(&this.total, Some(&last.total), newly.total);
    this.groups.iter().map(of_site).chain([total]).collect()
}

fn line(group: &Group, earlier: Option<&Group>, newly: Option<u32>) -> Line {
    let earlier = earlier.and_then(|earlier| earlier.adherence);
    Line {
        site: group.name.clone(),
        children: group.children,
        expected: group.expected,
        kept: group.kept,
        adherence: group.adherence,
        change: group.adherence.zip(earlier).map(|(now, earlier)| now - earlier),
        at_risk: standing(group, &[Standing::AtRisk]),
        silent: standing(group, &[Standing::Silent, Standing::Dormant]),
        newly,
        shared_phones: group.shared_phones,
        idle_phones: group.idle_phones,
    }
}

/// How many children stand so, where that is shown of each.
fn standing(group: &Group, names: &[Standing]) -> Option<u32> {
    let count = |name: &Standing| {
        group.standing.iter().find(|count| count.name == name.name()).and_then(|one| one.count)
    };
    names.iter().map(count).sum()
}

/// Children who stand at risk or worse and did not a week before, as far as that may be shown.
struct Newly {
    sites: BTreeMap<Option<String>, Option<u32>>,
    total: Option<u32>,
}

impl Newly {
    /// With how many stand so in both weeks it tells how many still do, and how many do no more: it is shown where all three
    /// may be.
    fn of(report: &Report, rows: &Rows, before: &Rows) -> Self {
        let (now, earlier) = (at_risk(rows), at_risk(before));
        let mut moves: BTreeMap<Option<&str>, Moves> =
            report.groups.iter().map(|group| (group.name.as_deref(), Moves::default())).collect();
        for (child, site) in &now {
            let of_site = moves.entry(*site).or_default();
            *(if earlier.contains_key(child) { &mut of_site.still } else { &mut of_site.new }) += 1;
        }
        for (_, site) in earlier.iter().filter(|(child, _)| !now.contains_key(*child)) {
            moves.entry(*site).or_default().gone += 1;
        }
        let is_hidden = |name: &Option<&str>| {
            let group = report.groups.iter().find(|group| group.name.as_deref() == *name);
            group.is_some_and(|group| standing(group, &AT_RISK).is_none())
        };
        let hidden: Vec<_> = moves.keys().map(is_hidden).collect();
        let within = |cells: &dyn Fn(&Moves) -> Vec<u32>| {
            let rows = moves.values().map(cells).collect();
            suppress_within(&Table { rows }, &hidden, LEAST)
        };
        let (stand, gone) = (within(&|of| vec![of.new, of.still]), within(&|of| vec![of.gone]));
        let seen =
            |is_hidden: bool, stand: &[Option<u32>], gone: &[Option<u32>]| match (stand, gone) {
                ([Some(new), Some(_)], [Some(_)]) if !is_hidden => Some(*new),
                _ => None,
            };
        let sites = moves.keys().zip(&hidden).zip(stand.rows.iter().zip(&gone.rows));
        let sites = sites.map(|((name, is_hidden), (stand, gone))| {
            (name.map(str::to_owned), seen(*is_hidden, stand, gone))
        });
        let is_hidden = standing(&report.total, &AT_RISK).is_none();
        Self {
            sites: sites.collect(),
            total: seen(is_hidden, &stand.column_sums, &gone.column_sums),
        }
    }

    fn at(&self, site: &Option<String>) -> Option<u32> {
        self.sites.get(site).copied().flatten()
    }
}

/// How many children of a site came to stand at risk or worse, stayed so, and do no more.
#[derive(Clone, Copy, Debug, Default)]
struct Moves {
    new: u32,
    still: u32,
    gone: u32,
}

/// The children who stand at risk or worse, by family, and at which site.
fn at_risk(rows: &Rows) -> BTreeMap<(&[u8], MemberId), Option<&str>> {
    let mut children = BTreeMap::new();
    for (family, row) in rows {
        for child in row.children.iter().filter(|child| AT_RISK.contains(&child.standing)) {
            children.insert((family.as_slice(), child.member), row.site.as_deref());
        }
    }
    children
}

/// What a member of staff is shown of it: all, or the own sites.
#[must_use]
pub fn seen_by(fact: &StaffFact, mut lines: Vec<Line>) -> Vec<Line> {
    if fact.role != Role::Caseworker {
        return lines;
    }
    // The last is of all together.
    let _ = lines.pop();
    lines.retain(|line| line.site.as_ref().is_some_and(|site| fact.sites.contains(site)));
    lines
}

#[cfg(test)]
mod tests {
    use jiashu_contact::figures::Band;

    use super::*;
    use crate::contact::rows::ChildWeek;
    use crate::contact::uses::Uses;

    fn child(member: u32, standing: Standing, kept: u32) -> ChildWeek {
        ChildWeek {
            member: MemberId(member),
            expected: 7,
            kept,
            both_ways: 0,
            home: kept,
            away: 0,
            late: 0,
            days: kept,
            longest_gap_h: 30,
            standing,
            band: Band::Weekly,
            age: None,
            edges: None,
        }
    }

    /// So many families of one child each.
    fn families(of: &[(&str, usize, Standing, u32)]) -> Rows {
        let mut rows = Rows::new();
        for (site, count, standing, kept) in of {
            for _ in 0..*count {
                let row = WeekRow {
                    site: Some((*site).to_owned()),
                    home_zone: None,
                    away_zone: None,
                    children: vec![child(3, *standing, *kept)],
                    shared_phones: 1,
                    idle_phones: 0,
                    closed: true,
                    as_of: 5,
                    uses: Uses::default(),
                    care: None,
                };
                rows.insert(u64::try_from(rows.len()).unwrap().to_be_bytes().to_vec(), row);
            }
        }
        rows
    }

    fn week() -> Week {
        "2026W48".parse().unwrap()
    }

    #[test]
    fn a_line_says_how_a_site_does_and_how_that_changed() {
        let before = families(&[("a", 30, Standing::OnTrack, 7), ("b", 40, Standing::OnTrack, 7)]);
        let now = families(&[("a", 30, Standing::AtRisk, 0), ("b", 40, Standing::OnTrack, 7)]);

        let lines = lines(week(), &now, &before, 5);

        let [a, b, all] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((a.site.as_deref(), a.children, a.at_risk), (Some("a"), Some(30), Some(30)));
        assert_eq!((a.adherence, a.change, a.newly), (Some(0.0), Some(-100.0), Some(30)));
        assert_eq!((b.change, b.newly, b.silent), (Some(0.0), Some(0), Some(0)));
        assert_eq!((all.site.as_deref(), all.children, all.newly), (None, Some(70), Some(30)));
        assert_eq!((all.shared_phones, all.idle_phones), (Some(70), Some(0)));
    }

    #[test]
    fn what_would_single_somebody_out_is_left_out() {
        let before = families(&[("a", 30, Standing::OnTrack, 7), ("b", 40, Standing::OnTrack, 7)]);
        let mut now = before.clone();
        let first = now.first_entry().unwrap().into_mut();
        first.children[0].standing = Standing::AtRisk;

        let lines = lines(week(), &now, &before, 5);

        assert_eq!((lines[0].at_risk, lines[0].newly), (None, None));
        assert_eq!((lines[2].at_risk, lines[2].newly), (None, None));
        assert_eq!(lines[0].children, Some(30));
    }

    #[test]
    fn who_is_newly_at_risk_is_left_out_where_it_tells_of_few_who_still_are_or_are_no_more() {
        let of = |counts: [usize; 4]| {
            let [stays, comes, goes, still] = counts;
            let stood = |standings: [Standing; 4]| {
                let of = [stays, comes, goes, still].into_iter().zip(standings);
                families(&of.map(|(count, standing)| ("a", count, standing, 7)).collect::<Vec<_>>())
            };
            let (well, ill) = (Standing::OnTrack, Standing::AtRisk);
            let lines =
                lines(week(), &stood([well, ill, well, ill]), &stood([well, well, ill, ill]), 5);
            (lines[0].at_risk, lines[0].newly, lines[1].newly)
        };

        assert_eq!(of([40, 12, 10, 10]), (Some(22), Some(12), Some(12)));
        assert_eq!(of([40, 12, 10, 2]), (Some(14), None, None), "two still are");
        assert_eq!(of([40, 12, 2, 10]), (Some(22), None, None), "two are no more");
    }

    #[test]
    fn a_caseworker_is_sent_the_own_sites_alone() {
        let line = |site: Option<&str>| Line { site: site.map(str::to_owned), ..Line::default() };
        let lines = vec![line(None), line(Some("a")), line(Some("b")), line(None)];
        let staff = |role, sites: &[&str]| StaffFact {
            role,
            sites: sites.iter().map(|site| (*site).to_owned()).collect(),
            name: String::new(),
            email: None,
            language: "en".into(),
            left: false,
        };

        assert_eq!(seen_by(&staff(Role::Caseworker, &["b"]), lines.clone()), [line(Some("b"))]);
        assert_eq!(seen_by(&staff(Role::Auditor, &[]), lines.clone()), lines);
    }
}

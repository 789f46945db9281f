//! How long nothing was heard of children at most, over several weeks.

use jiashu_proto::id::{MemberId, Scope};

use super::columns::{ChildCells, Columns};
use super::filter::Filter;

/// In whole days, each up to and with its last; the last has no end.
pub(super) const BUCKETS: [(&str, u32); 6] =
    [("0-2", 2), ("3-7", 7), ("8-14", 14), ("15-28", 28), ("29-42", 42), ("43+", u32::MAX)];

const MINUTES_A_DAY: u32 = 24 * 60;

/// A child of the last week.
struct Silence {
    family: Scope,
    member: MemberId,
    longest_min: u32,
    /// Up to the end of the weeks that were looked at.
    lasts_min: u32,
}

/// Children that a filter takes of the last week, by the longest time without any contact in these weeks, wherever they were
/// in them. From one week to the next it goes on where both rows say how long silence was at their edges.
pub(super) fn gaps<C: AsRef<Columns>>(weeks: &[C], filter: &Filter) -> [u32; BUCKETS.len()] {
    let mut children = Vec::new();
    if let Some(last) = weeks.last() {
        let within = filter.within(last.as_ref());
        for household in within.households() {
            children.extend(within.children(&household).map(|child| Silence {
                family: household.family,
                member: child.member,
                longest_min: 0,
                lasts_min: 0,
            }));
        }
    }
    for week in weeks {
        follow(&mut children, week.as_ref());
    }
    let mut counts = [0; BUCKETS.len()];
    for child in children {
        let days = child.longest_min / MINUTES_A_DAY;
        let bucket = BUCKETS.iter().position(|(_, last)| days <= *last);
        if let Some(count) = bucket.and_then(|bucket| counts.get_mut(bucket)) {
            *count += 1;
        }
    }
    counts
}

/// One week more. Both are ascending by family.
fn follow(children: &mut [Silence], week: &Columns) {
    let mut rest = children;
    for household in week.households() {
        let before = rest.iter().take_while(|child| child.family < household.family).count();
        let (without, from) = rest.split_at_mut(before);
        without.iter_mut().for_each(|child| child.lasts_min = 0);
        let own = from.iter().take_while(|child| child.family == household.family).count();
        let (own, after) = from.split_at_mut(own);
        for child in own {
            child.add(household.children.iter().find(|of_week| of_week.member == child.member));
        }
        rest = after;
    }
    rest.iter_mut().for_each(|child| child.lasts_min = 0);
}

impl Silence {
    fn add(&mut self, week: Option<&ChildCells>) {
        let Some(week) = week else {
            self.lasts_min = 0;
            return;
        };
        self.longest_min = self.longest_min.max(week.longest_gap_min());
        let Some(edges) = week.edges() else {
            self.lasts_min = 0;
            return;
        };
        self.longest_min = self.longest_min.max(self.lasts_min + edges.first_min);
        let before = if week.was_heard() { 0 } else { self.lasts_min };
        self.lasts_min = before + edges.last_min;
    }
}

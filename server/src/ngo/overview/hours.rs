//! In which hours phones of households were used, and which of these hours may be seen.
//!
//! How often is no count of households: an hour is seen where it is of none, or of enough of them.

use std::collections::{BTreeMap, HashMap};

use jiashu_contact::suppress::{Table, suppress_within};
use jiashu_proto::id::Scope;

use super::columns::Columns;
use super::filter::{Dimension, Filter};
use crate::contact::uses::HOURS;
use crate::ngo::seen::{Seen, is_sum_shown};

/// Of each hour of a week, whether it is seen.
pub(super) type SeenHours = [bool; HOURS];

/// How often they were used, in all of these weeks together.
pub(super) fn uses<C: AsRef<Columns>>(weeks: &[C], filter: &Filter) -> [u32; HOURS] {
    let mut hours = [0; HOURS];
    for week in weeks {
        for household in filter.within(week.as_ref()).households() {
            for (hour, count) in household.uses {
                if let Some(sum) = hours.get_mut(usize::from(*hour)) {
                    *sum += u32::from(*count);
                }
            }
        }
    }
    hours
}

/// Where who asks may open each family, but others see the screen: by how many households used a phone in that hour of any of
/// these weeks, each counted once.
pub(super) fn seen_alone<C: AsRef<Columns>>(weeks: &[C], filter: &Filter, least: u32) -> SeenHours {
    let mut households = [0_u32; HOURS];
    // A bit an hour: a hundred thousand families take a few megabytes.
    let mut used: HashMap<Scope, [u64; HOURS.div_ceil(64)]> = HashMap::new();
    for week in weeks {
        for household in filter.within(week.as_ref()).households() {
            let used = used.entry(household.family).or_default();
            for (hour, _) in household.uses {
                let (place, bit) = (usize::from(*hour), 1_u64 << (hour % 64));
                if let Some((word, count)) = used.get_mut(place / 64).zip(households.get_mut(place))
                {
                    *count += u32::from(*word & bit == 0);
                    *word |= bit;
                }
            }
        }
    }
    households.map(|count| count == 0 || count >= least)
}

/// Of who may open no family, in one week by itself: what all weeks show together is a sum of what each shows.
///
/// It is of all families together, or of the `group` of that name: with it goes what it would follow from, so that nobody
/// subtracts one group from another. `seen` is what is seen of the groups' phones.
pub(super) fn seen_in_week(
    week: &Columns,
    by: Dimension,
    seen: &Seen,
    group: Option<&Option<String>>,
    least: u32,
) -> SeenHours {
    let names = by.names(week);
    let mut places = vec![[0_u32; HOURS]; names.len()];
    for household in week.households() {
        let place = by.place_of_family(&household).and_then(|place| places.get_mut(place));
        let Some(households) = place else { continue };
        for (hour, _) in household.uses {
            if let Some(count) = households.get_mut(usize::from(*hour)) {
                *count += 1;
            }
        }
    }
    // By name, so that what goes does not hang on the order of families.
    let groups: BTreeMap<_, _> = names.into_iter().zip(places).collect();
    let hidden: Vec<_> = groups.keys().map(|name| !seen.group(name).shared_phones).collect();
    let place = match group {
        None => groups.len(),
        Some(name) => match groups.keys().position(|other| other == name) {
            Some(place) => place,
            // It has nobody, as everybody sees.
            None => return [true; HOURS],
        },
    };
    std::array::from_fn(|hour| {
        let households = groups.values().filter_map(|hours| hours.get(hour));
        let rows: Vec<_> = households.map(|count| vec![*count]).collect();
        let is_used = rows.iter().flatten().any(|count| *count > 0);
        !is_used || is_sum_shown(&suppress_within(&Table { rows }, &hidden, least), place)
    })
}

//! What a rule will do, on everybody's clocks, before anybody agrees to it. Words, dates in a
//! language and the layout are left to the caller.

use jiashu_proto::bounds::MAX_PREVIEW;
use jiff::Timestamp;

use crate::zone::{find, local_text_in};
use crate::{Occurrence, Rule, RuleError, occurrences};

/// One occurrence, as everybody will see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewEntry {
    /// The occurrence.
    pub occurrence: Occurrence,
    /// One for each zone, in the order asked for.
    pub clocks: Vec<Clock>,
}

/// An instant on one clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// `2027-03-28T19:30:00+08:00` (RFC 3339).
    pub local: String,
    /// This clock and the rule's are further apart, or closer, than at the entry before: the hour is
    /// another one from here on. The first entry has none before it.
    pub shifts: bool,
}

/// The first `count` occurrences strictly after `after`, at most [`MAX_PREVIEW`], on the clocks of
/// these zones; fewer if the rule ends.
///
/// # Errors
///
/// [`RuleError::Zone`] if one is no zone.
pub fn preview(
    rule: &Rule,
    zones: &[&str],
    after: Timestamp,
    count: usize,
) -> Result<Vec<PreviewEntry>, RuleError> {
    let zones = zones.iter().map(|zone| find(zone)).collect::<Result<Vec<_>, _>>()?;
    let mut apart_before = vec![None; zones.len()];
    let entries = occurrences(rule, after).take(count.min(MAX_PREVIEW)).map(|occurrence| {
        let at = occurrence.at;
        let clocks = zones.iter().zip(&mut apart_before).map(|(tz, apart_before)| {
            let apart = rule.tz().to_offset(at).seconds() - tz.to_offset(at).seconds();
            let before = apart_before.replace(apart);
            let shifts = before.is_some_and(|before| before != apart);
            Clock { local: local_text_in(at, tz), shifts }
        });
        let clocks = clocks.collect();
        PreviewEntry { occurrence, clocks }
    });
    Ok(entries.collect())
}

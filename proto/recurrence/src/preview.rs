//! What a rule will do, on the clocks of both sides, before anybody agrees to it. Words, dates in a
//! language and the layout are left to the caller.

use jiff::Timestamp;

use crate::zone::{Adjust, find, local_text_in};
use crate::{Rule, RuleError, occurrences};

/// The most entries of one preview: a year of days and a little.
pub const MAX_PREVIEW: usize = 400;

/// One occurrence, as both sides will see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewEntry {
    /// When it happens.
    pub at: Timestamp,
    /// On the recipient's clock, which is that of the rule's zone: `2027-03-28T19:30:00+08:00`.
    pub recipient_local: String,
    /// On the sender's clock, in the same form.
    pub sender_local: String,
    /// What a clock change in the recipient's zone did to it, if one did.
    pub adjust: Option<Adjust>,
    /// The two clocks are further apart, or closer, than at the entry before: the sender's hour
    /// is another one from here on. The first entry has none before it.
    pub sender_shifts: bool,
}

/// The first `count` occurrences strictly after `after`, at most [`MAX_PREVIEW`], on both clocks;
/// fewer if the rule ends.
///
/// # Errors
///
/// [`RuleError::Zone`] if `sender_zone` is no zone.
pub fn preview(
    rule: &Rule,
    sender_zone: &str,
    after: Timestamp,
    count: usize,
) -> Result<Vec<PreviewEntry>, RuleError> {
    let sender = find(sender_zone)?;
    let mut apart_before = None;
    let entries = occurrences(rule, after).take(count.min(MAX_PREVIEW)).map(|occurrence| {
        let at = occurrence.at;
        let apart = rule.tz().to_offset(at).seconds() - sender.to_offset(at).seconds();
        let before = apart_before.replace(apart);
        PreviewEntry {
            at,
            recipient_local: local_text_in(at, rule.tz()),
            sender_local: local_text_in(at, &sender),
            adjust: occurrence.adjust,
            sender_shifts: before.is_some_and(|before| before != apart),
        }
    });
    Ok(entries.collect())
}

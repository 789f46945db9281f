//! From a rule to instants: what is next, what follows, and whether a planned time is the rule's
//! own. Holds no state; firing, pauses and letters are left to the caller.

use jiashu_proto::entry::Adjust;
use jiff::civil::{DateTime, Time};
use jiff::{SignedDuration, Timestamp};

use crate::Rule;
use crate::civil_text;
use crate::dates::add_days;
use crate::zone::resolve;

/// The most candidate times that one call looks at, so that no rule can cost more.
///
/// A rule's own times need fewer than ten, those besides at most as many as there may be.
pub const MAX_STEPS: usize = 1_000;

/// Clocks that jump by a whole day (Apia, 2011) put a planned time a day from its instant, and
/// `after` may stand in a repeated day as well.
const JUMP_DAYS: i64 = 2;

/// One occurrence of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// As planned, in the rule's zone, before any shift: the occurrence's identity.
    pub planned: DateTime,
    /// When it happens.
    pub at: Timestamp,
    /// What a clock change did to it, if one did.
    pub adjust: Option<Adjust>,
}

impl Occurrence {
    /// The planned time as it is hashed and sent: 19 characters, `YYYY-MM-DDThh:mm:ss`.
    #[must_use]
    pub fn planned_text(&self) -> String {
        civil_text::write(self.planned)
    }
}

/// First occurrence of `rule` strictly after `after`, or `None` once the rule is spent.
///
/// The wall-clock hour stays the same across a change to summer time; an hour that does not exist
/// is shifted forward, and the occurrence says so; one that exists twice happens the first time,
/// once. Of two that a shift brings to one instant the one planned later remains.
///
/// Pure: the caller says what time it is. The search begins near `after`, not at the start; at most
/// [`MAX_STEPS`] candidate times are looked at. Source: RFC 5545, 3.3.5, 3.3.10 and 3.8.5.3.
#[must_use]
pub fn next_occurrence(rule: &Rule, after: Timestamp) -> Option<Occurrence> {
    let near = add_days(rule.tz().to_datetime(after).date(), -JUMP_DAYS);
    let from = near.map_or(DateTime::MIN, |date| date.to_datetime(Time::midnight()));
    let mut first: Option<Occurrence> = None;
    for planned in rule.planned_from(from).take(MAX_STEPS) {
        // Only what a gap has shifted can be overtaken, and by nothing beyond where it went.
        if first.as_ref().is_some_and(|first| planned > rule.tz().to_datetime(first.at)) {
            break;
        }
        let (at, adjust) = resolve(rule.tz(), planned);
        if at > after && first.as_ref().is_none_or(|first| at <= first.at) {
            first = Some(Occurrence { planned, at, adjust });
        }
    }
    first
}

/// All occurrences of `rule` strictly after `after`, each as [`next_occurrence`] gives it: instants
/// strictly ascend. Ends with the rule, at the latest with [`LAST_YEAR`](crate::LAST_YEAR); take what is needed.
pub fn occurrences(rule: &Rule, after: Timestamp) -> impl Iterator<Item = Occurrence> {
    std::iter::successors(next_occurrence(rule, after), |last| next_occurrence(rule, last.at))
}

/// The occurrence that `rule` gives for this planned civil time (19 characters,
/// `YYYY-MM-DDThh:mm:ss`), or `None` if it gives none: a reader refuses such an instant.
#[must_use]
pub fn occurrence_at(rule: &Rule, planned: &str) -> Option<Occurrence> {
    let planned = civil_text::read(planned, civil_text::PLANNED)?;
    rule.planned_from(planned).next().filter(|next| *next == planned)?;
    let (at, _) = resolve(rule.tz(), planned);
    let before = at.checked_sub(SignedDuration::from_secs(1)).ok()?;
    next_occurrence(rule, before).filter(|occurrence| occurrence.planned == planned)
}

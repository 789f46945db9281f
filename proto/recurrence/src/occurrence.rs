//! From a rule to instants: what is next, what follows, and whether a planned time is the rule's
//! own. Holds no state; firing, pauses and letters are left to the caller.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use crate::Rule;
use crate::civil_text;
use crate::cycle::add_days;
use crate::zone::{Adjust, resolve};

/// The most candidate dates that one call looks at, so that no rule can cost more.
///
/// A daily or weekly rule needs fewer than ten; it is a bound, not a budget.
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
/// is shifted forward, one that exists twice is taken the first time, and the occurrence says so.
/// Where clocks skip a day and the shifted occurrence falls together with the next, the next one
/// stands, alone: nothing happens twice at one instant. Pure: the caller says what time it is. The
/// search begins near `after`, not at the start; at most [`MAX_STEPS`] candidate dates are looked
/// at. Source: RFC 5545, 3.3.5, 3.3.10 and 3.8.5.3.
#[must_use]
pub fn next_occurrence(rule: &Rule, after: Timestamp) -> Option<Occurrence> {
    let near = rule.tz().to_datetime(after).date();
    let from = add_days(near, -JUMP_DAYS).unwrap_or(Date::MIN);
    dates_from(rule, from)
        .take(MAX_STEPS)
        .filter_map(|date| occurrence_on(rule, date))
        .find(|occurrence| occurrence.at > after)
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
    let date = rule.first_date_from(planned.date())?;
    occurrence_on(rule, date).filter(|occurrence| occurrence.planned == planned)
}

/// The rule's dates from `from` on.
fn dates_from(rule: &Rule, from: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(rule.first_date_from(from), |date| following(rule, *date))
}

fn following(rule: &Rule, date: Date) -> Option<Date> {
    rule.first_date_from(date.tomorrow().ok()?)
}

/// What happens on one of the rule's dates; `None` if its instant belongs to the next of them.
fn occurrence_on(rule: &Rule, date: Date) -> Option<Occurrence> {
    let planned = rule.planned_on(date);
    let (at, adjust) = resolve(rule.tz(), planned);
    let next = || following(rule, date).map(|next| resolve(rule.tz(), rule.planned_on(next)).0);
    // Only a gap can carry an occurrence as far as the next one.
    let taken = adjust == Some(Adjust::Gap) && next().is_some_and(|next| next <= at);
    (!taken).then_some(Occurrence { planned, at, adjust })
}

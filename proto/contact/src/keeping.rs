//! Which of what was expected came about.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::days::day;
use crate::ledger::Contact;
use crate::plan::{Expected, Plan};

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// By the contact that was heard then.
    Kept(Timestamp),
    /// Its time is over.
    Missed,
    /// There is time yet.
    Open,
}

/// What became of all that was expected after `since` and up to `now`, in order, of one child whose contacts these are,
/// in order.
///
/// A contact keeps one occurrence at most: the earliest that it may keep and that nothing before it has kept.
#[must_use]
pub fn kept(
    plan: &Plan,
    contacts: &[Contact],
    since: Timestamp,
    now: Timestamp,
    zone: &TimeZone,
) -> Vec<(Expected, Outcome)> {
    let expected = plan.expected(since, zone).take_while(|expected| expected.at <= now);
    let mut all: Vec<_> = expected.map(|expected| (expected, None)).collect();
    // What lies before this place can be kept by nothing that comes.
    let mut first = 0;
    for heard_at in contacts.iter().map(|contact| contact.heard_at).filter(|at| *at <= now) {
        while all.get(first).is_some_and(|(expected, by)| by.is_some() || expected.until < heard_at)
        {
            first += 1;
        }
        let rest = all.get_mut(first..).unwrap_or_default();
        let in_reach = rest.iter_mut().take_while(|(expected, _)| expected.from() <= heard_at);
        let mut free = in_reach.filter(|(expected, by)| by.is_none() && heard_at <= expected.until);
        if let Some((_, by)) = free.next() {
            *by = Some(heard_at);
        }
    }
    let outcome = |(expected, by): (Expected, Option<Timestamp>)| match by {
        Some(at) => (expected, Outcome::Kept(at)),
        None if expected.until < now => (expected, Outcome::Missed),
        None => (expected, Outcome::Open),
    };
    all.into_iter().map(outcome).collect()
}

/// Of what [`kept`] says, how many were missed one after the other, up to the newest whose time is over. A contact ends
/// the row, though the next that it may keep is still to come; so does a pause, once it is over.
#[must_use]
pub fn missed_in_a_row(
    plan: &Plan,
    contacts: &[Contact],
    since: Timestamp,
    now: Timestamp,
    zone: &TimeZone,
) -> u32 {
    let heard = contacts.iter().map(|contact| contact.heard_at).filter(|at| *at <= now).max();
    let today = day(now, zone);
    let paused = plan.pauses.iter().map(|pause| pause.last).filter(|last| *last < today).max();
    let kept = kept(plan, contacts, since, now, zone);
    let decided = kept.iter().rev().filter(|(_, outcome)| *outcome != Outcome::Open);
    let missed = decided.take_while(|(expected, outcome)| {
        *outcome == Outcome::Missed
            && heard.is_none_or(|heard| heard <= expected.until)
            && paused.is_none_or(|paused| paused < day(expected.at, zone))
    });
    u32::try_from(missed.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::Way;
    use crate::plan::Pause;
    use crate::testing::{at, by_turns, evenings, heard, sundays, zone};

    fn outcomes(plan: &Plan, contacts: &[Contact], now: &str) -> Vec<Outcome> {
        let all = kept(plan, contacts, at("2026-11-01T00:00"), at(now), &zone());
        all.into_iter().map(|(_, outcome)| outcome).collect()
    }

    #[test]
    fn a_day_before_and_two_days_after_keep_a_week() {
        let of = |heard: &str| outcomes(&sundays(), &by_turns(&[heard]), "2026-11-04T00:00")[0];

        assert_eq!(of("2026-10-31T19:29"), Outcome::Missed);
        assert_eq!(of("2026-10-31T19:30"), Outcome::Kept(at("2026-10-31T19:30")));
        assert_eq!(of("2026-11-03T19:30"), Outcome::Kept(at("2026-11-03T19:30")));
        assert_eq!(of("2026-11-03T19:31"), Outcome::Missed);
    }

    #[test]
    fn one_contact_keeps_one_evening_and_that_the_earliest() {
        // Half past six in the morning: late for Sunday's, early for Monday's.
        let once = by_turns(&["2026-11-02T06:30"]);
        let twice = by_turns(&["2026-11-02T06:30", "2026-11-02T06:31"]);

        let [sunday, monday] = [0, 1].map(|place| {
            move |contacts: &[Contact]| outcomes(&evenings(), contacts, "2026-11-03T08:00")[place]
        });

        assert_eq!(sunday(&once), Outcome::Kept(once[0].heard_at));
        assert_eq!(monday(&once), Outcome::Missed);
        assert_eq!(monday(&twice), Outcome::Kept(twice[1].heard_at));
    }

    #[test]
    fn what_has_time_yet_is_neither_and_breaks_no_row() {
        let contacts = [heard(Way::Home, "2026-11-01T20:00")];
        let (plan, since, now) = (evenings(), at("2026-11-01T00:00"), at("2026-11-05T07:30"));
        let all = kept(&plan, &contacts, since, now, &zone());
        let in_a_row = |contacts: &[Contact]| missed_in_a_row(&plan, contacts, since, now, &zone());
        let outcomes: Vec<_> = all.iter().map(|(_, outcome)| *outcome).collect();

        let kept = Outcome::Kept(contacts[0].heard_at);
        assert_eq!(outcomes, [kept, Outcome::Missed, Outcome::Missed, Outcome::Open]);
        assert_eq!(in_a_row(&contacts), 2);
        let again = heard(Way::Away, "2026-11-04T07:31");
        assert_eq!(in_a_row(&[contacts[0], again]), 0, "a contact ends the row at once");
        // Late for Monday's, which it keeps; Tuesday's time is not over by then.
        let before = heard(Way::Away, "2026-11-03T07:30");
        assert_eq!(in_a_row(&[contacts[0], before]), 1, "of what is over before it");
    }

    #[test]
    fn a_pause_ends_the_row_once_it_is_over() {
        let day = |text: &str| text.parse().unwrap();
        let (first, last) = (day("2026-11-05"), day("2026-11-06"));
        let plan = Plan { pauses: vec![Pause { first, last }], ..evenings() };
        let in_a_row =
            |now: &str| missed_in_a_row(&plan, &[], at("2026-11-01T00:00"), at(now), &zone());

        assert_eq!(in_a_row("2026-11-05T12:00"), 4);
        assert_eq!(in_a_row("2026-11-06T23:59"), 4, "it may yet be taken back");
        assert_eq!(in_a_row("2026-11-07T00:00"), 0);
        assert_eq!(in_a_row("2026-11-09T08:00"), 2, "and another begins after it");
    }

    proptest! {
        #[test]
        fn what_was_decided_stays_so_whatever_is_heard_later(
            minutes in prop::collection::vec(0_i64..60 * 24 * 30, 0..40),
            looks in [0_i64..60 * 24 * 30, 0_i64..60 * 24 * 30],
        ) {
            let began = at("2026-11-01T00:00");
            let moment = |minutes: i64| began + jiff::SignedDuration::from_mins(minutes);
            let mut contacts: Vec<_> = minutes
                .iter()
                .map(|minute| Contact { heard_at: moment(*minute), ..heard(Way::Home, "2026-11-01T00:00") })
                .collect();
            contacts.sort_unstable();
            let [early, late] = [looks[0].min(looks[1]), looks[0].max(looks[1])].map(moment);
            let look = |now| kept(&evenings(), &contacts, began, now, &zone());
            let (then, later) = (look(early), look(late));

            for (before, after) in then.iter().zip(&later) {
                prop_assert_eq!(before.0, after.0);
                if before.1 != Outcome::Open {
                    prop_assert_eq!(before.1, after.1);
                }
            }
            let by = later.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Kept(_))).count();
            prop_assert!(by <= contacts.len(), "one contact keeps one");
        }
    }
}

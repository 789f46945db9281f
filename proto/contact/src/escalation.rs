//! Who is asked to do something when contact is missed again and again.
//!
//! There is nothing to end: the step follows from how many were missed in a row, and the first contact makes that none.

use crate::standing::{Standing, Thresholds};

/// The furthest that has been asked; each asks those before it as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Nobody in a pause: what was asked of staff, and seen to, stays so.
    Rests,
    /// Nobody.
    Nobody,
    /// The parents.
    Parents,
    /// The caregivers, gently.
    Caregivers,
    /// The caseworker, who is given a task.
    Staff,
}

impl Step {
    /// The step of a child that stands so and has missed so many in a row.
    #[must_use]
    pub fn of(standing: Standing, missed_in_a_row: u32, thresholds: &Thresholds) -> Self {
        // Nothing is expected of it just now.
        match standing {
            Standing::NotActive => return Self::Nobody,
            Standing::Paused => return Self::Rests,
            _ => {}
        }
        match missed_in_a_row {
            0 => Self::Nobody,
            missed if missed >= thresholds.missed => Self::Staff,
            1 => Self::Parents,
            _ => Self::Caregivers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missed_one_asks_one_more_and_contact_nobody() {
        let thresholds = Thresholds::default();
        let step = |missed| Step::of(Standing::Watch, missed, &thresholds);

        assert_eq!(
            [0, 1, 2, 3, 9].map(step),
            [Step::Nobody, Step::Parents, Step::Caregivers, Step::Staff, Step::Staff]
        );
        let early = Thresholds { missed: 1, ..thresholds };
        assert_eq!(Step::of(Standing::New, 1, &early), Step::Staff);
    }

    #[test]
    fn nobody_is_asked_where_nothing_is_expected() {
        let step = |standing| Step::of(standing, 7, &Thresholds::default());

        assert_eq!([Standing::NotActive, Standing::Paused].map(step), [Step::Nobody, Step::Rests]);
    }
}

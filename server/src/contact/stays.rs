//! Where a family was, one site after the other, and on which clock its weeks began there. Pure.
//!
//! An edge between two weeks is where the clock of the site says at which the family was by then. So a family that moves
//! leaves no hour out and counts none twice, and what was an edge stays one.

use jiashu_contact::week::Week;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A time at one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Since when.
    pub from: Timestamp,
    /// The code of the site; absent where it was at none.
    pub site: Option<String>,
    /// Its clock.
    pub zone: TimeZone,
}

/// All of them within one programme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stays {
    /// Those that are over, in order.
    past: Vec<Stay>,
    /// Where it is.
    present: Stay,
}

impl Stays {
    /// Where it was, in any order, and where it is.
    #[must_use]
    pub fn new(mut past: Vec<Stay>, present: Stay) -> Self {
        past.sort_by_key(|stay| stay.from);
        Self { past, present }
    }

    /// Where it is.
    #[must_use]
    pub fn present(&self) -> &Stay {
        &self.present
    }

    /// The newest first.
    fn newest_first(&self) -> impl Iterator<Item = &Stay> {
        [&self.present].into_iter().chain(self.past.iter().rev())
    }

    fn first(&self) -> &Stay {
        self.past.first().unwrap_or(&self.present)
    }

    /// Where it was then; before all of them where it was first.
    #[must_use]
    pub fn at(&self, then: Timestamp) -> &Stay {
        self.newest_first().find(|stay| stay.from <= then).unwrap_or_else(|| self.first())
    }

    /// When a week begins.
    #[must_use]
    pub fn begins(&self, week: Week) -> Timestamp {
        let was_there = |stay: &&Stay| stay.from <= week.begins(&stay.zone);
        let stay = self.newest_first().find(was_there).unwrap_or_else(|| self.first());
        week.begins(&stay.zone)
    }

    /// When it ends, that instant excluded.
    #[must_use]
    pub fn ends(&self, week: Week) -> Timestamp {
        self.begins(week.next())
    }

    /// Where the family was at the end of a week, or is in one that has not ended: that site has it in its figures.
    #[must_use]
    pub fn of(&self, week: Week, now: Timestamp) -> &Stay {
        let last = SignedDuration::from_nanos(1);
        self.at(self.ends(week).saturating_sub(last).unwrap_or(Timestamp::MIN).min(now))
    }

    /// When a week closes.
    #[must_use]
    pub fn closes(&self, week: Week) -> Timestamp {
        week.closes(&self.of(week, Timestamp::MAX).zone)
    }

    /// The week that it was then.
    #[must_use]
    pub fn week_at(&self, then: Timestamp) -> Week {
        let week = Week::at(then, &self.at(then).zone);
        if then < self.begins(week) {
            week.before()
        } else if self.ends(week) <= then {
            week.next()
        } else {
            week
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stay(from: &str, site: &str, zone: &str) -> Stay {
        let zone = super::super::reckon::zone(zone).unwrap();
        Stay { from: from.parse().unwrap(), site: Some(site.to_owned()), zone }
    }

    fn moved(then: &str) -> Stays {
        let soroca = stay("2026-11-02T00:00:00Z", "soroca", "Europe/Chisinau");
        Stays::new(vec![soroca], stay(then, "tianshui", "Asia/Shanghai"))
    }

    #[test]
    fn a_week_is_of_the_site_where_the_family_was_when_it_ended() {
        let week = |text: &str| text.parse::<Week>().unwrap();
        let now = "2026-11-25T12:00:00Z".parse().unwrap();
        // On 18 November, a Wednesday, within 2026W47; on Sunday, 22 November, between the two midnights.
        let cases = [
            ("2026-11-18T10:00:00Z", "2026W46", "soroca", "2026-11-15T22:00:00Z"),
            ("2026-11-18T10:00:00Z", "2026W47", "tianshui", "2026-11-22T16:00:00Z"),
            ("2026-11-22T15:59:59Z", "2026W47", "tianshui", "2026-11-22T16:00:00Z"),
            ("2026-11-22T17:00:00Z", "2026W47", "tianshui", "2026-11-22T22:00:00Z"),
            ("2026-11-22T22:00:00Z", "2026W47", "soroca", "2026-11-22T22:00:00Z"),
            ("2026-11-24T10:00:00Z", "2026W48", "tianshui", "2026-11-29T16:00:00Z"),
        ];
        for (then, text, site, ends) in cases {
            let stays = moved(then);
            let of = stays.of(week(text), now).site.as_deref();
            assert_eq!(of, Some(site), "{text}, moved at {then}");
            assert_eq!(stays.ends(week(text)).to_string(), ends, "{text}, moved at {then}");
        }
        let closes = moved("2026-11-22T17:00:00Z").closes(week("2026W47"));
        assert_eq!(closes.to_string(), "2026-11-29T16:00:00Z");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_instant_is_of_one_week(moved_h in 0_i64..700, then_h in 0_i64..900, east in any::<bool>()) {
            let begin: Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
            let (one, other) = ("Pacific/Auckland", "America/Los_Angeles");
            let (one, other) = if east { (one, other) } else { (other, one) };
            let moved = begin + SignedDuration::from_hours(moved_h);
            let past = vec![stay("2026-11-02T00:00:00Z", "one", one)];
            let stays = Stays::new(past, stay(&moved.to_string(), "other", other));
            let then = begin + SignedDuration::from_hours(then_h);
            let week = stays.week_at(then);
            prop_assert!(stays.begins(week) <= then && then < stays.ends(week));
            prop_assert!(stays.closes(week) < stays.closes(week.next()));
            // What had been an edge before the move is one after it.
            let before = Stays::new(Vec::new(), stay("2026-11-02T00:00:00Z", "one", one));
            let far = SignedDuration::from_hours(26);
            if before.ends(week) + far < moved {
                prop_assert_eq!(stays.ends(week), before.ends(week));
            }
        }
    }
}

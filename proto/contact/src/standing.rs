//! How a child stands, and until when that holds if nothing comes.

use jiashu_proto::id::MemberId;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use minicbor::{Decode, Encode};

use crate::days::{counted, day, days_since, first_instant, is_paused};
use crate::keeping::{Outcome, kept, missed_in_a_row};
use crate::ledger::{Contact, of_child};
use crate::plan::Plan;
use crate::two_way::moments;

/// From what asks for nobody to what needs somebody most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Nobody has consented yet, or not any more.
    NotActive,
    /// Nothing is expected just now.
    Paused,
    /// Both ways, lately.
    OnTrack,
    /// Takes part only since lately, and has not heard both ways yet.
    New,
    /// Somewhat longer ago.
    Watch,
    /// So long ago that somebody should ask, or missed again and again.
    AtRisk,
    /// Nothing for weeks.
    Silent,
    /// Nothing for longer.
    Dormant,
}

impl Standing {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::NotActive,
        Self::Paused,
        Self::OnTrack,
        Self::New,
        Self::Watch,
        Self::AtRisk,
        Self::Silent,
        Self::Dormant,
    ];

    /// The word in `--json` and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotActive => "not_active",
            Self::Paused => "paused",
            Self::OnTrack => "on_track",
            Self::New => "new",
            Self::Watch => "watch",
            Self::AtRisk => "at_risk",
            Self::Silent => "silent",
            Self::Dormant => "dormant",
        }
    }
}

/// Where one standing ends and the next begins. They belong to the programme, and stand in its log as these fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Thresholds {
    /// Days since two-way contact that are on track, at most.
    #[n(0)]
    pub on_track: u32,
    /// The same of watch; and days of taking part that are new.
    #[n(1)]
    pub watch: u32,
    /// The same of at risk.
    #[n(2)]
    pub at_risk: u32,
    /// The same of silent.
    #[n(3)]
    pub silent: u32,
    /// Missed one after the other that put a child at risk.
    #[n(4)]
    pub missed: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { on_track: 7, watch: 14, at_risk: 28, silent: 42, missed: 3 }
    }
}

/// What a child's standing is reckoned from.
#[derive(Clone, Copy, Debug)]
pub struct Child<'a> {
    /// Who it is.
    pub member: MemberId,
    /// Since when it takes part; absent while it does not.
    pub since: Option<Timestamp>,
    /// What the family intends.
    pub plan: &'a Plan,
    /// The family's, in any order.
    pub ledger: &'a [Contact],
    /// The programme's.
    pub thresholds: &'a Thresholds,
    /// Whose days and pauses these are.
    pub zone: &'a TimeZone,
}

/// What decides at an instant.
struct Looked {
    standing: Standing,
    /// The day from which on days without contact count.
    since: Date,
    /// What it heard and said so far.
    contacts: Vec<Contact>,
}

impl Child<'_> {
    /// How it stands. Events after `now` are not looked at.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        self.look(now).map_or(Standing::NotActive, |looked| looked.standing)
    }

    fn look(&self, now: Timestamp) -> Option<Looked> {
        let began = self.since.filter(|since| *since <= now)?;
        let Self { plan, thresholds, zone, .. } = *self;
        let mut contacts = of_child(self.ledger, self.member);
        contacts.retain(|contact| contact.heard_at <= now);
        let last = moments(&contacts).filter(|at| *at >= began).last();
        let missed = missed_in_a_row(plan, &contacts, began, now, zone);
        let (today, since) = (day(now, zone), last.unwrap_or(began));
        let days = days_since(since, now, &plan.pauses, zone);
        let since = day(since, zone);
        let standing = if is_paused(today, &plan.pauses) {
            Standing::Paused
        } else if days > thresholds.silent {
            Standing::Dormant
        } else if days > thresholds.at_risk {
            Standing::Silent
        } else if days > thresholds.watch || missed >= thresholds.missed {
            Standing::AtRisk
        } else if last.is_none() {
            Standing::New
        } else if days > thresholds.on_track {
            Standing::Watch
        } else {
            Standing::OnTrack
        };
        Some(Looked { standing, since, contacts })
    }

    /// The first instant after `now` at which it stands otherwise if nothing is heard meanwhile. Absent where it stays
    /// so for good.
    #[must_use]
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let Some(looked) = self.look(now) else { return self.since.filter(|since| *since > now) };
        let mut at = now;
        loop {
            at = [self.next_day(at, &looked), self.next_miss(now, at, &looked)]
                .into_iter()
                .flatten()
                .min()?;
            if self.standing(at) != looked.standing {
                return Some(at);
            }
        }
    }

    /// The first instant of the next day after `at` on which days or a pause may change something.
    fn next_day(&self, at: Timestamp, looked: &Looked) -> Option<Timestamp> {
        let pauses = &self.plan.pauses;
        let today = day(at, self.zone);
        let Thresholds { on_track, watch, at_risk, silent, .. } = *self.thresholds;
        let bounds = [on_track, watch, at_risk, silent];
        let left =
            bounds.map(|bound| (bound + 1).checked_sub(counted(looked.since, today, pauses)));
        let left = left.into_iter().flatten().filter(|left| *left > 0).min();
        // The day on which so many more have been counted.
        let crossing = left.and_then(|left| {
            let days = today.series(1.day()).skip(1);
            let place = usize::try_from(left - 1).unwrap_or(usize::MAX);
            days.filter(|next| !is_paused(*next, pauses)).nth(place)
        });
        let edges = pauses.iter().flat_map(|pause| [Some(pause.first), pause.last.tomorrow().ok()]);
        let next = edges.flatten().filter(|edge| *edge > today).chain(crossing).min()?;
        first_instant(next, self.zone)
    }

    /// The first instant after `at` at which something more is missed, where that may change anything.
    fn next_miss(&self, now: Timestamp, at: Timestamp, looked: &Looked) -> Option<Timestamp> {
        let began = self.since?;
        if !matches!(looked.standing, Standing::OnTrack | Standing::New | Standing::Watch) {
            return None;
        }
        let open = kept(self.plan, &looked.contacts, began, now, self.zone).into_iter();
        let open = open.filter(|(_, outcome)| *outcome == Outcome::Open).map(|(open, _)| open);
        let mut first: Option<Timestamp> = None;
        for one in open.chain(self.plan.expected(now, self.zone)) {
            // The later ones end later, but for those of a shorter tolerance that begin before this ends.
            if first.is_some_and(|first| one.at > first) {
                break;
            }
            let over = one.until.saturating_add(SignedDuration::from_nanos(1)).ok()?;
            if over > at {
                first = Some(first.map_or(over, |first| first.min(over)));
            }
        }
        first
    }
}

/// How a family stands: as the child of whom that is worst. One that takes no part hides no sister who does.
#[must_use]
pub fn of_family(children: impl IntoIterator<Item = Standing>) -> Option<Standing> {
    children.into_iter().max()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::Way;
    use crate::plan::Pause;
    use crate::testing::{LILI, at, by_turns, evenings, heard, sundays, zone};

    const BEGAN: &str = "2026-11-01T00:00";

    fn child<'a>(
        plan: &'a Plan,
        ledger: &'a [Contact],
        thresholds: &'a Thresholds,
        zone: &'a TimeZone,
    ) -> Child<'a> {
        Child { member: LILI, since: Some(at(BEGAN)), plan, ledger, thresholds, zone }
    }

    /// How she stands at each of these times.
    fn standings<const N: usize>(
        plan: &Plan,
        ledger: &[Contact],
        civil: [&str; N],
    ) -> [Standing; N] {
        let (thresholds, zone) = (Thresholds::default(), zone());
        civil.map(|civil| child(plan, ledger, &thresholds, &zone).standing(at(civil)))
    }

    #[test]
    fn days_since_both_ways_decide_where_nothing_is_planned() {
        let heard = by_turns(&["2026-11-01T19:00", "2026-11-02T19:00"]);
        let days = [
            "2026-11-09T23:59",
            "2026-11-10T00:00",
            "2026-11-16T23:59",
            "2026-11-17T00:00",
            "2026-12-01T00:00",
            "2026-12-15T00:00",
        ];
        use Standing::{AtRisk, Dormant, OnTrack, Silent, Watch};

        let found = standings(&Plan::default(), &heard, days);
        assert_eq!(found, [OnTrack, Watch, Watch, AtRisk, Silent, Dormant]);
    }

    #[test]
    fn three_missed_in_a_row_are_a_risk_though_both_were_heard_lately() {
        let heard = by_turns(&["2026-11-01T19:30", "2026-11-02T19:30"]);
        let found = standings(&evenings(), &heard, ["2026-11-06T07:30", "2026-11-06T07:31"]);

        assert_eq!(found, [Standing::OnTrack, Standing::AtRisk]);
    }

    #[test]
    fn who_begins_is_new_for_two_weeks_and_then_at_risk() {
        let found = standings(
            &Plan::default(),
            &[],
            ["2026-10-31T23:59", "2026-11-01T00:00", "2026-11-15T23:59", "2026-11-16T00:00"],
        );

        use Standing::{AtRisk, New, NotActive};
        assert_eq!(found, [NotActive, New, New, AtRisk]);
    }

    #[test]
    fn days_of_a_pause_do_not_count() {
        let (first, last) = ("2026-11-05".parse().unwrap(), "2026-11-30".parse().unwrap());
        let plan = Plan { pauses: vec![Pause { first, last }], ..sundays() };
        let heard = by_turns(&["2026-11-01T19:00", "2026-11-02T19:00"]);
        let found = standings(
            &plan,
            &heard,
            ["2026-11-04T12:00", "2026-11-05T00:00", "2026-11-30T23:59", "2026-12-01T00:00"],
        );

        use Standing::{OnTrack, Paused};
        assert_eq!(found, [OnTrack, Paused, Paused, OnTrack]);
    }

    #[test]
    fn a_sister_who_is_called_every_day_says_nothing_of_her_brother() {
        let brother = MemberId(4);
        let ledger: Vec<_> = (1..=28)
            .flat_map(|day| {
                let civil = format!("2026-11-{day:02}T19:30");
                [Way::Home, Way::Away].map(|way| heard(way, &civil))
            })
            .collect();
        let (plan, thresholds, zone) = (evenings(), Thresholds::default(), zone());
        let lili = child(&plan, &ledger, &thresholds, &zone);
        let of = [lili, Child { member: brother, ..lili }]
            .map(|child| child.standing(at("2026-11-28T20:00")));

        assert_eq!(of, [Standing::OnTrack, Standing::AtRisk]);
        assert_eq!(of_family(of), Some(Standing::AtRisk));
        assert_eq!(of_family([Standing::NotActive, of[0]]), Some(Standing::OnTrack));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn it_stands_so_until_the_next_change_and_then_otherwise(
            hours in prop::collection::vec((0_i64..24 * 40, any::<bool>()), 0..30),
            pauses in prop::collection::vec((0_i64..60, 0_i64..20), 0..3),
            daily in any::<bool>(),
            now in 0_i64..24 * 60,
        ) {
            let began = at(BEGAN);
            let moment = |hours: i64| began + SignedDuration::from_hours(hours);
            let ledger: Vec<_> = hours
                .iter()
                .map(|(hour, home)| Contact {
                    heard_at: moment(*hour),
                    child: LILI,
                    way: if *home { Way::Home } else { Way::Away },
                })
                .filter(|contact| contact.heard_at <= moment(now))
                .collect();
            let zone = zone();
            let pauses = pauses.iter().map(|(first, days)| {
                let day = |days: i64| day(moment(24 * days), &zone);
                Pause { first: day(*first), last: day(first + days) }
            });
            let plan = if daily { evenings() } else { sundays() };
            let plan = Plan { pauses: pauses.collect(), ..plan };
            let thresholds = Thresholds::default();
            let lili = child(&plan, &ledger, &thresholds, &zone);
            let now = moment(now);
            let (standing, next) = (lili.standing(now), lili.next_change(now));

            let steps = (1..).map(|hours| now + SignedDuration::from_hours(hours));
            let end = next.unwrap_or(now + SignedDuration::from_hours(24 * 130));
            for before in steps.take_while(|step| *step < end) {
                prop_assert_eq!(lili.standing(before), standing, "at {}", before);
            }
            if let Some(next) = next {
                prop_assert!(next > now);
                prop_assert_ne!(lili.standing(next), standing, "at {}", next);
                let just_before = next - SignedDuration::from_nanos(1);
                prop_assert_eq!(lili.standing(just_before), standing);
            }
        }
    }
}

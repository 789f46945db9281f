//! What a family does, and when: from its habit and a seed. Pure.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::cast::{Family, Habit, Member, Part};

/// Something that somebody of a family does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// The family confirms the plan that was proposed when it was enrolled.
    Plan,
    /// A member writes a letter to another.
    Write { from: u32, to: u32 },
    /// A member hears all letters that have come for them; then their phone reaches the relay, if it can.
    Hear { by: u32, online: bool },
    /// A member's phone reaches the relay.
    Reach { by: u32 },
    /// Their caseworker says on which days nothing is expected.
    Pause { first: Date, last: Date, reason: &'static str },
}

/// When a family was enrolled, and when the story ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) enrolled: Timestamp,
    pub(super) until: Timestamp,
}

/// After the hour that is planned: the mother has written before it, the child hears her after it, and answers.
const WRITES_BEFORE: SignedDuration = SignedDuration::from_mins(10);
const HEARS_AFTER: SignedDuration = SignedDuration::from_mins(5);
const ANSWER_HEARD_AFTER: SignedDuration = SignedDuration::from_mins(35);

/// Of a hundred evenings of a steady family.
const STEADY: u64 = 92;

/// The last days of who is on track are as planned, whatever the dice say.
const SURE_DAYS: i64 = 9;

/// Days after the first on which the phone of [`Habit::Late`] was last in town, and is again.
const OFF: (i64, i64) = (30, 46);

/// All that the family does, in no order.
pub(super) fn script(family: &Family, stretch: Stretch, seed: u64) -> Vec<(Timestamp, Act)> {
    Script { family, stretch, seed, zone: family.zone(), acts: Vec::new() }.write()
}

struct Script<'a> {
    family: &'a Family,
    stretch: Stretch,
    seed: u64,
    zone: TimeZone,
    acts: Vec<(Timestamp, Act)>,
}

impl Script<'_> {
    fn write(mut self) -> Vec<(Timestamp, Act)> {
        let habit = self.family.kind.habit;
        if habit == Habit::Mute {
            return self.acts;
        }
        if self.family.kind.plan.is_some() {
            self.acts.push((self.stretch.enrolled + SignedDuration::from_hours(1), Act::Plan));
        }
        let children: Vec<_> = self.family.of(Part::Child).map(|child| child.number).collect();
        for (place, child) in children.into_iter().enumerate() {
            match habit {
                Habit::New(_) => self.first_letter(child),
                Habit::Late => self.with_a_stretch_offline(child),
                Habit::Neglects(days) if place > 0 => self.evenings(child, STEADY, days),
                Habit::Until(days) => self.evenings(child, STEADY, days),
                Habit::Uneven(of_hundred) => self.evenings(child, of_hundred, 0),
                _ => self.evenings(child, STEADY, 0),
            }
        }
        if let Habit::Paused(ago, weeks) = habit {
            let first = self.today() - ago.days();
            let last = first + weeks.weeks() - 1.day();
            let reason = if last > self.today() { "parent-home" } else { "exams" };
            self.add(first, Time::midnight(), 9 * 60, Act::Pause { first, last, reason });
        }
        if let Some(drawer) = self.family.of(Part::Caregiver).next()
            && !self.shares(drawer)
        {
            // Used once, when it was new.
            let (from, to) = (drawer.number, self.family.parent_of(0));
            self.acts.push((
                self.stretch.enrolled + SignedDuration::from_hours(2),
                Act::Write { from, to },
            ));
        }
        let until = self.stretch.until;
        self.acts.retain(|(at, _)| *at <= until);
        self.acts
    }

    fn shares(&self, member: &Member) -> bool {
        self.family.of(Part::Child).any(|child| child.device == member.device)
    }

    fn today(&self) -> Date {
        self.zone.to_datetime(self.stretch.until).date()
    }

    /// The evenings of a child until so many days ago; the last one for certain.
    fn evenings(&mut self, child: u32, of_hundred: u64, stops: i64) {
        let (last, hour) = (self.today() - stops.days(), self.hour());
        let first = self.zone.to_datetime(self.stretch.enrolled).date();
        let is_sure = |day: Date| of_hundred >= STEADY && last - SURE_DAYS.days() <= day;
        let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
        for day in days.take_while(|day| *day <= last) {
            let is_last = stops > 0 && day == last;
            let falls_out = !is_sure(day) && self.roll(child, day) >= of_hundred;
            let in_break = matches!(self.family.kind.habit, Habit::Paused(ago, weeks)
                if self.today() - ago.days() <= day && day < self.today() - ago.days() + weeks.weeks());
            if is_last || (self.means(day) && !falls_out && !in_break) {
                self.evening(child, day, hour);
            }
        }
    }

    /// Both hear each other; or the child hears, and nobody answers.
    fn evening(&mut self, child: u32, day: Date, hour: Time) {
        let parent = self.family.parent_of(child);
        let answers = self.family.kind.habit != Habit::OneWay;
        self.add(day, hour, -WRITES_BEFORE.as_mins(), Act::Write { from: parent, to: child });
        if answers {
            // Heard and answered in one go: the answer waits on the phone until it has said what was heard.
            self.add(day, hour, HEARS_AFTER.as_mins(), Act::Hear { by: child, online: true });
            self.add(day, hour, HEARS_AFTER.as_mins(), Act::Write { from: child, to: parent });
            let hear = Act::Hear { by: parent, online: true };
            self.add(day, hour, ANSWER_HEARD_AFTER.as_mins(), hear);
        } else {
            self.add(day, hour, HEARS_AFTER.as_mins(), Act::Hear { by: child, online: true });
        }
    }

    fn first_letter(&mut self, child: u32) {
        let day = self.zone.to_datetime(self.stretch.enrolled).date().saturating_add(1.day());
        let parent = self.family.parent_of(child);
        self.add(day, self.hour(), 0, Act::Write { from: parent, to: child });
        self.add(day, self.hour(), 30, Act::Hear { by: child, online: true });
    }

    /// Steady, but for two weeks in the hills: what came in town is heard there on the next evening.
    fn with_a_stretch_offline(&mut self, child: u32) {
        self.evenings(child, 100, 0);
        let first = self.zone.to_datetime(self.stretch.enrolled).date();
        let (leaves, back) = (first + OFF.0.days(), first + OFF.1.days());
        let [leaves_at, back_at] = [leaves, back].map(|day| self.at(day, self.hour(), -60));
        self.acts.retain(|(at, _)| !(leaves_at < *at && *at < back_at));
        let parent = self.family.parent_of(child);
        for noon in [0, 10] {
            let noon_of = Time::constant(12, 0, 0, 0);
            self.add(leaves, noon_of, noon, Act::Write { from: parent, to: child });
        }
        self.add(leaves, Time::constant(12, 0, 0, 0), 30, Act::Reach { by: child });
        let evening = leaves.saturating_add(1.day());
        self.add(evening, self.hour(), 5, Act::Hear { by: child, online: false });
        self.add(back, Time::constant(12, 0, 0, 0), 0, Act::Reach { by: child });
    }

    /// Whether the family means to hear each other that day; without a plan any day will do.
    fn means(&self, day: Date) -> bool {
        match self.family.kind.plan.map(|(days, _)| days) {
            None | Some("day") => true,
            Some(days) => days.split(',').any(|word| weekday(word) == Some(day.weekday())),
        }
    }

    fn hour(&self) -> Time {
        let (_, hour) = self.family.kind.plan.unwrap_or(("day", "20:15"));
        hour.parse().unwrap_or(Time::midnight())
    }

    fn at(&self, day: Date, hour: Time, minutes: i64) -> Timestamp {
        let at = self.zone.to_ambiguous_timestamp(day.to_datetime(hour)).compatible();
        at.unwrap_or(Timestamp::MAX)
            .saturating_add(SignedDuration::from_mins(minutes))
            .unwrap_or(Timestamp::MAX)
    }

    fn add(&mut self, day: Date, hour: Time, minutes: i64, act: Act) {
        let at = self.at(day, hour, minutes);
        // Nobody has a phone before the cards were used.
        if self.stretch.enrolled + SignedDuration::from_hours(2) < at {
            self.acts.push((at, act));
        }
    }

    /// 0 to 99, the same for the same seed, family, child and day.
    fn roll(&self, child: u32, day: Date) -> u64 {
        let mut state = self.seed ^ u64::from(child) << 32;
        let day = day.to_string();
        for byte in self.family.case_code.bytes().chain(day.bytes()) {
            state = mixed(state ^ u64::from(byte));
        }
        state % 100
    }
}

/// SplitMix64's step.
fn mixed(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn weekday(word: &str) -> Option<Weekday> {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let place = days.iter().position(|day| *day == word)?;
    Weekday::from_monday_zero_offset(i8::try_from(place).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::cast::families;
    use super::*;

    fn written(family: usize, seed: u64) -> Vec<(Timestamp, Act)> {
        let stretch = Stretch {
            enrolled: "2026-08-31T06:00:00Z".parse().unwrap(),
            until: "2026-11-23T12:00:00Z".parse().unwrap(),
        };
        script(&families(20)[family], stretch, seed)
    }

    #[test]
    fn the_same_seed_writes_the_same_and_another_another() {
        assert_eq!(written(15, 1), written(15, 1));
        assert_ne!(written(15, 1), written(15, 2));
    }

    #[test]
    fn who_fell_silent_did_so_on_the_day() {
        let last = written(4, 1).into_iter().map(|(at, _)| at).max().unwrap();

        // 35 days before 23 November, in Shanghai: 19 October, 20:05.
        assert_eq!(last.to_string(), "2026-10-19T12:05:00Z");
    }

    #[test]
    fn an_evening_keeps_its_hour_at_home_when_the_clocks_change() {
        let soroca = 20;
        let hours: Vec<_> = written(soroca, 1)
            .iter()
            .filter(|(_, act)| matches!(act, Act::Hear { by: 3, .. }))
            .map(|(at, _)| at.strftime("%m-%d %H:%M").to_string())
            .collect();

        assert!(hours.contains(&"10-24 16:35".to_owned()), "{hours:?}");
        assert!(hours.contains(&"10-26 17:35".to_owned()), "{hours:?}");
    }
}

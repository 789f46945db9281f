//! Schedules: a rule that releases held bodies. What happens when one is due is `firing`'s.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Content, RuleText, Schedule, ScheduleState, Seq, schedule_key};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClockText, Plan, Previewed, PreviewedOccurrence};
use jiashu_proto::id::{MemberId, Millis, Ref, Role};
use jiashu_recurrence::{Clock, PreviewEntry, Rule, next_occurrence};
use jiff::Timestamp;

use super::firing::set_occurrence;
use super::{Refusal, Sender, check_addressees};
use crate::store::{Author, Batch, Change, DueItem, NEVER, NewEntry, Precondition};

/// A schedule as it stands in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Place of this version.
    pub seq: Seq,
    /// The version.
    pub schedule: Schedule,
}

/// A new schedule, or a new version of the one that stands.
///
/// `standing` is the schedule that `plan` names, if there is one, `running` how many of the family
/// run, the paused among them. `role_of` tells what a member is: asked only where another parent
/// takes a schedule over.
///
/// # Errors
///
/// [`Refusal`]: a rule that never comes due, one that is not theirs to change, one that has changed
/// meanwhile, too many.
pub fn decide_plan(
    sender: &Sender,
    plan: Plan,
    standing: Option<&Standing>,
    running: usize,
    role_of: impl Fn(MemberId) -> Option<Role>,
    now: Millis,
) -> Result<Batch, Refusal> {
    sender.check_serves(plan.from)?;
    check_addressees(&plan.to)?;
    let id = plan.schedule.unwrap_or(plan.entry_ref);
    let version = match (plan.schedule, standing) {
        (None, None) if running >= bounds::MAX_SCHEDULES => {
            return Err(Refusal::new(ErrorCode::Full, "too many schedules: cancel one first"));
        }
        (None, None) => 0,
        (None, Some(_)) => {
            return Err(Refusal::new(ErrorCode::Exists, "this schedule exists already"));
        }
        (Some(_), None) => {
            return Err(Refusal::new(ErrorCode::Unknown, "there is no such schedule"));
        }
        (Some(_), Some(standing)) => check_change(&plan, &standing.schedule, role_of)?,
    };
    let Plan { n, entry_ref, from, to, rule, state, bank, .. } = plan;
    let schedule = Schedule { id, device: sender.device, from, to, rule, state, bank, version };
    let mut requires = vec![
        Precondition::Active,
        Precondition::NotSuspended(from),
        Precondition::FactAt(schedule_key(id), standing.map(|standing| standing.seq)),
    ];
    if goes_on(state, standing) {
        // What is due already is to be fired first: a change begins after now, and would skip it.
        requires.push(Precondition::NotDue(DueItem::Occurrence(id), now));
    }
    let changes = changes(&schedule, now)?;
    let content = Content::Schedule(schedule);
    Ok(Batch {
        author: Some(Author { device: sender.device, n, entry_ref }),
        requires,
        entries: vec![NewEntry::of(&content)],
        changes,
        ..Batch::new(now)
    })
}

/// Whether a schedule that runs runs on.
fn goes_on(state: ScheduleState, standing: Option<&Standing>) -> bool {
    let ran = standing.is_some_and(|one| one.schedule.state == ScheduleState::Active);
    ran && state == ScheduleState::Active
}

/// What has ended stays so; a change is its author's, or of a parent who takes it over. The number of
/// the new version.
fn check_change(
    plan: &Plan,
    standing: &Schedule,
    role_of: impl Fn(MemberId) -> Option<Role>,
) -> Result<u32, Refusal> {
    if !matches!(standing.state, ScheduleState::Active | ScheduleState::Paused) {
        return Err(Refusal::new(ErrorCode::Unknown, "this schedule has ended"));
    }
    if plan.from != standing.from && role_of(plan.from) != Some(Role::Parent) {
        return Err(Refusal::new(ErrorCode::NotAllowed, "this schedule is another member's"));
    }
    if plan.seen.is_some_and(|seen| seen != standing.version) {
        let text = "this schedule has changed meanwhile: look at it again";
        return Err(Refusal::new(ErrorCode::Stale, text));
    }
    if plan.bank != standing.bank {
        let text = "a letter bank stays one, and nothing else becomes one";
        return Err(Refusal::new(ErrorCode::NotAllowed, text));
    }
    Ok(standing.version.saturating_add(1))
}

/// What changes beside the log: when it is due.
fn changes(schedule: &Schedule, now: Millis) -> Result<Vec<Change>, Refusal> {
    match schedule.state {
        ScheduleState::Active => {
            let rule = parse(&schedule.rule)?;
            let next = next_occurrence(&rule, timestamp(now)).ok_or_else(|| {
                Refusal::new(ErrorCode::BadRule, "this rule has no occurrence to come")
            })?;
            Ok(vec![set_occurrence(schedule, &next)])
        }
        // Still among those that are due, so that it counts.
        ScheduleState::Paused => {
            parse(&schedule.rule)?;
            Ok(vec![Change::SetDue(DueItem::Occurrence(schedule.id), NEVER)])
        }
        ScheduleState::Cancelled => Ok(end_of(schedule.id)),
        ScheduleState::Spent => {
            Err(Refusal::new(ErrorCode::NotAllowed, "only the relay ends a schedule so"))
        }
    }
}

/// When a rule happens after that instant, in ms, on the clocks of these zones: at most `count`.
///
/// # Errors
///
/// [`ErrorCode::BadRule`] if it is no rule, or a zone is none.
pub fn preview(
    rule: &RuleText,
    zones: &[String],
    after: Millis,
    count: usize,
) -> Result<Previewed, Refusal> {
    let rule = parse(rule)?;
    let zones: Vec<_> = zones.iter().map(String::as_str).collect();
    let entries = jiashu_recurrence::preview(&rule, &zones, timestamp(after), count)
        .map_err(|error| Refusal::new(ErrorCode::BadRule, error.to_string()))?;
    let previewed = |PreviewEntry { occurrence, clocks }: PreviewEntry| PreviewedOccurrence {
        at: occurrence.at.as_millisecond(),
        planned: occurrence.planned_text(),
        adjust: occurrence.adjust,
        clocks: clocks
            .into_iter()
            .map(|Clock { local, shifts }| ClockText { local, shifts })
            .collect(),
    };
    Ok(Previewed { occurrences: entries.into_iter().map(previewed).collect() })
}

pub(super) fn parse(rule: &RuleText) -> Result<Rule, Refusal> {
    Rule::of(rule).map_err(|error| Refusal::new(ErrorCode::BadRule, error.to_string()))
}

/// What a schedule leaves behind when it ends: nothing.
pub(crate) fn end_of(id: Ref) -> Vec<Change> {
    vec![Change::ClearDue(DueItem::Occurrence(id)), Change::DropHeldOf(id)]
}

pub(super) fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::DeviceId;

    use super::*;

    const ID: Ref = Ref([3; 12]);
    const MAMA: MemberId = MemberId(1);
    const PAPA: MemberId = MemberId(2);
    const NAINAI: MemberId = MemberId(4);

    fn at(text: &str) -> Millis {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn role_of(member: MemberId) -> Option<Role> {
        match member {
            MAMA | PAPA => Some(Role::Parent),
            NAINAI => Some(Role::Caregiver),
            _ => None,
        }
    }

    fn sender(member: MemberId) -> Sender {
        Sender { device: DeviceId(member.0), members: vec![member] }
    }

    fn plan(rrule: Option<&str>) -> Plan {
        let rule = RuleText::new("2027-03-27T02:30:00", "Europe/Rome", rrule);
        Plan {
            n: 2,
            entry_ref: ID,
            from: MAMA,
            to: vec![MemberId(3)],
            rule,
            state: ScheduleState::Active,
            schedule: None,
            bank: false,
            seen: None,
        }
    }

    fn change() -> Plan {
        Plan { schedule: Some(ID), entry_ref: Ref([4; 12]), ..plan(Some("FREQ=DAILY")) }
    }

    fn standing(state: ScheduleState) -> Standing {
        let Plan { from, to, rule, bank, .. } = plan(Some("FREQ=DAILY"));
        let device = DeviceId(1);
        let schedule = Schedule { id: ID, device, from, to, rule, state, bank, version: 4 };
        Standing { seq: 7, schedule }
    }

    fn decide(
        by: MemberId,
        plan: Plan,
        standing: Option<&Standing>,
        running: usize,
    ) -> Result<Batch, ErrorCode> {
        let now = at("2027-03-27T12:00:00Z");
        let decided = decide_plan(&sender(by), plan, standing, running, role_of, now);
        decided.map_err(|refusal| refusal.code)
    }

    fn written(batch: &Batch) -> Schedule {
        match Content::from_bytes(&batch.entries[0].content) {
            Ok(Content::Schedule(schedule)) => schedule,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_schedule_is_due_at_its_first_occurrence_to_come() {
        let batch = decide(MAMA, plan(Some("FREQ=DAILY")), None, 0).unwrap();

        // 28 March 02:30 does not exist in Rome: 03:30 summer time
        let (schedule, planned) = (ID, "2027-03-28T02:30:00".to_owned());
        let next = at("2027-03-28T01:30:00Z");
        assert_eq!(batch.changes, [Change::SetOccurrence { schedule, planned, at: next }]);
        assert_eq!(written(&batch).version, 0);
    }

    #[test]
    fn a_plan_that_cannot_be_is_refused() {
        let stranger = Plan { from: PAPA, ..plan(None) };
        let active = standing(ScheduleState::Active);
        let daily = || plan(Some("FREQ=DAILY"));
        let spent = Plan { state: ScheduleState::Spent, ..daily() };

        assert_eq!(decide(MAMA, stranger, None, 0), Err(ErrorCode::NotAllowed));
        assert_eq!(decide(MAMA, plan(None), None, 0), Err(ErrorCode::BadRule), "in the past");
        assert_eq!(decide(MAMA, plan(Some("FREQ=SECONDLY")), None, 0), Err(ErrorCode::BadRule));
        assert_eq!(decide(MAMA, spent, None, 0), Err(ErrorCode::NotAllowed));
        assert_eq!(decide(MAMA, daily(), None, 256), Err(ErrorCode::Full));
        assert!(decide(MAMA, daily(), None, 255).is_ok());
        assert_eq!(decide(MAMA, plan(None), Some(&active), 0), Err(ErrorCode::Exists));
        assert_eq!(decide(MAMA, change(), None, 0), Err(ErrorCode::Unknown));
        for ended in [ScheduleState::Cancelled, ScheduleState::Spent] {
            let ended = standing(ended);
            assert_eq!(decide(MAMA, change(), Some(&ended), 0), Err(ErrorCode::Unknown));
        }
    }

    #[test]
    fn a_change_is_of_the_version_that_was_seen() {
        let active = standing(ScheduleState::Active);
        let seen = |seen| Plan { seen, ..change() };

        assert_eq!(decide(MAMA, seen(Some(3)), Some(&active), 0), Err(ErrorCode::Stale));
        for good in [Some(4), None] {
            let batch = decide(MAMA, seen(good), Some(&active), 256).unwrap();
            assert_eq!(written(&batch).version, 5);
            let fact = Precondition::FactAt(schedule_key(ID), Some(7));
            assert!(batch.requires.contains(&fact), "of two at once one wins");
        }
    }

    #[test]
    fn what_is_due_already_is_fired_before_a_change_that_would_skip_it() {
        let not_due = |batch: &Batch| {
            let is = |one: &Precondition| matches!(one, Precondition::NotDue(..));
            batch.requires.iter().any(is)
        };
        let (active, paused) = (standing(ScheduleState::Active), standing(ScheduleState::Paused));
        let to = |state| Plan { state, ..change() };

        assert!(not_due(&decide(MAMA, change(), Some(&active), 0).unwrap()));
        assert!(!not_due(&decide(MAMA, change(), Some(&paused), 0).unwrap()));
        for end in [ScheduleState::Paused, ScheduleState::Cancelled] {
            assert!(!not_due(&decide(MAMA, to(end), Some(&active), 0).unwrap()));
        }
    }

    #[test]
    fn a_pause_keeps_what_is_held_and_counts_and_an_end_leaves_nothing() {
        let active = standing(ScheduleState::Active);
        let to = |state| decide(MAMA, Plan { state, ..change() }, Some(&active), 0).unwrap();

        let never = Change::SetDue(DueItem::Occurrence(ID), NEVER);
        assert_eq!(to(ScheduleState::Paused).changes, [never]);
        assert_eq!(to(ScheduleState::Cancelled).changes, end_of(ID));
    }

    #[test]
    fn another_parent_may_take_it_over_and_nobody_else() {
        let active = standing(ScheduleState::Active);
        let by = |from| Plan { from, ..change() };

        let batch = decide(PAPA, by(PAPA), Some(&active), 0).unwrap();

        let taken = written(&batch);
        assert_eq!((taken.from, taken.device, taken.version), (PAPA, DeviceId(2), 5));
        assert_eq!(decide(NAINAI, by(NAINAI), Some(&active), 0), Err(ErrorCode::NotAllowed));
    }

    #[test]
    fn a_letter_bank_stays_one() {
        let active = standing(ScheduleState::Active);

        let other = Plan { bank: true, ..change() };

        assert_eq!(decide(MAMA, other, Some(&active), 0), Err(ErrorCode::NotAllowed));
    }
}

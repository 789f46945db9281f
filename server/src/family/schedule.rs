//! Schedules: a rule that releases a held body at each of its occurrences.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Content, Message, RuleText, Schedule, ScheduleState, Seq, schedule_key};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::Plan;
use jiashu_proto::id::Millis;
use jiashu_recurrence::{Occurrence, Rule, next_occurrence};
use jiashu_roster::occurrence_ref;
use jiff::Timestamp;

use super::{Refusal, Sender, check_addressees};
use crate::store::{Author, Batch, Change, DueItem, HeldBody, NewEntry, Precondition};

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
/// run.
///
/// # Errors
///
/// [`Refusal`]: a rule that never comes due, one that is not its author's to change, too many.
pub fn decide_plan(
    sender: &Sender,
    plan: Plan,
    standing: Option<&Standing>,
    running: usize,
    now: Millis,
) -> Result<Batch, Refusal> {
    sender.check_serves(plan.from)?;
    check_addressees(&plan.to)?;
    let id = plan.schedule.unwrap_or(plan.entry_ref);
    match (plan.schedule, standing) {
        (None, None) if running >= bounds::MAX_SCHEDULES => {
            return Err(Refusal::new(ErrorCode::Full, "too many schedules: cancel one first"));
        }
        (None, None) => {}
        (None, Some(_)) => {
            return Err(Refusal::new(ErrorCode::Exists, "this schedule exists already"));
        }
        (Some(_), None) => {
            return Err(Refusal::new(ErrorCode::Unknown, "there is no such schedule"));
        }
        (Some(_), Some(standing)) => check_change(&plan, &standing.schedule)?,
    }
    let due = match plan.state {
        ScheduleState::Active => Some(first_due(&plan.rule, now)?),
        ScheduleState::Cancelled | ScheduleState::Paused => None,
        ScheduleState::Spent => {
            return Err(Refusal::new(ErrorCode::NotAllowed, "only the relay ends a schedule so"));
        }
    };
    let content = Content::Schedule(Schedule {
        id,
        device: sender.device,
        from: plan.from,
        to: plan.to,
        rule: plan.rule,
        state: plan.state,
        bank: plan.bank,
        version: 0,
    });
    Ok(Batch {
        author: Some(Author { device: sender.device, n: plan.n, entry_ref: plan.entry_ref }),
        requires: vec![
            Precondition::Active,
            Precondition::FactAt(schedule_key(id), standing.map(|standing| standing.seq)),
        ],
        entries: vec![NewEntry { key: content.key(), rank: 0, content: content.to_bytes() }],
        changes: match due {
            Some(at) => vec![Change::SetDue(DueItem::Occurrence(id), at)],
            None => end_of(id),
        },
        ..Batch::new(now)
    })
}

/// A change is its author's, and what has ended stays so.
fn check_change(plan: &Plan, standing: &Schedule) -> Result<(), Refusal> {
    if plan.from != standing.from {
        return Err(Refusal::new(ErrorCode::NotAllowed, "this schedule is another member's"));
    }
    if standing.state == ScheduleState::Active {
        Ok(())
    } else {
        Err(Refusal::new(ErrorCode::Unknown, "this schedule has ended"))
    }
}

fn first_due(rule: &RuleText, now: Millis) -> Result<Millis, Refusal> {
    let rule = parse(rule)?;
    next_occurrence(&rule, timestamp(now))
        .map(|occurrence| occurrence.at.as_millisecond())
        .ok_or_else(|| Refusal::new(ErrorCode::BadRule, "this rule has no occurrence to come"))
}

fn parse(rule: &RuleText) -> Result<Rule, Refusal> {
    Rule::of(rule).map_err(|error| Refusal::new(ErrorCode::BadRule, error.to_string()))
}

/// What a schedule leaves behind when it ends: nothing.
fn end_of(id: jiashu_proto::id::Ref) -> Vec<Change> {
    vec![Change::ClearDue(DueItem::Occurrence(id)), Change::DropHeldOf(id)]
}

/// What happens when the schedule is due at `due_at`: the body goes into the log, the next
/// occurrence becomes due, or the schedule ends. All of it together, and only if it is still due
/// then and still this version, so that of two who fire one wins.
///
/// An instant that the rule no longer gives (the zone's rules changed since) is not fired; the next
/// that it does give becomes due instead. A schedule without a held body fires nothing.
///
/// # Errors
///
/// [`ErrorCode::BadRule`] if the rule cannot be read, as one that a newer relay took: it stays due,
/// and nothing of it is lost.
pub fn fire(
    standing: &Standing,
    held: Option<&HeldBody>,
    due_at: Millis,
    now: Millis,
) -> Result<Batch, Refusal> {
    let schedule = &standing.schedule;
    let item = DueItem::Occurrence(schedule.id);
    let rule = parse(&schedule.rule)?;
    let mut batch = Batch {
        requires: vec![
            Precondition::DueAt(item.clone(), due_at),
            Precondition::FactAt(schedule_key(schedule.id), Some(standing.seq)),
        ],
        ..Batch::new(now)
    };
    if let (Some(occurrence), Some(held)) = (occurrence_due(&rule, due_at), held) {
        batch.entries.extend(released(held, &occurrence));
    }
    match next_occurrence(&rule, timestamp(due_at)) {
        Some(next) => batch.changes.push(Change::SetDue(item, next.at.as_millisecond())),
        None => {
            let spent =
                Content::Schedule(Schedule { state: ScheduleState::Spent, ..schedule.clone() });
            batch.entries.push(NewEntry { key: spent.key(), rank: 0, content: spent.to_bytes() });
            batch.changes = end_of(schedule.id);
        }
    }
    Ok(batch)
}

fn occurrence_due(rule: &Rule, due_at: Millis) -> Option<Occurrence> {
    next_occurrence(rule, timestamp(due_at.saturating_sub(1)))
        .filter(|occurrence| occurrence.at.as_millisecond() == due_at)
}

/// The held body as an entry of the log.
fn released(held: &HeldBody, occurrence: &Occurrence) -> Option<NewEntry> {
    let Ok(Content::Message(kind, message)) = Content::from_bytes(&held.content) else {
        return None;
    };
    let mut fired = message.fired?;
    let due_at = occurrence.at.as_millisecond();
    fired.planned = occurrence.planned_text();
    fired.due_at = due_at;
    fired.adjust = occurrence.adjust;
    let entry_ref = occurrence_ref(fired.body_ref, fired.schedule, &fired.planned)?;
    let until = fired.valid_for.and_then(|valid_for| due_at.checked_add(valid_for));
    let message = Message { entry_ref, until, fired: Some(fired), ..message };
    let content = Content::Message(kind, message).to_bytes();
    Some(NewEntry { key: None, rank: 0, content })
}

fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use jiashu_proto::entry::Adjust;
    use jiashu_proto::frame::Hold;
    use jiashu_proto::id::{DeviceId, MemberId, Ref};

    use super::super::message::decide_hold;
    use super::*;

    const ID: Ref = Ref([3; 12]);

    fn at(text: &str) -> Millis {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn sender() -> Sender {
        Sender { device: DeviceId(1), members: vec![MemberId(1)] }
    }

    fn rule(rrule: Option<&str>) -> RuleText {
        RuleText {
            start: "2027-03-27T02:30:00".into(),
            zone: "Europe/Rome".into(),
            rrule: rrule.map(Into::into),
            also: Vec::new(),
            except: Vec::new(),
        }
    }

    fn plan(rrule: Option<&str>) -> Plan {
        Plan {
            n: 2,
            entry_ref: ID,
            from: MemberId(1),
            to: vec![MemberId(3)],
            rule: rule(rrule),
            state: ScheduleState::Active,
            schedule: None,
            bank: false,
            seen: None,
        }
    }

    fn standing(rrule: Option<&str>) -> Standing {
        let schedule = Schedule {
            id: ID,
            device: DeviceId(1),
            from: MemberId(1),
            to: vec![MemberId(3)],
            rule: rule(rrule),
            state: ScheduleState::Active,
            bank: false,
            version: 0,
        };
        Standing { seq: 7, schedule }
    }

    fn held() -> HeldBody {
        let hold = Hold {
            n: 1,
            body_ref: Ref([2; 12]),
            epoch: 4,
            from: MemberId(1),
            to: vec![MemberId(3)],
            kind: 1,
            sealed: vec![9; 20],
            schedule: ID,
            valid_for: Some(1000),
            blob: None,
            again: None,
            replaces: None,
        };
        let batch = decide_hold(&sender(), hold, None, &[], 0).unwrap();
        match &batch.changes[..] {
            [Change::PutHeld(held)] => held.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_schedule_is_due_at_its_first_occurrence_to_come() {
        let now = at("2027-03-27T12:00:00Z");

        let batch = decide_plan(&sender(), plan(Some("FREQ=DAILY")), None, 0, now).unwrap();

        // 28 March 02:30 does not exist in Rome: 03:30 summer time
        let due = Change::SetDue(DueItem::Occurrence(ID), at("2027-03-28T01:30:00Z"));
        assert_eq!(batch.changes, [due]);
    }

    #[test]
    fn a_plan_that_cannot_be_is_refused() {
        let now = at("2027-03-27T12:00:00Z");
        let stranger = Plan { from: MemberId(2), ..plan(None) };
        let daily = standing(Some("FREQ=DAILY"));
        let ended = Standing {
            schedule: Schedule { state: ScheduleState::Cancelled, ..daily.schedule.clone() },
            ..daily.clone()
        };
        let change = Plan { schedule: Some(ID), ..plan(Some("FREQ=DAILY")) };
        let decide = |plan: &Plan, standing: Option<&Standing>, running| {
            decide_plan(&sender(), plan.clone(), standing, running, now).map_err(|no| no.code)
        };

        assert_eq!(decide(&stranger, None, 0), Err(ErrorCode::NotAllowed));
        assert_eq!(decide(&plan(None), None, 0), Err(ErrorCode::BadRule), "in the past");
        assert_eq!(decide(&plan(Some("FREQ=SECONDLY")), None, 0), Err(ErrorCode::BadRule));
        assert_eq!(decide(&plan(Some("FREQ=DAILY")), None, 256), Err(ErrorCode::Full));
        assert!(decide(&plan(Some("FREQ=DAILY")), None, 255).is_ok());
        assert_eq!(decide(&plan(None), Some(&daily), 0), Err(ErrorCode::Exists));
        assert_eq!(decide(&change, None, 0), Err(ErrorCode::Unknown));
        assert_eq!(decide(&change, Some(&ended), 0), Err(ErrorCode::Unknown));
        assert!(decide(&change, Some(&daily), 0).is_ok());
    }

    #[test]
    fn firing_writes_the_letter_and_the_next_due_time_together() {
        let (due_at, now) = (at("2027-03-28T01:30:00Z"), at("2027-03-28T05:00:00Z"));

        let batch = fire(&standing(Some("FREQ=DAILY")), Some(&held()), due_at, now).unwrap();

        let due = Precondition::DueAt(DueItem::Occurrence(ID), due_at);
        assert_eq!(batch.requires, [due, Precondition::FactAt(schedule_key(ID), Some(7))]);
        let next = Change::SetDue(DueItem::Occurrence(ID), at("2027-03-29T00:30:00Z"));
        assert_eq!(batch.changes, [next]);
        let Ok(Content::Message(1, message)) = Content::from_bytes(&batch.entries[0].content)
        else {
            panic!("a message was to be written")
        };
        let fired = message.fired.unwrap();
        assert_eq!(fired.planned, "2027-03-28T02:30:00");
        assert_eq!(fired.adjust, Some(Adjust::Gap));
        assert_eq!(message.until, Some(due_at + 1000));
        assert_eq!(Some(message.entry_ref), occurrence_ref(Ref([2; 12]), ID, &fired.planned));
    }

    #[test]
    fn the_last_occurrence_ends_the_schedule() {
        let due_at = at("2027-03-27T01:30:00Z");

        let batch = fire(&standing(None), Some(&held()), due_at, due_at).unwrap();

        assert_eq!(batch.entries.len(), 2, "the letter, and the schedule's last version");
        assert_eq!(batch.changes, end_of(ID));
    }

    #[test]
    fn a_rule_of_a_newer_relay_stays_due_and_loses_nothing() {
        let newer = standing(Some("FREQ=MONTHLY;BYDAY=1SU"));

        let refused = fire(&newer, Some(&held()), 0, 0).unwrap_err();

        assert_eq!(refused.code, ErrorCode::BadRule);
    }

    #[test]
    fn an_instant_that_the_rule_does_not_give_fires_nothing() {
        let wrong = at("2027-03-28T00:30:00Z");

        let batch = fire(&standing(Some("FREQ=DAILY")), Some(&held()), wrong, wrong).unwrap();

        assert!(batch.entries.is_empty());
        let next = Change::SetDue(DueItem::Occurrence(ID), at("2027-03-28T01:30:00Z"));
        assert_eq!(batch.changes, [next]);
    }
}

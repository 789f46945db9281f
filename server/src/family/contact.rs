//! What a family intends, what staff propose, and pauses: who may write them, and what follows.

use jiashu_contact::plan::Intended as InForce;
use jiashu_proto::bounds;
use jiashu_proto::entry::{
    ContactPlan, Content, IntendedRule, PLAN_KEY, Pause, PauseReason, Proposal, Seq, pause_key,
};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::Intend;
use jiashu_proto::id::{DeviceId, MemberId, Millis, Role};
use jiashu_recurrence::{Rule, next_occurrence};
use jiff::Timestamp;
use jiff::civil::Date;

use super::ledger::Intended;
use super::{Refusal, Sender};
use crate::clock::timestamp;
use crate::store::{Author, Batch, Change, DueItem, NewEntry, Precondition};

/// Milliseconds of a day.
const DAY_MS: Millis = 24 * 60 * 60 * 1000;

/// So far back figures look, in ms: over the weeks that are made up for after an outage, and those before them by which
/// they are reckoned.
const LOOKED_BACK_MS: Millis = 70 * 7 * DAY_MS;

/// A plan as it stands in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct StandingPlan {
    /// Its place.
    pub seq: Seq,
    /// Since when it stands, in ms.
    pub at: Millis,
    /// What it says.
    pub plan: ContactPlan,
}

/// That the family is looked at now, where contact is counted.
#[must_use]
pub fn look(now: Millis) -> Change {
    Change::SetDue(DueItem::Contact, now)
}

/// A plan of the family's own.
///
/// # Errors
///
/// [`Refusal`]: only who answers for a child may plan; a rule that is none; too many plans a day.
pub fn decide_intend(
    sender: &Sender,
    intend: Intend,
    standing: Option<&StandingPlan>,
    past: &[(Seq, Intended)],
    role_of: impl Fn(MemberId) -> Option<Role>,
    now: Millis,
) -> Result<Batch, Refusal> {
    sender.check_serves(intend.from)?;
    if !role_of(intend.from).is_some_and(Role::is_adult) {
        let text = "a plan is written by a parent or caregiver";
        return Err(Refusal::new(ErrorCode::NotAllowed, text));
    }
    if standing.map(|standing| standing.seq) != intend.seen {
        let text = "the plan has changed meanwhile: look at it again";
        return Err(Refusal::new(ErrorCode::Stale, text));
    }
    check_rules(&intend.rules)?;
    let Intend { n, entry_ref, from: by, rules, seen } = intend;
    let mut changes = Vec::new();
    if let Some(standing) = standing.filter(|standing| came_about(standing, now)) {
        let day_before = now.saturating_sub(DAY_MS);
        if past.iter().filter(|(_, past)| past.until > day_before).count() >= bounds::MAX_REPLANNED
        {
            let text = "the plan has changed too often today: it can be changed tomorrow";
            return Err(Refusal::new(ErrorCode::Full, text));
        }
        let StandingPlan { seq, at, plan } = standing;
        changes.push(Intended::of(*seq, *at, now, plan.rules.clone()));
    }
    let oldest = now.saturating_sub(LOOKED_BACK_MS);
    let is_over = |(_, past): &&(Seq, Intended)| past.until < oldest;
    changes.extend(past.iter().filter(is_over).map(|(seq, _)| Intended::strike(*seq)));
    changes.push(look(now));
    Ok(Batch {
        author: Some(Author { device: sender.device, n, entry_ref }),
        requires: vec![Precondition::NotSuspended(by), Precondition::FactAt(PLAN_KEY.into(), seen)],
        entries: vec![NewEntry::of(&Content::Plan(ContactPlan { by, rules }))],
        changes,
        ..Batch::new(now)
    })
}

/// Whether anything was expected of it until now: else nothing is lost with it.
fn came_about(standing: &StandingPlan, now: Millis) -> bool {
    let at = |at: Millis| timestamp(at);
    let held = |rule: &IntendedRule| InForce::of(rule, at(standing.at), at(now));
    standing.plan.rules.iter().filter_map(held).any(|rule| rule.came_about())
}

/// What staff propose.
///
/// # Errors
///
/// [`Refusal`] for a rule that is none.
pub fn decide_proposal(
    staff: DeviceId,
    rules: Vec<IntendedRule>,
    now: Millis,
) -> Result<Batch, Refusal> {
    check_rules(&rules)?;
    let entries = vec![NewEntry::of(&Content::Proposal(Proposal { staff, rules }))];
    Ok(Batch { entries, ..Batch::new(now) })
}

/// Few enough, and each of them comes about, in a zone that is known.
///
/// # Errors
///
/// [`Refusal`].
pub fn check_rules(rules: &[IntendedRule]) -> Result<(), Refusal> {
    if rules.len() > bounds::MAX_INTENDED {
        let text = format!("a plan has at most {} rules", bounds::MAX_INTENDED);
        return Err(Refusal::new(ErrorCode::TooLarge, text));
    }
    for IntendedRule { rule, tolerance_min } in rules {
        let bad = |text: String| Refusal::new(ErrorCode::BadRule, text);
        let rule = Rule::of(rule).map_err(|error| bad(error.to_string()))?;
        if next_occurrence(&rule, Timestamp::MIN).is_none() {
            return Err(bad("a rule that never comes about".to_owned()));
        }
        if tolerance_min.is_some_and(|minutes| minutes > bounds::MAX_TOLERANCE_MIN) {
            return Err(bad("late by more than a week is not kept".to_owned()));
        }
    }
    Ok(())
}

/// What staff enter of a pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPause {
    /// The first day.
    pub first: Date,
    /// The last.
    pub last: Date,
    /// Why.
    pub reason: PauseReason,
}

/// Days on which nothing is expected. `standing` are the family's pauses until now.
///
/// # Errors
///
/// [`Refusal`] for days that are none, and for too many pauses.
pub fn decide_pause(
    staff: DeviceId,
    new: &NewPause,
    standing: &[Pause],
    now: Millis,
) -> Result<Batch, Refusal> {
    if new.last < new.first {
        return Err(Refusal::new(ErrorCode::Malformed, "a pause ends on its first day or later"));
    }
    let last = standing.iter().map(|pause| pause.number).max().unwrap_or(0);
    if last >= bounds::MAX_PAUSES {
        return Err(Refusal::new(ErrorCode::Full, "too many pauses of this family"));
    }
    let (number, reason) = (last.saturating_add(1), new.reason);
    let (first, last) = (new.first.to_string(), new.last.to_string());
    let pause = Pause { number, first, last, reason, staff, withdrawn: false };
    Ok(Batch {
        requires: vec![Precondition::FactAt(pause_key(number), None)],
        entries: vec![NewEntry::of(&Content::Pause(pause))],
        changes: vec![look(now)],
        ..Batch::new(now)
    })
}

/// The pause that holds on that day ends on the day before; one that begins then or later was never. `None` where
/// none holds.
#[must_use]
pub fn decide_resume(
    staff: DeviceId,
    today: Date,
    standing: &[(Seq, Pause)],
    now: Millis,
) -> Option<Batch> {
    let mut batch = Batch::new(now);
    for (seq, pause) in standing {
        let date = |text: &str| text.parse::<Date>().ok();
        let (Some(first), Some(last)) = (date(&pause.first), date(&pause.last)) else { continue };
        if pause.withdrawn || last < today {
            continue;
        }
        let ended = match today.yesterday() {
            Ok(yesterday) if first < today => {
                Pause { last: yesterday.to_string(), staff, ..pause.clone() }
            }
            _ => Pause { withdrawn: true, staff, ..pause.clone() },
        };
        batch.requires.push(Precondition::FactAt(pause_key(pause.number), Some(*seq)));
        batch.entries.push(NewEntry::of(&Content::Pause(ended)));
    }
    batch.changes.push(look(now));
    (!batch.entries.is_empty()).then_some(batch)
}

#[cfg(test)]
mod tests {
    use jiashu_proto::entry::RuleText;
    use jiashu_proto::id::Ref;

    use super::*;

    fn sundays() -> IntendedRule {
        let rule = RuleText::new("2026-11-29T19:30:00", "Asia/Shanghai", Some("FREQ=WEEKLY"));
        IntendedRule { rule, tolerance_min: None }
    }

    /// The 29th, at eight in the morning in Gansu.
    const SUNDAY: Millis = 1_795_910_400_000;

    fn intend(from: u32, seen: Option<Seq>) -> Intend {
        Intend { n: 1, entry_ref: Ref([1; 12]), from: MemberId(from), rules: vec![sundays()], seen }
    }

    fn role_of(member: MemberId) -> Option<Role> {
        [Role::Parent, Role::Caregiver, Role::Child].get(member.0 as usize - 1).copied()
    }

    #[test]
    fn a_plan_is_of_those_who_answer_for_a_child_and_over_what_they_saw() {
        let sender = Sender { device: DeviceId(2), members: vec![MemberId(2), MemberId(3)] };
        let standing = StandingPlan {
            seq: 7,
            at: SUNDAY,
            plan: ContactPlan { by: MemberId(1), rules: vec![sundays()] },
        };
        let now = standing.at + DAY_MS;
        let decide = |intend| decide_intend(&sender, intend, Some(&standing), &[], role_of, now);

        let batch = decide(intend(2, Some(7))).unwrap();
        let seen = Precondition::FactAt("plan".into(), Some(7));
        assert_eq!(batch.requires, [Precondition::NotSuspended(MemberId(2)), seen]);
        let Some(Change::Count { row, .. }) = batch.changes.first() else { panic!("{batch:?}") };
        let past = Intended { from: SUNDAY, until: now, rules: vec![sundays()] };
        assert_eq!(
            Intended::read(row),
            Some((7, past)),
            "what was intended until now is not forgotten"
        );

        assert_eq!(
            decide(intend(3, Some(7))).unwrap_err().code,
            ErrorCode::NotAllowed,
            "the child"
        );
        assert_eq!(
            decide(intend(1, Some(7))).unwrap_err().code,
            ErrorCode::NotAllowed,
            "another's"
        );
        assert_eq!(decide(intend(2, None)).unwrap_err().code, ErrorCode::Stale);
        let many = Intend { rules: vec![sundays(); 9], ..intend(2, Some(7)) };
        assert_eq!(decide(many).unwrap_err().code, ErrorCode::TooLarge);
        let never = RuleText::new("2026-13-29T19:30:00", "Asia/Shanghai", None);
        let never = IntendedRule { rule: never, tolerance_min: None };
        let never = Intend { rules: vec![never], ..intend(2, Some(7)) };
        assert_eq!(decide(never).unwrap_err().code, ErrorCode::BadRule);
    }

    #[test]
    fn what_is_kept_of_past_plans_is_bounded() {
        let sender = Sender { device: DeviceId(2), members: vec![MemberId(2)] };
        let plan = ContactPlan { by: MemberId(1), rules: vec![sundays()] };
        let standing = StandingPlan { seq: 7, at: SUNDAY, plan };
        let changes = |past: &[(Seq, Intended)], now| {
            let intend = intend(2, Some(7));
            decide_intend(&sender, intend, Some(&standing), past, role_of, now)
                .map(|batch| batch.changes)
        };
        let evening = SUNDAY + DAY_MS;
        let kept = Intended::of(7, SUNDAY, evening, vec![sundays()]);
        let past =
            |seq, until: Millis| (seq, Intended { from: until - 1, until, rules: vec![sundays()] });

        // In the morning nothing had been expected of it.
        assert_eq!(changes(&[], SUNDAY + 1), Ok(vec![look(SUNDAY + 1)]));
        assert_eq!(changes(&[], evening), Ok(vec![kept.clone(), look(evening)]));
        let (old, newer) =
            (past(3, evening - 70 * 7 * DAY_MS - 1), past(4, evening - 70 * 7 * DAY_MS));
        let struck = vec![kept, Intended::strike(3), look(evening)];
        assert_eq!(changes(&[old, newer], evening), Ok(struck));
        let today: Vec<_> = (1..=4).map(|seq| past(seq, evening - 1)).collect();
        assert_eq!(changes(&today, evening).unwrap_err().code, ErrorCode::Full);
        assert!(changes(&today, SUNDAY + 1).is_ok(), "of which nothing is kept");
        assert!(changes(&today[1..], evening).is_ok());
    }

    #[test]
    fn a_pause_that_has_begun_ends_and_one_to_come_was_never() {
        let pause = |number, first: &str, last: &str| {
            let (first, last) = (first.to_owned(), last.to_owned());
            let (reason, staff) = (PauseReason::Exams, DeviceId(1));
            (u64::from(number), Pause { number, first, last, reason, staff, withdrawn: false })
        };
        let standing = [
            pause(1, "2026-11-01", "2026-11-09"),
            pause(2, "2026-11-08", "2026-11-20"),
            pause(3, "2026-11-10", "2026-11-20"),
        ];
        let batch =
            decide_resume(DeviceId(4), "2026-11-10".parse().unwrap(), &standing, 5).unwrap();

        let written: Vec<_> = batch
            .entries
            .iter()
            .map(|entry| match Content::from_bytes(&entry.content).unwrap() {
                Content::Pause(pause) => (pause.number, pause.last, pause.withdrawn),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = [(2, "2026-11-09".to_owned(), false), (3, "2026-11-20".to_owned(), true)];
        assert_eq!(written, expected);
        let later = "2026-12-01".parse().unwrap();
        assert_eq!(decide_resume(DeviceId(4), later, &standing, 5), None);
    }
}

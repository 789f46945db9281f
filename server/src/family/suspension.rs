//! A member whom staff suspend, as a court may order: is given nothing that is written from then on, not after it is lifted
//! either, and writes nothing. Keys stay as they are, so what the phone has it has.

use jiashu_proto::entry::{
    Content, Schedule, ScheduleState, Seq, SuspendedFor, Suspension, SuspensionReason,
    suspension_key,
};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{DeviceId, MemberId, Millis, Role};
use jiashu_roster::Roster;

use super::Refusal;
use super::contact::look;
use super::schedule::Standing;
use crate::store::{Batch, Change, DueItem, NEVER, NewEntry, Precondition, ScopeState, Suspended};

/// Times that are kept of a member.
const MOST: usize = 20;

/// As it stands in the log, by its place.
pub type StandingSuspension = (Seq, Suspension);

/// What a member is told who is suspended.
#[must_use]
pub fn suspended() -> Refusal {
    let text = "this member is suspended by the programme's staff: ask them";
    Refusal::new(ErrorCode::NotAllowed, text)
}

/// By whose word a phone that serves these changes the roster: an adult's who is not suspended. `None` where it serves no
/// adult, which the chain's own rules judge.
///
/// # Errors
///
/// [`ErrorCode::NotAllowed`] where each of its adults is suspended.
pub fn speaker(
    state: &ScopeState,
    roster: &Roster,
    members: &[MemberId],
) -> Result<Option<MemberId>, Refusal> {
    let is_adult =
        |member: &&MemberId| roster.members().get(*member).copied().is_some_and(Role::is_adult);
    let mut adults = members.iter().filter(is_adult).peekable();
    if adults.peek().is_none() {
        return Ok(None);
    }
    adults.find(|member| !state.is_suspended(**member)).copied().map(Some).ok_or_else(suspended)
}

/// Suspends a member from then on. `None` where it is suspended already.
///
/// # Errors
///
/// [`Refusal`] for a child, whose taking part ends otherwise, and for nobody.
pub fn decide_suspend(
    staff: DeviceId,
    (member, role): (MemberId, Option<Role>),
    reason: SuspensionReason,
    standing: Option<&StandingSuspension>,
    now: Millis,
) -> Result<Option<Batch>, Refusal> {
    match role {
        Some(role) if role.is_adult() => {}
        Some(_) => {
            let text = "a child is not suspended: jiashu ngo consent records that it takes no part";
            return Err(Refusal::new(ErrorCode::NotAllowed, text));
        }
        None => return Err(Refusal::new(ErrorCode::Unknown, "there is no such member")),
    }
    let mut times = standing.map_or_else(Vec::new, |(_, standing)| standing.times.clone());
    if times.last().is_some_and(|time| time.until.is_none()) {
        return Ok(None);
    }
    if times.len() >= MOST {
        return Err(Refusal::new(ErrorCode::Full, "suspended too often: void the phones instead"));
    }
    times.push(SuspendedFor { from: now, until: None, reason, staff });
    Ok(Some(written(Suspension { member, times }, Change::Suspend(member), standing, now)))
}

/// Lifts a suspension. `None` where there is none.
#[must_use]
pub fn decide_lift(
    member: MemberId,
    standing: Option<&StandingSuspension>,
    now: Millis,
) -> Option<Batch> {
    let mut suspension = standing?.1.clone();
    let last = suspension.times.last_mut().filter(|time| time.until.is_none())?;
    last.until = Some(now);
    Some(written(suspension, Change::Lift(member), standing, now))
}

/// A suspension that lasts goes on in a family that begins anew. `None` of one that is over, and of who is no adult there.
#[must_use]
pub fn decide_carry(suspension: Suspension, roster: &Roster, now: Millis) -> Option<Batch> {
    let member = suspension.member;
    let lasts = suspension.times.last().is_some_and(|time| time.until.is_none());
    let is_adult = roster.members().get(&member).copied().is_some_and(Role::is_adult);
    (lasts && is_adult).then(|| written(suspension, Change::Suspend(member), None, now))
}

fn written(
    suspension: Suspension,
    change: Change,
    standing: Option<&StandingSuspension>,
    now: Millis,
) -> Batch {
    let key = suspension_key(suspension.member);
    Batch {
        requires: vec![Precondition::FactAt(key, standing.map(|(seq, _)| *seq))],
        entries: vec![NewEntry::of(&Content::Suspension(suspension))],
        changes: vec![change, look(now)],
        ..Batch::new(now)
    }
}

/// What a suspended member has planned pauses; whoever it was goes on with it once it is lifted. `None` where nothing of
/// it runs.
#[must_use]
pub fn decide_pause_of(member: MemberId, schedules: &[Standing], now: Millis) -> Option<Batch> {
    let runs = schedules.iter().filter(|standing| {
        standing.schedule.from == member && standing.schedule.state == ScheduleState::Active
    });
    let mut batch = Batch::new(now);
    for Standing { seq, schedule } in runs {
        let version = schedule.version.saturating_add(1);
        let paused = Schedule { state: ScheduleState::Paused, version, ..schedule.clone() };
        let content = Content::Schedule(paused);
        batch.requires.push(Precondition::FactAt(content.key().unwrap_or_default(), Some(*seq)));
        batch.entries.push(NewEntry::of(&content));
        batch.changes.push(Change::SetDue(DueItem::Occurrence(schedule.id), NEVER));
    }
    (!batch.entries.is_empty()).then_some(batch)
}

/// Of those whom a device serves the ones who may be given what stands at that place.
#[must_use]
pub fn served_at(suspended: &[Suspended], members: &[MemberId], seq: Seq) -> Vec<MemberId> {
    let is_given =
        |member: &MemberId| !suspended.iter().any(|one| one.member == *member && one.holds(seq));
    members.iter().copied().filter(is_given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FATHER: MemberId = MemberId(1);
    const ADULT: (MemberId, Option<Role>) = (FATHER, Some(Role::Parent));

    fn suspend(standing: Option<&StandingSuspension>, now: Millis) -> Option<Suspension> {
        let reason = SuspensionReason::CourtOrder;
        let batch = decide_suspend(DeviceId(1), ADULT, reason, standing, now).unwrap()?;
        assert!(batch.changes.contains(&Change::Suspend(FATHER)));
        match Content::from_bytes(&batch.entries[0].content).unwrap() {
            Content::Suspension(suspension) => Some(suspension),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_member_is_suspended_once_and_again_after_it_was_lifted() {
        let first = suspend(None, 5).unwrap();
        assert_eq!(first.lasting().unwrap().from, 5);
        assert_eq!(suspend(Some(&(7, first.clone())), 9), None);
        let lifted = decide_lift(FATHER, Some(&(7, first)), 9).unwrap();
        assert_eq!(lifted.requires, [Precondition::FactAt("suspension/1".into(), Some(7))]);
        let Content::Suspension(lifted) = Content::from_bytes(&lifted.entries[0].content).unwrap()
        else {
            panic!("a suspension")
        };
        assert_eq!((lifted.lasting(), lifted.times[0].until), (None, Some(9)));
        assert_eq!(decide_lift(FATHER, Some(&(8, lifted.clone())), 10), None);
        assert_eq!(suspend(Some(&(8, lifted)), 11).unwrap().times.len(), 2);
        assert_eq!(decide_lift(FATHER, None, 9), None);
    }

    #[test]
    fn only_adults_are_suspended() {
        for role in [Some(Role::Child), None] {
            let reason = SuspensionReason::Safeguarding;
            assert!(decide_suspend(DeviceId(1), (FATHER, role), reason, None, 5).is_err());
        }
    }

    #[test]
    fn what_was_written_meanwhile_is_given_to_who_was_not_suspended() {
        let grandma = MemberId(2);
        let of = |after, until| Suspended { member: FATHER, after, until };
        let suspended = [of(10, Some(20)), of(30, None)];
        let both = [FATHER, grandma];

        for (seq, father_is_given) in
            [(9, true), (10, true), (11, false), (20, false), (21, true), (30, true), (31, false)]
        {
            let served = served_at(&suspended, &both, seq);
            assert_eq!(served.contains(&FATHER), father_is_given, "{seq}");
            assert!(served.contains(&grandma));
        }
    }
}

//! What happens when an occurrence of a schedule is due. Pure: the scheduler reads, and commits what is
//! decided here.

use jiashu_proto::entry::{
    Content, Message, Notice, Noticed, Schedule, ScheduleState, schedule_key,
};
use jiashu_proto::id::Millis;
use jiashu_recurrence::{Occurrence, Rule, next_occurrence, occurrence_at};
use jiashu_roster::occurrence_ref;

use super::Refusal;
use super::blob::keep_until;
use super::delivery;
use super::ledger::Sent;
use super::schedule::{Standing, end_of, parse, timestamp};
use crate::store::{Batch, Change, Due, HeldBody, NEVER, NewEntry, Precondition};

/// How many letters a bank has left when its author is told.
const LOW: usize = 2;

/// What a schedule holds for its occurrences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    /// The body that it will release next.
    pub first: Option<HeldBody>,
    /// How many there are.
    pub count: usize,
}

/// What came of an occurrence that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its letter is in the log.
    Released,
    /// There was none.
    Missed,
    /// Its letter was worth nothing any more.
    Expired,
    /// Its letter may not move.
    Stopped,
    /// Nothing happens now: the zone's rules, or a person, moved it.
    Moved,
}

/// Why the letter of an occurrence may not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Taking part is not agreed to.
    NotActive,
    /// Its author is suspended.
    Suspended,
}

impl Stop {
    /// Why what was to be released was not, if that is why.
    #[must_use]
    pub fn of(broken: &Precondition) -> Option<Self> {
        match broken {
            Precondition::Active => Some(Self::NotActive),
            Precondition::NotSuspended(_) => Some(Self::Suspended),
            _ => None,
        }
    }
}

/// What is to be committed for something that was due.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// All of it together, and only if what it was decided by still holds.
    pub batch: Batch,
    /// What comes of it.
    pub fate: Fate,
    /// When it was due by the zones in force, in ms.
    pub due_at: Millis,
    /// When the schedule is due next, in ms.
    pub next: Option<Millis>,
}

/// What happens when an occurrence of a schedule is due: a body goes into the log, the next
/// occurrence becomes due, or the schedule ends. All of it together, and only if it is still due
/// then, still this version, and still holds this, so that of two who fire one wins.
///
/// A letter is released only while the family takes part and its author is not suspended; see [`stop`].
///
/// The instant is reckoned anew from the time planned: where the zone's rules have changed since, an
/// occurrence that lies ahead waits on. One that the rule no longer gives is passed over. A letter
/// that is worth nothing any more is not released: of a bank it stays for the next occurrence. Stored bytes
/// that it names are kept for `keep` ms from then on.
///
/// # Errors
///
/// [`jiashu_proto::error::ErrorCode::BadRule`] if the rule cannot be read, as one that a newer relay
/// took: nothing of it is lost.
pub fn fire(
    standing: &Standing,
    held: &Held,
    due: &Due,
    keep: Millis,
    now: Millis,
) -> Result<Firing, Refusal> {
    fire_by(standing, held, due, now, |batch, occurrence| {
        release(batch, &standing.schedule, held, occurrence, keep)
    })
}

/// What happens instead where its letter may not move: the occurrence passes, and its author is told. A letter of a
/// bank waits for the next; one of a suspended author goes, as else those behind it would wait for ever.
///
/// # Errors
///
/// As of [`fire`].
pub fn stop(
    standing: &Standing,
    held: &Held,
    due: &Due,
    why: Stop,
    now: Millis,
) -> Result<Firing, Refusal> {
    let schedule = &standing.schedule;
    fire_by(standing, held, due, now, |batch, occurrence| {
        batch.entries.push(notice(schedule, Noticed::Stopped, occurrence, None));
        let body = held.first.as_ref().filter(|_| schedule.bank && why == Stop::Suspended);
        batch.changes.extend(body.map(|body| Change::DropHeld(schedule.id, body.body_ref)));
        Fate::Stopped
    })
}

fn fire_by(
    standing: &Standing,
    held: &Held,
    due: &Due,
    now: Millis,
    release: impl FnOnce(&mut Batch, &Occurrence) -> Fate,
) -> Result<Firing, Refusal> {
    let schedule = &standing.schedule;
    let Held { first, count } = held.clone();
    let requires = vec![
        Precondition::DueAt(due.item.clone(), due.at),
        Precondition::FactAt(schedule_key(schedule.id), Some(standing.seq)),
        Precondition::HeldAre { schedule: schedule.id, first, count },
    ];
    let batch = Batch { requires, ..Batch::new(now) };
    let mut firing = Firing { batch, fate: Fate::Moved, due_at: due.at, next: None };
    match schedule.state {
        ScheduleState::Active => {}
        ScheduleState::Paused => {
            firing.batch.changes.push(Change::SetDue(due.item.clone(), NEVER));
            return Ok(firing);
        }
        ScheduleState::Cancelled | ScheduleState::Spent => {
            firing.batch.changes = end_of(schedule.id);
            return Ok(firing);
        }
    }
    let rule = parse(&schedule.rule)?;
    match occurrence_due(&rule, due) {
        Some(occurrence) => {
            firing.due_at = occurrence.at.as_millisecond();
            if firing.due_at > now {
                go_on(&mut firing, schedule, Some(&occurrence));
                return Ok(firing);
            }
            firing.fate = release(&mut firing.batch, &occurrence);
            go_on(&mut firing, schedule, next_occurrence(&rule, occurrence.at).as_ref());
            if firing.fate == Fate::Released && schedule.bank && firing.next.is_some() {
                firing.batch.entries.extend(runs_low(
                    schedule,
                    &occurrence,
                    held.count.saturating_sub(1),
                ));
            }
        }
        None => go_on(&mut firing, schedule, next_occurrence(&rule, timestamp(due.at)).as_ref()),
    }
    Ok(firing)
}

/// The occurrence that is due: by the time it was planned for, else by its instant.
fn occurrence_due(rule: &Rule, due: &Due) -> Option<Occurrence> {
    match &due.planned {
        Some(planned) => occurrence_at(rule, planned),
        None => next_occurrence(rule, timestamp(due.at.saturating_sub(1)))
            .filter(|occurrence| occurrence.at.as_millisecond() == due.at),
    }
}

/// The next occurrence becomes due, or the schedule ends.
fn go_on(firing: &mut Firing, schedule: &Schedule, next: Option<&Occurrence>) {
    let batch = &mut firing.batch;
    match next {
        Some(next) => {
            firing.next = Some(next.at.as_millisecond());
            batch.changes.push(set_occurrence(schedule, next));
        }
        None => {
            let spent =
                Content::Schedule(Schedule { state: ScheduleState::Spent, ..schedule.clone() });
            batch.entries.push(NewEntry::of(&spent));
            batch.changes.extend(end_of(schedule.id));
        }
    }
}

/// That this occurrence is the next.
pub(super) fn set_occurrence(schedule: &Schedule, next: &Occurrence) -> Change {
    Change::SetOccurrence {
        schedule: schedule.id,
        planned: next.planned_text(),
        at: next.at.as_millisecond(),
    }
}

/// Writes the letter of an occurrence, or that there is none.
fn release(
    batch: &mut Batch,
    schedule: &Schedule,
    held: &Held,
    occurrence: &Occurrence,
    keep: Millis,
) -> Fate {
    let released = held.first.as_ref().and_then(|held| released(held, schedule, occurrence));
    let Some((kind, message)) = released else {
        batch.entries.push(notice(schedule, Noticed::Missed, occurrence, None));
        return Fate::Missed;
    };
    if delivery::is_past(&message, batch.at) {
        batch.entries.push(notice(schedule, Noticed::Expired, occurrence, None));
        return Fate::Expired;
    }
    debug_assert!(batch.entries.is_empty(), "its place is that of the batch's first entry");
    batch.requires.extend([Precondition::Active, Precondition::NotSuspended(message.from)]);
    let (until, body_ref) = (message.until, message.fired.as_ref().map(|fired| fired.body_ref));
    let stored = message.blob.map(|id| keep_until(id, batch.at.saturating_add(keep)));
    batch.changes.extend(Sent::of(kind, &message, batch.at));
    batch.entries.push(NewEntry::of(&Content::Message(kind, message)));
    batch.changes.extend(until.map(Change::SetExpiry));
    batch.changes.extend(stored);
    if let Some(body_ref) = body_ref.filter(|_| schedule.bank) {
        batch.changes.push(Change::DropHeld(schedule.id, body_ref));
    }
    Fate::Released
}

/// The held body as a message of the log.
fn released(
    held: &HeldBody,
    schedule: &Schedule,
    occurrence: &Occurrence,
) -> Option<(u32, Message)> {
    let Ok(Content::Message(kind, message)) = Content::from_bytes(&held.content) else {
        return None;
    };
    let mut fired = message.fired?;
    let due_at = occurrence.at.as_millisecond();
    fired.planned = occurrence.planned_text();
    fired.due_at = due_at;
    fired.adjust = occurrence.adjust;
    fired.version = schedule.version;
    let entry_ref = occurrence_ref(fired.body_ref, fired.schedule, &fired.planned)?;
    let until = fired.valid_for.map(|valid_for| due_at.saturating_add(valid_for));
    Some((kind, Message { entry_ref, until, fired: Some(fired), ..message }))
}

/// That the bank runs out, at two left and at none.
fn runs_low(schedule: &Schedule, occurrence: &Occurrence, left: usize) -> Option<NewEntry> {
    let is_told = left == LOW || left == 0;
    is_told.then(|| notice(schedule, Noticed::Low, occurrence, Some(left)))
}

fn notice(
    schedule: &Schedule,
    what: Noticed,
    occurrence: &Occurrence,
    left: Option<usize>,
) -> NewEntry {
    let notice = Notice {
        to: schedule.from,
        what,
        schedule: Some(schedule.id),
        planned: Some(occurrence.planned_text()),
        due_at: Some(occurrence.at.as_millisecond()),
        of: None,
        members: Vec::new(),
        left: left.and_then(|left| u32::try_from(left).ok()),
    };
    NewEntry::of(&Content::Notice(notice))
}

#[cfg(test)]
mod tests {
    use jiashu_proto::entry::{Adjust, Fired, RuleText};
    use jiashu_proto::error::ErrorCode;
    use jiashu_proto::id::{DeviceId, MemberId, Ref};
    use jiff::Timestamp;

    use super::*;
    use crate::store::DueItem;

    const ID: Ref = Ref([3; 12]);
    const MAMA: MemberId = MemberId(1);
    const LILI: MemberId = MemberId(3);
    const KEEP: Millis = 1_000;

    fn at(text: &str) -> Millis {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn standing(rrule: Option<&str>, bank: bool) -> Standing {
        let rule = RuleText::new("2027-03-27T02:30:00", "Europe/Rome", rrule);
        let (device, from, to) = (DeviceId(1), MAMA, vec![LILI]);
        let state = ScheduleState::Active;
        Standing {
            seq: 7,
            schedule: Schedule { id: ID, device, from, to, rule, state, bank, version: 2 },
        }
    }

    fn held(count: usize, valid_for: Option<Millis>) -> Held {
        let (body_ref, schedule) = (Ref([2; 12]), ID);
        let fired = Fired {
            body_ref,
            schedule,
            planned: String::new(),
            due_at: 0,
            adjust: None,
            valid_for,
            version: 0,
        };
        let message = Message {
            device: DeviceId(1),
            from: MAMA,
            entry_ref: body_ref,
            epoch: 4,
            to: vec![LILI],
            sealed: vec![9; 20],
            key: None,
            until: None,
            blob: None,
            fired: Some(fired),
        };
        let content = Content::Message(1, message).to_bytes();
        Held { first: (count > 0).then_some(HeldBody { body_ref, schedule, content }), count }
    }

    fn due(planned: &str, at: Millis) -> Due {
        let planned = Some(planned.to_owned()).filter(|planned| !planned.is_empty());
        Due { at, scope: jiashu_proto::id::Scope(1), item: DueItem::Occurrence(ID), planned }
    }

    fn set(planned: &str, at: Millis) -> Change {
        Change::SetOccurrence { schedule: ID, planned: planned.into(), at }
    }

    fn contents(batch: &Batch) -> Vec<Content> {
        batch.entries.iter().map(|entry| Content::from_bytes(&entry.content).unwrap()).collect()
    }

    fn notices(batch: &Batch) -> Vec<(Noticed, Option<u32>)> {
        let notices = contents(batch).into_iter().filter_map(|content| match content {
            Content::Notice(notice) => Some((notice.what, notice.left)),
            _ => None,
        });
        notices.collect()
    }

    #[test]
    fn firing_writes_the_letter_and_the_next_due_time_together() {
        let (due_at, now) = (at("2027-03-28T01:30:00Z"), at("2027-03-28T05:00:00Z"));
        let held = held(1, Some(100_000_000));
        let due = due("2027-03-28T02:30:00", due_at);

        let firing = fire(&standing(Some("FREQ=DAILY"), false), &held, &due, KEEP, now).unwrap();

        let batch = &firing.batch;
        let is = Precondition::HeldAre { schedule: ID, first: held.first, count: 1 };
        let due_then = Precondition::DueAt(DueItem::Occurrence(ID), due_at);
        let version = Precondition::FactAt(schedule_key(ID), Some(7));
        let is_let = [Precondition::Active, Precondition::NotSuspended(MAMA)];
        assert_eq!(batch.requires, [&[due_then, version, is][..], &is_let].concat());
        let next = set("2027-03-29T02:30:00", at("2027-03-29T00:30:00Z"));
        let [Change::Count { row, look: None }, changes @ ..] = &batch.changes[..] else {
            panic!("it is counted: {batch:?}")
        };
        assert_eq!(Sent::read(row).unwrap().1.at, now);
        assert_eq!(changes, [Change::SetExpiry(due_at + 100_000_000), next]);
        let [Content::Message(1, message)] = &contents(batch)[..] else { panic!("one message") };
        let fired = message.fired.as_ref().unwrap();
        assert_eq!((&*fired.planned, fired.version), ("2027-03-28T02:30:00", 2));
        assert_eq!((fired.due_at, fired.adjust), (due_at, Some(Adjust::Gap)));
        assert_eq!(message.until, Some(due_at + 100_000_000));
        assert_eq!(Some(message.entry_ref), occurrence_ref(Ref([2; 12]), ID, &fired.planned));
        assert_eq!(firing.fate, Fate::Released);
    }

    #[test]
    fn a_bank_gives_one_letter_away_and_says_when_it_runs_low() {
        let due_at = at("2027-03-27T01:30:00Z");
        let due = due("2027-03-27T02:30:00", due_at);
        let fire = |count| {
            let bank = standing(Some("FREQ=DAILY"), true);
            fire(&bank, &held(count, None), &due, KEEP, due_at).unwrap()
        };

        for (count, low) in [(4, None), (3, Some(2)), (2, None), (1, Some(0))] {
            let firing = fire(count);
            let told: Vec<_> = low.into_iter().map(|left| (Noticed::Low, Some(left))).collect();
            assert_eq!(notices(&firing.batch), told, "{count} before");
            assert!(firing.batch.changes.contains(&Change::DropHeld(ID, Ref([2; 12]))));
        }
        let empty = fire(0);
        assert_eq!(empty.fate, Fate::Missed);
        assert_eq!(notices(&empty.batch), [(Noticed::Missed, None)]);
        assert!(empty.next.is_some(), "it goes on");
    }

    #[test]
    fn an_occurrence_whose_letter_may_not_move_passes_and_its_author_is_told() {
        let due_at = at("2027-03-27T01:30:00Z");
        let due = due("2027-03-27T02:30:00", due_at);
        let stopped = |bank, why| {
            let standing = standing(Some("FREQ=DAILY"), bank);
            stop(&standing, &held(2, None), &due, why, due_at).unwrap()
        };

        for (bank, why, goes) in [
            (false, Stop::NotActive, false),
            (true, Stop::NotActive, false),
            (false, Stop::Suspended, false),
            (true, Stop::Suspended, true),
        ] {
            let firing = stopped(bank, why);
            assert_eq!(notices(&firing.batch), [(Noticed::Stopped, None)]);
            assert_eq!(firing.batch.entries.len(), 1, "no letter");
            let next = set("2027-03-28T02:30:00", at("2027-03-28T01:30:00Z"));
            assert!(firing.batch.changes.contains(&next), "{bank} {why:?}");
            let dropped = firing.batch.changes.contains(&Change::DropHeld(ID, Ref([2; 12])));
            assert_eq!((dropped, firing.fate), (goes, Fate::Stopped), "{bank} {why:?}");
        }
    }

    #[test]
    fn a_letter_that_is_worth_nothing_any_more_stays_in_the_bank() {
        let due_at = at("2027-03-27T01:30:00Z");
        let due = due("2027-03-27T02:30:00", due_at);
        let bank = standing(Some("FREQ=DAILY"), true);
        let fire = |late| fire(&bank, &held(4, Some(1_000)), &due, KEEP, due_at + late).unwrap();

        let (just, past) = (fire(999), fire(1_000));

        assert_eq!((just.fate, past.fate), (Fate::Released, Fate::Expired));
        assert_eq!(notices(&past.batch), [(Noticed::Expired, None)]);
        let next = set("2027-03-28T02:30:00", at("2027-03-28T01:30:00Z"));
        assert_eq!(past.batch.changes, [next], "nothing is dropped");
    }

    #[test]
    fn the_last_occurrence_ends_the_schedule() {
        let due_at = at("2027-03-27T01:30:00Z");
        let due = due("", due_at);

        let firing = fire(&standing(None, true), &held(1, None), &due, KEEP, due_at).unwrap();

        let contents = contents(&firing.batch);
        assert!(matches!(contents[0], Content::Message(..)));
        let Content::Schedule(spent) = &contents[1] else { panic!("and the last version") };
        assert_eq!((spent.state, spent.version), (ScheduleState::Spent, 2));
        assert_eq!(contents.len(), 2, "an end is no running low");
        assert!(firing.batch.changes.ends_with(&end_of(ID)));
    }

    #[test]
    fn what_the_zones_have_moved_waits_for_its_new_instant_or_fires_late() {
        let daily = standing(Some("FREQ=DAILY"), false);
        let planned = "2027-03-29T02:30:00";
        let right = at("2027-03-29T00:30:00Z");

        let early = due(planned, right - 3_600_000);
        let waits = fire(&daily, &held(1, None), &early, KEEP, right - 1).unwrap();
        let late = due(planned, right + 3_600_000);
        let fires = fire(&daily, &held(1, None), &late, KEEP, right + 3_600_000).unwrap();

        assert_eq!((waits.fate, waits.batch.entries.len()), (Fate::Moved, 0));
        assert_eq!(waits.batch.changes, [set(planned, right)]);
        assert_eq!((fires.fate, fires.due_at), (Fate::Released, right));
        let next = set("2027-03-30T02:30:00", right + 86_400_000);
        assert_eq!(fires.batch.changes.last(), Some(&next));
    }

    #[test]
    fn an_instant_that_the_rule_does_not_give_fires_nothing() {
        let wrong = at("2027-03-28T00:30:00Z");

        for due in [due("", wrong), due("2027-03-28T04:00:00", wrong)] {
            let daily = standing(Some("FREQ=DAILY"), false);
            let firing = fire(&daily, &held(1, None), &due, KEEP, wrong).unwrap();

            assert!(firing.batch.entries.is_empty());
            let next = set("2027-03-28T02:30:00", at("2027-03-28T01:30:00Z"));
            assert_eq!(firing.batch.changes, [next]);
        }
    }

    #[test]
    fn a_rule_of_a_newer_relay_is_refused_and_loses_nothing() {
        let newer = standing(Some("FREQ=HOURLY"), false);

        let refused = fire(&newer, &held(1, None), &due("", 0), KEEP, 0).unwrap_err();

        assert_eq!(refused.code, ErrorCode::BadRule);
    }
}

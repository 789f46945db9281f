//! Bodies that wait until their schedule fires: kept, exchanged, sealed again, given back.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Content, Fired, Message, ScheduleState, schedule_key};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{GivenBack, Hold, ToClose};
use jiashu_proto::id::{DeviceId, Millis, Ref};

use super::blob::{Claim, check_named};
use super::message::check_length;
use super::permission::check_sealed;
use super::schedule::Standing;
use super::{Refusal, Sender, check_addressees};
use crate::store::{Author, Batch, Change, HeldBody, Precondition};

/// A body that waits until its schedule fires.
///
/// `standing` is its schedule, if that is written already, `held` what is held for it. It takes the
/// place of the one that it names (`replaces`), or of itself as it was sealed before under an older key
/// (`again`): its device stays then, for it stands in what is sealed. `claim` is that on the stored bytes that
/// it names.
///
/// # Errors
///
/// [`Refusal`] if the device may not write it, or it is out of bounds; [`ErrorCode::Unknown`] if the
/// schedule has ended, or what it takes the place of is held no longer.
pub fn decide_hold(
    sender: &Sender,
    hold: Hold,
    claim: Option<Claim>,
    standing: Option<&Standing>,
    held: &[HeldBody],
    now: Millis,
) -> Result<Batch, Refusal> {
    sender.check_serves(hold.from)?;
    check_addressees(&hold.to)?;
    check_sealed(hold.kind, None)?;
    check_length(&hold.sealed)?;
    check_named(hold.kind, hold.blob)?;
    debug_assert_eq!(hold.blob.is_some(), claim.is_some(), "what is named is claimed");
    if hold.valid_for.is_some_and(|valid_for| valid_for <= 0) {
        return Err(Refusal::new(ErrorCode::Malformed, "a time of validity is above 0"));
    }
    let before = before(&hold, held)?;
    check_schedule(&hold, standing, held)?;
    let mut requires = vec![
        Precondition::Active,
        Precondition::NotSuspended(hold.from),
        Precondition::ToCloseWithin(ToClose::default()),
        Precondition::Epoch(hold.epoch),
        Precondition::FactAt(schedule_key(hold.schedule), standing.map(|standing| standing.seq)),
    ];
    let old = before.as_ref().map(|_| hold.replaces.unwrap_or(hold.body_ref));
    requires.push(match old {
        // It may be released between the look and the commit: then it must not be held once more.
        Some(old) => Precondition::Holds(hold.schedule, old),
        None => Precondition::HeldBelow(bounds::MAX_HELD),
    });
    let author = Author { device: sender.device, n: hold.n, entry_ref: hold.name() };
    let sealed_before = before.filter(|_| hold.replaces.is_none());
    let body = held_body(sealed_before.map_or(sender.device, |before| before.device), hold);
    let change = match old {
        Some(old) => Change::ReplaceHeld(old, body),
        None => Change::PutHeld(body),
    };
    let mut changes = vec![change];
    if let Some(Claim { requires: still_there, change }) = claim {
        requires.push(still_there);
        changes.push(change);
    }
    Ok(Batch { author: Some(author), requires, changes, ..Batch::new(now) })
}

/// The held body in whose place this one comes, if there is one.
fn before(hold: &Hold, held: &[HeldBody]) -> Result<Option<Message>, Refusal> {
    let gone = || Refusal::new(ErrorCode::Unknown, "this letter waits no longer: it has gone");
    let find = |wanted| held.iter().find(|held| held.body_ref == wanted).and_then(message_of);
    if hold.replaces.is_some() && (hold.again.is_some() || find(hold.body_ref).is_some()) {
        return Err(Refusal::new(ErrorCode::Exists, "a letter is exchanged for a new one"));
    }
    let before = find(hold.replaces.unwrap_or(hold.body_ref));
    if before.as_ref().is_some_and(|before| before.from != hold.from) {
        return Err(Refusal::new(ErrorCode::NotAllowed, "this letter is another member's"));
    }
    if before.is_none() && (hold.again.is_some() || hold.replaces.is_some()) {
        return Err(gone());
    }
    Ok(before)
}

/// Whether the schedule, if it stands already, takes it.
fn check_schedule(
    hold: &Hold,
    standing: Option<&Standing>,
    held: &[HeldBody],
) -> Result<(), Refusal> {
    let Some(Standing { schedule, .. }) = standing else { return Ok(()) };
    if !matches!(schedule.state, ScheduleState::Active | ScheduleState::Paused) {
        return Err(Refusal::new(ErrorCode::Unknown, "this schedule has ended"));
    }
    // Who was taken over from still seals again what they wrote.
    if schedule.from != hold.from && hold.again.is_none() {
        return Err(Refusal::new(ErrorCode::NotAllowed, "this schedule is another member's"));
    }
    let is_more = hold.replaces.is_none() && held.iter().all(|one| one.body_ref != hold.body_ref);
    if is_more && !schedule.bank && !held.is_empty() {
        let text = "this schedule has its letter: exchange that one";
        return Err(Refusal::new(ErrorCode::Exists, text));
    }
    Ok(())
}

/// Whether it names these stored bytes.
#[must_use]
pub fn names(held: &HeldBody, blob: Ref) -> bool {
    message_of(held).is_some_and(|message| message.blob == Some(blob))
}

fn message_of(held: &HeldBody) -> Option<Message> {
    match Content::from_bytes(&held.content) {
        Ok(Content::Message(_, message)) => Some(message),
        _ => None,
    }
}

fn held_body(device: DeviceId, hold: Hold) -> HeldBody {
    let message = Message {
        device,
        from: hold.from,
        entry_ref: hold.body_ref,
        epoch: hold.epoch,
        to: hold.to,
        sealed: hold.sealed,
        key: None,
        until: None,
        blob: hold.blob,
        // Firing fills in what is not yet known: the planned time and the instant.
        fired: Some(Fired {
            body_ref: hold.body_ref,
            schedule: hold.schedule,
            planned: String::new(),
            due_at: 0,
            adjust: None,
            valid_for: hold.valid_for,
            version: 0,
        }),
    };
    let content = Content::Message(hold.kind, message).to_bytes();
    HeldBody { body_ref: hold.body_ref, schedule: hold.schedule, content }
}

/// What of `held` is given back to that device: what the members wrote whom it serves, behind `after`,
/// in the order of release, as much as goes at once. A body that is gone meanwhile is no place to go on
/// from, so then it is all of them again.
#[must_use]
pub fn give_back(
    sender: &Sender,
    schedule: Ref,
    held: Vec<HeldBody>,
    after: Option<Ref>,
) -> GivenBack {
    let passed = held.iter().position(|held| Some(held.body_ref) == after).map_or(0, |at| at + 1);
    let is_theirs = |held: &HeldBody| {
        message_of(held).is_some_and(|message| sender.members.contains(&message.from))
    };
    let mut given = GivenBack { schedule, bodies: Vec::new(), more: false };
    let mut bytes = 0;
    for held in held.into_iter().skip(passed).filter(is_theirs) {
        bytes += held.content.len();
        if bytes > bounds::MAX_GIVEN_BACK && !given.bodies.is_empty() {
            given.more = true;
            break;
        }
        given.bodies.push(held.content.into());
    }
    given
}

#[cfg(test)]
mod tests {
    use jiashu_proto::entry::{RuleText, Schedule};
    use jiashu_proto::id::MemberId;

    use super::*;

    const SCHEDULE: Ref = Ref([3; 12]);

    fn sender() -> Sender {
        Sender { device: DeviceId(2), members: vec![MemberId(2), MemberId(3)] }
    }

    fn hold(number: u8) -> Hold {
        Hold {
            n: 1,
            body_ref: Ref([number; 12]),
            epoch: 4,
            from: MemberId(2),
            to: vec![],
            kind: 1,
            sealed: vec![number; 20],
            schedule: SCHEDULE,
            valid_for: None,
            blob: None,
            again: None,
            replaces: None,
        }
    }

    fn held(hold: Hold) -> HeldBody {
        held_body(DeviceId(1), hold)
    }

    fn standing(from: u32, bank: bool, state: ScheduleState) -> Standing {
        let rule = RuleText::new("", "", None);
        let (id, device, from) = (SCHEDULE, DeviceId(1), MemberId(from));
        let schedule = Schedule { id, device, from, to: vec![], rule, state, bank, version: 0 };
        Standing { seq: 9, schedule }
    }

    fn decide(
        hold: Hold,
        standing: Option<&Standing>,
        held: &[HeldBody],
    ) -> Result<Batch, ErrorCode> {
        decide_hold(&sender(), hold, None, standing, held, 5).map_err(|refusal| refusal.code)
    }

    #[test]
    fn nobody_holds_a_letter_for_another_members_schedule() {
        let of = |from| standing(from, true, ScheduleState::Active);

        assert_eq!(decide(hold(1), Some(&of(1)), &[]), Err(ErrorCode::NotAllowed));
        assert!(decide(hold(1), Some(&of(2)), &[]).is_ok());
        assert!(decide(hold(1), None, &[]).is_ok(), "it is held before it is planned");
    }

    #[test]
    fn a_letter_sealed_again_keeps_the_device_that_sealed_it_first() {
        let again = Hold { again: Some(Ref([9; 12])), sealed: vec![7; 20], ..hold(1) };

        let batch = decide(again, None, &[held(hold(1))]).unwrap();

        let [Change::ReplaceHeld(old, body)] = &batch.changes[..] else { panic!("one body") };
        let message = message_of(body).unwrap();
        assert_eq!((*old, message.device), (Ref([1; 12]), DeviceId(1)));
        assert_eq!(message.sealed, vec![7; 20]);
        assert!(batch.requires.contains(&Precondition::Holds(SCHEDULE, Ref([1; 12]))));
    }

    #[test]
    fn who_was_taken_over_from_seals_again_and_fills_no_more() {
        let taken = standing(1, true, ScheduleState::Active);
        let again = Hold { again: Some(Ref([9; 12])), ..hold(1) };

        assert!(decide(again, Some(&taken), &[held(hold(1))]).is_ok());
        assert_eq!(decide(hold(2), Some(&taken), &[]), Err(ErrorCode::NotAllowed));
        let edit = Hold { replaces: Some(Ref([1; 12])), ..hold(2) };
        assert_eq!(decide(edit, Some(&taken), &[held(hold(1))]), Err(ErrorCode::NotAllowed));
    }

    #[test]
    fn an_edit_takes_the_place_of_the_letter_and_is_of_who_edits() {
        let edit = Hold { replaces: Some(Ref([1; 12])), ..hold(2) };

        let batch = decide(edit.clone(), None, &[held(hold(1))]).unwrap();

        let [Change::ReplaceHeld(old, body)] = &batch.changes[..] else { panic!("one body") };
        assert_eq!((*old, body.body_ref), (Ref([1; 12]), Ref([2; 12])));
        assert_eq!(message_of(body).unwrap().device, DeviceId(2));
        assert_eq!(decide(edit.clone(), None, &[]), Err(ErrorCode::Unknown), "it has gone");
        let known = [held(hold(1)), held(hold(2))];
        assert_eq!(decide(edit.clone(), None, &known), Err(ErrorCode::Exists));
        let foreign = held(Hold { from: MemberId(1), ..hold(1) });
        assert_eq!(decide(edit, None, &[foreign]), Err(ErrorCode::NotAllowed));
    }

    #[test]
    fn only_a_bank_holds_more_than_one_and_what_has_ended_none() {
        let of = |bank, state| standing(2, bank, state);
        let (one, more) = ([held(hold(1))], hold(2));
        let decide = |standing: Standing, held: &[HeldBody]| {
            decide(more.clone(), Some(&standing), held).map(|_| ())
        };

        assert_eq!(decide(of(true, ScheduleState::Active), &one), Ok(()));
        assert_eq!(decide(of(true, ScheduleState::Paused), &one), Ok(()));
        assert_eq!(decide(of(false, ScheduleState::Active), &one), Err(ErrorCode::Exists));
        assert_eq!(decide(of(false, ScheduleState::Active), &[]), Ok(()));
        for ended in [ScheduleState::Cancelled, ScheduleState::Spent] {
            assert_eq!(decide(of(true, ended), &one), Err(ErrorCode::Unknown));
        }
    }

    #[test]
    fn letters_are_given_back_to_their_author_in_pages_and_to_nobody_else() {
        let large = |number| held(Hold { sealed: vec![0; bounds::MAX_SEALED], ..hold(number) });
        let foreign = held(Hold { from: MemberId(1), ..hold(9) });
        let all = vec![large(1), large(2), foreign, large(3), large(4), large(5)];
        let names = |given: &GivenBack| -> Vec<u8> {
            let name = |body: &minicbor::bytes::ByteVec| match Content::from_bytes(body) {
                Ok(Content::Message(_, message)) => message.entry_ref.0[0],
                other => panic!("{other:?}"),
            };
            given.bodies.iter().map(name).collect()
        };

        let first = give_back(&sender(), SCHEDULE, all.clone(), None);
        let second = give_back(&sender(), SCHEDULE, all.clone(), Some(Ref([3; 12])));
        let lost = give_back(&sender(), SCHEDULE, all, Some(Ref([8; 12])));

        assert_eq!((names(&first), first.more), (vec![1, 2, 3], true));
        assert_eq!((names(&second), second.more), (vec![4, 5], false));
        assert_eq!(names(&lost), [1, 2, 3]);
    }
}

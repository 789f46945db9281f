//! A family leaves: who may ask for it, how long it may be taken back, and what is noted meanwhile. How all of it is
//! deleted is `erasing`'s.

use std::collections::{BTreeMap, BTreeSet};

use jiashu_proto::entry::{Content, LEAVING_KEY, Leaving, Seq};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Leave, LeaveWhat};
use jiashu_proto::id::{DeviceId, MemberId, Millis, Role, Scope};
use jiashu_roster::Event;

use super::contact::look;
use super::{Refusal, Sender};
use crate::store::{Author, Batch, Change, DueItem, NewEntry, Precondition, ScopeState};

/// Of a family that may leave, what a decision needs.
#[derive(Debug)]
pub struct Household<'a> {
    /// Its number.
    pub family: Scope,
    /// What is known of it.
    pub state: &'a ScopeState,
    /// That it leaves, as it stands, with its place.
    pub standing: Option<&'a (Seq, Leaving)>,
    /// How long it may be taken back, in ms.
    pub grace_ms: Millis,
}

impl Household<'_> {
    /// When it is erased, if nobody has taken that back.
    fn until(&self) -> Option<Millis> {
        self.standing.and_then(|(_, leaving)| leaving.until)
    }

    fn batch(&self, leaving: Leaving, now: Millis) -> Batch {
        let due = DueItem::Erasure(self.family);
        let change = match leaving.until {
            Some(until) => Change::SetDue(due, until),
            None => Change::ClearDue(due),
        };
        let mut changes = vec![change];
        if leaving.until.is_none_or(|until| until > now) {
            // Staff see that it is about to leave, and may ring first.
            changes.push(look(now));
        }
        let seen = self.standing.map(|(seq, _)| *seq);
        Batch {
            requires: vec![Precondition::FactAt(LEAVING_KEY.to_owned(), seen)],
            entries: vec![NewEntry::of(&Content::Leaving(leaving))],
            changes,
            ..Batch::new(now)
        }
    }

    /// Parents and caregivers who have a phone or had one, without those whom staff have suspended.
    fn adults(
        &self,
        phones: &Phones,
        role_of: &impl Fn(MemberId) -> Option<Role>,
    ) -> BTreeSet<MemberId> {
        let speaks = |member: &MemberId| {
            role_of(*member).is_some_and(Role::is_adult) && !self.state.is_suspended(*member)
        };
        phones.first.keys().copied().filter(speaks).collect()
    }
}

/// By which phone each of the family was served first, as its chain tells it. What the phones are set to now, and which new
/// ones there are, one adult may have brought about.
#[derive(Clone, Debug, Default)]
pub struct Phones {
    first: BTreeMap<MemberId, DeviceId>,
}

impl Phones {
    /// From what happened in the chain, from its first link on.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut phones = Self::default();
        for event in events {
            if let Event::Joined { device, members, .. }
            | Event::ServesNow { device, members, .. } = event
            {
                for member in members {
                    phones.first.entry(*member).or_insert(*device);
                }
            }
        }
        phones
    }

    /// Who speak by that phone together: those whom it serves, and served before any other did.
    fn speakers<'a>(&'a self, sender: &'a Sender) -> impl Iterator<Item = MemberId> + 'a {
        let is_first = |member: &MemberId| self.first.get(member) == Some(&sender.device);
        sender.members.iter().copied().filter(is_first)
    }
}

/// What a parent or caregiver asks. Letters may be moving or not.
///
/// # Errors
///
/// [`Refusal`] for a child, and for who takes back what is not asked for.
pub fn decide_leave(
    sender: &Sender,
    leave: &Leave,
    household: &Household<'_>,
    phones: &Phones,
    role_of: impl Fn(MemberId) -> Option<Role>,
    now: Millis,
) -> Result<Batch, Refusal> {
    sender.check_serves(leave.from)?;
    if !role_of(leave.from).is_some_and(Role::is_adult) {
        let text = "a parent or caregiver says so; a child may take back that it takes part";
        return Err(Refusal::new(ErrorCode::NotAllowed, text));
    }
    let agreed = household.standing.map(|(_, leaving)| leaving.agreed.clone()).unwrap_or_default();
    let by = match household.standing {
        // What somebody asked who is suspended since staff may stop: not what another asks.
        Some((_, leaving))
            if leaving.until.is_some() && !household.state.is_suspended(leaving.by) =>
        {
            leaving.by
        }
        _ => leave.from,
    };
    let leaving = match leave.what {
        LeaveWhat::Stay => {
            check_in_time(household, now)?;
            Leaving { by: leave.from, until: None, agreed: Vec::new() }
        }
        LeaveWhat::InTime => {
            let until = household.until().unwrap_or(now.saturating_add(household.grace_ms));
            Leaving { by, until: Some(until), agreed }
        }
        LeaveWhat::Now => {
            let adults = household.adults(phones, &role_of);
            let here = phones.speakers(sender).filter(|member| adults.contains(member));
            let agreed: BTreeSet<_> = agreed.iter().copied().chain(here).collect();
            let in_time = household.until().unwrap_or(now.saturating_add(household.grace_ms));
            let all = adults.is_subset(&agreed) && agreed.contains(&leave.from);
            let until = if all { now } else { in_time };
            Leaving { by, until: Some(until), agreed: agreed.into_iter().collect() }
        }
    };
    let author = Some(Author { device: sender.device, n: leave.n, entry_ref: leave.entry_ref });
    let mut batch = Batch { author, ..household.batch(leaving, now) };
    batch.requires.push(Precondition::NotSuspended(leave.from));
    Ok(batch)
}

/// What staff ask: in time, or at once where the family has told them so.
#[must_use]
pub fn decide_erasure(household: &Household<'_>, family_asked: bool, now: Millis) -> Batch {
    let in_time = household.until().unwrap_or(now.saturating_add(household.grace_ms));
    let until = Some(if family_asked { now } else { in_time });
    let leaving = match household.standing {
        Some((_, leaving)) if leaving.until.is_some() => Leaving { until, ..leaving.clone() },
        _ => Leaving { by: Leaving::STAFF, until, agreed: Vec::new() },
    };
    household.batch(leaving, now)
}

/// Staff take back what staff asked for, or somebody whom they have suspended: who is, takes back nothing, and has nothing
/// deleted.
///
/// # Errors
///
/// [`Refusal`] where nobody asked for it, or the family did.
pub fn decide_keeping(household: &Household<'_>, now: Millis) -> Result<Batch, Refusal> {
    check_in_time(household, now)?;
    let is_the_familys = |by: MemberId| by != Leaving::STAFF && !household.state.is_suspended(by);
    if household.standing.is_some_and(|(_, leaving)| is_the_familys(leaving.by)) {
        let text = "the family asked for it: a parent or caregiver takes it back";
        return Err(Refusal::new(ErrorCode::NotAllowed, text));
    }
    Ok(household.batch(Leaving { by: Leaving::STAFF, until: None, agreed: Vec::new() }, now))
}

fn check_in_time(household: &Household<'_>, now: Millis) -> Result<(), Refusal> {
    match household.until() {
        None => Err(Refusal::new(ErrorCode::Unknown, "the family does not leave")),
        Some(until) if until <= now => {
            Err(Refusal::new(ErrorCode::Erased, "it is too late: the family is being deleted"))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::{InviteId, Ref, TokenHash};

    use super::*;
    use crate::store::{ScopeKind, Seat, Suspended};

    const DAY: Millis = 86_400_000;
    const MOTHER: MemberId = MemberId(1);
    const GRANDMA: MemberId = MemberId(2);
    const LILI: MemberId = MemberId(3);
    const FAMILY: Scope = Scope(7);

    fn role_of(member: MemberId) -> Option<Role> {
        [(MOTHER, Role::Parent), (GRANDMA, Role::Caregiver), (LILI, Role::Child)]
            .into_iter()
            .find(|(known, _)| *known == member)
            .map(|(_, role)| role)
    }

    fn phone(device: u32, members: &[MemberId]) -> Sender {
        Sender { device: DeviceId(device), members: members.to_vec() }
    }

    fn state(phones: &[Sender]) -> ScopeState {
        let mut state = ScopeState::new(ScopeKind::Family, 1);
        for phone in phones {
            let (token_hash, members) = (TokenHash([1; 32]), phone.members.clone());
            let seat = Seat { token_hash, members, revoked: false, last_n: 0, recent: Vec::new() };
            state.seats.insert(phone.device, Box::new(seat));
        }
        state
    }

    /// They joined so.
    fn joined(phones: &[Sender]) -> Phones {
        let join = |phone: &Sender| Event::Joined {
            device: phone.device,
            invite: InviteId(phone.device.0),
            members: phone.members.clone(),
        };
        Phones::of(&phones.iter().map(join).collect::<Vec<_>>())
    }

    fn leaving(batch: &Batch) -> Leaving {
        match Content::from_bytes(&batch.entries[0].content).unwrap() {
            Content::Leaving(leaving) => leaving,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_word_of_one_waits_and_the_word_of_all_does_not() {
        let phones = [phone(1, &[MOTHER]), phone(2, &[GRANDMA, LILI])];
        let state = state(&phones);
        let asks = |sender: &Sender, from, what, standing: Option<&(Seq, Leaving)>, now| {
            let household =
                Household { family: FAMILY, state: &state, standing, grace_ms: 7 * DAY };
            let leave = Leave { n: 1, entry_ref: Ref([1; 12]), from, what };
            decide_leave(sender, &leave, &household, &joined(&phones), role_of, now)
        };

        let asked = asks(&phones[0], MOTHER, LeaveWhat::Now, None, 0).unwrap();
        let first = leaving(&asked);
        assert_eq!((first.until, &first.agreed[..]), (Some(7 * DAY), &[MOTHER][..]));
        assert_eq!(asked.changes, [Change::SetDue(DueItem::Erasure(FAMILY), 7 * DAY), look(0)]);
        let standing = (5, first);
        let again = asks(&phones[0], MOTHER, LeaveWhat::InTime, Some(&standing), DAY).unwrap();
        assert_eq!(leaving(&again), standing.1, "who asks again puts nothing off");
        let both = asks(&phones[1], GRANDMA, LeaveWhat::Now, Some(&standing), DAY).unwrap();
        assert_eq!((leaving(&both).until, leaving(&both).by), (Some(DAY), MOTHER));

        let stay = asks(&phones[1], GRANDMA, LeaveWhat::Stay, Some(&standing), DAY).unwrap();
        assert_eq!(stay.changes, [Change::ClearDue(DueItem::Erasure(FAMILY)), look(DAY)]);
        let refused = [
            asks(&phones[1], LILI, LeaveWhat::InTime, None, 0).unwrap_err().code,
            asks(&phones[1], MOTHER, LeaveWhat::InTime, None, 0).unwrap_err().code,
            asks(&phones[0], MOTHER, LeaveWhat::Stay, None, 0).unwrap_err().code,
            asks(&phones[0], MOTHER, LeaveWhat::Stay, Some(&standing), 7 * DAY).unwrap_err().code,
        ];
        let not_allowed = ErrorCode::NotAllowed;
        assert_eq!(refused, [not_allowed, not_allowed, ErrorCode::Unknown, ErrorCode::Erased]);
    }

    #[test]
    fn who_removes_the_others_first_waits_all_the_same_and_who_is_suspended_has_no_word() {
        let (mother, grandma) = (phone(1, &[MOTHER]), phone(2, &[GRANDMA, LILI]));
        let phones = joined(&[mother.clone(), grandma.clone()]);
        let mut state = state(&[mother.clone(), grandma.clone()]);
        let asks = |state: &ScopeState, sender: &Sender, from| {
            let household = Household { family: FAMILY, state, standing: None, grace_ms: 7 * DAY };
            let leave = Leave { n: 1, entry_ref: Ref([1; 12]), from, what: LeaveWhat::Now };
            decide_leave(sender, &leave, &household, &phones, role_of, 0).unwrap()
        };

        state.seats.get_mut(&grandma.device).unwrap().revoked = true;
        assert_eq!(leaving(&asks(&state, &mother, MOTHER)).until, Some(7 * DAY));

        state.seats.get_mut(&grandma.device).unwrap().revoked = false;
        state.suspended = vec![Suspended { member: MOTHER, after: 1, until: None }];
        assert_eq!(leaving(&asks(&state, &grandma, GRANDMA)).until, Some(0));
        let refused = asks(&state, &mother, MOTHER);
        assert!(refused.requires.contains(&Precondition::NotSuspended(MOTHER)));
    }

    #[test]
    fn who_takes_anothers_phone_away_first_has_one_word_still() {
        let phones = [phone(1, &[MOTHER]), phone(2, &[GRANDMA, LILI]), phone(3, &[GRANDMA])];
        let phones = joined(&phones);
        let asks = |by: Sender, from| {
            let state = state(&[by.clone(), phone(2, &[LILI])]);
            let household =
                Household { family: FAMILY, state: &state, standing: None, grace_ms: 7 * DAY };
            let leave = Leave { n: 1, entry_ref: Ref([1; 12]), from, what: LeaveWhat::Now };
            let asked = decide_leave(&by, &leave, &household, &phones, role_of, 0).unwrap();
            (leaving(&asked).until, leaving(&asked).agreed)
        };
        let hers = (Some(7 * DAY), vec![MOTHER]);

        assert_eq!(asks(phone(1, &[MOTHER]), MOTHER), hers);
        assert_eq!(asks(phone(1, &[MOTHER, GRANDMA]), MOTHER), hers, "nor by setting her own");
        assert_eq!(asks(phone(1, &[MOTHER, GRANDMA]), GRANDMA), hers);
        let by_new = (Some(7 * DAY), Vec::new());
        assert_eq!(asks(phone(3, &[GRANDMA]), GRANDMA), by_new, "nor by letting in another");
    }

    #[test]
    fn what_somebody_asked_who_is_suspended_since_staff_may_stop() {
        let mut state = state(&[phone(1, &[MOTHER]), phone(2, &[GRANDMA, LILI])]);
        state.suspended = vec![Suspended { member: MOTHER, after: 1, until: None }];
        let hers = (4, Leaving { by: MOTHER, until: Some(DAY), agreed: vec![MOTHER] });
        let household =
            Household { family: FAMILY, state: &state, standing: Some(&hers), grace_ms: 7 * DAY };

        let kept = leaving(&decide_keeping(&household, 1).unwrap());

        assert_eq!(kept.until, None);
        // Who asks for it besides has a word that stands.
        let leave = Leave { n: 1, entry_ref: Ref([1; 12]), from: GRANDMA, what: LeaveWhat::InTime };
        let sender = phone(2, &[GRANDMA, LILI]);
        let phones = joined(std::slice::from_ref(&sender));
        let asked = decide_leave(&sender, &leave, &household, &phones, role_of, 1).unwrap();
        assert_eq!((leaving(&asked).by, leaving(&asked).until), (GRANDMA, Some(DAY)));
    }

    #[test]
    fn staff_wait_as_one_adult_does_and_take_back_their_own_word_alone() {
        let state = state(&[phone(1, &[MOTHER])]);
        let household =
            |standing| Household { family: FAMILY, state: &state, standing, grace_ms: DAY };

        let asked = leaving(&decide_erasure(&household(None), false, 0));
        assert_eq!((asked.by, asked.until), (Leaving::STAFF, Some(DAY)));
        assert_eq!(leaving(&decide_erasure(&household(None), true, 3)).until, Some(3));
        let (own, theirs) = ((4, asked.clone()), (4, Leaving { by: MOTHER, ..asked }));
        assert!(decide_keeping(&household(Some(&own)), 1).is_ok());
        assert!(decide_keeping(&household(Some(&theirs)), 1).is_err());
        assert!(decide_keeping(&household(None), 1).is_err());
    }
}

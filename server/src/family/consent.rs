//! What is agreed to: staff record it, a family takes it back, and its time comes to an end.
//!
//! What a consent means on a day is decided in `jiashu_proto`; here, what follows from it for letters and figures.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Agreed, Consent, Content, Seq, Terms, consent_key};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Agreement, RecordConsent, Withdraw};
use jiashu_proto::id::{MemberId, Millis, Role};
use jiashu_roster::Roster;

use super::contact::look;
use super::ledger::BOOKS;
use super::{Refusal, Sender, begin_of, day_of, is_counted, takes_part};
use crate::store::{Author, Batch, Change, Due, NewEntry, Precondition, ScopeState};

/// Records consent: what is absent stays as it stands. Also says whether letters may then move.
///
/// `standing` is what is recorded of the whole family, with its places: none of it may change
/// meanwhile, or two records at once would each miss the other.
///
/// # Errors
///
/// [`Refusal`] for a member who is not of the family, or a date that is none.
pub fn decide_consent(
    record: &RecordConsent,
    roster: &Roster,
    standing: &[(Seq, Consent)],
    now: Millis,
) -> Result<(Batch, bool), Refusal> {
    let member = record.consent.member;
    if !roster.members().contains_key(&member) {
        return Err(Refusal::new(ErrorCode::Unknown, "the family has no such member"));
    }
    check_consent(&record.consent)?;
    let of = |member: MemberId| standing.iter().find(|(_, consent)| consent.member == member);
    let earlier = of(member).map(|(_, consent)| consent);
    let earlier = earlier.cloned().unwrap_or_else(|| Consent::none(member));
    let new = record.consent.clone();
    let merged = Consent {
        member,
        terms: follow(new.terms, &new.consent_on, earlier.terms, &earlier.consent_on),
        counting_terms: follow(
            new.counting_terms,
            &new.counting_on,
            earlier.counting_terms,
            &earlier.counting_on,
        ),
        consent_on: new.consent_on.or(earlier.consent_on),
        assent_on: new.assent_on.or(earlier.assent_on),
        counting_on: new.counting_on.or(earlier.counting_on),
        counting_assent_on: new.counting_assent_on.or(earlier.counting_assent_on),
        withdrawn_on: new.withdrawn_on.or(earlier.withdrawn_on),
        counting_withdrawn_on: new.counting_withdrawn_on.or(earlier.counting_withdrawn_on),
    };
    Ok(agreed(vec![merged], roster, standing, now))
}

/// By what it is given now: a consent of another day has its own terms, or none.
fn follow(
    new: Option<Box<Terms>>,
    on: &Option<String>,
    earlier: Option<Box<Terms>>,
    earlier_on: &Option<String>,
) -> Option<Box<Terms>> {
    let is_another = on.is_some() && on != earlier_on;
    new.or(earlier.filter(|_| !is_another))
}

/// What is agreed to no more because its time is over, if anything is; `due` is the look at which that was found. What was
/// counted stays, and the letters too: both go on once it is renewed.
#[must_use]
pub fn lapse(
    state: &ScopeState,
    roster: &Roster,
    standing: &[(Seq, Consent)],
    due: &Due,
    now: Millis,
) -> Option<Batch> {
    let (consents, today) = (consents_of(standing), day_of(now));
    let active = takes_part(roster.members(), &consents, &today);
    let counted = is_counted(roster.members(), &consents, &today);
    if (active || !state.active) && (counted || state.counted_since.is_none()) {
        return None;
    }
    let mut requires = unchanged(roster, standing);
    requires.push(Precondition::DueAt(due.item.clone(), due.at));
    let changes = vec![
        Change::SetActive(active && state.active),
        Change::SetCounted(state.counted_since.filter(|_| counted)),
        look(now),
    ];
    Some(Batch { requires, changes, ..Batch::new(now) })
}

/// When something of it will be over, the earliest, in ms.
#[must_use]
pub fn next_lapse(consents: &[Consent], now: Millis) -> Option<Millis> {
    let today = day_of(now);
    consents.iter().filter_map(|consent| begin_of(consent.ends_on(&today)?)).min()
}

fn consents_of(standing: &[(Seq, Consent)]) -> Vec<Consent> {
    standing.iter().map(|(_, consent)| consent.clone()).collect()
}

/// Nothing else is recorded of any member.
fn unchanged(roster: &Roster, standing: &[(Seq, Consent)]) -> Vec<Precondition> {
    let place = |member: MemberId| {
        standing.iter().find(|(_, consent)| consent.member == member).map(|(place, _)| *place)
    };
    let members = roster.members().keys();
    members.map(|member| Precondition::FactAt(consent_key(*member), place(*member))).collect()
}

/// These take the place of what is recorded of their members, and what follows from that. Also whether letters may then
/// move.
pub(super) fn agreed(
    new: Vec<Consent>,
    roster: &Roster,
    standing: &[(Seq, Consent)],
    now: Millis,
) -> (Batch, bool) {
    let is_new = |member: MemberId| new.iter().any(|consent| consent.member == member);
    let others = standing.iter().map(|(_, consent)| consent).filter(|it| !is_new(it.member));
    let consents: Vec<_> = others.chain(&new).cloned().collect();
    let today = day_of(now);
    let active = takes_part(roster.members(), &consents, &today);
    let counted = is_counted(roster.members(), &consents, &today);
    let mut batch = Batch {
        requires: unchanged(roster, standing),
        entries: new.into_iter().map(Content::Consent).map(|new| NewEntry::of(&new)).collect(),
        changes: vec![
            Change::SetActive(active),
            Change::SetCounted(counted.then_some(now)),
            look(now),
        ],
        ..Batch::new(now)
    };
    if !counted && !has_lapsed(&consents, &today) {
        batch.changes.extend(BOOKS.map(|book| Change::StrikeBook(book.to_owned())));
    }
    (batch, active)
}

/// Whether nothing is counted only because the time of an agreement is over: nobody has taken it back, so nothing is erased.
#[must_use]
pub fn has_lapsed(consents: &[Consent], on: &str) -> bool {
    let of = |consent: &Consent| [consent.taking_part(on), consent.counting(on)];
    let mut all = consents.iter().flat_map(of);
    let is_taken_back = |agreed: &Agreed| matches!(agreed, Agreed::Withdrawn | Agreed::Refused);
    all.clone().any(|agreed| agreed == Agreed::Expired) && !all.any(|agreed| is_taken_back(&agreed))
}

/// Takes back an agreement. Who does so is heard at once, and a child is for itself.
///
/// # Errors
///
/// [`Refusal`] for who may not say so, or a day that is not today.
pub fn decide_withdrawal(
    sender: &Sender,
    withdraw: &Withdraw,
    roster: &Roster,
    standing: &[(Seq, Consent)],
    now: Millis,
) -> Result<Batch, Refusal> {
    sender.check_serves(withdraw.from)?;
    let malformed = |text: &str| Refusal::new(ErrorCode::Malformed, text);
    let role = |member: &MemberId| roster.members().get(member).copied();
    let is_child = |member: &MemberId| role(member) == Some(Role::Child);
    if withdraw.of.is_empty() || !withdraw.of.is_sorted_by(|one, next| one < next) {
        return Err(malformed("of which children, ascending"));
    }
    if !withdraw.of.iter().all(is_child) {
        return Err(malformed("an agreement is of a child"));
    }
    let is_own = withdraw.of == [withdraw.from];
    if !is_own && !role(&withdraw.from).is_some_and(Role::is_adult) {
        return Err(Refusal::new(ErrorCode::NotAllowed, "a child says so for itself alone"));
    }
    check_today(&withdraw.on, now)?;
    let on = Some(withdraw.on.clone());
    let of = |member: &MemberId| {
        let stands = standing.iter().find(|(_, consent)| consent.member == *member);
        let stands = stands.map_or_else(|| Consent::none(*member), |(_, consent)| consent.clone());
        match withdraw.what {
            Agreement::TakingPart => Consent { withdrawn_on: on.clone(), ..stands },
            Agreement::Counting => Consent { counting_withdrawn_on: on.clone(), ..stands },
        }
    };
    let new = withdraw.of.iter().map(of).collect();
    let (mut batch, _) = agreed(new, roster, standing, now);
    batch.requires.push(Precondition::NotSuspended(withdraw.from));
    let (device, n, entry_ref) = (sender.device, withdraw.n, withdraw.entry_ref);
    Ok(Batch { author: Some(Author { device, n, entry_ref }), ..batch })
}

/// It is that day somewhere.
fn check_today(day: &str, now: Millis) -> Result<(), Refusal> {
    let today = jiff::Timestamp::from_millisecond(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let today = jiff::tz::TimeZone::UTC.to_datetime(today).date();
    let near = [today.yesterday().ok(), Some(today), today.tomorrow().ok()];
    if is_date(day) && near.iter().flatten().any(|near| near.to_string() == day) {
        Ok(())
    } else {
        Err(Refusal::new(ErrorCode::Malformed, "the day is today's: is the phone's clock right?"))
    }
}

/// Every text and date of it is one.
///
/// # Errors
///
/// [`ErrorCode::Malformed`].
pub(super) fn check_consent(consent: &Consent) -> Result<(), Refusal> {
    for terms in [&consent.terms, &consent.counting_terms].into_iter().flatten() {
        let is_tag = |tag: &String| {
            (2..=bounds::MAX_KEY).contains(&tag.len())
                && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if !terms.language.as_ref().is_none_or(is_tag) {
            let text = "a language is as in BCP 47: ro, zh-Hans";
            return Err(Refusal::new(ErrorCode::Malformed, text));
        }
    }
    check_dates(consent)
}

fn check_dates(consent: &Consent) -> Result<(), Refusal> {
    let until = |terms: &Option<Box<Terms>>| terms.as_ref().and_then(|terms| terms.until.clone());
    let dates = [
        &consent.consent_on,
        &consent.assent_on,
        &consent.counting_on,
        &consent.counting_assent_on,
        &consent.withdrawn_on,
        &consent.counting_withdrawn_on,
        &until(&consent.terms),
        &until(&consent.counting_terms),
    ];
    if dates.into_iter().flatten().all(|date| is_date(date)) {
        Ok(())
    } else {
        Err(Refusal::new(ErrorCode::Malformed, "a date is YYYY-MM-DD"))
    }
}

fn is_date(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok_and(|date| date.to_string() == text)
}

//! What is agreed to: staff record it, a family takes it back, and its time comes to an end.
//!
//! What a consent means on a day is decided in `jiashu_proto`; here, what follows from it for letters and figures.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Agreed, Consent, Content, Seq, Terms, consent_key, own_word_from};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Agreement, RecordConsent, Withdraw};
use jiashu_proto::id::{MemberId, Millis, Role};
use jiashu_roster::Roster;

use super::contact::look;
use super::ledger::BOOKS;
use super::{Refusal, Sender, begin_of, day_of, is_counted, takes_part};
use crate::programme::ConsentSettings;
use crate::store::{Author, Batch, Change, Due, NewEntry, Precondition, ScopeState};

/// Milliseconds of a day.
const DAY_MS: Millis = 24 * 60 * 60 * 1000;

/// Records consent: what is absent stays as it stands. Also says whether letters may then move.
///
/// `standing` is what is recorded of the whole family, with its places: none of it may change
/// meanwhile, or two records at once would each miss the other. `language` is the member's.
///
/// # Errors
///
/// [`Refusal`] for a member who is not of the family, a date that is none, or terms without the date they go with.
pub fn decide_consent(
    record: &RecordConsent,
    roster: &Roster,
    standing: &[(Seq, Consent)],
    settings: ConsentSettings,
    language: Option<&str>,
    now: Millis,
) -> Result<(Batch, bool), Refusal> {
    let member = record.consent.member;
    let Some(role) = roster.members().get(&member) else {
        return Err(Refusal::new(ErrorCode::Unknown, "the family has no such member"));
    };
    check_consent(&record.consent, *role, now)?;
    let of = |member: MemberId| standing.iter().find(|(_, consent)| consent.member == member);
    let earlier = of(member).map(|(_, consent)| consent);
    let earlier = earlier.cloned().unwrap_or_else(|| Consent::none(member));
    let today = day_of(now);
    let merged = merge(record.consent.clone(), earlier, settings, language, &today)?;
    Ok(agreed(vec![merged], roster, standing, now))
}

/// What is recorded of a member by now, with what the programme's settings say on that day.
///
/// # Errors
///
/// [`Refusal`] for terms without the date they go with.
pub(super) fn merge(
    new: Consent,
    earlier: Consent,
    settings: ConsentSettings,
    language: Option<&str>,
    today: &str,
) -> Result<Consent, Refusal> {
    let born_in = new.born_in.or(earlier.born_in);
    let own_word_age = born_in.as_ref().map(|_| settings.own_word_age());
    let aged = Consent { born_in, own_word_age, ..Consent::none(new.member) };
    let alone = aged.is_own_word(today);
    // By what it is given goes with the date of who is needed: of the child whose own word is enough, else the guardian.
    let follow = |new: Option<Box<Terms>>, said: [[&Option<String>; 2]; 2], earlier| {
        let [consent, assent] = said;
        let [on, before] = if alone && assent[0].is_some() { assent } else { consent };
        match on {
            Some(on) if new.is_some() || before.as_ref() != Some(on) => {
                Ok(filled(new, on, settings, language))
            }
            None if new.is_some() => {
                let text = "by what consent was given goes with the guardian's date, or that of a child whose own \
                            word is enough";
                Err(Refusal::new(ErrorCode::Malformed, text))
            }
            _ => Ok(earlier),
        }
    };
    let said = [[&new.consent_on, &earlier.consent_on], [&new.assent_on, &earlier.assent_on]];
    let terms = follow(new.terms, said, earlier.terms)?;
    let said = [
        [&new.counting_on, &earlier.counting_on],
        [&new.counting_assent_on, &earlier.counting_assent_on],
    ];
    let counting_terms = follow(new.counting_terms, said, earlier.counting_terms)?;
    Ok(Consent {
        consent_on: new.consent_on.or(earlier.consent_on),
        assent_on: new.assent_on.or(earlier.assent_on),
        counting_on: new.counting_on.or(earlier.counting_on),
        counting_assent_on: new.counting_assent_on.or(earlier.counting_assent_on),
        // Dissent wins: an older day that somebody types does not take the place of a newer refusal.
        withdrawn_on: new.withdrawn_on.max(earlier.withdrawn_on),
        counting_withdrawn_on: new.counting_withdrawn_on.max(earlier.counting_withdrawn_on),
        terms,
        counting_terms,
        guardian_withdrawn_on: new.guardian_withdrawn_on.max(earlier.guardian_withdrawn_on),
        counting_guardian_withdrawn_on: new
            .counting_guardian_withdrawn_on
            .max(earlier.counting_guardian_withdrawn_on),
        ..aged
    })
}

/// By what it is given on that day: what nobody said is as the programme's settings have it.
fn filled(
    terms: Option<Box<Terms>>,
    on: &str,
    settings: ConsentSettings,
    language: Option<&str>,
) -> Option<Box<Terms>> {
    let mut terms = terms.unwrap_or_default();
    if terms.version.is_none() {
        terms.version = settings.text_version;
        let language = language.filter(|_| terms.version.is_some()).map(str::to_owned);
        terms.language = terms.language.or(language);
    }
    terms.until = terms.until.or_else(|| ends_after(on, settings.valid_months?));
    Some(terms).filter(|terms| **terms != Terms::default())
}

/// The civil date so many months later; the last of the month where that has no such day.
fn ends_after(on: &str, months: u32) -> Option<String> {
    let on = on.parse::<jiff::civil::Date>().ok()?;
    Some(on.checked_add(jiff::Span::new().try_months(months).ok()?).ok()?.to_string())
}

/// What holds by itself otherwise than it stands, if anything does: a time is over, or a child's own word is enough by now;
/// `due` is the look at which that was found. What was counted stays where a time is over, and the letters too: both go on
/// once it is renewed.
#[must_use]
pub fn turn(
    state: &ScopeState,
    roster: &Roster,
    standing: &[(Seq, Consent)],
    due: &Due,
    now: Millis,
) -> Option<Batch> {
    let (consents, today) = (consents_of(standing), day_of(now));
    let active = takes_part(roster.members(), &consents, &today);
    let counted = is_counted(roster.members(), &consents, &today);
    if (active, counted) == (state.active, state.counted_since.is_some()) {
        return None;
    }
    let mut requires = unchanged(roster, standing);
    requires.push(Precondition::DueAt(due.item.clone(), due.at));
    let changes =
        vec![Change::SetActive(active), Change::SetCounted(counted.then_some(now)), look(now)];
    Some(Batch { requires, changes, ..Batch::new(now) })
}

/// When something of it may turn by itself, the earliest, in ms.
#[must_use]
pub fn next_turn(consents: &[Consent], now: Millis) -> Option<Millis> {
    let today = day_of(now);
    consents.iter().filter_map(|consent| begin_of(&consent.turns_on(&today)?)).min()
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
    let is_now = check_said_on(&withdraw.on, now)?;
    let of = |member: &MemberId| {
        let stands = standing.iter().find(|(_, consent)| consent.member == *member);
        stands.map_or_else(|| Consent::none(*member), |(_, consent)| consent.clone())
    };
    let stands: Vec<_> = withdraw.of.iter().map(of).collect();
    let today = day_of(now);
    if !is_own && stands.iter().any(|consent| consent.is_own_word(&today)) {
        let text = "a child whose own word is enough says so for itself";
        return Err(Refusal::new(ErrorCode::NotAllowed, text));
    }
    // Phones and staff have each their own day: what is taken back now is so after all that was agreed to before.
    let after = |said: [&Option<String>; 2]| {
        let agreed = said.into_iter().flatten().filter(|_| is_now);
        agreed.chain([&withdraw.on]).max().cloned()
    };
    let taken_back = |stands: Consent| {
        let on = match withdraw.what {
            Agreement::TakingPart => after([&stands.consent_on, &stands.assent_on]),
            Agreement::Counting => after([&stands.counting_on, &stands.counting_assent_on]),
        };
        by_whom(withdraw.what, is_own, on, stands)
    };
    let new = stands.into_iter().map(taken_back).collect();
    let (mut batch, _) = agreed(new, roster, standing, now);
    batch.requires.push(Precondition::NotSuspended(withdraw.from));
    let (device, n, entry_ref) = (sender.device, withdraw.n, withdraw.entry_ref);
    Ok(Batch { author: Some(Author { device, n, entry_ref }), ..batch })
}

/// The same with what was taken back on that day, by the child or by who answers for it. What was taken back on a later day
/// stays so.
fn by_whom(what: Agreement, is_own: bool, on: Option<String>, stands: Consent) -> Consent {
    let mut new = stands;
    let place = match (what, is_own) {
        (Agreement::TakingPart, true) => &mut new.withdrawn_on,
        (Agreement::TakingPart, false) => &mut new.guardian_withdrawn_on,
        (Agreement::Counting, true) => &mut new.counting_withdrawn_on,
        (Agreement::Counting, false) => &mut new.counting_guardian_withdrawn_on,
    };
    *place = on.max(place.take());
    new
}

/// Whether it is that day somewhere; else it was, as on a phone that was offline for long.
fn check_said_on(day: &str, now: Millis) -> Result<bool, Refusal> {
    if is_date(day) && *day <= *tomorrow(now) {
        Ok(*day >= *day_of(now.saturating_sub(DAY_MS)))
    } else {
        let text = "the day has not begun anywhere: is the phone's clock right?";
        Err(Refusal::new(ErrorCode::Malformed, text))
    }
}

/// The latest day that has begun somewhere, or is about to.
fn tomorrow(now: Millis) -> String {
    day_of(now.saturating_add(DAY_MS))
}

/// Every text and date of it is one, and of a member of that role.
///
/// # Errors
///
/// [`ErrorCode::Malformed`].
pub(super) fn check_consent(consent: &Consent, role: Role, now: Millis) -> Result<(), Refusal> {
    let malformed = |text: &str| Err(Refusal::new(ErrorCode::Malformed, text));
    if consent.own_word_age.is_some() {
        return malformed(
            "from which age a child's own word is enough, the programme's settings say",
        );
    }
    if let Some(born_in) = &consent.born_in {
        // The first of the month after: no birthday lies behind it.
        if role.is_adult() || own_word_from(born_in, 0).is_none_or(|after| after > ahead(now)) {
            return malformed("the month in which a child was born is YYYY-MM, and has begun");
        }
    }
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
    check_dates(consent, now)
}

fn check_dates(consent: &Consent, now: Millis) -> Result<(), Refusal> {
    let until = |terms: &Option<Box<Terms>>| terms.as_ref().and_then(|terms| terms.until.clone());
    let said = [
        &consent.consent_on,
        &consent.assent_on,
        &consent.counting_on,
        &consent.counting_assent_on,
        &consent.withdrawn_on,
        &consent.counting_withdrawn_on,
        &consent.guardian_withdrawn_on,
        &consent.counting_guardian_withdrawn_on,
    ];
    let ends = [&until(&consent.terms), &until(&consent.counting_terms)];
    if !said.into_iter().chain(ends).flatten().all(|date| is_date(date)) {
        return Err(Refusal::new(ErrorCode::Malformed, "a date is YYYY-MM-DD"));
    }
    // Nothing that is said later would be after it.
    let last = tomorrow(now);
    if said.into_iter().flatten().any(|date| *date > last) {
        return Err(Refusal::new(
            ErrorCode::Malformed,
            "nobody has agreed on a day that is to come",
        ));
    }
    Ok(())
}

/// The first of the month after the next day: wherever it is the latest, that day has begun.
fn ahead(now: Millis) -> String {
    let tomorrow = tomorrow(now);
    own_word_from(tomorrow.get(..7).unwrap_or_default(), 0).unwrap_or(tomorrow)
}

fn is_date(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok_and(|date| date.to_string() == text)
}

#[cfg(test)]
mod tests;

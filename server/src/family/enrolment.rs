//! How a family comes to be: a worker's client sends link 1 and what is recorded, without a name.
//!
//! Two scopes change: the programme notes the case, then the family's log begins. The first step is
//! an intent with a due item, the second may be repeated, so a crash between them loses nothing.

use jiashu_proto::bounds;
use jiashu_proto::entry::{
    Agreed, Consent, Content, LinkFact, Placement, Proposal, Seq, Terms, consent_key, link_key,
};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Agreement, Enrol, RecordConsent, Withdraw};
use jiashu_proto::id::{DeviceId, MemberId, Millis, Role, Scope};
use jiashu_recurrence::{Rule, RuleError};
use jiashu_roster::{Author as LinkAuthor, Link, Op, Roster};

use super::contact::{check_rules, look};
use super::ledger::BOOKS;
use super::retention::look_later;
use super::roster::{check_bounds, refusal};
use super::{Refusal, Sender, begin_of, check_cards, day_of, is_counted, takes_part};
use crate::store::{
    Author, Batch, Change, Due, DueItem, NewEntry, Precondition, ScopeKind, ScopeState,
};

/// Key of a case in its programme's log.
#[must_use]
pub fn case_key(case_code: &str) -> String {
    format!("case/{case_code}")
}

/// The kind of a case in a programme's log; its body is the [`Enrol`] as received.
const CASE: u32 = 64;

/// A case as it stands in the programme's log.
///
/// # Errors
///
/// If the content is not one.
pub fn read_case(content: &[u8]) -> Result<Enrol, minicbor::decode::Error> {
    let mut d = minicbor::Decoder::new(content);
    if d.u32()? == CASE { d.decode() } else { Err(minicbor::decode::Error::message("not a case")) }
}

/// A case as it is noted.
#[must_use]
pub fn case_entry(enrol: &Enrol) -> NewEntry {
    let mut e = minicbor::Encoder::new(Vec::new());
    e.u32(CASE).and_then(|e| e.encode(enrol)).expect("writing to memory cannot fail");
    NewEntry { key: Some(case_key(&enrol.case_code)), rank: 0, content: e.into_writer() }
}

/// Step one, in the programme: the case is noted, its family is due.
///
/// `standing` is the place of the case as it was noted before, with a family's number that was
/// taken, or with the family that begins anew: it is noted anew.
///
/// # Errors
///
/// [`Refusal`], if step two could not be done.
pub fn decide_enrolment(
    programme: Scope,
    enrol: &Enrol,
    standing: Option<Seq>,
    now: Millis,
) -> Result<Batch, Refusal> {
    check_case_code(&enrol.case_code)?;
    found_family(programme, enrol, now)?;
    if enrol.cards.iter().any(|card| card.blob.is_empty()) {
        return Err(Refusal::new(ErrorCode::BadLink, "a card without a blob"));
    }
    if enrol.replaces == Some(enrol.family) {
        return Err(Refusal::new(ErrorCode::Malformed, "a family does not follow itself"));
    }
    let key = case_key(&enrol.case_code);
    Ok(Batch {
        requires: vec![Precondition::FactAt(key, standing)],
        entries: vec![case_entry(enrol)],
        changes: vec![Change::SetDue(DueItem::Enrolment(enrol.case_code.clone()), now)],
        ..Batch::new(now)
    })
}

/// Step two, in the new family: its log begins, its cards are open.
///
/// # Errors
///
/// [`Refusal`], if link 1 fails a check or what came with it does not belong to it.
pub fn found_family(programme: Scope, enrol: &Enrol, now: Millis) -> Result<Batch, Refusal> {
    let body =
        Link::parse(&enrol.link).and_then(|link| link.read()).map_err(|error| refusal(&error))?;
    let mut roster = Roster::new();
    let change = roster.append(&enrol.link, None).map_err(|error| refusal(&error))?;
    if !matches!(change.author, LinkAuthor::Founder(_)) {
        return Err(Refusal::new(ErrorCode::BadLink, "a family begins with link 1"));
    }
    check_bounds(&roster)?;
    let invites: Vec<_> = roster.invites().keys().copied().collect();
    check_cards(&enrol.cards, &invites)?;
    check_members(enrol, &roster)?;
    let link = Content::Link(LinkFact { link: enrol.link.clone() }).to_bytes();
    let mut entries = vec![NewEntry { key: Some(link_key(1)), rank: 0, content: link }];
    entries.extend(
        enrol.members.iter().cloned().map(Content::Member).map(|content| NewEntry::of(&content)),
    );
    entries.extend(
        enrol.consents.iter().cloned().map(Content::Consent).map(|content| NewEntry::of(&content)),
    );
    check_rules(&enrol.proposal)?;
    let (case_code, site, since) = (enrol.case_code.clone(), enrol.site.clone(), now);
    let placement = Placement { programme, case_code, site, since };
    entries.push(NewEntry::of(&Content::Placement(placement)));
    if !enrol.proposal.is_empty() {
        let proposal = Proposal { staff: WORKER, rules: enrol.proposal.clone() };
        entries.push(NewEntry::of(&Content::Proposal(proposal)));
    }
    let today = day_of(now);
    let mut changes = vec![
        Change::Create(ScopeKind::Family),
        Change::Turn { epoch: change.number, head: change.hash },
        Change::SetActive(takes_part(roster.members(), &enrol.consents, &today)),
        Change::SetCounted(is_counted(roster.members(), &enrol.consents, &today).then_some(now)),
        look_later(now),
        look(now),
    ];
    let expiries = body.ops.iter().filter_map(|op| match op {
        Op::AddInvite { expires_at, .. } => Some(*expires_at),
        _ => None,
    });
    changes.extend(enrol.cards.iter().zip(expiries).flat_map(|(card, expires_at)| {
        let (invite, code_hash, blob) = (card.invite, Some(card.code_hash), card.blob.clone());
        [
            Change::AddInvite { invite, code_hash, expires_at, blob },
            Change::SetDue(DueItem::Invite(invite), expires_at),
        ]
    }));
    Ok(Batch { requires: vec![Precondition::Absent], entries, changes, ..Batch::new(now) })
}

/// Who proposes what was agreed on at enrolment. Which member of staff it was stands in the programme's log.
const WORKER: DeviceId = DeviceId(1);

/// Zones and consents are those of the link's members, each once, in a known zone.
fn check_members(enrol: &Enrol, roster: &Roster) -> Result<(), Refusal> {
    let malformed = |text: &str| Err(Refusal::new(ErrorCode::Malformed, text));
    if !enrol.members.iter().map(|fact| &fact.member).eq(roster.members().keys()) {
        return malformed("zone and language of each member, in order");
    }
    if enrol.members.iter().any(|fact| !is_zone(&fact.zone)) {
        return malformed("an unknown time zone");
    }
    if enrol.members.iter().any(|fact| fact.language.len() > bounds::MAX_KEY) {
        return malformed("a language tag is too long");
    }
    if !enrol.consents.is_sorted_by(|one, next| one.member < next.member)
        || enrol.consents.iter().any(|consent| !roster.members().contains_key(&consent.member))
    {
        return malformed("consents are of members, in order");
    }
    enrol.consents.iter().try_for_each(check_consent)
}

fn is_zone(zone: &str) -> bool {
    !matches!(Rule::parse("2027-01-01T00:00:00", zone, None), Err(RuleError::Zone(_)))
}

fn check_consent(consent: &Consent) -> Result<(), Refusal> {
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

/// It is one.
///
/// # Errors
///
/// [`ErrorCode::Malformed`].
pub fn check_case_code(case_code: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if (1..=bounds::MAX_CASE_CODE).contains(&case_code.len()) && case_code.bytes().all(allowed) {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::Malformed,
        "a case code is 1 to 64 letters, digits or any of - _ . /",
    ))
}

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

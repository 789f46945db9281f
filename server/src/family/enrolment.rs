//! How a family comes to be: a worker's client sends link 1 and what is recorded, without a name.
//!
//! Two scopes change: the programme notes the case, then the family's log begins. The first step is
//! an intent with a due item, the second may be repeated, so a crash between them loses nothing.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Consent, Content, LinkFact, Placement, Proposal, Seq, link_key};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::Enrol;
use jiashu_proto::id::{DeviceId, Millis, Scope};
use jiashu_recurrence::{Rule, RuleError};
use jiashu_roster::{Author as LinkAuthor, Link, Op, Roster};

use super::consent::{check_consent, merge};
use super::contact::{check_rules, look};
use super::retention::look_later;
use super::roster::{check_bounds, refusal};
use super::{Refusal, check_cards, day_of, is_counted, takes_part};
use crate::programme::ConsentSettings;
use crate::store::{Batch, Change, DueItem, NewEntry, Precondition, ScopeKind};

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
    found_family(programme, enrol, ConsentSettings::default(), now)?;
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

/// Step two, in the new family: its log begins, its cards are open. What nobody said of a consent is as the programme's
/// settings have it at that moment.
///
/// # Errors
///
/// [`Refusal`], if link 1 fails a check or what came with it does not belong to it.
pub fn found_family(
    programme: Scope,
    enrol: &Enrol,
    settings: ConsentSettings,
    now: Millis,
) -> Result<Batch, Refusal> {
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
    check_members(enrol, &roster, now)?;
    let today = day_of(now);
    let recorded = |consent: &Consent| {
        let language = enrol.members.iter().find(|fact| fact.member == consent.member);
        let language = language.map(|fact| &*fact.language);
        merge(consent.clone(), Consent::none(consent.member), settings, language, &today)
    };
    let consents: Vec<_> = enrol.consents.iter().map(recorded).collect::<Result<_, _>>()?;
    let link = Content::Link(LinkFact { link: enrol.link.clone() }).to_bytes();
    let mut entries = vec![NewEntry { key: Some(link_key(1)), rank: 0, content: link }];
    entries.extend(
        enrol.members.iter().cloned().map(Content::Member).map(|content| NewEntry::of(&content)),
    );
    let consented = consents.iter().cloned().map(Content::Consent);
    entries.extend(consented.map(|content| NewEntry::of(&content)));
    check_rules(&enrol.proposal)?;
    let (case_code, site, since) = (enrol.case_code.clone(), enrol.site.clone(), now);
    let placement = Placement { programme, case_code, site, since, care: enrol.care };
    entries.push(NewEntry::of(&Content::Placement(placement)));
    if !enrol.proposal.is_empty() {
        let proposal = Proposal { staff: WORKER, rules: enrol.proposal.clone() };
        entries.push(NewEntry::of(&Content::Proposal(proposal)));
    }
    let mut changes = vec![
        Change::Create(ScopeKind::Family),
        Change::Turn { epoch: change.number, head: change.hash },
        Change::SetActive(takes_part(roster.members(), &consents, &today)),
        Change::SetCounted(is_counted(roster.members(), &consents, &today).then_some(now)),
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
fn check_members(enrol: &Enrol, roster: &Roster, now: Millis) -> Result<(), Refusal> {
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
    if !enrol.consents.is_sorted_by(|one, next| one.member < next.member) {
        return malformed("consents are of members, in order");
    }
    enrol.consents.iter().try_for_each(|consent| match roster.members().get(&consent.member) {
        Some(role) => check_consent(consent, *role, now),
        None => malformed("consents are of members, in order"),
    })
}

fn is_zone(zone: &str) -> bool {
    !matches!(Rule::parse("2027-01-01T00:00:00", zone, None), Err(RuleError::Zone(_)))
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

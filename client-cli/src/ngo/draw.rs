//! What is made for a family before the relay hears of it: its number, link 1, keys and cards.
//!
//! Names and labels go onto the cards alone, and sealed into their blobs: a test searches what is
//! sent. Where all this is kept is `folder`'s.

use jiashu_proto::entry::{Consent, IntendedRule, MemberFact, RuleText};
use jiashu_proto::frame::{Card, Enrol};
use jiashu_proto::id::{InviteId, MemberId, Millis, Role, Scope};
use jiashu_recurrence::parse_every;
use jiashu_roster::{Op, code_hash, sha256};
use jiashu_seal::{DeviceCard, InviteSecret, JoinLink, KeyPairs, SealError, write_first_link};
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

use super::cell::Planned;
use super::check::{Family, Phone};
use super::staff::draw_scope;
use crate::http::Origin;

/// How long a printed card may lie before it is used.
pub(super) const CARD_LIFE_MS: Millis = 30 * 24 * 3_600_000;

/// One card as it stands in `invites.json`. Who has the link can join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PrintedCard {
    /// The family.
    pub(super) case_code: String,
    /// Label of the phone.
    pub(super) device: String,
    /// Names of those it serves.
    pub(super) members: Vec<String>,
    /// The way in.
    pub(super) link: String,
    /// Numbers of those it serves, in the same order.
    pub(super) member_numbers: Vec<u32>,
    /// The first member's, in which the card is printed.
    pub(super) language: String,
    /// The last whole day on which the link works, wherever one is.
    pub(super) expires_on: String,
    /// Name of the phone that several families share, if it is such a one.
    pub(super) shared_device: Option<String>,
}

/// A family that is ready to be enrolled.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    /// What is sent.
    pub(super) enrol: Enrol,
    /// What is printed, one a phone.
    pub(super) cards: Vec<PrintedCard>,
}

/// Draws all that a family needs. A repeat draws another family, so what is drawn is kept.
///
/// `replaces` is the family of that case so far, if it begins anew.
///
/// # Errors
///
/// [`SealError`] if the members could not stand in a first link, or `origin` in a link to join by.
pub(super) fn draw(
    family: &Family,
    origin: &Origin,
    expires_at: Millis,
    replaces: Option<Scope>,
) -> Result<Drawn, SealError> {
    let scope = draw_scope();
    let phones = family.phones();
    let keys: Vec<_> = phones.iter().map(|_| KeyPairs::generate()).collect();
    let added = family.members.iter();
    let mut ops: Vec<_> =
        added.map(|it| Op::AddMember { member: it.number, role: it.role }).collect();
    for (invite, (phone, keys)) in (1..).map(InviteId).zip(phones.iter().zip(&keys)) {
        ops.push(Op::AddInvite {
            invite,
            sign_pub: keys.sign.public(),
            hpke_pub: keys.hpke.public(),
            members: phone.members.iter().map(|member| member.number).collect(),
            expires_at,
        });
    }
    let first = write_first_link(ops)?;
    let names: Vec<(MemberId, String)> =
        family.members.iter().map(|member| (member.number, member.name.clone())).collect();

    let mut sealed = Vec::new();
    let mut cards = Vec::new();
    for (invite, (phone, keys)) in (1..).map(InviteId).zip(phones.iter().zip(keys)) {
        let secret = InviteSecret::generate();
        let device_name = Some(phone.label.to_owned());
        let card = DeviceCard { pin: first.hash, keys, names: names.clone(), device_name };
        let blob = jiashu_seal::Card::Device(Box::new(card)).seal(&secret);
        sealed.push(Card { invite, code_hash: code_hash(&secret.code()), blob });
        let link = JoinLink { origin: origin.to_string(), scope, secret }.to_url();
        JoinLink::parse(&link)?;
        cards.push(printed(family, phone, link, expires_at));
    }
    let enrol = Enrol {
        case_code: family.case_code.clone(),
        family: scope,
        link: first.link,
        cards: sealed,
        members: facts(family),
        consents: consents(family),
        replaces,
        site: family.site.clone(),
        proposal: proposal(family),
        care: family.care,
    };
    Ok(Drawn { enrol, cards })
}

fn printed(family: &Family, phone: &Phone<'_>, link: String, expires_at: Millis) -> PrintedCard {
    let of = |member: &&super::check::Member| member.name.clone();
    PrintedCard {
        case_code: family.case_code.clone(),
        device: phone.label.to_owned(),
        members: phone.members.iter().map(of).collect(),
        link,
        member_numbers: phone.members.iter().map(|member| member.number.0).collect(),
        language: phone.members.first().map(|it| it.language.clone()).unwrap_or_default(),
        expires_on: last_whole_day(expires_at),
        shared_device: phone.members.iter().find_map(|it| it.shared_device.clone()),
    }
}

/// The day before the one on which it expires where clocks are latest, 12 h behind UTC.
fn last_whole_day(expires_at: Millis) -> String {
    const DAY_MS: Millis = 24 * 3_600_000;
    let within = Timestamp::from_millisecond(expires_at - DAY_MS - DAY_MS / 2);
    Offset::UTC.to_datetime(within.unwrap_or(Timestamp::UNIX_EPOCH)).date().to_string()
}

fn facts(family: &Family) -> Vec<MemberFact> {
    let of = |member: &super::check::Member| MemberFact {
        member: member.number,
        zone: member.zone.clone(),
        language: member.language.clone(),
    };
    family.members.iter().map(of).collect()
}

/// What was agreed on with the worker, on the clock of the first child, for the family to confirm.
fn proposal(family: &Family) -> Vec<IntendedRule> {
    let child = family.members.iter().find(|member| member.role == Role::Child);
    let (Some(Planned { days, time }), Some(child)) = (&family.plan, child) else {
        return Vec::new();
    };
    let today = crate::say::zone(&child.zone).to_datetime(crate::clock::now()).date();
    // It was looked at when the list was checked.
    let every = parse_every(days, time, today).ok();
    let rule = every.map(|every| RuleText::new(every.start, &child.zone, Some(&every.rrule)));
    rule.map(|rule| IntendedRule { rule, tolerance_min: None }).into_iter().collect()
}

/// What is recorded of taking part and counting: one a member for whom something is. Assent is a child's.
#[must_use]
pub(super) fn consents(family: &Family) -> Vec<Consent> {
    let of = |member: &super::check::Member| {
        let is_child = !member.role.is_adult();
        // A list has no child without the guardian's date, unless the child's own word is enough.
        let alone = is_child && member.consent_on.is_none();
        let given = member.consent_on.is_some() || alone && member.assent_on.is_some();
        let counted = member.counting_on.is_some() || alone && member.counting_assent_on.is_some();
        Consent {
            consent_on: member.consent_on.clone(),
            assent_on: member.assent_on.clone().filter(|_| is_child),
            counting_on: member.counting_on.clone(),
            counting_assent_on: member.counting_assent_on.clone().filter(|_| is_child),
            terms: member.terms.clone().filter(|_| given).map(Box::new),
            counting_terms: member.terms.clone().filter(|_| counted).map(Box::new),
            born_in: member.born_in.clone(),
            ..Consent::none(member.number)
        }
    };
    let recorded = family.members.iter().map(of);
    recorded.filter(|consent| *consent != Consent::none(consent.member)).collect()
}

/// Stands for what the list says of a family's people and phones: whether its cards would be others now. What was settled when
/// it was enrolled (site, plan, care, consent) is changed elsewhere, and folders of before hold it as it is.
///
/// Mixed with a secret of this machine, so that who finds it cannot try names against it.
#[must_use]
pub(super) fn fingerprint(family: &Family, secret: &[u8; 16]) -> String {
    let said: Vec<_> = family
        .members
        .iter()
        .map(|it| {
            let person = (it.number.0, it.role.name(), &it.name, &it.zone, &it.language);
            (person, &it.device, &it.shared_device)
        })
        .collect();
    let said = serde_json::to_vec(&said).expect("texts and numbers have a form in JSON");
    let hash = sha256(&[&secret[..], &said].concat());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use jiashu_proto::frame::ClientFrame;
    use jiashu_roster::Link;
    use jiashu_seal::Card as SealedCard;
    use jiff::civil::date;

    use super::*;
    use crate::ngo::check::check;

    const LIST: &str = "\
case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on
LI-7,1,parent,KanaryMama,Europe/Rome,it,KanaryPhone,,2026-05-01,
LI-7,2,caregiver,KanaryNainai,Asia/Shanghai,zh-Hans,KanaryHome,KanarySchool,2026-05-02,
LI-7,3,child,KanaryLili,Asia/Shanghai,zh-Hans,KanaryHome,,2026-05-03,2026-05-04
";
    const EXPIRES_AT: Millis = 1_800_000_000_000;

    fn family() -> Family {
        let checked = check(LIST.as_bytes(), date(2026, 11, 24));
        assert_eq!(checked.faults, []);
        checked.families.into_iter().next().unwrap()
    }

    fn drawn() -> Drawn {
        let origin = "https://relay.example.org".parse().unwrap();
        draw(&family(), &origin, EXPIRES_AT, None).unwrap()
    }

    #[test]
    fn no_name_and_no_label_is_in_what_is_sent() {
        let drawn = drawn();
        let bytes = ClientFrame::Enrol(drawn.enrol).to_bytes(0);

        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode("Kanary");
        let hex: String = "Kanary".bytes().map(|byte| format!("{byte:02x}")).collect();
        let canaries = [b"Kanary".to_vec(), utf16("Kanary"), base64.into(), hex.into()];

        for canary in canaries {
            let found = bytes.windows(canary.len()).any(|window| window == canary);
            assert!(!found, "{canary:x?} leaves the machine");
        }
        let frame = ClientFrame::from_bytes(&bytes).unwrap();
        assert!(!format!("{frame:?}").contains("Kanary"));
        assert!(format!("{frame:?}").contains("LI-7"), "the search finds what is sent");
    }

    #[test]
    fn each_phone_gets_a_card_that_opens_its_own_invite() {
        let drawn = drawn();
        let links = [Link::parse(&drawn.enrol.link).unwrap()];

        let phones: Vec<_> =
            drawn.cards.iter().map(|it| (&*it.device, &*it.member_numbers)).collect();
        assert_eq!(phones, [("KanaryPhone", &[1][..]), ("KanaryHome", &[2, 3][..])]);
        for (printed, kept) in drawn.cards.iter().zip(&drawn.enrol.cards) {
            let link = JoinLink::parse(&printed.link).unwrap();
            assert_eq!(link.scope, drawn.enrol.family);
            assert_eq!(code_hash(&link.secret.code()), kept.code_hash);
            let SealedCard::Device(card) = SealedCard::open(&kept.blob, &link.secret).unwrap()
            else {
                panic!("a card of one device");
            };
            let pinned = card.check_against(&links).unwrap();
            assert_eq!(pinned.invite, kept.invite);
            let numbers: Vec<_> = pinned.members.iter().map(|member| member.0).collect();
            assert_eq!(numbers, printed.member_numbers);
            assert_eq!(card.device_name.as_deref(), Some(&*printed.device));
            assert_eq!(card.names.len(), 3);
        }
        assert_eq!(drawn.cards[1].shared_device.as_deref(), Some("KanarySchool"));
    }

    #[test]
    fn a_card_names_a_day_on_which_it_works_to_the_end_everywhere() {
        let noon = jiff::civil::date(2026, 12, 24).at(12, 0, 0, 0);
        let noon = Offset::UTC.to_timestamp(noon).unwrap().as_millisecond();

        assert_eq!(last_whole_day(noon), "2026-12-23");
        assert_eq!(last_whole_day(noon - 1), "2026-12-22");
    }

    #[test]
    fn a_fingerprint_changes_with_all_but_dates() {
        let before = family();
        let mut dated = before.clone();
        dated.members[2].assent_on = None;
        let mut renamed = before.clone();
        renamed.members[2].name = "Lili".into();

        let of = |family: &Family| fingerprint(family, &[1; 16]);

        assert_eq!(of(&dated), of(&before));
        assert_ne!(of(&renamed), of(&before));
        assert_ne!(fingerprint(&before, &[2; 16]), of(&before));
    }
}

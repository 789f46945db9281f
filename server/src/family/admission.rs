//! A re-issued card: staff let one new phone ask, the phone asks by keys of its own, and a person of
//! the family lets it in by an ordinary link. Neither staff nor the relay can let anybody in.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Content, RequestFact, request_key};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Card, Reissue, Request};
use jiashu_proto::id::Millis;
use jiashu_roster::{Op, PublicKey, Roster, code_hash};
use subtle::ConstantTimeEq;

use super::{Refusal, no_such_invite};
use crate::store::{Batch, Change, NewEntry, Precondition, ScopeState, Ticket};

/// The longest that a ticket may stand, in ms: 30 days, and one for clocks that differ.
const TICKET_LASTS_MS: Millis = 31 * 24 * 60 * 60 * 1000;

/// Staff let one new phone ask; `None` if they did by this code before.
///
/// # Errors
///
/// [`ErrorCode::Unknown`] for members that the family has not; [`ErrorCode::Malformed`];
/// [`ErrorCode::Full`] beyond as many as there may be open invites.
pub fn decide_reissue(
    state: &ScopeState,
    roster: &Roster,
    reissue: Reissue,
    now: Millis,
) -> Result<Option<Batch>, Refusal> {
    let Reissue { members, code_hash, expires_at, .. } = reissue;
    if state.tickets.iter().any(|ticket| ticket.code_hash == code_hash) {
        return Ok(None);
    }
    if members.is_empty() || !members.is_sorted_by(|one, next| one < next) {
        let text = "at least one member, ascending, each once";
        return Err(Refusal::new(ErrorCode::Malformed, text));
    }
    if !members.iter().all(|member| roster.members().contains_key(member)) {
        return Err(Refusal::new(ErrorCode::Unknown, "the family has no such member"));
    }
    if expires_at <= now || expires_at > now.saturating_add(TICKET_LASTS_MS) {
        let text = "a link to ask by ends in time to come, within 30 days";
        return Err(Refusal::new(ErrorCode::Malformed, text));
    }
    let mut tickets = state.tickets.clone();
    tickets.retain(|ticket| ticket.expires_at > now);
    if tickets.len() >= bounds::MAX_INVITES {
        let text = "the family has 12 such links already: wait until one ends";
        return Err(Refusal::new(ErrorCode::Full, text));
    }
    tickets.push(Ticket { code_hash, members, expires_at, used: None });
    Ok(Some(set_tickets(state, tickets, now)))
}

fn set_tickets(state: &ScopeState, tickets: Vec<Ticket>, now: Millis) -> Batch {
    Batch {
        requires: vec![Precondition::Tickets(state.tickets.clone())],
        changes: vec![Change::SetTickets(tickets)],
        ..Batch::new(now)
    }
}

/// The ticket that a request may go by: its code is right, it has not expired, and nobody else used
/// it. Looked at before anything that costs; one answer for all that fails.
///
/// # Errors
///
/// [`ErrorCode::Invite`]; [`ErrorCode::Malformed`] for keys that are none.
pub fn ticket_of<'a>(
    state: &'a ScopeState,
    request: &Request,
    now: Millis,
) -> Result<&'a Ticket, Refusal> {
    let hash = code_hash(&request.code);
    let ticket = state
        .tickets
        .iter()
        .filter(|ticket| bool::from(ticket.code_hash.0.ct_eq(&hash.0)))
        .find(|ticket| ticket.expires_at > now)
        .filter(|ticket| ticket.used.is_none_or(|by| by == request.code_hash))
        .ok_or_else(no_such_invite)?;
    let keys = [PublicKey(request.sign_pub), PublicKey(request.hpke_pub)];
    if keys[0] == keys[1] || !keys.iter().all(PublicKey::is_on_curve) {
        return Err(Refusal::new(ErrorCode::Malformed, "two different points of P-256"));
    }
    Ok(ticket)
}

/// A new phone asks: its request goes into the log, once. `None` if it did before.
///
/// `known` is the request that stands under this hash. Who has the ticket's code but not the keys of
/// the phone that used it is answered like anybody without a ticket.
///
/// # Errors
///
/// [`ErrorCode::Invite`]; [`ErrorCode::Malformed`] for a key that stands in the chain.
pub fn decide_request(
    state: &ScopeState,
    ticket: &Ticket,
    roster: &Roster,
    request: &Request,
    known: Option<&RequestFact>,
    now: Millis,
) -> Result<Option<Batch>, Refusal> {
    match (ticket.used, known) {
        (Some(_), Some(known))
            if known.sign_pub == request.sign_pub && known.hpke_pub == request.hpke_pub =>
        {
            return Ok(None);
        }
        (None, None) => {}
        _ => return Err(no_such_invite()),
    }
    if [request.sign_pub, request.hpke_pub].iter().any(|key| roster.knows_key(&PublicKey(*key))) {
        return Err(Refusal::new(ErrorCode::Malformed, "a key that stands in the chain already"));
    }
    let used = Some(request.code_hash);
    let tickets = state.tickets.iter().map(|other| {
        if other == ticket { Ticket { used, ..other.clone() } } else { other.clone() }
    });
    let fact = Content::Request(RequestFact {
        members: ticket.members.clone(),
        sign_pub: request.sign_pub,
        hpke_pub: request.hpke_pub,
        code_hash: request.code_hash,
        expires_at: ticket.expires_at,
    });
    let key = request_key(request.code_hash);
    let mut batch = set_tickets(state, tickets.collect(), now);
    batch.requires.push(Precondition::FactAt(key.clone(), None));
    batch.entries.push(NewEntry { key: Some(key), rank: 0, content: fact.to_bytes() });
    Ok(Some(batch))
}

/// A card without a blob is for a phone that asked: with just its keys, code and members.
///
/// # Errors
///
/// [`ErrorCode::BadLink`], if no request stands that it fits.
pub fn check_empty_cards(
    ops: &[Op],
    cards: &[Card],
    requests: &[RequestFact],
    now: Millis,
) -> Result<(), Refusal> {
    let fits = |card: &Card, request: &RequestFact| {
        request.code_hash == card.code_hash
            && request.expires_at > now
            && ops.iter().any(|op| match op {
                Op::AddInvite { invite, sign_pub, hpke_pub, members, .. } => {
                    *invite == card.invite
                        && sign_pub.0 == request.sign_pub
                        && hpke_pub.0 == request.hpke_pub
                        && *members == request.members
                }
                _ => false,
            })
    };
    let mut empty = cards.iter().filter(|card| card.blob.is_empty());
    if empty.all(|card| requests.iter().any(|request| fits(card, request))) {
        return Ok(());
    }
    let text = "a card without a blob is for a phone that asked, as it asked";
    Err(Refusal::new(ErrorCode::BadLink, text))
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::{CodeHash, InviteId, MemberId, Scope};

    use super::*;
    use crate::store::ScopeKind;

    fn ticket(code: u8, used: Option<CodeHash>) -> Ticket {
        let members = vec![MemberId(2)];
        Ticket { code_hash: code_hash(&[code; 16]), members, expires_at: 100, used }
    }

    fn state(tickets: Vec<Ticket>) -> ScopeState {
        ScopeState { tickets, ..ScopeState::new(ScopeKind::Family, 1) }
    }

    fn request(code: u8) -> Request {
        Request {
            scope: Scope(7),
            code: [code; 16],
            sign_pub: [4; 65],
            hpke_pub: [5; 65],
            code_hash: CodeHash([9; 32]),
        }
    }

    #[test]
    fn who_has_no_open_ticket_is_told_one_thing_before_a_key_is_looked_at() {
        let cases = [
            ("no ticket at all", state(vec![]), 1, 50),
            ("another code", state(vec![ticket(1, None)]), 2, 50),
            ("expired", state(vec![ticket(1, None)]), 1, 100),
            ("used by another", state(vec![ticket(1, Some(CodeHash([8; 32])))]), 1, 50),
        ];

        for (what, state, code, now) in cases {
            assert_eq!(ticket_of(&state, &request(code), now), Err(no_such_invite()), "{what}");
        }
        let open = state(vec![ticket(1, None)]);
        let no_points = ticket_of(&open, &request(1), 50).unwrap_err();
        assert_eq!(no_points.code, ErrorCode::Malformed);
    }

    #[test]
    fn staff_let_phones_ask_within_bounds() {
        let roster = Roster::new();
        let reissue = |members: &[u32], code: u8, expires_at| Reissue {
            case_code: "A".into(),
            members: members.iter().copied().map(MemberId).collect(),
            code_hash: code_hash(&[code; 16]),
            expires_at,
        };
        let standing = state(vec![ticket(1, None)]);
        let day = 24 * 60 * 60 * 1000;
        let cases = [
            ("nobody", reissue(&[], 2, 60), ErrorCode::Malformed),
            ("in disorder", reissue(&[2, 1], 2, 60), ErrorCode::Malformed),
            ("a stranger", reissue(&[2], 2, 60), ErrorCode::Unknown),
        ];

        for (what, reissue, expected) in cases {
            let refused = decide_reissue(&standing, &roster, reissue, 50).unwrap_err();
            assert_eq!(refused.code, expected, "{what}");
        }
        assert_eq!(decide_reissue(&standing, &roster, reissue(&[2], 1, 60), 50), Ok(None));
        assert!(TICKET_LASTS_MS > 30 * day);
    }

    #[test]
    fn a_request_is_answered_again_to_its_own_phone_alone() {
        let used = ticket(1, Some(CodeHash([9; 32])));
        let fact = RequestFact {
            members: used.members.clone(),
            sign_pub: [4; 65],
            hpke_pub: [5; 65],
            code_hash: CodeHash([9; 32]),
            expires_at: 100,
        };
        let state = state(vec![used.clone()]);
        let decide = |ticket: &Ticket, request: &Request, known: Option<&RequestFact>| {
            decide_request(&state, ticket, &Roster::new(), request, known, 50)
        };

        let repeat = decide(&used, &request(1), Some(&fact));
        let other_keys = Request { hpke_pub: [6; 65], ..request(1) };

        assert_eq!(repeat, Ok(None));
        assert_eq!(decide(&used, &other_keys, Some(&fact)), Err(no_such_invite()));
        assert_eq!(decide(&ticket(1, None), &request(1), Some(&fact)), Err(no_such_invite()));
        assert!(decide(&ticket(1, None), &request(1), None).unwrap().is_some());
    }

    #[test]
    fn a_card_without_a_blob_is_for_a_phone_that_asked() {
        let fact = RequestFact {
            members: vec![MemberId(2)],
            sign_pub: [4; 65],
            hpke_pub: [5; 65],
            code_hash: CodeHash([9; 32]),
            expires_at: 100,
        };
        let op = |sign: u8, members: &[u32]| Op::AddInvite {
            invite: InviteId(3),
            sign_pub: PublicKey([sign; 65]),
            hpke_pub: PublicKey([5; 65]),
            members: members.iter().copied().map(MemberId).collect(),
            expires_at: 90,
        };
        let card = |code: u8, blob: &[u8]| Card {
            invite: InviteId(3),
            code_hash: CodeHash([code; 32]),
            blob: blob.to_vec(),
        };
        let check = |op, card, now| {
            check_empty_cards(&[op], &[card], std::slice::from_ref(&fact), now).is_ok()
        };

        assert!(check(op(4, &[2]), card(9, b""), 50));
        assert!(!check(op(6, &[2]), card(9, b""), 50), "other keys");
        assert!(!check(op(4, &[1, 2]), card(9, b""), 50), "for more members");
        assert!(!check(op(4, &[2]), card(8, b""), 50), "another code");
        assert!(!check(op(4, &[2]), card(9, b""), 100), "the request has ended");
        assert!(check(op(6, &[1]), card(8, b"sealed"), 100), "an ordinary card");
    }
}

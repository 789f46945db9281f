//! New phones that ask to be let in, as this family sees them: with digits of its own link 1 and of
//! the keys in the request, so that a relay that exchanged either is found out on the telephone.

use jiashu_proto::entry::{Content, RequestFact, Seq};
use jiashu_proto::id::{LinkHash, Millis};
use jiashu_roster::{Op, PublicKey, compare_groups};
use serde::Serialize;
use serde_json::json;

use super::changes::line;
use super::letter::utc;
use crate::error::Result;
use crate::say::People;
use crate::state::chain::Family;
use crate::state::lane::Lane;
use crate::state::request::{self, Seen};
use crate::state::{State, fact};

/// What a key of a request's fact begins with.
const REQUEST_KEYS: &str = "request/";

/// More than a relay keeps for a family: one that invents more must not fill the screen.
const MAX_SHOWN: usize = 12;

/// A phone that asks, as it stands in the log.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    /// Its number for people: its place in the log.
    pub(super) seq: Seq,
    /// What it asks.
    pub(super) request: RequestFact,
    /// What both screens must show.
    pub(super) digits: [String; 6],
}

/// A request as `--json` has it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RequestJson {
    request: u64,
    serves: Vec<String>,
    digits: String,
    expires_at: String,
}

impl Asking {
    /// The six groups as they are read to each other.
    pub(super) fn groups(&self) -> String {
        self.digits.join(" ")
    }

    pub(super) fn json(&self, people: &People) -> RequestJson {
        let serves = self.request.members.iter();
        RequestJson {
            request: self.seq,
            serves: serves.map(|member| people.name(*member)).collect(),
            digits: self.digits.join("-"),
            expires_at: utc(self.request.expires_at),
        }
    }
}

/// The phones that ask now: not expired, not let in, and not refused here.
pub(super) fn open(state: &State, family: &Family, now: Millis) -> Result<Vec<Asking>> {
    let Some(first_link) = family.roster.hash_of(1) else { return Ok(Vec::new()) };
    let mut open = Vec::new();
    for fact in fact::with_prefix(state.db(), REQUEST_KEYS)? {
        let Content::Request(request) = fact.content else { continue };
        let refused = request::seen(state.db(), request.code_hash)? == Some(Seen::Refused);
        if request.expires_at > now && !refused && !is_let_in(family, &request) {
            let digits = digits(first_link, &request);
            open.push(Asking { seq: fact.seq, request, digits });
        }
    }
    let too_many = open.len().saturating_sub(MAX_SHOWN);
    Ok(open.split_off(too_many))
}

fn digits(first_link: LinkHash, request: &RequestFact) -> [String; 6] {
    compare_groups(first_link, &PublicKey(request.sign_pub), &PublicKey(request.hpke_pub))
}

/// Whether an op 2 of the chain names its keys.
fn is_let_in(family: &Family, request: &RequestFact) -> bool {
    let ops = family.links.iter().flat_map(|link| &link.ops);
    ops.into_iter().any(|op| match op {
        Op::AddInvite { sign_pub, hpke_pub, .. } => {
            sign_pub.0 == request.sign_pub || hpke_pub.0 == request.hpke_pub
        }
        _ => false,
    })
}

/// Says, once, which new phones ask.
pub(super) fn tell_new(
    state: &State,
    lane: &Lane,
    family: &Family,
    people: &People,
    as_json: bool,
    now: Millis,
) -> Result<()> {
    for asking in open(state, family, now)? {
        let hash = asking.request.code_hash;
        if request::seen(state.db(), hash)?.is_some() {
            continue;
        }
        request::mark(state.db(), hash, Seen::Told)?;
        let names = people.names(&asking.request.members);
        let (seq, digits) = (asking.seq, asking.groups());
        let next = if family.roster.may_write(lane.me()) {
            format!("call them, and if they read {digits}: jiashu admit {seq}")
        } else {
            "a parent or caregiver can let it in: jiashu admit".to_owned()
        };
        let words = format!("A new phone for {names} asks to be let in: {next}");
        line(&json!({ "request": asking.json(people) }), &words, as_json);
    }
    Ok(())
}

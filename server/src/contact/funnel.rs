//! How far a family's letters came: sent, on the phone, heard, answered. Counts alone, of what its ledger counts; to whom a
//! letter was and where it stands is read from the log, as the ledger does not say so.

use std::collections::BTreeMap;

use jiashu_contact::ledger::Way;
use jiashu_proto::entry::{Content, Cursor, Message, Noticed, Seq};
use jiashu_proto::frame::Reached;
use jiashu_proto::id::{MemberId, Millis, Ref, Role, Scope};

use super::known::Known;
use super::{gather, placement};
use crate::execute::Failure;
use crate::family::expiry::not_reached;
use crate::relay::Relay;
use crate::store::{PageLimit, ScopeState, Store, StoreError};

const HOUR_MS: Millis = 60 * 60 * 1000;

/// How far it looks back, in ms: twelve weeks, within what the relay keeps of letters.
const BACK_MS: Millis = 12 * 7 * 24 * HOUR_MS;

/// Within this time of hearing it who writes back has answered, in ms.
const ANSWER_MS: Millis = 72 * HOUR_MS;

/// Of the log at once.
const PAGE: PageLimit = PageLimit { entries: 1_000, bytes: 1024 * 1024 };

/// Of the log at most: more than a family writes in the time that letters are kept. Of what is beyond counts what was heard.
const MOST_PAGES: usize = 64;

/// How many came how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// That went.
    pub sent: u32,
    /// Of these, those that are on a phone of whom they were for.
    pub reached: u32,
    /// Of these, those that one of them heard.
    pub heard: u32,
    /// Of these, those after which somebody at home wrote back to the author in time; counted of the way home alone.
    pub answered: u32,
}

/// Each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Funnel {
    /// From parents to children.
    pub home: Steps,
    /// From children to parents.
    pub away: Steps,
}

/// What the log says of letters.
#[derive(Debug, Default)]
struct Letters {
    /// Where each stands, and what it says but for what is sealed.
    known: BTreeMap<Ref, (Seq, Message)>,
    /// Whom those that expired had not reached.
    missed: BTreeMap<Ref, Vec<MemberId>>,
}

impl Letters {
    fn message(&self, of: &Ref) -> Option<&Message> {
        self.known.get(of).map(|(_, message)| message)
    }
}

/// Of the last twelve weeks; none of a family that is not counted, or is another programme's by now.
///
/// # Errors
///
/// [`Failure`].
pub async fn funnel(
    relay: &Relay,
    programme: Scope,
    family: Scope,
) -> Result<Option<Funnel>, Failure> {
    let store = &*relay.store;
    let state = store.state(family).await?.ok_or(StoreError::NoScope)?;
    let placement = placement(store, family).await?.filter(|it| it.programme == programme);
    let Some(placement) = placement.filter(|_| state.counted_since.is_some()) else {
        return Ok(None);
    };
    let (known, _) = gather(relay, family, &state, &placement).await?;
    let letters = letters(store, family, &state).await?;
    let reached = store.cursors(family).await?;
    let from = relay.clock.now().saturating_sub(BACK_MS);
    Ok(Some(Came::of(&known, &letters, &state, &reached).since(from)))
}

/// What stands in the log behind its floor, of which only facts are left.
async fn letters(
    store: &dyn Store,
    family: Scope,
    state: &ScopeState,
) -> Result<Letters, StoreError> {
    let mut letters = Letters::default();
    let mut cursor = Cursor { generation: state.generation, seq: state.floor, tag: 0 };
    for _ in 0..MOST_PAGES {
        let page = store.read_after(family, cursor, PAGE).await?;
        for record in page.records {
            match Content::from_bytes(&record.content) {
                Ok(Content::Message(_, message)) => {
                    let message = Message { sealed: Vec::new(), ..message };
                    letters.known.insert(message.entry_ref, (record.seq, message));
                }
                Ok(Content::Notice(notice)) if notice.what == Noticed::Expired => {
                    letters.missed.extend(notice.of.map(|of| (of, notice.members)));
                }
                _ => {}
            }
        }
        if page.upto.seq >= page.head {
            break;
        }
        cursor = page.upto;
    }
    Ok(letters)
}

/// What there is to know of how far letters came.
struct Came<'a> {
    known: &'a Known,
    letters: &'a Letters,
    state: &'a ScopeState,
    reached: &'a [Reached],
    /// When the first at the other end heard each.
    heard_at: BTreeMap<Ref, Millis>,
    /// What those at home wrote, and when, in order. A letter that was recorded ahead is no answer.
    written: Vec<(Millis, &'a Message)>,
}

impl<'a> Came<'a> {
    fn of(
        known: &'a Known,
        letters: &'a Letters,
        state: &'a ScopeState,
        reached: &'a [Reached],
    ) -> Self {
        let mut heard_at = BTreeMap::new();
        for (of, by, heard) in &known.heard {
            let Some(sent) = known.sent.get(of) else { continue };
            if way(known, sent.from).is_some_and(|way| known.role(*by) == Some(hearer(way))) {
                // As it counts as contact.
                let at = heard.claimed.clamp(sent.at.min(heard.at), heard.at);
                let first = heard_at.entry(*of).or_insert(at);
                *first = at.min(*first);
            }
        }
        let is_home = |from| matches!(known.role(from), Some(Role::Child | Role::Caregiver));
        let from_home = known.sent.iter().filter(|(_, sent)| is_home(sent.from));
        let with_letter = from_home.filter_map(|(of, sent)| Some((sent.at, letters.message(of)?)));
        let mut written: Vec<_> =
            with_letter.filter(|(_, message)| message.fired.is_none()).collect();
        written.sort_unstable_by_key(|(at, _)| *at);
        Self { known, letters, state, reached, heard_at, written }
    }

    /// Of those that went since then.
    fn since(&self, from: Millis) -> Funnel {
        let mut funnel = Funnel::default();
        for (of, sent) in self.known.sent.iter().filter(|(_, sent)| from <= sent.at) {
            let Some(way) = way(self.known, sent.from).filter(|way| self.goes(of, *way)) else {
                continue;
            };
            let heard_at = self.heard_at.get(of);
            let steps = match way {
                Way::Home => &mut funnel.home,
                Way::Away => &mut funnel.away,
            };
            steps.sent += 1;
            steps.reached += u32::from(heard_at.is_some() || self.is_reached(of, way));
            steps.heard += u32::from(heard_at.is_some());
            if way == Way::Home {
                let is_answered = |at: &Millis| self.is_answered(sent.from, *at);
                steps.answered += u32::from(heard_at.is_some_and(is_answered));
            }
        }
        funnel
    }

    /// Whether somebody at the other end was to have it. Of a letter that the log has no more it is taken that it was for all.
    fn goes(&self, of: &Ref, way: Way) -> bool {
        let is_for = |message| self.for_whom(message, way).next().is_some();
        self.letters.message(of).is_none_or(is_for)
    }

    /// Those at the other end for whom it is.
    fn for_whom(&self, message: &Message, way: Way) -> impl Iterator<Item = MemberId> {
        let members = self.known.roster.members().iter();
        let there = members.filter(move |(_, role)| **role == hearer(way));
        there.map(|(member, _)| *member).filter(|member| is_to(message, *member))
    }

    /// Whether a phone of one of them has it. What was kept from a suspended member, or expired before, it has not.
    fn is_reached(&self, of: &Ref, way: Way) -> bool {
        let Some((seq, message)) = self.letters.known.get(of) else { return false };
        let mut missed = not_reached(*seq, message, self.state, self.reached);
        missed.extend(self.letters.missed.get(of).into_iter().flatten());
        let is_kept_from = |member: MemberId| {
            self.state.suspended.iter().any(|one| one.member == member && one.holds(*seq))
        };
        let mut for_whom = self.for_whom(message, way);
        for_whom.any(|member| !missed.contains(&member) && !is_kept_from(member))
    }

    /// Whether somebody at home wrote to that parent within the time after one was heard.
    fn is_answered(&self, parent: MemberId, heard_at: Millis) -> bool {
        let first = self.written.partition_point(|(at, _)| *at < heard_at);
        let until = heard_at.saturating_add(ANSWER_MS);
        let mut after = self.written.iter().skip(first).take_while(|(at, _)| *at <= until);
        after.any(|(_, message)| is_to(message, parent))
    }
}

/// Which way somebody's letters go; a caregiver's are counted apart.
fn way(known: &Known, author: MemberId) -> Option<Way> {
    match known.role(author)? {
        Role::Parent => Some(Way::Home),
        Role::Child => Some(Way::Away),
        Role::Caregiver => None,
    }
}

fn hearer(way: Way) -> Role {
    match way {
        Way::Home => Role::Child,
        Way::Away => Role::Parent,
    }
}

fn is_to(message: &Message, member: MemberId) -> bool {
    message.to.is_empty() || message.to.contains(&member)
}

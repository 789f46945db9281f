//! From a command to its answer: reads what the decision needs, has it decided, commits it.
//!
//! Which commands there are and what they may do is `family`'s; who is on the lane, `session`'s. Here
//! are those of devices; what needs no token is in `door`, what staff do in `staff`.

use jiashu_proto::bounds;
use jiashu_proto::entry::{
    Content, LINK_KEYS, REQUEST_KEYS, RequestFact, Seq, link_key, schedule_key,
};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{
    ClientFrame, GiveBack, GivenBack, Hold, Plan, Posted, Preview, Previewed, Refused, Turn,
};
use jiashu_proto::id::{DeviceId, Epoch, LinkHash, Millis, N, Ref, Scope};
use jiashu_roster::{Change as Turned, Link, Roster};

use crate::family::held::{decide_hold, give_back};
use crate::family::invites::check_invites;
use crate::family::message::{decide_post, decide_report};
use crate::family::roster::decide_turn;
use crate::family::schedule::{Standing, decide_plan, preview};
use crate::family::suspension::{speaker, suspended};
use crate::family::{Refusal, Sender, erased, new_chain, no_such_invite};
use crate::relay::Relay;
use crate::store::{Author, Batch, Precondition, Store, StoreError};

pub mod blob;

pub mod door;

pub mod family;

pub mod link;

pub mod staff;

pub mod transfer;

/// How long a client waits before it repeats what the store could not do, in ms.
const RETRY_MS: u32 = 2_000;

/// How often a decision is made anew because what it saw had changed.
pub const ATTEMPTS: usize = 4;

/// What a client is told that decided by what has changed.
const CHANGED: &str = "it has changed meanwhile: read on and decide again";

/// Why a command was not done.
#[derive(Debug)]
pub enum Failure {
    /// A rule of the domain says no.
    Refused(Refusal),
    /// The store says no.
    Store(StoreError),
    /// Stored bytes are not to be had just now.
    Blobs(Box<dyn std::error::Error + Send + Sync>),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    /// What the client is told, with the counter of its command.
    #[must_use]
    pub fn answer(self, n: Option<N>) -> Refused {
        let (code, text, retry_after_ms, last_n) = match self {
            Self::Refused(refusal) => refused(refusal),
            Self::Store(StoreError::Renumber { last_n }) => {
                let text = format!("the last counter used is {last_n}");
                (ErrorCode::Renumber, text, None, Some(last_n))
            }
            Self::Store(StoreError::Stale { precondition }) => refused(stale(&precondition)),
            Self::Store(StoreError::Superseded) => refused(new_chain()),
            Self::Store(StoreError::Erased) => refused(erased()),
            Self::Store(StoreError::NotLive | StoreError::NoScope) => {
                let text = "this phone is not, or no longer, part of the family";
                (ErrorCode::Unauthorised, text.into(), None, None)
            }
            Self::Store(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a command failed");
                refused(unavailable())
            }
            Self::Blobs(error) => {
                let error: &dyn std::error::Error = &*error;
                tracing::error!(error, "stored bytes are not to be had");
                refused(unavailable())
            }
        };
        Refused { code, text, n, retry_after_ms, last_n, to_close: None }
    }
}

fn unavailable() -> Refusal {
    let text = "the relay cannot do this just now: keep it and try again";
    Refusal::new(ErrorCode::Unavailable, text)
}

/// What is not to be had now always says when to ask again.
fn refused(refusal: Refusal) -> (ErrorCode, String, Option<u32>, Option<N>) {
    let retry = (refusal.code == ErrorCode::Unavailable).then_some(RETRY_MS);
    (refusal.code, refusal.text, retry, None)
}

fn stale(precondition: &Precondition) -> Refusal {
    match precondition {
        Precondition::Active => Refusal::new(
            ErrorCode::NotActive,
            "taking part is not recorded yet: it waits, and leaves by itself",
        ),
        Precondition::ToCloseWithin(_) => {
            Refusal::new(ErrorCode::TurnFirst, "a phone or card is to be closed first")
        }
        Precondition::Epoch(_) => Refusal::new(ErrorCode::EpochOld, "the family's key has changed"),
        Precondition::NotSuspended(_) => suspended(),
        Precondition::HeldBelow(_) => {
            Refusal::new(ErrorCode::Full, "too many letters wait already")
        }
        Precondition::Holds(..) => {
            Refusal::new(ErrorCode::Unknown, "this letter waits no longer: it has gone")
        }
        Precondition::InviteOpen(_) => no_such_invite(),
        Precondition::Absent => Refusal::new(ErrorCode::Exists, "there is one already"),
        Precondition::NotDue(..) => {
            Refusal::new(ErrorCode::Unavailable, "something of it is due just now: wait for that")
        }
        Precondition::RosterHead(_)
        | Precondition::Tickets(_)
        | Precondition::FactAt(..)
        | Precondition::DueAt(..)
        | Precondition::RowsAre(..)
        | Precondition::HeldAre { .. } => Refusal::new(ErrorCode::Stale, CHANGED),
    }
}

/// The counter and name of a device's command; `None` for any other frame.
#[must_use]
pub fn name_of(command: &ClientFrame) -> Option<(N, Ref)> {
    match command {
        ClientFrame::Post(post) => Some((post.n, post.entry_ref)),
        ClientFrame::Report(report) => Some((report.n, report.entry_ref)),
        ClientFrame::Hold(hold) => Some((hold.n, hold.name())),
        ClientFrame::Plan(plan) => Some((plan.n, plan.entry_ref)),
        ClientFrame::Turn(turn) => Some((turn.n, turn.entry_ref)),
        ClientFrame::Intend(intend) => Some((intend.n, intend.entry_ref)),
        ClientFrame::Withdraw(withdraw) => Some((withdraw.n, withdraw.entry_ref)),
        ClientFrame::AskForHelp(ask) => Some((ask.n, ask.entry_ref)),
        ClientFrame::Reach(reach) => Some((reach.n, reach.entry_ref)),
        ClientFrame::Leave(leave) => Some((leave.n, leave.entry_ref)),
        _ => None,
    }
}

/// Does a device's command; `None` if the frame is not one.
pub async fn command(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    frame: ClientFrame,
) -> Option<Result<Posted, Refused>> {
    let (n, entry_ref) = name_of(&frame)?;
    let turned = match &frame {
        ClientFrame::Turn(turn) => Some(turn.link.clone()),
        _ => None,
    };
    let mut done = device_command(relay, scope, sender, frame, n, entry_ref).await;
    if let (Some(link), Ok(posted)) = (turned, &mut done)
        && posted.seq == 0
    {
        // It stood in the chain before this command: handed in by somebody.
        match place_of_link(&*relay.store, scope, &link).await {
            Ok(place) => posted.seq = place,
            Err(error) => done = Err(error.into()),
        }
    }
    let mut refused = match done {
        Ok(posted) => return Some(Ok(posted)),
        Err(failure) => failure.answer(Some(n)),
    };
    if refused.code == ErrorCode::TurnFirst {
        say_what_to_close(relay, scope, &mut refused).await;
    }
    Some(Err(refused))
}

/// A refusal that asks for a link says what that link must close.
async fn say_what_to_close(relay: &Relay, scope: Scope, refused: &mut Refused) {
    match relay.store.state(scope).await {
        Ok(Some(state)) if !state.to_close.is_empty() => {
            refused.to_close = Some(state.to_close.clone());
        }
        // Closed between the two looks, by a link of another phone.
        _ => (refused.code, refused.text) = (ErrorCode::Stale, CHANGED.to_owned()),
    }
}

/// Where a link stands in the log; 0 if it does not.
async fn place_of_link(store: &dyn Store, scope: Scope, link: &[u8]) -> Result<Seq, StoreError> {
    let Ok(link) = Link::parse(link) else { return Ok(0) };
    let Ok(body) = link.read() else { return Ok(0) };
    let standing = link_at(store, scope, body.number).await?;
    Ok(standing.filter(|(_, known)| known.hash() == link.hash()).map_or(0, |(place, _)| place))
}

/// The link of that number, and its place.
async fn link_at(
    store: &dyn Store,
    scope: Scope,
    number: Epoch,
) -> Result<Option<(Seq, Link)>, StoreError> {
    let record = store.fact(scope, &link_key(number)).await?;
    Ok(record.and_then(|record| match Content::from_bytes(&record.content) {
        Ok(Content::Link(fact)) => Some((record.seq, Link::parse(&fact.link).ok()?)),
        _ => None,
    }))
}

async fn device_command(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    frame: ClientFrame,
    n: N,
    entry_ref: Ref,
) -> Result<Posted, Failure> {
    let now = relay.clock.now();
    check_sealed(&frame, relay.config.limits.sealed_bytes)?;
    let batch = match frame {
        ClientFrame::Post(post) if post.blob.is_none() => decide_post(sender, post, None, now)?,
        ClientFrame::Report(report) => decide_report(sender, report, now)?,
        frame => {
            let repeated = Box::pin(repeated(relay, scope, sender.device, n, entry_ref)).await?;
            if let Some(posted) = repeated {
                return Ok(posted);
            }
            Box::pin(decided_by_what_stands(relay, scope, sender, frame)).await?
        }
    };
    let committed = relay.store.commit(scope, batch).await?;
    Ok(Posted { n, entry_ref, seq: committed.first, at: committed.at })
}

/// What a command does that looks at what stands before it.
async fn decided_by_what_stands(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    frame: ClientFrame,
) -> Result<Batch, Failure> {
    match frame {
        ClientFrame::Post(post) => {
            let claim = blob::claimed(relay, scope, post.blob).await?;
            Ok(decide_post(sender, post, claim, relay.clock.now())?)
        }
        ClientFrame::Hold(hold) => hold_batch(relay, scope, sender, hold).await,
        ClientFrame::Plan(plan) => plan_batch(relay, scope, sender, plan).await,
        ClientFrame::Turn(turn) => turn_batch(relay, scope, sender, turn).await,
        ClientFrame::Intend(intend) => family::intend_batch(relay, scope, sender, intend).await,
        ClientFrame::Withdraw(withdraw) => {
            family::withdrawal(relay, scope, sender, &withdraw).await
        }
        ClientFrame::Leave(leave) => family::leave_batch(relay, scope, sender, &leave).await,
        ClientFrame::AskForHelp(ask) => family::help_batch(relay, scope, sender, &ask).await,
        ClientFrame::Reach(reach) => family::reach_batch(relay, scope, sender, reach).await,
        _ => Err(Refusal::new(ErrorCode::UnknownKind, "not a command").into()),
    }
}

/// The operator may allow less than the protocol does.
fn check_sealed(frame: &ClientFrame, most: usize) -> Result<(), Refusal> {
    let sealed = match frame {
        ClientFrame::Post(post) => post.sealed.len(),
        ClientFrame::Hold(hold) => hold.sealed.len(),
        _ => 0,
    };
    if sealed > most {
        return Err(Refusal::new(ErrorCode::TooLarge, format!("at most {most} bytes")));
    }
    Ok(())
}

/// The first answer to a command that was done before, or that its counter is wrong.
///
/// The store says both for commands that are decided without a look at the log. These are decided
/// by what they see, and what they did has changed that: the repeat must be known before.
async fn repeated(
    relay: &Relay,
    scope: Scope,
    device: DeviceId,
    n: N,
    entry_ref: Ref,
) -> Result<Option<Posted>, Failure> {
    let state = relay.store.state(scope).await?.ok_or(StoreError::NoScope)?;
    let seat = state.seats.get(&device).ok_or(StoreError::NotLive)?;
    if seat.place_of(entry_ref).is_some() {
        let author = Some(Author { device, n, entry_ref });
        let first = Batch { author, ..Batch::new(relay.clock.now()) };
        let committed = relay.store.commit(scope, first).await?;
        return Ok(Some(Posted { n, entry_ref, seq: committed.first, at: committed.at }));
    }
    if n == seat.last_n.saturating_add(1) {
        Ok(None)
    } else {
        Err(StoreError::Renumber { last_n: seat.last_n }.into())
    }
}

async fn hold_batch(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    hold: Hold,
) -> Result<Batch, Failure> {
    let store = &*relay.store;
    let claim = blob::claimed(relay, scope, hold.blob).await?;
    let standing = schedule(store, scope, hold.schedule).await?;
    let held = store.held(scope, hold.schedule).await?;
    Ok(decide_hold(sender, hold, claim, standing.as_ref(), &held, relay.clock.now())?)
}

async fn plan_batch(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    plan: Plan,
) -> Result<Batch, Failure> {
    let id = plan.schedule.unwrap_or(plan.entry_ref);
    // Those that ended stay as facts: not the whole of them for the one that is meant.
    let standing = schedule(&*relay.store, scope, id).await?;
    let running = relay.store.running(scope).await?;
    // Only who takes over from another member is asked for: a chain may have to be read for it.
    let takes_over = standing.as_ref().is_some_and(|one| one.schedule.from != plan.from);
    let roster = if takes_over {
        let state = relay.store.state(scope).await?.ok_or(StoreError::NoScope)?;
        Some(roster(relay, scope, state.roster_head).await?)
    } else {
        None
    };
    let role_of =
        |member| roster.as_ref().and_then(|roster| roster.members().get(&member)).copied();
    Ok(decide_plan(sender, plan, standing.as_ref(), running, role_of, relay.clock.now())?)
}

/// The bodies that a schedule holds, for a device of their author.
///
/// # Errors
///
/// [`Failure`] if the store cannot be read.
pub async fn given_back(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    asked: GiveBack,
) -> Result<GivenBack, Failure> {
    let held = relay.store.held(scope, asked.schedule).await?;
    Ok(give_back(sender, asked.schedule, held, asked.after))
}

/// When a rule happens, on the clocks asked for.
///
/// # Errors
///
/// [`ErrorCode::BadRule`] if it is no rule, or a zone is none; [`ErrorCode::TooLarge`] over a bound.
pub fn previewed(asked: &Preview, now: Millis) -> Result<Previewed, Failure> {
    let count = usize::try_from(asked.count).unwrap_or(usize::MAX);
    if count > bounds::MAX_PREVIEW || asked.zones.len() > bounds::MAX_PREVIEW_ZONES {
        let text = "a preview is of at most 64 occurrences on 4 clocks";
        return Err(Refusal::new(ErrorCode::TooLarge, text).into());
    }
    Ok(preview(&asked.rule, &asked.zones, asked.after.unwrap_or(now), count)?)
}

/// The schedules of a family whose key begins so.
///
/// # Errors
///
/// [`StoreError`].
pub async fn schedules(
    store: &dyn Store,
    scope: Scope,
    prefix: &str,
) -> Result<Vec<Standing>, StoreError> {
    let facts = store.facts(scope, prefix).await?;
    Ok(facts
        .into_iter()
        .filter_map(|(_, record)| match Content::from_bytes(&record.content) {
            Ok(Content::Schedule(schedule)) => Some(Standing { seq: record.seq, schedule }),
            _ => None,
        })
        .collect())
}

/// One schedule.
///
/// # Errors
///
/// [`StoreError`].
pub async fn schedule(
    store: &dyn Store,
    scope: Scope,
    id: Ref,
) -> Result<Option<Standing>, StoreError> {
    let record = store.fact(scope, &schedule_key(id)).await?;
    Ok(record.and_then(|record| match Content::from_bytes(&record.content) {
        Ok(Content::Schedule(schedule)) => Some(Standing { seq: record.seq, schedule }),
        _ => None,
    }))
}

async fn turn_batch(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    turn: Turn,
) -> Result<Batch, Failure> {
    let state = relay.store.state(scope).await?.ok_or(StoreError::NoScope)?;
    let roster = roster(relay, scope, state.roster_head).await?;
    let speaker = speaker(&state, &roster, &sender.members)?;
    let (terms, now) = (relay.config.limits.invites(), relay.clock.now());
    // One that was handed in already has its invites among those that are open.
    if !Link::parse(&turn.link).is_ok_and(|link| roster.has(&link)) {
        check_invites(&turn.link, roster.invites().len(), terms, now)?;
    }
    // Only a card without a blob is for somebody who asked.
    let requests = if turn.cards.iter().any(|card| card.blob.is_empty()) {
        requests(&*relay.store, scope, REQUEST_KEYS).await?
    } else {
        Vec::new()
    };
    let mut batch = decide_turn(sender, &state, roster, &requests, turn, now)?;
    batch.requires.extend(speaker.map(Precondition::NotSuspended));
    Ok(batch)
}

/// What new phones ask, whose key begins so.
async fn requests(
    store: &dyn Store,
    scope: Scope,
    prefix: &str,
) -> Result<Vec<RequestFact>, StoreError> {
    let facts = store.facts(scope, prefix).await?;
    Ok(facts
        .into_iter()
        .filter_map(|(_, record)| match Content::from_bytes(&record.content) {
            Ok(Content::Request(request)) => Some(request),
            _ => None,
        })
        .collect())
}

/// The family's roster up to the newest link, whose hash its state names.
///
/// # Errors
///
/// [`Failure`].
pub async fn roster(relay: &Relay, scope: Scope, head: LinkHash) -> Result<Roster, Failure> {
    match relay.rosters.at(scope, head) {
        Some(roster) => Ok(roster),
        None => Ok(checked_links(relay, scope).await?.0),
    }
}

/// The family's links as signed. A chain up to this newest one may have been checked before.
async fn links(relay: &Relay, scope: Scope, head: LinkHash) -> Result<Vec<Vec<u8>>, Failure> {
    if relay.rosters.at(scope, head).is_some() {
        Ok(stored_links(&*relay.store, scope).await?)
    } else {
        Ok(checked_links(relay, scope).await?.1)
    }
}

/// The family's roster, its links as signed, and what each changed, read and checked from link 1 on.
async fn checked_links(
    relay: &Relay,
    scope: Scope,
) -> Result<(Roster, Vec<Vec<u8>>, Vec<Turned>), Failure> {
    let links = stored_links(&*relay.store, scope).await?;
    let (roster, turned) = Roster::replay(&links).map_err(|error| {
        tracing::error!(family.id = %scope, %error, "a stored roster fails its check");
        Refusal::new(ErrorCode::Unavailable, "the family's roster is damaged: tell the operator")
    })?;
    relay.rosters.keep(scope, &roster);
    Ok((roster, links, turned))
}

async fn stored_links(store: &dyn Store, scope: Scope) -> Result<Vec<Vec<u8>>, StoreError> {
    let facts = store.facts(scope, LINK_KEYS).await?;
    Ok(facts
        .into_iter()
        .filter_map(|(_, record)| match Content::from_bytes(&record.content) {
            Ok(Content::Link(fact)) => Some(fact.link),
            _ => None,
        })
        .collect())
}

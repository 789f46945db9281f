//! From a command to its answer: reads what the decision needs, has it decided, commits it.
//!
//! Which commands there are and what they may do is `family`'s; who is on the lane, `session`'s.

use jiashu_proto::entry::{
    Consent, Content, LINK_KEYS, ScheduleState, Seq, WRAPS_KEY, link_key, schedule_key,
};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{
    ClientFrame, Enrol, Enrolled, HandIn, HandedIn, Hold, Invited, Join, Joined, Look, Plan,
    Posted, RecordConsent, Refused, Turn,
};
use jiashu_proto::id::{DeviceId, Epoch, N, Ref, Scope};
use jiashu_roster::{Link, Roster};

use crate::family::enrolment::{
    case_key, decide_consent, decide_enrolment, found_family, read_case,
};
use crate::family::healing::{Lacking, decide_hand_in, does_not_follow, lacking};
use crate::family::message::{decide_hold, decide_post, decide_report};
use crate::family::roster::{Joining, decide_join, decide_turn, find_invite, open_invite};
use crate::family::schedule::{Standing, decide_plan};
use crate::family::{Refusal, Sender, no_such_invite};
use crate::relay::Relay;
use crate::store::{Author, Batch, Change, DueItem, Precondition, Store, StoreError};

/// How long a client waits before it repeats what the store could not do, in ms.
const RETRY_MS: u32 = 2_000;

/// How often a decision is made anew because what it saw had changed.
const ATTEMPTS: usize = 4;

/// Why a command was not done.
#[derive(Debug)]
pub enum Failure {
    /// A rule of the domain says no.
    Refused(Refusal),
    /// The store says no.
    Store(StoreError),
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
            Self::Refused(refusal) => (refusal.code, refusal.text, None, None),
            Self::Store(StoreError::Renumber { last_n }) => {
                let text = format!("the last counter used is {last_n}");
                (ErrorCode::Renumber, text, None, Some(last_n))
            }
            Self::Store(StoreError::Stale { precondition }) => {
                let refusal = stale(&precondition);
                (refusal.code, refusal.text, None, None)
            }
            Self::Store(StoreError::NotLive | StoreError::NoScope) => {
                let text = "this phone is not, or no longer, part of the family";
                (ErrorCode::Unauthorised, text.into(), None, None)
            }
            Self::Store(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a command failed");
                let text = "the relay cannot do this just now: keep it and try again";
                (ErrorCode::Unavailable, text.into(), Some(RETRY_MS), None)
            }
        };
        Refused { code, text, n, retry_after_ms, last_n, to_close: None }
    }
}

fn stale(precondition: &Precondition) -> Refusal {
    match precondition {
        Precondition::Active => Refusal::new(
            ErrorCode::NotActive,
            "taking part is not recorded yet: it waits, and leaves by itself",
        ),
        Precondition::Epoch(_) => Refusal::new(ErrorCode::EpochOld, "the family's key has changed"),
        Precondition::HeldBelow(_) => {
            Refusal::new(ErrorCode::Full, "too many letters wait already")
        }
        Precondition::InviteOpen(_) => no_such_invite(),
        Precondition::Absent => Refusal::new(ErrorCode::Exists, "there is one already"),
        Precondition::RosterHead(_) | Precondition::FactAt(..) | Precondition::DueAt(..) => {
            Refusal::new(ErrorCode::Stale, "it has changed meanwhile: read on and decide again")
        }
    }
}

/// The counter and name of a device's command.
fn name_of(command: &ClientFrame) -> Option<(N, Ref)> {
    match command {
        ClientFrame::Post(post) => Some((post.n, post.entry_ref)),
        ClientFrame::Report(report) => Some((report.n, report.entry_ref)),
        ClientFrame::Hold(hold) => Some((hold.n, hold.name())),
        ClientFrame::Plan(plan) => Some((plan.n, plan.entry_ref)),
        ClientFrame::Turn(turn) => Some((turn.n, turn.entry_ref)),
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
    Some(done.map_err(|failure| failure.answer(Some(n))))
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
    let facts = store.facts(scope, &link_key(number)).await?;
    Ok(facts.into_iter().find_map(|(_, record)| match Content::from_bytes(&record.content) {
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
    let batch = match frame {
        ClientFrame::Post(post) => decide_post(sender, post, now)?,
        ClientFrame::Report(report) => decide_report(sender, report, now)?,
        ClientFrame::Hold(hold) => {
            if let Some(posted) = repeated(relay, scope, sender.device, n, entry_ref).await? {
                return Ok(posted);
            }
            hold_batch(relay, scope, sender, hold).await?
        }
        ClientFrame::Plan(plan) => {
            if let Some(posted) = repeated(relay, scope, sender.device, n, entry_ref).await? {
                return Ok(posted);
            }
            plan_batch(relay, scope, sender, plan).await?
        }
        ClientFrame::Turn(turn) => {
            if let Some(posted) = repeated(relay, scope, sender.device, n, entry_ref).await? {
                return Ok(posted);
            }
            turn_batch(relay, scope, sender, turn).await?
        }
        _ => return Err(Refusal::new(ErrorCode::UnknownKind, "not a command").into()),
    };
    let committed = relay.store.commit(scope, batch).await?;
    Ok(Posted { n, entry_ref, seq: committed.first, at: committed.at })
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
    let standing = schedule(store, scope, hold.schedule).await?;
    let held = store.held(scope, hold.schedule).await?;
    Ok(decide_hold(sender, hold, standing.as_ref(), &held, relay.clock.now())?)
}

async fn plan_batch(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    plan: Plan,
) -> Result<Batch, Failure> {
    let id = plan.schedule.unwrap_or(plan.entry_ref);
    let schedules = schedules(&*relay.store, scope, "schedule/").await?;
    let standing = schedules.iter().find(|standing| standing.schedule.id == id);
    let running = schedules
        .iter()
        .filter(|standing| standing.schedule.state == ScheduleState::Active)
        .count();
    Ok(decide_plan(sender, plan, standing, running, relay.clock.now())?)
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
    Ok(schedules(store, scope, &schedule_key(id)).await?.pop())
}

async fn turn_batch(
    relay: &Relay,
    scope: Scope,
    sender: &Sender,
    turn: Turn,
) -> Result<Batch, Failure> {
    let state = relay.store.state(scope).await?.ok_or(StoreError::NoScope)?;
    let (roster, _) = roster(&*relay.store, scope).await?;
    Ok(decide_turn(sender, &state, roster, turn, relay.clock.now())?)
}

/// Takes back links that the relay lost. `vouched` says that a live device of the family hands them
/// in. Needs no token; a repeat finds them there.
///
/// # Errors
///
/// [`Failure`].
pub async fn hand_in(relay: &Relay, hand_in: HandIn, vouched: bool) -> Result<HandedIn, Failure> {
    let mut attempts = 0..ATTEMPTS;
    loop {
        match hand_in_once(relay, &hand_in, vouched).await {
            // Perhaps by another phone that hands in the same: then the next look finds it done.
            Err(Failure::Store(StoreError::Stale { .. })) if attempts.next().is_some() => {}
            done => return done,
        }
    }
}

async fn hand_in_once(relay: &Relay, hand_in: &HandIn, vouched: bool) -> Result<HandedIn, Failure> {
    let (store, scope) = (&*relay.store, hand_in.scope);
    let state = store.state(scope).await?;
    let lacking = lacking(hand_in, state.as_deref())?;
    let state = state.ok_or_else(does_not_follow)?;
    let links = match lacking {
        Lacking::Links(links) => links,
        Lacking::Nothing(number, hash) => {
            let known = link_at(store, scope, number).await?.map(|(_, link)| link.hash());
            known.filter(|known| *known == hash).ok_or_else(does_not_follow)?;
            return Ok(HandedIn { epoch: state.epoch });
        }
    };
    let (roster, _) = roster(store, scope).await?;
    if roster.head() != state.roster_head {
        // Another link came between the two looks.
        let precondition = Precondition::RosterHead(state.roster_head);
        return Err(StoreError::Stale { precondition }.into());
    }
    let (wraps, now) = (hand_in.wraps.clone(), relay.clock.now());
    let count = links.len();
    let batch = decide_hand_in(&state, roster, links, wraps, vouched, now)?;
    store.commit(scope, batch).await?;
    tracing::info!(family.id = %scope, "{count} links that were lost are handed in");
    let state = store.state(scope).await?.ok_or_else(does_not_follow)?;
    Ok(HandedIn { epoch: state.epoch })
}

/// The family's roster, and its links as signed.
async fn roster(store: &dyn Store, scope: Scope) -> Result<(Roster, Vec<Vec<u8>>), Failure> {
    let facts = store.facts(scope, LINK_KEYS).await?;
    let links: Vec<_> = facts
        .into_iter()
        .filter_map(|(_, record)| match Content::from_bytes(&record.content) {
            Ok(Content::Link(fact)) => Some(fact.link),
            _ => None,
        })
        .collect();
    let (roster, _) = Roster::replay(&links).map_err(|error| {
        tracing::error!(family.id = %scope, %error, "a stored roster fails its check");
        Refusal::new(ErrorCode::Unavailable, "the family's roster is damaged: tell the operator")
    })?;
    Ok((roster, links))
}

/// What an invite opens.
///
/// # Errors
///
/// [`Failure`]; a wrong family and a wrong code are one answer.
pub async fn look(relay: &Relay, look: &Look) -> Result<Invited, Failure> {
    let store = &*relay.store;
    let state = store.state(look.scope).await?.ok_or_else(no_such_invite)?;
    let invite = open_invite(&state, &look.code, relay.clock.now())?;
    let expires_at = state.invites.get(&invite).map_or(0, |invite| invite.expires_at);
    let blob = store.card(look.scope, invite).await?.ok_or_else(no_such_invite)?;
    let (_, links) = roster(store, look.scope).await?;
    let wraps = store.facts(look.scope, WRAPS_KEY).await?.into_iter().find_map(|(_, record)| {
        match Content::from_bytes(&record.content) {
            Ok(Content::Wraps(fact)) => Some(fact.wraps.into()),
            _ => None,
        }
    });
    let links = links.into_iter().map(Into::into).collect();
    Ok(Invited { invite, blob, links, wraps, expires_at })
}

/// Uses an invite.
///
/// # Errors
///
/// [`Failure`].
pub async fn join(relay: &Relay, join: Join) -> Result<Joined, Failure> {
    let mut attempts = 0..ATTEMPTS;
    loop {
        match join_once(relay, join.clone()).await {
            // Perhaps by this very join, sent twice: then the next look finds it done.
            Err(Failure::Store(StoreError::Stale { .. })) if attempts.next().is_some() => {}
            done => return done,
        }
    }
}

async fn join_once(relay: &Relay, join: Join) -> Result<Joined, Failure> {
    let scope = join.scope;
    let state = relay.store.state(scope).await?.ok_or_else(no_such_invite)?;
    // Before the chain is read: who has no code costs nothing.
    find_invite(&state, &join.code).ok_or_else(no_such_invite)?;
    let (roster, _) = roster(&*relay.store, scope).await?;
    match decide_join(&state, roster, join, relay.clock.now())? {
        Joining::Before(device, seq) => Ok(Joined { device, seq }),
        Joining::New(device, batch) => {
            let committed = relay.store.commit(scope, batch).await?;
            tracing::info!(family.id = %scope, "device {device} joined");
            Ok(Joined { device, seq: committed.first })
        }
    }
}

/// Enrols a family in two steps; a repeat finds them done.
///
/// # Errors
///
/// [`Failure`].
pub async fn enrol(relay: &Relay, programme: Scope, enrol: Enrol) -> Result<Enrolled, Failure> {
    note_case(relay, programme, &enrol, None).await?;
    let done = finish_enrolment(relay, programme, &enrol.case_code).await;
    let Err(Failure::Refused(Refusal { code: ErrorCode::Exists, .. })) = &done else {
        return done;
    };
    let (place, noted) = case(&*relay.store, programme, &enrol.case_code).await?;
    if noted == enrol {
        return done;
    }
    // What stands was noted with a number that was taken; this one may be free.
    note_case(relay, programme, &enrol, Some(place)).await?;
    finish_enrolment(relay, programme, &enrol.case_code).await
}

/// Step one of an enrolment. A case that was noted otherwise meanwhile stays as it is.
async fn note_case(
    relay: &Relay,
    programme: Scope,
    enrol: &Enrol,
    standing: Option<Seq>,
) -> Result<(), Failure> {
    let batch = decide_enrolment(enrol, standing, relay.clock.now())?;
    match relay.store.commit(programme, batch).await {
        Ok(_) | Err(StoreError::Stale { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Step two of an enrolment, from what step one noted. May be repeated.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Exists`] if the family's number is another family's.
pub async fn finish_enrolment(
    relay: &Relay,
    programme: Scope,
    case_code: &str,
) -> Result<Enrolled, Failure> {
    let store = &*relay.store;
    let (_, case) = case(store, programme, case_code).await?;
    let done = match store.commit(case.family, found_family(&case, relay.clock.now())?).await {
        Ok(_) => {
            tracing::info!(family.id = %case.family, "enrolled a family");
            true
        }
        Err(StoreError::Stale { .. }) => {
            let (_, links) = roster(store, case.family).await?;
            links.first() == Some(&case.link)
        }
        Err(error) => return Err(error.into()),
    };
    let clear = Batch {
        changes: vec![Change::ClearDue(DueItem::Enrolment(case_code.into()))],
        ..Batch::new(relay.clock.now())
    };
    store.commit(programme, clear).await?;
    if !done {
        let text = "the family's number is taken: enrol it with another";
        return Err(Refusal::new(ErrorCode::Exists, text).into());
    }
    let state = store.state(case.family).await?.ok_or(StoreError::NoScope)?;
    Ok(Enrolled { case_code: case.case_code, family: case.family, active: state.active })
}

/// A case as it is noted, and its place.
async fn case(
    store: &dyn Store,
    programme: Scope,
    case_code: &str,
) -> Result<(Seq, Enrol), Failure> {
    let key = case_key(case_code);
    let facts = store.facts(programme, &key).await?;
    let record = facts.into_iter().find(|(found, _)| *found == key);
    record
        .and_then(|(_, record)| Some((record.seq, read_case(&record.content).ok()?)))
        .ok_or_else(|| Refusal::new(ErrorCode::Unknown, "there is no such case").into())
}

/// Records consent of a member.
///
/// # Errors
///
/// [`Failure`].
pub async fn record_consent(
    relay: &Relay,
    programme: Scope,
    record: &RecordConsent,
) -> Result<Enrolled, Failure> {
    let store = &*relay.store;
    let (_, case) = case(store, programme, &record.case_code).await?;
    let (roster, links) = roster(store, case.family).await?;
    if links.first() != Some(&case.link) {
        // Noted with a number that was taken: the family there is not this case's.
        return Err(Refusal::new(ErrorCode::Unknown, "there is no such case").into());
    }
    let mut attempts = 0..ATTEMPTS;
    loop {
        let standing = consents(store, case.family).await?;
        let (batch, active) = decide_consent(record, &roster, &standing, relay.clock.now())?;
        match store.commit(case.family, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                return Ok(Enrolled { case_code: case.case_code, family: case.family, active });
            }
        }
    }
}

async fn consents(store: &dyn Store, family: Scope) -> Result<Vec<(Seq, Consent)>, StoreError> {
    let facts = store.facts(family, "consent/").await?;
    Ok(facts
        .into_iter()
        .filter_map(|(_, record)| match Content::from_bytes(&record.content) {
            Ok(Content::Consent(consent)) => Some((record.seq, consent)),
            _ => None,
        })
        .collect())
}

//! E-mail to staff and parents.
//!
//! What is to be told stands in an outbox (`outbox`) beside the log that it is of, written in the same commit as its cause,
//! and on the due index. When it is due, whom to tell and what is looked up here, what it says is written once (`letter`,
//! of which `digest` is the Monday's, made of `lines`), that it is tried is written down, and it is handed to whoever takes mail
//! (`mailer`). Only when that has it, it is struck off. So none is lost; one of which nobody knows whether it arrived is
//! sent again under the same Message-ID, and told of (`undelivered`).

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use jiashu_proto::entry::Nudged;
use jiashu_proto::id::{DeviceId, MemberId, Millis, Ref, Scope};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::mailer::{Letter, Outcome};
use self::outbox::{About, Mail, Recipient, id_of};
use self::undelivered::{Undelivered, Why};
use crate::contact;
use crate::execute::Failure;
use crate::family::help::{REACH, read_reach};
use crate::metrics::UnderWay;
use crate::ngo::caseload::worker_of;
use crate::ngo::sign_in;
use crate::programme::{self, Role, StaffFact, staff_key};
use crate::relay::Relay;
use crate::store::{Batch, Change, Due, DueItem, Precondition, Store, StoreError};

pub mod outbox;

pub mod letter;

pub mod digest;

pub mod lines;

pub mod mailer;

pub mod undelivered;

mod words;

/// Letters under way at once, for those that somebody waits for and for all others.
const AT_ONCE: usize = 4;

/// What finds no place is looked at again after this time, in ms.
const NO_PLACE_MS: Millis = 1_000;

/// A letter that is to be handed over, and what is to be noted after that.
#[derive(Debug)]
pub struct Job {
    scope: Scope,
    id: Ref,
    mail: Mail,
    /// The time that its item stands at while it is under way, in ms.
    lease: Millis,
    letter: Letter,
    /// Until it is noted what came of it.
    _counted: UnderWay,
}

/// Two ways out: a hundred digests on a Monday keep no call for help waiting.
#[derive(Debug)]
pub struct Notify {
    urgent: mpsc::Sender<Job>,
    usual: mpsc::Sender<Job>,
    jobs: Mutex<Option<[mpsc::Receiver<Job>; 2]>>,
}

impl Default for Notify {
    fn default() -> Self {
        let (urgent, urgent_jobs) = mpsc::channel(AT_ONCE);
        let (usual, usual_jobs) = mpsc::channel(AT_ONCE);
        Self { urgent, usual, jobs: Mutex::new(Some([urgent_jobs, usual_jobs])) }
    }
}

/// Sends what is handed in, until `stop`; what is under way then is let finish.
pub async fn run(relay: Arc<Relay>, stop: CancellationToken) {
    let jobs = relay.notify.jobs.lock().ok().and_then(|mut jobs| jobs.take());
    let Some([urgent, usual]) = jobs else { return };
    tokio::join!(send_all(&relay, urgent, &stop), send_all(&relay, usual, &stop));
}

async fn send_all(relay: &Arc<Relay>, mut jobs: mpsc::Receiver<Job>, stop: &CancellationToken) {
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = under_way.join_next(), if !under_way.is_empty() => {}
            job = jobs.recv(), if under_way.len() < AT_ONCE => match job {
                Some(job) => {
                    let relay = relay.clone();
                    under_way.spawn(async move { send(&relay, job).await });
                }
                None => break,
            },
        }
    }
    // A server that is slow just now is not waited for: what is under way is tried again after the start, and says so.
    let _ = tokio::time::timeout(Duration::from_secs(5), async {
        while under_way.join_next().await.is_some() {}
    })
    .await;
}

/// Looks at an e-mail that is due.
///
/// # Errors
///
/// [`Failure`]; [`StoreError::Stale`] where another relay was first.
pub async fn on_due(relay: &Relay, due: &Due, id: Ref) -> Result<(), Failure> {
    let (store, scope, now) = (&*relay.store, due.scope, relay.clock.now());
    let row = store.row(scope, &Mail::book(id), &[]).await?;
    let changes = match row.as_ref().and_then(Mail::read) {
        None => Mail::drop(id).to_vec(),
        Some(mail) if mail.to == Recipient::Responsible => {
            return hand_round(relay, due, id, &mail).await;
        }
        Some(mail) => match place(relay, &mail) {
            None => vec![Change::SetDue(due.item.clone(), now.saturating_add(NO_PLACE_MS))],
            // Its place first: what it says may be written for this try alone.
            Some(place) => match prepared(relay, scope, id, &mail).await? {
                Ok(letter) => return begin(relay, due, mail, letter, place).await,
                Err(None) => Mail::drop(id).to_vec(),
                Err(Some(why)) => {
                    undelivered::note(relay, scope, &Undelivered::of(id, &mail, why, now)).await?;
                    Mail::drop(id).to_vec()
                }
            },
        },
    };
    store.commit(scope, Batch { requires: vec![still(due)], changes, ..Batch::new(now) }).await?;
    Ok(())
}

/// A place on the way out, if there is one.
fn place<'a>(relay: &'a Relay, mail: &Mail) -> Option<mpsc::Permit<'a, Job>> {
    let way = if mail.is_urgent() { &relay.notify.urgent } else { &relay.notify.usual };
    way.try_reserve().ok()
}

fn still(due: &Due) -> Precondition {
    Precondition::DueAt(due.item.clone(), due.at)
}

/// One becomes one each for all who answer for the family.
async fn hand_round(relay: &Relay, due: &Due, id: Ref, mail: &Mail) -> Result<(), Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    let staff = responsible(store, due.scope).await?;
    let mut changes = Mail::drop(id).to_vec();
    if staff.is_empty() {
        let nobody = Undelivered::of(id, mail, Why::NobodyToTell, now);
        undelivered::note(relay, due.scope, &nobody).await?;
    }
    for number in staff {
        let own = id_of(&[&id.0, &number.0.to_be_bytes()]);
        let mail = Mail { to: Recipient::Staff(number), ..mail.clone() };
        changes.extend(mail.put(own, now));
    }
    let requires = vec![still(due)];
    store.commit(due.scope, Batch { requires, changes, ..Batch::new(now) }).await?;
    Ok(())
}

/// Who is told when a family asks for help: its caseworker, or those of its site, and every coordinator, of those who have
/// an address.
async fn responsible(store: &dyn Store, family: Scope) -> Result<Vec<DeviceId>, Failure> {
    let Some(placement) = contact::placement(store, family).await? else { return Ok(Vec::new()) };
    let facts: Vec<(String, StaffFact)> = programme::all(store, placement.programme).await?;
    let worker = worker_of(store, placement.programme, family).await?;
    let is_of_site = |fact: &StaffFact| {
        worker.is_none() && placement.site.as_ref().is_some_and(|site| fact.sites.contains(site))
    };
    let told = facts.into_iter().filter_map(|(number, fact)| {
        let number = DeviceId(number.parse().ok()?);
        let is_told = match fact.role {
            Role::Coordinator => true,
            Role::Caseworker => worker == Some(number) || is_of_site(&fact),
            Role::Auditor => false,
        };
        (is_told && !fact.left && fact.email.is_some()).then_some(number)
    });
    Ok(told.collect())
}

/// Whether a call for help was handed round before the family went elsewhere, to somebody who does not answer for it now:
/// in another programme the same number is another's.
async fn is_anothers(
    store: &dyn Store,
    scope: Scope,
    mail: &Mail,
    number: DeviceId,
) -> Result<bool, Failure> {
    let About::Help(_) = mail.about else { return Ok(false) };
    let placement = contact::placement(store, scope).await?;
    let has_gone = placement.is_some_and(|placement| mail.asked_at < placement.since);
    Ok(has_gone && !responsible(store, scope).await?.contains(&number))
}

/// Whether a parent is still to be prompted. While no mail server took it there may have been contact, or a pause; the
/// family may not be counted any more, or the parent be suspended.
async fn is_still_meant(
    store: &dyn Store,
    family: Scope,
    mail: &Mail,
    member: MemberId,
) -> Result<bool, StoreError> {
    let About::Nudge = mail.about else { return Ok(true) };
    let Some(state) = store.state(family).await? else { return Ok(false) };
    let is_counted = state.active && !state.superseded && state.counted_since.is_some();
    if !is_counted || state.is_suspended(member) {
        return Ok(false);
    }
    let nudges = contact::nudges(store, family).await?;
    Ok(nudges.iter().any(|(_, nudge)| nudge.whom != Nudged::Nobody))
}

/// Whether the link that it holds opens nothing any more.
fn has_expired(mail: &Mail, now: Millis) -> bool {
    mail.about == About::SignIn && mail.asked_at.saturating_add(sign_in::LASTS_MS) <= now
}

/// The letter, ready to leave; else why it will not, or nothing where nobody wants it any more.
async fn prepared(
    relay: &Relay,
    scope: Scope,
    id: Ref,
    mail: &Mail,
) -> Result<Result<Letter, Option<Why>>, Failure> {
    let store = &*relay.store;
    let to = match mail.to {
        Recipient::Member(member) if !is_still_meant(store, scope, mail, member).await? => None,
        Recipient::Staff(number) if is_anothers(store, scope, mail, number).await? => None,
        Recipient::Staff(_) if has_expired(mail, relay.clock.now()) => None,
        Recipient::Staff(number) => {
            let programme = programme_of(store, scope).await?;
            let fact: Option<StaffFact> =
                programme::find(store, programme, &staff_key(number)).await?;
            fact.filter(|fact| !fact.left).and_then(|fact| fact.email)
        }
        Recipient::Member(member) => reach(store, scope, member).await?,
        Recipient::Responsible => None,
    };
    let Some(to) = to.and_then(|to| to.parse().ok()) else { return Ok(Err(None)) };
    if relay.mailer.is_none() {
        return Ok(Err(Some(Why::NoMailServer)));
    }
    let written = match &mail.written {
        Some(written) => written.clone(),
        None => match letter::write(relay, scope, mail).await? {
            Some(written) => written,
            None => return Ok(Err(None)),
        },
    };
    let asked_at = Duration::from_millis(u64::try_from(mail.asked_at).unwrap_or(0));
    Ok(Ok(Letter { id, to, asked_at: SystemTime::UNIX_EPOCH + asked_at, written }))
}

/// Where a member of the family may be written to.
async fn reach(
    store: &dyn Store,
    family: Scope,
    member: MemberId,
) -> Result<Option<String>, StoreError> {
    let row = store.row(family, REACH, &member.0.to_be_bytes()).await?;
    Ok(row.as_ref().and_then(read_reach).map(|(_, email)| email))
}

/// The programme that a family is in; of a programme itself.
async fn programme_of(store: &dyn Store, scope: Scope) -> Result<Scope, StoreError> {
    Ok(contact::placement(store, scope).await?.map_or(scope, |placement| placement.programme))
}

/// Notes that it is tried, and has it sent.
async fn begin(
    relay: &Relay,
    due: &Due,
    mail: Mail,
    letter: Letter,
    place: mpsc::Permit<'_, Job>,
) -> Result<(), Failure> {
    let (store, scope, now) = (&*relay.store, due.scope, relay.clock.now());
    // A try that nobody has told the end of by then has none.
    // It may wait for its turn as long as one before it takes, and then take as long itself.
    let lease = 3 * Millis::try_from(relay.config.mail_timeout_ms).unwrap_or(Millis::MAX / 3);
    let lease = now.saturating_add(lease);
    let mail = Mail {
        tries: mail.tries.saturating_add(1),
        // Nobody came back from the last try to say how it ended.
        is_unknown: mail.is_unknown || mail.is_under_way,
        is_under_way: true,
        written: Some(letter.written.clone()),
        ..mail
    };
    let changes = mail.put(letter.id, lease).to_vec();
    let batch = Batch { requires: vec![still(due)], changes, ..Batch::new(now) };
    // From before it is due no more: who looks at both sees that it has not ended.
    let counted = relay.metrics.under_way();
    store.commit(scope, batch).await?;
    place.send(Job { scope, id: letter.id, mail, lease, letter, _counted: counted });
    Ok(())
}

/// Hands it over and notes what came of it.
async fn send(relay: &Relay, job: Job) {
    let Some(mailer) = &relay.mailer else { return };
    let outcome = mailer.send(&job.letter).await;
    relay.metrics.mailed(&job.mail.about, &outcome);
    if outcome != Outcome::Taken {
        tracing::warn!(
            scope.id = %job.scope,
            mail.id = %job.id,
            about = job.mail.about.name(),
            tries = job.mail.tries,
            ?outcome,
            "an e-mail was not sent, or nobody knows"
        );
    }
    if let Err(error) = settle(relay, &job, &outcome).await {
        // It stands as one that is under way, and is tried again when its lease ends.
        tracing::error!(
            scope.id = %job.scope,
            mail.id = %job.id,
            error = &error as &dyn std::error::Error,
            "what came of an e-mail cannot be noted"
        );
    }
}

async fn settle(relay: &Relay, job: &Job, outcome: &Outcome) -> Result<(), StoreError> {
    let Job { scope, id, mail, lease, .. } = job;
    let now = relay.clock.now();
    let is_unknown = mail.is_unknown || matches!(outcome, Outcome::Unknown(_));
    let mail = Mail { is_unknown, is_under_way: false, ..mail.clone() };
    let wait_ms = Millis::try_from(relay.config.mail_retry_ms).unwrap_or(Millis::MAX);
    let again = mail.again_at(now, wait_ms).filter(|_| !outcome.is_final());
    let (told, changes) = match again {
        Some(again) => (None, mail.put(*id, again).to_vec()),
        None => (became(outcome, is_unknown), Mail::drop(*id).to_vec()),
    };
    if let Some(why) = told {
        undelivered::note(relay, *scope, &Undelivered::of(*id, &mail, why, now)).await?;
    }
    let requires = vec![Precondition::DueAt(DueItem::Mail(*id), *lease)];
    relay.store.commit(*scope, Batch { requires, changes, ..Batch::new(now) }).await?;
    Ok(())
}

/// What is told of an e-mail after its last try; nothing where it arrived, and once.
fn became(outcome: &Outcome, is_unknown: bool) -> Option<Why> {
    match outcome {
        Outcome::Taken => is_unknown.then_some(Why::PerhapsTwice),
        // An earlier try may have arrived, whatever the last one was told.
        _ if is_unknown => Some(Why::Unknown),
        Outcome::Refused { code, for_good: true } => Some(Why::Refused(*code)),
        _ => Some(Why::GivenUp),
    }
}

/// Sends what was handed in until now: for a clock that somebody moves by hand, where [`run`] does not.
pub async fn catch_up(relay: &Relay) {
    let jobs = relay.notify.jobs.lock().ok().and_then(|mut jobs| jobs.take());
    let Some(mut jobs) = jobs else { return };
    for jobs in &mut jobs {
        while let Ok(job) = jobs.try_recv() {
            send(relay, job).await;
        }
    }
    if let Ok(mut place) = relay.notify.jobs.lock() {
        *place = Some(jobs);
    }
}

/// What a parent is prompted by, where one of a family's children was not heard: one each that may be written to.
#[must_use]
pub fn nudge(
    family: Scope,
    to: impl Iterator<Item = MemberId>,
    begun: &[MemberId],
    now: Millis,
) -> Vec<Change> {
    if begun.is_empty() {
        return Vec::new();
    }
    to.flat_map(|member| {
        let parts = [&family.0.to_be_bytes()[..], &member.0.to_be_bytes(), &now.to_be_bytes()];
        Mail::new(Recipient::Member(member), About::Nudge, now).put(id_of(&parts), now)
    })
    .collect()
}

#[cfg(test)]
mod tests;

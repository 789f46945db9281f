//! Instants are an index made of civil times: where the rules of zones have changed since, they are
//! reckoned anew, once after a start with another zone database, in the background.
//!
//! Firing reckons anew too, so that nothing fires at an instant of old; this finds what has come to
//! lie before it.

use std::sync::Arc;

use futures_util::future::join_all;
use jiashu_proto::entry::Content;
use jiashu_proto::id::{Millis, Scope};
use jiashu_recurrence::{Rule, ZONES, occurrence_at};
use minicbor::Encoder;
use tokio_util::sync::CancellationToken;

use crate::relay::Relay;
use crate::store::{
    Batch, Change, Due, NEVER, NewEntry, Occurring, Precondition, Store, StoreError,
};

/// The fact of the relay's own log that says by which zones all instants are reckoned.
const KEY: &str = "zones";

/// The kind of that fact; its body is the version, a text.
const KIND: u32 = 66;

/// Occurrences looked at at once.
const PAGE: usize = 512;

/// Reckons all instants anew if they are not by the zones that are compiled in. Ends early on `stop`,
/// and then begins again the next time.
pub async fn keep_up(relay: Arc<Relay>, stop: CancellationToken) {
    let done = tokio::select! {
        biased;
        () = stop.cancelled() => return,
        done = reckon_anew(&*relay.store, ZONES, relay.clock.now()) => done,
    };
    match done {
        Ok(None) => {}
        Ok(Some(moved)) => tracing::info!("the zones are of version {ZONES} now: {moved} moved"),
        Err(error) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "cannot reckon by the zones of version {ZONES}"
        ),
    }
}

/// How many have moved; `None` if all are by these zones already.
async fn reckon_anew(
    store: &dyn Store,
    version: &str,
    now: Millis,
) -> Result<Option<usize>, StoreError> {
    let known = store.facts(Scope::RELAY, KEY).await?;
    let fact = fact(version);
    if known.iter().any(|(_, record)| record.content == fact.content) {
        return Ok(None);
    }
    let (mut after, mut moved) = (None, 0);
    loop {
        let page = store.occurrences(after, PAGE).await?;
        let Some(last) = page.last().and_then(Due::schedule) else { break };
        moved += move_page(store, page, now).await?;
        after = Some(last);
    }
    store.commit(Scope::RELAY, Batch { entries: vec![fact], ..Batch::new(now) }).await?;
    Ok(Some(moved))
}

async fn move_page(store: &dyn Store, page: Vec<Due>, now: Millis) -> Result<usize, StoreError> {
    let found = store.occurring(page.iter().filter_map(Due::schedule).collect()).await?;
    // What cannot be read is told when it fires.
    let moves = page.iter().zip(found).filter_map(|(due, found)| {
        let batch = anew(&found.ok().flatten()?, due, now)?;
        Some((due.scope, batch))
    });
    let mut moved = 0;
    for done in join_all(moves.map(|(scope, batch)| store.commit(scope, batch))).await {
        match done {
            Ok(_) => moved += 1,
            // It fired, or somebody changed it, and so it is reckoned by these zones.
            Err(StoreError::Stale { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(moved)
}

/// The occurrence at its instant by the zones in force, if that is another one.
fn anew(found: &Occurring, due: &Due, now: Millis) -> Option<Batch> {
    let planned = due.planned.as_ref().filter(|_| due.at != NEVER)?;
    let Ok(Content::Schedule(standing)) = Content::from_bytes(&found.schedule.content) else {
        return None;
    };
    let rule = Rule::of(&standing.rule).ok()?;
    let at = occurrence_at(&rule, planned)?.at.as_millisecond();
    let (schedule, planned) = (standing.id, planned.clone());
    (at != due.at).then(|| Batch {
        requires: vec![Precondition::DueAt(due.item.clone(), due.at)],
        changes: vec![Change::SetOccurrence { schedule, planned, at }],
        ..Batch::new(now)
    })
}

fn fact(version: &str) -> NewEntry {
    let mut e = Encoder::new(Vec::new());
    let written = e.u32(KIND).and_then(|e| e.array(1)).and_then(|e| e.str(version));
    written.expect("writing to memory cannot fail");
    NewEntry { key: Some(KEY.to_owned()), rank: 0, content: e.into_writer() }
}

//! What staff are asked to do for their families, and that they have seen to it.

use jiashu_api::task as api;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::MemberId;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::audit::Asked;
use super::caseload::Own;
use super::staff::{Staff, Wants, allow_family, allow_quietly};
use crate::clock::{text, timestamp};
use crate::contact;
use crate::contact::rows::FAMILIES;
use crate::execute::Failure;
use crate::execute::family::tasks;
use crate::family::Refusal;
use crate::family::contact::look;
use crate::family::tasks::{Task, TaskKind};
use crate::relay::Relay;
use crate::store::Batch;

/// All that wait for a member of staff: calls for help first, then those that have waited for longest.
///
/// # Errors
///
/// [`Failure`].
pub async fn list(relay: &Relay, staff: &Staff) -> Result<Vec<api::Task>, Failure> {
    let asked = Asked { action: "tasks", ..Asked::default() };
    allow_quietly(relay, staff, Wants::Families, asked).await?;
    let own = Own::of(relay, staff).await?;
    let book = relay.store.whole_book(staff.programme, FAMILIES).await?;
    let mut open = Vec::new();
    for glance in book.iter().filter_map(|row| own.glance(row)) {
        open.extend(glance.tasks.into_iter().map(|task| (task, glance.case_code)));
    }
    open.sort_by_key(|(task, case_code)| (task.kind, task.opened_at, *case_code, task.member));
    Ok(open.iter().map(|(task, case_code)| listed(task, case_code)).collect())
}

/// A task as staff see it.
#[must_use]
pub fn listed(task: &Task, case_code: &str) -> api::Task {
    api::Task {
        case_code: case_code.to_owned(),
        kind: task.kind.name().to_owned(),
        member: task.member.0,
        since: text(task.opened_at),
    }
}

/// Somebody has seen to it. Where it was seen to already, nothing changes.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Unknown`] where there is no such task.
pub async fn done(
    relay: &Relay,
    staff: &Staff,
    case_code: &str,
    wish: &api::Done,
) -> Result<(), Failure> {
    let kind = TaskKind::from_name(&wish.kind)
        .ok_or_else(|| Refusal::new(ErrorCode::Malformed, "a task is help or missed"))?;
    let asked =
        Asked::of("task-done", case_code).saying(format!("{} {}", kind.name(), wish.member));
    let family = allow_family(relay, staff, case_code, asked).await?;
    let store = &*relay.store;
    let stands = tasks(store, family).await?;
    let is_it = |task: &&Task| task.kind == kind && task.member == MemberId(wish.member);
    let task = stands.iter().find(is_it).ok_or_else(|| {
        Refusal::new(ErrorCode::Unknown, "there is no such task: jiashu ngo tasks lists them")
    })?;
    if task.is_open() {
        let now = relay.clock.now();
        let done = Task { done_by: Some(staff.number), ..task.clone() };
        let changes = vec![done.enter(), look(now)];
        store.commit(family, Batch { changes, ..Batch::new(now) }).await?;
    }
    Ok(())
}

/// Somebody met the family on that day: what was missed until then is seen to. A call for help is not: it is seen to by
/// itself, whoever else was met.
///
/// # Errors
///
/// [`Failure`].
pub async fn met(relay: &Relay, staff: &Staff, case_code: &str, on: Date) -> Result<(), Failure> {
    let asked = Asked::of("task-done", case_code).saying(TaskKind::Missed.name());
    let family = allow_family(relay, staff, case_code, asked).await?;
    let (store, now) = (&*relay.store, relay.clock.now());
    let zone = contact::home_zone(relay, family).await?;
    let zone = zone.and_then(|zone| TimeZone::get(&zone).ok()).unwrap_or(TimeZone::UTC);
    let is_met = |task: &Task| {
        let opened_on = zone.to_datetime(timestamp(task.opened_at)).date();
        task.is_open() && task.kind == TaskKind::Missed && opened_on <= on
    };
    let mut changes: Vec<_> = tasks(store, family)
        .await?
        .into_iter()
        .filter(is_met)
        .map(|task| Task { done_by: Some(staff.number), ..task }.enter())
        .collect();
    if !changes.is_empty() {
        changes.push(look(now));
        store.commit(family, Batch { changes, ..Batch::new(now) }).await?;
    }
    Ok(())
}

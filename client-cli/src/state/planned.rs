//! Schedules as they will stand once the relay has what waits here: who pauses one without a signal and
//! goes on with it an hour later changes what they changed, not what the log still says.

use jiashu_proto::entry::{Content, SCHEDULE_KEYS, Schedule, ScheduleState};
use rusqlite::Connection;

use super::{fact, outbox};
use crate::error::Result;

/// Those that may fire still, the oldest version first.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn running(db: &Connection) -> Result<Vec<Schedule>> {
    let mut running = Vec::new();
    for fact in fact::with_prefix(db, SCHEDULE_KEYS)? {
        let Content::Schedule(mut schedule) = fact.content else { continue };
        for change in outbox::changes_of(db, schedule.id, fact.seq)? {
            (schedule.from, schedule.to) = (change.from, change.to);
            (schedule.rule, schedule.state) = (change.rule, change.state);
            schedule.version = schedule.version.saturating_add(1);
        }
        if is_running(&schedule) {
            running.push(schedule);
        }
    }
    Ok(running)
}

/// Whether it may fire still.
#[must_use]
pub fn is_running(schedule: &Schedule) -> bool {
    matches!(schedule.state, ScheduleState::Active | ScheduleState::Paused)
}

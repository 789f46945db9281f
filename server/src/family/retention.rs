//! How long a family's letters are kept: pure.
//!
//! Facts and the roster stay; of all else what is older than the retention goes. What a phone has
//! not fetched by then it will not get, and `floor` in its next page says so.

use jiashu_proto::id::Millis;

use crate::store::{Batch, Change, DueItem, Precondition};

/// Places looked at in one commit: a family that wrote much must not hold up the others.
pub const AT_ONCE: usize = 512;

/// How often a family is looked at, in ms.
const EVERY_MS: Millis = 24 * 60 * 60 * 1000;

/// Forgets a batch of what is older than `retention_ms`, and looks again a day from `now`.
#[must_use]
pub fn forget_old(due_at: Millis, now: Millis, retention_ms: Millis) -> Batch {
    let before = now.saturating_sub(retention_ms);
    Batch {
        requires: vec![Precondition::DueAt(DueItem::Retention, due_at)],
        changes: vec![Change::Forget { before, most: AT_ONCE }, look_later(now)],
        ..Batch::new(now)
    }
}

/// The next look at the family.
#[must_use]
pub fn look_later(now: Millis) -> Change {
    Change::SetDue(DueItem::Retention, next_look(now))
}

/// When that is.
#[must_use]
pub fn next_look(now: Millis) -> Millis {
    now.saturating_add(EVERY_MS)
}

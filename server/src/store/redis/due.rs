//! What is due, over all buckets.

use jiashu_proto::id::{Millis, Ref, Scope};

use super::AT_ONCE;
use super::answer::{all_bytes, bytes, number, pairs};
use super::layout::{
    BUCKETS, Damaged, DueRow, Keys, bucket_due, bucket_of, read_due_member, score, to_cbor,
};
use super::link::{Failure, Link};
use crate::store::{Due, DueCount, DueItem, NEVER};

/// What another relay was to do is done by any after this time, in ms.
const OTHERS_MS: Millis = 5_000;

/// So many buckets fill a look, if each gives its share.
const BUCKETS_AT_ONCE: usize = 64;

/// What is due at `now` or before, the earliest first; of the buckets of other relays what has been due for a while.
pub(super) async fn due(
    link: &Link,
    own: &[bool],
    now: Millis,
    limit: usize,
) -> Result<Vec<Due>, Failure> {
    // Of a backlog not all of it at each look.
    let of_each = (limit / BUCKETS_AT_ONCE).max(limit.min(BUCKETS_AT_ONCE));
    let mut pipe = redis::pipe();
    for (bucket, own) in (0..BUCKETS).zip(own.iter()) {
        let upto = if *own { now } else { now.saturating_sub(OTHERS_MS) };
        pipe.cmd("ZRANGE").arg(bucket_due(bucket)).arg("-inf").arg(score(upto)).arg("BYSCORE");
        pipe.arg("LIMIT").arg(0).arg(of_each).arg("WITHSCORES");
    }
    let (mut found, mut known_upto) = (Vec::new(), Millis::MAX);
    for answer in link.ask(&pipe).await? {
        let here = pairs(answer)?;
        for (member, at) in &here {
            let (scope, item) = read_due_member(member)?;
            found.push((read_score(at)?, scope, item));
        }
        if here.len() == of_each
            && let Some((_, last)) = here.last()
        {
            known_upto = known_upto.min(read_score(last)?);
        }
    }
    // Beyond that a bucket may have more which is due before another's.
    found.retain(|(at, ..)| *at <= known_upto);
    found.sort();
    found.truncate(limit);
    let of: Vec<_> = found.iter().map(|(_, scope, item)| (*scope, item.clone())).collect();
    let rows = rows(link, &of).await?;
    let due = found.into_iter().zip(rows).filter_map(|((_, scope, item), row)| {
        // It was done meanwhile.
        let DueRow { at, planned } = row?;
        Some(Due { at, scope, item, planned })
    });
    Ok(due.collect())
}

/// The occurrences behind `after`, by bucket, scope and schedule.
pub(super) async fn occurrences(
    link: &Link,
    after: Option<(Scope, Ref)>,
    limit: usize,
) -> Result<Vec<Due>, Failure> {
    let from = after.map_or(0, |(scope, _)| bucket_of(scope));
    let mut found = Vec::new();
    for bucket in from..BUCKETS {
        let mut pipe = redis::pipe();
        pipe.cmd("ZRANGE").arg(bucket_due(bucket)).arg(0).arg(-1);
        let answer = link.ask(&pipe).await?.pop().unwrap_or_default();
        let mut here = Vec::new();
        for member in all_bytes(answer)? {
            let (scope, item) = read_due_member(&member)?;
            if let DueItem::Occurrence(schedule) = item {
                here.push((scope, schedule));
            }
        }
        here.sort_unstable();
        here.retain(|one| bucket != from || after.is_none_or(|after| *one > after));
        found.append(&mut here);
        if found.len() >= limit {
            break;
        }
    }
    found.truncate(limit);
    let of: Vec<_> =
        found.into_iter().map(|(scope, schedule)| (scope, DueItem::Occurrence(schedule))).collect();
    let rows = rows(link, &of).await?;
    let due = of.into_iter().zip(rows).filter_map(|((scope, item), row)| {
        let DueRow { at, planned } = row?;
        Some(Due { at, scope, item, planned })
    });
    Ok(due.collect())
}

/// How much is due.
pub(super) async fn count(link: &Link, now: Millis) -> Result<DueCount, Failure> {
    let mut pipe = redis::pipe();
    for bucket in 0..BUCKETS {
        pipe.cmd("ZCOUNT").arg(bucket_due(bucket)).arg("-inf").arg(score(now));
        pipe.cmd("ZCARD").arg(bucket_due(bucket));
    }
    let mut count = DueCount::default();
    for answers in link.ask(&pipe).await?.chunks(2) {
        let [overdue, pending] = answers else { continue };
        count.overdue += number(overdue)?;
        count.pending += number(pending)?;
    }
    Ok(count)
}

/// When the next thing is due.
pub(super) async fn next(link: &Link, own: &[bool]) -> Result<Option<Millis>, Failure> {
    let mut pipe = redis::pipe();
    for bucket in 0..BUCKETS {
        pipe.cmd("ZRANGE").arg(bucket_due(bucket)).arg(0).arg(0).arg("WITHSCORES");
    }
    let mut next = None;
    for (answer, own) in link.ask(&pipe).await?.into_iter().zip(own.iter()) {
        for (_, at) in pairs(answer)? {
            let at = read_score(&at)?;
            let at = if *own { at } else { at.saturating_add(OTHERS_MS) };
            next = Some(next.map_or(at, |next: Millis| next.min(at)));
        }
    }
    Ok(next)
}

/// What is due of these, in their order.
async fn rows(link: &Link, of: &[(Scope, DueItem)]) -> Result<Vec<Option<DueRow>>, Failure> {
    let mut rows = Vec::with_capacity(of.len());
    for some in of.chunks(AT_ONCE) {
        let mut pipe = redis::pipe();
        for (scope, item) in some {
            pipe.cmd("HGET").arg(Keys::of(*scope).due).arg(to_cbor(item));
        }
        for answer in link.ask(&pipe).await? {
            rows.push(bytes(answer)?.map(|row| DueRow::from_bytes(&row)).transpose()?);
        }
    }
    Ok(rows)
}

fn read_score(score: &[u8]) -> Result<Millis, Failure> {
    let text = std::str::from_utf8(score).map_err(|_| Damaged("the due index"))?;
    if text == "inf" {
        return Ok(NEVER);
    }
    Ok(text.parse().map_err(|_| Damaged("the due index"))?)
}

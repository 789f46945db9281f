//! Stored bytes, as far as a family's log tells of them: who may store how much, and when they go.

use jiashu_proto::entry::{BlobFact, BlobState, Content, MessageKind, Seq, blob_key};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{Millis, Ref};

use super::{Refusal, Sender};
use crate::store::{Batch, Change, Due, DueItem, NewEntry, Precondition};

const DAY_MS: Millis = 24 * 60 * 60 * 1000;

/// What no message asks for goes after this time, in ms: a phone may be off for a day between storing a
/// voice note and saying so.
pub const UNCLAIMED_MS: Millis = 2 * DAY_MS;

/// How long after nobody can have them any more bytes are removed, in ms: longer than a request takes that
/// had begun before.
const LAST_REQUESTS_MS: Millis = 60 * 60 * 1000;

/// What stored bytes, or a request by a link, count for at least: a thousand small ones cost the relay more than a
/// large one.
const LEAST_CHARGE: u64 = 16 * 1024;

/// How much may be stored, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// At once.
    pub one: u64,
    /// Of a family, in all.
    pub family: u64,
    /// Of a family, within a day.
    pub day: u64,
}

/// What is to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its name.
    pub id: Ref,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of them.
    pub hash: [u8; 32],
}

/// Stored bytes as they stand in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingBlob {
    /// Place of the note.
    pub seq: Seq,
    /// The note.
    pub fact: BlobFact,
}

/// Begins an upload; `None` if that was begun already, by the same phone with the same bytes.
///
/// # Errors
///
/// [`Refusal`]: too much, or the name is taken.
pub fn begin(
    sender: &Sender,
    upload: Upload,
    standing: &[StandingBlob],
    quota: Quota,
    now: Millis,
) -> Result<Option<Batch>, Refusal> {
    let Upload { id, size, hash } = upload;
    if let Some(StandingBlob { fact, .. }) = standing.iter().find(|blob| blob.fact.id == id) {
        let is_same = (fact.device, fact.size, fact.hash) == (sender.device, size, hash);
        let taken = Refusal::new(ErrorCode::Exists, "this name is taken");
        return if is_same { Ok(None) } else { Err(taken) };
    }
    if size == 0 || size > quota.one {
        let text = format!("a voice note has 1 to {} bytes", quota.one);
        return Err(Refusal::new(ErrorCode::TooLarge, text));
    }
    let sum = |of: &dyn Fn(&BlobFact) -> bool| -> u64 {
        let counted = standing.iter().map(|blob| &blob.fact).filter(|fact| of(fact));
        counted.map(|fact| charge(fact.size)).sum()
    };
    let more = charge(size);
    if sum(&|_| true).saturating_add(more) > quota.family {
        return Err(Refusal::new(ErrorCode::Full, "the family stores too much already"));
    }
    if sum(&|fact| fact.at > now.saturating_sub(DAY_MS)).saturating_add(more) > quota.day {
        return Err(Refusal::new(ErrorCode::SlowDown, "the family has stored enough for a day"));
    }
    let (device, state) = (sender.device, BlobState::Coming);
    let fact = BlobFact { id, device, size, hash, at: now, state, linked: 0 };
    Ok(Some(Batch {
        requires: vec![Precondition::Active, Precondition::FactAt(blob_key(id), None)],
        entries: vec![NewEntry::of(&Content::Blob(fact))],
        changes: vec![Change::SetDue(DueItem::Blob(id), now.saturating_add(UNCLAIMED_MS))],
        ..Batch::new(now)
    }))
}

fn charge(size: u64) -> u64 {
    size.max(LEAST_CHARGE)
}

/// All bytes are there, and are those that were announced.
#[must_use]
pub fn complete(standing: &StandingBlob, now: Millis) -> Batch {
    change(standing, BlobFact { state: BlobState::Whole, ..standing.fact.clone() }, now)
}

/// So many bytes more are handed out to somebody who has a link.
///
/// # Errors
///
/// [`ErrorCode::Full`] if all links together may not have so many.
pub fn lend(
    standing: &StandingBlob,
    bytes: u64,
    fetches: u32,
    now: Millis,
) -> Result<Batch, Refusal> {
    let charge = bytes.max(LEAST_CHARGE.min(standing.fact.size));
    let linked = standing.fact.linked.saturating_add(charge);
    if linked > standing.fact.size.saturating_mul(u64::from(fetches)) {
        let text = "it was fetched by links as often as it may be";
        return Err(Refusal::new(ErrorCode::Full, text));
    }
    Ok(change(standing, BlobFact { linked, ..standing.fact.clone() }, now))
}

/// Only as long as the note is still the one that was seen.
fn change(standing: &StandingBlob, fact: BlobFact, now: Millis) -> Batch {
    Batch {
        requires: vec![Precondition::FactAt(blob_key(fact.id), Some(standing.seq))],
        entries: vec![NewEntry::of(&Content::Blob(fact))],
        ..Batch::new(now)
    }
}

/// What keeps stored bytes for a message that names them, together with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// They are there still.
    pub requires: Precondition,
    /// Until when they are kept.
    pub change: Change,
}

/// Claims these for a message, for `keep` ms from now.
///
/// # Errors
///
/// [`ErrorCode::StoreFirst`] if they are not all there.
pub fn claim(standing: Option<&StandingBlob>, keep: Millis, now: Millis) -> Result<Claim, Refusal> {
    let whole = standing.filter(|standing| standing.fact.state == BlobState::Whole);
    let StandingBlob { seq, fact } = whole.ok_or_else(|| {
        Refusal::new(ErrorCode::StoreFirst, "what it names is not stored here: store it first")
    })?;
    let requires = Precondition::FactAt(blob_key(fact.id), Some(*seq));
    Ok(Claim { requires, change: keep_until(fact.id, now.saturating_add(keep)) })
}

/// That these are looked at then, and no sooner.
#[must_use]
pub fn keep_until(id: Ref, at: Millis) -> Change {
    Change::SetDue(DueItem::Blob(id), at)
}

/// A voice note names its stored bytes, and no other message does.
pub(super) fn check_named(kind: u32, blob: Option<Ref>) -> Result<(), Refusal> {
    let is_voice = MessageKind::from_number(kind) == Some(MessageKind::Voice);
    match (is_voice, blob.is_some()) {
        (true, false) => Err(Refusal::new(ErrorCode::Malformed, "a voice note names its bytes")),
        (false, true) => {
            Err(Refusal::new(ErrorCode::Malformed, "only a voice note names stored bytes"))
        }
        _ => Ok(()),
    }
}

/// What happens when it is time to look at stored bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Whether the bytes are to be removed, before the batch is committed.
    pub removes: bool,
    /// What changes.
    pub batch: Batch,
}

/// Looks at stored bytes whose time has come. `held` tells whether a letter that waits names them.
///
/// In two steps: between a look and the removal of the bytes a message could claim them, so nobody can have them
/// from the first look on, and they are removed at the next.
#[must_use]
pub fn decide_look(
    due: &Due,
    id: Ref,
    standing: Option<&StandingBlob>,
    held: bool,
    now: Millis,
) -> Look {
    let item = DueItem::Blob(id);
    let requires = Precondition::DueAt(item.clone(), due.at);
    let only = |changes| Batch { requires: vec![requires.clone()], changes, ..Batch::new(now) };
    let Some(standing) = standing else {
        return Look { removes: false, batch: only(vec![Change::ClearDue(item)]) };
    };
    let removes = standing.fact.state == BlobState::Going;
    let batch = match standing.fact.state {
        BlobState::Going => only(vec![Change::DropFact(blob_key(id)), Change::ClearDue(item)]),
        BlobState::Whole if held => only(vec![keep_until(id, now.saturating_add(DAY_MS))]),
        BlobState::Whole | BlobState::Coming => {
            let fact = BlobFact { state: BlobState::Going, ..standing.fact.clone() };
            let mut batch = change(standing, fact, now);
            batch.requires.push(requires);
            batch.changes.push(keep_until(id, now.saturating_add(LAST_REQUESTS_MS)));
            batch
        }
    };
    Look { removes, batch }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::DeviceId;

    use super::*;

    const KB: u64 = 1024;
    const QUOTA: Quota = Quota { one: 100 * KB, family: 250 * KB, day: 150 * KB };
    const UPLOAD: Upload = Upload { id: Ref([1; 12]), size: 100 * KB, hash: [7; 32] };

    fn phone(number: u32) -> Sender {
        Sender { device: DeviceId(number), members: Vec::new() }
    }

    fn stored(id: u8, at: Millis) -> StandingBlob {
        let (id, device, hash) = (Ref([id; 12]), DeviceId(1), [7; 32]);
        let state = BlobState::Whole;
        let fact = BlobFact { id, device, size: 100 * KB, hash, at, state, linked: 0 };
        StandingBlob { seq: 4, fact }
    }

    #[test]
    fn an_upload_is_begun_once_and_goes_unless_it_is_claimed() {
        let batch = begin(&phone(1), UPLOAD, &[], QUOTA, DAY_MS).unwrap().unwrap();

        assert_eq!(batch.changes, [Change::SetDue(DueItem::Blob(UPLOAD.id), 3 * DAY_MS)]);
        assert_eq!(begin(&phone(1), UPLOAD, &[stored(1, 0)], QUOTA, DAY_MS), Ok(None));
    }

    #[test]
    fn a_name_is_one_phones_and_for_one_thing() {
        let standing = [stored(1, 0)];
        let other = Upload { hash: [8; 32], ..UPLOAD };
        let shorter = Upload { size: 99 * KB, ..UPLOAD };

        for (sender, upload) in [(1, other), (1, shorter), (2, UPLOAD)] {
            let refused = begin(&phone(sender), upload, &standing, QUOTA, DAY_MS).unwrap_err();
            assert_eq!(refused.code, ErrorCode::Exists);
        }
    }

    #[test]
    fn there_is_so_much_at_once_in_a_day_and_in_all() {
        let now = 10 * DAY_MS;
        let code = |size, standing: &[StandingBlob]| {
            let upload = Upload { size, ..UPLOAD };
            begin(&phone(1), upload, standing, QUOTA, now).map_err(|refusal| refusal.code)
        };
        let (old, young) = (stored(2, 0), stored(3, now - DAY_MS + 1));

        assert_eq!(code(0, &[]), Err(ErrorCode::TooLarge));
        assert_eq!(code(100 * KB + 1, &[]), Err(ErrorCode::TooLarge));
        assert!(code(50 * KB, std::slice::from_ref(&young)).is_ok());
        assert_eq!(code(50 * KB + 1, &[young]), Err(ErrorCode::SlowDown));
        assert!(code(50 * KB, &[old.clone(), old.clone()]).is_ok());
        assert_eq!(code(50 * KB + 1, &[old.clone(), old]), Err(ErrorCode::Full));
    }

    #[test]
    fn many_small_ones_count_as_much_as_they_cost() {
        let small = |id| {
            let mut small = stored(id, 10 * DAY_MS);
            small.fact.size = 1;
            small
        };
        let standing: Vec<_> = (2..=10).map(small).collect();
        let upload = Upload { size: 1, ..UPLOAD };

        let ninth = begin(&phone(1), upload, &standing[1..], QUOTA, 10 * DAY_MS);
        let tenth = begin(&phone(1), upload, &standing, QUOTA, 10 * DAY_MS).unwrap_err();

        assert!(ninth.is_ok(), "nine are 144 KiB");
        assert_eq!(tenth.code, ErrorCode::SlowDown);
    }

    #[test]
    fn a_message_claims_what_is_all_there_and_nothing_else() {
        let whole = stored(1, 0);
        let of = |state| StandingBlob { fact: BlobFact { state, ..whole.fact.clone() }, seq: 4 };

        let claimed = claim(Some(&whole), 5 * DAY_MS, DAY_MS).unwrap();

        assert_eq!(claimed.requires, Precondition::FactAt(blob_key(whole.fact.id), Some(4)));
        assert_eq!(claimed.change, Change::SetDue(DueItem::Blob(whole.fact.id), 6 * DAY_MS));
        for missing in [None, Some(of(BlobState::Coming)), Some(of(BlobState::Going))] {
            let refused = claim(missing.as_ref(), 5 * DAY_MS, DAY_MS).unwrap_err();
            assert_eq!(refused.code, ErrorCode::StoreFirst);
        }
    }

    #[test]
    fn bytes_go_in_two_steps_unless_a_letter_that_waits_names_them() {
        let (id, scope) = (Ref([1; 12]), jiashu_proto::id::Scope(1));
        let due = Due { at: 7, scope, item: DueItem::Blob(id), planned: None };
        let whole = stored(1, 0);
        let going = StandingBlob {
            fact: BlobFact { state: BlobState::Going, ..whole.fact.clone() },
            seq: 9,
        };
        let look = |standing, held, removes| {
            let look = decide_look(&due, id, standing, held, DAY_MS);
            assert_eq!(look.removes, removes);
            look.batch
        };

        let kept = look(Some(&whole), true, false);
        let first = look(Some(&whole), false, false);
        let then = look(Some(&going), false, true);
        let nothing = look(None, false, false);

        assert_eq!(kept.changes, [keep_until(id, 2 * DAY_MS)]);
        assert_eq!(first.entries, [NewEntry::of(&Content::Blob(going.fact.clone()))]);
        assert_eq!(first.changes, [keep_until(id, DAY_MS + LAST_REQUESTS_MS)]);
        let seen = Precondition::FactAt(blob_key(id), Some(4));
        assert!(first.requires.contains(&seen), "not if it was claimed meanwhile");
        assert!(then.changes.contains(&Change::DropFact(blob_key(id))));
        assert_eq!(nothing.changes, [Change::ClearDue(DueItem::Blob(id))]);
    }

    #[test]
    fn links_hand_out_so_much_and_no_more() {
        let mut standing = stored(1, 0);
        standing.fact.linked = 150 * KB;

        assert!(lend(&standing, 50 * KB, 2, 0).is_ok());
        assert_eq!(lend(&standing, 50 * KB + 1, 2, 0).unwrap_err().code, ErrorCode::Full);
        standing.fact.linked = 190 * KB;
        let little = lend(&standing, 1, 2, 0).unwrap_err();
        assert_eq!(little.code, ErrorCode::Full, "byte by byte is no way around it");
    }
}

//! Messages and receipts: what a device may add to the log. Bodies that wait are in `held`.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Content, Message, Receipt, Rung};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Post, Report, ToClose};
use jiashu_proto::id::Millis;

use super::blob::{Claim, check_named};
use super::ledger::{Heard, Sent};
use super::permission::check_sealed;
use super::{Refusal, Sender, check_addressees};
use crate::store::{Author, Batch, Change, NewEntry, Precondition};

/// Rank of a receipt that says that none of a voice note was played; a percent more is one more.
const PLAYED: u8 = 10;

/// Rank of a receipt that says that a message was shown to the child: above all that was played.
const SHOWN: u8 = 200;

/// Length of a seal's tag: no sealed body is shorter.
const TAG_LEN: usize = 16;

/// A message for the log, with the claim on the stored bytes that it names.
///
/// # Errors
///
/// [`Refusal`] if the device may not write it, or it is out of bounds.
pub fn decide_post(
    sender: &Sender,
    post: Post,
    claim: Option<Claim>,
    now: Millis,
) -> Result<Batch, Refusal> {
    sender.check_serves(post.from)?;
    check_addressees(&post.to)?;
    check_sealed(post.kind, post.key.as_deref())?;
    check_length(&post.sealed)?;
    check_named(post.kind, post.blob)?;
    debug_assert_eq!(post.blob.is_some(), claim.is_some(), "what is named is claimed");
    if post.until.is_some_and(|until| until <= now) {
        return Err(Refusal::new(ErrorCode::Malformed, "an end of validity is a time to come"));
    }
    let expiry = post.until.filter(|_| post.key.is_none()).map(Change::SetExpiry);
    let message = Message {
        device: sender.device,
        from: post.from,
        entry_ref: post.entry_ref,
        epoch: post.epoch,
        to: post.to,
        sealed: post.sealed,
        key: post.key,
        until: post.until,
        blob: post.blob,
        fired: None,
    };
    let sent = Sent::of(post.kind, &message, now);
    let content = Content::Message(post.kind, message);
    let mut batch = Batch {
        author: Some(Author { device: sender.device, n: post.n, entry_ref: post.entry_ref }),
        requires: vec![
            Precondition::Active,
            Precondition::NotSuspended(post.from),
            Precondition::ToCloseWithin(ToClose::default()),
            Precondition::Epoch(post.epoch),
        ],
        entries: vec![NewEntry::of(&content)],
        changes: expiry.into_iter().chain(sent).collect(),
        ..Batch::new(now)
    };
    if let Some(Claim { requires, change }) = claim {
        batch.requires.push(requires);
        batch.changes.push(change);
    }
    Ok(batch)
}

/// A receipt: one fact per message and member, the higher rung supersedes.
///
/// # Errors
///
/// [`Refusal`] if the device does not serve the member, or the rung is not one to be sent.
pub fn decide_report(sender: &Sender, report: Report, now: Millis) -> Result<Batch, Refusal> {
    sender.check_serves(report.from)?;
    let rank = match report.rung {
        Rung::Device => {
            return Err(Refusal::new(ErrorCode::NotAllowed, "this rung follows from the cursor"));
        }
        Rung::Opened => 2,
        // Of what was played in part and then further the larger share stands.
        Rung::Played => PLAYED.saturating_add(report.share.unwrap_or(0).min(100)),
        Rung::Shown => SHOWN,
        Rung::Done => SHOWN + 1,
    };
    if report.share.is_some_and(|share| share > 100) {
        return Err(Refusal::new(ErrorCode::Malformed, "a share is at most 100 percent"));
    }
    let receipt = Receipt {
        device: sender.device,
        from: report.from,
        of: report.of,
        to: report.to,
        rung: report.rung,
        at: report.at,
        share: report.share,
    };
    let heard = Heard::of(&receipt, now);
    let content = Content::Receipt(receipt);
    Ok(Batch {
        author: Some(Author { device: sender.device, n: report.n, entry_ref: report.entry_ref }),
        requires: vec![Precondition::NotSuspended(report.from)],
        entries: vec![NewEntry { key: content.key(), rank, content: content.to_bytes() }],
        changes: heard.into_iter().collect(),
        ..Batch::new(now)
    })
}

pub(super) fn check_length(sealed: &[u8]) -> Result<(), Refusal> {
    match sealed.len() {
        ..TAG_LEN => Err(Refusal::new(ErrorCode::Malformed, "shorter than a seal's tag")),
        TAG_LEN..=bounds::MAX_SEALED => Ok(()),
        _ => Err(Refusal::new(ErrorCode::TooLarge, "a sealed message is at most 16 KiB")),
    }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::{DeviceId, MemberId, Ref};

    use super::*;

    fn sender() -> Sender {
        Sender { device: DeviceId(2), members: vec![MemberId(2), MemberId(3)] }
    }

    fn post() -> Post {
        Post {
            n: 1,
            entry_ref: Ref([1; 12]),
            epoch: 4,
            from: MemberId(2),
            to: vec![MemberId(1)],
            kind: 1,
            sealed: vec![0; TAG_LEN],
            key: None,
            until: None,
            blob: None,
        }
    }

    #[test]
    fn a_message_needs_the_key_in_force_and_a_family_that_takes_part() {
        let batch = decide_post(&sender(), post(), None, 5).unwrap();

        let nothing_to_close = Precondition::ToCloseWithin(ToClose::default());
        let is_let = Precondition::NotSuspended(MemberId(2));
        let expected = [Precondition::Active, is_let, nothing_to_close, Precondition::Epoch(4)];
        assert_eq!(batch.requires, expected);
        assert_eq!(batch.author.map(|author| author.device), Some(DeviceId(2)));
        assert_eq!(batch.entries.len(), 1);
    }

    #[test]
    fn a_post_out_of_bounds_is_refused() {
        let cases: Vec<(&str, Post, ErrorCode)> = vec![
            ("another's name", Post { from: MemberId(1), ..post() }, ErrorCode::NotAllowed),
            ("no tag", Post { sealed: vec![0; 15], ..post() }, ErrorCode::Malformed),
            (
                "one byte too long",
                Post { sealed: vec![0; bounds::MAX_SEALED + 1], ..post() },
                ErrorCode::TooLarge,
            ),
            (
                "descending",
                Post { to: vec![MemberId(3), MemberId(1)], ..post() },
                ErrorCode::Malformed,
            ),
            ("twice", Post { to: vec![MemberId(1), MemberId(1)], ..post() }, ErrorCode::Malformed),
            (
                "too many",
                Post { to: (1..=33).map(MemberId).collect(), ..post() },
                ErrorCode::TooLarge,
            ),
            ("a link", Post { kind: 16, ..post() }, ErrorCode::NotAllowed),
            ("a voice note without voice", Post { kind: 2, ..post() }, ErrorCode::Malformed),
            ("a text with one", Post { blob: Some(Ref([9; 12])), ..post() }, ErrorCode::Malformed),
            (
                "someone else's fact",
                Post { key: Some("consent/3".into()), ..post() },
                ErrorCode::NotAllowed,
            ),
        ];

        for (what, post, code) in cases {
            let refusal = decide_post(&sender(), post, None, 5).unwrap_err();
            assert_eq!(refusal.code, code, "{what}");
        }
        let largest = Post { sealed: vec![0; bounds::MAX_SEALED], ..post() };
        assert!(decide_post(&sender(), largest, None, 5).is_ok());
    }

    #[test]
    fn what_a_letter_is_worth_ends_at_a_time_to_come() {
        let ends = |until| decide_post(&sender(), Post { until: Some(until), ..post() }, None, 5);

        assert_eq!(ends(5).unwrap_err().code, ErrorCode::Malformed);
        assert_eq!(ends(6).unwrap().changes.first(), Some(&Change::SetExpiry(6)));
    }

    #[test]
    fn a_receipt_says_only_what_a_person_did() {
        let report = |rung| Report {
            n: 1,
            entry_ref: Ref([2; 12]),
            from: MemberId(3),
            of: Ref([1; 12]),
            to: MemberId(1),
            rung,
            at: 4,
            share: None,
        };

        let derived = decide_report(&sender(), report(Rung::Device), 5).unwrap_err();
        let shown = decide_report(&sender(), report(Rung::Shown), 5).unwrap();
        let foreign =
            decide_report(&sender(), Report { from: MemberId(1), ..report(Rung::Shown) }, 5);

        assert_eq!(derived.code, ErrorCode::NotAllowed);
        assert_eq!(shown.entries[0].rank, SHOWN);
        assert_eq!(foreign.unwrap_err().code, ErrorCode::NotAllowed);
    }
}

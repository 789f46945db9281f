//! Messages and receipts: what a device may add to the log.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Content, Fired, Message, Receipt, Rung, schedule_key};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Hold, Post, Report, ToClose};
use jiashu_proto::id::{DeviceId, Millis};

use super::permission::check_sealed;
use super::schedule::Standing;
use super::{Refusal, Sender, check_addressees};
use crate::store::{Author, Batch, Change, HeldBody, NewEntry, Precondition};

/// Length of a seal's tag: no sealed body is shorter.
const TAG_LEN: usize = 16;

/// A message for the log.
///
/// # Errors
///
/// [`Refusal`] if the device may not write it, or it is out of bounds.
pub fn decide_post(sender: &Sender, post: Post, now: Millis) -> Result<Batch, Refusal> {
    sender.check_serves(post.from)?;
    check_addressees(&post.to)?;
    check_sealed(post.kind, post.key.as_deref())?;
    check_length(&post.sealed)?;
    check_no_blob(post.blob.is_some())?;
    if post.until.is_some_and(|until| until <= 0) {
        return Err(Refusal::new(ErrorCode::Malformed, "an end of validity is a time"));
    }
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
    let content = Content::Message(post.kind, message);
    Ok(Batch {
        author: Some(Author { device: sender.device, n: post.n, entry_ref: post.entry_ref }),
        requires: vec![
            Precondition::Active,
            Precondition::ToCloseWithin(ToClose::default()),
            Precondition::Epoch(post.epoch),
        ],
        entries: vec![NewEntry { key: content.key(), rank: 0, content: content.to_bytes() }],
        ..Batch::new(now)
    })
}

/// A body that waits until its schedule fires.
///
/// `standing` is its schedule, if that is written already, `held` what is held for it. A body that
/// is held already is replaced, as when it is sealed again under a newer key (`again`): its device
/// stays, for it stands in what is sealed.
///
/// # Errors
///
/// [`Refusal`] if the device may not write it, or it is out of bounds; [`ErrorCode::Unknown`] if it
/// is sealed again and held no longer.
pub fn decide_hold(
    sender: &Sender,
    hold: Hold,
    standing: Option<&Standing>,
    held: &[HeldBody],
    now: Millis,
) -> Result<Batch, Refusal> {
    sender.check_serves(hold.from)?;
    check_addressees(&hold.to)?;
    check_sealed(hold.kind, None)?;
    check_length(&hold.sealed)?;
    check_no_blob(hold.blob.is_some())?;
    if hold.valid_for.is_some_and(|valid_for| valid_for <= 0) {
        return Err(Refusal::new(ErrorCode::Malformed, "a time of validity is above 0"));
    }
    if standing.is_some_and(|standing| standing.schedule.from != hold.from) {
        return Err(Refusal::new(ErrorCode::NotAllowed, "this schedule is another member's"));
    }
    let replaced = held.iter().find(|held| held.body_ref == hold.body_ref).and_then(message_of);
    if replaced.as_ref().is_some_and(|replaced| replaced.from != hold.from) {
        return Err(Refusal::new(ErrorCode::NotAllowed, "this letter is another member's"));
    }
    if hold.again.is_some() && replaced.is_none() {
        return Err(Refusal::new(ErrorCode::Unknown, "this letter waits no longer: it has gone"));
    }
    let mut requires = vec![
        Precondition::Active,
        Precondition::ToCloseWithin(ToClose::default()),
        Precondition::Epoch(hold.epoch),
        Precondition::FactAt(schedule_key(hold.schedule), standing.map(|standing| standing.seq)),
    ];
    if replaced.is_none() {
        requires.push(Precondition::HeldBelow(bounds::MAX_HELD));
    }
    let author = Author { device: sender.device, n: hold.n, entry_ref: hold.name() };
    let body = held_body(replaced.map_or(sender.device, |replaced| replaced.device), hold);
    Ok(Batch {
        author: Some(author),
        requires,
        changes: vec![Change::PutHeld(body)],
        ..Batch::new(now)
    })
}

fn message_of(held: &HeldBody) -> Option<Message> {
    match Content::from_bytes(&held.content) {
        Ok(Content::Message(_, message)) => Some(message),
        _ => None,
    }
}

fn held_body(device: DeviceId, hold: Hold) -> HeldBody {
    let message = Message {
        device,
        from: hold.from,
        entry_ref: hold.body_ref,
        epoch: hold.epoch,
        to: hold.to,
        sealed: hold.sealed,
        key: None,
        until: None,
        blob: hold.blob,
        // Firing fills in what is not yet known: the planned time and the instant.
        fired: Some(Fired {
            body_ref: hold.body_ref,
            schedule: hold.schedule,
            planned: String::new(),
            due_at: 0,
            adjust: None,
            valid_for: hold.valid_for,
            version: 0,
        }),
    };
    let content = Content::Message(hold.kind, message).to_bytes();
    HeldBody { body_ref: hold.body_ref, schedule: hold.schedule, content }
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
        Rung::Played => 3,
        Rung::Shown => 4,
        Rung::Done => 5,
    };
    if report.share.is_some_and(|share| share > 100) {
        return Err(Refusal::new(ErrorCode::Malformed, "a share is at most 100 percent"));
    }
    let content = Content::Receipt(Receipt {
        device: sender.device,
        from: report.from,
        of: report.of,
        to: report.to,
        rung: report.rung,
        at: report.at,
        share: report.share,
    });
    Ok(Batch {
        author: Some(Author { device: sender.device, n: report.n, entry_ref: report.entry_ref }),
        entries: vec![NewEntry { key: content.key(), rank, content: content.to_bytes() }],
        ..Batch::new(now)
    })
}

fn check_length(sealed: &[u8]) -> Result<(), Refusal> {
    match sealed.len() {
        ..TAG_LEN => Err(Refusal::new(ErrorCode::Malformed, "shorter than a seal's tag")),
        TAG_LEN..=bounds::MAX_SEALED => Ok(()),
        _ => Err(Refusal::new(ErrorCode::TooLarge, "a sealed message is at most 16 KiB")),
    }
}

fn check_no_blob(blob: bool) -> Result<(), Refusal> {
    if blob {
        Err(Refusal::new(ErrorCode::NotAllowed, "this relay keeps no voice notes yet"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::entry::{RuleText, Schedule, ScheduleState};
    use jiashu_proto::id::{MemberId, Ref};

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
        let batch = decide_post(&sender(), post(), 5).unwrap();

        let nothing_to_close = Precondition::ToCloseWithin(ToClose::default());
        let expected = [Precondition::Active, nothing_to_close, Precondition::Epoch(4)];
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
            (
                "someone else's fact",
                Post { key: Some("consent/3".into()), ..post() },
                ErrorCode::NotAllowed,
            ),
        ];

        for (what, post, code) in cases {
            let refusal = decide_post(&sender(), post, 5).unwrap_err();
            assert_eq!(refusal.code, code, "{what}");
        }
        let largest = Post { sealed: vec![0; bounds::MAX_SEALED], ..post() };
        assert!(decide_post(&sender(), largest, 5).is_ok());
    }

    fn hold(sealed: u8) -> Hold {
        Hold {
            n: 1,
            body_ref: Ref([2; 12]),
            epoch: 4,
            from: MemberId(2),
            to: vec![],
            kind: 1,
            sealed: vec![sealed; 20],
            schedule: Ref([3; 12]),
            valid_for: None,
            blob: None,
            again: None,
            replaces: None,
        }
    }

    fn standing(from: u32) -> Standing {
        let rule = RuleText {
            start: String::new(),
            zone: String::new(),
            rrule: None,
            also: Vec::new(),
            except: Vec::new(),
        };
        let schedule = Schedule {
            id: Ref([3; 12]),
            device: DeviceId(1),
            from: MemberId(from),
            to: vec![],
            rule,
            state: ScheduleState::Active,
            bank: false,
            version: 0,
        };
        Standing { seq: 9, schedule }
    }

    #[test]
    fn nobody_holds_a_letter_for_another_members_schedule() {
        let foreign = decide_hold(&sender(), hold(1), Some(&standing(1)), &[], 5).unwrap_err();
        let own = decide_hold(&sender(), hold(1), Some(&standing(2)), &[], 5);

        assert_eq!(foreign.code, ErrorCode::NotAllowed);
        assert!(own.is_ok());
    }

    #[test]
    fn a_letter_sealed_again_keeps_the_device_that_sealed_it_first() {
        let first = Sender { device: DeviceId(1), ..sender() };
        let held = match &decide_hold(&first, hold(1), None, &[], 5).unwrap().changes[..] {
            [Change::PutHeld(held)] => held.clone(),
            other => panic!("{other:?}"),
        };

        let again = decide_hold(&sender(), hold(2), None, &[held], 6).unwrap();

        let [Change::PutHeld(again)] = &again.changes[..] else { panic!("one body") };
        let message = message_of(again).unwrap();
        assert_eq!((message.device, message.sealed), (DeviceId(1), vec![2; 20]));
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
        assert_eq!(shown.entries[0].rank, 4);
        assert_eq!(foreign.unwrap_err().code, ErrorCode::NotAllowed);
    }
}

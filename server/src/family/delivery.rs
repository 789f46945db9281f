//! What of the log is for which device, and in which form.

use jiashu_proto::entry::{Content, Message, Rung, Tombstone};
use jiashu_proto::id::{MemberId, Millis};

/// Whether a device that serves `members` is given this entry.
///
/// Facts go to all; a message to those it names and to its author's devices; a receipt to the
/// author of the message, and to the devices of the member it speaks of, which so agree.
#[must_use]
pub fn is_for(content: &Content, members: &[MemberId]) -> bool {
    match content {
        Content::Message(_, message) => {
            message.key.is_some()
                || message.to.is_empty()
                || members.contains(&message.from)
                || message.to.iter().any(|to| members.contains(to))
        }
        // What is done rings nowhere any more.
        Content::Receipt(receipt) if receipt.rung == Rung::Done => true,
        Content::Receipt(receipt) => {
            members.contains(&receipt.to) || members.contains(&receipt.from)
        }
        Content::Notice(notice) => members.contains(&notice.to),
        // The relay's own.
        Content::Blob(_) => false,
        Content::Tombstone(_)
        | Content::Link(_)
        | Content::Wraps(_)
        | Content::Schedule(_)
        | Content::Member(_)
        | Content::Consent(_)
        | Content::Request(_)
        | Content::Plan(_)
        | Content::Proposal(_)
        | Content::Pause(_)
        | Content::Placement(_)
        | Content::Nudge(_)
        | Content::Suspension(_)
        | Content::Leaving(_)
        | Content::Unknown(_) => true,
    }
}

/// Whether it is what members write and hear, and no fact about the family.
#[must_use]
pub fn is_of_members(content: &Content) -> bool {
    matches!(content, Content::Message(..) | Content::Receipt(_) | Content::Notice(_))
}

/// Whether a message is worth nothing any more. A fact stays worth what it is.
#[must_use]
pub fn is_past(message: &Message, now: Millis) -> bool {
    message.key.is_none() && message.until.is_some_and(|until| now >= until)
}

/// What is handed out of an entry in its place, if it is a message that is worth nothing any more.
#[must_use]
pub fn tombstone(content: &Content, now: Millis) -> Option<Content> {
    let Content::Message(_, message) = content else { return None };
    let until = message.until.filter(|_| is_past(message, now))?;
    Some(Content::Tombstone(Tombstone {
        from: message.from,
        entry_ref: message.entry_ref,
        to: message.to.clone(),
        until,
        due_at: message.fired.as_ref().map(|fired| fired.due_at),
    }))
}

#[cfg(test)]
mod tests {
    use jiashu_proto::entry::{Notice, Noticed, Receipt};
    use jiashu_proto::id::{DeviceId, Ref};

    use super::*;

    fn message(to: &[u32], key: Option<&str>) -> Content {
        Content::Message(
            1,
            Message {
                device: DeviceId(1),
                from: MemberId(1),
                entry_ref: Ref([0; 12]),
                epoch: 2,
                to: to.iter().copied().map(MemberId).collect(),
                sealed: vec![],
                key: key.map(Into::into),
                until: None,
                blob: None,
                fired: None,
            },
        )
    }

    fn receipt() -> Content {
        Content::Receipt(Receipt {
            device: DeviceId(2),
            from: MemberId(3),
            of: Ref([0; 12]),
            to: MemberId(1),
            rung: Rung::Shown,
            at: 0,
            share: None,
        })
    }

    #[test]
    fn an_entry_reaches_those_it_is_for() {
        let cases: &[(&str, Content, &[u32], bool)] = &[
            ("to all", message(&[], None), &[9], true),
            ("to one", message(&[2], None), &[2, 3], true),
            ("to another", message(&[2], None), &[3], false),
            ("the author's other phone", message(&[2], None), &[1], true),
            ("a fact", message(&[2], Some("name/2")), &[3], true),
            ("a receipt to the author", receipt(), &[1], true),
            ("a receipt to the one who heard", receipt(), &[3], true),
            ("a receipt to a sister", receipt(), &[4], false),
            ("newer", Content::Unknown(99), &[4], true),
        ];

        for (what, content, members, expected) in cases {
            let members: Vec<_> = members.iter().copied().map(MemberId).collect();
            assert_eq!(is_for(content, &members), *expected, "{what}");
        }
    }

    #[test]
    fn what_is_past_is_handed_out_as_a_tombstone_and_a_fact_never_is() {
        let ends = |content: Content| match content {
            Content::Message(kind, message) => {
                Content::Message(kind, Message { until: Some(100), ..message })
            }
            other => other,
        };
        let letter = ends(message(&[2], None));

        assert_eq!(tombstone(&letter, 99), None);
        let Some(Content::Tombstone(stone)) = tombstone(&letter, 100) else { panic!("it is past") };
        assert_eq!((stone.from, stone.to, stone.until), (MemberId(1), vec![MemberId(2)], 100));
        assert_eq!(tombstone(&ends(message(&[], Some("name/2"))), 100), None);
        assert_eq!(tombstone(&message(&[2], None), 100), None);
        assert_eq!(tombstone(&receipt(), 100), None);
    }

    #[test]
    fn what_is_done_is_told_to_all_and_a_notice_to_its_author_alone() {
        let Content::Receipt(seen) = receipt() else { unreachable!() };
        let done = Content::Receipt(Receipt { rung: Rung::Done, ..seen });
        let notice = Content::Notice(Notice {
            to: MemberId(1),
            what: Noticed::Missed,
            schedule: None,
            planned: None,
            due_at: None,
            of: None,
            members: Vec::new(),
            left: None,
        });

        assert!(is_for(&done, &[MemberId(4)]));
        assert!(is_for(&notice, &[MemberId(1), MemberId(2)]));
        assert!(!is_for(&notice, &[MemberId(2), MemberId(3)]));
    }
}

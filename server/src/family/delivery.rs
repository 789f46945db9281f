//! What of the log is for which device.

use jiashu_proto::entry::{Content, Rung};
use jiashu_proto::id::MemberId;

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
        Content::Tombstone(_)
        | Content::Link(_)
        | Content::Wraps(_)
        | Content::Schedule(_)
        | Content::Member(_)
        | Content::Consent(_)
        | Content::Request(_)
        | Content::Unknown(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::entry::{Message, Receipt};
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
}

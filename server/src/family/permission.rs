//! Who may write what: the one table. `docs/PROTOCOL.md` shows it and is tested against it.

use jiashu_proto::entry::{MessageKind, kind};
use jiashu_proto::error::ErrorCode;

use super::Refusal;

/// What holds for one kind of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number on the wire.
    pub kind: u32,
    /// The word.
    pub name: &'static str,
    /// `sealed` or `clear`.
    pub form: &'static str,
    /// By whom.
    pub writer: &'static str,
    /// What must hold.
    pub precondition: &'static str,
    /// Its key, if it is a fact.
    pub key: &'static str,
    /// How long it is kept.
    pub kept: &'static str,
    /// Who gets it.
    pub to: &'static str,
}

const RETENTION: &str = "90 days";
const SUPERSEDED: &str = "until superseded";
const POSTED: &str = "takes part, nothing to close first, epoch, next n";

/// The table, a row a kind.
pub const TABLE: &[Row] = &[
    Row {
        kind: 1,
        name: "text",
        form: "sealed",
        writer: "a device for a member it serves; the relay, when a schedule fires",
        precondition: POSTED,
        key: "",
        kept: RETENTION,
        to: "addressees and author",
    },
    Row {
        kind: 2,
        name: "voice",
        form: "sealed",
        writer: "a device for a member it serves; the relay, when a schedule fires",
        precondition: "takes part, nothing to close first, epoch, next n; its bytes are stored",
        key: "",
        kept: RETENTION,
        to: "addressees and author",
    },
    Row {
        kind: 3,
        name: "picture",
        form: "sealed",
        writer: "a device for a member it serves; the relay, when a schedule fires",
        precondition: POSTED,
        key: "",
        kept: RETENTION,
        to: "addressees and author",
    },
    Row {
        kind: 4,
        name: "reminder",
        form: "sealed",
        writer: "a device for a member it serves; the relay, when a schedule fires",
        precondition: POSTED,
        key: "",
        kept: RETENTION,
        to: "addressees and author",
    },
    Row {
        kind: 5,
        name: "name",
        form: "sealed",
        writer: "a device for a member it serves",
        precondition: POSTED,
        key: "name/N",
        kept: SUPERSEDED,
        to: "all",
    },
    Row {
        kind: kind::LINK,
        name: "link",
        form: "clear",
        writer: "a device of a parent or caregiver; an invite; staff (link 1); anybody who hands in a lost one",
        precondition: "roster head; signature and rules of the chain; a child is added in link 1 alone; a device's closes all that is asked for",
        key: "link/N",
        kept: "until the family is erased",
        to: "all",
    },
    Row {
        kind: kind::WRAPS,
        name: "wraps",
        form: "clear",
        writer: "with a link",
        precondition: "exactly the live devices and open invites",
        key: "wraps",
        kept: SUPERSEDED,
        to: "all",
    },
    Row {
        kind: kind::RECEIPT,
        name: "receipt",
        form: "clear",
        writer: "a device for a member it serves",
        precondition: "next n; a higher rung than stands",
        key: "receipt/REF/MEMBER",
        kept: SUPERSEDED,
        to: "the message's author, and the member it is of; *done* to all",
    },
    Row {
        kind: kind::SCHEDULE,
        name: "schedule",
        form: "clear",
        writer: "a device for a member it serves, a change for its author or as another parent; the relay, when spent",
        precondition: "takes part, next n, the version seen",
        key: "schedule/ID",
        kept: SUPERSEDED,
        to: "all",
    },
    Row {
        kind: kind::MEMBER,
        name: "member",
        form: "clear",
        writer: "staff, at enrolment",
        precondition: "the family is new",
        key: "member/N",
        kept: SUPERSEDED,
        to: "all",
    },
    Row {
        kind: kind::CONSENT,
        name: "consent",
        form: "clear",
        writer: "staff; a device that takes an agreement back, for a child itself or as an adult",
        precondition: "the version seen",
        key: "consent/N",
        kept: SUPERSEDED,
        to: "all",
    },
    Row {
        kind: kind::REQUEST,
        name: "request",
        form: "clear",
        writer: "a new phone, by a link that staff gave, once",
        precondition: "the link is open; new keys",
        key: "request/HASH",
        kept: SUPERSEDED,
        to: "all",
    },
    Row {
        kind: kind::NOTICE,
        name: "notice",
        form: "clear",
        writer: "the relay",
        precondition: "with what it tells of",
        key: "",
        kept: RETENTION,
        to: "its author alone",
    },
    Row {
        kind: kind::BLOB,
        name: "blob",
        form: "clear",
        writer: "the relay, when bytes are stored",
        precondition: "takes part; within the family's quota",
        key: "blob/ID",
        kept: "as long as its bytes",
        to: "nobody",
    },
    Row {
        kind: kind::PLAN,
        name: "plan",
        form: "clear",
        writer: "a device for a parent or caregiver it serves",
        precondition: "next n, the plan seen",
        key: "plan",
        kept: SUPERSEDED,
        to: "all",
    },
    Row {
        kind: kind::PROPOSAL,
        name: "proposal",
        form: "clear",
        writer: "staff",
        precondition: "",
        key: "plan/proposed",
        kept: SUPERSEDED,
        to: "all",
    },
    Row {
        kind: kind::PAUSE,
        name: "pause",
        form: "clear",
        writer: "staff, with a coded reason",
        precondition: "the version seen",
        key: "pause/N",
        kept: SUPERSEDED,
        to: "all",
    },
    Row {
        kind: kind::PLACEMENT,
        name: "placement",
        form: "clear",
        writer: "staff, at enrolment and when the family goes to another site or programme",
        precondition: "the version seen",
        key: "placement",
        kept: SUPERSEDED,
        to: "all",
    },
    Row {
        kind: kind::NUDGE,
        name: "nudge",
        form: "clear",
        writer: "the relay, when what is intended was missed, and when there was contact",
        precondition: "contact is counted; the version seen",
        key: "nudge/N",
        kept: SUPERSEDED,
        to: "all",
    },
    Row {
        kind: kind::SUSPENSION,
        name: "suspension",
        form: "clear",
        writer: "staff, with a coded reason",
        precondition: "of an adult; the version seen",
        key: "suspension/N",
        kept: SUPERSEDED,
        to: "all",
    },
    Row {
        kind: kind::LEAVING,
        name: "leaving",
        form: "clear",
        writer: "a device for a parent or caregiver it serves; staff",
        precondition: "next n; the version seen",
        key: "leaving",
        kept: SUPERSEDED,
        to: "all",
    },
];

/// Whether a device may seal a body of this kind, with that key.
///
/// # Errors
///
/// [`ErrorCode::NotAllowed`].
pub fn check_sealed(number: u32, key: Option<&str>) -> Result<(), Refusal> {
    let refused = |text| Err(Refusal::new(ErrorCode::NotAllowed, text));
    let known = TABLE.iter().any(|row| row.kind == number && row.form == "sealed");
    match (MessageKind::from_number(number), key) {
        (Some(MessageKind::Name), Some(key)) if is_name_key(key) => Ok(()),
        (Some(MessageKind::Name), _) => refused("a name is the fact name/N"),
        (Some(_), None) if known => Ok(()),
        (Some(_), Some(_)) if known => refused("a message of this kind has no key"),
        _ => refused("this relay takes no message of this kind"),
    }
}

fn is_name_key(key: &str) -> bool {
    key.strip_prefix("name/").is_some_and(|number| {
        number.parse::<u32>().is_ok_and(|member| member > 0 && member.to_string() == number)
    })
}

/// The table as Markdown, as it stands in `docs/PROTOCOL.md`.
#[must_use]
pub fn as_markdown() -> String {
    let mut text = String::from(
        "| kind | entry | form | who may write it | precondition | key | kept | delivered to |\n\
         | ---: | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in TABLE {
        let key = if row.key.is_empty() { String::new() } else { format!("`{}`", row.key) };
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {key} | {} | {} |\n",
            row.kind, row.name, row.form, row.writer, row.precondition, row.kept, row.to
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_sealed_facts() {
        let cases: &[(u32, Option<&str>, bool)] = &[
            (1, None, true),
            (1, Some("name/1"), false),
            (4, None, true),
            (5, Some("name/1"), true),
            (5, None, false),
            (5, Some("name/01"), false),
            (5, Some("name/0"), false),
            (5, Some("name/x"), false),
            (5, Some("wraps"), false),
            (2, None, true),
            (2, Some("name/1"), false),
            (3, None, true),
            (3, Some("name/1"), false),
            (16, None, false),
            (0, None, false),
            (u32::MAX, None, false),
        ];

        for (kind, key, allowed) in cases {
            assert_eq!(check_sealed(*kind, *key).is_ok(), *allowed, "{kind} {key:?}");
        }
    }

    #[test]
    fn the_protocol_page_shows_this_table() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PROTOCOL.md");

        let text = std::fs::read_to_string(page).unwrap();

        assert!(text.contains(&as_markdown()), "put this table into it:\n{}", as_markdown());
    }
}

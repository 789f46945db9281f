//! Whom the staff have suspended: said once where letters are read, and shown with the family.

use jiashu_proto::entry::{Content, SUSPENSION_KEYS, Suspension, SuspensionReason};
use jiashu_proto::id::MemberId;
use rusqlite::Connection;
use serde_json::json;

use super::changes::line;
use crate::error::Result;
use crate::say::People;
use crate::state::{fact, told};

/// Says on standard error what came since it was last said.
pub(super) fn tell_new(db: &Connection, people: &People, as_json: bool) -> Result<()> {
    let upto = told::upto(db, told::SUSPENSION)?.unwrap_or(0);
    let facts = fact::with_prefix(db, SUSPENSION_KEYS)?;
    let new: Vec<_> = facts.into_iter().filter(|fact| fact.seq.cast_signed() > upto).collect();
    let Some(last) = new.iter().map(|fact| fact.seq).max() else { return Ok(()) };
    told::put(db, told::SUSPENSION, last.cast_signed())?;
    for fact in new {
        let Content::Suspension(suspension) = fact.content else { continue };
        let text = in_words(&suspension, people);
        let lasts = suspension.lasting().is_some();
        let object = json!({ "suspended": lasts, "member": suspension.member.0, "text": text });
        line(&object, &text, as_json);
    }
    Ok(())
}

/// Who is suspended, as this phone knows.
pub(super) fn lasting(db: &Connection) -> Result<Vec<MemberId>> {
    let facts = fact::with_prefix(db, SUSPENSION_KEYS)?.into_iter();
    let lasting = facts.filter_map(|fact| match fact.content {
        Content::Suspension(suspension) => suspension.lasting().map(|_| suspension.member),
        _ => None,
    });
    Ok(lasting.collect())
}

fn in_words(suspension: &Suspension, people: &People) -> String {
    let name = people.name(suspension.member);
    let is_here = people.served().contains(&suspension.member);
    match (suspension.lasting(), is_here) {
        (Some(time), true) => format!(
            "The staff of your programme have suspended {name} ({}): what is written now does not come here, and \
             nothing can be written. Ask them.",
            why(time.reason)
        ),
        (Some(time), false) => format!(
            "The staff of your programme have suspended {name} ({}): what you write now does not reach {name}, \
             afterwards either. What {name} has already stays there.",
            why(time.reason)
        ),
        (None, _) => {
            format!("{name} is not suspended any more: what is written from now on comes.")
        }
    }
}

fn why(reason: SuspensionReason) -> &'static str {
    match reason {
        SuspensionReason::CourtOrder => "a court ordered it",
        SuspensionReason::Safeguarding => "to protect somebody",
        SuspensionReason::OwnWish => "by own wish",
    }
}

//! What prompts a phone's people when contact was missed: a line where letters are read, said once. It blames nobody, asks
//! the child for nothing, and is never said of what has ended meanwhile.

use jiashu_proto::entry::{Content, NUDGE_KEYS, Nudge, Nudged};
use jiashu_proto::id::{MemberId, Role};
use rusqlite::Connection;
use serde_json::json;

use super::changes::line;
use super::suspensions;
use crate::error::Result;
use crate::say::People;
use crate::state::fact;
use crate::state::told;

/// Says on standard error what came since it was last said.
pub(super) fn tell_new(db: &Connection, people: &People, as_json: bool) -> Result<()> {
    let upto = told::upto(db, told::NUDGE)?.unwrap_or(0);
    let facts = fact::with_prefix(db, NUDGE_KEYS)?;
    let new: Vec<_> = facts.into_iter().filter(|fact| fact.seq.cast_signed() > upto).collect();
    let Some(last) = new.iter().map(|fact| fact.seq).max() else { return Ok(()) };
    told::put(db, told::NUDGE, last.cast_signed())?;
    let suspended = suspensions::lasting(db)?;
    for fact in new {
        let Content::Nudge(nudge) = fact.content else { continue };
        let Some(text) = in_words(&nudge, people, &suspended) else { continue };
        let object = json!({ "nudge": nudge.child.0, "whom": nudge.whom.name(), "text": text });
        line(&object, &text, as_json);
    }
    Ok(())
}

/// For whoever uses this phone; nothing where it is not for them. Who is suspended is not asked to write.
fn in_words(nudge: &Nudge, people: &People, suspended: &[MemberId]) -> Option<String> {
    let may_write = |member: &&MemberId| !suspended.contains(member);
    let serves = |role| {
        let mut asked = people.served().iter().filter(may_write);
        asked.any(|member| people.role(*member) == Some(role))
    };
    let child = people.name(nudge.child);
    match nudge.whom {
        Nudged::Nobody => None,
        Nudged::Parents | Nudged::Caregivers if serves(Role::Parent) => Some(format!(
            "{child} would be glad to hear from you: a few words are enough. jiashu send \"…\""
        )),
        Nudged::Caregivers if serves(Role::Caregiver) => Some(format!(
            "If there is a quiet moment today: {child} could hear a letter again, or send one. jiashu log"
        )),
        Nudged::Parents | Nudged::Caregivers => None,
    }
}

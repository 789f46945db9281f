//! What the operator allows of invites: how many are open, and for how long they hold. Pure.
//!
//! Whether a link is right at all is decided in `roster`; here only what it asks for.

use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::Millis;
use jiashu_roster::{Link, Op};

use super::Refusal;

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub struct InviteTerms {
    /// Open at once in a family.
    pub open: usize,
    /// From now until they expire at the latest, in ms.
    pub lasts_ms: Millis,
}

/// Refuses a link that opens more invites than are allowed beside the `open` ones, or for longer. A
/// link that does not read asks for none.
///
/// # Errors
///
/// [`ErrorCode::Full`], [`ErrorCode::TooLarge`].
pub fn check_invites(
    link: &[u8],
    open: usize,
    terms: InviteTerms,
    now: Millis,
) -> Result<(), Refusal> {
    let Ok(body) = Link::parse(link).and_then(|link| link.read()) else { return Ok(()) };
    let expiries: Vec<_> = body
        .ops
        .iter()
        .filter_map(|op| match op {
            Op::AddInvite { expires_at, .. } => Some(*expires_at),
            _ => None,
        })
        .collect();
    let closed = body.ops.iter().filter(|op| matches!(op, Op::CloseInvite { .. })).count();
    let after = open.saturating_add(expiries.len()).saturating_sub(closed);
    if !expiries.is_empty() && after > terms.open {
        let text = format!("a family has at most {} open invites: close one first", terms.open);
        return Err(Refusal::new(ErrorCode::Full, text));
    }
    if expiries.iter().any(|expires_at| expires_at.saturating_sub(now) > terms.lasts_ms) {
        let days = terms.lasts_ms / (24 * 60 * 60 * 1000);
        let text = format!("an invite holds for at most {days} days: is this clock right?");
        return Err(Refusal::new(ErrorCode::TooLarge, text));
    }
    Ok(())
}

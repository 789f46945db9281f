//! The rules of the domain, pure: what is asked, as whom, and what time it is give a batch or a
//! refusal. Nothing here waits, reads or writes; `execute` fetches what a decision needs.

use crate::clock::timestamp;
use jiashu_proto::bounds;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{DeviceId, InviteId, MemberId, Millis, Role};

pub mod enrolment;

pub mod consent;

pub mod roster;

pub mod healing;

pub mod closing;

pub mod admission;

pub mod message;

pub mod ledger;

pub mod contact;

pub mod transfer;

pub mod nudges;

pub mod tasks;

pub mod help;

pub mod suspension;

pub mod leaving;

pub mod held;

pub mod blob;

pub mod schedule;

pub mod firing;

pub mod expiry;

pub mod retention;

pub mod invites;

pub mod delivery;

pub mod permission;

/// A device that has said who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Its number in the family.
    pub device: DeviceId,
    /// Whom it serves.
    pub members: Vec<MemberId>,
}

impl Sender {
    /// Whether it may speak for `member`.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::NotAllowed`] if it does not serve that member.
    pub fn check_serves(&self, member: MemberId) -> Result<(), Refusal> {
        if self.members.contains(&member) {
            Ok(())
        } else {
            Err(Refusal::new(ErrorCode::NotAllowed, "this device does not serve that member"))
        }
    }
}

/// What staff are told of a case that is not theirs, not their programme's, or not there: all the same.
#[must_use]
pub fn no_such_case() -> Refusal {
    Refusal::new(ErrorCode::Unknown, "there is no such case")
}

/// A no, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For the client.
    pub code: ErrorCode,
    /// One line for a log or a person. Never repeats what was sent.
    pub text: String,
}

impl Refusal {
    /// A refusal with its reason.
    #[must_use]
    pub fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// Whether `members` may stand in a `to`: ascending, none twice, not too many.
fn check_addressees(members: &[MemberId]) -> Result<(), Refusal> {
    if members.len() > bounds::MAX_MEMBERS {
        return Err(Refusal::new(ErrorCode::TooLarge, "too many addressees"));
    }
    if members.is_sorted_by(|one, next| one < next) {
        Ok(())
    } else {
        Err(Refusal::new(ErrorCode::Malformed, "addressees ascend, without repeats"))
    }
}

/// One answer for a wrong, a used and an expired invite: who guesses learns nothing.
#[must_use]
pub fn no_such_invite() -> Refusal {
    Refusal::new(ErrorCode::Invite, "this invite is wrong, used or expired: ask for a new one")
}

/// To who was in before the family began anew: what it has stays, and nothing more comes.
#[must_use]
pub fn new_chain() -> Refusal {
    Refusal::new(
        ErrorCode::NewChain,
        "the family began anew without this phone: ask for a new card",
    )
}

/// To who belongs to a family that was deleted: nothing more comes, and nothing is asked of the phone.
#[must_use]
pub fn erased() -> Refusal {
    Refusal::new(
        ErrorCode::Erased,
        "all of the family was deleted: what is on this phone stays there",
    )
}

/// The civil date then, where the day begins in Greenwich: an agreement ends for all on one day.
#[must_use]
pub fn day_of(now: Millis) -> String {
    let now = timestamp(now);
    jiff::tz::TimeZone::UTC.to_datetime(now).date().to_string()
}

/// When that civil date begins there, in ms.
fn begin_of(day: &str) -> Option<Millis> {
    let midnight = day.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0);
    Some(jiff::tz::TimeZone::UTC.to_timestamp(midnight).ok()?.as_millisecond())
}

/// Whether everything that taking part needs is recorded: for every child the guardian's consent
/// and the child's own assent, on that civil date.
#[must_use]
pub fn takes_part<'a>(
    members: impl IntoIterator<Item = (&'a MemberId, &'a Role)>,
    consents: &[jiashu_proto::entry::Consent],
    on: &str,
) -> bool {
    members.into_iter().filter(|(_, role)| **role == Role::Child).all(|(member, _)| {
        consents.iter().any(|consent| consent.member == *member && consent.takes_part(on))
    })
}

/// Whether contact may be counted: a family takes part, and every child's guardian and the child agree to that too.
/// One that does not takes the family out of all figures.
#[must_use]
pub fn is_counted<'a>(
    members: impl IntoIterator<Item = (&'a MemberId, &'a Role)>,
    consents: &[jiashu_proto::entry::Consent],
    on: &str,
) -> bool {
    let mut children = members.into_iter().filter(|(_, role)| **role == Role::Child);
    children.all(|(member, _)| {
        consents.iter().any(|consent| consent.member == *member && consent.is_counted(on))
    })
}

/// The cards that came with a link are exactly those of the invites it makes, within bounds.
fn check_cards(cards: &[jiashu_proto::frame::Card], invites: &[InviteId]) -> Result<(), Refusal> {
    if !cards.iter().map(|card| card.invite).eq(invites.iter().copied()) {
        return Err(Refusal::new(ErrorCode::BadLink, "one card for each invite of the link"));
    }
    if cards.iter().any(|card| card.blob.len() > bounds::MAX_CARD) {
        return Err(Refusal::new(ErrorCode::TooLarge, "a card is too large"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiashu_proto::entry::Consent;

    use super::*;

    #[test]
    fn a_family_takes_part_once_every_child_is_consented_for_and_assents() {
        let members = [(MemberId(1), Role::Parent), (MemberId(2), Role::Child)];
        let consent = |consent_on: Option<&str>, assent_on: Option<&str>| Consent {
            consent_on: consent_on.map(Into::into),
            assent_on: assent_on.map(Into::into),
            ..Consent::none(MemberId(2))
        };
        let takes_part = |consents: &[Consent]| {
            let members = members.iter().map(|(member, role)| (member, role));
            super::takes_part(members, consents, "2026-11-10")
        };

        assert!(!takes_part(&[]));
        assert!(!takes_part(&[consent(Some("2026-11-01"), None)]));
        assert!(!takes_part(&[consent(None, Some("2026-11-01"))]));
        assert!(takes_part(&[consent(Some("2026-11-01"), Some("2026-11-01"))]));
    }
}

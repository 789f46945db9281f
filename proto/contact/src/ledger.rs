//! What was heard: the events that contact is counted by.

use jiashu_proto::id::{MemberId, Role};
use jiff::Timestamp;

/// From which side of the family to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// A parent was heard at home.
    Home,
    /// The child was heard by a parent.
    Away,
}

/// One side's message that the other has heard: an opened text, a voice played at least half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contact {
    /// When it was heard.
    pub heard_at: Timestamp,
    /// The child who heard it, or who said it.
    pub child: MemberId,
    /// Which way it went.
    pub way: Way,
}

/// Which child's contact it is, and which way, where somebody of that role heard what somebody of the other wrote. With a
/// grandmother, or among those at home, it is none.
#[must_use]
pub fn between(author: (MemberId, Role), heard_by: (MemberId, Role)) -> Option<(MemberId, Way)> {
    match (author, heard_by) {
        ((_, Role::Parent), (child, Role::Child)) => Some((child, Way::Home)),
        ((child, Role::Child), (_, Role::Parent)) => Some((child, Way::Away)),
        _ => None,
    }
}

/// Those of one child, in the order in which they were heard.
#[must_use]
pub fn of_child(ledger: &[Contact], child: MemberId) -> Vec<Contact> {
    let mut contacts: Vec<_> =
        ledger.iter().copied().filter(|contact| contact.child == child).collect();
    contacts.sort_unstable();
    contacts
}

//! Contact as an NGO counts it: what a family intends, what of that was kept, and how it stands. No I/O and no clock:
//! the caller says what time it is, so that the relay, an e-mail and a phone reckon alike.
//!
//! Read in this order: what was heard (`ledger`), what is intended (`plan`), which of it was kept (`keeping`), when a
//! child and its parents last heard each other (`two_way`), and from these how the child stands and until when
//! (`standing`), and who is asked when contact is missed (`escalation`). `figures` sums up a stretch of time for reports, `week` a week,
//! `age` says how old a child was; `suppress` leaves out of a table what
//! would single out a child.
//!
//! All is per child: a sister who is called every day says nothing of her brother. Nothing here knows what was said.

pub mod ledger;

pub mod plan;

pub mod keeping;

pub mod two_way;

pub mod standing;

pub mod escalation;

pub mod figures;

pub mod week;

pub mod age;

pub mod suppress;

pub mod days;

#[cfg(test)]
mod testing;

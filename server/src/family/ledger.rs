//! What a family's ledger says: which message went, who heard it, what was intended before
//! and where the family was. Never what was said.
//!
//! Rows are written with the message or the receipt that they come from, and only where the family is counted; what
//! they mean is `contact`'s to say.

use jiashu_proto::entry::{IntendedRule, Message, MessageKind, Receipt, Seq};
use jiashu_proto::id::{DeviceId, MemberId, Millis, Ref, Scope};
use minicbor::{Decode, Encode};

use crate::store::{Change, LedgerRow};

/// The book of what went.
pub const SENT: &str = "sent";

/// The book of what was heard.
pub const HEARD: &str = "heard";

/// The book of plans that stand no more.
pub const INTENDED: &str = "intended";

/// The book of sites where the family was before.
pub const STAYED: &str = "stayed";

/// All that is erased where a family is not counted any more; the last says which weeks have closed.
pub const BOOKS: [&str; 5] = [SENT, HEARD, INTENDED, STAYED, CLOSED];

/// The book that says which week was the last to close: one row.
pub const CLOSED: &str = "closed";

/// A message went.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Sent {
    /// When it came into the log, in ms.
    #[n(0)]
    pub at: Millis,
    /// Who wrote it.
    #[n(1)]
    pub from: MemberId,
    /// On which phone.
    #[n(2)]
    pub device: DeviceId,
    /// Of which kind.
    #[n(3)]
    pub kind: u32,
}

impl Sent {
    /// Of a message as it stands in the log from then on; `None` for a fact, which is no message.
    #[must_use]
    pub fn of(kind: u32, message: &Message, at: Millis) -> Option<Change> {
        let is_message = message.key.is_none() && kind != MessageKind::Name.number();
        let sent = Self { at, from: message.from, device: message.device, kind };
        let row = || row(SENT, message.entry_ref.0.to_vec(), &sent);
        is_message.then(|| Change::Count { row: row(), look: None })
    }

    /// What a row of the book says, and of which message; `None` if it does not read.
    #[must_use]
    pub fn read(row: &LedgerRow) -> Option<(Ref, Self)> {
        let name = row.name.as_slice().try_into().ok()?;
        Some((Ref(name), minicbor::decode(&row.value).ok()?))
    }
}

/// A message was heard.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Heard {
    /// When, by the clock of the phone, in ms: to be taken for no more than it is.
    #[n(0)]
    pub claimed: Millis,
    /// When the relay was told, in ms.
    #[n(1)]
    pub at: Millis,
    /// On which phone.
    #[n(2)]
    pub device: DeviceId,
}

impl Heard {
    /// Of a receipt as the relay is told of it then; `None` where it does not say so.
    #[must_use]
    pub fn of(receipt: &Receipt, at: Millis) -> Option<Change> {
        let heard = Self { claimed: receipt.at, at, device: receipt.device };
        let name = [&receipt.of.0[..], &receipt.from.0.to_be_bytes()].concat();
        // Soon, and not at once: what a phone brings after a day without signal is looked at together.
        let look = at.saturating_add(LOOK_AFTER_MS);
        receipt
            .rung
            .is_heard(receipt.share)
            .then(|| Change::Count { row: row(HEARD, name, &heard), look: Some(look) })
    }

    /// What a row of the book says, of which message, and by whom it was heard; `None` if it does not read.
    #[must_use]
    pub fn read(row: &LedgerRow) -> Option<(Ref, MemberId, Self)> {
        let (name, member) = row.name.split_first_chunk()?;
        let member = u32::from_be_bytes(member.try_into().ok()?);
        Some((Ref(*name), MemberId(member), minicbor::decode(&row.value).ok()?))
    }
}

/// How long after something was heard it is looked at, in ms.
const LOOK_AFTER_MS: Millis = 2_000;

/// What the family intended until it wrote another plan.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Intended {
    /// Since when, in ms.
    #[n(0)]
    pub from: Millis,
    /// Until when.
    #[n(1)]
    pub until: Millis,
    /// When.
    #[n(2)]
    pub rules: Vec<IntendedRule>,
}

impl Intended {
    /// Of a plan that stood at that place and stands no more.
    #[must_use]
    pub fn of(seq: Seq, from: Millis, until: Millis, rules: Vec<IntendedRule>) -> Change {
        let row = row(INTENDED, seq.to_be_bytes().to_vec(), &Self { from, until, rules });
        Change::Count { row, look: None }
    }

    /// What a row of the book says, and where that plan stood; `None` if it does not read.
    #[must_use]
    pub fn read(row: &LedgerRow) -> Option<(Seq, Self)> {
        let name = row.name.as_slice().try_into().ok()?;
        Some((Seq::from_be_bytes(name), minicbor::decode(&row.value).ok()?))
    }

    /// The row of the plan that stood there is struck.
    #[must_use]
    pub fn strike(seq: Seq) -> Change {
        Change::Strike(INTENDED.to_owned(), seq.to_be_bytes().to_vec())
    }
}

/// At which site the family was until it went to another of the same programme.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Stayed {
    /// Since when, in ms.
    #[n(0)]
    pub from: Millis,
    /// The code of the site; absent where it was at none.
    #[n(1)]
    pub site: Option<String>,
}

impl Stayed {
    /// Of a placement that stood at that place and stands no more.
    #[must_use]
    pub fn of(seq: Seq, from: Millis, site: Option<String>) -> Change {
        let row = row(STAYED, seq.to_be_bytes().to_vec(), &Self { from, site });
        Change::Count { row, look: None }
    }

    /// What a row of the book says; `None` if it does not read.
    #[must_use]
    pub fn read(row: &LedgerRow) -> Option<Self> {
        minicbor::decode(&row.value).ok()
    }
}

/// The book of programmes whose the family was: what they keep of it is deleted with it.
pub const LEFT: &str = "left";

/// The family was that programme's, under that code.
#[must_use]
pub fn left(programme: Scope, case_code: &str) -> Change {
    let name = [&programme.0.to_be_bytes(), case_code.as_bytes()].concat();
    Change::Enter(row(LEFT, name, &()))
}

/// Of a row of [`LEFT`] the programme, and the code there; `None` if it does not read.
#[must_use]
pub fn read_left(row: &LedgerRow) -> Option<(Scope, String)> {
    let (programme, case_code) = row.name.split_first_chunk()?;
    let case_code = String::from_utf8(case_code.to_vec()).ok()?;
    Some((Scope(u64::from_be_bytes(*programme)), case_code))
}

/// Of what happens once the first to say so stands.
const ONCE: (u64, u64) = (1, 0);

fn row<T: Encode<()>>(book: &str, name: Vec<u8>, value: &T) -> LedgerRow {
    let value = minicbor::to_vec(value).expect("writing to memory cannot fail");
    LedgerRow { book: book.to_owned(), name, version: ONCE, value }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::entry::Rung;

    use super::*;

    fn receipt(rung: Rung, share: Option<u8>) -> Receipt {
        let (device, from, to) = (DeviceId(2), MemberId(3), MemberId(1));
        Receipt { device, from, of: Ref([7; 12]), to, rung, at: 900, share }
    }

    #[test]
    fn heard_is_an_opened_text_or_half_of_a_voice() {
        let cases = [
            (Rung::Device, None, false),
            (Rung::Opened, None, true),
            (Rung::Played, None, false),
            (Rung::Played, Some(49), false),
            (Rung::Played, Some(50), true),
            (Rung::Shown, None, true),
            (Rung::Done, None, true),
        ];
        for (rung, share, is_heard) in cases {
            assert_eq!(
                Heard::of(&receipt(rung, share), 1_000).is_some(),
                is_heard,
                "{rung:?} {share:?}"
            );
        }

        let Some(Change::Count { row, look }) = Heard::of(&receipt(Rung::Opened, None), 1_000)
        else {
            panic!("an opened text is heard");
        };
        let heard = Heard { claimed: 900, at: 1_000, device: DeviceId(2) };
        assert_eq!(Heard::read(&row), Some((Ref([7; 12]), MemberId(3), heard)));
        assert_eq!(look, Some(3_000));
    }

    #[test]
    fn a_name_is_no_message() {
        let message = Message {
            device: DeviceId(1),
            from: MemberId(1),
            entry_ref: Ref([7; 12]),
            epoch: 2,
            to: vec![MemberId(3)],
            sealed: Vec::new(),
            key: None,
            until: None,
            blob: None,
            fired: None,
        };

        let Some(Change::Count { row, look: None }) = Sent::of(1, &message, 5) else {
            panic!("a text went")
        };
        let sent = Sent { at: 5, from: MemberId(1), device: DeviceId(1), kind: 1 };
        assert_eq!(Sent::read(&row), Some((Ref([7; 12]), sent)));
        let name = Message { key: Some("name/1".into()), ..message };
        assert_eq!(Sent::of(5, &name, 5), None);
    }
}

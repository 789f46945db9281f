//! An e-mail that is to be sent, as it stands in the ledger of the family or programme that it is of. Pure.
//!
//! Each has a book of its own with one row, so that a look at one does not read the others, and an item on the due
//! index. Before it is handed to a mail server that is written down (`tries`), so that whoever comes after a crash knows
//! that it may have arrived, and says so.

use jiashu_proto::id::{DeviceId, MemberId, Millis, Ref};
use minicbor::{Decode, Encode};
use ring::digest::{Context, SHA256};

use crate::store::{Change, DueItem, LedgerRow};

/// To whom. Where that is stands elsewhere, and is looked up when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Recipient {
    /// All who answer for the family.
    #[n(1)]
    Responsible,
    /// A member of staff.
    #[n(2)]
    Staff(#[n(0)] DeviceId),
    /// A member of the family.
    #[n(3)]
    Member(#[n(0)] MemberId),
}

/// Of what.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum About {
    /// This member asks for help.
    #[n(1)]
    Help(#[n(0)] MemberId),
    /// It would be a good moment to write.
    #[n(2)]
    Nudge,
    /// The figures on the Monday after this week ended.
    #[n(3)]
    Digest(#[n(0)] String),
    /// A link to sign in by.
    #[n(4)]
    SignIn,
}

impl About {
    /// The word in `--json`, in logs and in figures.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Help(_) => "help",
            Self::Nudge => "nudge",
            Self::Digest(_) => "digest",
            Self::SignIn => "sign-in",
        }
    }
}

/// What it says, once that is written: a repeat says the same.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Written {
    /// One line.
    #[n(0)]
    pub subject: String,
    /// As text.
    #[n(1)]
    pub text: String,
    /// As HTML.
    #[n(2)]
    pub html: String,
}

/// An e-mail that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Mail {
    /// To whom.
    #[n(0)]
    pub to: Recipient,
    /// Of what.
    #[n(1)]
    pub about: About,
    /// When it was asked for, in ms: its date.
    #[n(2)]
    pub asked_at: Millis,
    /// How often it was handed to a mail server, or is being.
    #[n(3)]
    pub tries: u32,
    /// Whether one of these may have arrived, though nobody said so.
    #[n(4)]
    pub is_unknown: bool,
    /// Whether a try is under way, or was when the relay ended.
    #[n(5)]
    pub is_under_way: bool,
    /// What it says.
    #[n(6)]
    pub written: Option<Written>,
}

impl Mail {
    /// One that was not tried yet.
    #[must_use]
    pub fn new(to: Recipient, about: About, now: Millis) -> Self {
        Self {
            to,
            about,
            asked_at: now,
            tries: 0,
            is_unknown: false,
            is_under_way: false,
            written: None,
        }
    }

    /// The book of that one.
    #[must_use]
    pub fn book(id: Ref) -> String {
        format!("mail/{id}")
    }

    /// That it stands so, and is looked at then.
    #[must_use]
    pub fn put(&self, id: Ref, at: Millis) -> [Change; 2] {
        let row = LedgerRow {
            book: Self::book(id),
            name: Vec::new(),
            version: (u64::from(self.tries), u64::from(!self.is_under_way)),
            value: minicbor::to_vec(self).expect("writing to memory cannot fail"),
        };
        [Change::Enter(row), Change::SetDue(DueItem::Mail(id), at)]
    }

    /// That it is no more.
    #[must_use]
    pub fn drop(id: Ref) -> [Change; 2] {
        [Change::StrikeBook(Self::book(id)), Change::ClearDue(DueItem::Mail(id))]
    }

    /// What a row says; `None` if it does not read.
    #[must_use]
    pub fn read(row: &LedgerRow) -> Option<Self> {
        minicbor::decode(&row.value).ok()
    }

    /// Somebody waits for it.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        matches!(self.about, About::Help(_) | About::SignIn)
    }

    /// When it is tried again after that failure; `None`: never. The first time `wait_ms` after it, later ones in
    /// proportion.
    #[must_use]
    pub fn again_at(&self, now: Millis, wait_ms: Millis) -> Option<Millis> {
        let times = if self.is_urgent() { &URGENT[..] } else { &USUAL };
        let place = usize::try_from(self.tries).unwrap_or(usize::MAX).checked_sub(1)?;
        Some(now.saturating_add(times.get(place)?.saturating_mul(wait_ms)))
    }
}

/// How long is waited after each failure, in times of the first: by minutes three days in all, as a mail server does
/// (RFC 5321, 4.5.4.1).
const USUAL: [i64; 16] = [1, 5, 15, 30, 60, 120, 240, 360, 360, 360, 360, 360, 480, 480, 480, 620];

/// The same where somebody waits.
const URGENT: [i64; 24] = [
    1, 1, 1, 1, 1, 2, 2, 5, 5, 10, 10, 15, 30, 60, 120, 240, 360, 360, 360, 480, 480, 480, 480, 600,
];

/// The name of an e-mail that follows from these: whoever makes it again makes the same one.
#[must_use]
pub fn id_of(parts: &[&[u8]]) -> Ref {
    let mut digest = Context::new(&SHA256);
    digest.update(b"jiashu/1 mail");
    for part in parts {
        digest.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finish();
    let mut id = [0; 12];
    id.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    Ref(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: Millis = 60_000;

    #[test]
    fn a_mail_reads_back_and_each_step_stands_over_the_one_before() {
        let new = Mail::new(Recipient::Staff(DeviceId(2)), About::Digest("2026W48".into()), 5);
        let written = Written { subject: "s".into(), text: "t".into(), html: "h".into() };
        let tried = Mail { tries: 1, is_under_way: true, written: Some(written), ..new.clone() };
        let failed = Mail { is_under_way: false, ..tried.clone() };
        let row = |mail: &Mail| match mail.put(Ref([1; 12]), 9) {
            [Change::Enter(row), Change::SetDue(DueItem::Mail(_), 9)] => row,
            other => panic!("{other:?}"),
        };

        assert_eq!(Mail::read(&row(&tried)), Some(tried.clone()));
        assert!(row(&new).version < row(&tried).version);
        assert!(row(&tried).version < row(&failed).version);
    }

    #[test]
    fn it_is_tried_for_three_days_and_sooner_where_somebody_waits() {
        let total = |about: About| {
            let mut mail = Mail::new(Recipient::Responsible, about, 0);
            let (mut now, mut soon) = (0, 0);
            loop {
                mail.tries += 1;
                let Some(at) = mail.again_at(now, MINUTE_MS) else { return (now, soon) };
                now = at;
                soon += u32::from(now <= 10 * MINUTE_MS);
            }
        };
        let day = 24 * 60 * MINUTE_MS;

        let (usual, _) = total(About::Nudge);
        let (urgent, soon) = total(About::Help(MemberId(3)));
        assert!((3 * day..4 * day).contains(&usual), "{usual}");
        assert!((2 * day..4 * day).contains(&urgent) && soon >= 5, "{urgent} {soon}");
    }

    #[test]
    fn a_name_follows_from_what_it_is_made_of_and_where_that_is_parted() {
        assert_eq!(id_of(&[b"ab", b"c"]), id_of(&[b"ab", b"c"]));
        assert_ne!(id_of(&[b"ab", b"c"]), id_of(&[b"a", b"bc"]));
    }
}

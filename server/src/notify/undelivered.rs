//! E-mails that were not delivered, or of which nobody knows: rows of the programme's ledger that its coordinators see.

use jiashu_proto::id::{DeviceId, Millis, Ref, Scope};
use minicbor::{Decode, Encode};

use super::outbox::{Mail, Recipient};
use super::programme_of;
use crate::contact::placement;
use crate::relay::Relay;
use crate::store::{Batch, Change, LedgerRow, Store, StoreError};

/// The book of them.
const BOOK: &str = "undelivered";

/// The newest that are kept.
pub const KEPT: usize = 200;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Why {
    /// A mail server will not have it, with this code of SMTP.
    #[n(1)]
    Refused(#[n(0)] u16),
    /// It was tried for three days.
    #[n(2)]
    GivenUp,
    /// Nobody of those who answer for the family has an address.
    #[n(3)]
    NobodyToTell,
    /// The operator has set up no mail server.
    #[n(4)]
    NoMailServer,
    /// It was sent, and may have been before: it arrived once or more often.
    #[n(5)]
    PerhapsTwice,
    /// It was handed over once and never answered, and no later try came through: nobody knows whether it arrived.
    #[n(6)]
    Unknown,
}

impl Why {
    /// The word in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::GivenUp => "given_up",
            Self::NobodyToTell => "nobody_to_tell",
            Self::NoMailServer => "no_mail_server",
            Self::PerhapsTwice => "perhaps_twice",
            Self::Unknown => "unknown",
        }
    }
}

/// An e-mail, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Undelivered {
    /// Its name.
    #[n(0)]
    pub id: Ref,
    /// To whom of the staff; absent: to a parent, or to nobody.
    #[n(1)]
    pub staff: Option<DeviceId>,
    /// Of what.
    #[n(2)]
    pub about: String,
    /// Of which case; absent: of the programme.
    #[n(3)]
    pub case_code: Option<String>,
    /// When, in ms.
    #[n(4)]
    pub at: Millis,
    /// What became of it.
    #[n(5)]
    pub why: Why,
}

impl Undelivered {
    pub(super) fn of(id: Ref, mail: &Mail, why: Why, now: Millis) -> Self {
        let staff = match mail.to {
            Recipient::Staff(number) => Some(number),
            Recipient::Responsible | Recipient::Member(_) => None,
        };
        Self { id, staff, about: mail.about.name().to_owned(), case_code: None, at: now, why }
    }
}

/// Notes it in the programme of that family, or in that programme. A repeat notes it once.
pub(super) async fn note(
    relay: &Relay,
    scope: Scope,
    undelivered: &Undelivered,
) -> Result<(), StoreError> {
    let store = &*relay.store;
    let (programme, case_code) = match placement(store, scope).await? {
        Some(placement) => (placement.programme, Some(placement.case_code)),
        None => (programme_of(store, scope).await?, None),
    };
    let undelivered = Undelivered { case_code, ..undelivered.clone() };
    let mut changes: Vec<_> = all(store, programme)
        .await?
        .iter()
        .skip(KEPT.saturating_sub(1))
        .map(|old| Change::Strike(BOOK.to_owned(), old.id.0.to_vec()))
        .collect();
    changes.push(Change::Enter(LedgerRow {
        book: BOOK.to_owned(),
        name: undelivered.id.0.to_vec(),
        version: (u64::try_from(undelivered.at).unwrap_or(0), 0),
        value: minicbor::to_vec(&undelivered).expect("writing to memory cannot fail"),
    }));
    store.commit(programme, Batch { changes, ..Batch::new(undelivered.at) }).await?;
    Ok(())
}

/// Those of a case go.
///
/// # Errors
///
/// [`StoreError`].
pub async fn strike_case(
    store: &dyn Store,
    programme: Scope,
    case_code: &str,
) -> Result<Vec<Change>, StoreError> {
    let all = all(store, programme).await?.into_iter();
    let of_case = all.filter(|one| one.case_code.as_deref() == Some(case_code));
    Ok(of_case.map(|one| Change::Strike(BOOK.to_owned(), one.id.0.to_vec())).collect())
}

/// Those of a programme, the newest first.
///
/// # Errors
///
/// [`StoreError`].
pub async fn all(store: &dyn Store, programme: Scope) -> Result<Vec<Undelivered>, StoreError> {
    let rows = store.book(programme, BOOK).await?;
    let read = |row: &LedgerRow| minicbor::decode::<Undelivered>(&row.value).ok();
    let mut all: Vec<_> = rows.iter().filter_map(read).collect();
    all.sort_by_key(|one| (std::cmp::Reverse(one.at), one.id));
    Ok(all)
}

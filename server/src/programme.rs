//! What a programme's log says of its staff and sites. The relay's own: no phone is given it.

use jiashu_contact::standing::Thresholds;
use jiashu_proto::entry::{Jurisdiction, OF_AGE, Seq};
use jiashu_proto::id::{DeviceId, Millis, Scope};
use minicbor::{Decode, Encode};

use crate::store::{NewEntry, Store, StoreError};

/// The kinds of these entries; those below are of cases and programmes.
mod kind {
    pub(super) const STAFF: u32 = 66;
    pub(super) const SITE: u32 = 67;
    pub(super) const THRESHOLDS: u32 = 69;
    pub(super) const OFFER: u32 = 72;
    pub(super) const OFFERED: u32 = 73;
    pub(super) const CONSENT_SETTINGS: u32 = 74;
}

/// What a member of staff may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// All of the programme.
    #[n(1)]
    Coordinator,
    /// Own families; enrols at own sites.
    #[n(2)]
    Caseworker,
    /// Figures and the audit log, no family.
    #[n(3)]
    Auditor,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Coordinator, Self::Caseworker, Self::Auditor];

    /// The word in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Caseworker => "caseworker",
            Self::Auditor => "auditor",
        }
    }

    /// The role of that word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A member of staff: the fact `staff/N`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct StaffFact {
    /// What they may do.
    #[n(0)]
    pub role: Role,
    /// Codes of their sites.
    #[n(1)]
    pub sites: Vec<String>,
    /// What colleagues call them.
    #[n(2)]
    pub name: String,
    /// Where letters to staff go.
    #[n(3)]
    pub email: Option<String>,
    /// BCP 47.
    #[n(4)]
    pub language: String,
    /// Whether they left.
    #[n(5)]
    pub left: bool,
}

/// A place where families live: the fact `site/CODE`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SiteFact {
    /// What staff call it.
    #[n(0)]
    pub name: String,
    /// Its clock, IANA.
    #[n(1)]
    pub zone: String,
    /// Its organisation unit in DHIS2.
    #[n(2)]
    pub org_unit: Option<String>,
}

/// What holds of consent where nobody says otherwise: the fact `consent-settings`. What is written of a consent by it stays
/// as it is when the settings change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ConsentSettings {
    /// By whose law; none: the guardian and the child are both needed until the child is of age.
    #[n(0)]
    pub jurisdiction: Option<Jurisdiction>,
    /// Number of the text that is read.
    #[n(1)]
    pub text_version: Option<u32>,
    /// For how many months a consent holds; none: without end.
    #[n(2)]
    pub valid_months: Option<u32>,
}

impl ConsentSettings {
    /// From which age, in years, a child's own word is enough.
    #[must_use]
    pub fn own_word_age(self) -> u8 {
        self.jurisdiction.map_or(OF_AGE, Jurisdiction::own_word_age)
    }
}

/// A family that the programme offers to another: the fact `offer/FAMILY`. Once it was taken it stands in place of the
/// case, too, whose code so names no family any more.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct OfferFact {
    /// Which.
    #[n(0)]
    pub family: Scope,
    /// Its code here.
    #[n(1)]
    pub case_code: String,
    /// To which programme.
    #[n(2)]
    pub to: Scope,
    /// Who offered it.
    #[n(3)]
    pub by: DeviceId,
    /// When, in ms.
    #[n(4)]
    pub at: Millis,
    /// What came of it.
    #[n(5)]
    pub state: OfferState,
}

/// What came of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum OfferState {
    /// Nothing yet.
    #[n(1)]
    Open,
    /// It was taken back; the other programme may have it in its list still.
    #[n(2)]
    TakenBack,
    /// The other programme took it.
    #[n(3)]
    Taken,
}

/// A family that another programme offers to this one: the fact `offered/FAMILY`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct OfferedFact {
    /// Which.
    #[n(0)]
    pub family: Scope,
    /// Which programme.
    #[n(1)]
    pub from: Scope,
    /// The family's code there.
    #[n(2)]
    pub case_code: String,
    /// When, in ms.
    #[n(3)]
    pub at: Millis,
    /// As what it is taken, where somebody does so.
    #[n(4)]
    pub taken: Option<Taken>,
}

/// As what a family is taken.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Taken {
    /// Its code from then on.
    #[n(0)]
    pub case_code: String,
    /// The code of its site.
    #[n(1)]
    pub site: Option<String>,
}

impl ProgrammeFact for OfferFact {
    const KIND: u32 = kind::OFFER;
    const KEYS: &'static str = "offer/";
}

impl ProgrammeFact for OfferedFact {
    const KIND: u32 = kind::OFFERED;
    const KEYS: &'static str = "offered/";
}

/// The key of what is offered.
#[must_use]
pub fn offer_key(family: Scope) -> String {
    format!("{}{family}", OfferFact::KEYS)
}

/// The key of what is offered to a programme.
#[must_use]
pub fn offered_key(family: Scope) -> String {
    format!("{}{family}", OfferedFact::KEYS)
}

/// Something that stands in a programme's log under a key of its own.
pub trait ProgrammeFact: Encode<()> + for<'b> Decode<'b, ()> {
    /// Its number among the kinds of entries.
    const KIND: u32;
    /// What its keys begin with.
    const KEYS: &'static str;
}

impl ProgrammeFact for StaffFact {
    const KIND: u32 = kind::STAFF;
    const KEYS: &'static str = "staff/";
}

impl ProgrammeFact for SiteFact {
    const KIND: u32 = kind::SITE;
    const KEYS: &'static str = "site/";
}

impl ProgrammeFact for Thresholds {
    const KIND: u32 = kind::THRESHOLDS;
    const KEYS: &'static str = "thresholds";
}

impl ProgrammeFact for ConsentSettings {
    const KIND: u32 = kind::CONSENT_SETTINGS;
    const KEYS: &'static str = "consent-settings";
}

/// The key of a member of staff.
#[must_use]
pub fn staff_key(number: DeviceId) -> String {
    format!("{}{number}", StaffFact::KEYS)
}

/// The key of a site.
#[must_use]
pub fn site_key(code: &str) -> String {
    format!("{}{code}", SiteFact::KEYS)
}

/// An entry that says so from then on.
#[must_use]
pub fn entry<F: ProgrammeFact>(key: String, fact: &F) -> NewEntry {
    let mut e = minicbor::Encoder::new(Vec::new());
    e.u32(F::KIND).and_then(|e| e.encode(fact)).expect("writing to memory cannot fail");
    NewEntry { key: Some(key), rank: 0, content: e.into_writer() }
}

fn read<F: ProgrammeFact>(content: &[u8]) -> Option<F> {
    let mut d = minicbor::Decoder::new(content);
    (d.u32().ok()? == F::KIND).then(|| d.decode().ok()).flatten()
}

/// What stands under that key.
///
/// # Errors
///
/// [`StoreError`].
pub async fn find<F: ProgrammeFact>(
    store: &dyn Store,
    programme: Scope,
    key: &str,
) -> Result<Option<F>, StoreError> {
    Ok(find_at(store, programme, key).await?.map(|(_, fact)| fact))
}

/// The same, with its place in the log.
///
/// # Errors
///
/// [`StoreError`].
pub async fn find_at<F: ProgrammeFact>(
    store: &dyn Store,
    programme: Scope,
    key: &str,
) -> Result<Option<(Seq, F)>, StoreError> {
    let record = store.fact(programme, key).await?;
    Ok(record.and_then(|record| Some((record.seq, read(&record.content)?))))
}

/// All of the kind, with what their keys end with, ascending by key.
///
/// # Errors
///
/// [`StoreError`].
pub async fn all<F: ProgrammeFact>(
    store: &dyn Store,
    programme: Scope,
) -> Result<Vec<(String, F)>, StoreError> {
    let facts = store.facts(programme, F::KEYS).await?;
    let read = |(key, record): (String, crate::store::Record)| {
        Some((key.strip_prefix(F::KEYS)?.to_owned(), read(&record.content)?))
    };
    Ok(facts.into_iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_reads_as_what_it_is_and_as_nothing_else() {
        let site = SiteFact { name: "天水".into(), zone: "Asia/Shanghai".into(), org_unit: None };

        let entry = entry(site_key("tianshui"), &site);

        assert_eq!(entry.key.as_deref(), Some("site/tianshui"));
        assert_eq!(read::<SiteFact>(&entry.content), Some(site));
        assert_eq!(read::<StaffFact>(&entry.content), None);
    }
}

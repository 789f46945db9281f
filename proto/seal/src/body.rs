//! Sealing the text of an entry, bound to everything about it that travels in clear.

use jiashu_proto::canonical;
use jiashu_proto::id::{DeviceId, LinkHash, MemberId, Ref};
use zeroize::Zeroizing;

use crate::error::SealError;
use crate::family_key::FamilyKey;
use crate::primitive::{derive, open, seal};

/// The clear fields of a body. They never change, whichever epoch seals it: `device` of a held
/// body stays the one that sealed it first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyFields {
    /// The device that sealed it first.
    pub device: DeviceId,
    /// The member who speaks.
    pub from: MemberId,
    /// The entry's kind on the wire.
    pub kind: u32,
    /// For whom, ascending, each once; none means all.
    pub to: Vec<MemberId>,
    /// The fact's key. Empty is not none.
    pub key: Option<String>,
    /// `valid_until` in ms UTC; of a held body `valid_for` in ms.
    pub until: Option<u64>,
    /// The schedule of a held body, none in a post.
    pub schedule: Option<Ref>,
}

impl BodyFields {
    /// What a body with these fields is bound to, in the epoch of the link with this hash.
    #[must_use]
    pub fn aad(&self, link: LinkHash) -> Vec<u8> {
        let Self { device, from, kind, to, key, until, schedule } = self;
        let fields = (link, device, from, kind, to, key.as_deref(), until, schedule);
        [b"jiashu/1 body".to_vec(), canonical::encode(&fields)].concat()
    }

    fn check(&self) -> Result<(), SealError> {
        if self.to.is_sorted_by(|one, next| one < next) {
            Ok(())
        } else {
            Err(SealError::Refused("the members of a body ascend, each once"))
        }
    }
}

/// Seals `text` under the key of the epoch that `link` began.
///
/// The same arguments give the same bytes. Under one key a `body_ref` may meet only one text and
/// one set of fields: [`Draft`](crate::Draft) sees to that, and is the way to use this.
///
/// # Errors
///
/// [`SealError::Refused`] if `to` does not ascend.
pub fn seal_body(
    key: &FamilyKey,
    link: LinkHash,
    body_ref: Ref,
    fields: &BodyFields,
    text: &[u8],
) -> Result<Vec<u8>, SealError> {
    fields.check()?;
    Ok(seal(&derive(key.as_bytes(), "jiashu/1 body"), body_ref.0, &fields.aad(link), text))
}

/// Opens what [`seal_body`] sealed. A fired occurrence opens under its `body_ref`.
///
/// # Errors
///
/// [`SealError::NotOpened`] if any of the arguments is another, [`SealError::Refused`] if `to` does
/// not ascend, though the seal might open.
pub fn open_body(
    key: &FamilyKey,
    link: LinkHash,
    body_ref: Ref,
    fields: &BodyFields,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    fields.check()?;
    open(&derive(key.as_bytes(), "jiashu/1 body"), body_ref.0, &fields.aad(link), sealed)
        .ok_or(SealError::NotOpened("body"))
}

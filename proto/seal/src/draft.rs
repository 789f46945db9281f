//! A text before it is sealed: what a client keeps on disk, so that no key and nonce meet two texts.

use jiashu_proto::id::{LinkHash, Ref};

use crate::body::{BodyFields, seal_body};
use crate::error::SealError;
use crate::family_key::FamilyKey;
use crate::primitive::random;

/// A ref with the one text and the one set of fields it will ever be sealed with.
///
/// There is no way to change one: an edit is a new draft with a new ref. Another epoch seals the
/// same draft under another key. Store it before [`Draft::seal`] is first called.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    body_ref: Ref,
    fields: BodyFields,
    text: Vec<u8>,
}

impl Draft {
    /// A new draft, under a new random ref.
    #[must_use]
    pub fn new(fields: BodyFields, text: Vec<u8>) -> Self {
        Self { body_ref: Ref(random()), fields, text }
    }

    /// A draft as it was stored. Anything but what [`Draft::new`] made breaks the seal's promise.
    #[must_use]
    pub fn from_stored(body_ref: Ref, fields: BodyFields, text: Vec<u8>) -> Self {
        Self { body_ref, fields, text }
    }

    /// The identity of the message, and the nonce of its seal.
    #[must_use]
    pub fn body_ref(&self) -> Ref {
        self.body_ref
    }

    /// Its clear fields.
    #[must_use]
    pub fn fields(&self) -> &BodyFields {
        &self.fields
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The sealed body under the key of the epoch that `link` began; the same bytes at every call.
    ///
    /// # Errors
    ///
    /// [`SealError::Refused`] if `to` does not ascend.
    pub fn seal(&self, key: &FamilyKey, link: LinkHash) -> Result<Vec<u8>, SealError> {
        seal_body(key, link, self.body_ref, &self.fields, &self.text)
    }
}

impl std::fmt::Debug for Draft {
    /// Without the text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Draft({}, {} bytes)", self.body_ref, self.text.len())
    }
}

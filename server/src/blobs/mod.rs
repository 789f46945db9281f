//! Stored bytes: what a voice note is, sealed. Only bytes and how many there are; what they are for, and until when they are
//! kept, is noted in the family's log, so that it changes together with it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use jiashu_proto::id::{Ref, Scope};

use crate::config::Config;

pub mod folder;

pub mod uploads;

pub mod usage;

#[cfg(feature = "s3")]
pub mod s3;

#[cfg(test)]
mod conformance;

/// Where stored bytes are: a family's, under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobName {
    /// The family.
    pub scope: Scope,
    /// Its name there.
    pub id: Ref,
}

/// Why bytes could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// They do not begin where those that are there end.
    #[error("there are {0} bytes so far")]
    Offset(u64),
    /// Somebody else is adding to them.
    #[error("somebody else is adding to it")]
    Busy,
    /// The place where they are kept does not do its work; to be tried again.
    #[error("stored bytes are unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Keeps bytes by name. What was added is durable before the answer.
#[async_trait]
pub trait Blobs: fmt::Debug + Send + Sync + 'static {
    /// How many bytes there are; 0 if there are none of that name.
    ///
    /// # Errors
    ///
    /// [`BlobError::Unavailable`].
    async fn size(&self, name: BlobName) -> Result<u64, BlobError>;

    /// Adds bytes behind those that are there, which must be `offset`; how many there are then.
    ///
    /// # Errors
    ///
    /// [`BlobError`]; nothing was added, or with [`BlobError::Unavailable`] perhaps a part: ask for the size.
    async fn append(&self, name: BlobName, offset: u64, bytes: Vec<u8>) -> Result<u64, BlobError>;

    /// All of them are there, and none will be added: they are put where they stay. May be repeated.
    ///
    /// # Errors
    ///
    /// [`BlobError::Unavailable`].
    async fn complete(&self, name: BlobName) -> Result<(), BlobError>;

    /// So many bytes from there on, fewer where there are not so many.
    ///
    /// # Errors
    ///
    /// [`BlobError::Unavailable`].
    async fn read(&self, name: BlobName, from: u64, most: usize) -> Result<Vec<u8>, BlobError>;

    /// They are gone, also if there were none.
    ///
    /// # Errors
    ///
    /// [`BlobError::Unavailable`].
    async fn remove(&self, name: BlobName) -> Result<(), BlobError>;

    /// All of the family's are gone, those among them that nobody has noted.
    ///
    /// # Errors
    ///
    /// [`BlobError::Unavailable`].
    async fn remove_all(&self, family: Scope) -> Result<(), BlobError>;
}

/// What an address of a bucket begins with.
pub const BUCKET: &str = "s3://";

/// Where the configuration says that they are kept.
///
/// # Errors
///
/// [`BlobError::Unavailable`] if that makes no place, or one that this relay was built without.
pub fn open(config: &Config) -> Result<Arc<dyn Blobs>, BlobError> {
    match config.blobs.as_deref() {
        #[cfg(feature = "s3")]
        Some(address) if address.starts_with(BUCKET) => Ok(Arc::new(s3::Bucket::at(address)?)),
        #[cfg(not(feature = "s3"))]
        Some(address) if address.starts_with(BUCKET) => {
            Err(BlobError::Unavailable("this relay was built without the feature s3".into()))
        }
        Some(folder) => Ok(Arc::new(folder::Folder::at(PathBuf::from(folder)))),
        None => Ok(Arc::new(folder::Folder::at(config.data.join("blobs")))),
    }
}

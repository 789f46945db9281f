//! Stored bytes in a bucket, as any S3 keeps it: `PREFIX/FAMILY/NAME`, and until all have come in pieces,
//! `PREFIX/FAMILY/NAME.part/OFFSET`.
//!
//! A bucket cannot add to what it has. A piece is written only where there is none yet: of two who add at the same
//! place one is told. (Its own uploads in parts begin at 5 MiB, which is five times the largest voice note.)

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use jiashu_proto::id::{Ref, Scope};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig,
};
use tokio::sync::Semaphore;

use super::{BUCKET, BlobError, BlobName, Blobs};

/// A bucket that does not answer within this time is not to be had.
const PATIENCE: Duration = Duration::from_secs(10);

/// What fails is tried again so often at once, and within that time.
const TRIES: usize = 2;

/// Voice notes that are put together at once: each is in memory meanwhile.
const AT_ONCE: usize = 16;

/// A bucket, or a part of one.
pub struct Bucket {
    store: AmazonS3,
    prefix: String,
    gathering: Semaphore,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Bucket {
    /// The one of an address, `s3://BUCKET/PREFIX`. Where it is and who asks stand in the environment, as for all
    /// programs: `AWS_ENDPOINT`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ALLOW_HTTP`.
    ///
    /// # Errors
    ///
    /// [`BlobError::Unavailable`] if these make no bucket. It is not asked anything yet.
    pub fn at(address: &str) -> Result<Self, BlobError> {
        let allow_http = std::env::var("AWS_ALLOW_HTTP").is_ok_and(|value| value == "true");
        Self::of(AmazonS3Builder::from_env(), allow_http, address)
    }

    pub(super) fn of(
        builder: AmazonS3Builder,
        allow_http: bool,
        address: &str,
    ) -> Result<Self, BlobError> {
        // What TLS stands on is the process's; whoever needs it first names it, and here all name the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let place = address.strip_prefix(BUCKET).unwrap_or(address);
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let retry =
            RetryConfig { max_retries: TRIES, retry_timeout: PATIENCE, ..Default::default() };
        let client = ClientOptions::new().with_timeout(PATIENCE).with_connect_timeout(PATIENCE);
        let store = builder
            .with_bucket_name(bucket)
            .with_client_options(client.with_allow_http(allow_http))
            .with_retry(retry)
            .build()
            .map_err(unavailable)?;
        let (prefix, gathering) = (prefix.to_owned(), Semaphore::new(AT_ONCE));
        Ok(Self { store, prefix, gathering })
    }

    fn whole(&self, name: BlobName) -> Path {
        let Ref(id) = name.id;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        Path::from(format!("{}/{}/{id}", self.prefix, name.scope))
    }

    fn parts(&self, name: BlobName) -> Path {
        Path::from(format!("{}.part", self.whole(name)))
    }

    fn part(&self, name: BlobName, offset: u64) -> Path {
        self.parts(name).join(format!("{offset:010}"))
    }

    /// Bytes of the whole object; `None` if there is none.
    async fn whole_size(&self, name: BlobName) -> Result<Option<u64>, BlobError> {
        match self.store.head(&self.whole(name)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn all_pieces(&self, name: BlobName) -> Result<Vec<ObjectMeta>, BlobError> {
        let parts = self.parts(name);
        self.store.list(Some(&parts)).try_collect().await.map_err(unavailable)
    }

    /// None is left, also of those behind a gap: as where this was begun once and broke off.
    async fn delete_pieces(&self, name: BlobName) -> Result<(), BlobError> {
        for piece in self.all_pieces(name).await? {
            self.delete(&piece.location).await?;
        }
        Ok(())
    }

    /// The pieces from the start on without a gap, and how many bytes they are.
    async fn pieces(&self, name: BlobName) -> Result<(Vec<ObjectMeta>, u64), BlobError> {
        let mut found = self.all_pieces(name).await?;
        found.sort_by(|one, next| one.location.cmp(&next.location));
        let (mut joined, mut end) = (Vec::new(), 0);
        for piece in found {
            if piece.location == self.part(name, end) {
                end = end.saturating_add(piece.size);
                joined.push(piece);
            }
        }
        Ok((joined, end))
    }

    async fn gathered(&self, name: BlobName) -> Result<(Vec<ObjectMeta>, Vec<u8>), BlobError> {
        let (pieces, _) = self.pieces(name).await?;
        let mut bytes = Vec::new();
        for piece in &pieces {
            let got = self.store.get(&piece.location).await.map_err(unavailable)?;
            bytes.extend_from_slice(&got.bytes().await.map_err(unavailable)?);
        }
        Ok((pieces, bytes))
    }

    async fn delete(&self, location: &Path) -> Result<(), BlobError> {
        match self.store.delete(location).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn unavailable(error: Error) -> BlobError {
    BlobError::Unavailable(error.into())
}

#[async_trait]
impl Blobs for Bucket {
    async fn size(&self, name: BlobName) -> Result<u64, BlobError> {
        match self.whole_size(name).await? {
            Some(size) => Ok(size),
            None => Ok(self.pieces(name).await?.1),
        }
    }

    async fn append(&self, name: BlobName, offset: u64, bytes: Vec<u8>) -> Result<u64, BlobError> {
        let size = self.size(name).await?;
        if size != offset {
            return Err(BlobError::Offset(size));
        }
        let (part, length) = (self.part(name, offset), bytes.len() as u64);
        let put = self.store.put_opts(&part, PutPayload::from(bytes), PutMode::Create.into());
        match put.await {
            Ok(_) => Ok(offset.saturating_add(length)),
            // Somebody else, or this very piece, whose answer was lost on the way.
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Err(BlobError::Busy),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn complete(&self, name: BlobName) -> Result<(), BlobError> {
        let _place = self.gathering.acquire().await;
        if self.whole_size(name).await?.is_none() {
            let (_, bytes) = self.gathered(name).await?;
            let whole = self.whole(name);
            self.store.put(&whole, PutPayload::from(bytes)).await.map_err(unavailable)?;
        }
        self.delete_pieces(name).await
    }

    async fn read(&self, name: BlobName, from: u64, most: usize) -> Result<Vec<u8>, BlobError> {
        let whole = self.whole(name);
        match self.whole_size(name).await? {
            Some(size) => {
                let upto = from.saturating_add(most as u64).min(size);
                if from >= upto {
                    return Ok(Vec::new());
                }
                let bytes = self.store.get_range(&whole, from..upto).await.map_err(unavailable)?;
                Ok(bytes.to_vec())
            }
            None => {
                let _place = self.gathering.acquire().await;
                let (pieces, bytes) = self.gathered(name).await?;
                if pieces.is_empty() {
                    return Err(BlobError::Unavailable("there are none of that name".into()));
                }
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
                let rest = bytes.get(from..).unwrap_or_default();
                Ok(rest.iter().take(most).copied().collect())
            }
        }
    }

    async fn remove(&self, name: BlobName) -> Result<(), BlobError> {
        self.delete(&self.whole(name)).await?;
        self.delete_pieces(name).await
    }

    async fn remove_all(&self, family: Scope) -> Result<(), BlobError> {
        let of_family = Path::from(format!("{}/{family}", self.prefix));
        let found = self.store.list(Some(&of_family)).try_collect::<Vec<_>>().await;
        for object in found.map_err(unavailable)? {
            self.delete(&object.location).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::conformance::bucket;

    const NAME: BlobName = BlobName { scope: Scope(0xfedc_ba98_7654_3210), id: Ref([7; 12]) };

    #[tokio::test]
    async fn what_was_put_together_when_the_relay_was_killed_leaves_no_pieces() {
        let (server, blobs) = bucket().await;
        let (mut end, whole) = (0, blobs.whole(NAME));
        for piece in [b"one", b"two", b"end"] {
            end = blobs.append(NAME, end, piece.to_vec()).await.unwrap();
        }
        let bytes = blobs.read(NAME, 0, 9).await.unwrap();

        // Killed after the first piece was deleted.
        blobs.store.put(&whole, PutPayload::from(bytes)).await.unwrap();
        blobs.delete(&blobs.part(NAME, 0)).await.unwrap();
        blobs.complete(NAME).await.unwrap();

        assert_eq!(server.keys().await, [whole.to_string()]);
        assert_eq!(blobs.read(NAME, 0, 9).await.unwrap(), b"onetwoend");
    }
}

//! What a relay stands on: its own folder, or what several relays share. What holds on the one must hold on the other.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::redis::TestRedis;
use crate::relay::TestRelay;
use crate::s3::TestBucket;

/// A store for logs, and a place for stored bytes.
#[derive(Debug)]
pub struct Ground {
    /// What a relay on it is told.
    pub settings: Vec<(String, String)>,
    /// Where there is one.
    pub bucket: Option<TestBucket>,
    /// Where there is one.
    pub redis: Option<TestRedis>,
}

impl Ground {
    /// The embedded store, and a folder.
    #[must_use]
    pub fn own() -> Self {
        Self { settings: Vec::new(), bucket: None, redis: None }
    }

    /// A Redis, and a bucket.
    pub async fn shared() -> Self {
        let (redis, bucket) = tokio::join!(TestRedis::start(), TestBucket::start());
        let settings = [redis.settings(), bucket.settings()].concat();
        Self { settings, bucket: Some(bucket), redis: Some(redis) }
    }

    /// A relay on it, with these settings besides.
    pub async fn relay(&self, folder: &TempDir, more: &[(&str, &str)]) -> TestRelay {
        let more = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let settings: Vec<_> = self.settings.iter().cloned().chain(more).collect();
        TestRelay::on(&folder.path().join("data"), &settings).await
    }

    /// The folders in which everything is kept, but for what a bucket has.
    #[must_use]
    pub fn folders(&self, relay: &TestRelay) -> Vec<PathBuf> {
        let redis = self.redis.iter().map(|redis| redis.data().to_owned());
        std::iter::once(relay.data_dir()).chain(redis).collect()
    }

    /// How much is stored for all families: files, or objects.
    ///
    /// # Panics
    ///
    /// If it cannot be looked at.
    pub async fn stored(&self, relay: &TestRelay) -> usize {
        if let Some(bucket) = &self.bucket {
            return bucket.keys().await.len();
        }
        let families = std::fs::read_dir(relay.data_dir().join("blobs"));
        let families = families.into_iter().flatten().flatten();
        families.map(|family| std::fs::read_dir(family.path()).unwrap().count()).sum()
    }
}

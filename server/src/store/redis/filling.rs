//! Filling an empty Redis with all of another store: while that is under way no relay may use it.

use super::answer::{array, bytes, pairs};
use super::layout::{FILLING, RELAYS};
use super::link::{Failure, Link};
use super::share::COUNTS_S;
use super::{RedisStore, StoreError};

/// Why a Redis may not be filled; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FillError {
    /// Of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Relays use it.
    #[error("{0} relays use this Redis: stop them first")]
    InUse(usize),
    /// There is something in it.
    #[error("there are {0} families and programmes in this Redis already: fill an empty one")]
    NotEmpty(usize),
    /// Something else was being filled in.
    #[error("this Redis holds a part of something else: empty it (FLUSHDB) first")]
    Other,
}

impl RedisStore {
    /// Marks that it is being filled with what has this SHA-256. The same may be filled in again, as far as it came
    /// the last time.
    ///
    /// # Errors
    ///
    /// [`FillError`].
    pub async fn begin_filling(&self, sha256: &[u8; 32]) -> Result<(), FillError> {
        let live = live_relays(&self.link).await.map_err(StoreError::from)?;
        if live > 0 {
            return Err(FillError::InUse(live));
        }
        match mark(&self.link).await.map_err(StoreError::from)? {
            Some(mark) if mark == sha256 => return Ok(()),
            Some(_) => return Err(FillError::Other),
            None => {}
        }
        let there = super::whole::scopes(&self.link).await.map_err(StoreError::from)?.len();
        if there > 0 {
            return Err(FillError::NotEmpty(there));
        }
        let mut set = redis::pipe();
        set.cmd("SET").arg(FILLING).arg(&sha256[..]);
        self.link.ask(&set).await.map_err(StoreError::from)?;
        Ok(())
    }

    /// It is full: relays may use it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]: end it again.
    pub async fn end_filling(&self) -> Result<(), StoreError> {
        let mut del = redis::pipe();
        del.cmd("DEL").arg(FILLING);
        self.link.ask(&del).await?;
        Ok(())
    }
}

/// Whether it is being filled.
pub(super) async fn is_under_way(link: &Link) -> Result<bool, Failure> {
    Ok(mark(link).await?.is_some())
}

async fn mark(link: &Link) -> Result<Option<Vec<u8>>, Failure> {
    let mut get = redis::pipe();
    get.cmd("GET").arg(FILLING);
    Ok(bytes(link.ask(&get).await?.pop().unwrap_or_default())?)
}

/// Those that were heard of lately, by the clock that they are counted by.
async fn live_relays(link: &Link) -> Result<usize, Failure> {
    let mut pipe = redis::pipe();
    pipe.cmd("ZRANGE").arg(RELAYS).arg(0).arg(-1).arg("WITHSCORES");
    let relays = pairs(link.ask(&pipe).await?.pop().unwrap_or_default())?;
    let mut now = 0;
    for (_, time) in link.ask_each(&redis::cmd("TIME")).await? {
        let seconds = array(time?)?.into_iter().next().unwrap_or_default();
        let seconds = bytes(seconds)?.unwrap_or_default();
        now = now.max(String::from_utf8_lossy(&seconds).parse::<u64>().unwrap_or_default());
    }
    let is_live = |heard: &[u8]| {
        let heard = String::from_utf8_lossy(heard).parse::<u64>().unwrap_or_default();
        heard.saturating_add(COUNTS_S) >= now
    };
    Ok(relays.iter().filter(|(_, heard)| is_live(heard)).count())
}

//! `backup`, `restore`, `move`, `check`, `blobs`: all of a store, while no relay fills it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use indicatif::HumanBytes;
use jiff::Timestamp;

use super::{load, log, redis_options, runtime};
use crate::backup::{self, Summary, file};
use crate::blobs::usage::{self, Usage};
use crate::config::Config;
use crate::store::Store;
use crate::store::embedded::{self, EmbeddedStore, Look, MOVED_FILE, Options};
use crate::store::redis::RedisStore;

/// How what was done is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Telling {
    /// For a program.
    pub(super) json: bool,
}

impl Telling {
    #[expect(clippy::print_stdout, reason = "the answer to what was asked")]
    fn tell(self, done: &str, summary: &Summary) {
        if !self.json {
            println!("{done}: {}", summary.told());
            return;
        }
        let Summary { scopes, entries, held, bytes, .. } = summary;
        let json = serde_json::json!({
            "scopes": scopes,
            "entries": entries,
            "held": held,
            "bytes": bytes,
            "sha256": summary.hex(),
        });
        println!("{json}");
    }
}

/// Writes all of the store into a new file; a relay may run on it.
pub(super) fn backup(config: &Config, to: &Path, telling: Telling) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let store = open_to_read(config).await?;
        let summary = file::write(&*store, to).await?;
        store.close().await;
        telling.tell(&format!("backed up to {}", to.display()), &summary);
        Ok(())
    })
}

/// Fills the store, which must be empty, with all of a backup.
pub(super) fn restore(config: &Config, from: &Path, telling: Telling) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let whole = file::check(from)?;
        if config.is_shared() {
            let store = open_redis(config).await?;
            store.begin_filling(&whole.sha256).await?;
            file::read(from, &whole, &store).await?;
            end_filling(config, store, &whole).await?;
        } else {
            restore_embedded(&config.data, from, &whole).await?;
        }
        telling.tell(&format!("restored from {}", from.display()), &whole);
        Ok(())
    })
}

/// Beside its place, and put there once it is whole.
async fn restore_embedded(data: &Path, from: &Path, whole: &Summary) -> anyhow::Result<()> {
    if data.join(embedded::FILE).exists() {
        anyhow::bail!("there is a store in {}: restore into another folder", data.display());
    }
    let mut beside = data.as_os_str().to_owned();
    beside.push(".restoring");
    let beside = PathBuf::from(beside);
    if beside.exists() {
        // Of a restore that was stopped.
        std::fs::remove_dir_all(&beside).with_context(|| format!("{}", beside.display()))?;
    }
    let store = EmbeddedStore::open(&beside, Options::default())?;
    file::read(from, whole, &store).await?;
    store.close().await;
    drop(store);
    let store =
        EmbeddedStore::open(&beside, Options { look: Look::Thorough, ..Options::default() })?;
    backup::verify(&store, whole).await?;
    store.close().await;
    // An empty folder may be there.
    std::fs::rename(&beside, data).with_context(|| {
        format!("{} is restored, but cannot be put at {}", beside.display(), data.display())
    })
}

/// Carries all of the embedded store in `from` to a Redis, and marks `from`, so that no relay goes on there.
pub(super) fn carry(config: &Config, from: &Path, telling: Telling) -> anyhow::Result<()> {
    if !config.is_shared() {
        anyhow::bail!("--to is the address of a Redis; between folders, copy the folder");
    }
    runtime()?.block_on(async {
        let source = open_embedded(from)?;
        let sent = backup::summary(&source).await?;
        let store = open_redis(config).await?;
        store.begin_filling(&sent.sha256).await?;
        let carried = backup::carry(&source, &store).await?;
        anyhow::ensure!(carried == sent, "{} has changed meanwhile", from.display());
        end_filling(config, store, &sent).await?;
        source.close().await;
        let text = "all of this was moved to a Redis; without this file it is used here again\n";
        let mut mark = std::fs::File::create(from.join(MOVED_FILE))?;
        // A relay that went on here after a power failure would be a second truth.
        mark.write_all(text.as_bytes()).and_then(|()| mark.sync_all())?;
        std::fs::File::open(from)?.sync_all()?;
        telling.tell("moved", &sent);
        Ok(())
    })
}

/// What was written stands there, as another reader finds it; from then on relays may use it.
async fn end_filling(config: &Config, store: RedisStore, sent: &Summary) -> anyhow::Result<()> {
    store.close().await;
    drop(store);
    let store = open_redis(config).await?;
    backup::verify(&store, sent).await?;
    store.end_filling().await?;
    store.close().await;
    Ok(())
}

/// Shows what voice notes come to.
#[expect(clippy::print_stdout, reason = "the answer to what was asked")]
pub(super) fn blobs(config: &Config, telling: Telling) -> anyhow::Result<()> {
    let all = runtime()?.block_on(async {
        let store = open_to_read(config).await?;
        let all = usage::by_programme(&*store).await?;
        store.close().await;
        anyhow::Ok(all)
    })?;
    for (programme, usage) in all {
        let Usage { families, notes, bytes, unsettled, oldest_at, linked } = usage;
        let programme = programme.map(|programme| programme.to_string());
        if telling.json {
            let oldest_at = oldest_at.and_then(|at| Timestamp::from_millisecond(at).ok());
            let line = serde_json::json!({
                "programme": programme, "families": families, "notes": notes, "bytes": bytes,
                "unsettled_bytes": unsettled, "oldest_at": oldest_at.map(|at| at.to_string()),
                "bytes_by_links": linked,
            });
            println!("{line}");
            continue;
        }
        let name = programme.unwrap_or_else(|| "families that began anew".to_owned());
        let (size, by_links) = (HumanBytes(bytes), HumanBytes(linked));
        println!(
            "{name}  {notes} voice notes of {families} families, {size}; {by_links} fetched by links"
        );
    }
    Ok(())
}

/// Looks at everything.
pub(super) fn check(config: &Config, telling: Telling) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let store: Arc<dyn Store> = if config.is_shared() {
            Arc::new(open_redis(config).await?)
        } else {
            let store = open_embedded(&config.data)?;
            if let count @ 1.. = store.damaged().len() {
                anyhow::bail!("{count} families or programmes have damaged rows: see the log");
            }
            Arc::new(store)
        };
        let summary = backup::summary(&*store).await?;
        store.close().await;
        let place = match config.is_shared() {
            true => "the store".to_owned(),
            false => format!("the store in {}", config.data.display()),
        };
        telling.tell(&format!("{place} is whole"), &summary);
        Ok(())
    })
}

/// A relay that has it open goes on.
pub(super) async fn open_to_read(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    if config.is_shared() {
        return Ok(Arc::new(open_redis(config).await?));
    }
    must_exist(&config.data)?;
    Ok(Arc::new(EmbeddedStore::open_beside(&config.data)?))
}

/// No relay has it open, unless it is shared.
pub(super) async fn open_to_write(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    if config.is_shared() {
        return Ok(Arc::new(open_redis(config).await?));
    }
    Ok(Arc::new(open_embedded(&config.data)?))
}

fn must_exist(folder: &Path) -> anyhow::Result<()> {
    let is_there = folder.join(embedded::FILE).exists();
    anyhow::ensure!(is_there, "there is no store in {}", folder.display());
    Ok(())
}

fn open_embedded(folder: &Path) -> anyhow::Result<EmbeddedStore> {
    must_exist(folder)?;
    let options = Options { look: Look::Thorough, ..Options::default() };
    Ok(EmbeddedStore::open(folder, options)?)
}

/// Not as a relay, which would be given its share of what is due.
async fn open_redis(config: &Config) -> anyhow::Result<RedisStore> {
    let options = crate::store::redis::Options { aside: true, ..redis_options(config)? };
    Ok(RedisStore::open(&config.store, options).await?)
}

/// The configuration, with what the arguments say, and a log.
pub(super) fn prepared(args: &super::Args) -> anyhow::Result<Config> {
    let config = load(args)?;
    log(&config)?;
    Ok(config)
}

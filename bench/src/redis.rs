//! The relay at a Redis of its own, on the same machine.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiashu_server::store::Store;
use jiashu_server::store::redis::{Options, RedisStore};

use crate::relay::Relay;
use crate::seed::write;
use crate::system::{Running, RunningRelay, System};

/// A relay whose letters are kept by a Redis that syncs before it answers.
pub(crate) struct AtRedis {
    /// What is run.
    pub(crate) binary: PathBuf,
}

/// A redis-server, killed when this is dropped.
pub(crate) struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path) -> Result<Self> {
        let socket = folder.join("socket");
        let process = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket"])
            .arg(&socket)
            .args(["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("no redis-server: apt-get install redis-server")?;
        let server = Self { process, url: format!("redis+unix://{}", socket.display()) };
        let began = Instant::now();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            ensure!(began.elapsed() < Duration::from_secs(30), "redis-server does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }
}

impl Server {
    /// Bytes that it has allocated.
    fn used_memory(&self) -> Result<u64> {
        let socket = self.url.trim_start_matches("redis+unix://");
        let told = Command::new("redis-cli").args(["-s", socket, "INFO", "memory"]).output()?;
        let told = String::from_utf8(told.stdout)?;
        let line = told.lines().find_map(|line| line.strip_prefix("used_memory:"));
        Ok(line.context("no used_memory")?.trim().parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// (j) What a family costs in Redis: two phones, twenty letters, a schedule. Families, and bytes of each.
pub(crate) fn memory(families: u64) -> Result<u64> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(folder.path())?;
    let empty = server.used_memory()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let store: Arc<dyn Store> =
            Arc::new(RedisStore::open(&server.url, Options::default()).await?);
        let seeded = write(&store, families, 20).await?;
        for some in seeded.chunks(256) {
            let planned = || crate::schedules::planned(1, 4_000_000_000_000);
            let commits = some.iter().map(|family| store.commit(family.scope, planned()));
            for done in futures_util::future::join_all(commits).await {
                done?;
            }
        }
        store.close().await;
        anyhow::Ok(())
    })?;
    Ok(server.used_memory()?.saturating_sub(empty) / families)
}

impl System for AtRedis {
    fn name(&self) -> &'static str {
        "at redis"
    }

    fn start(&self, pairs: u64, waiting: u64) -> Result<Box<dyn Running>> {
        let folder = tempfile::tempdir()?;
        let server = Server::start(folder.path())?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let families = runtime.block_on(async {
            let store: Arc<dyn Store> =
                Arc::new(RedisStore::open(&server.url, Options::default()).await?);
            let families = write(&store, pairs, waiting).await?;
            store.close().await;
            anyhow::Ok(families)
        })?;
        let settings = [("JIASHU_STORE", Path::new(&server.url))];
        let relay = Relay::start(&self.binary, folder.path(), &settings)?;
        Ok(Box::new(RunningRelay { relay, families, _server: Some(server), _folder: folder }))
    }
}

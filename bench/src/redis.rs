//! (i) Relays at a Redis on the same machine: rate, latencies, what Redis takes for a message, two relays,
//! memory.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiashu_server::store::redis::{Options, RedisStore};
use jiashu_server::store::{Snapshot, Store};

use crate::figures::{Effort, PAIRS, each, measured};
use crate::load::Load;
use crate::machine::{Held, cpu_time, share};
use crate::relay::Relay;
use crate::report::Report;
use crate::seed::{EPOCH, message, write};
use crate::system::{Running, RunningRelays, System};

/// Messages a second for latencies.
const RATE: u32 = 1_000;

/// What a relay is held to where two are compared with one, in percent of a processor: so little
/// that neither Redis nor the load is the limit.
const HELD: u32 = 25;

/// Families for memory: phones, letters.
const FAMILIES: u64 = 20_000;
const PHONES: u32 = 4;
const LETTERS: u64 = 20;

/// Commands without a relay, one after the other.
const ADDED: u32 = 20_000;

/// Relays whose letters are kept by a Redis that syncs before it answers.
struct AtRedis {
    /// What is run.
    binary: PathBuf,
    relays: usize,
    /// What each may take of a processor, in percent.
    held: Option<u32>,
}

/// A redis-server, killed when this is dropped.
pub(crate) struct Server {
    process: Child,
    url: String,
}

impl Server {
    pub(crate) fn start(folder: &Path) -> Result<Self> {
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
    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its address, as a relay is told.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn socket(&self) -> &str {
        self.url.trim_start_matches("redis+unix://")
    }

    /// CPU time of an `XADD` of so many bytes that is waited for, one after the other, in µs.
    fn xadd_us(&self, bytes: usize) -> Result<f64> {
        let before = cpu_time(self.pid())?;
        let done = Command::new("redis-benchmark")
            .args(["-s", self.socket(), "-c", "1", "-P", "1", "-q", "-n", &ADDED.to_string()])
            .args(["XADD", "bench", "*", "m", &"x".repeat(bytes)])
            .stdout(Stdio::null())
            .status()?;
        ensure!(done.success(), "redis-benchmark failed");
        let took = cpu_time(self.pid())? - before;
        Ok(took.as_secs_f64() * 1e6 / f64::from(ADDED))
    }

    /// Bytes that it has allocated.
    fn used_memory(&self) -> Result<u64> {
        let told =
            Command::new("redis-cli").args(["-s", self.socket(), "INFO", "memory"]).output()?;
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

/// What a family of four phones, so many letters and a schedule costs in Redis, and what of that is the
/// bodies of its entries and of what waits; in bytes.
fn memory(families: u64, letters: u64) -> Result<(u64, u64)> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(folder.path())?;
    let empty = server.used_memory()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let bodies = runtime.block_on(async {
        let store: Arc<dyn Store> =
            Arc::new(RedisStore::open(&server.url, Options::default()).await?);
        let seeded = write(&store, families, PHONES, letters).await?;
        for some in seeded.chunks(256) {
            let planned = || crate::schedules::planned(1, 4_000_000_000_000);
            let commits = some.iter().map(|family| store.commit(family.scope, planned()));
            for done in futures_util::future::join_all(commits).await {
                done?;
            }
        }
        let one = seeded.first().context("no family")?.scope;
        let bodies = bodies(&store.snapshot(one).await?.context("no family")?);
        store.close().await;
        anyhow::Ok(bodies)
    })?;
    Ok((server.used_memory()?.saturating_sub(empty) / families, bodies))
}

/// Bytes of what its entries, and the letters that wait, say.
fn bodies(family: &Snapshot) -> u64 {
    let entries = family.places.iter().filter_map(|place| place.content.as_ref());
    let held = family.held.iter().map(|held| &held.content);
    entries.chain(held).map(|content| content.len() as u64).sum()
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
            let families = write(&store, pairs, 2, waiting).await?;
            store.close().await;
            anyhow::Ok(families)
        })?;
        let settings = [("JIASHU_STORE", Path::new(&server.url))];
        let (mut relays, mut held) = (Vec::new(), Vec::new());
        for number in 0..self.relays {
            let data = folder.path().join(format!("relay-{number}"));
            std::fs::create_dir(&data)?;
            let relay = Relay::start(&self.binary, &data, &settings)?;
            held.extend(self.held.map(|percent| Held::hold(relay.pid(), percent)).transpose()?);
            relays.push(relay);
        }
        let server = Some(server);
        Ok(Box::new(RunningRelays { relays, _held: held, families, server, _folder: folder }))
    }
}

/// All of them.
pub(crate) fn figures(binary: &Path, effort: Effort, report: &mut Report) -> Result<()> {
    let relays = |relays, held| AtRedis { binary: binary.to_owned(), relays, held };
    rate(&relays(1, None), effort, report)?;
    let runs =
        measured(&[&relays(1, None)], effort, |load| load.at_fixed_rate(RATE, effort.spans))?;
    for (percent, bar) in [(50, None), (99, Some((25.0, 25.0)))] {
        let figure = format!("at Redis, p{percent} at {RATE} msg/s");
        report.add(figure, "ms", each(&runs, |run| run.percentile(percent)), bar);
    }
    if Held::is_possible() {
        two(&relays(1, Some(HELD)), &relays(2, Some(HELD)), effort, report)?;
    } else {
        report.note("two relays: skipped: no control groups for processors here");
    }
    for (families, letters) in
        [(FAMILIES / 2, LETTERS), (FAMILIES, LETTERS), (FAMILIES / 2, 2 * LETTERS)]
    {
        let (bytes, bodies) = memory(families, letters)?;
        let figure = format!(
            "at Redis, memory of a family, of {families}: {PHONES} phones, {letters} letters, a schedule"
        );
        report.add(figure, "bytes", [vec![share(bytes, 1)], Vec::new()], None);
        if (families, letters) == (FAMILIES, LETTERS) {
            let beyond = share(bytes.saturating_sub(bodies), 1);
            report.add(
                "  beyond its bodies",
                "bytes",
                [vec![beyond], Vec::new()],
                Some((6144.0, 6144.0)),
            );
        }
    }
    Ok(())
}

/// As fast as it goes, and what Redis takes for a message beside a plain command of the same size.
fn rate(system: &AtRedis, effort: Effort, report: &mut Report) -> Result<()> {
    let (mut runs, mut plain) = ([Vec::new(), Vec::new()], Vec::new());
    let bytes = message(1, EPOCH).entries.first().map_or(0, |entry| entry.content.len());
    for _ in 0..effort.runs {
        let running = system.start(PAIRS, 0)?;
        let mut load = Load::connect(&*running, usize::try_from(PAIRS)?)?;
        runs[0].push(load.at_full_rate(8, effort.spans)?);
        drop((load, running));
        let folder = tempfile::tempdir()?;
        plain.push(Server::start(folder.path())?.xadd_us(bytes)?);
    }
    let figure = format!("at Redis, {PAIRS} pairs, 8 in flight");
    report.add(figure, "msg/s", each(&runs, |run| run.rate), Some((5_000.0, 10_000.0)));
    report.add("  CPU of the relay a message", "µs", each(&runs, |run| run.cpu_us), None);
    report.add("  CPU of Redis a message", "µs", each(&runs, |run| run.store_us), None);
    let ratios = runs[0].iter().zip(&plain).map(|(run, plain)| run.store_us / plain).collect();
    let figure = format!("  CPU of Redis an XADD of {bytes} bytes, one after the other");
    report.add(figure, "µs", [plain, Vec::new()], None);
    report.add("  a message over an XADD", "×", [ratios, Vec::new()], None);
    Ok(())
}

/// Two relays beside one, each held to the same little share of a processor.
fn two(one: &AtRedis, two: &AtRedis, effort: Effort, report: &mut Report) -> Result<()> {
    let runs = measured(&[one, two], effort, |load| load.at_full_rate(8, effort.spans))?;
    let [ones, twos] = each(&runs, |run| run.rate);
    let ratios = ones.iter().zip(&twos).map(|(one, two)| two / one).collect();
    let held = format!("held to {HELD} % of a processor");
    report.add(format!("at Redis, one relay {held}"), "msg/s", [ones, Vec::new()], None);
    report.add(format!("at Redis, two relays, each {held}"), "msg/s", [twos, Vec::new()], None);
    report.add("  two over one", "×", [ratios, Vec::new()], Some((1.5, 2.0)));
    Ok(())
}

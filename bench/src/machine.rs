//! What the kernel counts: memory and CPU of a process, what neighbours steal, how many files may be open.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Resident memory of a process, in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// The most that it ever was.
pub(crate) fn most_resident_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM:")
}

fn status_kib(pid: u32, field: &'static str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context(field)?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// CPU time of a process since its start, all threads, user and system: in steps of 10 ms.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in brackets, may hold anything; the fields behind it are numbers.
    let (_, fields) = stat.rsplit_once(") ").context("no name")?;
    let ticks = |place: usize| -> Result<u64> {
        Ok(fields.split(' ').nth(place).context("too few fields")?.parse()?)
    };
    // Fields 14 and 15 of proc(5); the first behind the name is field 3.
    let used = ticks(11)? + ticks(12)?;
    Ok(Duration::from_millis(used * 1000 / rustix::param::clock_ticks_per_second()))
}

/// A process that gets no more than its share of a processor: a control group, which goes with this.
#[derive(Debug)]
pub(crate) struct Held(PathBuf);

impl Held {
    /// Where the groups for processors are (version 1); none where this machine has no such.
    const GROUPS: &str = "/sys/fs/cgroup/cpu";

    /// Whether this machine can.
    pub(crate) fn is_possible() -> bool {
        Path::new(Self::GROUPS).join("cpu.cfs_quota_us").exists()
    }

    /// Holds it to so many percent of one, counted over 10 ms.
    pub(crate) fn hold(pid: u32, percent: u32) -> Result<Self> {
        ensure!(Self::is_possible(), "no control groups for processors here");
        let group = Path::new(Self::GROUPS).join(format!("jiashu-bench-{pid}"));
        std::fs::create_dir(&group)?;
        let held = Self(group);
        std::fs::write(held.0.join("cpu.cfs_period_us"), "10000")?;
        std::fs::write(held.0.join("cpu.cfs_quota_us"), (percent * 100).to_string())?;
        std::fs::write(held.0.join("cgroup.procs"), pid.to_string())?;
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// What all processors together did since the machine started, in ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processors {
    all: u64,
    stolen: u64,
}

impl Processors {
    /// As of now.
    pub(crate) fn now() -> Result<Self> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().context("an empty /proc/stat")?;
        let ticks: Vec<u64> =
            line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        // user, nice, system, idle, iowait, irq, softirq, steal.
        let stolen = ticks.get(7).copied().unwrap_or(0);
        Ok(Self { all: ticks.iter().take(8).sum(), stolen })
    }

    /// Of the time since then, the share in percent that other machines on the same host took.
    pub(crate) fn steal_since(self) -> Result<f64> {
        let now = Self::now()?;
        let all = (now.all - self.all).max(1);
        Ok(share(now.stolen - self.stolen, all) * 100.0)
    }
}

/// One number over another.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    let exact = |number: u64| u32::try_from(number).map_or(f64::MAX, f64::from);
    exact(part) / exact(whole)
}

/// Lets this process, and those it starts, open as many files as they may. Returns how many.
pub(crate) fn open_files() -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// One line: what it runs on.
pub(crate) fn describe() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let model = read("/proc/cpuinfo");
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cpus} processors,{} Linux {}", model.trim_start_matches(['\t', ':']), kernel.trim())
}

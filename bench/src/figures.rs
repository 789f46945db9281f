//! The figures that need a load: memory, rate, latency, coming back, restart.
//!
//! Runs of the relay and of the peer alternate, so that a busy neighbour meets both.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::crowd::Crowd;
use crate::load::{Load, Measured, Spans, come_back};
use crate::machine::{resident_kib, share};
use crate::phone::Phone;
use crate::relay::Relay;
use crate::report::Report;
use crate::seed::seed;
use crate::system::{System, both};

/// Families of two phones in the figures of rate and latency.
pub(crate) const PAIRS: u64 = 1000;

/// Messages a second for latencies.
const RATE: u32 = 2000;

/// Messages that wait for each phone that comes back.
const WAITING: u64 = 10;

/// Stored messages of a restart, and in how many families.
const STORED: (u64, u64) = (100_000, 1000);

/// How long memory is left to settle.
const SETTLES: Duration = Duration::from_secs(3);

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Of each figure.
    pub(crate) runs: usize,
    /// Of a run of messages.
    pub(crate) spans: Spans,
    /// Connections for memory.
    pub(crate) idle: u64,
}

impl Effort {
    /// For figures that are written down.
    pub(crate) const FULL: Self = Self {
        runs: 5,
        spans: Spans { warm_up: Duration::from_secs(2), measured: Duration::from_secs(5) },
        idle: 10_000,
    };

    /// To see that it works, and roughly how well.
    pub(crate) const QUICK: Self = Self {
        runs: 1,
        spans: Spans { warm_up: Duration::from_secs(1), measured: Duration::from_secs(3) },
        idle: 10_000,
    };
}

/// The relay, and the peer where there is one.
pub(crate) type Systems<'a> = &'a [&'a dyn System];

/// Runs each system in turn, as often as asked, and sorts what comes by system.
fn alternate<T>(
    systems: Systems<'_>,
    runs: usize,
    mut run: impl FnMut(&dyn System) -> Result<T>,
) -> Result<[Vec<T>; 2]> {
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..runs {
        for (system, all) in systems.iter().zip(&mut all) {
            all.push(run(*system)?);
        }
    }
    Ok(all)
}

pub(crate) fn each<T>(runs: &[Vec<T>; 2], number: impl Fn(&T) -> f64) -> [Vec<f64>; 2] {
    [&runs[0], &runs[1]].map(|runs| runs.iter().map(&number).collect())
}

/// (a) Memory of an idle connection that has said who it is.
pub(crate) fn idle(systems: Systems<'_>, effort: Effort, report: &mut Report) -> Result<()> {
    let connections = effort.idle;
    let runs = alternate(systems, 1, |system| {
        let running = system.start(connections / 2, 0)?;
        let resident = || running.pids().into_iter().map(resident_kib).sum::<Result<u64>>();
        let before = resident()?;
        let mut crowd = Crowd::new()?;
        crowd.connect_all(both(&*running, usize::try_from(connections / 2)?))?;
        std::thread::sleep(SETTLES);
        let after = resident()?;
        report.note(format!("{}: {before} KiB resident, then {after} KiB", system.name()));
        Ok(share(after.saturating_sub(before), connections))
    })?;
    let figure = format!("memory of an idle connection, at {connections}");
    report.add(figure, "KiB", runs, Some((4.0, 3.0)));
    Ok(())
}

/// (b) Messages a second, and CPU for each, with so many in flight for each pair.
pub(crate) fn rate(
    systems: Systems<'_>,
    in_flight: u64,
    effort: Effort,
    report: &mut Report,
) -> Result<()> {
    let runs = measured(systems, effort, |load| load.at_full_rate(in_flight, effort.spans))?;
    let (rate, cpu) = match in_flight {
        8 => (Some((20_000.0, 40_000.0)), Some((50.0, 28.0))),
        _ => (None, None),
    };
    report.add(
        format!("{PAIRS} pairs, {in_flight} in flight"),
        "msg/s",
        each(&runs, |run| run.rate),
        rate,
    );
    let figure = format!("  server CPU a message, {in_flight} in flight");
    report.add(figure, "µs", each(&runs, |run| run.cpu_us), cpu);
    report.add("  steal", "%", each(&runs, |run| run.steal), None);
    Ok(())
}

/// (b) Latencies at a fixed rate, from the instant that a message was due.
pub(crate) fn latency(systems: Systems<'_>, effort: Effort, report: &mut Report) -> Result<()> {
    let runs = measured(systems, effort, |load| load.at_fixed_rate(RATE, effort.spans))?;
    report.add(
        format!("p50 at {RATE} msg/s"),
        "ms",
        each(&runs, |run| run.percentile(50)),
        Some((3.0, 1.0)),
    );
    report.add(
        format!("p99 at {RATE} msg/s"),
        "ms",
        each(&runs, |run| run.percentile(99)),
        Some((20.0, 8.0)),
    );
    report.add(
        format!("  server CPU a message, {RATE} msg/s"),
        "µs",
        each(&runs, |run| run.cpu_us),
        None,
    );
    report.add("  steal", "%", each(&runs, |run| run.steal), None);
    Ok(())
}

pub(crate) fn measured(
    systems: Systems<'_>,
    effort: Effort,
    mut run: impl FnMut(&mut Load) -> Result<Measured>,
) -> Result<[Vec<Measured>; 2]> {
    alternate(systems, effort.runs, |system| {
        let running = system.start(PAIRS, 0)?;
        run(&mut Load::connect(&*running, usize::try_from(PAIRS)?)?)
    })
}

/// (c) All second phones of the pairs come back at once.
pub(crate) fn back(systems: Systems<'_>, effort: Effort, report: &mut Report) -> Result<()> {
    let runs = alternate(systems, effort.runs, |system| {
        let running = system.start(PAIRS, WAITING)?;
        let wires = (0..usize::try_from(PAIRS)?).map(|pair| running.wire(pair, false)).collect();
        Ok(come_back(wires, WAITING)?.as_secs_f64() * 1000.0)
    })?;
    let figure = format!("{PAIRS} phones x {WAITING} waiting, until the last ack");
    report.add(figure, "ms", runs, Some((600.0, 400.0)));
    Ok(())
}

/// (e) From the start of a relay that was killed until a phone has its first message.
pub(crate) fn restart(binary: &Path, effort: Effort, report: &mut Report) -> Result<()> {
    let (messages, families) = STORED;
    let mut times = Vec::new();
    for _ in 0..effort.runs {
        let folder = tempfile::tempdir()?;
        let seeded = seed(folder.path(), families, messages / families, true)?;
        let began = Instant::now();
        let relay = Relay::start(binary, folder.path(), &[])?;
        let Some(family) = seeded.first() else { anyhow::bail!("no family") };
        let phone = Phone::new(relay.address, family.token(2), Some(family.cursor));
        come_back(vec![Box::new(phone)], 1)?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    let figure = format!("started after a kill with {messages} messages, first delivery");
    report.add(figure, "ms", [times, Vec::new()], None);
    Ok(())
}

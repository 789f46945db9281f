//! What the relay does on this machine, measured against a real relay process.
//!
//! `cargo run --release -p bench -- all` prints a table. Read in this order: `figures` and `bytes`
//! (of letters ahead `schedules`, of voice notes `voice`, of what staff ask `programme`, of what is done for them unasked `watch`) say what is measured, `load` drives pairs over `crowd`'s sockets, each speaking as its `wire`
//! says (`phone`, `mosquitto`); `system` and `relay` start what is measured, `seed` fills its store,
//! `machine` reads the kernel's counts, `report` shows them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod figures;

mod bytes;

mod schedules;

mod voice;

mod redis;

mod programme;

mod watch;

mod load;

mod crowd;

mod wire;

mod phone;

mod websocket;

mod mosquitto;

mod system;

mod relay;

mod seed;

mod machine;

mod report;

use figures::Effort;
use mosquitto::Mosquitto;
use report::Report;
use system::{Jiashu, System};

/// Measures a relay that it starts itself, in temporary folders, on free ports of this machine.
#[derive(Debug, Parser)]
struct Args {
    /// One short run of each figure instead of five.
    #[arg(long, global = true)]
    quick: bool,
    /// Measure beside this binary of an older relay instead of mosquitto, runs alternating.
    #[arg(long, global = true)]
    before: Option<PathBuf>,
    /// Also write every run here.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
    #[command(subcommand)]
    figure: Figure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
enum Figure {
    /// Everything, beside mosquitto where that is installed.
    All,
    /// The figures that mosquitto has too, beside it.
    Peers,
    /// Memory of an idle connection.
    Idle,
    /// Messages a second with 1 in flight.
    One,
    /// Messages a second with 8 in flight.
    Eight,
    /// Latencies at a fixed rate.
    Latency,
    /// 1,000 phones come back at once.
    Back,
    /// Bytes on the line.
    Bytes,
    /// Time to the first delivery after a kill.
    Restart,
    /// 100,000 letters of schedules due at one instant.
    Due,
    /// 1,000,000 letters that wait for their hour.
    Pending,
    /// Rules of schedules by themselves.
    Rules,
    /// 200 voice notes up and 200 down at once, and what letters feel of it; downloads beside nginx.
    Voice,
    /// A programme of 100,000 families: a report, the worklist, what it costs to watch them; of both stores.
    Programme,
    /// Relays at a Redis: rate, latencies, what Redis takes for a message, two relays, memory.
    Redis,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let effort = if args.quick { Effort::QUICK } else { Effort::FULL };
    let files = machine::open_files()?;
    let relay = Jiashu { binary: relay::build()?, name: "relay" };
    let peer = peer(args);
    let mut report = Report::new(relay.name, peer.as_ref().map_or("–", |peer| peer.name()));
    report.note(format!("{}; {files} files may be open", machine::describe()));
    report.note("relay: on disk before it answers; the load comes from the same processors");
    let raised = relay::RAISED.iter().map(|(key, value)| format!("{key}={value}"));
    report.note(format!("limits raised: {}", raised.collect::<Vec<_>>().join(" ")));
    report.note(match (&args.figure, Mosquitto::version()) {
        (Figure::All | Figure::Peers, None) => "peer: skipped: mosquitto is not installed".into(),
        (_, version) => format!("peer: {}", version.unwrap_or_else(|| "none".into())),
    });
    let mut systems: Vec<&dyn System> = vec![&relay];
    systems.extend(peer.as_deref());
    measure(args.figure, &systems, &relay, effort, &mut report)?;
    show(&report);
    match &args.json {
        Some(path) => report.write_json(path),
        None => Ok(()),
    }
}

/// What is measured beside the relay: an older one, or mosquitto where it is installed.
fn peer(args: &Args) -> Option<Box<dyn System>> {
    if let Some(binary) = &args.before {
        return Some(Box::new(Jiashu { binary: binary.clone(), name: "before" }));
    }
    let asked = matches!(args.figure, Figure::All | Figure::Peers);
    (asked && Mosquitto::version().is_some()).then(|| Box::new(Mosquitto) as Box<dyn System>)
}

fn measure(
    figure: Figure,
    systems: &[&dyn System],
    relay: &Jiashu,
    effort: Effort,
    report: &mut Report,
) -> Result<()> {
    let peers = matches!(figure, Figure::All | Figure::Peers);
    if peers || figure == Figure::Idle {
        figures::idle(systems, effort, report)?;
    }
    if peers || figure == Figure::One {
        figures::rate(systems, 1, effort, report)?;
    }
    if peers || figure == Figure::Eight {
        figures::rate(systems, 8, effort, report)?;
    }
    if peers || figure == Figure::Latency {
        figures::latency(systems, effort, report)?;
    }
    if peers || figure == Figure::Back {
        figures::back(systems, effort, report)?;
    }
    if matches!(figure, Figure::All | Figure::Bytes) {
        bytes::bytes(&relay.binary, report)?;
    }
    if matches!(figure, Figure::All | Figure::Restart) {
        figures::restart(&relay.binary, effort, report)?;
    }
    if matches!(figure, Figure::All | Figure::Due) {
        schedules::due(&relay.binary, effort, report)?;
    }
    if matches!(figure, Figure::All | Figure::Pending) {
        schedules::pending(&relay.binary, report)?;
    }
    if matches!(figure, Figure::All | Figure::Voice) {
        voice::crowd(&relay.binary, effort, report)?;
        voice::throughput(&relay.binary, effort, report)?;
    }
    if figure == Figure::Programme {
        programme::figures(&relay.binary, effort, report)?;
        watch::figures(&relay.binary, effort, report)?;
    }
    if figure == Figure::Redis {
        redis::figures(&relay.binary, effort, report)?;
    }
    if matches!(figure, Figure::All | Figure::Rules) {
        schedules::rules(report)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
fn show(report: &Report) {
    println!("{}", report.table());
}

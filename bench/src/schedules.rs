//! Schedules: a hundred thousand letters due at one instant, a million that wait, rules by themselves.

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use jiashu_proto::entry::{Content, Fired, Message, RuleText, Schedule, ScheduleState};
use jiashu_proto::id::{DeviceId, MemberId, Millis, Ref};
use jiashu_recurrence::{Rule, next_occurrence, utc_text};
use jiashu_server::store::embedded::{EmbeddedStore, Options};
use jiashu_server::store::{Batch, Change, HeldBody, NewEntry, Store as _};
use jiff::Timestamp;

use crate::figures::Effort;
use crate::machine::resident_kib;
use crate::relay::Relay;
use crate::report::Report;
use crate::seed::{ENROLLED_AT, EPOCH, Family, seed};
use crate::wire::body;

/// Families, and letters of each that are due at once.
const DUE: (u64, u8) = (5_000, 20);

/// Families, and letters of each that wait for a day far ahead.
const PENDING: (u64, u8) = (50_000, 20);

/// Commits handed in at once.
const AT_ONCE: usize = 256;

/// How often the relay is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// How long after the store is filled the letters are due.
const LEAD_MS: Millis = 5_000;

/// (f) Letters of schedules that are all due at one instant: how many a second, and how late the last.
pub(crate) fn due(binary: &Path, effort: Effort, report: &mut Report) -> Result<()> {
    let (families, each) = DUE;
    let all = families * u64::from(each);
    let (mut rates, mut lateness, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.runs {
        let folder = tempfile::tempdir()?;
        let seeded = seed(folder.path(), families, 0, false)?;
        // A full second, far enough ahead for the store to be filled.
        let due_at = (now()? / 1_000 + 30) * 1_000;
        plan(folder.path(), &seeded, each, due_at)?;
        ensure!(now()? + LEAD_MS < due_at, "this machine is too slow to fill the store in time");
        let before = file_bytes(folder.path())?;
        let relay = Relay::start(binary, folder.path(), &[])?;
        while now()? < due_at {
            std::thread::sleep(Duration::from_millis(1));
        }
        let began = Instant::now();
        while figure(relay.address, "jiashu_fired_total")? < all {
            ensure!(began.elapsed() < Duration::from_secs(300), "they do not fire");
            std::thread::sleep(ASK_EVERY);
        }
        let took = began.elapsed().as_secs_f64();
        rates.push(float(all) / took);
        lateness.push(took);
        drop(relay);
        // What stands in the write-ahead log goes into the file.
        close(folder.path())?;
        bytes.push((float(file_bytes(folder.path())?) - float(before)).max(0.0) / float(all));
    }
    let what = format!("{all} letters of {families} families due at once");
    report.add(what, "fired/s", [rates, Vec::new()], Some((30_000.0, 60_000.0)));
    report.add("  the last one late by", "s", [lateness, Vec::new()], None);
    report.add("  the store grows by, a letter", "bytes", [bytes, Vec::new()], None);
    Ok(())
}

/// (g) A million letters that wait: what the relay needs to start, to look, to remember.
pub(crate) fn pending(binary: &Path, report: &mut Report) -> Result<()> {
    let (families, each) = PENDING;
    let all = families * u64::from(each);
    let folder = tempfile::tempdir()?;
    let seeded = seed(folder.path(), families, 0, false)?;
    // Beyond any run.
    plan(folder.path(), &seeded, each, 4_000_000_000_000)?;
    drop(seeded);
    let began = Instant::now();
    let relay = Relay::start(binary, folder.path(), &[])?;
    let started = began.elapsed();
    std::thread::sleep(Duration::from_secs(3));
    let resident = resident_kib(relay.pid())?;
    let asked = Instant::now();
    let waiting = figure(relay.address, "jiashu_pending")?;
    let scrape = asked.elapsed();
    ensure!(waiting >= all, "{waiting} of {all} wait");
    drop(relay);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let looks = runtime.block_on(async {
        let store = EmbeddedStore::open(folder.path(), Options::default())?;
        let mut looks = Vec::new();
        for _ in 0..100 {
            let began = Instant::now();
            let due = store.due(now()?, 8_192).await?;
            black_box((due, store.next_due().await?));
            looks.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        store.close().await;
        anyhow::Ok(looks)
    })?;
    report.add(
        format!("{all} letters wait: a look for what is due"),
        "ms",
        [looks, Vec::new()],
        Some((2.0, 2.0)),
    );
    let mib = float(resident) / 1_024.0;
    report.add(
        "  resident memory of the relay",
        "MiB",
        [vec![mib], Vec::new()],
        Some((100.0, 100.0)),
    );
    let start = started.as_secs_f64();
    report.add("  until it listens", "s", [vec![start], Vec::new()], Some((2.0, 2.0)));
    let scrape = scrape.as_secs_f64() * 1_000.0;
    report.add("  an answer of /metrics", "ms", [vec![scrape], Vec::new()], None);
    Ok(())
}

/// (h) Rules by themselves, in this process.
pub(crate) fn rules(report: &mut Report) -> Result<()> {
    const USUAL: [&str; 4] = [
        "FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=SU,WE",
        "FREQ=MONTHLY;BYDAY=1SU",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
    ];
    // Gives little, and that far apart: every month of those years is looked at.
    const WORST: [&str; 4] = [
        "FREQ=DAILY;COUNT=10000",
        "FREQ=YEARLY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=DAILY;INTERVAL=999;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=YEARLY;BYDAY=53SU;BYMONTH=2",
    ];
    const REFUSED: [&str; 4] = [
        "FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2",
        "FREQ=DAILY;COUNT=1000000000",
        "FREQ=SECONDLY",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    ];
    let text = |rrule| RuleText::new("2027-03-01T19:30:00", "Europe/Rome", Some(rrule));
    let after = "2027-03-20T00:00:00Z".parse()?;
    let mut usual = Vec::new();
    for rrule in USUAL {
        let rule = Rule::of(&text(rrule))?;
        usual.push(micros(|| {
            black_box(next_occurrence(black_box(&rule), after));
        }));
    }
    let mut worst = Vec::new();
    for rrule in WORST {
        let text = text(rrule);
        worst.push(micros(|| {
            let rule = Rule::of(black_box(&text));
            let _ = black_box(rule.map(|rule| next_occurrence(&rule, after)));
        }));
    }
    let mut refused = Vec::new();
    for rrule in REFUSED {
        let text = text(rrule);
        ensure!(Rule::of(&text).is_err(), "{rrule} is taken");
        refused.push(micros(|| {
            let _ = black_box(Rule::of(black_box(&text)));
        }));
    }
    let most = |all: &[f64]| vec![all.iter().copied().fold(0.0, f64::max)];
    report.add(
        "next occurrence of a usual rule, the slowest of 4",
        "µs",
        [most(&usual), Vec::new()],
        Some((10.0, 10.0)),
    );
    report.add(
        "  read and reckoned, the worst of 4",
        "µs",
        [most(&worst), Vec::new()],
        Some((1_000.0, 1_000.0)),
    );
    report.add(
        "  refused, the slowest of 4",
        "µs",
        [most(&refused), Vec::new()],
        Some((1_000.0, 1_000.0)),
    );
    Ok(())
}

fn micros(work: impl Fn()) -> f64 {
    const TIMES: u32 = 2_000;
    let began = Instant::now();
    for _ in 0..TIMES {
        work();
    }
    began.elapsed().as_secs_f64() * 1_000_000.0 / f64::from(TIMES)
}

/// Gives each family so many daily letters, the first due at that instant.
fn plan(folder: &Path, families: &[Family], each: u8, due_at: Millis) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = EmbeddedStore::open(folder, Options::default())?;
        for some in families.chunks(AT_ONCE) {
            let commits =
                some.iter().map(|family| store.commit(family.scope, planned(each, due_at)));
            for done in futures_util::future::join_all(commits).await {
                done?;
            }
        }
        store.close().await;
        Ok(())
    })
}

/// So many daily letters, the first due at that instant.
pub(crate) fn planned(each: u8, due_at: Millis) -> Batch {
    let instant = Timestamp::from_millisecond(due_at).unwrap_or(Timestamp::MAX);
    let start = utc_text(instant).trim_end_matches('Z').to_owned();
    let mut batch = Batch::new(ENROLLED_AT);
    for number in 1..=each {
        let (id, device, from) = (Ref([number; 12]), DeviceId(1), MemberId(1));
        let rule = RuleText::new(start.clone(), "UTC", Some("FREQ=DAILY"));
        let (state, to) = (ScheduleState::Active, Vec::new());
        let schedule = Schedule { id, device, from, to, rule, state, bank: false, version: 0 };
        batch.entries.push(NewEntry::of(&Content::Schedule(schedule)));
        let fired = Fired {
            body_ref: id,
            schedule: id,
            planned: String::new(),
            due_at: 0,
            adjust: None,
            valid_for: None,
            version: 0,
        };
        let message = Message {
            device,
            from,
            entry_ref: id,
            epoch: EPOCH,
            to: Vec::new(),
            sealed: body(u64::from(number)).to_vec(),
            key: None,
            until: None,
            blob: None,
            fired: Some(fired),
        };
        let content = Content::Message(1, message).to_bytes();
        batch.changes.push(Change::PutHeld(HeldBody { body_ref: id, schedule: id, content }));
        let planned = start.clone();
        batch.changes.push(Change::SetOccurrence { schedule: id, planned, at: due_at });
    }
    batch
}

/// A figure of the relay's own.
fn figure(relay: SocketAddr, name: &str) -> Result<u64> {
    let mut stream = TcpStream::connect(relay)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let value = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(value.with_context(|| format!("no {name}"))?.trim().parse()?)
}

fn close(folder: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        EmbeddedStore::open(folder, Options::default())?.close().await;
        Ok(())
    })
}

fn file_bytes(folder: &Path) -> Result<u64> {
    Ok(std::fs::metadata(folder.join(jiashu_server::store::embedded::FILE))?.len())
}

#[expect(clippy::disallowed_methods, reason = "the relay's clock is the machine's")]
fn now() -> Result<Millis> {
    Ok(Millis::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis())?)
}

fn float(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

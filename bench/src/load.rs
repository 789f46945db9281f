//! Pairs that write to each other: one phone posts, the other is given it and acks.
//!
//! Every message carries its number and must come once and in order, or the run has failed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::crowd::Crowd;
use crate::machine::{self, Processors};
use crate::system::{Running, both};
use crate::wire::{Event, Wire};

/// Without a message for this long the run has failed.
const STALLED: Duration = Duration::from_secs(20);

/// What goes before a measurement and how long that is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spans {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Messages posted, delivered and acked, a second.
    pub(crate) rate: f64,
    /// CPU time of the server's processes for each, in µs.
    pub(crate) cpu_us: f64,
    /// The same of the store, where that is a process of its own.
    pub(crate) store_us: f64,
    /// From the instant a message was due to be sent until it was delivered, sorted, in ms; only at
    /// a fixed rate.
    pub(crate) latencies: Vec<f64>,
    /// Share of the processors' time that other machines took, in percent.
    pub(crate) steal: f64,
}

impl Measured {
    /// The latency that so many percent were not above, in ms.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let place = (self.latencies.len() * percent).div_ceil(100).max(1) - 1;
        self.latencies.get(place).copied().unwrap_or(f64::NAN)
    }
}

#[derive(Debug, Default)]
struct Pair {
    /// When each message that has not been delivered was due to be sent.
    due: VecDeque<Instant>,
    sent: u64,
    taken: u64,
    delivered: u64,
}

impl Pair {
    /// Messages of which something is awaited yet.
    fn in_flight(&self) -> u64 {
        self.sent - self.taken.min(self.delivered)
    }
}

/// Pairs on connections of their own: 2p posts, 2p + 1 is given it.
pub(crate) struct Load {
    crowd: Crowd,
    pairs: Vec<Pair>,
    servers: Vec<u32>,
    store: Option<u32>,
}

/// The counts of a window that is being measured.
struct Window {
    began: Instant,
    cpu: Duration,
    store: Duration,
    processors: Processors,
    delivered: u64,
}

impl Load {
    /// Connects so many pairs.
    pub(crate) fn connect(running: &dyn Running, pairs: usize) -> Result<Self> {
        let mut crowd = Crowd::new()?;
        crowd.connect_all(both(running, pairs))?;
        let pairs = (0..pairs).map(|_| Pair::default()).collect();
        Ok(Self { crowd, pairs, servers: running.pids(), store: running.store_pid() })
    }

    /// As fast as it goes with so many in flight for each pair.
    pub(crate) fn at_full_rate(&mut self, in_flight: u64, spans: Spans) -> Result<Measured> {
        for pair in 0..self.pairs.len() {
            self.fill(pair, in_flight);
        }
        self.crowd.flush()?;
        let mut latencies = Vec::new();
        let began = Instant::now();
        self.run_until(began + spans.warm_up, &mut latencies, |load, pair| {
            load.fill(pair, in_flight);
        })?;
        let window = self.begin()?;
        self.run_until(window.began + spans.measured, &mut latencies, |load, pair| {
            load.fill(pair, in_flight);
        })?;
        self.end(&window, Vec::new())
    }

    fn fill(&mut self, number: usize, in_flight: u64) {
        let now = Instant::now();
        while self.pairs.get(number).is_some_and(|pair| pair.in_flight() < in_flight) {
            self.send(number, now);
        }
    }

    fn send(&mut self, number: usize, due: Instant) {
        let Some(pair) = self.pairs.get_mut(number) else { return };
        pair.due.push_back(due);
        self.crowd.send(number * 2, pair.sent);
        pair.sent += 1;
    }

    fn run_until(
        &mut self,
        end: Instant,
        latencies: &mut Vec<f64>,
        mut on_change: impl FnMut(&mut Self, usize),
    ) -> Result<()> {
        let mut said = Vec::new();
        let mut heard = Instant::now();
        while Instant::now() < end {
            self.crowd.turn(Some(Duration::from_millis(100)), &mut said)?;
            let now = Instant::now();
            if !said.is_empty() {
                heard = now;
            }
            ensure!(now - heard < STALLED, "nothing has come for {STALLED:?}");
            for (connection, event) in said.drain(..) {
                let number = connection / 2;
                self.note(number, event, now, latencies)?;
                on_change(self, number);
            }
            self.crowd.flush()?;
        }
        Ok(())
    }

    fn note(
        &mut self,
        number: usize,
        event: Event,
        now: Instant,
        latencies: &mut Vec<f64>,
    ) -> Result<()> {
        let Some(pair) = self.pairs.get_mut(number) else { return Ok(()) };
        match event {
            Event::Ready => {}
            Event::Taken(messages) => pair.taken += messages as u64,
            Event::Delivered(message) => {
                ensure!(message == pair.delivered, "{message} came, not {}", pair.delivered);
                pair.delivered += 1;
                if let Some(due) = pair.due.pop_front() {
                    latencies.push((now - due).as_secs_f64() * 1000.0);
                }
            }
        }
        Ok(())
    }

    /// So many messages a second in all, each at its instant whatever became of those before.
    pub(crate) fn at_fixed_rate(&mut self, rate: u32, spans: Spans) -> Result<Measured> {
        let step = Duration::from_secs(1) / rate;
        self.crowd.tick_every(step)?;
        let (mut latencies, mut said) = (Vec::new(), Vec::new());
        let began = Instant::now();
        let (mut window, mut sent) = (None, 0_u32);
        let end = began + spans.warm_up + spans.measured;
        while Instant::now() < end {
            if window.is_none() && began.elapsed() >= spans.warm_up {
                latencies.clear();
                window = Some(self.begin()?);
            }
            while began + step * sent <= Instant::now() {
                let pair = usize::try_from(sent)? % self.pairs.len();
                self.send(pair, began + step * sent);
                sent += 1;
            }
            self.crowd.flush()?;
            self.crowd.turn(Some(Duration::from_millis(100)), &mut said)?;
            let now = Instant::now();
            for (connection, event) in said.drain(..) {
                self.note(connection / 2, event, now, &mut latencies)?;
            }
            self.crowd.flush()?;
        }
        let Some(window) = window else { anyhow::bail!("the run was shorter than its warm-up") };
        self.end(&window, latencies)
    }

    fn delivered(&self) -> u64 {
        self.pairs.iter().map(|pair| pair.taken.min(pair.delivered)).sum()
    }

    fn cpu_of(processes: &[u32]) -> Result<Duration> {
        processes.iter().map(|pid| machine::cpu_time(*pid)).sum()
    }

    fn begin(&self) -> Result<Window> {
        Ok(Window {
            began: Instant::now(),
            cpu: Self::cpu_of(&self.servers)?,
            store: Self::cpu_of(self.store.as_slice())?,
            processors: Processors::now()?,
            delivered: self.delivered(),
        })
    }

    fn end(&self, window: &Window, mut latencies: Vec<f64>) -> Result<Measured> {
        let seconds = window.began.elapsed().as_secs_f64();
        let messages = machine::share(self.delivered() - window.delivered, 1);
        ensure!(messages > 0.0, "nothing was delivered");
        let cpu = Self::cpu_of(&self.servers)? - window.cpu;
        let store = Self::cpu_of(self.store.as_slice())? - window.store;
        latencies.sort_unstable_by(f64::total_cmp);
        Ok(Measured {
            rate: messages / seconds,
            cpu_us: cpu.as_secs_f64() * 1e6 / messages,
            store_us: store.as_secs_f64() * 1e6 / messages,
            latencies,
            steal: window.processors.steal_since()?,
        })
    }
}

/// All connect at once, each to be given so many messages: until the last is acked.
pub(crate) fn come_back(wires: Vec<Box<dyn Wire>>, waiting: u64) -> Result<Duration> {
    let expected = wires.len() as u64 * waiting;
    let mut next = vec![0; wires.len()];
    let mut crowd = Crowd::new()?;
    let began = Instant::now();
    for wire in wires {
        crowd.connect(wire)?;
    }
    let (mut delivered, mut said) = (0, Vec::new());
    while delivered < expected {
        crowd.turn(Some(Duration::from_secs(1)), &mut said)?;
        for (connection, event) in said.drain(..) {
            if let Event::Delivered(message) = event
                && let Some(next) = next.get_mut(connection)
            {
                ensure!(message == *next, "{message} came, not {next}");
                *next += 1;
                delivered += 1;
            }
        }
        crowd.flush()?;
        ensure!(began.elapsed() < STALLED, "only {delivered} of {expected} came");
    }
    Ok(began.elapsed())
}

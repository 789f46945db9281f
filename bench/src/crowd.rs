//! Many connections on one thread: sockets, readiness, bytes. What they say is each [`Wire`]'s.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::fd::AsRawFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::wire::{Event, Wire};

/// How many connections are in the making at once: the relay's backlog is longer.
const CONNECTING: usize = 500;

/// Beyond this the run has failed.
const DEADLINE: Duration = Duration::from_secs(60);

/// The token of the timer; connections have those from 0.
const TIMER: Token = Token(usize::MAX);

struct Connection {
    stream: TcpStream,
    wire: Box<dyn Wire>,
    /// Read and not yet whole.
    input: Vec<u8>,
    /// Not yet written.
    output: Vec<u8>,
    is_dirty: bool,
}

/// The connections, by number from 0.
pub(crate) struct Crowd {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    dirty: Vec<usize>,
    buffer: Vec<u8>,
    said: Vec<Event>,
    timer: Option<rustix::fd::OwnedFd>,
}

impl Crowd {
    /// Nobody yet.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            connections: Vec::new(),
            dirty: Vec::new(),
            buffer: vec![0; 64 * 1024],
            said: Vec::new(),
            timer: None,
        })
    }

    /// Begins a connection.
    pub(crate) fn connect(&mut self, mut wire: Box<dyn Wire>) -> Result<()> {
        let mut stream = TcpStream::connect(wire.address())?;
        let number = self.connections.len();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(number), interest)?;
        let mut output = Vec::new();
        wire.open(&mut output);
        // Written once the socket says that it is connected.
        let connection = Connection { stream, wire, input: Vec::new(), output, is_dirty: false };
        self.connections.push(connection);
        Ok(())
    }

    /// Connects all, a few at a time, until each is ready.
    pub(crate) fn connect_all(
        &mut self,
        wires: impl IntoIterator<Item = Box<dyn Wire>>,
    ) -> Result<()> {
        let began = Instant::now();
        let (mut begun, mut ready) = (0, 0);
        let mut wires = wires.into_iter();
        let mut events = Vec::new();
        loop {
            while begun - ready < CONNECTING
                && let Some(wire) = wires.next()
            {
                self.connect(wire)?;
                begun += 1;
            }
            if begun == ready {
                return Ok(());
            }
            self.turn(Some(Duration::from_secs(1)), &mut events)?;
            ready += events.drain(..).filter(|(_, event)| *event == Event::Ready).count();
            self.flush()?;
            ensure!(
                began.elapsed() < DEADLINE,
                "only {ready} of {begun} connections were answered"
            );
        }
    }

    /// Wakes [`Crowd::turn`] so often: finer than its timeout, which counts whole milliseconds.
    pub(crate) fn tick_every(&mut self, step: Duration) -> Result<()> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        let step = Timespec { tv_sec: 0, tv_nsec: i64::from(step.subsec_nanos()) };
        let every = Itimerspec { it_interval: step, it_value: step };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every)?;
        let interest = Interest::READABLE;
        self.poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, interest)?;
        self.timer = Some(timer);
        Ok(())
    }

    /// Waits until something comes, and tells what it was; [`Crowd::flush`] sends the answers.
    pub(crate) fn turn(
        &mut self,
        timeout: Option<Duration>,
        said: &mut Vec<(usize, Event)>,
    ) -> Result<()> {
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        match self.poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            polled => polled?,
        }
        for event in &events {
            if event.token() == TIMER {
                self.take_ticks()?;
                continue;
            }
            let number = event.token().0;
            if event.is_writable() {
                self.mark(number);
            }
            if event.is_readable() {
                self.read(number, said).with_context(|| format!("connection {number}"))?;
            }
        }
        self.events = events;
        Ok(())
    }

    /// How often it has ticked does not matter, but a timer that is not read ticks no more: the kernel
    /// winds it up again at the read (timerfd_create(2)).
    fn take_ticks(&self) -> Result<()> {
        let Some(timer) = &self.timer else { return Ok(()) };
        match rustix::io::read(timer, &mut [0; 8]) {
            Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn mark(&mut self, number: usize) {
        if let Some(connection) = self.connections.get_mut(number)
            && !connection.is_dirty
            && !connection.output.is_empty()
        {
            connection.is_dirty = true;
            self.dirty.push(number);
        }
    }

    fn read(&mut self, number: usize, said: &mut Vec<(usize, Event)>) -> Result<()> {
        let Some(connection) = self.connections.get_mut(number) else { return Ok(()) };
        loop {
            let read = match connection.stream.read(&mut self.buffer) {
                Ok(0) => bail!("it was closed"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            let bytes = self.buffer.get(..read).unwrap_or_default();
            connection.take(bytes, &mut self.said)?;
            // Less than there was room for: the socket is empty, and tells when it is not.
            if read < self.buffer.len() {
                break;
            }
        }
        said.extend(self.said.drain(..).map(|event| (number, event)));
        self.mark(number);
        Ok(())
    }

    /// Sends a message on this connection; it leaves with the next [`Crowd::flush`].
    pub(crate) fn send(&mut self, number: usize, message: u64) {
        if let Some(connection) = self.connections.get_mut(number) {
            connection.wire.send(message, &mut connection.output);
        }
        self.mark(number);
    }

    /// Writes what is to be written, one write a connection.
    pub(crate) fn flush(&mut self) -> Result<()> {
        for number in std::mem::take(&mut self.dirty) {
            let Some(connection) = self.connections.get_mut(number) else { continue };
            connection.is_dirty = false;
            match connection.stream.write(&connection.output) {
                Ok(written) => drop(connection.output.drain(..written)),
                // Not connected yet, or full: the socket tells when it is.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {}
                Err(error) => return Err(error).context(format!("connection {number}")),
            }
        }
        Ok(())
    }
}

impl Connection {
    fn take(&mut self, bytes: &[u8], said: &mut Vec<Event>) -> Result<()> {
        if self.input.is_empty() {
            let taken = self.wire.take(bytes, &mut self.output, said)?;
            self.input.extend(bytes.get(taken..).unwrap_or_default());
        } else {
            self.input.extend(bytes);
            let taken = self.wire.take(&self.input, &mut self.output, said)?;
            drop(self.input.drain(..taken));
        }
        Ok(())
    }
}

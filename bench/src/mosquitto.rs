//! The peer: mosquitto over MQTT 3.1.1 at QoS 1, nothing synced to a disk, sessions kept.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::crowd::Crowd;
use crate::system::{Running, System};
use crate::wire::{Event, Wire, body, number_of};

/// How long it may take until it listens.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// The broker that is installed.
pub(crate) struct Mosquitto;

impl Mosquitto {
    /// Its version, if it is installed.
    pub(crate) fn version() -> Option<String> {
        let help = Command::new("mosquitto").arg("-h").output().ok()?;
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        Some(help.lines().next()?.to_owned())
    }
}

struct Broker {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl System for Mosquitto {
    fn name(&self) -> &'static str {
        "mosquitto"
    }

    fn start(&self, pairs: u64, waiting: u64) -> Result<Box<dyn Running>> {
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = folder.path().join("mosquitto.conf");
        let port = address.port();
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n\
             set_tcp_nodelay true\nlog_dest none\nuser root\n"
        );
        std::fs::write(&config, text)?;
        let child = Command::new("mosquitto")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let broker = Broker { child, address, _folder: folder };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(began.elapsed() < STARTS_WITHIN, "mosquitto does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        if waiting > 0 {
            broker.leave_waiting(usize::try_from(pairs)?, waiting)?;
        }
        Ok(Box::new(broker))
    }
}

impl Broker {
    /// Each second subscribes and goes; each first publishes.
    fn leave_waiting(&self, pairs: usize, waiting: u64) -> Result<()> {
        let mut second = Crowd::new()?;
        second.connect_all((0..pairs).map(|pair| self.wire(pair, false)))?;
        drop(second);
        let mut first = Crowd::new()?;
        first.connect_all((0..pairs).map(|pair| self.wire(pair, true)))?;
        let (mut taken, mut said) = (0, Vec::new());
        for message in 0..waiting {
            (0..pairs).for_each(|pair| first.send(pair, message));
            first.flush()?;
            while taken < pairs * usize::try_from(message + 1)? {
                first.turn(Some(Duration::from_secs(1)), &mut said)?;
                taken += said.drain(..).filter(|(_, said)| matches!(said, Event::Taken(_))).count();
                first.flush()?;
            }
        }
        Ok(())
    }
}

impl Running for Broker {
    fn pids(&self) -> Vec<u32> {
        vec![self.child.id()]
    }

    fn wire(&self, pair: usize, gives: bool) -> Box<dyn Wire> {
        Box::new(Client { address: self.address, pair, gives, next_id: 0 })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One client of it.
struct Client {
    address: SocketAddr,
    pair: usize,
    gives: bool,
    next_id: u16,
}

impl Client {
    fn topic(&self) -> String {
        format!("f/{:05}", self.pair)
    }

    fn packet(&mut self, first: u8, rest: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match first >> 4 {
            // CONNACK: a second subscribes, which a kept session does not need but may.
            2 if !self.gives => {
                let topic = self.topic();
                let body = [&[0, 1][..], &text(&topic), &[1]].concat();
                write_packet(0x82, &body, out);
            }
            2 | 4 | 9 => {}
            3 => {
                let (topic, rest) = rest.split_first_chunk().context("no topic")?;
                let topic = usize::from(u16::from_be_bytes(*topic));
                let id = rest.get(topic..topic + 2).context("no packet id")?;
                write_packet(0x40, id, out);
            }
            other => bail!("unexpected packet {other}"),
        }
        Ok(())
    }

    fn event(&self, first: u8, rest: &[u8]) -> Option<Event> {
        match first >> 4 {
            2 if self.gives => Some(Event::Ready),
            9 => Some(Event::Ready),
            4 => Some(Event::Taken(1)),
            3 => {
                let topic = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
                number_of(rest.get(topic + 4..)?).map(Event::Delivered)
            }
            _ => None,
        }
    }
}

impl Wire for Client {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        let id = format!("{}{:05}", if self.gives { 'a' } else { 'b' }, self.pair);
        // Protocol level 4, the session is kept, no keep-alive.
        let body = [&text("MQTT")[..], &[4, 0, 0, 0], &text(&id)].concat();
        write_packet(0x10, &body, out);
    }

    fn take(&mut self, input: &[u8], out: &mut Vec<u8>, events: &mut Vec<Event>) -> Result<usize> {
        let mut taken = 0;
        while let Some((first, rest, len)) = read_packet(input.get(taken..).unwrap_or_default()) {
            self.packet(first, rest, out)?;
            events.extend(self.event(first, rest));
            taken += len;
        }
        Ok(taken)
    }

    fn send(&mut self, number: u64, out: &mut Vec<u8>) {
        // 0 is no packet id.
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        let topic = self.topic();
        let packet = [&text(&topic)[..], &self.next_id.to_be_bytes(), &body(number)].concat();
        write_packet(0x32, &packet, out);
    }
}

fn text(text: &str) -> Vec<u8> {
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    [&len.to_be_bytes(), text.as_bytes()].concat()
}

fn write_packet(first: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    let mut len = body.len();
    while len > 127 {
        out.push(u8::try_from(len % 128).unwrap_or(0) | 0x80);
        len /= 128;
    }
    out.push(u8::try_from(len).unwrap_or(0));
    out.extend(body);
}

/// First byte, body and whole length of the packet at the head of `input`, once it is whole.
fn read_packet(input: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (first, rest) = input.split_first()?;
    let (mut len, mut digits) = (0, 0);
    for byte in rest.iter().take(4) {
        len |= usize::from(byte & 0x7f) << (7 * digits);
        digits += 1;
        if byte & 0x80 == 0 {
            let body = rest.get(digits..digits + len)?;
            return Some((*first, body, 1 + digits + len));
        }
    }
    None
}

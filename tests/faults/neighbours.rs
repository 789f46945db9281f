//! P10: one bad or slow client cannot hurt the others.
//!
//! Two hundred users write to each other over real sockets; beside them come slow heads, peers that
//! never read, floods of fragments, and two thousand connections in a second, each from addresses
//! of its own. No user may be cut off, no letter may fail to come. How long letters took, quiet and
//! under attack, is printed and not judged: this machine has other work too.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use jiashu_proto::frame::{Ack, Beat, ClientFrame, RelayFrame};
use jiashu_tests::{FamilySpec, Programme, Raw, RawDevice, RawSocket, TestRelay};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

/// Families of two phones that write to each other.
const FAMILIES: usize = 100;

/// Of one address.
const OF_ADDRESS: usize = 10;

/// How long letters are timed, once quiet and once under attack.
const SPAN: Duration = Duration::from_secs(12);

/// Each family writes a letter so often.
const PAUSE: Duration = Duration::from_millis(800);

/// Connections of each kind of attack that stay.
const LORIS: usize = 300;
const DEAF: usize = 20;
const FLOODS: usize = 40;

/// Connections in one second, again and again.
const CONNECTS: usize = 2_000;

fn address(net: u8, number: usize) -> Ipv4Addr {
    let [high, low] = u16::try_from(number + 1).unwrap().to_be_bytes();
    Ipv4Addr::new(127, net, high, low)
}

/// A family that talks.
struct Pair {
    mother: RawDevice,
    mothers: RawSocket,
    homes: RawSocket,
}

impl Pair {
    async fn connect(raw: Raw, [mother, home]: [RawDevice; 2]) -> Self {
        let (mothers, homes) = (online(raw, &mother).await, online(raw, &home).await);
        Self { mother, mothers, homes }
    }

    /// Sends a letter and waits until the other phone has it. A socket that is closed is a panic.
    async fn letter(&mut self) -> Duration {
        let begun = Instant::now();
        self.mothers.send(ClientFrame::Post(self.mother.letter("吃饭了吗", &[2, 3]))).await;
        self.mother.n += 1;
        let upto = self
            .homes
            .wait_for(|_, frame| match frame {
                RelayFrame::Entries(entries) if !entries.entries.is_empty() => {
                    Some(Ack { seq: entries.upto, tag: entries.tag })
                }
                _ => None,
            })
            .await;
        let took = begun.elapsed();
        self.homes.send(ClientFrame::Ack(upto)).await;
        self.mothers
            .wait_for(|_, frame| matches!(frame, RelayFrame::Posted(_)).then_some(()))
            .await;
        took
    }

    /// Writes until the time is over.
    async fn talk(mut self, until: Instant) -> (Self, Vec<Duration>) {
        let mut took = Vec::new();
        while Instant::now() < until {
            took.push(self.letter().await);
            tokio::time::sleep(PAUSE).await;
        }
        (self, took)
    }
}

async fn online(raw: Raw, phone: &RawDevice) -> RawSocket {
    let mut socket = RawSocket::over(raw.connect().await.unwrap(), &[]).await.unwrap();
    socket.send(phone.hello()).await;
    assert!(matches!(socket.next().await, (0, RelayFrame::Welcome(_))));
    socket
}

/// Lets all pairs write for a while; the times of their letters, ascending.
async fn talk(pairs: Vec<Pair>) -> (Vec<Pair>, Vec<Duration>) {
    let until = Instant::now() + SPAN;
    let mut tasks = JoinSet::new();
    for pair in pairs {
        tasks.spawn(pair.talk(until));
    }
    // A panic of one is a user who was cut off, or a letter that never came.
    let (pairs, times): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().unzip();
    let mut times: Vec<_> = times.into_iter().flatten().collect();
    times.sort_unstable();
    (pairs, times)
}

fn p99(times: &[Duration]) -> Duration {
    times[(times.len() * 99 / 100).min(times.len() - 1)]
}

/// What the attackers met.
#[derive(Debug, Default)]
struct Met {
    connected: AtomicUsize,
    closed: AtomicUsize,
    over: AtomicBool,
}

impl Met {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn count(counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends a head, a byte at a time.
async fn loris(raw: Raw, met: Arc<Met>) {
    while met.goes_on() {
        let Ok(mut stream) = raw.connect().await else { continue };
        Met::count(&met.connected);
        for byte in b"GET /1 HTTP/1.1\r\nhost: relay\r\nx: ".iter().chain(std::iter::repeat(&b'x'))
        {
            if !met.goes_on() || stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Met::count(&met.closed);
    }
}

/// Asks and never reads an answer.
async fn deaf(raw: Raw, phone: RawDevice, met: Arc<Met>) {
    let stream = raw.connect().await.unwrap();
    let mut socket = RawSocket::over(stream, &[]).await.unwrap();
    Met::count(&met.connected);
    socket.send(phone.hello()).await;
    let beats = async {
        loop {
            socket.send(ClientFrame::Beat(Beat {})).await;
        }
    };
    // The relay reads no further once nobody takes its answers, so sending comes to a stand.
    let _ = tokio::time::timeout(SPAN, beats).await;
}

/// Begins a message and never ends it, as fast as it can.
async fn flood(raw: Raw, met: Arc<Met>) {
    let upgrade = "GET /1 HTTP/1.1\r\nhost: relay\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    while met.goes_on() {
        let Ok(mut stream) = raw.connect().await else { continue };
        Met::count(&met.connected);
        let mut fragments = vec![0x02, 0x80, 0, 0, 0, 0];
        fragments.extend([0x00, 0x80, 0, 0, 0, 0].repeat(1_000));
        let _ = stream.write_all(upgrade.as_bytes()).await;
        let _ = stream.write_all(&fragments).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
        Met::count(&met.closed);
    }
}

/// Two thousand connections in each second, which say nothing and are dropped with it.
async fn connects(raw: Raw, met: Arc<Met>) {
    while met.goes_on() {
        let second = tokio::time::sleep(Duration::from_secs(1));
        let attempts = (0..CONNECTS).map(async |number| {
            let raw = raw.from(address(30, number / 100));
            raw.connect().await
        });
        let held: Vec<_> = join_all(attempts).await.into_iter().filter_map(Result::ok).collect();
        held.iter().for_each(|_| Met::count(&met.connected));
        second.await;
    }
}

async fn families<const N: usize>(
    relay: &TestRelay,
    name: &str,
    count: usize,
) -> Vec<[RawDevice; N]> {
    let programme = Programme::of(relay).await;
    let spec = FamilySpec::li();
    let join = async |case: usize| {
        programme.enrol(&format!("{name}-{case}"), &spec).await.join_all::<N>().await
    };
    stream::iter(0..count).map(join).buffer_unordered(8).collect().await
}

pub(crate) async fn bad_peers_cut_nobody_off() {
    // All limits as they come, but for who joins: so many do in no village in a minute.
    let relay = TestRelay::limited(&[("JIASHU_KNOCKS_PER_MINUTE", "1000000")]).await;
    let raw = relay.raw();
    let mut phones = families::<2>(&relay, "USER", FAMILIES + DEAF).await;
    let deaf_phones = phones.split_off(FAMILIES);
    let mut pairs = Vec::new();
    for (number, phones) in phones.into_iter().enumerate() {
        pairs.push(Pair::connect(raw.from(address(20, number / OF_ADDRESS)), phones).await);
    }

    let (pairs, quiet) = talk(pairs).await;
    let met = Arc::new(Met::default());
    let mut attack = JoinSet::new();
    for number in 0..LORIS {
        attack.spawn(loris(raw.from(address(31, number / 10)), met.clone()));
    }
    for number in 0..FLOODS {
        attack.spawn(flood(raw.from(address(32, number / 10)), met.clone()));
    }
    for (number, [phone, _]) in deaf_phones.into_iter().enumerate() {
        attack.spawn(deaf(raw.from(address(33, number / 10)), phone, met.clone()));
    }
    attack.spawn(connects(raw, met.clone()));
    let (pairs, attacked) = talk(pairs).await;
    met.over.store(true, Ordering::Relaxed);
    attack.shutdown().await;

    let (before, during) = (p99(&quiet), p99(&attacked));
    let ratio = during.as_secs_f64() / before.as_secs_f64();
    eprintln!(
        "P10: {} letters quiet, p99 {before:?}; {} under attack, p99 {during:?}: {ratio:.1} times",
        quiet.len(),
        attacked.len()
    );
    eprintln!(
        "P10: the attackers connected {:?} times, were closed {:?}",
        met.connected, met.closed
    );
    assert_eq!(pairs.len(), FAMILIES, "every user is there still");
    assert!(met.connected.load(Ordering::Relaxed) > CONNECTS, "they did come");
    assert!(met.closed.load(Ordering::Relaxed) > FLOODS, "and were shown out");
    let figures = String::from_utf8(raw.get("/metrics").await.body).unwrap();
    let limited = "jiashu_limited_total{limit=\"strangers_per_address\"}";
    assert!(figures.contains(limited), "{figures}");
}

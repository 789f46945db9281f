//! Voice notes: many at once, what letters feel of it, and how fast they are handed out.
//!
//! Each transfer is one connection with one request, as the phones have it.

use std::net::{SocketAddr, TcpListener, TcpStream as StdStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiashu_proto::id::{Ref, Token};
use jiashu_roster::sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::figures::{Effort, each};
use crate::load::{Load, Measured};
use crate::machine::{resident_kib, share};
use crate::relay::Relay;
use crate::report::Report;
use crate::seed::seed;
use crate::system::RunningRelays;

/// A minute of speech, sealed, in bytes.
const NOTE: usize = 90_000;

/// Uploads at once, and downloads.
const AT_ONCE: usize = 200;

/// Families that write letters meanwhile.
const PAIRS: usize = 200;

/// Letters a second of all these.
const RATE: u32 = 400;

/// How long nginx may take to listen.
const STARTS_WITHIN: Duration = Duration::from_secs(5);

/// Where a note is, and the request for it.
type Place = (SocketAddr, String);

/// What a phone's line carries.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// As much as this machine moves.
    Loopback,
    /// 50 kbit/s, a packet at a time.
    Slow,
}

impl Line {
    /// A packet, in bytes, and how long it takes.
    const PACKET: (usize, Duration) = (1400, Duration::from_millis(224));

    async fn write(self, stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
        let Self::Slow = self else { return Ok(stream.write_all(bytes).await?) };
        for packet in bytes.chunks(Self::PACKET.0) {
            stream.write_all(packet).await?;
            tokio::time::sleep(Self::PACKET.1).await;
        }
        Ok(())
    }

    async fn read(self, stream: &mut TcpStream) -> Result<Vec<u8>> {
        let mut answer = Vec::with_capacity(NOTE + 1024);
        let Self::Slow = self else {
            stream.read_to_end(&mut answer).await?;
            return Ok(answer);
        };
        while stream.take(Self::PACKET.0 as u64).read_to_end(&mut answer).await? > 0 {
            tokio::time::sleep(Self::PACKET.1).await;
        }
        Ok(answer)
    }
}

/// One request on a connection of its own; the status and how long the body of the answer is.
async fn ask(line: Line, address: SocketAddr, head: &str, body: &[u8]) -> Result<(u16, usize)> {
    let socket = TcpSocket::new_v4()?;
    if let Line::Slow = line {
        // What is not read yet waits at the relay, as with a line.
        socket.set_recv_buffer_size(8 * 1024)?;
    }
    let mut stream = socket.connect(address).await?;
    line.write(&mut stream, &[head.as_bytes(), body].concat()).await?;
    let answer = line.read(&mut stream).await?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").context("no head")?;
    let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    let status = status.and_then(|digits| digits.parse().ok()).context("no status")?;
    Ok((status, answer.len() - end - 4))
}

fn bearer(token: &Token) -> String {
    format!("Authorization: Bearer {}\r\n", URL_SAFE_NO_PAD.encode(token.to_bytes()))
}

/// Stores one; its name.
async fn upload(
    line: Line,
    address: SocketAddr,
    token: &Token,
    number: u64,
    note: &[u8],
) -> Result<Ref> {
    let mut id = [0; 12];
    if let Some((head, _)) = id.split_first_chunk_mut() {
        *head = number.to_be_bytes();
    }
    let id = Ref(id);
    let digest = STANDARD.encode(sha256(note));
    let head = format!(
        "PUT /1/blob/{id} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n{}Content-Length: {}\r\nUpload-Length: \
         {}\r\nUpload-Complete: ?1\r\nRepr-Digest: sha-256=:{digest}:\r\n\r\n",
        bearer(token),
        note.len(),
        note.len()
    );
    let (status, _) = ask(line, address, &head, note).await?;
    ensure!(status == 201, "an upload is answered {status}");
    Ok(id)
}

/// Fetches one whole.
async fn fetch(line: Line, (address, head): &Place) -> Result<()> {
    let (status, came) = ask(line, *address, head, &[]).await?;
    ensure!((status, came) == (200, NOTE), "a download is answered {status} with {came} bytes");
    Ok(())
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n{more}\r\n")
}

/// Does so many at once, again and again until it is told to stop; how many were done.
async fn keep<F>(many: usize, stop: Arc<AtomicBool>, mut one: impl FnMut(u64) -> F) -> Result<u64>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let (mut begun, mut done) = (0, 0);
    loop {
        while tasks.len() < many && !stop.load(Ordering::Relaxed) {
            tasks.spawn(one(begun));
            begun += 1;
        }
        let Some(one) = tasks.join_next().await else { return Ok(done) };
        one??;
        done += 1;
    }
}

/// A relay with families that write letters, and one for each upload at once that speaks.
struct Scene {
    running: RunningRelays,
    speakers: Vec<Token>,
    notes: Vec<Place>,
    note: Arc<Vec<u8>>,
}

impl Scene {
    fn start(binary: &Path, runtime: &Runtime) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut families = seed(folder.path(), (PAIRS + AT_ONCE) as u64, 0, false)?;
        let speakers = families.split_off(PAIRS);
        let many = Path::new("1000000000000");
        let settings =
            [("JIASHU_FAMILY_BLOB_BYTES", many), ("JIASHU_FAMILY_BLOB_BYTES_PER_DAY", many)];
        let relay = Relay::start(binary, folder.path(), &settings)?;
        let address = relay.address;
        let speakers: Vec<_> = speakers.iter().map(|family| family.token(1)).collect();
        let note = Arc::new((0..NOTE).map(|at| at.to_le_bytes()[0]).collect::<Vec<_>>());
        let mut notes = Vec::new();
        for token in &speakers {
            let id = runtime.block_on(upload(Line::Loopback, address, token, 0, &note))?;
            notes.push((address, get(&format!("/1/blob/{id}"), &bearer(token))));
        }
        let running = RunningRelays {
            relays: vec![relay],
            _held: Vec::new(),
            families,
            server: None,
            _folder: folder,
        };
        Ok(Self { running, speakers, notes, note })
    }

    fn relay(&self) -> Result<&Relay> {
        self.running.relays.first().context("it runs")
    }
}

/// What letters took while all was quiet, and while voice notes went both ways.
struct Beside {
    quiet: Measured,
    slow: Busy,
    fast: Busy,
}

/// One of them.
type Which = fn(&Beside) -> &Busy;

/// While voice notes went both ways.
struct Busy {
    letters: Measured,
    /// The most that the relay held, in KiB.
    resident: u64,
    /// Voice notes a second: up, and down.
    notes: [f64; 2],
}

/// 200 uploads and 200 downloads at once, and what letters feel of it.
pub(crate) fn crowd(binary: &Path, effort: Effort, report: &mut Report) -> Result<()> {
    let runtime = Runtime::new()?;
    let mut runs = Vec::new();
    for _ in 0..effort.runs {
        runs.push(beside(binary, effort, &runtime)?);
    }
    let runs = [runs, Vec::new()];
    let quiet = format!("p99 at {RATE} letters a second, quiet");
    report.add(quiet, "ms", each(&runs, |run| run.quiet.percentile(99)), None);
    let lines: [(&str, Which); 2] = [
        ("on lines of 50 kbit/s", |run| &run.slow),
        ("as fast as this machine moves them", |run| &run.fast),
    ];
    for (line, busy) in lines {
        report.note(format!("{AT_ONCE} notes of 90 KB up and {AT_ONCE} down at once, {line}:"));
        let p99 = |run: &Beside| busy(run).letters.percentile(99);
        let ratio = |run: &Beside| p99(run) / run.quiet.percentile(99);
        let mut add = |figure: &str, unit, runs, bar| {
            report.add(format!("{figure}, notes {line}"), unit, runs, bar);
        };
        add("p99 of letters", "ms", each(&runs, p99), None);
        add("over the quiet one", "times", each(&runs, ratio), Some((2.0, 2.0)));
        add("stored", "/s", each(&runs, |run| busy(run).notes[0]), None);
        add("handed out", "/s", each(&runs, |run| busy(run).notes[1]), None);
        let memory = each(&runs, |run| share(busy(run).resident, 1024));
        add("memory", "MiB", memory, Some((150.0, 150.0)));
    }
    Ok(())
}

fn beside(binary: &Path, effort: Effort, runtime: &Runtime) -> Result<Beside> {
    let scene = Scene::start(binary, runtime)?;
    let mut load = Load::connect(&scene.running, PAIRS)?;
    let quiet = load.at_fixed_rate(RATE, effort.spans)?;
    drop(load);
    let slow = busy(&scene, Line::Slow, effort, runtime)?;
    let fast = busy(&scene, Line::Loopback, effort, runtime)?;
    Ok(Beside { quiet, slow, fast })
}

fn busy(scene: &Scene, line: Line, effort: Effort, runtime: &Runtime) -> Result<Busy> {
    let (address, pid) = (scene.relay()?.address, scene.relay()?.pid());
    let stop = Arc::new(AtomicBool::new(false));
    let (speakers, note) = (scene.speakers.clone(), Arc::clone(&scene.note));
    // Names that no other note has.
    let named = if let Line::Slow = line { 1 << 32 } else { 2 << 32 };
    let up = runtime.spawn(keep(AT_ONCE, Arc::clone(&stop), move |number| {
        let place = usize::try_from(number).unwrap_or(0) % speakers.len();
        let (token, note) = (speakers.get(place).cloned(), Arc::clone(&note));
        async move {
            let token = token.context("a speaker")?;
            upload(line, address, &token, named + number, &note).await.map(|_| ())
        }
    }));
    let notes = scene.notes.clone();
    let down = runtime.spawn(keep(AT_ONCE, Arc::clone(&stop), move |number| {
        let place = usize::try_from(number).unwrap_or(0) % notes.len();
        let note = notes.get(place).cloned();
        async move { fetch(line, &note.context("a note")?).await }
    }));
    let most = Arc::new(AtomicU64::new(0));
    let watch = runtime.spawn({
        let (most, stop) = (Arc::clone(&most), Arc::clone(&stop));
        async move {
            while !stop.load(Ordering::Relaxed) {
                most.fetch_max(resident_kib(pid).unwrap_or(0), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let began = Instant::now();
    let mut load = Load::connect(&scene.running, PAIRS)?;
    let letters = load.at_fixed_rate(RATE, effort.spans)?;
    stop.store(true, Ordering::Relaxed);
    drop(load);
    let (up, down) = runtime.block_on(async { (up.await, down.await) });
    let seconds = began.elapsed().as_secs_f64();
    runtime.block_on(watch)?;
    let notes = [up??, down??].map(|count| share(count, 1) / seconds);
    Ok(Busy { letters, resident: most.load(Ordering::Relaxed), notes })
}

/// Downloads as fast as they go, beside nginx that serves the same bytes as files.
pub(crate) fn throughput(binary: &Path, effort: Effort, report: &mut Report) -> Result<()> {
    let runtime = Runtime::new()?;
    let scene = Scene::start(binary, &runtime)?;
    let nginx = Nginx::start(&scene)?;
    report.note(match &nginx {
        Some(_) => Nginx::version().unwrap_or_default(),
        None => "nginx: skipped: it is not installed".into(),
    });
    let mut runs = [Vec::new(), Vec::new()];
    for _ in 0..effort.runs {
        for (places, runs) in [Some(&scene.notes), nginx.as_ref().map(|nginx| &nginx.notes)]
            .into_iter()
            .zip(&mut runs)
        {
            if let Some(places) = places {
                runs.push(handed_out(&runtime, places, effort)?);
            }
        }
    }
    let [relay, other] = &runs;
    let ratio = relay.iter().zip(other).map(|(relay, other)| relay / other * 100.0).collect();
    report.add(format!("notes of 90 KB down, {AT_ONCE} at once; nginx"), "MB/s", runs, None);
    report.add("that over nginx", "%", [ratio, Vec::new()], Some((60.0, 60.0)));
    Ok(())
}

/// MB a second.
fn handed_out(runtime: &Runtime, places: &[Place], effort: Effort) -> Result<f64> {
    let (stop, places) = (Arc::new(AtomicBool::new(false)), places.to_vec());
    let began = Instant::now();
    let fetching = runtime.spawn(keep(AT_ONCE, Arc::clone(&stop), move |number| {
        let place = usize::try_from(number).unwrap_or(0) % places.len();
        let note = places.get(place).cloned();
        async move { fetch(Line::Loopback, &note.context("a note")?).await }
    }));
    std::thread::sleep(effort.spans.measured);
    stop.store(true, Ordering::Relaxed);
    let count = runtime.block_on(fetching)??;
    let bytes = share(count, 1) * share(NOTE as u64, 1);
    Ok(bytes / began.elapsed().as_secs_f64() / 1e6)
}

/// nginx with the same notes as files.
struct Nginx {
    child: Child,
    notes: Vec<Place>,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// What it says of itself; none where it is not installed.
    fn version() -> Option<String> {
        let output = Command::new("nginx").arg("-v").output().ok()?;
        Some(String::from_utf8_lossy(&output.stderr).trim().replace("nginx version: ", ""))
    }

    /// As Debian sets it up, but for its place: a worker for each processor, `sendfile`, nothing logged.
    fn start(scene: &Scene) -> Result<Option<Self>> {
        if Self::version().is_none() {
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        // Its workers are another user.
        std::fs::set_permissions(
            folder.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut notes = Vec::new();
        for number in 0..scene.notes.len() {
            std::fs::write(folder.path().join(number.to_string()), &*scene.note)?;
            notes.push((address, get(&format!("/{number}"), "")));
        }
        let root = folder.path().display();
        let config = format!(
            "daemon off; worker_processes auto; pid {root}/pid; error_log {root}/error;\nevents {{ \
             worker_connections 768; }}\nhttp {{ sendfile on; tcp_nopush on; access_log off; server {{ listen \
             {address}; root {root}; }} }}\n"
        );
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, config)?;
        let mut nginx = Command::new("nginx");
        nginx.arg("-e").arg(folder.path().join("error")).arg("-c").arg(&path);
        nginx.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let nginx = Self { child: nginx.spawn()?, notes, _folder: folder };
        let began = Instant::now();
        while StdStream::connect(address).is_err() {
            ensure!(began.elapsed() < STARTS_WITHIN, "nginx does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Some(nginx))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Asked, so that its workers end with it.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

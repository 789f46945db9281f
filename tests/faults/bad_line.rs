//! The line that a voice note must get over: 50 kbit/s, 300 ms each way, 5 % of the packets lost, and cut
//! five times. The kernel's own TCP on both sides, in two network namespaces; `tools/bad_line.py` is what is between.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use jiashu_seal::{JoinLink, random};
use jiashu_tests::sound::write_opus;
use jiashu_tests::{Cli, FamilySpec, Programme, TestRelay};
use serde_json::Value;

use crate::rounds;

/// 50 kbit/s, in bytes a second.
const RATE: &str = "6250";
const DELAY_MS: &str = "300";
const LOSS_PERCENT: &str = "5";
const CUTS: u64 = 5;

/// Chunks of a sealed file, in bytes.
const CHUNK: u64 = 16 * 1024 + 16;

/// It is some 40 s of sending, and 20 s for each cut that is noticed by silence alone.
const ARRIVES: Duration = Duration::from_secs(600);

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Two places with such a line between them; the far one's processes are started by [`BadLine::far`].
struct BadLine {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Of the near end.
    near: IpAddr,
}

/// Bytes that entered the line so far.
struct Count {
    /// Of TCP streams, each once.
    sent: u64,
    /// Those of them that came out of it.
    come: u64,
    /// Of IP packets.
    ip: u64,
}

impl BadLine {
    /// `None` where the machine does not allow it; why goes to `told`.
    fn lay(told: Stdio) -> Option<Self> {
        // A pair of addresses that are nobody's here: drawn, as other runs have theirs.
        let [high, low] = random();
        let [near, far] = [low | 1, low & !1].map(|low| Ipv4Addr::new(10, 213, high, low));
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults/tools/bad_line.py");
        let mut python = Command::new("python3");
        python.arg(tool).args([near.to_string(), far.to_string()]);
        python.args([RATE, DELAY_MS, LOSS_PERCENT]);
        python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(told);
        let mut child = python.spawn().ok()?;
        let orders = child.stdin.take()?;
        let answers = BufReader::new(child.stdout.take()?);
        let mut line = Self { child, orders, answers, near: near.into() };
        (line.answer() == "ready").then_some(line)
    }

    /// A program in the far place.
    fn far(&self) -> [String; 2] {
        ["nsenter".to_owned(), format!("--net=/proc/{}/ns/net", self.child.id())]
    }

    fn answer(&mut self) -> String {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap_or_default();
        answer.trim().to_owned()
    }

    fn ask(&mut self, order: &str) -> Value {
        writeln!(self.orders, "{order}").unwrap();
        serde_json::from_str(&self.answer()).unwrap()
    }

    /// Up to the relay, and down from it.
    fn count(&mut self) -> [Count; 2] {
        let count = self.ask("count");
        ["up", "down"].map(|way| {
            let of = |what: &str| count[way][what].as_u64().unwrap();
            Count { sent: of("sent"), come: of("come"), ip: of("ip") }
        })
    }
}

impl Drop for BadLine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether this machine allows it.
pub(crate) fn can_be_laid() -> bool {
    BadLine::lay(Stdio::null()).is_some()
}

/// A phone that joins while it is near, and then is at the far end.
async fn phone(line: &BadLine, link: JoinLink, home: &Path) -> Cli {
    let _ = Cli::new(home).run(&["join", &link.to_url(), "--yes"]).await.success();
    let far = line.far();
    Cli::new(home).within(&[&far[0], &far[1]])
}

/// The same phone while it is near.
fn near(phone: &Cli) -> Cli {
    Cli::new(phone.home())
}

/// A phone does something at the far end that brings so many bytes over the line, which is cut again and again
/// meanwhile; `way` says which way. What went twice is at most a chunk for each cut.
async fn cut_while(
    line: &mut BadLine,
    (phone, words): (&Cli, &[&str]),
    length: u64,
    way: fn(&[Count; 2]) -> &Count,
) {
    let began = Instant::now();
    let doing = phone.run_within(ARRIVES, words);
    tokio::pin!(doing);
    let mut cuts = 0;
    let output = loop {
        tokio::select! {
            output = &mut doing => break output,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if cuts < CUTS && way(&line.count()).come >= (cuts + 1) * length / (CUTS + 1) {
            cuts += 1;
            // Not heard of, it is noticed by silence alone.
            let is_silent = cuts == 3 || rounds::is_asked_for();
            line.ask(if is_silent { "cut silent" } else { "cut told" });
        }
    };
    let (took, both) = (began.elapsed(), line.count());
    let twice = way(&both).sent.saturating_sub(length);
    eprintln!(
        "bad line: {words:?} with {cuts} cuts: {length} bytes and {twice} more, heads and words too; {} of IP up, {} \
         down; {took:.1?}; {}",
        both[0].ip,
        both[1].ip,
        output.stdout.trim()
    );

    assert_eq!((output.clone().success().code, cuts), (0, CUTS), "{output:?}");
    assert!(twice <= CUTS * CHUNK, "{twice} bytes went twice: {output:?}");
}

/// A mother sends a minute while home fetches another, each by a line of its own.
pub(crate) async fn voice_notes_arrive_and_nearly_nothing_is_sent_twice() {
    let lay = || BadLine::lay(Stdio::inherit()).expect("it could be laid before");
    let (mut mothers, mut homes) = (lay(), lay());
    // It is to be heard at both near ends.
    let relay = TestRelay::at(Ipv4Addr::UNSPECIFIED.into()).await;
    let family = Programme::of(&relay).await.enrol("LINE-1", &FamilySpec::li()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let card = |line: &BadLine, place: usize| JoinLink {
        origin: format!("http://{}:{}", line.near, relay.address().port()),
        scope: family.scope(),
        secret: family.secrets[place].clone(),
    };
    let mother = phone(&mothers, card(&mothers, 0), Path::new(&path("mother"))).await;
    let home = phone(&homes, card(&homes, 1), Path::new(&path("home"))).await;
    let (first, second) = (path("first.opus"), path("second.opus"));
    write_opus(Path::new(&first), 60_000, 29);
    write_opus(Path::new(&second), 60_000, 30);
    let length = |file: &str| std::fs::metadata(file).unwrap().len();
    let _ = near(&mother).run(&["voice", "send", &first]).await.success();
    let newest = async || {
        let came = near(&home).run(&["--json", "inbox"]).await.success().json_lines();
        came.last().expect("a note came")["seq"].to_string()
    };
    let seq = newest().await;

    let (out, then) = (path("first came.opus"), path("second came.opus"));
    let send = ["voice", "send", &second];
    let save = ["voice", "save", &seq, "--out", &out];
    tokio::join!(
        cut_while(&mut mothers, (&mother, &send), length(&second), |both| &both[0]),
        cut_while(&mut homes, (&home, &save), length(&first), |both| &both[1]),
    );
    let seq = newest().await;
    let _ = near(&home).run(&["voice", "save", &seq, "--out", &then]).await.success();

    for (sent, came) in [(first, out), (second, then)] {
        assert!(std::fs::read(&sent).unwrap() == std::fs::read(came).unwrap(), "{sent} is another");
    }
}

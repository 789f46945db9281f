//! What a story of the command line begins with: a worker enrols families from a list, their phones
//! join by the cards, and every process may print into a journal that outlives it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use jiashu_tests::cli::Output;
use jiashu_tests::{Cli, TestRelay};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;

/// The first line of a list of families.
const COLUMNS: &str = "case_code,member,role,name,time_zone,language,device,shared_device,\
                       consent_on,assent_on";

/// Mother in Prato with a phone; grandmother and Lili in Gansu share the other.
pub(crate) const LI: &str = "\
GS-001,1,parent,妈妈,Europe/Rome,zh-Hans,mother's phone,,2026-11-01,
GS-001,2,caregiver,外婆,Asia/Shanghai,zh-Hans,family phone,,2026-11-01,
GS-001,3,child,Lili,Asia/Shanghai,zh-Hans,family phone,,2026-11-01,2026-11-01
";

/// An NGO's office: a relay, a worker's laptop, and a folder for everybody's homes.
pub(crate) struct Office {
    pub(crate) worker: Cli,
    pub(crate) relay: TestRelay,
    folder: TempDir,
}

impl Office {
    /// A relay of which the worker is the first coordinator.
    pub(crate) async fn open() -> Self {
        Self::on(TestRelay::start().await).await
    }

    /// The same on this relay.
    pub(crate) async fn on(relay: TestRelay) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let worker = Cli::new(folder.path().join("worker"));
        let link = relay.setup_link().expect("the first start prints a link");
        let _ = worker.run(&["ngo", "setup", &link]).await.success();
        Self { worker, relay, folder }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A phone that has not joined.
    pub(crate) fn phone(&self, name: &str) -> Cli {
        Cli::new(self.path(name))
    }

    /// A journal of that name.
    pub(crate) fn journal(&self, name: &str) -> Journal {
        Journal { path: self.path(name) }
    }

    /// A list of families as a file.
    pub(crate) fn list(&self, rows: &str) -> String {
        let path = self.path("families.csv");
        std::fs::write(&path, format!("{COLUMNS}\n{rows}")).unwrap();
        text(&path)
    }

    /// Runs `ngo enrol` on a list, with the cards going into `cards`.
    pub(crate) async fn try_enrol(&self, list: &str, more: &[&str]) -> Output {
        let out = text(&self.path("cards"));
        self.worker.run(&[&["ngo", "enrol", list, "--out", &out], more].concat()).await
    }

    /// Enrols these families; their cards.
    pub(crate) async fn enrol(&self, rows: &str) -> Cards {
        let _ = self.try_enrol(&self.list(rows), &[]).await.success();
        self.cards()
    }

    /// What `invites.json` holds.
    pub(crate) fn cards(&self) -> Cards {
        let file = std::fs::read_to_string(self.path("cards/invites.json")).unwrap();
        Cards(serde_json::from_str(&file).unwrap())
    }

    /// A new phone, joined by that link.
    pub(crate) async fn join(&self, name: &str, link: &str) -> Cli {
        let phone = self.phone(name);
        let _ = phone.run(&["join", link, "--yes"]).await.success();
        phone
    }
}

/// The family Li, of which everybody has joined.
pub(crate) struct Li {
    pub(crate) mother: Cli,
    /// Grandmother's and Lili's.
    pub(crate) village: Cli,
    pub(crate) office: Office,
}

impl Li {
    pub(crate) async fn at_home() -> Self {
        Self::of(Office::open().await).await
    }

    pub(crate) async fn of(office: Office) -> Self {
        let cards = office.enrol(LI).await;
        let mother = office.join("mother", &cards.link("GS-001", "妈妈")).await;
        let village = office.join("village", &cards.link("GS-001", "Lili")).await;
        Self { mother, village, office }
    }
}

/// Printed cards.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cards(pub(crate) Vec<Value>);

impl Cards {
    /// The join link for a member of the family of that case code.
    pub(crate) fn link(&self, case: &str, member: &str) -> String {
        let of_member = |card: &&Value| {
            let members = card["members"].as_array().unwrap();
            card["case_code"] == case && members.iter().any(|name| name == member)
        };
        let card = self.0.iter().find(of_member).unwrap_or_else(|| panic!("no card for {member}"));
        card["link"].as_str().unwrap().to_owned()
    }
}

/// What a phone answers with `--json`.
pub(crate) async fn ask_all(phone: &Cli, args: &[&str]) -> Vec<Value> {
    phone.run(&[&["--json"], args].concat()).await.success().json_lines()
}

/// The one object that a phone answers with `--json`.
pub(crate) async fn ask(phone: &Cli, args: &[&str]) -> Value {
    let mut answers = ask_all(phone, args).await;
    assert_eq!(answers.len(), 1, "{args:?}: {answers:?}");
    answers.remove(0)
}

/// The mother writes, Lili is shown it and answers: contact, both ways.
pub(crate) async fn hear_each_other(mother: &Cli, home: &Cli) {
    let _ = ask(mother, &["send", "吃饭了吗"]).await;
    let came = ask_all(home, &["inbox"]).await;
    let seq = came.last().unwrap()["seq"].to_string();
    let _ = home.run(&["heard", &seq, "--by", "Lili"]).await.success();
    let _ = ask(home, &["send", "--as", "Lili", "--to", "妈妈", "两碗"]).await;
    let _ = ask_all(mother, &["inbox", "--open"]).await;
}

/// Numbers of the phones in what `family --json` says.
pub(crate) fn phones(family: &Value) -> Vec<u64> {
    numbers(&family["devices"], "device")
}

/// Numbers of the open cards in what `family --json` says.
pub(crate) fn open_cards(family: &Value) -> Vec<u64> {
    numbers(&family["cards"], "invite")
}

fn numbers(list: &Value, key: &str) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|one| one[key].as_u64().unwrap()).collect()
}

/// What the letters in these lines say.
pub(crate) fn texts(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["text"].as_str().unwrap()).collect()
}

/// The one line of a failure with that exit code, without its `jiashu: `.
pub(crate) fn failure(output: &Output, code: i32) -> String {
    assert_eq!(output.code, code, "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "one line: {output:?}");
    let line = output.stderr.trim_end().strip_prefix("jiashu: ");
    line.unwrap_or_else(|| panic!("it begins with its name: {output:?}")).to_owned()
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// The permissions of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// What processes have printed, in a file that outlives them: the verdict is read here.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    path: PathBuf,
}

impl Journal {
    /// Where a process prints to.
    fn open(&self) -> Stdio {
        File::options().create(true).append(true).open(&self.path).unwrap().into()
    }

    /// The whole lines so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let written = std::fs::read_to_string(&self.path).unwrap_or_default();
        let whole = written.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// How many letters the relay has, as `send` reported.
    pub(crate) fn posted(&self) -> usize {
        let written = std::fs::read_to_string(&self.path).unwrap_or_default();
        written.matches("\"queued\":false").count()
    }

    /// How many whole lines there are.
    pub(crate) fn count(&self) -> usize {
        let written = std::fs::read(&self.path).unwrap_or_default();
        written.iter().filter(|byte| **byte == b'\n').count()
    }
}

/// A process that prints into a journal, and may be fed lines.
pub(crate) struct Journalled {
    child: Child,
}

impl Journalled {
    pub(crate) fn start(phone: &Cli, args: &[&str], journal: &Journal) -> Self {
        let mut command = phone.command(&[&["--json"], args].concat());
        command.stdin(Stdio::piped()).stdout(journal.open()).stderr(Stdio::null());
        Self { child: command.spawn().unwrap() }
    }

    /// Types these lines.
    pub(crate) async fn feed(&mut self, lines: &[String]) {
        let typed: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let stdin = self.child.stdin.as_mut().expect("it is fed until it ends");
        stdin.write_all(typed.as_bytes()).await.unwrap();
        stdin.flush().await.unwrap();
    }

    /// Ends the input, and waits until the process has ended with success.
    pub(crate) async fn end(mut self) {
        drop(self.child.stdin.take());
        let ended = tokio::time::timeout(jiashu_tests::DEADLINE, self.child.wait()).await;
        let status = ended.expect("it ends").unwrap();
        assert!(status.success(), "{status}");
    }

    /// Ends it by `kill -9`.
    pub(crate) async fn kill9(mut self) {
        self.child.kill().await.unwrap();
    }
}

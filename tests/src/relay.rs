//! A relay as a process of its own, on a free port and in a folder that goes with it.

use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::binary::binary;
use crate::http;
use crate::raw::Raw;
use crate::socket::RawSocket;
use crate::still;
use crate::until::{DEADLINE, until};

/// What stories do in seconds, people do in weeks: rates are raised out of their way.
pub const RAISED: [(&str, &str); 5] = [
    ("JIASHU_POSTS_PER_MINUTE", "1000000"),
    ("JIASHU_POSTS_BURST", "1000000"),
    ("JIASHU_FAMILY_POSTS_PER_MINUTE", "1000000"),
    ("JIASHU_KNOCKS_PER_MINUTE", "1000000"),
    ("JIASHU_FRAMES_PER_SECOND", "1000000"),
];

/// A running relay. Dropping it checks that it is alive, ends on SIGTERM with success, and never
/// panicked.
#[derive(Debug)]
pub struct TestRelay {
    child: Option<Child>,
    settings: Vec<(String, String)>,
    address: SocketAddr,
    folder: TempDir,
    data: PathBuf,
    /// What runs it; nothing for itself.
    wrapper: Vec<String>,
}

impl TestRelay {
    /// A relay with the settings of an operator who set nothing but [`RAISED`].
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A relay with these `JIASHU_*` variables, and [`RAISED`].
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::limited(&[&RAISED, settings].concat()).await
    }

    /// A relay with these `JIASHU_*` variables and no others: its limits are the defaults.
    pub async fn limited(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self::start_in(folder, data, owned(settings)).await
    }

    /// A relay that keeps everything in this folder, with these variables of any name, and
    /// [`RAISED`]. The folder is the caller's to remove.
    pub async fn on(data: &Path, settings: &[(String, String)]) -> Self {
        let settings = [&owned(&RAISED), settings].concat();
        Self::start_in(tempfile::tempdir().unwrap(), data.to_owned(), settings).await
    }

    /// A relay with [`RAISED`] that listens there, for whoever is not on this machine's loopback.
    pub async fn at(address: IpAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self::start_at(SocketAddr::from((address, 0)), folder, data, owned(&RAISED)).await
    }

    /// A relay with [`RAISED`] that keeps everything in this folder, if it will start on what is there.
    ///
    /// # Errors
    ///
    /// How it ended, and what it logged last.
    pub async fn try_on(data: &Path) -> Result<Self, String> {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let (folder, data) = (tempfile::tempdir().unwrap(), data.to_owned());
        let settings = owned(&RAISED);
        let mut relay = Self { child: None, settings, address, folder, data, wrapper: Vec::new() };
        relay.try_run().await?;
        Ok(relay)
    }

    async fn start_in(folder: TempDir, data: PathBuf, settings: Vec<(String, String)>) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), folder, data, settings).await
    }

    async fn start_at(
        address: SocketAddr,
        folder: TempDir,
        data: PathBuf,
        settings: Vec<(String, String)>,
    ) -> Self {
        let mut relay = Self { child: None, settings, address, folder, data, wrapper: Vec::new() };
        relay.run().await;
        relay
    }

    /// Starts the process and waits until it listens. A port that is not free yet is waited for.
    async fn run(&mut self) {
        if let Err(refusal) = self.try_run().await {
            panic!("the relay did not start: {refusal}\n{}", self.log());
        }
    }

    /// The same; what it said last, if it did not start.
    async fn try_run(&mut self) -> Result<(), String> {
        let started = until("the relay starts", async || {
            let child = self.command().spawn().expect("the relay's binary runs");
            // Kept at once, so that it ends with this test whatever comes.
            self.child = Some(child);
            let status = until("the relay listens, or ends", async || match self.announced() {
                Some(_) => Some(None),
                None => self.ended().map(Some),
            })
            .await;
            let Some(status) = status else { return Some(Ok(())) };
            self.child = None;
            let log = self.log();
            let last = log.lines().next_back().unwrap_or_default();
            let taken = last.contains("cannot listen on") && self.address.port() != 0;
            (!taken).then(|| Err(format!("{status}: {last}")))
        });
        started.await?;
        self.address = self.announced().expect("it has said so");
        // It answers, be it by hanging up on who speaks no TLS, after it has printed all.
        let hello = http::request("GET", "/healthz", &[], &[]);
        self.raw().exchange(&hello).await;
        Ok(())
    }

    /// How it ended, if it has.
    fn ended(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut().expect("it runs");
        child.try_wait().expect("it can be waited for")
    }

    /// The address in the first line that it prints.
    fn announced(&self) -> Option<SocketAddr> {
        let printed = self.printed();
        let (line, _) = printed.split_once('\n')?;
        line.strip_prefix("listening on ")?.parse().ok()
    }

    fn command(&self) -> Command {
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        let mut command = wrapped(&self.wrapper, command(&self.data_dir()));
        command
            .args(["--listen", &self.address.to_string()])
            .envs(self.settings.iter().map(|(key, value)| (key, value)))
            .stdout(File::create(self.stdout_file()).unwrap())
            .stderr(log);
        command
    }

    /// Where it listens; the same after [`TestRelay::restart`].
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of its process.
    ///
    /// # Panics
    ///
    /// If it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// The first coordinator's link, as printed at the last start.
    #[must_use]
    pub fn setup_link(&self) -> Option<String> {
        let printed = self.printed();
        let (_, link) = printed.split_once("jiashu ngo setup ")?;
        Some(link.trim().to_owned())
    }

    /// What it has printed on standard output since its last start.
    #[must_use]
    pub fn printed(&self) -> String {
        std::fs::read_to_string(self.stdout_file()).unwrap_or_default()
    }

    fn stdout_file(&self) -> PathBuf {
        self.folder.path().join("stdout")
    }

    /// The folder that holds everything it keeps.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.data.clone()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// All that it has logged, over restarts.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Speaks to it over HTTP.
    #[must_use]
    pub fn raw(&self) -> Raw {
        Raw::new(self.address)
    }

    /// Opens a WebSocket.
    pub async fn open(&self) -> RawSocket {
        RawSocket::open(self.address).await
    }

    /// From its next start on it is run by this program; empty: by itself.
    pub fn wrap(&mut self, program: &[&str]) {
        assert!(self.child.is_none(), "it runs already");
        self.wrapper = program.iter().map(|word| (*word).to_owned()).collect();
    }

    /// Waits until it has ended, by itself or by what it is run by.
    pub async fn end(&mut self) {
        while self.ended().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.child = None;
    }

    /// Ends it as a power cut would, save for what the kernel still holds.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("it runs");
        if self.wrapper.is_empty() {
            child.kill().expect("it can be killed");
        } else {
            kill_children(child.id());
        }
        child.wait().expect("it ends");
    }

    /// Holds it still, once no system call of it is on its way any more.
    pub async fn pause(&self) {
        still::pause(self.pid()).await;
    }

    /// Lets it go on after [`TestRelay::pause`].
    pub fn resume(&self) {
        still::resume(self.pid());
    }

    /// Starts it again in the same folder and on the same port.
    pub async fn restart(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        self.run().await;
    }

    /// A copy of all that it keeps, as an operator makes one. It is down meanwhile.
    pub async fn back_up(&mut self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        self.kill9();
        copy_files(&self.data_dir(), copy.path());
        self.restart().await;
        copy
    }

    /// What it keeps is what it kept at the time of that copy.
    pub async fn restore(&mut self, copy: &TempDir) {
        self.kill9();
        let data = self.data_dir();
        std::fs::remove_dir_all(&data).unwrap();
        std::fs::create_dir(&data).unwrap();
        copy_files(copy.path(), &data);
        self.restart().await;
    }

    /// Starts it again in the same folder and on the same port, if it will.
    ///
    /// # Errors
    ///
    /// How it ended, and what it logged last.
    pub async fn try_restart(&mut self) -> Result<(), String> {
        assert!(self.child.is_none(), "it runs already");
        self.try_run().await
    }

    /// Asks it to stop and waits until it has.
    pub async fn term(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        signal_term(&child);
        tokio::task::spawn_blocking(move || ended(&mut child))
            .await
            .unwrap()
            .expect("it ends within the deadline")
    }
}

impl Drop for TestRelay {
    fn drop(&mut self) {
        let ended = self.child.take().map(|mut child| {
            let was_alive = child.try_wait().is_ok_and(|status| status.is_none());
            signal_term(&child);
            let status = ended(&mut child);
            let _ = child.kill();
            (was_alive, status)
        });
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("--- the relay's log\n{log}\n---");
            return;
        }
        assert!(!log.contains("panicked"), "the relay panicked\n{log}");
        if let Some((was_alive, status)) = ended {
            assert!(was_alive, "the relay ended by itself\n{log}");
            assert!(status.is_some_and(|status| status.success()), "it ended with {status:?}");
        }
    }
}

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

/// The relay's command line, for this data folder, without what this process's environment sets.
#[must_use]
pub fn command(data: &Path) -> Command {
    let mut command = Command::new(binary("jiashu-server"));
    let inherited = std::env::vars_os().map(|(key, _)| key);
    for key in inherited.filter(|key| key.to_string_lossy().starts_with("JIASHU_")) {
        command.env_remove(key);
    }
    command.arg("--data").arg(data).stdin(Stdio::null());
    command
}

fn copy_files(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// The same command, run by another.
pub(crate) fn wrapped(wrapper: &[String], command: Command) -> Command {
    let Some((program, args)) = wrapper.split_first() else { return command };
    let mut outer = Command::new(program);
    outer.args(args).arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(key, value),
            None => outer.env_remove(key),
        };
    }
    outer
}

/// Kills what this process has started.
fn kill_children(parent: u32) {
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // PID (NAME) STATE PARENT …
        let its_parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
        if its_parent.is_some_and(|number| number == parent.to_string()) {
            let pid = process.file_name();
            let _ = Command::new("kill").arg("-KILL").arg(pid).status();
        }
    }
}

fn signal_term(child: &Child) {
    let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
}

/// Waits for the end of a process; `None` if it does not come.
fn ended(child: &mut Child) -> Option<ExitStatus> {
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

//! A phone of the story, or the worker's laptop: this program again, in the client's role.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::spoken;

/// The first argument of a process that is a client.
pub(crate) const ROLE: &str = "as-phone";

/// By this variable a phone is told at what time it lives.
const NOW: &str = "JIASHU_DEMO_NOW";

/// Sets the clock of this process, a phone, to where the story is.
pub(crate) fn live_as_told() {
    let now = std::env::var(NOW).ok().and_then(|now| now.parse().ok());
    if let Some(now) = now {
        jiashu_cli::clock::live_at(now);
    }
}

/// One state folder.
#[derive(Clone, Debug)]
pub(crate) struct Phone {
    home: PathBuf,
    /// When it lives, if not now.
    now: Option<Timestamp>,
}

impl Phone {
    /// A phone fresh from the shop.
    pub(crate) fn new(home: PathBuf) -> Self {
        Self { home, now: None }
    }

    /// One that lives at another time.
    pub(crate) fn at(home: PathBuf, now: Timestamp) -> Self {
        Self { home, now: Some(now) }
    }

    /// It lives at that time from here on.
    pub(crate) fn live_at(&mut self, now: Timestamp) {
        self.now = Some(now);
    }

    /// Its folder.
    pub(crate) fn home(&self) -> &PathBuf {
        &self.home
    }

    fn command(&self, args: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ROLE).arg("--home").arg(&self.home).arg("--json").args(args);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command.envs(self.now.map(|now| (NOW, now.to_string())));
        // What plays sound is this program too, for whom the phone starts it.
        command.env(spoken::ROLE, "1").env("JIASHU_PLAYER", std::env::current_exe()?);
        Ok(command)
    }

    /// Runs one verb and gives the objects it printed, one a line.
    pub(crate) async fn run(&self, args: &[&str]) -> anyhow::Result<Vec<Value>> {
        let output = self.command(args)?.output().await?;
        if !output.status.success() {
            bail!("{}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        String::from_utf8(output.stdout)?
            .lines()
            .map(|line| serde_json::from_str(line).context("not JSON"))
            .collect()
    }

    /// Runs one verb and gives what it told beside its answer, one object a line.
    pub(crate) async fn told(&self, args: &[&str]) -> anyhow::Result<Vec<Value>> {
        let output = self.command(args)?.output().await?;
        let lines = String::from_utf8(output.stderr)?;
        lines.lines().map(|line| serde_json::from_str(line).context("not JSON")).collect()
    }

    /// Runs one verb that prints one object.
    pub(crate) async fn ask(&self, args: &[&str]) -> anyhow::Result<Value> {
        self.run(args)
            .await?
            .into_iter()
            .next()
            .with_context(|| format!("{} said nothing", args.join(" ")))
    }

    /// Leaves it on: what comes is heard at once.
    pub(crate) fn listen(&self) -> anyhow::Result<Listening> {
        let mut process =
            self.command(&["listen"])?.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let lines = BufReader::new(process.stdout.take().context("no output")?).lines();
        Ok(Listening { process, lines })
    }
}

/// A phone that is on.
#[derive(Debug)]
pub(crate) struct Listening {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Listening {
    /// The next message that comes. One that may have been shown before is passed over: the
    /// battery was empty between its printing and the note that it was printed.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Value> {
        let patience = std::time::Duration::from_secs(60);
        loop {
            let line = tokio::time::timeout(patience, self.lines.next_line());
            let line = line.await.context("no message came within a minute")??;
            let message: Value =
                serde_json::from_str(&line.context("the phone stopped listening")?)?;
            if message.get("perhaps_shown") != Some(&Value::Bool(true)) {
                return Ok(message);
            }
        }
    }

    /// Switches it off without a goodbye: an empty battery.
    pub(crate) async fn switch_off(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

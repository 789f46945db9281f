//! The command line as a process: `jiashu --home DIR …`, what it prints, how it ends.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::binary::binary;
use crate::relay::wrapped;
use crate::until::DEADLINE;

/// One person's `jiashu`, with a home of its own.
#[derive(Clone, Debug)]
pub struct Cli {
    home: PathBuf,
    /// What runs it; nothing for itself.
    wrapper: Vec<String>,
}

/// What a command printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its answers.
    pub stdout: String,
    /// All else.
    pub stderr: String,
    /// 0 for success; -1 if it was killed.
    pub code: i32,
}

impl Output {
    /// The same, if it succeeded.
    ///
    /// # Panics
    ///
    /// If it did not.
    #[must_use]
    pub fn success(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// What `--json` printed, an object a line.
    ///
    /// # Panics
    ///
    /// If a line is no JSON.
    #[must_use]
    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

impl Cli {
    /// One whose state lies in that folder.
    #[must_use]
    pub fn new(home: impl AsRef<Path>) -> Self {
        Self { home: home.as_ref().to_owned(), wrapper: Vec::new() }
    }

    /// The same, run by this program.
    #[must_use]
    pub fn within(self, wrapper: &[&str]) -> Self {
        Self { wrapper: wrapper.iter().map(|word| (*word).to_owned()).collect(), ..self }
    }

    /// Where its state lies.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// A command about to start, without input and with all output piped, for a test that lays its
    /// own pipes.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = std::process::Command::new(binary("jiashu"));
        let inherited = std::env::vars_os().map(|(key, _)| key);
        for key in inherited.filter(|key| key.to_string_lossy().starts_with("JIASHU_")) {
            command.env_remove(key);
        }
        command.arg("--home").arg(&self.home).args(args);
        let mut command = Command::from(wrapped(&self.wrapper, command));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    ///
    /// If it does not end within the deadline.
    pub async fn run(&self, args: &[&str]) -> Output {
        self.run_within(DEADLINE, args).await
    }

    /// The same for one that takes longer by its nature.
    ///
    /// # Panics
    ///
    /// If it does not end within that time.
    pub async fn run_within(&self, deadline: Duration, args: &[&str]) -> Output {
        let output = timeout(deadline, self.command(args).output()).await;
        let output = output.unwrap_or_else(|_| panic!("jiashu {args:?} does not end"));
        let output = output.expect("the binary runs");
        Output {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Starts a command that goes on, as `listen`. It ends when this is dropped.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn spawn(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        command.stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the binary runs");
        let stdout = child.stdout.take().expect("stdout is piped");
        Running::new(child, Box::new(stdout))
    }

    /// As [`Cli::spawn`], but its lines are those on standard error.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn spawn_telling(&self, args: &[&str], env: &[(&str, &str)]) -> Running {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).envs(env.iter().copied());
        let mut child = command.spawn().expect("the binary runs");
        let stderr = child.stderr.take().expect("stderr is piped");
        Running::new(child, Box::new(stderr))
    }
}

/// A command that goes on.
pub struct Running {
    child: Child,
    lines: Lines<BufReader<Box<dyn AsyncRead + Send + Unpin>>>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("child", &self.child).finish_non_exhaustive()
    }
}

impl Running {
    fn new(child: Child, output: Box<dyn AsyncRead + Send + Unpin>) -> Self {
        Self { child, lines: BufReader::new(output).lines() }
    }

    /// The next line that it prints.
    ///
    /// # Panics
    ///
    /// If there is none within the deadline.
    pub async fn line(&mut self) -> String {
        let line = timeout(DEADLINE, self.lines.next_line()).await.expect("a line comes");
        line.expect("its output can be read").expect("it goes on")
    }

    /// The first line that fits; those before it are passed over.
    pub async fn line_where(&mut self, fits: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.line().await;
            if fits(&line) {
                return line;
            }
        }
    }

    /// The first `--json` line that fits.
    pub async fn json_where(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.line().await;
            let value: Value = serde_json::from_str(&line).expect("a line of JSON");
            if fits(&value) {
                return value;
            }
        }
    }

    /// Waits until it ends by itself; its exit code.
    ///
    /// # Panics
    ///
    /// If it goes on beyond the deadline.
    pub async fn ended(mut self) -> Option<i32> {
        let ended = timeout(DEADLINE, self.child.wait()).await.expect("it ends");
        ended.expect("it is our child").code()
    }

    /// Asks it to end, by SIGTERM, and waits until it has put down what it was at.
    pub async fn stop(mut self) {
        let pid = self.child.id().expect("it runs").to_string();
        let asked = std::process::Command::new("kill").args(["-TERM", &pid]).status();
        assert!(asked.expect("there is a kill").success());
        self.child.wait().await.expect("it ends");
    }
}

//! A redis-server as a process of its own, on a socket in a folder that goes with it.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::until::until;

/// A running Redis, as durable as a relay asks for unless it is said otherwise.
#[derive(Debug)]
pub struct TestRedis {
    folder: TempDir,
    data: PathBuf,
    appendfsync: &'static str,
    process: Option<Child>,
}

impl TestRedis {
    /// One that syncs before it answers.
    pub async fn start() -> Self {
        Self::syncing("always").await
    }

    /// One with this `appendfsync`.
    pub async fn syncing(appendfsync: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self::in_folder(folder, data, appendfsync).await
    }

    /// One that keeps everything in this folder, which is made, with this `appendfsync`.
    pub async fn on(data: &Path, appendfsync: &'static str) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), data.to_owned(), appendfsync).await
    }

    async fn in_folder(folder: TempDir, data: PathBuf, appendfsync: &'static str) -> Self {
        std::fs::create_dir(&data).unwrap();
        let mut redis = Self { folder, data, appendfsync, process: None };
        redis.restart().await;
        redis
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Where it is, as a relay is told.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Where it keeps everything.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What a relay is told, to keep its letters there.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        vec![("JIASHU_STORE".to_owned(), self.url())]
    }

    /// What it answers, asked by an operator.
    #[must_use]
    pub fn ask(&self, command: &[&str]) -> String {
        let asked = Command::new("redis-cli").arg("-s").arg(self.socket()).args(command).output();
        let output = asked.expect("redis-server brings it");
        assert!(output.status.success(), "{command:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Marks it as being filled with what has that SHA-256, in hexadecimal.
    pub fn mark_filling(&self, sha256: &str) {
        let bytes = (0..sha256.len() / 2).map(|at| u8::from_str_radix(&sha256[at * 2..][..2], 16));
        let value = self.data.join("mark");
        std::fs::write(&value, bytes.map(Result::unwrap).collect::<Vec<_>>()).unwrap();
        let status = Command::new("redis-cli")
            .arg("-s")
            .arg(self.socket())
            .args(["-x", "SET", "j1:filling"])
            .stdin(std::fs::File::open(value).unwrap())
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("redis-server brings it").success());
    }

    /// The number of its process.
    ///
    /// # Panics
    ///
    /// If it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Ends it as a power cut would, save for what the kernel still holds.
    pub fn kill9(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("it can be killed");
        process.wait().expect("it ends");
    }

    /// What a Redis leaves that was killed while it wrote its log anew, and does not remove itself: whoever runs one does, as
    /// `docs/operations.md` says.
    fn remove_left_over(&self) {
        for file in std::fs::read_dir(&self.data).unwrap().map(Result::unwrap) {
            if file.file_name().to_string_lossy().starts_with("temp-") {
                std::fs::remove_file(file.path()).unwrap();
            }
        }
    }

    /// Starts it on what stands in its folder, and waits until it has read that.
    pub async fn restart(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        self.remove_left_over();
        let process = redis_server()
            .args(["--port", "0", "--unixsocket"])
            .arg(self.socket())
            .args(["--appendonly", "yes", "--appendfsync", self.appendfsync, "--save", ""])
            // What is looked for in its files stands there as it is.
            .args(["--rdbcompression", "no", "--dir"])
            .arg(&self.data)
            .spawn()
            .expect("tests/run installs redis-server");
        self.process = Some(process);
        until("redis-server listens", async || UnixStream::connect(self.socket()).ok()).await;
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The server that is tested: the one that is installed, or what `JIASHU_REDIS_SERVER` names, such as a Valkey.
pub(crate) fn redis_server() -> Command {
    let program = std::env::var("JIASHU_REDIS_SERVER");
    let mut command = Command::new(program.as_deref().unwrap_or("redis-server"));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Waits until a replica follows, and has on its disk what it has: after it was told everything it writes its log
/// anew, and until that is done it would come back with nothing.
pub(crate) async fn until_on_disk(port: u16) {
    until("a replica follows and has written its log", async || {
        let told = ask(port, &["INFO"]);
        let says = |line: &str| told.lines().any(|one| one.trim_end() == line);
        let is_done = says("master_link_status:up")
            && says("aof_enabled:1")
            && says("aof_rewrite_in_progress:0")
            && says("aof_rewrite_scheduled:0");
        is_done.then_some(())
    })
    .await;
}

/// What `redis-cli` prints.
pub(crate) fn ask(port: u16, words: &[&str]) -> String {
    let output = Command::new("redis-cli").args(["-p", &port.to_string()]).args(words).output();
    String::from_utf8(output.expect("redis-server brings it").stdout).unwrap()
}

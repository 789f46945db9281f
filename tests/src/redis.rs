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

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// What a relay is told, to keep its letters there.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let url = format!("redis+unix://{}", self.socket().display());
        vec![("JIASHU_STORE".to_owned(), url)]
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

    /// Starts it on what stands in its folder, and waits until it has read that.
    pub async fn restart(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let process = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket"])
            .arg(self.socket())
            .args(["--appendonly", "yes", "--appendfsync", self.appendfsync, "--save", "", "--dir"])
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
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

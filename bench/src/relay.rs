//! The relay as a process of its own, from the binary that stands beside this one.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// What differs from the defaults, as `JIASHU_*` variables: limits on purpose in the way of a load
/// that comes from one address. The report says so.
pub(crate) const RAISED: &[(&str, &str)] = &[
    ("JIASHU_CONNECTIONS", "100000"),
    ("JIASHU_CONNECTIONS_PER_ADDRESS", "100000"),
    ("JIASHU_STRANGERS", "100000"),
    ("JIASHU_STRANGERS_PER_ADDRESS", "100000"),
    ("JIASHU_POSTS_PER_MINUTE", "1000000000"),
    ("JIASHU_POSTS_BURST", "1000000000"),
    ("JIASHU_FAMILY_POSTS_PER_MINUTE", "1000000000"),
    ("JIASHU_KNOCKS_PER_MINUTE", "1000000000"),
    ("JIASHU_FRAMES_PER_SECOND", "100000000"),
];

/// A running relay; it is killed when this is dropped.
pub(crate) struct Relay {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Open as long as it may print.
    _printed: BufReader<ChildStdout>,
}

impl Relay {
    /// Starts one in this folder, on a free port, and waits until it listens.
    pub(crate) fn start(binary: &Path, folder: &Path, settings: &[(&str, &Path)]) -> Result<Self> {
        let mut command = Command::new(binary);
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("JIASHU_") {
                command.env_remove(key);
            }
        }
        let log = std::fs::File::create(folder.join("log"))?;
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(folder)
            .envs(RAISED.iter().copied())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("the relay's binary does not run")?;
        let printed = child.stdout.take().context("its output is piped")?;
        let mut line = String::new();
        let mut printed = BufReader::new(printed);
        printed.read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ").map(str::parse);
        let Some(Ok(address)) = address else {
            let _ = child.kill();
            child.wait()?;
            let log = std::fs::read_to_string(folder.join("log"))?;
            anyhow::bail!("the relay did not start: {line}{log}");
        };
        Ok(Self { child, address, _printed: printed })
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary beside this one.
///
/// Under cargo builds the relay, so that it is never an old one that is measured; with this crate, so
/// that both are built with the same features. Otherwise it must be there.
pub(crate) fn build() -> Result<PathBuf> {
    let binary = std::env::current_exe()?.with_file_name("jiashu-server");
    let folder = binary.parent().and_then(Path::file_name).context("a binary lies in a folder")?;
    let folder = folder.to_string_lossy();
    let profile = if folder == "debug" { "dev" } else { &folder };
    if let Some(cargo) = std::env::var_os("CARGO") {
        let packages = ["-p", "bench", "-p", "jiashu-server", "--bins"];
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--locked", "--profile", profile])
            .args(packages)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()?;
        ensure!(built.success(), "the relay does not build");
    }
    ensure!(
        binary.exists(),
        "{} is missing: run `cargo build --release -p bench -p jiashu-server --bins`",
        binary.display()
    );
    Ok(binary)
}

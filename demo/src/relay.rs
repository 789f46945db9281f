//! The relay of the story: this program again, in the relay's role.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The first argument of a process that is the relay.
pub(crate) const ROLE: &str = "as-relay";

/// A running relay.
#[derive(Debug)]
pub(crate) struct Relay {
    data: PathBuf,
    process: Child,
    /// Where it listens, also after a restart.
    pub(crate) address: SocketAddr,
    /// The first coordinator's link.
    pub(crate) setup_link: String,
}

impl Relay {
    /// Starts one on an empty folder, at a free port.
    pub(crate) async fn start(data: PathBuf) -> anyhow::Result<Self> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (process, address, setup_link) = spawn(&data, any).await?;
        let setup_link = setup_link.context("the relay gave no setup link")?;
        Ok(Self { data, process, address, setup_link })
    }

    /// Ends it as a power failure would: SIGKILL, no goodbye.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("cannot kill the relay")
    }

    /// Starts it again on its folder and its port.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<()> {
        let (process, address, _) = spawn(&self.data, self.address).await?;
        ensure!(address == self.address, "the relay came back at another port");
        self.process = process;
        Ok(())
    }
}

/// One on a folder that has been used before, where it was then. It ends when this is dropped.
pub(crate) async fn serve(data: &Path, listen: SocketAddr) -> anyhow::Result<Child> {
    let (process, ..) = spawn(data, listen).await?;
    Ok(process)
}

async fn spawn(
    data: &Path,
    listen: SocketAddr,
) -> anyhow::Result<(Child, SocketAddr, Option<String>)> {
    let mut process = Command::new(std::env::current_exe()?)
        .arg(ROLE)
        .args(["--listen", &listen.to_string(), "--data"])
        .arg(data)
        .env("JIASHU_LOG", "warn")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the relay")?;
    let mut lines = BufReader::new(process.stdout.take().context("no output")?).lines();
    let first = lines.next_line().await?.context("the relay ended at once")?;
    let address = first.strip_prefix("listening on ").context("the relay said something else")?;
    let address = address.parse()?;
    // The setup link, if it still offers one, is the next line; a used one says nothing more.
    let second = tokio::time::timeout(std::time::Duration::from_millis(300), lines.next_line());
    let link = second.await.ok().and_then(Result::ok).flatten();
    let link = link.and_then(|line| line.split_whitespace().last().map(str::to_owned));
    Ok((process, address, link))
}

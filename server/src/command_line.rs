//! The command line: arguments, configuration, open the store, serve. No rule of the domain.
//!
//! A function and not only a binary, so that the demo can be the relay too.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::subscriber::set_global_default;

use crate::clock::Clock;
use crate::config::Config;
use crate::store::Store;
use crate::store::embedded::{self, EmbeddedStore, Look, Options};
use crate::store::redis::{self, RedisStore};
use crate::{Started, serve};

/// The Jiashu relay: carries sealed letters between a parent far away and the child at home.
///
/// Without arguments it listens on 127.0.0.1:8080 and keeps everything in ./jiashu-data. On its
/// first start it prints a one-time link for the first coordinator: `jiashu ngo setup LINK`.
#[derive(Debug, Parser)]
#[command(name = "jiashu-server", version, args_conflicts_with_subcommands = false)]
struct Args {
    /// Where to listen (key listen, JIASHU_LISTEN).
    #[arg(long, global = true)]
    listen: Option<SocketAddr>,
    /// The folder that holds everything (key data, JIASHU_DATA).
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// Where letters are kept: embedded, or the address of a Redis (key store, JIASHU_STORE).
    #[arg(long, global = true)]
    store: Option<String>,
    /// Use a Redis that may lose letters (key accept_loss, JIASHU_ACCEPT_LOSS).
    #[arg(long, global = true)]
    accept_loss: bool,
    /// A configuration file; `jiashu-server config` prints one to start from.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the relay (the default).
    Serve,
    /// Print every key of the configuration with its default and what it means.
    Config,
    /// Look at every row of the store, while no relay uses it: fails, and says where, if it is damaged.
    Check,
}

/// Does what the arguments, the program's name first, ask for.
#[must_use]
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args = Args::parse_from(args);
    let done = match args.verb {
        Some(Verb::Config) => {
            print_config();
            Ok(())
        }
        Some(Verb::Check) => check(args),
        Some(Verb::Serve) | None => run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jiashu-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "printing is what was asked for")]
fn print_config() {
    print!("{}", Config::template());
}

#[expect(clippy::print_stdout, reason = "the answer to what was asked")]
fn check(args: Args) -> anyhow::Result<()> {
    let config = Config::load(args.config.as_deref())?;
    log(&config)?;
    let data = args.data.unwrap_or(config.data);
    if !data.join(embedded::FILE).exists() {
        anyhow::bail!("there is no store in {}", data.display());
    }
    let store = EmbeddedStore::open(&data, Options { look: Look::Thorough, ..Options::default() })?;
    match store.damaged().len() {
        0 => println!("the store in {} is whole", data.display()),
        count => anyhow::bail!("{count} families or programmes have damaged rows: see the log"),
    }
    Ok(())
}

fn run(args: Args) -> anyhow::Result<()> {
    let mut config = Config::load(args.config.as_deref())?;
    config.listen = args.listen.unwrap_or(config.listen);
    config.data = args.data.unwrap_or(config.data);
    config.store = args.store.unwrap_or(config.store);
    config.accept_loss |= args.accept_loss;
    log(&config)?;
    raise_open_files(config.limits.connections);
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let store = open_store(&config).await?;
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(stop.clone()));
        Ok(serve(config, store, Clock::system(), stop, announce).await?)
    })
}

async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    if !config.is_shared() {
        let store = EmbeddedStore::open(&config.data, Options::default())
            .with_context(|| format!("cannot open the store in {}", config.data.display()))?;
        return Ok(Arc::new(store));
    }
    // The setup link stands there until it is used.
    embedded::make_folder(&config.data)?;
    let ca = config
        .store_ca
        .as_ref()
        .map(|file| std::fs::read(file).with_context(|| format!("cannot read {}", file.display())));
    let ca = ca.transpose()?;
    let options = redis::Options {
        accept_loss: config.accept_loss,
        replicas: usize::from(config.replicas),
        ca,
    };
    Ok(Arc::new(RedisStore::open(&config.store, options).await?))
}

/// Files beside connections: the store, the log, those to whom it is said that there is no place.
const OTHER_FILES: u64 = 200;

/// Each connection is an open file, and systems allow 1,024 until they are asked for more.
fn raise_open_files(connections: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = OTHER_FILES.saturating_add(connections as u64);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return;
    }
    let allowed = maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum });
    if raised.is_err() || allowed < needed {
        let text = "this process may not open so many files: raise `ulimit -n` (LimitNOFILE)";
        tracing::warn!(connections, allowed, "{text}, or lower the key connections");
    }
}

fn log(config: &Config) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log)
        .with_context(|| format!("log: {:?} is not a filter", config.log))?;
    let colour = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour)
        .with_writer(std::io::stderr);
    // Not `init()`, which would also take up what libraries say by the `log` crate: at `trace` the
    // WebSocket's writes every frame there, and in a hello stands a token.
    match config.log_format.as_str() {
        "json" => set_global_default(log.json().finish()),
        _ => set_global_default(log.with_target(false).finish()),
    }?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the operator, or a script, waits for these lines")]
fn announce(started: Started) {
    println!("listening on {}", started.listen);
    if let Some(link) = started.setup_link {
        println!("first coordinator, once:  jiashu ngo setup {link}");
    }
}

async fn stop_on_signal(stop: CancellationToken) {
    let (Ok(mut term), Ok(mut int)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot listen for signals: stop the relay with SIGKILL, nothing is lost");
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("stopping: no new connections, telling the others when to come back");
    stop.cancel();
}

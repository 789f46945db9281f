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
use crate::store::embedded::{self, EmbeddedStore, Options};
use crate::store::redis::{self, RedisStore};
use crate::{Started, serve};

use self::carry::Telling;

mod audit;

mod carry;

mod erased;

mod staff;

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
    /// Show what voice notes come to, by programme. A relay may go on meanwhile.
    Blobs {
        /// Tell it for a program, a programme a line.
        #[arg(long)]
        json: bool,
    },
    /// Who of the staff is there, and how they sign in with a browser.
    #[command(subcommand)]
    Staff(StaffVerb),
    /// Who of the staff asked for what: a chain of entries for each programme.
    #[command(subcommand)]
    Audit(Audit),
    /// Which families were deleted: a list to keep apart from the store, for after an older backup.
    #[command(subcommand)]
    Erased(Erased),
    /// Look at everything in the store, while no relay uses it: fails, and says where, if it is damaged.
    Check {
        /// Tell it for a program.
        #[arg(long)]
        json: bool,
    },
    /// Write everything of the store into a new file. A relay may go on meanwhile.
    ///
    /// The file can be restored into either kind of store. It holds what the store holds: sealed letters, and who
    /// belongs to which family. Keep it as you keep the store.
    Backup {
        /// The file, which must not be there yet.
        file: PathBuf,
        /// Tell it for a program.
        #[arg(long)]
        json: bool,
    },
    /// Fill the store with everything of a backup, and check that it arrived.
    ///
    /// The store (--data, or --store) must be empty. Where it is stopped it may be started again. Families that were
    /// deleted since the backup are back: `erased again LIST` before the relay is started.
    Restore {
        /// The backup.
        file: PathBuf,
        /// Tell it for a program.
        #[arg(long)]
        json: bool,
    },
    /// Move everything of an embedded store to a Redis, and check that it arrived.
    ///
    /// Stop the relay first; afterwards start it with --store. Where it is stopped it may be started again.
    Move {
        /// The folder of the embedded store.
        #[arg(long)]
        from: PathBuf,
        /// The address of the Redis, which must be empty, as for --store.
        #[arg(long)]
        to: String,
        /// Tell it for a program.
        #[arg(long)]
        json: bool,
    },
}

/// What can be done for the staff.
#[derive(Debug, Subcommand)]
enum StaffVerb {
    /// Print the programmes and who works for them. A relay may go on meanwhile.
    List {
        /// Tell it for a program, a member of staff a line.
        #[arg(long)]
        json: bool,
    },
    /// Print a link by which somebody of the staff signs in with a browser, once, within an hour.
    ///
    /// Asks the relay that runs here, with the same --listen, --data or --config. A coordinator does the same for their
    /// own programme: `jiashu ngo sign-in`.
    Link {
        /// The number of the member of staff: the first coordinator is number 1.
        #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        staff: u32,
        /// The programme, where there are several.
        #[arg(long, value_name = "PROGRAMME")]
        programme: Option<String>,
        /// Tell it for a program.
        #[arg(long)]
        json: bool,
    },
}

/// What can be done about the audit logs.
#[derive(Debug, Subcommand)]
enum Audit {
    /// Check that nothing of them was altered or left out. A relay may go on meanwhile.
    ///
    /// Prints for each programme the hash of the newest entry: who has noted an earlier one elsewhere can compare.
    Verify {
        /// Tell it for a program, a programme a line.
        #[arg(long)]
        json: bool,
    },
}

/// What can be done about families that were deleted.
#[derive(Debug, Subcommand)]
enum Erased {
    /// Print the number of each, and since when it is deleted. A relay may go on meanwhile.
    ///
    /// Keep the newest list where a backup is not restored over it. It names nobody.
    List {
        /// Tell it for a program, a family a line.
        #[arg(long)]
        json: bool,
    },
    /// Delete those of a list again, after an older backup was restored: they go as soon as a relay runs.
    ///
    /// Of an embedded store while no relay uses it.
    Again {
        /// What `erased list` printed.
        list: PathBuf,
        /// Tell it for a program.
        #[arg(long)]
        json: bool,
    },
}

/// Does what the arguments, the program's name first, ask for.
#[must_use]
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args = Args::parse_from(args);
    let with = |json, what: &dyn Fn(&Config, Telling) -> anyhow::Result<()>| {
        carry::prepared(&args).and_then(|config| what(&config, Telling { json }))
    };
    let done = match &args.verb {
        Some(Verb::Config) => {
            print_config();
            Ok(())
        }
        Some(Verb::Blobs { json }) => with(*json, &carry::blobs),
        Some(Verb::Staff(StaffVerb::List { json })) => with(*json, &staff::list),
        Some(Verb::Staff(StaffVerb::Link { staff, programme, json })) => {
            with(*json, &|config, telling| {
                staff::link(config, programme.as_deref(), *staff, telling)
            })
        }
        Some(Verb::Audit(Audit::Verify { json })) => with(*json, &audit::verify),
        Some(Verb::Erased(Erased::List { json })) => with(*json, &erased::list),
        Some(Verb::Erased(Erased::Again { list, json })) => {
            with(*json, &|config, telling| erased::again(config, list, telling))
        }
        Some(Verb::Check { json }) => with(*json, &carry::check),
        Some(Verb::Backup { file, json }) => {
            with(*json, &|config, telling| carry::backup(config, file, telling))
        }
        Some(Verb::Restore { file, json }) => {
            with(*json, &|config, telling| carry::restore(config, file, telling))
        }
        Some(Verb::Move { from, to, json }) => with(*json, &|config, telling| {
            let config = Config { store: to.clone(), ..config.clone() };
            carry::carry(&config, from, telling)
        }),
        Some(Verb::Serve) | None => run(&args),
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

/// The configuration, with what the arguments say.
fn load(args: &Args) -> anyhow::Result<Config> {
    let mut config = Config::load(args.config.as_deref())?;
    config.listen = args.listen.unwrap_or(config.listen);
    config.data = args.data.clone().unwrap_or(config.data);
    config.store = args.store.clone().unwrap_or(config.store);
    config.accept_loss |= args.accept_loss;
    Ok(config)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new().context("cannot start the runtime")
}

fn run(args: &Args) -> anyhow::Result<()> {
    let config = load(args)?;
    log(&config)?;
    raise_open_files(config.limits.connections);
    runtime()?.block_on(async {
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
    Ok(Arc::new(RedisStore::open(&config.store, redis_options(config)?).await?))
}

fn redis_options(config: &Config) -> anyhow::Result<redis::Options> {
    let ca = config
        .store_ca
        .as_ref()
        .map(|file| std::fs::read(file).with_context(|| format!("cannot read {}", file.display())));
    let ca = ca.transpose()?;
    Ok(redis::Options {
        accept_loss: config.accept_loss,
        replicas: usize::from(config.replicas),
        ca,
        aside: false,
    })
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

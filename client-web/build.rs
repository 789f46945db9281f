//! Bundles what runs in the browser: `npm ci` from the lock, then `build.mjs`, which also writes the tables that `lib.rs`
//! takes in; both in a copy under `OUT_DIR`, so that nothing is written among the sources. Where the lock has not changed,
//! nothing is fetched.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

/// What the bundle is made from.
const SOURCES: [&str; 7] =
    ["package.json", "package-lock.json", "tsconfig.json", "build.mjs", "src", "locale", "test"];

type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            println!("cargo::error={reason}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    for source in SOURCES.into_iter().chain(["build.rs"]) {
        println!("cargo::rerun-if-changed={source}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo has not said where to build")?);
    let work = out.join("work");
    copy_sources(&work)?;
    install(&work)?;
    command("node", &["build.mjs"], &work, "the browser's part does not build")
}

fn copy_sources(work: &Path) -> Result<()> {
    fs::create_dir_all(work).map_err(|error| failed(work, &error))?;
    for source in SOURCES {
        let to = work.join(source);
        // What was taken out of the sources must not linger.
        if to.is_dir() {
            fs::remove_dir_all(&to).map_err(|error| failed(&to, &error))?;
        }
        copy(Path::new(source), &to)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to).map_err(|error| failed(to, &error))?;
        for entry in fs::read_dir(from).map_err(|error| failed(from, &error))? {
            let name = entry.map_err(|error| failed(from, &error))?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
        Ok(())
    } else {
        fs::copy(from, to).map(drop).map_err(|error| failed(from, &error))
    }
}

/// Installs what the lock names, unless the lock that was installed last is the same.
fn install(work: &Path) -> Result<()> {
    let lock = fs::read(work.join("package-lock.json")).map_err(|error| failed(work, &error))?;
    let stamp = work.join("node_modules/.installed");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    // No script of a package runs: none that we use needs one.
    let ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--silent"];
    command(
        "npm",
        &ci,
        work,
        "npm could not install what package-lock.json names: is there a network?",
    )?;
    fs::write(&stamp, lock).map_err(|error| failed(&stamp, &error))
}

fn command(program: &str, arguments: &[&str], work: &Path, reason: &str) -> Result<()> {
    // npm is a script on Windows, which is started by its full name alone.
    let name = if cfg!(windows) && program == "npm" { "npm.cmd" } else { program };
    let ended = Command::new(name).args(arguments).current_dir(work).status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(reason.to_owned()),
        Err(error) => Err(format!(
            "cannot run {program} ({error}): install Node.js 18 or later with npm (Debian: apt-get install nodejs npm), \
             or build the relay without its `web` feature (--no-default-features)"
        )),
    }
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

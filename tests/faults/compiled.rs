//! Small C programs of the tests: what Rust would need `unsafe` for.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles one of `tests/faults/tools/*.c` into a folder.
pub(crate) fn compile(source: &str, flags: &[&str], folder: &Path) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults/tools").join(source);
    let target = folder.join(source.trim_end_matches(".c"));
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Werror", "-o"]).arg(&target).args(flags).arg(path).arg("-ldl");
    run(&mut cc);
    target
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{told}", output.status);
}

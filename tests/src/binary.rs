//! Where the binaries are: beside the test's own executable, as `cargo build --bins` put them.

use std::path::PathBuf;

/// The path of a binary of this workspace.
///
/// # Panics
///
/// If it has not been built: Cargo builds only the binaries of a test's own package.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    // target/PROFILE/deps/it-HASH
    let own = std::env::current_exe().expect("a test has an executable");
    let folder = own.ancestors().nth(2).expect("it lies in target/PROFILE/deps");
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo build --bins` first, with the profile of the tests",
        path.display()
    );
    path
}

//! Voice notes: sound becomes a sealed file in the home, which goes to the relay piece by piece, and back.
//!
//! Read in this order: what a sound is (`sound`), where its sealed file stands (`file`), how the relay is asked
//! (`way`), how it goes there and comes back (`transfer`, which pays for every byte once), what records (`recorder`) and plays (`player`) it.
//! What stands in the family's log is left to `sync`.

pub mod sound;

pub mod file;

pub mod way;

pub mod transfer;

mod progress;

pub mod sending;

pub mod player;

pub mod recorder;

pub mod link;

/// "0:42".
#[must_use]
pub fn length_text(duration_ms: u64) -> String {
    // A part of a second is one: nothing plays for no time.
    let seconds = duration_ms.div_ceil(1_000);
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// "84 KB".
#[must_use]
pub fn size_text(bytes: u64) -> String {
    format!("{} KB", bytes.div_ceil(1_000))
}

/// Whether this machine has that program.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_sizes_are_said_shortly() {
        assert_eq!(length_text(42_000), "0:42");
        assert_eq!(length_text(60_001), "1:01");
        assert_eq!(length_text(1), "0:01");
        assert_eq!(size_text(84_001), "85 KB");
    }
}

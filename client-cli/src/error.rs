//! What a failed verb tells: one exit code of a closed list, and one line that says what to do.
//!
//! Who prints it is `main.rs`. No message here may hold a secret: no token, no link, no text of a
//! letter.

use std::fmt::Display;

/// How `jiashu` ends; the numbers are promised to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// It did what was asked.
    Ok = 0,
    /// Something that has no code of its own.
    General = 1,
    /// The command line is not understood.
    Usage = 2,
    /// The relay cannot be reached, and the verb needs it.
    Offline = 3,
    /// The relay, or the person, said no.
    Refused = 4,
    /// What was given is wrong: a text, a time, a file, a name.
    BadInput = 5,
    /// This folder holds no joined device, or no staff.
    NotJoined = 6,
    /// The roster fails a check: nothing is sealed until it checks again.
    Unsafe = 7,
}

impl ExitCode {
    /// All of them with what they mean, for the help and the man page.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Ok, "done"),
        (Self::General, "something failed that has no code of its own"),
        (Self::Usage, "the command line is not understood"),
        (Self::Offline, "the relay cannot be reached, and this needs it"),
        (Self::Refused, "the relay, or the person, said no"),
        (Self::BadInput, "what was given is wrong"),
        (Self::NotJoined, "this folder has not joined yet"),
        (Self::Unsafe, "the family's roster fails a check: nothing is sent"),
    ];
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// Why a verb ended early: an exit code and the one line for the person.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// How the process ends.
    pub code: ExitCode,
    /// One line that says what to do next; never a secret. Empty where nobody reads on.
    pub message: String,
}

/// What every verb returns.
pub type Result<T> = std::result::Result<T, CliError>;

impl CliError {
    /// An error of that code, told by that line.
    #[must_use]
    pub fn new(code: ExitCode, message: impl Display) -> Self {
        Self { code, message: message.to_string() }
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        // Whoever read what we print, as `head` does, has enough.
        let enough = error.kind() == std::io::ErrorKind::BrokenPipe;
        Self::new(ExitCode::General, if enough { String::new() } else { error.to_string() })
    }
}

impl From<rusqlite::Error> for CliError {
    fn from(error: rusqlite::Error) -> Self {
        Self::new(ExitCode::General, format!("the state file cannot be used: {error}"))
    }
}

//! `completions` and `man`: what a shell needs to know.

use std::io::Write;

use clap::CommandFactory as _;

use crate::args::Cli;
use crate::error::Result;

/// Prints the completions for a shell.
///
/// # Errors
///
/// If it cannot be printed.
pub fn completions(shell: clap_complete::Shell, out: &mut dyn Write) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "jiashu", &mut text);
    Ok(out.write_all(&text)?)
}

/// Prints the manual page.
///
/// # Errors
///
/// If it cannot be printed.
pub fn man(out: &mut dyn Write) -> Result<()> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text)?;
    Ok(out.write_all(&text)?)
}

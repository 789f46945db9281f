//! The binary `jiashu`; all of it is in the library, so that tests and the demo can be it, too.

use std::process::ExitCode;

fn main() -> ExitCode {
    jiashu_cli::main(std::env::args_os())
}

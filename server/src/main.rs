//! The relay. What it does stands in the library; how it is started, in `command_line`.

use std::process::ExitCode;

fn main() -> ExitCode {
    jiashu_server::command_line::main(std::env::args_os())
}

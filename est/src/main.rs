//! The `est` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    est::cli::main()
}

//! The `est` command: arguments, files and exit status around the library.
//!
//! Standard output has what was asked for, standard error the log and, when something fails, rung, cause and remedy.
//! Exit status: 0 done, 1 failed, 2 wrong arguments, 75 (EX_TEMPFAIL) the request waits for approval.

mod arguments;
mod authority;
mod config;
mod enroll;
mod failure;
mod files;
mod label_config;
mod serve;
mod serving;
mod user;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use arguments::{Arguments, Command};
pub(crate) use failure::CliError;

/// Exit status for a request that waits for approval: `EX_TEMPFAIL` of sysexits.h, "try again later".
const EXIT_PENDING: u8 = 75;

/// Runs the command with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log(&arguments.log);
    match run(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            files::print_error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Ca(command) => authority::run(command),
        Command::User(command) => user::run(command),
        Command::Serve(arguments) => runtime()?.block_on(serve::run(&arguments)),
        Command::Cacerts(arguments) => runtime()?.block_on(enroll::cacerts(arguments)),
        Command::Csr(command) => enroll::csr(command),
        Command::Enroll(arguments) => runtime()?.block_on(enroll::enroll(*arguments)),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            CliError::local(
                format!("the runtime cannot start: {error}"),
                "Free some memory or threads.",
            )
        })
}

fn start_log(filter: &str) {
    // The filter was checked with the arguments.
    let filter = EnvFilter::new(filter);
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

//! The command line: one file per command, each with its arguments and its `run`.

mod adcs_sim;
mod doctor;
mod explain;
mod quickstart;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Puts the parts of this project, and peers that it did not write, together.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Quickstart(quickstart::Arguments),
    Doctor(Box<doctor::Arguments>),
    AdcsSim(Box<adcs_sim::Arguments>),
    Explain(explain::Arguments),
}

/// Runs the command that stands on the command line.
pub(crate) async fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Quickstart(arguments) => quickstart::run(arguments).await,
        Command::Doctor(arguments) => doctor::run(*arguments).await,
        Command::AdcsSim(arguments) => adcs_sim::run(*arguments).await,
        Command::Explain(arguments) => explain::run(&arguments),
    }
}

/// Tells a failure on standard error.
#[expect(
    clippy::print_stderr,
    reason = "a command line tells failures on standard error"
)]
fn report(failed: &impl std::fmt::Display) {
    eprintln!("{failed}");
}

//! The command line of the lab.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use interop::quickstart;
use interop::trace::TraceCapture;

/// Puts the parts of this project, and peers that it did not write, together.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The lab to begin with: two devices enrol by EST, an NMSP tunnel comes up, a wrong key hash brings it down.
    ///
    /// Runs on loopback with free ports and takes about three seconds. Exit status: 0 when every step succeeded, 1 when
    /// one failed (it says which), 2 for a wrong command line.
    Quickstart {
        /// Leave keys, certificates, configuration and database in this folder, which must be empty or not exist, and
        /// print commands that work on them.
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Quickstart { keep } = Arguments::parse().command;
    let trace = TraceCapture::default();
    trace.install();
    match quickstart::run(&quickstart::Options { keep }, &trace, &mut io::stdout()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            report(&failed);
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a command line tells failures on standard error"
)]
fn report(failed: &quickstart::StepFailed) {
    eprintln!("\n{failed}");
}

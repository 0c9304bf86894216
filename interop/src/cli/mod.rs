//! The command line: one file per command, each with its arguments and its `run`.

mod adcs_sim;
mod doctor;
mod explain;
mod faults;
mod fuzz;
mod limbo;
mod quickstart;
mod soak;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use pki_common::identity::Identity;
use pki_common::{Diagnose as _, Failure};

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
    Fuzz(fuzz::Arguments),
    Limbo(limbo::Arguments),
    Faults(faults::Arguments),
    Soak(soak::Arguments),
}

/// Runs the command that stands on the command line.
pub(crate) async fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Quickstart(arguments) => quickstart::run(arguments).await,
        Command::Doctor(arguments) => doctor::run(*arguments).await,
        Command::AdcsSim(arguments) => adcs_sim::run(*arguments).await,
        Command::Fuzz(arguments) => fuzz::run(arguments).await,
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Limbo(arguments) => limbo::run(&arguments),
        Command::Faults(arguments) => faults::run(arguments).await,
        Command::Soak(arguments) => soak::run(arguments).await,
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

/// Writes to standard output. Without one there is nobody to tell.
fn print(text: &str) {
    use std::io::Write as _;

    let mut out = std::io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Our own certificate and key: of a folder, or of two files; `None` without either.
fn own_identity(
    folder: Option<&Path>,
    certificate: Option<&Path>,
    key: Option<&Path>,
) -> Result<Option<Arc<Identity>>, Failure> {
    let (certificate, key) = match (folder, certificate, key) {
        (Some(folder), ..) => (folder.join("certificate.pem"), folder.join("key.pem")),
        (None, Some(certificate), Some(key)) => (certificate.to_owned(), key.to_owned()),
        _ => return Ok(None),
    };
    let identity = Identity::load(certificate, key).map_err(|error| error.diagnose())?;
    Ok(Some(Arc::new(identity)))
}

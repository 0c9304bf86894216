//! `interop faults`

use std::path::PathBuf;
use std::process::ExitCode;

use interop::faults::{self, Binaries, Fault, Options, Scale};

use super::{print, report};

/// Does faults to our own servers while honest clients use them, and prints what came of each.
///
/// `est serve` and `nmsp serve` run as processes of their own; everything stays on loopback. It is done in full, with the
/// time limits that the servers have by default, and takes some 10 to 20 minutes. Exit status: 0 when nothing was lost or
/// answered wrongly, 1 otherwise, 2 for a wrong command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only these; all if not given.
    #[arg(value_name = "FAULT", value_parser = fault)]
    faults: Vec<Fault>,
    /// Less of each, with short time limits in the servers: some two minutes.
    #[arg(long)]
    short: bool,
    /// Prints the names, and ends.
    #[arg(long)]
    list: bool,
    /// Writes into the table of this document, between its marks. Rows of faults that are not done now stay.
    #[arg(long, value_name = "FILE", conflicts_with = "short")]
    write: Option<PathBuf>,
    /// The folder with the commands `est` and `nmsp`; that of this program if not given.
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
}

fn fault(name: &str) -> Result<Fault, String> {
    Fault::named(name).ok_or_else(|| "no such fault; --list prints them".to_owned())
}

/// Both commands in this folder, or beside this program.
pub(super) fn binaries(folder: Option<&PathBuf>) -> Result<Binaries, ExitCode> {
    let found = folder.map_or_else(Binaries::beside_this_program, |folder| Binaries::within(folder));
    found.ok_or_else(|| {
        report(&"est and nmsp are not there; `cargo build --workspace` builds them, --binaries says where they are");
        ExitCode::from(2)
    })
}

/// Does them, one after the other.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    if arguments.list {
        for fault in faults::ALL {
            print(&format!("{:24}{}\n", fault.name, fault.what));
        }
        return ExitCode::SUCCESS;
    }
    let binaries = match binaries(arguments.binaries.as_ref()) {
        Ok(binaries) => binaries,
        Err(status) => return status,
    };
    let scale = if arguments.short {
        Scale::Short
    } else {
        Scale::Full
    };
    let options = Options { binaries, scale };
    let wanted = if arguments.faults.is_empty() {
        faults::ALL.to_vec()
    } else {
        arguments.faults
    };
    let mut outcomes = Vec::new();
    for fault in wanted {
        report(&format_args!("{} ...", fault.name));
        match fault.run(&options).await {
            Ok(outcome) => outcomes.push(outcome),
            Err(failure) => {
                report(&failure);
                return ExitCode::FAILURE;
            }
        }
    }
    print(&faults::table(&outcomes));
    if let Some(path) = &arguments.write
        && let Err(failure) = faults::write_table(path, &outcomes)
    {
        report(&failure);
        return ExitCode::FAILURE;
    }
    let good = |outcome: &faults::Outcome| outcome.skipped.is_some() || outcome.holds();
    if outcomes.iter().all(good) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

//! `interop soak`

use core::time::Duration;
use std::path::PathBuf;
use std::process::ExitCode;

use interop::faults::soak::{self, FEWEST_SAMPLES, SoakOptions};

use super::{print, report};

/// Uses both servers as they are used every day, for as long as is asked, and says whether memory, descriptors, threads
/// and tasks stay flat.
///
/// `est serve` and `nmsp serve` run as processes of their own, on loopback: clients enrol and re-enrol, tunnels come, stay
/// and go, certificates are revoked, configurations are read again. A measure is flat when the median of the last third of
/// the run is no more than that of the middle third and a small allowance, which is printed. Exit status: 0 flat, nothing
/// lost and no wrong answer; 1 otherwise; 2 for a wrong command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// For how many minutes; parts of a minute may be given.
    #[arg(long, default_value_t = 60.0, value_parser = minutes)]
    minutes: f64,
    /// The folder with the commands `est` and `nmsp`; that of this program if not given.
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (0.5..=100_000.0).contains(&minutes) {
        Ok(minutes)
    } else {
        Err("give a number from 0.5 to 100000".to_owned())
    }
}

/// Runs it and tells the verdict.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let binaries = match super::faults::binaries(arguments.binaries.as_ref()) {
        Ok(binaries) => binaries,
        Err(status) => return status,
    };
    let time = Duration::from_secs_f64(arguments.minutes * 60.0);
    // Twice the fewest in a short run, and every ten seconds in a long one.
    let fewest = u32::try_from(FEWEST_SAMPLES * 2).unwrap_or(u32::MAX);
    let options = SoakOptions {
        binaries,
        time,
        every: (time / fewest).min(Duration::from_secs(10)),
    };
    match soak::run(&options).await {
        Ok(outcome) => {
            print(&outcome.text());
            if outcome.holds() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(failure) => {
            report(&failure);
            ExitCode::FAILURE
        }
    }
}

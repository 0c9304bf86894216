//! `interop quickstart`

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use interop::quickstart;
use interop::trace::TraceCapture;

/// The lab to begin with: two devices enrol by EST, an NMSP tunnel comes up, a wrong key hash brings it down.
///
/// Runs on loopback with free ports and takes about three seconds. Exit status: 0 when every step succeeded, 1 when
/// one failed (it says which), 2 for a wrong command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Leave keys, certificates, configuration and database in this folder, which must be empty or not exist, and
    /// print commands that work on them.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// The other lab: a phone service enrols four phones at a registration authority in front of a simulated AD CS.
    #[arg(long)]
    adcs: bool,
}

/// Runs the lab.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let options = quickstart::Options { keep: arguments.keep };
    if arguments.adcs {
        return match quickstart::adcs::run(&options, &mut io::stdout()).await {
            Ok(_) => ExitCode::SUCCESS,
            Err(failed) => {
                super::report(&format_args!("\n{failed}"));
                ExitCode::FAILURE
            }
        };
    }
    let trace = TraceCapture::default();
    trace.install();
    match quickstart::run(&options, &trace, &mut io::stdout()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            super::report(&format_args!("\n{failed}"));
            ExitCode::FAILURE
        }
    }
}

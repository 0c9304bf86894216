//! `interop fuzz`

mod est;
mod nmsp;
mod options;
mod progress;
mod task;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use interop::device_fuzz::address_guard::NOTICE;
use interop::device_fuzz::resume::Replay;
use pki_common::{Diagnose as _, Failure, Rung};
use tracing_subscriber::EnvFilter;

use options::Options;
use task::Task;

/// What a wrong command line, a device that does not work to begin with, or a folder that cannot be written exits with.
const CANNOT_RUN: u8 = 2;

/// Sends malformed and ill-timed input to a device THAT YOU OWN, looks after each case whether it still works, and makes
/// what hurts as small as it can. Addresses that are not loopback, private, link-local or unique local are refused unless
/// you say --i-own-this.
///
/// The same seed makes the same cases. Ctrl-C ends a run so that --resume continues it. The folder of a run (--output) gets
/// state.json, report.html, report.xml (JUnit) and a file for each finding, which `interop fuzz replay FILE` repeats.
///
/// Exit status: 0 nothing was found, 1 there are findings, 2 wrong command line, or there could be no run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    #[command(flatten)]
    Test(Tested),
    /// Repeats a finding from its file, against the device of that run.
    Replay(ReplayArguments),
}

/// What is tested.
#[derive(Debug, clap::Subcommand)]
enum Tested {
    /// A controller: the tester connects as a location server.
    Nmsp(Box<nmsp::ControllerArguments>),
    /// A location server: the tester plays the controller that it connects to.
    NmspClient(Box<nmsp::LocationServerArguments>),
    /// An EST server.
    Est(Box<est::ServerArguments>),
}

#[derive(Debug, clap::Args)]
struct ReplayArguments {
    /// A file that a run has written, like interop-fuzz/finding-0001.json.
    file: PathBuf,
    /// The device has a public address, and you own it. It has to be said again here: the file does not say it for you.
    #[arg(long)]
    i_own_this: bool,
    /// The device's process on this machine, where memory or file descriptors are looked at: it has another number than
    /// in the run.
    #[arg(long)]
    pid: Option<u32>,
}

/// The arguments of a run, as they stand in its files.
#[derive(Debug, Parser)]
struct Again {
    #[command(subcommand)]
    tested: Tested,
}

/// Tests a device.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let logging = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_writer(std::io::stderr)
        .try_init();
    // There is one already only in a test.
    drop(logging);
    let outcome = match arguments.command {
        Command::Test(tested) => {
            super::report(&NOTICE);
            test(tested, own_arguments()).await
        }
        Command::Replay(arguments) => replay(&arguments).await,
    };
    match outcome {
        Ok(found) => ExitCode::from(u8::from(found)),
        Err(failure) => {
            super::report(&failure);
            ExitCode::from(CANNOT_RUN)
        }
    }
}

/// The command line behind `interop fuzz`, for the files of the run.
fn own_arguments() -> Vec<String> {
    let arguments = std::env::args_os()
        .skip(1)
        .skip_while(|argument| argument != "fuzz");
    let arguments = arguments
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned());
    // Who replays a file has to say it himself.
    arguments.filter(|argument| argument != "--i-own-this").collect()
}

/// Whether something was found.
async fn test(tested: Tested, arguments: Vec<String>) -> Result<bool, Failure> {
    let task = Task::Run(arguments);
    match tested {
        Tested::Nmsp(given) => given.run(task).await,
        Tested::NmspClient(given) => given.run(task).await,
        Tested::Est(given) => given.run(task).await,
    }
}

async fn replay(arguments: &ReplayArguments) -> Result<bool, Failure> {
    let replay = Replay::load(&arguments.file).map_err(|error| error.diagnose())?;
    let unusable = |problem: String| {
        Failure::new(
            Rung::Local,
            format!("{} cannot be repeated: {problem}", arguments.file.display()),
            "Give a file that this version of `interop fuzz` has written.",
        )
    };
    let command = std::iter::once("fuzz".to_owned()).chain(replay.arguments.iter().cloned());
    let matches = Again::command().try_get_matches_from(command);
    let again = matches.and_then(|matches| Again::from_arg_matches(&matches));
    let mut tested = again.map_err(|error| unusable(error.to_string()))?.tested;
    let options = tested.options();
    options.i_own_this = arguments.i_own_this;
    options.pid = arguments.pid.or(options.pid);
    super::report(&NOTICE);
    let task = Task::Replay(Box::new(replay));
    match tested {
        Tested::Nmsp(given) => given.run(task).await,
        Tested::NmspClient(given) => given.run(task).await,
        Tested::Est(given) => given.run(task).await,
    }
}

impl Tested {
    fn options(&mut self) -> &mut Options {
        match self {
            Self::Nmsp(given) => &mut given.options,
            Self::NmspClient(given) => &mut given.options,
            Self::Est(given) => &mut given.options,
        }
    }
}

/// A failure of this machine or its user.
fn local(cause: &str, remedy: &str) -> Failure {
    Failure::new(Rung::Local, format!("{cause}."), remedy)
}

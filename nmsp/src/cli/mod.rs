//! The `nmsp` command: a controller, a location server, and tools for their credentials.
//!
//! Exit status: 0 done, 1 failed (rung, cause and remedy on standard error), 2 wrong usage.

mod authlist;
mod completions;
mod config;
mod config_check;
mod connect;
mod controller_check;
mod decode;
mod failure;
mod identity;
mod legacy;
mod link;
mod profile;
mod record;
mod reload;
mod replay;
mod serve;
mod show;
mod simulate;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pki_common::Diagnose as _;

use failure::CliError;

/// Network Mobility Services Protocol: controller, location server and their credentials.
#[derive(Debug, Parser)]
#[command(name = "nmsp", version, arg_required_else_help = true)]
struct Arguments {
    /// What to log to standard error: a level, or directives such as "nmsp::server=debug".
    #[arg(
        long,
        global = true,
        env = "RUST_LOG",
        default_value = "warn",
        value_name = "FILTER",
        value_parser = log_filter
    )]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a controller: accepts location servers and publishes measurements to them.
    Serve(serve::Arguments),
    /// Connects to controllers as a location server and shows what they report.
    Connect(Box<connect::Options>),
    /// Runs a controller with a simulated floor: stations, tags, rogues and interferers that move.
    Simulate(Box<simulate::Arguments>),
    /// Shows what a running controller does: status, counters, subscriptions, authlist.
    Show(show::Arguments),
    /// Prints what a controller's authlist needs to know about a certificate, as `show server-auth-info` does.
    AuthInfo {
        /// The certificate, PEM or DER.
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
    },
    /// Changes, converts and checks authlists.
    #[command(subcommand)]
    Authlist(authlist::Command),
    /// Makes identities.
    #[command(subcommand)]
    Identity(identity::Command),
    /// Prints the wire profile: every number, and whether it is known, recalled or ours; checks profile files.
    Profile(profile::Arguments),
    /// Takes messages apart, field by field: from a capture, which is decrypted with a key log, from hexadecimal text, bare
    /// bytes or a recorded session.
    Decode(decode::Arguments),
    /// Records a session with a controller, or one from a capture, into a file.
    Record(Box<record::Arguments>),
    /// Plays one side of a recorded session against a live peer.
    Replay(Box<replay::Arguments>),
    /// Writes a Wireshark dissector in Lua, made from the wire profile, to standard output.
    Wireshark(profile::WiresharkArguments),
    /// Checks configuration files.
    #[command(subcommand)]
    Config(config_check::Command),
    /// Writes a script that completes this command in a shell.
    Completions(completions::Arguments),
}

/// Parses the command line, runs, and says what went wrong.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    start_logging(&arguments.log);
    match execute(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has had enough, as `head` does.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let message = match &error {
                CliError::AuthList { path, error } => {
                    format!("{}: {error}\n{}", path.display(), error.diagnose())
                }
                other => other.diagnose().to_string(),
            };
            // If standard error is gone as well, the exit status still tells.
            drop(writeln!(std::io::stderr(), "{message}"));
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<(), CliError> {
    match command {
        Command::Serve(arguments) => block_on(serve::run(arguments)),
        Command::Simulate(arguments) => block_on(simulate::run(*arguments)),
        Command::Connect(arguments) => block_on(connect::run(*arguments)),
        Command::Show(arguments) => block_on(show::run(arguments)),
        Command::AuthInfo { certificate } => identity::auth_info(&certificate),
        Command::Authlist(command) => authlist::run(command),
        Command::Identity(command) => identity::run(command),
        Command::Profile(arguments) => profile::run(&arguments),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Record(arguments) => block_on(record::run(*arguments)),
        Command::Replay(arguments) => block_on(replay::run(*arguments)),
        Command::Wireshark(arguments) => profile::wireshark(&arguments),
        Command::Config(command) => config_check::run(&command),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

/// Checks the filter while the command line is read, so that a bad one is wrong usage.
fn log_filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!(
            "{error}; give a level such as info, or directives such as nmsp::server=debug"
        )),
    }
}

fn start_logging(filter: &str) {
    tracing_subscriber::fmt()
        // The filter was checked with the arguments.
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(log_output)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
}

/// Set while a full-screen view has the terminal: a log line would tear it. Failures are shown by the view then.
static SCREEN_TAKEN: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);

fn log_output() -> Box<dyn std::io::Write> {
    if SCREEN_TAKEN.load(core::sync::atomic::Ordering::Relaxed) {
        Box::new(std::io::sink())
    } else {
        Box::new(std::io::stderr())
    }
}

fn block_on(future: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::usage(format!("no runtime: {error}"), "free memory or threads"))?;
    let outcome = runtime.block_on(future);
    // A blocking read of standard input must not hold the program back.
    runtime.shutdown_background();
    outcome
}

fn print(text: &str) -> Result<(), CliError> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(CliError::Output)
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| CliError::File {
        path: path.to_owned(),
        source,
    })
}

/// Reads a floor plan; the failure names the file.
fn floor_plan(path: &std::path::Path) -> Result<crate::simulation::FloorPlan, CliError> {
    crate::simulation::FloorPlan::from_toml(&read_text(path)?).map_err(|error| {
        let failure = error.diagnose();
        CliError::usage(format!("{}: {}", path.display(), failure.cause), &failure.remedy)
    })
}

fn read_text(path: &std::path::Path) -> Result<String, CliError> {
    String::from_utf8(read(path)?).map_err(|error| {
        let source = std::io::Error::new(std::io::ErrorKind::InvalidData, error);
        CliError::File {
            path: path.to_owned(),
            source,
        }
    })
}

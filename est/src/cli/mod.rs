//! The `est` command: arguments, files and exit status around the library.
//!
//! Standard output has what was asked for, standard error the log and, when something fails, rung, cause and remedy.
//! Exit status: 0 done, 1 failed, 2 wrong arguments, 75 (EX_TEMPFAIL) the request waits for approval. `enroll --batch`
//! counts its failures instead, up to 125. What `--json` prints is told in `report.rs`.

mod arguments;
mod authorities;
mod authority;
mod batch;
mod cacerts;
mod certsrv;
mod cmc;
mod config;
mod config_check;
mod config_place;
mod connection;
mod csr;
mod enroll;
mod failure;
mod files;
mod inspect;
mod label_config;
mod passphrase;
mod renew;
mod report;
mod serve;
mod server_key;
mod serving;
mod user;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use serde_json::json;
use tracing_subscriber::EnvFilter;

use arguments::{Arguments, Command};
pub(crate) use failure::CliError;
use report::Output;

/// Exit status for a request that waits for approval: `EX_TEMPFAIL` of sysexits.h, "try again later".
const EXIT_PENDING: u8 = 75;

/// Exit status for wrong arguments, as clap has it.
const EXIT_USAGE: u8 = 2;

/// Runs the command with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return wrong_usage(&error),
    };
    start_log(&arguments.log);
    let output = Output::new(arguments.json);
    match run(arguments.command, output) {
        Ok(code) => code,
        Err(error) => {
            files::print_error(&match output {
                Output::Text => error.to_string(),
                Output::Json => json!({ "error": report::error(&error) }).to_string(),
            });
            ExitCode::FAILURE
        }
    }
}

/// Help and version are no failures; what is wrong with the arguments is told as everything else.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    // The arguments could not be read, so this looks for the one that says how to speak.
    let json = std::env::args_os().any(|argument| argument == "--json");
    if !error.use_stderr() || !json {
        error.exit();
    }
    let text = error.render().to_string();
    let cause = text.lines().next().unwrap_or_default();
    let cause = cause.strip_prefix("error: ").unwrap_or(cause);
    let error = CliError::local(cause, "Look at --help of the command.");
    files::print_error(&json!({ "error": report::error(&error) }).to_string());
    ExitCode::from(EXIT_USAGE)
}

fn run(command: Command, output: Output) -> Result<ExitCode, CliError> {
    match command {
        Command::Ca(command) => authority::run(command, output),
        Command::User(command) => user::run(command, output),
        Command::Serve(arguments) => runtime()?.block_on(serve::run(&arguments, output)),
        Command::Cacerts(arguments) => runtime()?.block_on(cacerts::cacerts(*arguments, output)),
        Command::Csrattrs(arguments) => runtime()?.block_on(cacerts::csrattrs(*arguments, output)),
        Command::Csr(command) => csr::run(command, output),
        Command::Enroll(arguments) => runtime()?.block_on(enroll::enroll(*arguments, output)),
        Command::Reenroll(arguments) => runtime()?.block_on(enroll::reenroll(*arguments, output)),
        Command::Serverkeygen(arguments) => runtime()?.block_on(server_key::run(*arguments, output)),
        Command::Cmc(arguments) => runtime()?.block_on(cmc::run(*arguments, output)),
        Command::Renew(arguments) => runtime()?.block_on(renew::run(*arguments, output)),
        Command::Inspect(arguments) => inspect::run(&arguments, output),
        Command::Completions { shell } => completions(shell),
    }
}

fn completions(shell: clap_complete::Shell) -> Result<ExitCode, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "est", &mut script);
    files::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
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

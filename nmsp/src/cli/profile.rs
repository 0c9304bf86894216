//! `nmsp profile` and `nmsp wireshark`: the wire profile for people, as a file, and as a dissector.

use std::path::{Path, PathBuf};

use super::failure::CliError;
use super::{print, read_text};
use crate::wire::{WireProfile, dissector};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Says whether a profile file can be used, and if not: line, key, what is wrong and what to do.
    Check {
        /// The TOML file.
        file: PathBuf,
    },
    /// Prints the built-in profile as a TOML file, with how well each number is known.
    Show,
}

#[derive(Debug, clap::Args)]
pub(super) struct WiresharkArguments {
    /// The profile that the peers speak, a TOML file; the built-in one if not given.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    match &arguments.command {
        None => print(&WireProfile::built_in().describe()),
        Some(Command::Show) => print(&WireProfile::built_in().to_toml()),
        Some(Command::Check { file }) => {
            let profile = load(file)?;
            let definition = profile.definition();
            print(&format!(
                "{}: profile {:?} with {} messages and {} elements can be used\n",
                file.display(),
                definition.name,
                definition.messages.len(),
                definition.elements.len(),
            ))
        }
    }
}

pub(super) fn wireshark(arguments: &WiresharkArguments) -> Result<(), CliError> {
    match &arguments.profile {
        None => print(&dissector::lua(WireProfile::built_in())),
        Some(file) => print(&dissector::lua(&load(file)?)),
    }
}

/// Reads a profile file; the failure names the file.
pub(super) fn load(file: &Path) -> Result<WireProfile, CliError> {
    WireProfile::from_toml(&read_text(file)?).map_err(|error| {
        let problems: Vec<String> = error
            .problems
            .iter()
            .map(|problem| format!("{}, {problem}", file.display()))
            .collect();
        let remedy = error.problems.first().map_or("", |problem| problem.remedy);
        CliError::usage(problems.join("\n"), remedy)
    })
}

//! `nmsp authlist`.

use std::path::{Path, PathBuf};

use pki_common::authlist::{AuthList, AuthListFormat};

use super::failure::CliError;
use super::{print, read_text};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Reads a list in any format and prints it as TOML.
    Import {
        /// aireos, iosxe, server-auth-info, csv or toml; recognised by its text if not given.
        #[arg(long, value_name = "FORMAT")]
        from: Option<AuthListFormat>,
        /// The list.
        file: PathBuf,
    },
    /// Reads a list in any format and prints it in another.
    Export {
        /// aireos, iosxe, server-auth-info, csv or toml; recognised by its text if not given.
        #[arg(long, value_name = "FORMAT")]
        from: Option<AuthListFormat>,
        /// aireos, iosxe, server-auth-info, csv or toml.
        #[arg(long, value_name = "FORMAT")]
        to: AuthListFormat,
        /// The list.
        file: PathBuf,
    },
    /// Reads a list and names every bad line.
    Check {
        /// aireos, iosxe, server-auth-info, csv or toml; recognised by its text if not given.
        #[arg(long, value_name = "FORMAT")]
        from: Option<AuthListFormat>,
        /// The list.
        file: PathBuf,
    },
}

pub(super) fn run(command: Command) -> Result<(), CliError> {
    match command {
        Command::Import { from, file } => print(&export(&load(&file, from)?, AuthListFormat::Toml)?),
        Command::Export { from, to, file } => print(&export(&load(&file, from)?, to)?),
        Command::Check { from, file } => print(&format!(
            "{}: {} entries\n",
            file.display(),
            load(&file, from)?.len()
        )),
    }
}

fn export(list: &AuthList, format: AuthListFormat) -> Result<String, CliError> {
    list.export(format).map_err(|error| CliError::of(&error))
}

/// Reads an authlist; an unnamed format is recognised by the text.
pub(super) fn load(path: &Path, format: Option<AuthListFormat>) -> Result<AuthList, CliError> {
    let text = read_text(path)?;
    let Some(format) = format.or_else(|| AuthListFormat::detect(&text)) else {
        let cause = format!("{}: no line of a known authlist format", path.display());
        return Err(CliError::usage(
            cause,
            "name the format: aireos, iosxe, server-auth-info, csv or toml",
        ));
    };
    AuthList::import(format, &text).map_err(|error| CliError::AuthList {
        path: path.to_owned(),
        error,
    })
}

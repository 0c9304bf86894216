//! `est user`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use pki_common::identity::write_private;

use super::CliError;
use super::files::{print, read_password};
use crate::auth::Users;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user, or give an existing one a new password. The password is read from the standard input.
    Add {
        /// The user file; it is made when it is missing.
        #[arg(long)]
        users: PathBuf,
        /// Read the password from the first line of the standard input. There is no other way: arguments and
        /// environment can be read by others.
        #[arg(long, required = true)]
        password_stdin: bool,
        /// The user name.
        name: String,
    },
}

pub(crate) fn run(command: UserCommand) -> Result<ExitCode, CliError> {
    let UserCommand::Add {
        users: path,
        password_stdin: _,
        name,
    } = command;
    let password = read_password(Path::new("-"))?;
    let mut users = if path.exists() {
        Users::load(&path)?
    } else {
        Users::new()
    };
    let known = users.contains(&name);
    users.set_password(&name, &password).map_err(|error| {
        CliError::local(
            format!("the user {name:?} cannot be added: {error}"),
            "Choose another name or password.",
        )
    })?;
    write_private(&path, users.to_text().as_bytes())?;
    let done = if known { "has a new password" } else { "added" };
    print(&format!(
        "user {name} {done}, {} in {}",
        users.len(),
        path.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

//! `est user`

use std::path::Path;
use std::process::ExitCode;

use pki_common::identity::write_private;

use super::CliError;
use super::arguments::UserCommand;
use super::files::{print, read_password};
use crate::auth::Users;

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

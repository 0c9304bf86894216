//! Passphrases of private keys, from a file or the environment.

use std::path::Path;

use pki_common::identity::Passphrase;

use super::CliError;
use super::files::read_password;

/// The environment variable for the keys of clients. It can be read by others of the same user; a file is better where
/// there is a choice.
pub(crate) const KEY_PASSPHRASE_VARIABLE: &str = "EST_KEY_PASSPHRASE";

/// The first line of the file; without a file, the environment variable; `None` without both.
pub(crate) fn given(file: Option<&Path>, variable: &str) -> Result<Option<Passphrase>, CliError> {
    if let Some(path) = file {
        let text = read_password(path)?;
        return Passphrase::new(text.as_str()).map(Some).ok_or_else(empty);
    }
    match std::env::var(variable) {
        Ok(text) => Passphrase::new(text).map(Some).ok_or_else(empty),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(CliError::local(
            format!("the environment variable {variable} is not UTF-8"),
            "Give the passphrase in a file.",
        )),
    }
}

pub(crate) fn empty() -> CliError {
    CliError::local("the passphrase is empty", "Give one with at least one character.")
}

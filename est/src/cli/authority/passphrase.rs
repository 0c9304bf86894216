//! Where the passphrase of an authority's key comes from.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::arguments::PassphraseArguments;
use crate::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, Passphrase};
use crate::cli::CliError;
use crate::cli::files::print_error;
use crate::cli::passphrase::{empty, given};

/// The environment variable. It can be read by others of the same user; a file is better where there is a choice.
const VARIABLE: &str = "EST_CA_PASSPHRASE";

/// The passphrase that opens the key of an authority; `None` when the key is not encrypted.
pub(crate) fn for_opening(
    files: &AuthorityFiles,
    file: Option<&Path>,
) -> Result<Option<Passphrase>, CliError> {
    if !EmbeddedCertificateAuthority::key_is_encrypted(files)? {
        return Ok(None);
    }
    if let Some(given) = given(file, VARIABLE)? {
        return Ok(Some(given));
    }
    ask(&format!("Passphrase of {}: ", files.key.display())).map(Some)
}

/// As [`for_opening`], without asking anybody: `None` as well when there is none.
pub(super) fn without_asking(
    files: &AuthorityFiles,
    arguments: &PassphraseArguments,
) -> Result<Option<Passphrase>, CliError> {
    if !EmbeddedCertificateAuthority::key_is_encrypted(files)? {
        return Ok(None);
    }
    given(arguments.passphrase_file.as_deref(), VARIABLE)
}

/// The passphrase for a new key; `None` when the key shall not be encrypted.
pub(super) fn for_a_new_key(
    arguments: &PassphraseArguments,
    encrypt: bool,
) -> Result<Option<Passphrase>, CliError> {
    if let Some(given) = given(arguments.passphrase_file.as_deref(), VARIABLE)? {
        return Ok(Some(given));
    }
    if !encrypt {
        return Ok(None);
    }
    let first = line("New passphrase: ")?;
    if *first != *line("Once more: ")? {
        return Err(CliError::local("the two passphrases differ", "Try again."));
    }
    Passphrase::new(first.as_str()).map(Some).ok_or_else(empty)
}

fn ask(prompt: &str) -> Result<Passphrase, CliError> {
    Passphrase::new(line(prompt)?.as_str()).ok_or_else(empty)
}

/// Reads a line from the terminal without showing it.
fn line(prompt: &str) -> Result<Zeroizing<String>, CliError> {
    let input = std::io::stdin();
    let needed = || {
        CliError::local(
            "the authority's key needs a passphrase, and there is no terminal to ask",
            format!("Give --passphrase-file (ca-passphrase-file to the server), or set {VARIABLE}."),
        )
    };
    if !input.is_terminal() || !echo(false) {
        return Err(needed());
    }
    print_error(prompt);
    let mut text = Zeroizing::new(String::new());
    let read = input.lock().read_line(&mut text);
    if !echo(true) {
        print_error("the terminal may not show what is typed; `stty echo` mends that");
    }
    read.map_err(|_| needed())?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Whether the terminal shows what is typed, by the tool that every system with terminals has.
fn echo(on: bool) -> bool {
    Command::new("stty")
        .arg(if on { "echo" } else { "-echo" })
        .stdin(Stdio::inherit())
        .status()
        .is_ok_and(|status| status.success())
}

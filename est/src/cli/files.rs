//! Files and standard streams of the commands.

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use der::pem::{LineEnding, encode_string};
use pki_common::identity::private_key_pem;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::CliError;
use crate::renewal::folder::{Files as _, SystemFiles, Visibility};

/// The longest first line of a password file that is read, in bytes; more than any password may have.
const MAX_PASSWORD_LINE: u64 = 8 * 1024;

/// Prints a line to the standard output.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| {
            if text.ends_with('\n') {
                Ok(())
            } else {
                out.write_all(b"\n")
            }
        })
        .and_then(|()| out.flush())
        .map_err(|error| {
            CliError::local(
                format!("the standard output cannot be written: {error}"),
                "Keep it open.",
            )
        })
}

/// Prints a line to the standard error; when that is closed, there is nobody to tell.
pub(crate) fn print_error(text: &str) {
    if let Err(error) = writeln!(std::io::stderr().lock(), "{text}") {
        tracing::debug!(%error, "the standard error cannot be written");
    }
}

/// Writes a file that anybody may read.
pub(crate) fn write_public(path: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(path, text).map_err(|error| {
        CliError::local(
            format!("{} cannot be written: {error}", path.display()),
            "Check that the folder exists and can be written.",
        )
    })
}

/// A whole file, unless it is larger than the limit in bytes.
pub(crate) fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, CliError> {
    let unreadable = |error: std::io::Error| {
        CliError::local(
            format!("{} cannot be read: {error}", path.display()),
            "Check the path and its permissions.",
        )
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
        return Err(CliError::local(
            format!("{} is larger than {limit} bytes", path.display()),
            "Give the file itself, not an archive of it.",
        ));
    }
    Ok(bytes)
}

/// To the file, or to the standard output without one.
pub(crate) fn put(path: Option<PathBuf>, text: &str) -> Result<(), CliError> {
    match path {
        Some(path) => write_public(&path, text),
        None => print(text),
    }
}

/// PEM with LF line ends.
pub(crate) fn pem(label: &str, der: &[u8]) -> Result<String, CliError> {
    encode_string(label, LineEnding::LF, der)
        .map_err(|error| CliError::local(format!("PEM cannot be written: {error}"), "Report this defect."))
}

/// Writes a private key that is on the disk when this returns; a file that exists is not touched.
pub(crate) fn write_new_key(path: &Path, key: &PrivatePkcs8KeyDer<'_>) -> Result<(), CliError> {
    let text = private_key_pem(&PrivateKeyDer::Pkcs8(key.clone_key()));
    let written = SystemFiles.write_new(path, text.as_bytes(), Visibility::Private);
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => CliError::local(
            format!("{} cannot be written: {error}", path.display()),
            "Check that the folder exists and can be written.",
        ),
    })
}

fn exists(path: &Path) -> CliError {
    CliError::local(
        format!("{} exists already and is not overwritten", path.display()),
        "Choose another name, or move the file away.",
    )
}

/// Refuses to go on when a file that would be written exists.
pub(crate) fn must_not_exist(path: &Path) -> Result<(), CliError> {
    if path.exists() {
        return Err(exists(path));
    }
    Ok(())
}

/// The first line of a file, or of the standard input for `-`, without its line end.
pub(crate) fn read_password(path: &Path) -> Result<Zeroizing<String>, CliError> {
    let unreadable = |error: std::io::Error| {
        CliError::local(
            format!("no password can be read from {}: {error}", path.display()),
            "Give a file whose first line is the password, or `-` for the standard input.",
        )
    };
    let mut line = Zeroizing::new(String::new());
    if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(MAX_PASSWORD_LINE)
            .read_line(&mut line)
            .map_err(unreadable)?;
    } else {
        let file = std::fs::File::open(path).map_err(unreadable)?;
        std::io::BufReader::new(file)
            .take(MAX_PASSWORD_LINE)
            .read_line(&mut line)
            .map_err(unreadable)?;
    }
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(unreadable(std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            "the first line is empty",
        )));
    }
    Ok(Zeroizing::new(password.to_owned()))
}

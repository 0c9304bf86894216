//! Files and standard streams of the commands.

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::CliError;

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

/// Refuses to go on when a file that would be written exists.
pub(crate) fn must_not_exist(path: &Path) -> Result<(), CliError> {
    if path.exists() {
        return Err(CliError::local(
            format!("{} exists already and is not overwritten", path.display()),
            "Choose another name, or move the file away.",
        ));
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

//! `nmsp config check`: says what would run, or what is wrong with a configuration file and where.

use std::path::{Path, PathBuf};

use pki_common::{Diagnose as _, Failure, Rung};

use super::config::ServeConfig;
use super::failure::CliError;
use super::{connect, print, read_text};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Reads a configuration file of `nmsp serve` or `nmsp connect` and everything that it names: identity, authlist, trust
    /// anchors, addresses, limits. Says what would run, or each problem with its line and key. Nothing is started.
    Check {
        /// The TOML file. One with the key `controller` is of `nmsp connect`.
        file: PathBuf,
    },
}

pub(super) fn run(command: &Command) -> Result<(), CliError> {
    let Command::Check { file } = command;
    let text = read_text(file)?;
    // What is no TOML at all is told by the reader of the controller's configuration.
    let table: toml::Table = toml::from_str(&text).unwrap_or_default();
    let outcome = if table.contains_key("controller") {
        connect::check(file).map_err(|problem| vec![problem])
    } else {
        serve(file)
    };
    let problems = match outcome {
        Ok(summary) => return print(&format!("{}: can be used\n{summary}", file.display())),
        Err(problems) => problems,
    };
    let folder = file.parent().unwrap_or(Path::new("."));
    let (mut causes, mut remedies) = (Vec::new(), Vec::new());
    for problem in problems {
        let failure = problem.diagnose();
        let place = match place_of(&text, folder, &failure.cause) {
            Some((line, key)) => format!("{} line {line}, {key}: ", file.display()),
            None if failure.cause.starts_with(&file.display().to_string()) => String::new(),
            None => format!("{}: ", file.display()),
        };
        causes.push(format!("{place}{}", failure.cause));
        if !remedies.contains(&failure.remedy) {
            remedies.push(failure.remedy);
        }
    }
    let failure = Failure::new(Rung::Local, causes.join("\n"), remedies.join("; "));
    Err(CliError::failed(failure))
}

fn serve(file: &Path) -> Result<String, Vec<CliError>> {
    let config = ServeConfig::load(file).map_err(|problem| vec![problem])?;
    let problems = config.problems();
    if !problems.is_empty() {
        return Err(problems);
    }
    let server = config.server_config().map_err(|problem| vec![problem])?;
    let certificate = server.tls.identity.certificate();
    let mac = certificate
        .subject_mac()
        .map_or_else(|| "without a MAC address".to_owned(), |mac| mac.to_string());
    let mut lines = vec![
        "command   nmsp serve".to_owned(),
        format!("listen    {}", config.listen),
        format!(
            "identity  {mac}, {}, {}",
            certificate.certificate_type(),
            certificate.subject()
        ),
        format!(
            "limits    {} connections, {} handshakes of at most {:?}",
            server.limits.max_connections, server.limits.max_handshakes, server.limits.handshake_timeout
        ),
    ];
    if let Some((address, _)) = config.admin() {
        lines.push(format!("admin     {address}"));
    }
    Ok(lines.join("\n") + "\n")
}

/// The line and key of the configuration whose value the cause is about: that which names the file in it.
fn place_of(text: &str, folder: &Path, cause: &str) -> Option<(usize, String)> {
    (1..).zip(text.lines()).find_map(|(number, line)| {
        let (key, value) = line.split_once('=')?;
        // Whatever stands between quotation marks.
        let mut values = value
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(|value| !value.is_empty());
        let names = |value: &str| cause.contains(&folder.join(value).display().to_string());
        values.any(names).then(|| (number, key.trim().to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_line_and_key_that_a_cause_is_about() {
        let text = "listen = \"[::]:1\"\n[authlist]\nfile = \"lists/a.txt\" # mine\ntrust-anchors = [\"x\", \"y/z\"]\n";
        let find = |cause: &str| place_of(text, Path::new("/etc/nmsp"), cause);
        assert_eq!(
            find("/etc/nmsp/lists/a.txt: no such file"),
            Some((3, "file".to_owned()))
        );
        assert_eq!(
            find("/etc/nmsp/y/z: no certificate"),
            Some((4, "trust-anchors".to_owned()))
        );
        assert_eq!(find("something else"), None);
    }
}

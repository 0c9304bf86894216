//! `est inspect`

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use rustls_pki_types::UnixTime;
use serde_json::json;

use super::CliError;
use super::files::{print, read_limited};
use super::report::Output;
use crate::inspect::{MAX_FILE, inspect};

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// What to explain: a request (PKCS #10, CRMF), certificate, CMS message (certs-only, signed, enveloped, CMC), CSR
    /// attributes, CRL, key (never its secret) or a response as `curl -i` prints it; PEM, DER or base64. `-` for the
    /// standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// End with status 1 when a problem was found.
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(arguments: &InspectArguments, output: Output) -> Result<ExitCode, CliError> {
    let mut objects = Vec::new();
    let mut problems = false;
    for path in &arguments.files {
        let bytes = read(path)?;
        let report = inspect(&bytes, UnixTime::now());
        problems |= report.has_problems();
        if output.is_json() {
            objects.push(json!({ "file": path, "report": report }));
        } else {
            if arguments.files.len() > 1 {
                print(&format!("{}:", path.display()))?;
            }
            print(&report.to_string())?;
        }
    }
    if output.is_json() {
        print(&serde_json::Value::from(objects).to_string())?;
    }
    if arguments.strict && problems {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    if path != Path::new("-") {
        return read_limited(path, MAX_FILE);
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_FILE)
        .read_to_end(&mut bytes)
        .map_err(|error| {
            CliError::local(
                format!("the standard input cannot be read: {error}"),
                "Give a file.",
            )
        })?;
    Ok(bytes)
}

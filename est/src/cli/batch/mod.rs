//! `est enroll --batch`: a folder of requests, as a service that enrols phones leaves it (`SEP0050569C3489.csr`).
//!
//! The state is in the files beside each request `NAME.csr`, so that a run can be repeated until nothing is left:
//!
//! | file | means |
//! |---|---|
//! | `NAME.pem` or `NAME.der` | the certificate; a request that has one for its key is skipped |
//! | `NAME.pending` | waits for approval; holds when the server wants to be asked again |
//! | `NAME.failed` | the last attempt failed; holds rung, cause and remedy |
//!
//! | file of the program | what it does |
//! |---|---|
//! | `names.rs` | the list of names beside the folder |
//! | `steps.rs` | the log with a line for each step |

mod names;
mod steps;

use std::ffi::OsStr;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use pki_common::Certificate;
use pki_common::clock::rfc3339;
use rustls_pki_types::UnixTime;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::steps::{StepLog, Steps};
use super::CliError;
use super::connection::ServerArguments;
use super::enroll::read_csr;
use super::files::{pem, print, read_limited};
use super::report::{self, Output};
use crate::client::{Client, ClientConfig, CsrOutcome, Issued, RetryPolicy};
use crate::operation::EstErrorNumber;
use crate::wire::csr::{CsrLimits, UnverifiedCsr};

/// The highest exit status that counts failures: above it, shells have meanings of their own.
const MAX_COUNTED: usize = 125;
/// Endings that make a file a request.
const ENDINGS: [&str; 3] = ["csr", "p10", "req"];

#[derive(Debug, Args)]
#[command(next_help_heading = "Many requests")]
pub(crate) struct BatchArguments {
    /// Enrol every request (*.csr, *.p10, *.req; PEM, DER or base64) of this folder. A run that was broken off is
    /// resumed by the same command. The exit status is the number of failures, 125 at most; 75 when there are none
    /// but some requests wait for approval.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["existing_key", "subject", "mac", "names", "out_key", "out_certificate"]
    )]
    batch: Option<PathBuf>,
    /// Enrol only the devices of this list, in its order. A line is a name, SEP0050569C3489, whose request is
    /// SEP0050569C3489.csr (.p10, .req) in the folder and whose certificate gets that name; or a name and the file of
    /// its request. Blank lines and lines with # are skipped; a name without a request is a failure.
    #[arg(long, requires = "batch", value_name = "FILE")]
    names_file: Option<PathBuf>,
    /// Append a line for each step of each device to this file: HH:MM:SS.mmm (UTC), the job, the device, the step;
    /// with the error number of libest, as the log of the phone service has it.
    #[arg(long, requires = "batch", value_name = "FILE")]
    step_log: Option<PathBuf>,
    /// The number of exchanges at a time.
    #[arg(long, short = 'j', default_value_t = 4, requires = "batch", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Where to write the certificates; beside the requests by default.
    #[arg(long, requires = "batch", value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// How to write them.
    #[arg(long, value_enum, default_value_t, requires = "batch")]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The certificate and its chain in PEM.
    #[default]
    Pem,
    /// The certificate alone in DER.
    Der,
}

impl BatchArguments {
    pub(super) const fn is_wanted(&self) -> bool {
        self.batch.is_some()
    }
}

/// One request and the files of its outcome.
#[derive(Debug, Clone)]
struct Item {
    name: String,
    request: PathBuf,
    certificate: PathBuf,
    pending: PathBuf,
    failed: PathBuf,
    format: Format,
}

impl Item {
    fn new(name: &OsStr, request: PathBuf, out: &Path, format: Format) -> Self {
        let beside = |ending: &str| {
            let mut file = name.to_owned();
            file.push(".");
            file.push(ending);
            out.join(file)
        };
        Self {
            name: name.to_string_lossy().into_owned(),
            certificate: beside(match format {
                Format::Pem => "pem",
                Format::Der => "der",
            }),
            pending: beside("pending"),
            failed: beside("failed"),
            format,
            request,
        }
    }
}

enum Ended {
    Issued(Box<Certificate>),
    Skipped,
    Pending(Duration),
    Failed(CliError),
}

#[derive(Debug, Default)]
struct Summary {
    issued: usize,
    skipped: usize,
    pending: usize,
    failed: usize,
}

pub(super) async fn run(
    arguments: BatchArguments,
    server: &ServerArguments,
    mut config: ClientConfig,
    output: Output,
) -> Result<ExitCode, CliError> {
    let mut rest = items(&arguments)?.into_iter();
    config.max_idle_connections = arguments.jobs.into();
    let steps = Arc::new(StepLog::open(arguments.step_log.as_deref())?);
    let client = Arc::new(server.client(config).await?);
    let bar = progress(rest.len(), output);
    let mut running = JoinSet::new();
    let mut summary = Summary::default();
    let mut jobs: Vec<usize> = (1..=usize::from(arguments.jobs)).rev().collect();
    loop {
        while !jobs.is_empty() {
            let Some(item) = rest.next() else { break };
            let Some(job) = jobs.pop() else { break };
            let (client, steps) = (Arc::clone(&client), Arc::clone(&steps));
            running.spawn(async move {
                let ended = one(&client, &item, steps.of(job, &item.name)).await;
                (job, item, ended)
            });
        }
        let Some(done) = running.join_next().await else {
            break;
        };
        let (job, item, ended) =
            done.map_err(|error| CliError::local(error.to_string(), "Report this defect."))?;
        jobs.push(job);
        let line = tell(&item, &ended, &mut summary, output);
        // Above the bar, not through it.
        bar.suspend(|| print(&line))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    // All jobs have ended.
    Arc::into_inner(steps).map_or(Ok(()), StepLog::finish)?;
    summarise(&summary, output)
}

fn summarise(summary: &Summary, output: Output) -> Result<ExitCode, CliError> {
    let Summary {
        issued,
        skipped,
        pending,
        failed,
    } = *summary;
    output.print(
        &format!("{issued} issued, {skipped} skipped, {pending} pending, {failed} failed"),
        &json!({ "summary": { "issued": issued, "skipped": skipped, "pending": pending, "failed": failed } }),
    )?;
    Ok(match (failed, pending) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(super::EXIT_PENDING),
        (failed, _) => ExitCode::from(u8::try_from(failed.min(MAX_COUNTED)).unwrap_or(1)),
    })
}

/// A bar for people only: neither in a file nor between lines of JSON.
fn progress(length: usize, output: Output) -> ProgressBar {
    if output.is_json() || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(length).unwrap_or(u64::MAX));
    match ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn items(arguments: &BatchArguments) -> Result<Vec<Item>, CliError> {
    let folder = arguments.batch.clone().unwrap_or_default();
    let out = arguments.out_dir.clone().unwrap_or_else(|| folder.clone());
    let unreadable = |error: std::io::Error| {
        CliError::local(
            format!("{} cannot be read: {error}", folder.display()),
            "Check the path and its permissions.",
        )
    };
    if !out.is_dir() {
        return Err(CliError::local(
            format!("{} is no folder", out.display()),
            "Make it first.",
        ));
    }
    let mut items = Vec::new();
    if let Some(list) = &arguments.names_file {
        for device in names::read(list, &folder)? {
            items.push(Item::new(
                device.name.as_ref(),
                device.request,
                &out,
                arguments.format,
            ));
        }
        return Ok(items);
    }
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        let request = entry.map_err(unreadable)?.path();
        let is_request = request
            .extension()
            .and_then(|ending| ending.to_str())
            .is_some_and(|ending| ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)));
        let Some(stem) = request.file_stem().filter(|_| is_request) else {
            continue;
        };
        items.push(Item::new(stem, request.clone(), &out, arguments.format));
    }
    items.sort_by(|one, other| one.request.cmp(&other.request));
    Ok(items)
}

async fn one(client: &Client, item: &Item, steps: Steps<'_>) -> Ended {
    steps.begin(item);
    let ended = enroll(client, item, steps).await;
    let ended = ended.and_then(|ended| note(item, &ended).map(|()| ended));
    match ended {
        Ok(ended) => ended,
        Err(error) => {
            steps.failed(&error);
            let ended = Ended::Failed(error);
            match note(item, &ended) {
                Ok(()) => ended,
                Err(error) => Ended::Failed(error),
            }
        }
    }
}

async fn enroll(client: &Client, item: &Item, steps: Steps<'_>) -> Result<Ended, CliError> {
    let csr = read_csr(&item.request)?;
    steps.step(&format!("read_csr() done, {} bytes", csr.len()));
    if item.certificate.exists() {
        return if is_for(&item.certificate, &csr)? {
            steps.step(&format!("{} is there already", item.certificate.display()));
            Ok(Ended::Skipped)
        } else {
            Err(CliError::local(
                format!(
                    "{} has a certificate for another key and is not overwritten",
                    item.certificate.display()
                ),
                "Move it away, or give another --out-dir.",
            ))
        };
    }
    let outcome = RetryPolicy::default().run(|| client.enroll_csr(&csr)).await?;
    match outcome {
        CsrOutcome::Pending { retry_after } => {
            steps.returned(EstErrorNumber::CA_ENROLL_RETRY, 0);
            steps.step(&format!(
                "The certificate is pending, ask again in {} s",
                retry_after.as_secs()
            ));
            Ok(Ended::Pending(retry_after))
        }
        CsrOutcome::Issued(issued) => {
            steps.returned(EstErrorNumber::NONE, issued.answer_length.unwrap_or_default());
            let bytes = certificate_bytes(&issued, item.format)?;
            pki_common::identity::write_public(&item.certificate, &bytes)?;
            steps.step(&format!("Signed Cert written to {}", item.certificate.display()));
            steps.step("Online Cert Signing successful");
            Ok(Ended::Issued(Box::new(issued.certificate)))
        }
    }
}

fn certificate_bytes(issued: &Issued, format: Format) -> Result<Vec<u8>, CliError> {
    if format == Format::Der {
        return Ok(issued.certificate.der().to_vec());
    }
    let mut text = String::new();
    for certificate in issued.chain() {
        text.push_str(&pem("CERTIFICATE", &certificate)?);
    }
    Ok(text.into_bytes())
}

/// Whether a certificate file is for the key of a request.
fn is_for(path: &Path, csr: &[u8]) -> Result<bool, CliError> {
    let bytes = read_limited(path, crate::inspect::MAX_FILE)?;
    let certificate = Certificate::from_pem(&bytes).or_else(|_| Certificate::from_der(&bytes));
    let Ok(csr) = UnverifiedCsr::from_der(csr, &CsrLimits::default()) else {
        return Ok(false);
    };
    let key = csr.unverified_contents().public_key().spki_der();
    Ok(certificate.is_ok_and(|certificate| certificate.spki_der() == key))
}

/// Leaves the state in the files.
fn note(item: &Item, ended: &Ended) -> Result<(), CliError> {
    let (pending, failed) = match ended {
        Ended::Issued(_) | Ended::Skipped => (None, None),
        Ended::Pending(wait) => {
            let until = Duration::from_secs(UnixTime::now().as_secs()).saturating_add(*wait);
            let until = rfc3339(UnixTime::since_unix_epoch(until));
            (Some(format!("ask again at {until}\n")), None)
        }
        Ended::Failed(error) => (None, Some(format!("{error}\n"))),
    };
    for (path, text) in [(&item.pending, pending), (&item.failed, failed)] {
        match text {
            Some(text) => pki_common::identity::write_public(path, text.as_bytes())?,
            None => match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(CliError::local(
                        format!("{} cannot be removed: {error}", path.display()),
                        "Check the permissions of the folder.",
                    ));
                }
                _ => {}
            },
        }
    }
    Ok(())
}

fn tell(item: &Item, ended: &Ended, summary: &mut Summary, output: Output) -> String {
    let name = item.request.display();
    let (text, object): (String, Value) = match ended {
        Ended::Issued(certificate) => {
            summary.issued += 1;
            (
                format!("{name}: issued, {}", item.certificate.display()),
                json!({ "status": "issued", "certificate": report::certificate(certificate), "certificate_file": item.certificate }),
            )
        }
        Ended::Skipped => {
            summary.skipped += 1;
            (
                format!("{name}: skipped, it has its certificate"),
                json!({ "status": "skipped", "certificate_file": item.certificate }),
            )
        }
        Ended::Pending(wait) => {
            summary.pending += 1;
            (
                format!("{name}: pending, ask again in {} s", wait.as_secs()),
                json!({ "status": "pending", "retry_after_seconds": wait.as_secs() }),
            )
        }
        Ended::Failed(error) => {
            summary.failed += 1;
            let cause = pki_common::Escaped::new(&error.failure().cause);
            (
                format!("{name}: failed, {cause}"),
                json!({ "status": "failed", "error": report::error(error) }),
            )
        }
    };
    if output.is_json() {
        report::with(object, "file", item.request.to_string_lossy()).to_string()
    } else {
        text
    }
}

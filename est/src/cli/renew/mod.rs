//! `est renew`

mod config;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use pki_common::clock::rfc3339;
use pki_common::{Certificate, Escaped, Failure};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::CliError;
use super::report::{self, Output};
use crate::renewal::daemon::{Daemon, DaemonSettings, Event, EventKind, Hook, MetricsListener};

const LAYOUT: &str = concat!(
    "Each sub-folder of DIR that has an est.toml is an identity. Its certificate and key are reached as\n",
    "NAME/current/certificate.pem, NAME/current/key.pem and, both in one file, NAME/current/identity.pem.\n",
    "`current` is a link to one of NAME/versions/; renaming it is the only change, so certificate and key always\n",
    "belong together. The hook finds EST_IDENTITY, EST_FOLDER, EST_CERTIFICATE, EST_KEY, EST_COMBINED, EST_SUBJECT\n",
    "and EST_NOT_AFTER in its environment; it is run again until it ends with status 0.\n\n",
    "Private keys are encrypted (PKCS#8, PBES2) when there is a passphrase: passphrase-file in est.toml, or EST_KEY_PASSPHRASE.\n",
    "Roots that the authority adds to its cacerts are kept in NAME/anchors.pem and trusted beside trust-anchors.\n\n",
    "est.toml:\n\n",
    include_str!("est.toml")
);

#[derive(Debug, Args)]
#[command(after_long_help = LAYOUT)]
pub(crate) struct RenewArguments {
    /// The folder of identities.
    #[arg(long, value_name = "DIR")]
    watch: PathBuf,
    /// Renew what is due and end: status 0 when all is well, 1 when something failed, 75 when requests wait for
    /// approval.
    #[arg(long)]
    once: bool,
    /// A command for /bin/sh that is run after each new certificate.
    #[arg(long, value_name = "CMD")]
    hook: Option<String>,
    /// Seconds that the hook may take.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    hook_timeout: u64,
    /// Write metrics to this file, for the text collector of a Prometheus node exporter.
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
    /// Offer metrics at http://ADDRESS/metrics; loopback addresses only.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "once")]
    metrics_listen: Option<SocketAddr>,
    /// The number of exchanges at a time.
    #[arg(long, short = 'j', default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Seconds between two looks at the folder.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    scan: u64,
}

pub(crate) async fn run(arguments: RenewArguments, output: Output) -> Result<ExitCode, CliError> {
    let settings = DaemonSettings {
        hook: arguments.hook.map(|command| Hook {
            command,
            time_limit: Duration::from_secs(arguments.hook_timeout),
        }),
        metrics_file: arguments.metrics_file,
        jobs: arguments.jobs.into(),
        scan: Duration::from_secs(arguments.scan),
    };
    let mut daemon = Daemon::new(
        arguments.watch,
        settings,
        Arc::new(config::TomlConfigurer),
        move |event| tell(&event, output),
    );
    if arguments.once {
        let summary = daemon.run_once().await?;
        output.print(
            &format!(
                "{} valid, {} pending, {} failed",
                summary.valid, summary.pending, summary.failed
            ),
            &json!({ "summary": { "valid": summary.valid, "pending": summary.pending, "failed": summary.failed } }),
        )?;
        return Ok(match (summary.failed, summary.pending) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(super::EXIT_PENDING),
            _ => ExitCode::FAILURE,
        });
    }
    let listening = match arguments.metrics_listen {
        None => None,
        Some(address) => {
            let listener = MetricsListener::bind(address).await?;
            let url = format!("http://{}/metrics", listener.local_addr());
            output.print(&format!("metrics at {url}"), &json!({ "metrics": url }))?;
            Some(tokio::spawn(listener.run(daemon.metrics())))
        }
    };
    let stop = CancellationToken::new();
    let signals = tokio::spawn(cancel_on_signal(stop.clone())?);
    let ended = daemon.run(stop).await;
    signals.abort();
    if let Some(listening) = listening {
        listening.abort();
    }
    ended?;
    Ok(ExitCode::SUCCESS)
}

fn cancel_on_signal(stop: CancellationToken) -> Result<impl Future<Output = ()>, CliError> {
    let no_signals = |error| {
        CliError::local(
            format!("signals cannot be caught: {error}"),
            "Check the limits of the process.",
        )
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    })
}

/// One line; when the standard output is closed, the log still has it.
fn tell(event: &Event, output: Output) {
    let (text, object) = describe(&event.kind);
    let object = report::with(object, "identity", event.identity.as_str());
    let line = format!("{}: {text}", Escaped::new(&event.identity));
    if output.print(&line, &object).is_err() {
        tracing::warn!(identity = event.identity, "{text}");
    }
}

/// What is wrong, and what to do about it.
fn sentences(failure: &Failure) -> String {
    let cause = failure.cause.trim_end_matches('.');
    format!("{}. {}", Escaped::new(cause), Escaped::new(&failure.remedy))
}

fn describe(kind: &EventKind) -> (String, Value) {
    match kind {
        EventKind::Found => ("watched".to_owned(), json!({ "event": "found" })),
        EventKind::Gone => ("no longer there".to_owned(), json!({ "event": "gone" })),
        EventKind::Renewed {
            subject,
            not_after,
            version,
        } => {
            let end = rfc3339(*not_after);
            (
                format!("new certificate for {}, valid until {end}", Escaped::new(subject)),
                json!({ "event": "renewed", "subject": subject, "not_after": end, "version": version }),
            )
        }
        EventKind::AnchorsAdded(anchors) => {
            let subjects: Vec<_> = anchors.iter().map(Certificate::subject).collect();
            (
                format!(
                    "the authority has new roots, trusted from now on: {}",
                    Escaped::new(&subjects.join(", "))
                ),
                json!({ "event": "anchors-added", "certificates": anchors.iter().map(report::certificate).collect::<Vec<_>>() }),
            )
        }
        EventKind::Pending { retry_after } => (
            format!(
                "the request waits for approval; asked again in {} s",
                retry_after.as_secs()
            ),
            json!({ "event": "pending", "retry_after_seconds": retry_after.as_secs() }),
        ),
        EventKind::Failed(failure) => (
            format!("failed: {}", sentences(failure)),
            json!({ "event": "failed", "error": report::failure(failure) }),
        ),
        EventKind::FailedUntil(failure, next) => {
            let next = rfc3339(*next);
            (
                format!("failed: {} Next attempt at {next}.", sentences(failure)),
                json!({ "event": "failed", "error": report::failure(failure), "next_attempt": next }),
            )
        }
        EventKind::HookSucceeded => (
            "the hook has run".to_owned(),
            json!({ "event": "hook-succeeded" }),
        ),
        EventKind::HookFailed(failure) => (
            format!("hook failed: {}", sentences(failure)),
            json!({ "event": "hook-failed", "error": report::failure(failure) }),
        ),
    }
}

//! The report for programs.

use pki_common::clock::rfc3339;
use pki_common::{Failure, Side};
use rustls_pki_types::UnixTime;
use serde_json::{Value, json};

use super::{Check, Report};

/// One JSON object; `docs/doctor.md` lists its members.
#[must_use]
pub fn to_json(report: &Report) -> Value {
    let began = report
        .began
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let verdict = report.failure();
    json!({
        "service": report.service,
        "target": report.target,
        "began": rfc3339(UnixTime::since_unix_epoch(began)),
        "healthy": verdict.is_none(),
        "exit": report.exit_number(),
        "verdict": verdict.map(failure),
        "checks": report.checks.iter().map(check).collect::<Vec<_>>(),
    })
}

fn check(check: &Check) -> Value {
    json!({
        "name": check.name,
        "state": check.state.name(),
        "milliseconds": check.took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        "notes": check.notes,
        "facts": check.facts,
        "warnings": check.warnings.iter().map(failure).collect::<Vec<_>>(),
        "failure": check.failure.as_ref().map(failure),
    })
}

fn failure(failure: &Failure) -> Value {
    json!({
        "rung": failure.rung.to_string(),
        "refused-by": failure.refused_by.map(|side| match side {
            Side::Local => "local",
            Side::Peer => "peer",
        }),
        "alert": failure.alert.map(|alert| json!({ "number": alert.0, "name": alert.name() })),
        "known-cause": failure.known_cause.map(pki_common::KnownCause::name),
        "cause": failure.cause,
        "remedy": failure.remedy,
    })
}

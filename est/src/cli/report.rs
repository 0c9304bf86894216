//! What a command prints: lines for people, or with `--json` one JSON object (commands that report as they go: one per
//! line).
//!
//! | command | object |
//! |---|---|
//! | `cacerts` | `{"certificates": [certificate], "file": path or null, "pem": text when there is no file}` |
//! | `csrattrs` | `{"attributes": ..., "requirements": [text]}` |
//! | `csr new` | `{"key": path, "csr": path or null, "pem": text when there is no file}` |
//! | `enroll`, `reenroll` | `{"status": "issued", "certificate": certificate, "file": path, "key": path or null, "accepted": [text]}` or `{"status": "pending", "retry_after_seconds": number, "key": path or null}` |
//! | `enroll --batch` | a line per file: `{"file", "status": "issued", "pending", "skipped" or "failed", ...}`, then `{"summary": {...}}` |
//! | `serverkeygen` | as `enroll`, with `"encrypted": bool, "package_signers": [subject]`; pending: with `"request": path` instead of `key` |
//! | `cmc` | as `enroll`, with `"statuses": [status]`; pending: with `"token"`; `{"status": "refused", "statuses", "cause"}`; `{"status": "revoked", "statuses"}` |
//! | `user add`, `user remove` | a line per file: `{"user", "method", "file", "done": "added", "changed" or "removed"}`, for a new bearer token with `"token"` |
//! | `user list` | a line per entry: `{"user", "method", ...}` |
//! | `ca ...` | one object; for lists one per line |
//! | `serve` | `{"listening": URL, "revocation_lists": URL or null}`, as soon as it listens |
//! | `inspect` | `[{"file": path, "report": report}]` |
//! | `renew` | a line per event: `{"identity", "event", ...}`; with `--once` at the end `{"summary": {...}}` |
//!
//! `certificate` is `{"subject", "issuer", "serial", "not_before", "not_after", "alternative_names", "key",
//! "fingerprint_sha256"}`, times in RFC 3339. `status` is `{"status", "body_parts": [text], "fail_info", "text",
//! "token"}`, the names as in RFC 5272. A failure is `{"error": {"rung", "cause", "remedy", "known_cause": name or null,
//! "est_error": {"number", "name"} or null}}` on the standard error; in a line of a batch or an event, `error` is a
//! member of it. `est_error` is the error of libest, where it has one.

use pki_common::clock::rfc3339;
use pki_common::{Certificate, Failure, Fingerprint, HashAlgorithm, KnownCause};
use serde_json::{Value, json};

use super::CliError;
use super::files::print;

/// For whom output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Text,
    Json,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }

    pub(crate) const fn is_json(self) -> bool {
        matches!(self, Self::Json)
    }

    /// Prints the one or the other.
    pub(crate) fn print(self, text: &str, json: &Value) -> Result<(), CliError> {
        match self {
            Self::Text => print(text),
            Self::Json => print(&json.to_string()),
        }
    }
}

pub(crate) fn certificate(certificate: &Certificate) -> Value {
    let names = certificate.subject_alternative_names().iter();
    let serial: String = certificate
        .serial_number()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!({
        "subject": certificate.subject(),
        "issuer": certificate.issuer(),
        "serial": serial,
        "not_before": rfc3339(certificate.not_before()),
        "not_after": rfc3339(certificate.not_after()),
        "alternative_names": names.map(ToString::to_string).collect::<Vec<_>>(),
        "key": certificate.key_type().to_string(),
        "fingerprint_sha256": Fingerprint::of(HashAlgorithm::Sha256, certificate).to_string(),
    })
}

/// An object with one more member.
pub(crate) fn with(mut object: Value, name: &str, member: impl Into<Value>) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), member.into());
    }
    object
}

pub(crate) fn failure(failure: &Failure) -> Value {
    json!({
        "rung": failure.rung.to_string(),
        "cause": failure.cause,
        "remedy": failure.remedy,
        "known_cause": failure.known_cause.map(KnownCause::name),
        "est_error": null,
    })
}

pub(crate) fn error(error: &CliError) -> Value {
    let number = error.est_error().map(
        |number| json!({ "number": number.0, "name": number.name().map(|name| format!("EST_ERR_{name}")) }),
    );
    with(failure(error.failure()), "est_error", number)
}

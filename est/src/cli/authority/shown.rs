//! Rows and times for people and for programs.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::arguments::Status;
use crate::ca::database::{CertificateEntry, QueueEntry, RequestOrigin};

/// `2026-11-21T20:00:00Z`
pub(super) fn moment(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{seconds} s after 1970"))
}

/// Seconds since 1970 of `2026-11-21T20:00:00Z`.
pub(super) fn parse_time(text: &str) -> Result<u64, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .and_then(|moment| u64::try_from(moment.unix_timestamp()).ok())
        .ok_or_else(|| "write a time from 1970 on like 2026-11-21T20:00:00Z".to_owned())
}

/// A text that a requester chose; a terminal must not obey it.
pub(super) fn safe(text: &str) -> String {
    text.replace(char::is_control, "?")
}

pub(super) fn status(entry: &CertificateEntry, now: u64) -> Status {
    if entry.revocation.is_some() {
        Status::Revoked
    } else if entry.record.not_after < now {
        Status::Expired
    } else {
        Status::Valid
    }
}

const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Valid => "valid",
        Status::Expired => "expired",
        Status::Revoked => "revoked",
    }
}

/// Columns with tabs between them.
pub(super) fn certificate_line(entry: &CertificateEntry, now: u64) -> String {
    let record = &entry.record;
    let revoked = entry.revocation.as_ref().map_or_else(String::new, |revocation| {
        format!(" {} {}", moment(revocation.revoked_at), revocation.reason)
    });
    format!(
        "{}\t{}\t{}\t{}\t{}\t{}\t{}{revoked}",
        record.serial,
        moment(record.issued_at),
        safe(&record.origin.requester),
        record.origin.authentication,
        record.origin.address.as_deref().unwrap_or("-"),
        safe(&record.subject),
        status_name(status(entry, now)),
    )
}

pub(super) fn certificate_json(entry: &CertificateEntry, now: u64) -> Value {
    let record = &entry.record;
    let mut value = origin_json(&record.origin);
    let own = json!({
        "serial": record.serial.to_string(),
        "subject": record.subject,
        "issued_at": moment(record.issued_at),
        "not_before": moment(record.not_before),
        "not_after": moment(record.not_after),
        "status": status_name(status(entry, now)),
        "revoked_at": entry.revocation.as_ref().map(|revocation| moment(revocation.revoked_at)),
        "revocation_reason": entry.revocation.as_ref().map(|revocation| revocation.reason.to_string()),
        "revoked_by": entry.revocation.as_ref().map(|revocation| revocation.requester.clone()),
    });
    merge(&mut value, own);
    value
}

pub(super) fn queue_line(entry: &QueueEntry) -> String {
    let decided = entry.decided_at.map_or_else(String::new, |at| {
        format!(
            " {} {} {}",
            moment(at),
            safe(entry.decided_by.as_deref().unwrap_or("-")),
            safe(entry.reason.as_deref().unwrap_or_default())
        )
    });
    format!(
        "{}\t{}\t{}\t{}\t{}\t{}\t{}{decided}",
        entry.id,
        moment(entry.submitted_at),
        safe(&entry.origin.requester),
        entry.origin.authentication,
        entry.origin.label.as_deref().unwrap_or("-"),
        safe(&entry.subject),
        entry.state.name(),
    )
}

pub(super) fn queue_json(entry: &QueueEntry) -> Value {
    let mut value = origin_json(&entry.origin);
    let own = json!({
        "id": entry.id,
        "state": entry.state.name(),
        "subject": entry.subject,
        "submitted_at": moment(entry.submitted_at),
        "expires_at": moment(entry.expires_at),
        "decided_at": entry.decided_at.map(moment),
        "decided_by": entry.decided_by,
        "reason": entry.reason,
        "serial": entry.serial,
    });
    merge(&mut value, own);
    value
}

pub(super) fn origin_json(origin: &RequestOrigin) -> Value {
    json!({
        "requester": origin.requester,
        "authentication": origin.authentication,
        "address": origin.address,
        "label": origin.label,
        "operation": origin.operation,
        "channel_binding": origin.channel_binding,
        "policy": origin.policy,
    })
}

/// Adds the members of one object to another.
pub(super) fn merge(value: &mut Value, other: Value) {
    if let (Value::Object(members), Value::Object(others)) = (value, other) {
        members.extend(others);
    }
}

/// A line of comma-separated values out of a flat object (RFC 4180), and the heading that goes with it.
pub(super) fn csv(value: &Value) -> (String, String) {
    let Value::Object(members) = value else {
        return (String::new(), String::new());
    };
    let quoted = |text: &str| {
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let heading: Vec<String> = members.keys().map(|name| quoted(name)).collect();
    let line: Vec<String> = members
        .values()
        .map(|value| match value {
            Value::Null => String::new(),
            Value::String(text) => quoted(text),
            other => other.to_string(),
        })
        .collect();
    (heading.join(","), line.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_commas_and_quotes_stay_one_value() {
        let (heading, line) = csv(&json!({"a": "x,\"y\"", "b": null, "c": 7}));
        assert_eq!((heading.as_str(), line.as_str()), ("a,b,c", "\"x,\"\"y\"\"\",,7"));
    }

    #[test]
    fn reads_the_times_it_writes() {
        assert_eq!(parse_time("2026-11-21T20:00:00Z"), Ok(1_795_291_200));
        assert_eq!(moment(1_795_291_200), "2026-11-21T20:00:00Z");
        assert!(parse_time("yesterday").is_err());
        assert_eq!(safe("a\u{1b}[2J"), "a?[2J");
    }
}

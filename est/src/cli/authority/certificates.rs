//! `est ca list` and `est ca revoke`

use std::sync::Arc;

use rustls::time_provider::DefaultTimeProvider;
use serde_json::json;

use super::arguments::{ListArguments, RevokeArguments, Status};
use super::shown::{certificate_json, certificate_line, moment};
use super::{each, now, open_log, passphrase};
use crate::ca::database::{CertificateEntry, CertificateFilter, CertificateLog, SqliteLog};
use crate::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority};
use crate::ca::issuer::{CrlSettings, IssuerError};
use crate::ca::policy::IssuancePolicy;
use crate::ca::serial::SerialPrefix;
use crate::ca::{CertificateAuthority as _, Requester, RevokeRequest};
use crate::cli::CliError;
use crate::cli::files::print;
use crate::cli::report::Output;

/// How many certificates are named when a prefix fits several.
const NAMED: u32 = 5;

pub(super) fn list(arguments: &ListArguments, output: Output) -> Result<(), CliError> {
    let log = open_log(&arguments.common.dir)?;
    let now = now()?;
    let status = arguments.status;
    let filter = CertificateFilter {
        serial_prefix: checked_prefix(&arguments.serial)?,
        label: arguments.label.clone(),
        requester: arguments.requester.clone(),
        subject: arguments.subject.clone(),
        revoked: status.map(|status| status == Status::Revoked),
        not_expired_at: (status == Some(Status::Valid)).then_some(now),
        expired_at: (status == Some(Status::Expired)).then_some(now),
        issued_since: arguments.since,
    };
    each(
        &log,
        |log, after, limit| log.search(&filter, after, limit),
        |entry| entry.sequence,
        |entry| {
            if output.is_json() {
                print(&certificate_json(&entry, now).to_string())
            } else {
                print(&certificate_line(&entry, now))
            }
        },
    )
}

pub(super) fn revoke(arguments: &RevokeArguments, output: Output) -> Result<(), CliError> {
    let common = &arguments.common;
    let log = Arc::new(open_log(&common.dir)?);
    let found = the_one(&log, &arguments.serial)?;
    let request = RevokeRequest {
        serial: found.record.serial,
        reason: arguments.reason,
        invalidity_date: arguments.invalidity_date,
        requester: Requester::operator(),
        label: None,
    };
    let files = AuthorityFiles::in_folder(&common.dir);
    let passphrase = passphrase::without_asking(&files, &arguments.passphrase)?;
    let locked = passphrase.is_none() && EmbeddedCertificateAuthority::key_is_encrypted(&files)?;
    let runtime = crate::cli::runtime()?;
    let authority = if locked {
        None
    } else {
        let (clock, policy) = (Arc::new(DefaultTimeProvider), IssuancePolicy::default());
        let authority = EmbeddedCertificateAuthority::open_with(&files, passphrase.as_ref(), policy, clock)?;
        match authority.with_revocation_list(CrlSettings::default()) {
            Err(IssuerError::NotACa { .. }) => None,
            other => Some(other?),
        }
    };
    let listed = authority.is_some();
    match authority {
        Some(authority) => runtime.block_on(authority.revoke(request.clone()))?,
        None => runtime.block_on(record_only(&log, &request))?,
    }
    let next = if listed {
        " and put it on a new revocation list"
    } else if locked {
        "; a server that runs puts it on its list within a second (this command has no passphrase to do so)"
    } else {
        "; the certificate of the authority does not allow revocation lists, so there is none"
    };
    let text = format!(
        "revoked {} of {} for the reason {}{next}",
        request.serial,
        super::shown::safe(&found.record.subject),
        request.reason
    );
    let value = json!({
        "serial": request.serial.to_string(),
        "subject": found.record.subject,
        "reason": request.reason.to_string(),
        "listed": listed,
    });
    output.print(&text, &value)
}

/// Puts the revocation on record, without making a list.
async fn record_only(log: &Arc<SqliteLog>, request: &RevokeRequest) -> Result<(), CliError> {
    log.revoke(crate::ca::database::RevocationRecord {
        serial: request.serial,
        revoked_at: now()?,
        reason: request.reason,
        invalidity_date: request.invalidity_date,
        requester: request.requester.name.clone(),
        authentication: request.requester.authentication.to_string(),
        address: None,
    })
    .await?;
    Ok(())
}

/// The certificate that a prefix of a serial number fits.
fn the_one(log: &SqliteLog, prefix: &str) -> Result<CertificateEntry, CliError> {
    let filter = CertificateFilter {
        serial_prefix: checked_prefix(prefix)?,
        ..CertificateFilter::default()
    };
    let mut found = log.search(&filter, 0, NAMED)?;
    if found.len() > 1 {
        let named: Vec<String> = found
            .iter()
            .map(|entry| {
                format!(
                    "{} ({}, {})",
                    entry.record.serial,
                    super::shown::safe(&entry.record.subject),
                    moment(entry.record.issued_at)
                )
            })
            .collect();
        return Err(CliError::local(
            format!("several certificates begin with {prefix}: {}", named.join("; ")),
            "Give more digits.",
        ));
    }
    found.pop().ok_or_else(|| {
        CliError::local(
            format!("no certificate's serial number begins with {prefix}"),
            "`est ca list` lists the certificates.",
        )
    })
}

fn checked_prefix(text: &str) -> Result<String, CliError> {
    if SerialPrefix::parse(text).is_some() {
        return Ok(text.to_owned());
    }
    Err(CliError::local(
        format!("{text:?} is no serial number or beginning of one"),
        "Give up to 40 hexadecimal digits.",
    ))
}

//! Certificate revocation lists (RFC 5280, section 5).

use std::collections::BTreeMap;
use std::time::Duration;

use const_oid::ObjectIdentifier;
use der::Decode as _;
use der::asn1::GeneralizedTime;
use pki_common::clock::{distance, human_duration, rfc3339};
use rustls_pki_types::UnixTime;
use x509_cert::crl::{CertificateList, RevokedCert};
use x509_cert::time::Time;

use super::{Report, certificate, hex};
use crate::ca::RevocationReason;
use crate::wire::csr::name_with_oid;

const REASON: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
const INVALIDITY_DATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.24");

/// How many revoked certificates are listed.
const LISTED: usize = 20;

pub(super) fn inspect(bytes: &[u8], now: UnixTime) -> Report {
    let report = Report::new("certificate revocation list", "DER");
    let list = match CertificateList::from_der(bytes) {
        Ok(list) => list.tbs_cert_list,
        Err(error) => return report.with_problem(format!("it cannot be read: {error}")),
    };
    let revoked = list.revoked_certificates.unwrap_or_default();
    let rows = revoked.iter().take(LISTED).map(entry).collect();
    let mut report = report
        .with("issuer", list.issuer.to_string())
        .with("this update", rfc3339(moment(&list.this_update)))
        .with("signature algorithm", name_with_oid(&list.signature.oid))
        .with("revoked certificates", revoked.len().to_string())
        .with_list("reasons", reasons(&revoked))
        .with_list("the first of them", rows);
    let extensions = list.crl_extensions.unwrap_or_default();
    let value = |oid: &str| {
        let mut found = extensions
            .iter()
            .filter(|extension| extension.extn_id.to_string() == oid);
        found
            .next()
            .map(|extension| certificate::meaning(oid, extension.extn_value.as_bytes()))
    };
    for (name, oid) in [
        ("CRL number", "2.5.29.20"),
        ("delta to CRL number", "2.5.29.27"),
        ("issuing distribution point", "2.5.29.28"),
        ("freshest CRL", "2.5.29.46"),
    ] {
        if let Some(value) = value(oid) {
            report = report.with(name, value);
        }
    }
    report = report.with_list(
        "extensions",
        extensions.iter().map(certificate::describe).collect(),
    );
    match list.next_update {
        None => report.with_problem("it does not say when the next one comes (RFC 5280 section 5.1.2.5)"),
        Some(next) => {
            let next = moment(&next);
            let report = report.with("next update", rfc3339(next));
            if next < now {
                let since = human_duration(distance(next, now));
                report.with_problem(format!("it ended {since} ago"))
            } else {
                report
            }
        }
    }
}

/// Serial number, time, reason, and since when the key is suspected.
fn entry(one: &RevokedCert) -> String {
    let mut line = format!(
        "{} at {}",
        hex(one.serial_number.as_bytes()),
        rfc3339(moment(&one.revocation_date))
    );
    for extension in one.crl_entry_extensions.iter().flatten() {
        let value = extension.extn_value.as_bytes();
        // An ENUMERATED of one octet.
        let told = match extension.extn_id {
            REASON => value.get(2).map(|reason| RevocationReason(*reason).to_string()),
            INVALIDITY_DATE => GeneralizedTime::from_der(value).ok().map(|time| {
                format!(
                    "invalid since {}",
                    rfc3339(UnixTime::since_unix_epoch(time.to_unix_duration()))
                )
            }),
            _ => None,
        };
        line.push_str(", ");
        line.push_str(&told.unwrap_or_else(|| certificate::describe(extension)));
    }
    line
}

/// How many were revoked for each reason. Those that say none are "unspecified" (RFC 5280 section 5.3.1).
fn reasons(revoked: &[RevokedCert]) -> Vec<String> {
    let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
    for one in revoked {
        let mut extensions = one.crl_entry_extensions.iter().flatten();
        let reason = extensions.find(|extension| extension.extn_id == REASON);
        let reason = reason.and_then(|extension| extension.extn_value.as_bytes().get(2).copied());
        *counts.entry(reason.unwrap_or_default()).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(reason, count)| format!("{}: {count}", RevocationReason(reason)))
        .collect()
}

fn moment(time: &Time) -> UnixTime {
    let since: Duration = time.to_unix_duration();
    UnixTime::since_unix_epoch(since)
}

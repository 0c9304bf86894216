//! Certificate revocation lists (RFC 5280, section 5).

use std::time::Duration;

use der::Decode as _;
use pki_common::clock::{distance, human_duration, rfc3339};
use rustls_pki_types::UnixTime;
use x509_cert::crl::CertificateList;
use x509_cert::time::Time;

use super::{Report, certificate, hex};
use crate::wire::csr::name_with_oid;

/// How many revoked certificates are listed.
const LISTED: usize = 20;

pub(super) fn inspect(bytes: &[u8], now: UnixTime) -> Report {
    let report = Report::new("certificate revocation list", "DER");
    let list = match CertificateList::from_der(bytes) {
        Ok(list) => list.tbs_cert_list,
        Err(error) => return report.with_problem(format!("it cannot be read: {error}")),
    };
    let revoked = list.revoked_certificates.unwrap_or_default();
    let rows = revoked
        .iter()
        .take(LISTED)
        .map(|one| {
            format!(
                "{} at {}",
                hex(one.serial_number.as_bytes()),
                rfc3339(moment(&one.revocation_date))
            )
        })
        .collect();
    let mut report = report
        .with("issuer", list.issuer.to_string())
        .with("this update", rfc3339(moment(&list.this_update)))
        .with("signature algorithm", name_with_oid(&list.signature.oid))
        .with("revoked certificates", revoked.len().to_string())
        .with_list("the first of them", rows);
    let extensions = list.crl_extensions.unwrap_or_default();
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

fn moment(time: &Time) -> UnixTime {
    let since: Duration = time.to_unix_duration();
    UnixTime::since_unix_epoch(since)
}

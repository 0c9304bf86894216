//! CMS messages: certs-only, signed, enveloped.

use pki_common::Certificate;
use rustls_pki_types::UnixTime;

use super::{Report, certificate, signed};
use crate::wire::asn1::{Reader, Rules};
use crate::wire::certs_only::{self, CertsOnlyLimits};
use crate::wire::cms::enveloped_data::EnvelopedData;
use crate::wire::cms::{
    self, CmsLimits, ID_DATA, ID_ENVELOPED_DATA, ID_SIGNED_DATA, signed_data::SignedData,
};
use crate::wire::csr::name_with_oid;

pub(super) fn inspect(bytes: &[u8], now: UnixTime) -> Report {
    let limits = CmsLimits::default();
    let content_type = match cms::content_type(bytes, &limits) {
        Ok(content_type) => content_type,
        Err(error) => {
            return Report::new("CMS message", "DER").with_problem(format!("it cannot be read: {error}"));
        }
    };
    let report = Report::new("CMS message", "DER").with("content type", name_with_oid(&content_type));
    if content_type == ID_ENVELOPED_DATA {
        let report = Report {
            kind: "enveloped message",
            ..report.with("content", "encrypted: only the recipient's key opens it")
        };
        return enveloped(report, bytes, &limits);
    }
    if content_type != ID_SIGNED_DATA {
        return report.with_problem("it is neither signed nor enveloped data");
    }
    let read = match SignedData::parse(bytes, &limits) {
        Ok(signed) => signed,
        // A reader of certs-only messages bears more than one of signatures.
        Err(error) => return certificates(bytes, report, Some(error.to_string()), now),
    };
    if read.signers().is_empty() && (read.content().is_none() || read.content_type() == ID_DATA) {
        return certificates(bytes, report, None, now);
    }
    let report = signed::describe(report, &read);
    let mut report = if read.certificates().is_empty() {
        report.with("certificates", "0")
    } else {
        certificates(bytes, report, None, now)
    };
    report.kind = signed::kind_of(&read);
    report
}

/// Who can open it, and how it is encrypted.
fn enveloped(report: Report, bytes: &[u8], limits: &CmsLimits) -> Report {
    match EnvelopedData::parse(bytes, limits) {
        Ok(enveloped) => report
            .with("content type inside", name_with_oid(&enveloped.content_type()))
            .with(
                "content encryption",
                name_with_oid(&enveloped.content_algorithm()),
            )
            .with(
                "encrypted content",
                format!("{} bytes", enveloped.encrypted_length()),
            )
            .with_list("recipients", enveloped.recipients_described()),
        Err(error) => report.with_problem(format!("it cannot be read: {error}")),
    }
}

fn certificates(bytes: &[u8], report: Report, unsigned: Option<String>, now: UnixTime) -> Report {
    let mut report = Report {
        kind: "certs-only message",
        ..report
    };
    if !is_der(bytes) {
        report = report.with(
            "lengths",
            "BER: some are indefinite or longer than needed; many readers refuse that",
        );
    }
    match certs_only::decode(bytes, &CertsOnlyLimits::default()) {
        Ok(found) => {
            report = report.with("certificates", found.len().to_string());
            if found.is_empty() {
                report = report.with_problem("there is no certificate in it");
            }
            let read: Vec<_> = found
                .iter()
                .filter_map(|der| Certificate::from_der(der).ok())
                .collect();
            report.problems.extend(certificate::among(&read));
            report
                .parts
                .extend(found.iter().map(|der| certificate::inspect(der, now)));
        }
        Err(error) => report = report.with_problem(format!("its certificates cannot be read: {error}")),
    }
    match unsigned {
        Some(error) if report.parts.is_empty() => report.with_problem(error),
        _ => report,
    }
}

/// Whether the outer elements have lengths as DER has them.
fn is_der(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes, Rules::Der);
    let outer = reader.sequence("message");
    outer.is_ok_and(|outer| {
        let mut inner = outer.reader(Rules::Der);
        while !inner.is_empty() {
            if inner.any("element").is_err() {
                return false;
            }
        }
        true
    })
}

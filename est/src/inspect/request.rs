//! Certification requests (PKCS #10).

use pki_common::signature::SignaturePolicy;
use pki_common::{HashAlgorithm, KeyHash};

use super::{Report, certificate};
use crate::wire::csr::{CsrLimits, UnverifiedCsr, name_with_oid};

/// A channel binding is this long at least: base64 of the 12 bytes of tls-unique.
const SHORTEST_BINDING: usize = 16;

pub(super) fn inspect(bytes: &[u8]) -> Report {
    let report = Report::new("certification request", "DER");
    let unverified = match UnverifiedCsr::from_der(bytes, &CsrLimits::default()) {
        Ok(unverified) => unverified,
        Err(error) => return report.with_problem(format!("it cannot be read: {error}")),
    };
    with_contents(report, unverified, "attributes")
}

/// What a request says in either syntax; what PKCS #10 calls attributes, CRMF calls controls.
pub(super) fn with_contents(
    report: Report,
    unverified: UnverifiedCsr,
    attributes_name: &'static str,
) -> Report {
    let contents = unverified.unverified_contents();
    let key = contents.public_key();
    let subject = if contents.subject_is_empty() {
        "(empty)"
    } else {
        contents.subject_text()
    };
    let hash = |algorithm| KeyHash::of_spki(algorithm, key.spki_der()).to_string();
    let extensions: Vec<_> = contents
        .requested_extensions()
        .iter()
        .map(|extension| {
            let critical = if extension.critical { ", critical" } else { "" };
            let value = certificate::meaning(&extension.oid.to_string(), &extension.value);
            format!("{}{critical}: {value}", extension.display_name())
        })
        .collect();
    let attributes: Vec<_> = contents
        .attributes()
        .iter()
        .map(|attribute| name_with_oid(&attribute.oid))
        .collect();
    let names_there = extensions.iter().any(|line| line.starts_with("subjectAltName"));
    let mut report = report
        .with("subject", subject)
        .with("key", key.kind().to_string())
        .with("key hash SHA-1", hash(HashAlgorithm::Sha1))
        .with("key hash SHA-256", hash(HashAlgorithm::Sha256))
        .with_list(attributes_name, attributes)
        .with_list("requested extensions", extensions.clone())
        .with(
            "challengePassword",
            // A secret, or the proof of possession: how long it is says which, and that is all that is told.
            match contents.challenge_password() {
                None => "absent".to_owned(),
                Some(password) => describe_password(password.expose()),
            },
        );
    if contents.subject_is_empty() && !names_there {
        report = report.with_problem("it has neither a subject nor a subject alternative name");
    }
    if extensions
        .iter()
        .any(|line| line.starts_with("basicConstraints") && line.ends_with(": CA"))
    {
        report = report.with_problem("it asks to become a certificate authority");
    }
    if let Some(problem) = certificate::weak_key(&key.kind().to_string()) {
        report = report.with_problem(problem);
    }
    match unverified.verify(&SignaturePolicy::strict()) {
        Ok(_) => report.with("signature", "made by the key of the request, and right"),
        Err(error) => report
            .with("signature", "not accepted")
            .with_problem(error.to_string()),
    }
}

fn describe_password(password: &str) -> String {
    let base64 = |length: &usize| *length >= SHORTEST_BINDING && length.is_multiple_of(4);
    let looks_bound = Some(password.len()).filter(base64).is_some_and(|_| {
        password
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    });
    let guess = match (looks_bound, password.len()) {
        (true, 16) => ", by its form a tls-unique channel binding",
        (true, 44) => ", by its form a tls-exporter channel binding",
        (true, 48) => ", by its form a tls-unique channel binding of 36 bytes",
        _ => ", by its form a password",
    };
    format!("present, {} characters{guess}", password.len())
}

//! Signed messages: who signed, whether the signatures are right, and what is inside.

use pki_common::signature::SignaturePolicy;

use super::{Report, cmc};
use crate::wire::cmc::{ID_CCT_PKI_DATA, ID_CCT_PKI_RESPONSE};
use crate::wire::cms::signed_data::{SignedData, SignerInfo};
use crate::wire::csr::name_with_oid;
use crate::wire::server_key::ID_ASYMMETRIC_KEY_PACKAGE;

/// What kind of message it is, by its content.
pub(super) fn kind_of(signed: &SignedData) -> &'static str {
    match signed.content_type() {
        ID_CCT_PKI_DATA => "CMC request message",
        ID_CCT_PKI_RESPONSE => "CMC response message",
        _ => "signed message",
    }
}

/// Signers and content.
pub(super) fn describe(report: Report, signed: &SignedData) -> Report {
    let signers = signed.signers();
    let report = report
        .with("signers", signers.len().to_string())
        .with_list("signed by", signers.iter().map(signer).collect())
        .with("signed content type", name_with_oid(&signed.content_type()));
    let Some(content) = signed.content() else {
        return report.with("signed content", "not in the message");
    };
    let mut report = with_signature(
        report.with("signed content", format!("{} bytes", content.len())),
        signed,
    );
    match signed.content_type() {
        ID_CCT_PKI_DATA => report.parts.push(cmc::request(content)),
        ID_CCT_PKI_RESPONSE => report.parts.push(cmc::response(content)),
        ID_ASYMMETRIC_KEY_PACKAGE => {
            report = report.with("key package", "private keys (RFC 5958), not shown");
        }
        _ => {}
    }
    report
}

fn signer(signer: &SignerInfo) -> String {
    match signer.digest_algorithm() {
        Ok(digest) => format!("{}, {digest}", signer.identifier()),
        Err(error) => format!("{}, {error}", signer.identifier()),
    }
}

/// Whether the signatures are right, not whether their makers are trusted.
fn with_signature(report: Report, signed: &SignedData) -> Report {
    let [first, ..] = signed.signers() else {
        return report.with("signature", "there is none");
    };
    match signed.verify(&[], SignaturePolicy::strict()) {
        Ok(signers) => {
            let names: Vec<&str> = signers
                .iter()
                .map(|signer| signer.certificate.subject())
                .collect();
            report.with("signature", format!("right, made by {}", names.join(" and ")))
        }
        Err(error) => match cmc::signed_by_request_key(signed, first) {
            Some(Ok(())) => report.with("signature", "right, made by the key of a request in it"),
            Some(Err(problem)) => report.with_problem(problem),
            None => report.with_problem(format!("its signature cannot be confirmed: {error}")),
        },
    }
}

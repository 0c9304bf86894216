//! CMC: what PKIData and PKIResponse hold (RFC 5272), without the secrets and what could be guessed against them.

use const_oid::ObjectIdentifier;
use pki_common::clock::rfc3339;
use pki_common::signature::SignaturePolicy;
use rustls_pki_types::UnixTime;
use std::time::Duration;

use super::{Report, hex, request};
use crate::ca::RevocationReason;
use crate::wire::asn1::{Reader, Rules, tag};
use crate::wire::cmc::{
    BodyPartReference, CertificateRequestMessage, CmcLimits, CmcStatusInfo, Control, MacProof,
    OtherStatusInfo, PkiData, PkiResponse, ProofOfPossession, TaggedAttribute, TaggedRequest, oid,
};
use crate::wire::cms::signed_data::{SignedData, SignerInfo};
use crate::wire::csr::{CsrLimits, UnverifiedCsr, name_with_oid, subject_text_of};

/// A PKIData that stands alone or in a message.
pub(super) fn request(content: &[u8]) -> Report {
    let report = Report::new("CMC request", "DER");
    let data = match PkiData::from_der(content, &CmcLimits::default()) {
        Ok(data) => data,
        Err(error) => return report.with_problem(format!("it cannot be read: {error}")),
    };
    let mut report = report
        .with("controls", data.controls().len().to_string())
        .with("requests", data.requests().len().to_string());
    report = others(report, data.messages().len(), data.others().len());
    report.parts.extend(data.controls().iter().map(control));
    report.parts.extend(data.requests().iter().map(tagged_request));
    report
}

/// A PKIResponse that stands alone or in a message.
pub(super) fn response(content: &[u8]) -> Report {
    let report = Report::new("CMC response", "DER");
    let response = match PkiResponse::from_der(content, &CmcLimits::default()) {
        Ok(response) => response,
        Err(error) => return report.with_problem(format!("it cannot be read: {error}")),
    };
    let statuses = response.statuses().unwrap_or_default();
    let mut report = report
        .with("controls", response.controls.len().to_string())
        .with_list("statuses", statuses.iter().map(status_line).collect());
    if statuses.is_empty() {
        report = report.with_problem("it has no status, so it does not say what became of the request");
    }
    report = others(report, response.messages.len(), response.others.len());
    report.parts.extend(response.controls.iter().map(control));
    report
}

fn others(report: Report, messages: usize, others: usize) -> Report {
    match (messages, others) {
        (0, 0) => report,
        _ => report
            .with("CMS messages inside", messages.to_string())
            .with("other messages inside", others.to_string()),
    }
}

/// `body part 1: failed (badRequest): text`
fn status_line(status: &CmcStatusInfo) -> String {
    format!("body part {}: {status}", parts(&status.body_list))
}

fn parts(parts: &[BodyPartReference]) -> String {
    let parts: Vec<String> = parts.iter().map(BodyPartReference::to_string).collect();
    parts.join(", ")
}

fn control(attribute: &TaggedAttribute) -> Report {
    let report = Report::new("CMC control", "DER")
        .with("body part", attribute.id.to_string())
        .with("control", oid::display(&attribute.oid));
    match attribute.control() {
        Ok(control) => with_meaning(report, &control),
        Err(error) => report.with_problem(format!("it cannot be read: {error}")),
    }
}

fn with_meaning(report: Report, control: &Control) -> Report {
    match control {
        Control::StatusInfo(status) | Control::StatusInfoV2(status) => with_status(report, status),
        Control::Identification(name) => report.with("identification", name.clone()),
        // Whoever has it can try secrets against it.
        Control::IdentityProof(proof) => report
            .with("proof", format!("present, {} bytes, not shown", proof.len()))
            .with("algorithms", "SHA-1, HMAC with SHA-1"),
        Control::IdentityProofV2(proof) => with_mac_proof(report, proof),
        Control::PopLinkWitnessV2(proof) => with_mac_proof(report, proof),
        Control::PopLinkWitness(witness) => {
            report.with("proof", format!("present, {} bytes, not shown", witness.len()))
        }
        Control::TransactionId(number) => report.with("transaction id", hex(number)),
        Control::SenderNonce(nonce) | Control::RecipientNonce(nonce) => report.with("nonce", hex(nonce)),
        Control::DataReturn(octets)
        | Control::RegInfo(octets)
        | Control::ResponseInfo(octets)
        | Control::PopLinkRandom(octets) => report.with("data", format!("{} bytes", octets.len())),
        Control::QueryPending(token) => with_token(report, token),
        Control::LraPopWitness(witness) => report.with("message", witness.message.to_string()).with_list(
            "requests",
            witness.requests.iter().map(ToString::to_string).collect(),
        ),
        Control::RevokeRequest(request) => {
            let mut report = report
                .with("issuer", subject_text_of(&request.issuer))
                .with("serial number", hex(&request.serial))
                .with(
                    "reason",
                    RevocationReason(u8::try_from(request.reason).unwrap_or(u8::MAX)).to_string(),
                );
            if let Some(since) = request.invalidity_date {
                report = report.with("invalid since", time(since));
            }
            if request.shared_secret.is_some() {
                report = report.with("shared secret", "present, not shown");
            }
            match &request.comment {
                Some(comment) => report.with("comment", comment.clone()),
                None => report,
            }
        }
        Control::ConfirmCertAcceptance(certificate) => report
            .with("issuer", subject_text_of(&certificate.issuer))
            .with("serial number", hex(&certificate.serial)),
        Control::BatchRequests(ids) | Control::BatchResponses(ids) => {
            report.with_list("body parts", ids.iter().map(ToString::to_string).collect())
        }
        Control::ControlProcessed(list) => report.with("body parts", parts(list)),
        Control::Other { values, .. } => {
            report.with_list("values", values.iter().map(|value| hex(value)).collect())
        }
    }
}

fn with_status(report: Report, status: &CmcStatusInfo) -> Report {
    let mut report = report
        .with("status", status.status.to_string())
        .with("about", parts(&status.body_list));
    if let Some(text) = &status.text {
        report = report.with("text", text.clone());
    }
    match &status.other {
        None => report,
        Some(OtherStatusInfo::Fail(reason)) => report.with("failInfo", reason.to_string()),
        Some(OtherStatusInfo::ExtendedFail { oid, value }) => report
            .with("extended failInfo", name_with_oid(oid))
            .with("code", hex(value)),
        Some(OtherStatusInfo::Pend(info)) => with_token(
            report.with("pendInfo", format!("ask again at {}", time(info.time))),
            &info.token,
        ),
    }
}

/// A token means something to the server that made it alone; our own are the request itself.
fn with_token(report: Report, token: &[u8]) -> Report {
    let mut report = report.with("token", hex(token));
    if let Ok(request) = TaggedRequest::from_der(token)
        && !matches!(request, TaggedRequest::Other(_))
    {
        report.parts.push(tagged_request(&request));
    }
    report
}

fn with_mac_proof(report: Report, proof: &MacProof) -> Report {
    let algorithm = |der: &[u8]| {
        let identifier = Reader::new(der, Rules::Ber).sequence("algorithm").ok();
        let oid: Option<ObjectIdentifier> = identifier.and_then(|element| {
            let mut reader = element.reader(Rules::Ber);
            let oid = reader
                .expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", "algorithm")
                .ok()?;
            oid.object_identifier("algorithm").ok()
        });
        oid.map_or_else(|| hex(der), |oid| name_with_oid(&oid))
    };
    report
        .with(
            "proof",
            format!("present, {} bytes, not shown", proof.witness.len()),
        )
        .with("hash of the secret", algorithm(&proof.key_algorithm))
        .with("mac", algorithm(&proof.mac_algorithm))
}

fn tagged_request(request: &TaggedRequest) -> Report {
    let id = request.id().to_string();
    let mut report = match request {
        TaggedRequest::Pkcs10 { request, .. } => request::inspect(request),
        TaggedRequest::Crmf(message) => crmf(message),
        TaggedRequest::Other(other) => Report::new("certification request of another kind", "DER")
            .with("type", name_with_oid(&other.oid)),
    };
    report.facts.insert(0, super::Fact::one("body part", id));
    report
}

/// A request in the syntax of RFC 4211 that stands alone.
pub(super) fn crmf_message(bytes: &[u8]) -> Report {
    match CertificateRequestMessage::from_der(bytes) {
        Ok(message) => crmf(&message),
        Err(error) => Report::new("CRMF certification request", "DER")
            .with_problem(format!("it cannot be read: {error}")),
    }
}

/// RFC 4211 section 3: several of them; `openssl cmp` writes one in such a list.
pub(super) fn crmf_messages(bytes: &[u8]) -> Report {
    let mut report = Report::new("CRMF certification requests", "DER");
    let mut reader = Reader::new(bytes, Rules::Ber);
    let Ok(list) = reader.sequence("CertReqMessages") else {
        return report.with_problem("it is no list of requests");
    };
    let mut list = list.reader(Rules::Ber);
    while !list.is_empty() {
        match list.sequence("CertReqMsg") {
            Ok(message) => report.parts.push(crmf_message(message.raw)),
            Err(error) => return report.with_problem(error.to_string()),
        }
    }
    report
}

fn crmf(message: &CertificateRequestMessage) -> Report {
    let proof = match message.proof_of_possession() {
        ProofOfPossession::Absent => "absent",
        ProofOfPossession::RaVerified => "a registration authority vouches for it (raVerified)",
        ProofOfPossession::Signature => "by signature",
        ProofOfPossession::KeyEncipherment => "by decryption (keyEncipherment)",
        ProofOfPossession::KeyAgreement => "by key agreement (keyAgreement)",
    };
    let mut report = Report::new("CRMF certification request", "DER")
        .with("certReqId", message.id().to_string())
        .with("proof of possession", proof);
    if message.has_reg_info() {
        report = report.with(
            "regInfo",
            "present, which CMC forbids (RFC 5272 section 3.2.1.2.2)",
        );
    }
    if message.proof_of_possession() != ProofOfPossession::Signature {
        return report;
    }
    match message.to_request(&CsrLimits::default()) {
        Ok(contents) => request::with_contents(report, contents, "controls"),
        Err(error) => report.with_problem(format!("its template cannot be read: {error}")),
    }
}

/// What a signer without a certificate in the message is: the key of a request in it (RFC 5272 section 4.2), or one
/// that is not here. `None` when no request has the key.
pub(super) fn signed_by_request_key(signed: &SignedData, signer: &SignerInfo) -> Option<Result<(), String>> {
    let data = PkiData::from_der(signed.content()?, &CmcLimits::default()).ok()?;
    let candidates = data.requests().iter().filter_map(|request| match request {
        TaggedRequest::Pkcs10 { request, .. } => UnverifiedCsr::from_der(request, &CsrLimits::default()).ok(),
        TaggedRequest::Crmf(message) => message.to_request(&CsrLimits::default()).ok(),
        TaggedRequest::Other(_) => None,
    });
    let mut keys = candidates.map(|csr| csr.unverified_contents().public_key().spki_der().to_vec());
    let key = keys.find(|spki| signer.identifier().names_key(spki))?;
    let outcome = signed.verify_signer(signer, &key, SignaturePolicy::strict());
    Some(outcome.map_err(|error| error.to_string()))
}

fn time(seconds: u64) -> String {
    rfc3339(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

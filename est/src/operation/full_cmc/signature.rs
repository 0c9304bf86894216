//! Who signed a Full PKI Request (RFC 5272 section 3.2).

use pki_common::Certificate;
use pki_common::trust_store::Usage;

use super::requests::UNKNOWN_TOKEN;
use super::{Exchange, FullCmcSettings, requests};
use crate::wire::cmc::{BodyPartId, CmcFailInfo, CmcStatusInfo, Control, PkiData, TaggedRequest, oid};
use crate::wire::cms::CertificateIdentifier;
use crate::wire::cms::signed_data::{SignedData, SignerInfo};
use crate::wire::csr::CertificationRequest;

/// The signer.
#[derive(Debug)]
pub(super) enum SignedBy {
    /// The holder of a certificate that the label accepts.
    Certificate(Certificate),
    /// The key of a request in the message, which has no certificate yet.
    RequestKey,
    /// Nobody.
    Nobody,
}

const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";

/// Checks every signature of the message.
pub(super) fn verify(
    exchange: &Exchange<'_>,
    signed: &SignedData,
    data: &PkiData,
) -> Result<SignedBy, CmcStatusInfo> {
    let failed = |reason, text: String| CmcStatusInfo::failed(&[BodyPartId::WHOLE], reason, text);
    let signer = match signed.signers() {
        [] => return Ok(SignedBy::Nobody),
        [signer] if is_request_key(signed, signer) => signer,
        _ => return by_certificates(exchange, signed),
    };
    // RFC 5272 section 3.2: the request with the key names it by a subjectKeyIdentifier, and so does the signer.
    for candidate in candidates(exchange, data) {
        if names(signer.identifier(), &candidate) {
            return signed
                .verify_signer(
                    signer,
                    candidate.public_key().spki_der(),
                    exchange.service.settings.verification,
                )
                .map(|()| SignedBy::RequestKey)
                .map_err(|error| failed(CmcFailInfo::BAD_MESSAGE_CHECK, error.to_string()));
        }
    }
    if let Some(id) = unreadable_token(data) {
        return Err(CmcStatusInfo::failed(
            &[id],
            CmcFailInfo::BAD_REQUEST,
            UNKNOWN_TOKEN,
        ));
    }
    let text = format!(
        "the signer with {} has no certificate in the message, and no request in it has this key",
        signer.identifier()
    );
    Err(failed(CmcFailInfo::BAD_MESSAGE_CHECK, text))
}

/// Whether the signer names a key, and no certificate in the message has it.
fn is_request_key(signed: &SignedData, signer: &SignerInfo) -> bool {
    matches!(
        signer.identifier(),
        CertificateIdentifier::SubjectKeyIdentifier(_)
    ) && !signed.certificates().iter().any(|der| {
        Certificate::from_der(der).is_ok_and(|certificate| signer.identifier().names(&certificate))
    })
}

/// The requests whose keys may have signed: those of the message, and those behind the tokens of its queries.
fn candidates(exchange: &Exchange<'_>, data: &PkiData) -> Vec<CertificationRequest> {
    let queried = data
        .controls()
        .iter()
        .filter(|control| control.oid == oid::QUERY_PENDING)
        .filter_map(|control| match control.control() {
            Ok(Control::QueryPending(token)) => TaggedRequest::from_der(&token).ok(),
            _ => None,
        });
    data.requests()
        .iter()
        .cloned()
        .chain(queried)
        .filter_map(|request| requests::read(exchange, &request).ok())
        .map(|csr| csr.unverified_contents().clone())
        .collect()
}

/// A query whose token was not made here: nothing in it tells the key that may have signed.
fn unreadable_token(data: &PkiData) -> Option<BodyPartId> {
    data.controls()
        .iter()
        .filter(|control| control.oid == oid::QUERY_PENDING)
        .find(|control| match control.control() {
            Ok(Control::QueryPending(token)) => TaggedRequest::from_der(&token)
                .map_or(true, |request| matches!(request, TaggedRequest::Other(_))),
            _ => false,
        })
        .map(|control| control.id)
}

/// By the identifier that the request asks for in its extension, or the one that RFC 5280 computes.
fn names(identifier: &CertificateIdentifier, request: &CertificationRequest) -> bool {
    let CertificateIdentifier::SubjectKeyIdentifier(wanted) = identifier else {
        return false;
    };
    let requested = request.requested_extensions().iter().any(|extension| {
        // extnValue holds an OCTET STRING.
        extension.oid.to_string() == SUBJECT_KEY_IDENTIFIER
            && extension.value.get(2..) == Some(wanted.as_slice())
    });
    requested || identifier.names_key(request.public_key().spki_der())
}

fn by_certificates(exchange: &Exchange<'_>, signed: &SignedData) -> Result<SignedBy, CmcStatusInfo> {
    let failed = |reason, text: String| CmcStatusInfo::failed(&[BodyPartId::WHOLE], reason, text);
    let policy = exchange.service.settings.verification;
    let signers = signed
        .verify(&[], policy)
        .map_err(|error| failed(CmcFailInfo::BAD_MESSAGE_CHECK, error.to_string()))?;
    let now = exchange.settings.clock.current_time().ok_or_else(|| {
        let text = "this server does not know the time";
        failed(CmcFailInfo::INTERNAL_CA_ERROR, text.to_owned())
    })?;
    let FullCmcSettings {
        anchors, revocation, ..
    } = exchange.settings;
    for signer in &signers {
        let (certificate, others) = (&signer.certificate, signed.certificates());
        let valid = match revocation {
            None => anchors.validate(certificate, others, Usage::Client, now),
            Some(lists) => anchors.validate_unrevoked(certificate, others, Usage::Client, now, lists),
        };
        valid.map_err(|error| {
            let text = format!("the signer's certificate is not accepted: {error}");
            failed(CmcFailInfo::BAD_IDENTITY, text)
        })?;
    }
    match signers.into_iter().next() {
        Some(signer) => Ok(SignedBy::Certificate(signer.certificate)),
        None => Ok(SignedBy::Nobody),
    }
}

//! The control `revokeRequest` (RFC 5272 section 6.11).

use pki_common::Certificate;

use super::identity::Identification;
use super::signature::SignedBy;
use super::{Exchange, requests};
use crate::ca::serial::SerialNumber;
use crate::ca::{RevocationReason, RevokeRequest};
use crate::operation::registrar::is_registrar;
use crate::wire::cmc::{BodyPartId, CmcFailInfo, CmcStatusInfo, RevokeRequestControl};

/// Revokes a certificate for its holder or a registrar, who has signed the request.
pub(super) async fn revoke(
    exchange: &Exchange<'_>,
    request: &RevokeRequestControl,
    id: BodyPartId,
    signed_by: &SignedBy,
    identification: &Identification<'_>,
) -> CmcStatusInfo {
    let failed = |reason, text: &str| CmcStatusInfo::failed(&[id], reason, text);
    if !exchange.settings.allow_revocation {
        return CmcStatusInfo::no_support(&[id], "revocation by CMC is not enabled for this label");
    }
    let SignedBy::Certificate(signer) = signed_by else {
        let text = "a revocation must be signed with the certificate itself or by a registrar";
        return failed(CmcFailInfo::BAD_IDENTITY, text);
    };
    let registrar = exchange.settings.accept_registrars && is_registrar(signer);
    if !registrar && !is_the_signers(request, signer) {
        let text = "the certificate to be revoked is not the one that signed the request";
        return failed(CmcFailInfo::BAD_IDENTITY, text);
    }
    match exchange.service.authority.ca_certificates().await {
        Ok(certificates) if is_issuer(certificates.first(), &request.issuer) => {}
        Ok(_) => {
            let text = "the certificate was not issued by this authority";
            return failed(CmcFailInfo::BAD_CERT_ID, text);
        }
        Err(error) => return requests::refusal(id, error),
    }
    let Some(serial) = SerialNumber::from_bytes(magnitude(&request.serial)) else {
        return failed(
            CmcFailInfo::BAD_CERT_ID,
            "no certificate of this authority has this serial number",
        );
    };
    let reason = RevocationReason(u8::try_from(request.reason).unwrap_or(u8::MAX));
    if !reason.fits_a_full_crl() {
        let text = "the reason is none of RFC 5280 section 5.3.1 for a whole CRL";
        return failed(CmcFailInfo::BAD_REQUEST, text);
    }
    let asked = RevokeRequest {
        serial,
        reason,
        invalidity_date: request.invalidity_date,
        requester: identification.requester.clone(),
        label: exchange.request.route.label.clone(),
    };
    match exchange.service.authority.revoke(asked).await {
        Ok(()) => CmcStatusInfo::success(&[id]),
        Err(error) => requests::refusal(id, error),
    }
}

fn is_the_signers(request: &RevokeRequestControl, signer: &Certificate) -> bool {
    request.issuer == signer.issuer_der() && magnitude(&request.serial) == magnitude(signer.serial_number())
}

/// Whether the authority's own certificate has this subject. What stands above it has issued nothing that is on record
/// here, and the same serial number may be there for another certificate.
fn is_issuer(own: Option<&rustls_pki_types::CertificateDer<'_>>, issuer: &[u8]) -> bool {
    own.and_then(|der| Certificate::from_der(der).ok())
        .is_some_and(|certificate| certificate.subject_der() == issuer)
}

/// An INTEGER's octets without the leading zeros.
fn magnitude(octets: &[u8]) -> &[u8] {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    octets.get(zeros..).unwrap_or_default()
}

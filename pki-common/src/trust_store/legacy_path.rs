//! Paths of old certificates, which rustls-webpki refuses: SHA-1, X.509 version 1, RSA-1024.
//!
//! Only for callers that accept such certificates by a `dangerous_` name. The walk is simpler than that of
//! rustls-webpki and stricter: one issuer at a time, and a critical extension it does not know ends it.

use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::extensions::{check_extensions_known, has_name_constraints};
use super::purpose::check_purpose;
use super::validate::{Strength, check_strength, check_window};
use super::{TrustError, Usage};
use crate::certificate::Certificate;
use crate::signature::SignaturePolicy;

/// Most intermediates between a peer's certificate and an anchor. Vendors' old hierarchies have one or
/// two; each costs a signature check that the peer asks for.
const MAX_INTERMEDIATES: usize = 5;

/// One search for a path.
pub(super) struct LegacyPath<'a> {
    pub(super) anchors: &'a [Certificate],
    pub(super) usage: Usage,
    pub(super) now: UnixTime,
    pub(super) policy: SignaturePolicy,
}

impl LegacyPath<'_> {
    /// The path from the peer's certificate to the anchor, both included; `None` when no path of valid signatures
    /// reaches an anchor.
    pub(super) fn validate(
        &self,
        end_entity: &Certificate,
        intermediates: &[CertificateDer<'_>],
    ) -> Option<Result<Vec<Certificate>, TrustError>> {
        let intermediates: Vec<Certificate> = intermediates
            .iter()
            .take(MAX_INTERMEDIATES)
            .filter_map(|der| Certificate::from_der(der).ok())
            .collect();
        let mut path = vec![end_entity];
        loop {
            let last = path.last()?;
            if let Some(anchor) = self.anchors.iter().find(|anchor| self.issued(anchor, last)) {
                let whole = || path.iter().copied().chain([anchor]).cloned().collect();
                return Some(
                    check_no_name_constraints(anchor, &path)
                        .and_then(|()| self.check_path(&path))
                        .map(|()| whole()),
                );
            }
            let next = intermediates
                .iter()
                .find(|issuer| !path.contains(issuer) && self.issued(issuer, last))?;
            path.push(next);
        }
    }

    fn issued(&self, issuer: &Certificate, certificate: &Certificate) -> bool {
        issuer.subject_der() == certificate.issuer_der()
            && certificate
                .verify_signed_by(issuer.spki_der(), self.policy)
                .is_ok()
    }

    fn check_path(&self, path: &[&Certificate]) -> Result<(), TrustError> {
        for (below, certificate) in path.iter().enumerate() {
            check_window(certificate, self.now)?;
            check_strength(certificate, Strength::Legacy(self.policy))?;
            check_extensions(certificate, below.checked_sub(1))?;
        }
        path.first().map_or(Ok(()), |end_entity| {
            check_purpose(end_entity.der(), end_entity.subject(), self.usage)
        })
    }
}

/// Name constraints limit the names below an authority. They are not evaluated here, so a path under them is refused:
/// an old signature must not be the way around them.
fn check_no_name_constraints(anchor: &Certificate, path: &[&Certificate]) -> Result<(), TrustError> {
    for authority in path.iter().skip(1).copied().chain([anchor]) {
        if has_name_constraints(authority)? {
            return Err(TrustError::Path {
                subject: authority.subject().to_owned(),
                detail: "it has name constraints, which are not evaluated for old certificates".to_owned(),
            });
        }
    }
    Ok(())
}

/// `intermediates_below` is the number of authorities between this authority and the end entity; `None` for
/// the end entity itself.
fn check_extensions(certificate: &Certificate, intermediates_below: Option<usize>) -> Result<(), TrustError> {
    let refuse = |detail: &str| TrustError::Path {
        subject: certificate.subject().to_owned(),
        detail: detail.to_owned(),
    };
    let (_, parsed) =
        X509Certificate::from_der(certificate.der()).map_err(|error| TrustError::Malformed {
            detail: error.to_string(),
        })?;
    check_extensions_known(certificate)?;
    let Some(intermediates_below) = intermediates_below else {
        return Ok(());
    };
    let constraints = parsed
        .basic_constraints()
        .map_err(|error| TrustError::Malformed {
            detail: error.to_string(),
        })?
        .filter(|constraints| constraints.value.ca)
        .ok_or_else(|| refuse("a certificate that is no authority (CA:FALSE or version 1) signed another"))?;
    let longest = constraints.value.path_len_constraint.map(usize::try_from);
    if let Some(Ok(longest)) = longest
        && intermediates_below > longest
    {
        return Err(refuse("the chain is longer than an issuer's path length allows"));
    }
    let usage = parsed.key_usage().map_err(|error| TrustError::Malformed {
        detail: error.to_string(),
    })?;
    if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        return Err(refuse(
            "an issuer's key usage does not include the signing of certificates",
        ));
    }
    Ok(())
}

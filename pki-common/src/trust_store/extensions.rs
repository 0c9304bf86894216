//! What the extensions of a certificate demand of whoever relies on it (RFC 5280 section 4.2).

use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::TrustError;
use crate::certificate::Certificate;

/// Refuses a certificate with an extension that occurs twice, or a critical one that is not known here: both must be
/// refused by RFC 5280 section 4.2. Paths that rustls-webpki walks are checked there; this is for certificates that
/// are accepted without a path.
pub(crate) fn check_extensions_known(certificate: &Certificate) -> Result<(), TrustError> {
    let refuse = |detail: &str| TrustError::Path {
        subject: certificate.subject().to_owned(),
        detail: detail.to_owned(),
    };
    let parsed = parse(certificate)?;
    parsed
        .extensions_map()
        .map_err(|_| refuse("one of its extensions occurs twice"))?;
    let known = |extension: &ParsedExtension<'_>| {
        matches!(
            extension,
            ParsedExtension::BasicConstraints(_)
                | ParsedExtension::KeyUsage(_)
                | ParsedExtension::ExtendedKeyUsage(_)
                | ParsedExtension::SubjectAlternativeName(_)
        )
    };
    if parsed
        .extensions()
        .iter()
        .any(|extension| extension.critical && !known(extension.parsed_extension()))
    {
        return Err(refuse("it has a critical extension that is not known here"));
    }
    Ok(())
}

/// Whether a trusted certificate may vouch for others: it says `CA:TRUE`, says nothing but may sign certificates, or
/// is older than version 3 and cannot say.
///
/// rustls-webpki takes every anchor for an authority. Without this, the owner of a peer's certificate that was put
/// into the store to be known byte for byte could issue certificates for any name.
pub(super) fn may_issue(certificate: &Certificate) -> bool {
    if certificate.version() < 3 {
        return true;
    }
    let Ok(parsed) = parse(certificate) else {
        return false;
    };
    match parsed.basic_constraints() {
        Ok(Some(constraints)) => constraints.value.ca,
        Ok(None) => parsed
            .key_usage()
            .is_ok_and(|usage| usage.is_some_and(|usage| usage.value.key_cert_sign())),
        Err(_) => false,
    }
}

/// Whether the certificate limits the names below it.
pub(super) fn has_name_constraints(certificate: &Certificate) -> Result<bool, TrustError> {
    let parsed = parse(certificate)?;
    parsed
        .name_constraints()
        .map(|constraints| constraints.is_some())
        .map_err(|error| TrustError::Malformed {
            detail: error.to_string(),
        })
}

fn parse(certificate: &Certificate) -> Result<X509Certificate<'_>, TrustError> {
    X509Certificate::from_der(certificate.der())
        .map(|(_, parsed)| parsed)
        .map_err(|error| TrustError::Malformed {
            detail: error.to_string(),
        })
}

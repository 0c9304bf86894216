//! Extended key usage, for certificates that rustls-webpki does not look at.

use rustls_pki_types::CertificateDer;
use x509_parser::extensions::ExtendedKeyUsage;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{TrustError, Usage};

/// Refuses a certificate whose extended key usage is present and does not include `usage`.
pub(super) fn check_purpose(der: &CertificateDer<'_>, subject: &str, usage: Usage) -> Result<(), TrustError> {
    let malformed = |detail: String| TrustError::Malformed { detail };
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| malformed(error.to_string()))?;
    let Some(extension) = certificate
        .extended_key_usage()
        .map_err(|error| malformed(error.to_string()))?
    else {
        return Ok(());
    };
    let included = match usage {
        Usage::Client => extension.value.client_auth,
        Usage::Server => extension.value.server_auth,
    };
    if included || extension.value.any {
        return Ok(());
    }
    Err(TrustError::WrongPurpose {
        subject: subject.to_owned(),
        required: usage,
        presented: purpose_names(extension.value),
    })
}

fn purpose_names(usages: &ExtendedKeyUsage<'_>) -> Vec<String> {
    let named = [
        (usages.any, "anyExtendedKeyUsage"),
        (usages.server_auth, "serverAuth"),
        (usages.client_auth, "clientAuth"),
        (usages.code_signing, "codeSigning"),
        (usages.email_protection, "emailProtection"),
        (usages.time_stamping, "timeStamping"),
        (usages.ocsp_signing, "OCSPSigning"),
    ];
    named
        .iter()
        .filter(|(set, _)| *set)
        .map(|(_, name)| (*name).to_owned())
        .chain(usages.other.iter().map(ToString::to_string))
        .collect()
}

/// The names of the extended key usages of a certificate; empty when there are none.
pub(super) fn presented_purposes(der: &CertificateDer<'_>) -> Vec<String> {
    X509Certificate::from_der(der)
        .ok()
        .and_then(|(_, certificate)| {
            let extension = certificate.extended_key_usage().ok()??;
            Some(purpose_names(extension.value))
        })
        .unwrap_or_default()
}

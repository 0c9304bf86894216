//! Extended key usage: what each [`Usage`] accepts.

use rustls_pki_types::CertificateDer;
use webpki::{ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, KeyUsage};
use x509_parser::extensions::ExtendedKeyUsage;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{TrustError, Usage};

/// `id-kp-serverAuth`, `id-kp-cmcCA` and `id-kp-cmcRA`, the contents of their encodings.
const CMC_RESPONDER: [&[u8]; 3] = [
    b"\x2b\x06\x01\x05\x05\x07\x03\x01",
    b"\x2b\x06\x01\x05\x05\x07\x03\x1b",
    b"\x2b\x06\x01\x05\x05\x07\x03\x1c",
];

/// For rustls-webpki, which asks it about the peer's certificate and those of its issuers.
impl ExtendedKeyUsageValidator for Usage {
    fn validate(&self, mut usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        match self {
            Self::Client => KeyUsage::client_auth().validate(usages),
            Self::Server => KeyUsage::server_auth().validate(usages),
            Self::CmcResponder => {
                let accepted = CMC_RESPONDER.map(KeyPurposeId::new);
                let mut absent = true;
                let found = usages.try_fold(false, |found, usage| {
                    absent = false;
                    usage.map(|usage| found || accepted.contains(&usage))
                })?;
                if found || absent {
                    return Ok(());
                }
                // The usages that are there are told by the caller, who has the whole certificate.
                KeyUsage::required(CMC_RESPONDER[1]).validate(usages)
            }
        }
    }
}

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
        Usage::CmcResponder => {
            let others = extension.value.other.iter();
            extension.value.server_auth
                || others
                    .into_iter()
                    .any(|oid| CMC_RESPONDER.contains(&oid.as_bytes()))
        }
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

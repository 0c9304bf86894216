//! Why a certificate cannot be read.

use crate::certificate::MAX_CERTIFICATE_BYTES;
use crate::ladder::{Diagnose, Failure, Rung};

/// Why bytes are not a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// More bytes than a certificate may have.
    #[error("the certificate has {bytes} bytes, at most {MAX_CERTIFICATE_BYTES} are read")]
    TooLarge {
        /// Bytes found.
        bytes: usize,
    },
    /// Not the DER of a certificate.
    #[error("not a DER certificate: {detail}")]
    Malformed {
        /// What the parser ran into.
        detail: String,
    },
    /// A version that X.509 does not have.
    #[error("the certificate's version field has the value {value}; 0 (v1), 1 (v2) and 2 (v3) exist")]
    UnknownVersion {
        /// The field's value.
        value: u32,
    },
    /// Bytes follow the certificate.
    #[error("{count} bytes follow the certificate, from byte offset {offset}")]
    TrailingBytes {
        /// Offset of the first of them.
        offset: usize,
        /// How many.
        count: usize,
    },
    /// A PEM text without a certificate.
    #[error("the PEM text holds no CERTIFICATE section")]
    NoCertificate,
    /// A PEM text that is damaged.
    #[error("the PEM text is damaged: {detail}")]
    BadPem {
        /// What is wrong with it.
        detail: String,
    },
    /// One of several certificates in a PEM text cannot be read.
    #[error("certificate {number} of the PEM text: {error}")]
    InPem {
        /// Which, counted from 1.
        number: usize,
        /// Why.
        error: Box<Self>,
    },
}

impl CertificateError {
    pub(super) fn malformed(error: impl std::fmt::Display) -> Self {
        Self::Malformed {
            detail: error.to_string(),
        }
    }
}

impl Diagnose for CertificateError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::NoCertificate | Self::BadPem { .. } | Self::InPem { .. } => {
                "Give a PEM file with whole BEGIN CERTIFICATE ... END CERTIFICATE sections; `openssl x509 -in FILE -text` must read it."
            }
            Self::TrailingBytes { .. } => {
                "Give each DER certificate in a file of its own, or several as PEM."
            }
            Self::TooLarge { .. } | Self::Malformed { .. } | Self::UnknownVersion { .. } => {
                "Give an X.509 certificate in DER or PEM; `openssl x509 -in FILE -text` must read it."
            }
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

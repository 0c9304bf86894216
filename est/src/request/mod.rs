//! Certification requests of our own: subject, key and PKCS #10 (RFC 2986), as a client makes them.

mod key_and_request;
mod subject;

use core::fmt;

use pki_common::{Diagnose, Failure, Rung};

pub use key_and_request::{KeyAndRequest, RequestedName};
pub use subject::{Subject, SubjectError, SubjectProblem};

/// A request that cannot be made. Always this side's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A key cannot be made or used.
    #[error("no request can be made with this key: {cause}")]
    Key {
        /// What the crypto provider says.
        cause: String,
    },
    /// A subject alternative name that cannot be read.
    #[error(
        "{text:?} is no subject alternative name; write DNS:name, IP:address, email:address or URI:uri in ASCII"
    )]
    Name {
        /// The text.
        text: String,
    },
    /// The request cannot be encoded.
    #[error("the request cannot be encoded: {cause}")]
    Encoding {
        /// What the encoder says.
        cause: String,
    },
}

impl RequestError {
    pub(crate) fn encoding(error: impl fmt::Display) -> Self {
        Self::Encoding {
            cause: error.to_string(),
        }
    }
}

impl Diagnose for RequestError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Key { .. } => {
                "Use an EC P-256, P-384, Ed25519 or RSA key that the crypto provider supports."
            }
            Self::Name { .. } | Self::Encoding { .. } => "Correct the name that is asked for.",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

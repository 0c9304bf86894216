//! Certification requests of our own: subject, key and PKCS #10 (RFC 2986), as a client makes them.
//!
//! | file | what it does |
//! |---|---|
//! | `subject.rs`, `name.rs` | subject and alternative names, as text and as DER |
//! | `key.rs` | the private key, ready to sign |
//! | `template.rs` | what is asked for: subject, extensions, attributes; signed as often as need be |
//! | `key_and_request.rs` | key and template together |
//! | `honour.rs` | what the server's CSR attributes change |
//! | `server_key.rs` | the answer of `serverkeygen`: key and certificate taken out and matched |
//! | `cmc/` | full CMC requests and the answers to them |
//! | `issued.rs` | the extensions of a certificate, to be renewed or compared with what was asked for |

pub mod cmc;
pub mod honour;
pub(crate) mod issued;
mod key;
mod key_and_request;
mod name;
pub mod server_key;
mod subject;
pub(crate) mod template;

use core::fmt;

use pki_common::{Diagnose, Failure, Rung};

pub use key::RequestKey;
pub use key_and_request::KeyAndRequest;
pub use name::RequestedName;
pub use subject::{Subject, SubjectError, SubjectProblem};
pub use template::{BindingAttribute, RequestTemplate};

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
    /// The certificate to be renewed cannot be read.
    #[error("the names of the certificate cannot be read: {cause}")]
    Certificate {
        /// What is wrong with it.
        cause: String,
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
            Self::Certificate { .. } => "Enrol anew, with the subject and the names written out.",
            Self::Name { .. } | Self::Encoding { .. } => "Correct the name that is asked for.",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

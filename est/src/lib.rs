//! Enrollment over Secure Transport (EST, RFC 7030 with RFC 8951): wire forms, an embedded certificate
//! authority, and a server and client on top.
//!
//! The crate is built in layers; a lower one never needs a higher one.
//!
//! | module | what it does | I/O |
//! |---|---|---|
//! | [`wire`] | bytes <-> types: base64 bodies, media types, certification requests, certs-only messages | none |
//! | [`ca`] | the [`CertificateAuthority`](ca::CertificateAuthority) seam, the issuance policy, issuing, the embedded authority and its database | files, in `ca::database` and `ca::embedded` only |
//! | [`auth`] | who may enrol | none |
//! | [`operation`] | request -> response for each EST operation | none |
//! | [`request`] | a client's side of PKCS #10: subject, key, request | none |
//! | [`exchange`] | a client's exchange as a state machine; reading and checking what a server answers | none |
//! | `adcs` | web enrolment of Microsoft AD CS as a client, and an authority on it (feature `adcs`) | sockets, in `adcs::client` only; one file |
//! | `server`, `client` | the asynchronous layer on hyper and rustls (feature `tokio`) | sockets |
//! | `cli` | the `est` command (feature `cli`) | all |
//!
//! Everything below the `tokio` layer compiles with `--no-default-features`.
//!
//! # From a request to a certificate
//! ```
//! use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};
//!
//! # fn main() -> Result<(), est::CsrError> {
//! let body = include_bytes!("../testdata/csr/p256.pem");
//! let request = UnverifiedCsr::from_body(body, &CsrLimits::default())?;
//! let request = request.verify(&VerificationPolicy::default())?;
//! assert_eq!(request.subject_text(), "CN=AP-00:50:56:9c:34:89,OU=lab,OU=eng,DC=example,DC=com");
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "adcs")]
pub mod adcs;
pub mod auth;
pub mod ca;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "tokio")]
pub mod client;
pub mod exchange;
pub mod inspect;
pub mod operation;
pub mod renewal;
pub mod request;
#[cfg(feature = "tokio")]
pub mod server;
pub mod wire;

mod error;
mod exposition;
#[cfg(feature = "tokio")]
mod process_group;
mod upstream;

pub use error::{Base64Problem, CsrError, DerProblem, WireError};

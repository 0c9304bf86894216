//! The EST operations as functions from a request to a response, without I/O.
//!
//! ```text
//! method, path, headers --Operations::route--> Route --authenticate, read the body--> OperationRequest
//!                                                            --Operations::answer--> OperationResponse
//! ```
//!
//! The caller reads the body only after [`Operations::route`] has accepted the headers and [`decide`] the client, so
//! that a stranger cannot make the server read anything. Each way to decline is a [`Refusal`].
//!
//! | file | what it does |
//! |---|---|
//! | `operations.rs` | the table of labels; routes a request to the operation of its label |
//! | `label.rs` | what one label is made of |
//! | `ca_certificates.rs` … `full_cmc.rs` | one operation each |
//! | `client_anchors.rs` | whose certificates count under a label |
//! | `enrollment.rs` | what the enrolling operations share |
//! | `proof_of_possession.rs` | whether a request was made for its connection |
//! | `change_subject_name.rs`, `certificate_names.rs` | names of a re-enrolment |
//! | `revocation_list.rs` | the CRL of an authority |
//! | `layout.rs`, `content_type.rs` | how bodies are written and recognised |
//! | `refusal.rs`, `number.rs`, `response.rs` | the answers |
//!
//! [`decide`]: crate::auth::decide

mod ca_certificates;
pub(crate) mod certificate_names;
mod change_subject_name;
mod client_anchors;
mod content_type;
mod csr_attributes;
mod enrollment;
mod full_cmc;
mod label;
mod layout;
mod number;
mod operations;
mod path;
mod proof_of_possession;
mod refusal;
mod registrar;
mod response;
mod revocation_list;
mod server_key_generation;
mod simple_enroll;
mod simple_reenroll;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use pki_common::Certificate;
use pki_common::channel_binding::ChannelBindings;
use rustls_pki_types::CertificateDer;

pub use change_subject_name::CHANGE_SUBJECT_NAME;
pub use csr_attributes::CsrAttributesPolicy;
pub use full_cmc::{
    FullCmcSettings, MAX_SECRETS_FILE_BYTES, MIN_SECRET_CHARACTERS, SharedSecrets, SharedSecretsError,
};
pub use label::{DEFAULT_MAX_CMC_BODY, DEFAULT_MAX_ENROLL_BODY, LabelService, LabelSettings};
pub use layout::{LayoutException, ResponseLayout};
pub use number::EstErrorNumber;
pub use operations::Operations;
pub use path::{EstPath, Operation, WELL_KNOWN_EST};
pub use proof_of_possession::{EST_IDENTITY_LINKING, ProofOfPossession};
pub use refusal::Refusal;
pub use registrar::CMC_REGISTRATION_AUTHORITY;
pub use response::OperationResponse;
pub use server_key_generation::{
    DirectKeyGenerator, KeyEncryption, KeyFuture, KeyGenerator, KeyPackageSigner, RecipientCertificate,
    ServerKeyGenerationSettings, ServerKeyKind, SharedKeysError, parse_shared_keys,
};
pub use simple_reenroll::ReenrollmentPolicy;

use crate::auth::Client;
use crate::wire::label::PathLabel;

/// An operation that the headers of a request have been found fit for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What is asked for.
    pub operation: Operation,
    /// Of which authority.
    pub label: Option<PathLabel>,
}

/// What is known of the connection that a request comes in, found out once.
#[derive(Debug, Clone, Default)]
pub struct ConnectionFacts {
    /// Where from, if known.
    pub address: Option<IpAddr>,
    /// The certificate that the client has proven to hold in the TLS handshake; chain and key are verified.
    pub certificate: Option<Certificate>,
    /// The other certificates that the client sent, in its order. Nobody vouches for them.
    pub intermediates: Vec<CertificateDer<'static>>,
    /// What a request can be tied to (RFC 7030, section 3.5).
    pub channel_bindings: ChannelBindings,
}

/// A request whose client is authenticated and whose body is complete.
#[derive(Debug, Clone)]
pub struct OperationRequest {
    /// What is asked for.
    pub route: Route,
    /// Who asks.
    pub client: Client,
    /// Over which connection.
    pub connection: Arc<ConnectionFacts>,
    /// What the client calls itself.
    pub user_agent: Option<HeaderValue>,
    /// The body as it came; empty for a GET.
    pub body: Bytes,
}

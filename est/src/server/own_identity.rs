//! A server certificate from the authority behind the server.

use pki_common::identity::{Identity, IdentityError, NewKey};
use pki_common::{Diagnose, Failure, Rung};
use rustls_pki_types::PrivateKeyDer;

use crate::ca::{
    CertificateAuthority, ChannelBindingState, EnrollError, EnrollOperation, EnrollOutcome, EnrollRequest,
    IssuedCertificate, Requester,
};
use crate::error::CsrError;
use crate::request::{KeyAndRequest, RequestError, RequestedName, Subject};
use crate::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};

/// Makes a key and has the authority issue a certificate for it, on the authority of the operator who starts the
/// server. Clients that trust the authority then trust the server.
///
/// # Errors
/// [`OwnIdentityError`]
pub async fn own_identity(
    authority: &dyn CertificateAuthority,
    subject: Subject,
    names: Vec<RequestedName>,
    key: NewKey,
) -> Result<Identity, OwnIdentityError> {
    let made = KeyAndRequest::generate(subject, names, key)?;
    let csr = UnverifiedCsr::from_der(made.csr_der(), &CsrLimits::default())?;
    let request = EnrollRequest {
        csr: csr.verify(&VerificationPolicy::default())?,
        requester: Requester::operator(),
        label: None,
        operation: EnrollOperation::SimpleEnroll,
        channel_binding: ChannelBindingState::Absent,
    };
    match authority.enroll(request).await? {
        EnrollOutcome::Issued(IssuedCertificate { certificate, .. }) => {
            let key = PrivateKeyDer::Pkcs8(made.private_key().clone_key());
            Ok(Identity::from_parts(vec![certificate], key)?)
        }
        EnrollOutcome::Pending { .. } => Err(OwnIdentityError::Pending),
    }
}

/// Why a server gets no certificate of its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnIdentityError {
    /// The request cannot be made.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// The request is not acceptable.
    #[error("{0}")]
    Csr(#[from] CsrError),
    /// The authority refuses.
    #[error("{0}")]
    Refused(#[from] EnrollError),
    /// The authority wants to have the request approved first.
    #[error("the authority wants to have the request for the server's own certificate approved first")]
    Pending,
    /// Certificate and key do not make an identity.
    #[error("{0}")]
    Identity(#[from] IdentityError),
}

impl Diagnose for OwnIdentityError {
    fn diagnose(&self) -> Failure {
        let remedy = "Ask for names that the policy of the authority allows, or configure a certificate made elsewhere.";
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

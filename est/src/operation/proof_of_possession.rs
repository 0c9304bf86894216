//! Whether a certification request is tied to the TLS connection it comes in (RFC 7030, section 3.5).
//!
//! The client puts the base64 of the connection's tls-unique (TLS 1.2) or tls-exporter (TLS 1.3) into the request that
//! it signs. The value stands in the `challengePassword`, or in the `estIdentityLinking` attribute that RFC 7894 has
//! made for it; when both are there, the latter counts and the former is what it was before EST, a password.

use const_oid::ObjectIdentifier;
use pki_common::channel_binding::{ChannelBindingMismatch, ChannelBindings};

use super::Refusal;
use crate::ca::ChannelBindingState;
use crate::wire::asn1::{Reader, Rules};
use crate::wire::csr::{CertificationRequest, directory_string};

/// `id-aa-estIdentityLinking` (RFC 7894, section 3.3).
pub const EST_IDENTITY_LINKING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.58");

/// Whether a label has requests tied to their connection.
///
/// # Defaults
/// [`ProofOfPossession::Off`]: the other two have the server demand the extended master secret in TLS 1.2, without
/// which tls-unique proves nothing, and clients with OpenSSL before 1.1.0 do not have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ProofOfPossession {
    /// A challenge password means nothing here.
    #[default]
    Off,
    /// A request may be tied to its connection, and is refused when it is tied to another.
    ///
    /// A `challengePassword` that has not the form of a channel binding is taken for an ordinary password, as old
    /// requests carry one for revocation, and means nothing.
    Accepted,
    /// A request must be tied to its connection.
    Required,
}

impl ProofOfPossession {
    /// Looks for the channel binding in a request and compares it with the connection.
    ///
    /// # Errors
    /// [`Refusal::ProofOfPossession`]
    pub(super) fn check(
        self,
        request: &CertificationRequest,
        connection: &ChannelBindings,
    ) -> Result<ChannelBindingState, Refusal> {
        if self == Self::Off {
            return Ok(ChannelBindingState::Absent);
        }
        let refused = |cause: String| Refusal::ProofOfPossession { cause };
        if let Some(linking) = identity_linking(request)? {
            return match connection.check(&linking) {
                Ok(binding) => Ok(ChannelBindingState::Verified(binding)),
                Err(mismatch) => Err(refused(format!("estIdentityLinking: {mismatch}"))),
            };
        }
        let Some(password) = request.challenge_password() else {
            return self.absent(
                "it has neither challengePassword nor estIdentityLinking, and this label demands the base64 of the \
                 connection's tls-unique (TLS 1.2) or tls-exporter (TLS 1.3) in one of them",
            );
        };
        match connection.check(password.expose()) {
            Ok(binding) => Ok(ChannelBindingState::Verified(binding)),
            Err(mismatch @ ChannelBindingMismatch::OtherConnection) => {
                Err(refused(format!("challengePassword: {mismatch}")))
            }
            Err(mismatch) => self.absent(&format!("challengePassword: {mismatch}")),
        }
    }

    fn absent(self, cause: &str) -> Result<ChannelBindingState, Refusal> {
        if self == Self::Required {
            let cause = cause.to_owned();
            return Err(Refusal::ProofOfPossession { cause });
        }
        Ok(ChannelBindingState::Absent)
    }
}

/// The value of `estIdentityLinking`, if the request has the attribute.
fn identity_linking(request: &CertificationRequest) -> Result<Option<String>, Refusal> {
    let Some(attribute) = request
        .attributes()
        .iter()
        .find(|attribute| attribute.oid == EST_IDENTITY_LINKING)
    else {
        return Ok(None);
    };
    let text = match attribute.values.as_slice() {
        [value] => Reader::new(value, Rules::Der)
            .any("estIdentityLinking")
            .ok()
            .and_then(|value| directory_string(&value)),
        _ => None,
    };
    match text {
        Some(text) => Ok(Some(text)),
        None => Err(Refusal::ProofOfPossession {
            cause: "estIdentityLinking: not one DirectoryString (RFC 7894, section 3.3)".to_owned(),
        }),
    }
}

//! Compares what a label demands with what a client has shown.

use http::HeaderMap;
use pki_common::Certificate;

use super::client::Client;
use super::credentials::{Credentials, CredentialsError};
use super::method::{AuthenticationMethod, AuthenticationMethods};
use super::requirement::AuthenticationRequirement;

/// What a client has shown of itself.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The certificate of the TLS handshake, only if the TLS layer has verified chain and possession of the key. A
    /// wrong certificate never gets here: it ends the handshake with an alert.
    pub certificate: Option<&'a Certificate>,
    /// The headers of the request.
    pub headers: &'a HeaderMap,
}

/// The outcome of [`decide`].
#[derive(Debug)]
#[non_exhaustive]
pub enum AuthenticationDecision {
    /// The client is authenticated.
    Accepted(Client),
    /// The verdict hangs on these credentials; verified, they complete a combination.
    Verify(Credentials),
    /// The client has not shown what is demanded. These HTTP methods would help it; when there is none, only a
    /// certificate would, or nothing.
    Missing {
        /// What to offer in the answer.
        offer: AuthenticationMethods,
    },
    /// The client has sent an `Authorization` header of an accepted scheme that cannot be read.
    Malformed(CredentialsError),
}

/// Compares what a label demands with what the client has shown.
///
/// A certificate that suffices alone is enough; an `Authorization` header beside it is then not looked at, and the
/// methods of the [`Client`] do not list it. Credentials that complete no combination (of a scheme that is not
/// accepted, or beside a certificate that is missing) are as good as none.
#[must_use]
pub fn decide(requirement: &AuthenticationRequirement, presented: Presented<'_>) -> AuthenticationDecision {
    if let Some(certificate) = presented.certificate
        && requirement.is_met_by(AuthenticationMethod::Certificate.into())
    {
        return AuthenticationDecision::Accepted(Client::by_certificate(certificate.clone()));
    }
    let offer = requirement.http_methods(presented.certificate.is_some());
    match Credentials::from_headers(presented.headers, offer) {
        Ok(Some(credentials)) => AuthenticationDecision::Verify(credentials),
        Ok(None) => AuthenticationDecision::Missing { offer },
        Err(error) => AuthenticationDecision::Malformed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::AUTHORIZATION;

    use crate::auth::BasicError;

    fn decided(requirement: &[&str], authorization: Option<&str>) -> AuthenticationDecision {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        let presented = Presented {
            certificate: None,
            headers: &headers,
        };
        decide(&AuthenticationRequirement::parse(requirement).unwrap(), presented)
    }

    #[test]
    fn asks_for_the_password_only_where_basic_is_accepted() {
        for (requirement, authorization, expected) in [
            (&["certificate", "basic"][..], None, "basic"),
            (&["certificate"], Some("Basic YTpi"), "none"),
            (&["certificate+basic"], Some("Basic YTpi"), "none"),
            (&["digest"], Some("Basic YTpi"), "digest"),
            (&[], Some("Basic YTpi"), "none"),
        ] {
            match decided(requirement, authorization) {
                AuthenticationDecision::Missing { offer } => assert_eq!(offer.to_string(), expected),
                other => panic!("{requirement:?}: {other:?}"),
            }
        }
        let asked = decided(&["certificate", "basic"], Some("Basic YTpi"));
        assert!(matches!(asked, AuthenticationDecision::Verify(ref found) if found.user() == Some("a")));
    }

    #[test]
    fn tells_a_damaged_header_from_a_missing_one() {
        let refused = decided(&["basic"], Some("Basic QQ=="));
        assert!(matches!(
            refused,
            AuthenticationDecision::Malformed(CredentialsError::Basic(BasicError::NoColon))
        ));
    }
}

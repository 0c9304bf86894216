//! What an enrolment demands of its client, and whether the client meets it.

use core::fmt;

use http::HeaderMap;
use pki_common::Certificate;

use super::basic::{BasicCredentials, BasicError};

/// How a client may authenticate for an enrolment; any one of the accepted ways suffices.
///
/// # Defaults
/// Both ways are accepted. With neither, nobody can enrol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnrollmentAuthentication {
    /// A certificate that the TLS layer has verified (RFC 7030, section 3.3.2).
    pub certificate: bool,
    /// HTTP Basic over server-authenticated TLS (RFC 7030, section 3.2.3), the mode of Cisco document 70341.
    pub basic: bool,
}

impl Default for EnrollmentAuthentication {
    fn default() -> Self {
        Self {
            certificate: true,
            basic: true,
        }
    }
}

/// What a client has shown of itself.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The certificate of the TLS handshake, only if the TLS layer has verified chain and possession of the key.
    pub certificate: Option<&'a Certificate>,
    /// The headers of the request.
    pub headers: &'a HeaderMap,
}

/// The client as the server knows it after authentication.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Client {
    /// Not authenticated; enough for `cacerts`.
    Anonymous,
    /// By a certificate in the TLS handshake.
    Certificate(Certificate),
    /// By HTTP Basic.
    Basic {
        /// The verified user name.
        user: String,
    },
}

impl Client {
    /// The user name, the subject of the certificate, or `-` as the common log format has it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Anonymous => "-",
            Self::Certificate(certificate) => certificate.subject(),
            Self::Basic { user } => user,
        }
    }

    /// `none`, `certificate` or `basic`, for logs and the record of the certificate authority.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Anonymous => "none",
            Self::Certificate(_) => "certificate",
            Self::Basic { .. } => "basic",
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.method())
    }
}

/// The outcome of [`decide`].
#[derive(Debug)]
pub enum AuthenticationDecision {
    /// The client is authenticated.
    Accepted(Client),
    /// The verdict hangs on these credentials: ask an [`Authenticator`](super::Authenticator).
    CheckPassword(BasicCredentials),
    /// The client has shown nothing of what is accepted.
    Missing,
    /// The client has sent an `Authorization: Basic` header that cannot be read.
    Malformed(BasicError),
}

/// Compares what an enrolment demands with what the client has shown.
#[must_use]
pub fn decide(required: EnrollmentAuthentication, presented: Presented<'_>) -> AuthenticationDecision {
    if let (true, Some(certificate)) = (required.certificate, presented.certificate) {
        return AuthenticationDecision::Accepted(Client::Certificate(certificate.clone()));
    }
    if !required.basic {
        return AuthenticationDecision::Missing;
    }
    match BasicCredentials::from_headers(presented.headers) {
        Ok(Some(credentials)) => AuthenticationDecision::CheckPassword(credentials),
        Ok(None) => AuthenticationDecision::Missing,
        Err(error) => AuthenticationDecision::Malformed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::AUTHORIZATION;

    #[test]
    fn asks_for_the_password_only_where_basic_is_accepted() {
        let mut headers = HeaderMap::new();
        let none = decide(
            EnrollmentAuthentication::default(),
            Presented {
                certificate: None,
                headers: &headers,
            },
        );
        assert!(matches!(none, AuthenticationDecision::Missing));
        headers.insert(AUTHORIZATION, "Basic YTpi".parse().unwrap());
        let presented = Presented {
            certificate: None,
            headers: &headers,
        };
        let asked = decide(EnrollmentAuthentication::default(), presented);
        assert!(matches!(asked, AuthenticationDecision::CheckPassword(ref found) if found.user() == "a"));
        let refused = decide(
            EnrollmentAuthentication {
                certificate: true,
                basic: false,
            },
            presented,
        );
        assert!(matches!(refused, AuthenticationDecision::Missing));
    }

    #[test]
    fn tells_a_damaged_header_from_a_missing_one() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "Basic QQ==".parse().unwrap());
        let presented = Presented {
            certificate: None,
            headers: &headers,
        };
        let refused = decide(EnrollmentAuthentication::default(), presented);
        assert!(matches!(
            refused,
            AuthenticationDecision::Malformed(BasicError::NoColon)
        ));
    }
}

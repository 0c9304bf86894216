//! The client as the server knows it.

use core::fmt;

use pki_common::Certificate;

use super::method::{AuthenticationMethod, AuthenticationMethods};

/// The client as the server knows it after authentication.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Client {
    /// The certificate of the TLS handshake, verified there. It is kept when another method sufficed too, because
    /// re-enrolment and proof of possession look at it.
    pub certificate: Option<Certificate>,
    /// The verified user name, or the name that a bearer token stands for.
    pub user: Option<String>,
    /// By what the client was verified.
    pub methods: AuthenticationMethods,
}

impl Client {
    /// Not authenticated; enough for `cacerts`.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// By a certificate in the TLS handshake, and by nothing else.
    #[must_use]
    pub fn by_certificate(certificate: Certificate) -> Self {
        Self {
            certificate: Some(certificate),
            user: None,
            methods: AuthenticationMethod::Certificate.into(),
        }
    }

    /// By credentials in the request, with the certificate of the handshake if there was one.
    #[must_use]
    pub fn by_credentials(
        user: String,
        method: AuthenticationMethod,
        certificate: Option<Certificate>,
    ) -> Self {
        let by_certificate = certificate.as_ref().map(|_| AuthenticationMethod::Certificate);
        Self {
            certificate,
            user: Some(user),
            methods: by_certificate.into_iter().chain([method]).collect(),
        }
    }

    /// The user name, else the subject of the certificate, else `-` as the common log format has it.
    #[must_use]
    pub fn name(&self) -> &str {
        let subject = || self.certificate.as_ref().map(Certificate::subject);
        self.user.as_deref().or_else(subject).unwrap_or("-")
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.methods)
    }
}

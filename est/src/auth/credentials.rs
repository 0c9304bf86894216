//! The `Authorization` header, whatever its scheme.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use pki_common::{Diagnose, Failure, Rung};

use super::basic::{BasicCredentials, BasicError};
use super::bearer::{BearerError, BearerToken};
use super::digest::{DigestCredentials, DigestError};
use super::method::AuthenticationMethod;

/// What a client has sent in its `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// Name and password.
    Basic(BasicCredentials),
    /// The answer to a challenge.
    Digest(Box<DigestCredentials>),
    /// A token.
    Bearer(BearerToken),
}

impl Credentials {
    /// Reads the credentials of a request; `None` when it has none, or of a scheme that is not among `accepted`.
    ///
    /// # Errors
    /// [`CredentialsError`] when the scheme is accepted but the rest cannot be read, or when there are two
    /// `Authorization` headers: an intermediary may have looked at the other one.
    pub fn from_headers(
        headers: &HeaderMap,
        accepted: super::AuthenticationMethods,
    ) -> Result<Option<Self>, CredentialsError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(CredentialsError::SeveralHeaders);
        }
        if accepted.contains(AuthenticationMethod::Basic)
            && let Some(found) = BasicCredentials::parse(value.as_bytes())?
        {
            return Ok(Some(Self::Basic(found)));
        }
        if accepted.contains(AuthenticationMethod::Digest)
            && let Some(found) = DigestCredentials::parse(value.as_bytes())?
        {
            return Ok(Some(Self::Digest(Box::new(found))));
        }
        if accepted.contains(AuthenticationMethod::Bearer)
            && let Some(found) = BearerToken::parse(value.as_bytes())?
        {
            return Ok(Some(Self::Bearer(found)));
        }
        Ok(None)
    }

    /// The method these credentials belong to.
    #[must_use]
    pub const fn method(&self) -> AuthenticationMethod {
        match self {
            Self::Basic(_) => AuthenticationMethod::Basic,
            Self::Digest(_) => AuthenticationMethod::Digest,
            Self::Bearer(_) => AuthenticationMethod::Bearer,
        }
    }

    /// The user name that is claimed, which may not exist; a token has none.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Basic(found) => Some(found.user()),
            Self::Digest(found) => Some(&found.user),
            Self::Bearer(_) => None,
        }
    }
}

/// An `Authorization` header that cannot be read. Never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The request has more than one `Authorization` header.
    #[error("the request has more than one Authorization header")]
    SeveralHeaders,
    /// The scheme is Basic.
    #[error("{0}")]
    Basic(#[from] BasicError),
    /// The scheme is Digest.
    #[error("{0}")]
    Digest(#[from] DigestError),
    /// The scheme is Bearer.
    #[error("{0}")]
    Bearer(#[from] BearerError),
}

impl Diagnose for CredentialsError {
    fn diagnose(&self) -> Failure {
        match self {
            Self::SeveralHeaders => Failure::new(
                Rung::Local,
                format!("{self}."),
                "Send one Authorization header; look for a proxy that adds another.",
            ),
            Self::Basic(error) => error.diagnose(),
            Self::Digest(error) => error.diagnose(),
            Self::Bearer(error) => error.diagnose(),
        }
    }
}

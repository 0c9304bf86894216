//! The `Authorization: Basic` header of RFC 7617.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use pki_common::{Diagnose, Failure, Rung};
use zeroize::Zeroizing;

/// The longest user name accepted, in bytes; RADIUS and directory names end at 253 to 256.
pub const MAX_USER_NAME: usize = 256;

/// The longest password accepted, in bytes. It bounds what a stranger can have hashed.
pub const MAX_PASSWORD: usize = 1024;

/// The longest `Authorization` value looked at: base64 of the longest name and password, and the scheme.
pub const MAX_BASIC_HEADER: usize = 16 + (MAX_USER_NAME + 1 + MAX_PASSWORD).div_ceil(3) * 4;

/// A user name and a password as presented by a client. The password is wiped from memory when this is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct BasicCredentials {
    user: String,
    password: Zeroizing<String>,
}

impl BasicCredentials {
    /// Credentials to present or to check.
    ///
    /// # Errors
    /// [`BasicError`] when RFC 7617 cannot carry them: a colon in the name, a control character, too long.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Result<Self, BasicError> {
        let credentials = Self {
            user: user.into(),
            password: Zeroizing::new(password.into()),
        };
        if credentials.user.contains(':') {
            return Err(BasicError::ColonInName);
        }
        credentials.checked()
    }

    /// Reads the credentials of a request, `None` when it has none of the Basic scheme.
    ///
    /// # Errors
    /// [`BasicError`] when there are some but they break RFC 7617, or when there are two `Authorization` headers:
    /// an intermediary may have looked at the other one.
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, BasicError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(BasicError::SeveralHeaders);
        }
        Self::parse(value.as_bytes())
    }

    /// Reads the value of an `Authorization` header, `None` when its scheme is not Basic.
    ///
    /// # Errors
    /// [`BasicError`] when the scheme is Basic but the rest breaks RFC 7617.
    pub fn parse(value: &[u8]) -> Result<Option<Self>, BasicError> {
        let Some((scheme, rest)) = value.split_at_checked("Basic".len()) else {
            return Ok(None);
        };
        if !scheme.eq_ignore_ascii_case(b"Basic") || rest.first().is_some_and(|byte| *byte != b' ') {
            return Ok(None);
        }
        if value.len() > MAX_BASIC_HEADER {
            return Err(BasicError::TooLong {
                found: value.len(),
                limit: MAX_BASIC_HEADER,
            });
        }
        let decoded = Zeroizing::new(
            STANDARD
                .decode(rest.trim_ascii())
                .map_err(|_| BasicError::NotBase64)?,
        );
        let text = core::str::from_utf8(&decoded).map_err(|_| BasicError::NotUtf8)?;
        let (user, password) = text.split_once(':').ok_or(BasicError::NoColon)?;
        let credentials = Self {
            user: user.to_owned(),
            password: Zeroizing::new(password.to_owned()),
        };
        credentials.checked().map(Some)
    }

    /// The user name. It is what the client claims and may not exist.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The value of an `Authorization` header that carries these credentials.
    #[must_use]
    pub fn to_header(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(format!("{}:{}", self.user, self.password.as_str()));
        let mut header = Zeroizing::new(String::with_capacity(MAX_BASIC_HEADER));
        header.push_str("Basic ");
        STANDARD.encode_string(pair.as_bytes(), &mut header);
        header
    }

    fn checked(self) -> Result<Self, BasicError> {
        if self.user.len() > MAX_USER_NAME {
            return Err(BasicError::TooLong {
                found: self.user.len(),
                limit: MAX_USER_NAME,
            });
        }
        if self.password.len() > MAX_PASSWORD {
            return Err(BasicError::TooLong {
                found: self.password.len(),
                limit: MAX_PASSWORD,
            });
        }
        if self
            .user
            .chars()
            .chain(self.password.chars())
            .any(char::is_control)
        {
            return Err(BasicError::ControlCharacter);
        }
        Ok(self)
    }
}

impl fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicCredentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// An `Authorization: Basic` header that RFC 7617 does not allow. Never repeats what the header held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BasicError {
    /// More bytes than a bound of this module allows.
    #[error("the Basic credentials are too long: {found} bytes, at most {limit} are accepted")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The part behind the scheme is not base64.
    #[error("the Basic credentials are not base64")]
    NotBase64,
    /// The decoded credentials are not UTF-8, the only character set RFC 7617 names.
    #[error("the decoded Basic credentials are not UTF-8")]
    NotUtf8,
    /// The decoded credentials have no colon between name and password.
    #[error("the decoded Basic credentials have no colon between name and password")]
    NoColon,
    /// A user name cannot hold a colon in Basic authentication.
    #[error("a user name cannot contain a colon in HTTP Basic authentication")]
    ColonInName,
    /// Name or password holds a control character.
    #[error("the Basic credentials contain a control character")]
    ControlCharacter,
    /// The request has more than one `Authorization` header.
    #[error("the request has more than one Authorization header")]
    SeveralHeaders,
}

impl Diagnose for BasicError {
    /// Rung "local": whoever made the credentials, which for a request is the client, must change them.
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::TooLong { .. } => "Use a shorter user name or password.",
            Self::NotBase64 | Self::NoColon => {
                "Send base64 of name, colon and password (RFC 7617 section 2)."
            }
            Self::NotUtf8 => "Encode name and password in UTF-8 before base64 (RFC 7617 section 2.1).",
            Self::ColonInName => "Use a user name without a colon.",
            Self::ControlCharacter => {
                "Take the control character out; a line end at the end of a password file is the usual one."
            }
            Self::SeveralHeaders => "Send one Authorization header; look for a proxy that adds another.",
        };
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_example_of_rfc_7617() {
        let found = BasicCredentials::parse(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
            .unwrap()
            .unwrap();
        assert_eq!((found.user(), found.password()), ("Aladdin", "open sesame"));
        let found = BasicCredentials::parse(b"bAsIc   dGVzdDoxMjPCow==")
            .unwrap()
            .unwrap();
        assert_eq!((found.user(), found.password()), ("test", "123\u{a3}"));
    }

    #[test]
    fn writes_the_example_of_rfc_7617() {
        let credentials = BasicCredentials::new("Aladdin", "open sesame").unwrap();
        assert_eq!(
            credentials.to_header().as_str(),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
    }

    #[test]
    fn a_colon_belongs_to_the_password() {
        let header = BasicCredentials::new("name", "a:b:").unwrap().to_header();
        let found = BasicCredentials::parse(header.as_bytes()).unwrap().unwrap();
        assert_eq!((found.user(), found.password()), ("name", "a:b:"));
        assert_eq!(BasicCredentials::new("na:me", "x"), Err(BasicError::ColonInName));
    }

    #[test]
    fn leaves_other_schemes_alone() {
        for value in [
            &b"Bearer abc"[..],
            b"Basicx QQ==",
            b"",
            b"Bas",
            b"Digest username=\"a\"",
        ] {
            assert_eq!(BasicCredentials::parse(value), Ok(None));
        }
    }

    #[test]
    fn refuses_what_rfc_7617_does_not_allow() {
        let long = BasicCredentials {
            user: "u".into(),
            password: Zeroizing::new("p".repeat(MAX_PASSWORD + 1)),
        };
        let longer = format!("Basic {}", "A".repeat(MAX_BASIC_HEADER));
        for (value, expected) in [
            ("Basic", BasicError::NoColon),
            ("Basic !!!!", BasicError::NotBase64),
            ("Basic QQ==", BasicError::NoColon),
            ("Basic /zo=", BasicError::NotUtf8),
            ("Basic YTpiCg==", BasicError::ControlCharacter),
            (
                long.to_header().as_str(),
                BasicError::TooLong {
                    found: MAX_PASSWORD + 1,
                    limit: MAX_PASSWORD,
                },
            ),
            (
                &longer,
                BasicError::TooLong {
                    found: longer.len(),
                    limit: MAX_BASIC_HEADER,
                },
            ),
        ] {
            assert_eq!(
                BasicCredentials::parse(value.as_bytes()),
                Err(expected),
                "{value}"
            );
        }
    }

    #[test]
    fn refuses_two_authorization_headers() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Basic YTpi".parse().unwrap());
        assert!(BasicCredentials::from_headers(&headers).unwrap().is_some());
        headers.append(AUTHORIZATION, "Basic YTpi".parse().unwrap());
        assert_eq!(
            BasicCredentials::from_headers(&headers),
            Err(BasicError::SeveralHeaders)
        );
    }

    #[test]
    fn every_fault_has_a_cause_and_a_remedy_in_whole_sentences() {
        for error in [
            BasicError::TooLong { found: 2, limit: 1 },
            BasicError::NotBase64,
            BasicError::NotUtf8,
            BasicError::NoColon,
            BasicError::ColonInName,
            BasicError::ControlCharacter,
            BasicError::SeveralHeaders,
        ] {
            let found = error.diagnose();
            assert_eq!(found.rung, Rung::Local);
            assert_eq!(found.cause, format!("{error}."));
            assert!(
                found.remedy.ends_with('.') && !found.remedy.contains(". "),
                "{found}"
            );
        }
    }

    #[test]
    fn debug_hides_the_password() {
        let credentials = BasicCredentials::new("name", "hush-hush").unwrap();
        assert!(!format!("{credentials:?}").contains("hush"));
    }
}
